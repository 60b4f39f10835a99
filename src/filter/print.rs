//! A filter as text that parses back to it.

use std::fmt::{self, Display, Formatter, Write};

use crate::model::field::{Field, name};

use super::chars;
use super::selector::{Path, Selector, Test};

/// Writes selectors, separated by commas.
pub(super) fn selectors(f: &mut Formatter<'_>, selectors: &[Selector]) -> fmt::Result {
    for (at, selector) in selectors.iter().enumerate() {
        if at > 0 {
            f.write_char(',')?;
        }
        selector.path.fmt(f)?;
        match &selector.test {
            Test::Present => {}
            Test::Equals(value) => {
                f.write_str("==")?;
                bare_or_quoted(f, value)?;
            }
            Test::Differs(value) => {
                f.write_str("!=")?;
                bare_or_quoted(f, value)?;
            }
            Test::Matches(pattern) => {
                f.write_str("~=")?;
                expression(f, pattern.source())?;
            }
        }
    }
    Ok(())
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.field() {
            Field::Id => f.write_str(name::ID),
            Field::Image => f.write_str(name::IMAGE),
            Field::RuntimeName => write!(f, "{}.{}", name::RUNTIME, name::RUNTIME_NAME),
            Field::Snapshotter => f.write_str(name::SNAPSHOTTER),
            Field::SnapshotKey => f.write_str(name::SNAPSHOT_KEY),
            Field::SandboxId => f.write_str(name::SANDBOX_ID),
            Field::Type => f.write_str(name::TYPE),
            Field::Label(key) => entry(f, name::LABELS, key),
            Field::Extension(key) => entry(f, name::EXTENSIONS, key),
            Field::Unknown => Parts(self.unknown()).fmt(f),
        }
    }
}

/// The parts of a path, shown as they are written.
pub(super) struct Parts<'a>(pub(super) &'a [Vec<u8>]);

impl fmt::Display for Parts<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, part) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_char('.')?;
            }
            field(f, part)?;
        }
        Ok(())
    }
}

/// Writes the path to an entry of a map: `labels.a.b`, or `labels."a-b"` when the key needs quotes.
fn entry(f: &mut Formatter<'_>, map: &str, key: &[u8]) -> fmt::Result {
    f.write_str(map)?;
    if key.is_empty() {
        return Ok(());
    }
    f.write_char('.')?;
    match str::from_utf8(key) {
        Ok(key) if key.split('.').all(is_field) => f.write_str(key),
        _ => quoted(f, key, '"'),
    }
}

fn field(f: &mut Formatter<'_>, part: &[u8]) -> fmt::Result {
    match str::from_utf8(part) {
        Ok(part) if is_field(part) => f.write_str(part),
        _ => quoted(f, part, '"'),
    }
}

fn is_field(part: &str) -> bool {
    !part.is_empty() && part.chars().all(chars::is_field)
}

fn bare_or_quoted(f: &mut Formatter<'_>, value: &[u8]) -> fmt::Result {
    match str::from_utf8(value) {
        Ok(value) if is_bare(value) => f.write_str(value),
        _ => quoted(f, value, '"'),
    }
}

/// Writes a regular expression: bare if possible, otherwise in the first kind of quotes that it does not
/// contain.
fn expression(f: &mut Formatter<'_>, source: &str) -> fmt::Result {
    if is_bare(source) {
        return f.write_str(source);
    }
    let quote = ['/', '|', '"']
        .into_iter()
        .find(|&quote| !source.contains(quote));
    quoted(f, source.as_bytes(), quote.unwrap_or('"'))
}

/// Whether a value needs no quotes.
fn is_bare(value: &str) -> bool {
    value.starts_with(chars::is_bare_start)
        && value
            .chars()
            .all(|c| chars::is_bare(c) && !chars::is_illegal(c))
}

/// Writes bytes within quotes. Whatever is invisible, or not allowed there, is escaped.
fn quoted(f: &mut Formatter<'_>, value: &[u8], quote: char) -> fmt::Result {
    f.write_char(quote)?;
    for chunk in value.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => f.write_str(r"\\")?,
                c if c == quote => write!(f, "\\{c}")?,
                '\n' => f.write_str(r"\n")?,
                '\r' => f.write_str(r"\r")?,
                '\t' => f.write_str(r"\t")?,
                c if c == ' ' || (chars::is_printable(c) && !chars::is_illegal(c)) => {
                    f.write_char(c)?;
                }
                c if c.is_ascii() => write!(f, "\\x{:02x}", u32::from(c))?,
                c if c <= '\u{ffff}' => write!(f, "\\u{:04x}", u32::from(c))?,
                c => write!(f, "\\U{:08x}", u32::from(c))?,
            }
        }
        for byte in chunk.invalid() {
            write!(f, "\\x{byte:02x}")?;
        }
    }
    f.write_char(quote)
}
