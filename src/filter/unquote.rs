//! Quoted strings: Go's string escapes, within `"..."`, `/.../` or `|...|`.

use super::chars;
use super::error::Fault;
use super::scan::Scan;

/// One step of a quoted string, as meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// A single byte, from `\x` or octal digits; perhaps not UTF-8.
    Byte(u8),
    /// A character.
    Char(char),
}

impl Unit {
    fn append_to(self, out: &mut Vec<u8>) {
        match self {
            Unit::Byte(byte) => out.push(byte),
            Unit::Char(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// Reads the quoted string whose opening quote comes next, and returns its value.
pub(super) fn quoted(scan: &mut Scan<'_>) -> Result<Vec<u8>, Fault> {
    let start = scan.at();
    let mut value = Vec::new();
    let Some(quote) = scan.bump() else {
        return Ok(value);
    };
    while let Some(unit) = unit(scan, quote, start)? {
        unit.append_to(&mut value);
    }
    Ok(value)
}

/// The place in the text of byte `offset` of the value of the quoted string at `scan`.
pub(super) fn place_of(mut scan: Scan<'_>, offset: usize) -> usize {
    let start = scan.at();
    let Some(quote) = scan.bump() else {
        return start;
    };
    let mut value = Vec::new();
    loop {
        let at = scan.at();
        match unit(&mut scan, quote, start) {
            Ok(Some(unit)) => unit.append_to(&mut value),
            Ok(None) | Err(_) => return at,
        }
        if value.len() > offset {
            return at;
        }
    }
}

/// The next step; `None` at the closing quote, which is consumed.
fn unit(scan: &mut Scan<'_>, quote: char, start: usize) -> Result<Option<Unit>, Fault> {
    let at = scan.at();
    match scan.bump() {
        Some(c) if c == quote => Ok(None),
        Some('\\') if scan.peek().is_some() => escape(scan, quote, at).map(Some),
        Some('\n') => Err(Fault::new(
            at,
            "a line break within quotes; write it as the escape `\\n`",
        )),
        Some(c) if c != '\\' => Ok(Some(Unit::Char(c))),
        _ => Err(Fault::new(
            start,
            format!("the quote `{quote}` is never closed"),
        )),
    }
}

/// The value of an escape; its backslash, at `at`, is already consumed.
fn escape(scan: &mut Scan<'_>, quote: char, at: usize) -> Result<Unit, Fault> {
    let body = *scan;
    Ok(match scan.bump() {
        Some('a') => Unit::Byte(0x07),
        Some('b') => Unit::Byte(0x08),
        Some('f') => Unit::Byte(0x0c),
        Some('n') => Unit::Byte(b'\n'),
        Some('r') => Unit::Byte(b'\r'),
        Some('t') => Unit::Byte(b'\t'),
        Some('v') => Unit::Byte(0x0b),
        Some('\\') => Unit::Byte(b'\\'),
        Some(c) if c == quote => Unit::Char(c),
        Some('x') => byte(digits(scan, 2, 16, at)?, at)?,
        Some('u') => character(digits(scan, 4, 16, at)?, at)?,
        Some('U') => character(digits(scan, 8, 16, at)?, at)?,
        Some('0'..='7') => {
            *scan = body;
            byte(digits(scan, 3, 8, at)?, at)?
        }
        Some(c) if !chars::is_illegal(c) && chars::is_printable(c) => {
            return Err(Fault::new(
                at,
                format!("unknown escape `\\{c}`; within quotes a backslash is written `\\\\`"),
            ));
        }
        c => {
            let found = chars::found(c, "filter");
            return Err(Fault::new(
                at,
                format!("a backslash before {found} is not an escape"),
            ));
        }
    })
}

/// Exactly `count` digits, as a number. The most is eight hexadecimal ones, so that it fits.
fn digits(scan: &mut Scan<'_>, count: u32, radix: u32, at: usize) -> Result<u32, Fault> {
    let mut number = 0_u32;
    for _ in 0..count {
        let Some(digit) = scan.peek().and_then(|c| c.to_digit(radix)) else {
            let kind = if radix == 8 { "octal" } else { "hexadecimal" };
            let found = chars::found(scan.peek(), "filter");
            let message = format!("this escape takes {count} {kind} digits; found {found}");
            return Err(Fault::new(at, message));
        };
        number = number.wrapping_mul(radix).wrapping_add(digit);
        scan.bump();
    }
    Ok(number)
}

/// The byte of a `\x` or octal escape.
fn byte(number: u32, at: usize) -> Result<Unit, Fault> {
    u8::try_from(number)
        .map(Unit::Byte)
        .map_err(|_| Fault::new(at, "an octal escape goes up to `\\377`, one byte"))
}

/// The character of a `\u` or `\U` escape. Half of a surrogate pair is the replacement character,
/// as Go encodes it.
fn character(number: u32, at: usize) -> Result<Unit, Fault> {
    match char::from_u32(number) {
        Some(c) => Ok(Unit::Char(c)),
        None if (0xd800..=0xdfff).contains(&number) => Ok(Unit::Char(char::REPLACEMENT_CHARACTER)),
        None => Err(Fault::new(
            at,
            "the last Unicode character is `\\U0010ffff`",
        )),
    }
}
