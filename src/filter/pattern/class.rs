//! Bracketed classes: `[a-z]`, `[^[:space:]\d]`.

use crate::filter::chars;
use crate::filter::error::Fault;
use crate::filter::scan::Scan;

use super::budget::Budget;
use super::escape::{Escape, escape};
use super::property::NOTHING;

/// The named ASCII classes, each written `[:name:]` or `[:^name:]`.
const NAMED: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// Reads a bracketed class, whose bracket comes next, and returns it as the crate reads it.
///
/// Brackets, `&&`, `--` and `~~` within a class mean nothing special to Go. Single characters are written
/// as `\x{..}`, so that they mean nothing special to the crate either.
pub(super) fn class(scan: &mut Scan<'_>, budget: &mut Budget) -> Result<String, Fault> {
    let start = *scan;
    scan.bump(); // the bracket
    let mut out = String::from(if scan.eat("^") { "[^" } else { "[" });
    let mut first = true; // a closing bracket in first place is plain
    while first || scan.peek() != Some(']') {
        first = false;
        item(scan, start, budget, &mut out)?;
    }
    scan.bump(); // the closing bracket
    out.push(']');
    Ok(out)
}

/// One item: a named class, an escaped class, a character or a range.
fn item(
    scan: &mut Scan<'_>,
    start: Scan<'_>,
    budget: &mut Budget,
    out: &mut String,
) -> Result<(), Fault> {
    let from = scan.at();
    if let Some(name) = named(scan)? {
        out.push_str(name);
        return Ok(());
    }
    let first = match member(scan, start, budget)? {
        Escape::Class(class) => {
            out.push_str(&class);
            return Ok(());
        }
        Escape::Code(code) => code,
    };
    let last = match range_end(scan) {
        None => first,
        Some(end) => {
            *scan = end;
            match member(scan, start, budget)? {
                Escape::Code(code) => code,
                Escape::Class(_) => {
                    let message = "regular expression: a range cannot end in a class";
                    return Err(Fault::new(end.at(), message));
                }
            }
        }
    };
    if last < first {
        let range = start.rest().get(from - start.at()..scan.at() - start.at());
        let range = chars::excerpt(range.unwrap_or_default());
        let message = format!("regular expression: the range {range} ends before it begins");
        return Err(Fault::new(from, message));
    }
    out.push_str(&range(first, last));
    Ok(())
}

/// Returns the place after a `-` that makes a range: one that is not the last character of the class.
fn range_end<'a>(scan: &Scan<'a>) -> Option<Scan<'a>> {
    let mut end = *scan;
    (end.eat("-") && !matches!(end.peek(), None | Some(']'))).then_some(end)
}

/// A named class such as `[:alpha:]`, if one comes next.
fn named<'a>(scan: &mut Scan<'a>) -> Result<Option<&'a str>, Fault> {
    let start = *scan;
    let mut end = *scan;
    if !end.eat("[:") {
        return Ok(None);
    }
    let Some(name) = end.take_until(":]") else {
        return Ok(None);
    };
    let text = start
        .rest()
        .get(..end.at() - start.at())
        .unwrap_or_default();
    if !NAMED.contains(&name.strip_prefix('^').unwrap_or(name)) {
        let message = format!(
            "regular expression: there is no character class {}",
            chars::excerpt(text)
        );
        return Err(Fault::new(start.at(), message));
    }
    *scan = end;
    Ok(Some(text))
}

/// One member of a class that opened at `start`.
fn member(scan: &mut Scan<'_>, start: Scan<'_>, budget: &mut Budget) -> Result<Escape, Fault> {
    match scan.peek() {
        None => {
            let message = "regular expression: the bracket `[` is never closed";
            Err(Fault::new(start.at(), message))
        }
        Some('\\') => escape(scan, budget),
        Some(c) => {
            scan.bump();
            Ok(Escape::Code(u32::from(c)))
        }
    }
}

/// A range of code points, less the halves of surrogate pairs, which no text holds.
fn range(first: u32, last: u32) -> String {
    const SURROGATE_FIRST: u32 = 0xd800;
    const SURROGATE_LAST: u32 = 0xdfff;
    let is_surrogate = |code| (SURROGATE_FIRST..=SURROGATE_LAST).contains(&code);
    let first = if is_surrogate(first) {
        SURROGATE_LAST + 1
    } else {
        first
    };
    let last = if is_surrogate(last) {
        SURROGATE_FIRST - 1
    } else {
        last
    };
    if first > last {
        NOTHING.to_owned()
    } else {
        format!("\\x{{{first:X}}}-\\x{{{last:X}}}")
    }
}
