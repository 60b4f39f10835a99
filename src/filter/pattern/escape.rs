//! Escapes that mean the same within brackets and outside: characters and classes.

use crate::filter::chars;
use crate::filter::error::Fault;
use crate::filter::scan::Scan;

use super::budget::Budget;
use super::property;

/// The value of an escape.
pub(super) enum Escape {
    /// One code point. Halves of surrogate pairs can be written, and match nothing.
    Code(u32),
    /// A class, written so that the `regex` crate reads it alike within brackets and outside.
    Class(String),
}

/// Reads an escape; its backslash comes next.
pub(super) fn escape(scan: &mut Scan<'_>, budget: &mut Budget) -> Result<Escape, Fault> {
    let start = *scan;
    scan.bump(); // the backslash
    let digits = *scan;
    Ok(match scan.bump() {
        Some('d') => class("[0-9]"),
        Some('D') => class("[^0-9]"),
        Some('s') => class(r"[\t\n\f\r ]"),
        Some('S') => class(r"[^\t\n\f\r ]"),
        Some('w') => class("[0-9A-Za-z_]"),
        Some('W') => class("[^0-9A-Za-z_]"),
        Some(sign @ ('p' | 'P')) => {
            budget.class(start.at())?;
            Escape::Class(by_property(scan, sign == 'P', start)?)
        }
        Some('a') => Escape::Code(0x07),
        Some('f') => Escape::Code(0x0c),
        Some('n') => Escape::Code(0x0a),
        Some('r') => Escape::Code(0x0d),
        Some('t') => Escape::Code(0x09),
        Some('v') => Escape::Code(0x0b),
        Some('x') => Escape::Code(hexadecimal(scan, start)?),
        Some(c @ '0'..='7') => {
            *scan = digits;
            let code = octal(scan);
            if c != '0' && scan.at() - digits.at() < 2 {
                let message = format!(
                    "regular expression: back references such as `\\{c}` are not available"
                );
                return Err(Fault::new(start.at(), message));
            }
            Escape::Code(code)
        }
        Some(c) if c.is_ascii() && !c.is_ascii_alphanumeric() => Escape::Code(u32::from(c)),
        None => {
            let message = "regular expression: a backslash at its end escapes nothing";
            return Err(Fault::new(start.at(), message));
        }
        Some(c) => return Err(unknown(c, start)),
    })
}

fn class(text: &str) -> Escape {
    Escape::Class(text.to_owned())
}

/// The fault of an escape that Go does not know.
pub(super) fn unknown(c: char, start: Scan<'_>) -> Fault {
    let mut shown = String::new();
    chars::push_visible(&mut shown, c);
    Fault::new(
        start.at(),
        format!("regular expression: unknown escape `\\{shown}`"),
    )
}

/// Up to three octal digits.
fn octal(scan: &mut Scan<'_>) -> u32 {
    let mut code = 0_u32;
    for _ in 0..3 {
        let Some(digit) = scan.peek().and_then(|c| c.to_digit(8)) else {
            break;
        };
        code = code * 8 + digit;
        scan.bump();
    }
    code
}

/// The code point after `\x`: two hexadecimal digits, or any number of them in braces.
fn hexadecimal(scan: &mut Scan<'_>, start: Scan<'_>) -> Result<u32, Fault> {
    let digits = if scan.eat("{") {
        scan.take_until("}").unwrap_or_default()
    } else {
        let pair = scan
            .rest()
            .char_indices()
            .nth(2)
            .map_or(scan.rest().len(), |(at, _)| at);
        let pair = scan.rest().get(..pair).unwrap_or_default();
        if scan.eat(pair) && pair.len() == 2 {
            pair
        } else {
            ""
        }
    };
    let mut code = None;
    for c in digits.chars() {
        let next = c.to_digit(16).map(|digit| code.unwrap_or(0) * 16 + digit);
        code = next.filter(|&code| code <= u32::from(char::MAX));
        if code.is_none() {
            break;
        }
    }
    code.ok_or_else(|| {
        let message = "regular expression: `\\x` takes two hexadecimal digits, or a code point \
                       in braces up to 10FFFF";
        Fault::new(start.at(), message)
    })
}

/// The class after `\p` or `\P`: one letter, or a name in braces, `^` before it negating.
fn by_property(scan: &mut Scan<'_>, negated: bool, start: Scan<'_>) -> Result<String, Fault> {
    let name = if scan.eat("{") {
        scan.take_until("}").ok_or_else(|| {
            Fault::new(
                start.at(),
                "regular expression: the brace after `\\p` is never closed",
            )
        })?
    } else {
        let one = scan.rest();
        scan.bump();
        one.get(..one.len() - scan.rest().len()).unwrap_or_default()
    };
    let (negated, name) = match name.strip_prefix('^') {
        Some(name) => (!negated, name),
        None => (negated, name),
    };
    if let Some(class) = property::class(name, negated) {
        return Ok(class);
    }
    let name = chars::excerpt(name);
    let message = format!(
        "regular expression: {name} is no general category and no script by its long name, such as \
         `Greek`"
    );
    Err(Fault::new(start.at(), message))
}
