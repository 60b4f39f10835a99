//! The grammar: from text to selectors.
//!
//! A `Filter` is a list of selectors joined by `,` that must all hold. `Filters` are any number of
//! filters, one of which must match; without filters, everything matches.
//!
//! ```text
//! filter    := ""  |  selector ("," selector)*
//! selector  := path  |  path operator value
//! path      := field ("." field)*
//! field     := [A-Za-z0-9_]+  |  quoted
//! operator  := "=="  |  "!="  |  "~="
//! value     := bare  |  quoted
//! bare      := printable characters but "," and white space; the first none of "/|.=!~
//! quoted    := "..."   and, after "~=" only, /.../ or |...|
//! ```
//!
//! Quotes hold Go's string escapes: `\a \b \f \n \r \t \v \\`, the quote in use, `\ooo`, `\xhh`, `\uhhhh` and
//! `\Uhhhhhhhh`. White space is allowed before a field, an operator and a value, and nowhere else.

use std::sync::Arc;

use super::chars;
use super::error::Fault;
use super::pattern::{Budget, Pattern};
use super::scan::Scan;
use super::selector::{Path, Selector, Test};
use super::unknown::UnknownField;
use super::unquote;
use crate::model::limits::FILTER_MAX_BYTES;

/// A parsed filter.
#[derive(Default)]
pub(super) struct Parsed {
    pub(super) selectors: Vec<Selector>,
    /// The paths that name no field.
    pub(super) unknown: Vec<UnknownField>,
}

/// Parses one filter. The empty text has no selectors.
pub(super) fn filter(text: &str, budget: &mut Budget) -> Result<Parsed, Fault> {
    if text.is_empty() {
        return Ok(Parsed::default());
    }
    check_text(text)?;
    let mut selectors = Vec::new();
    let mut parser = Parser {
        scan: Scan::new(text),
        budget,
        text,
        unknown: Vec::new(),
    };
    loop {
        selectors.push(parser.selector()?);
        let at = parser.scan.at();
        match parser.scan.bump() {
            None => {
                let unknown = parser.unknown;
                return Ok(Parsed { selectors, unknown });
            }
            Some(',') => {}
            Some(c) if c.is_whitespace() => {
                let message = "expected `,` or the end right after the value, found white space; \
                               a value with spaces is put in double quotes";
                return Err(Fault::new(at, message));
            }
            Some(c) => {
                let found = chars::found(Some(c), "filter");
                let message = format!("expected `,` or the end after the value, found {found}");
                return Err(Fault::new(at, message));
            }
        }
    }
}

/// Checks the whole text.
fn check_text(text: &str) -> Result<(), Fault> {
    if text.len() > FILTER_MAX_BYTES {
        let message = format!(
            "the filter is {} bytes long; at most {FILTER_MAX_BYTES} are allowed",
            text.len()
        );
        return Err(Fault::new(0, message));
    }
    let Some((at, illegal)) = text.char_indices().find(|&(_, c)| chars::is_illegal(c)) else {
        return Ok(());
    };
    Err(Fault::new(
        at,
        match illegal {
            '\0' => "a NUL character; within quotes it can be written `\\x00`",
            _ => {
                "U+FFFD, a sign of text that was not UTF-8; within quotes it \
                 can be written `\\ufffd`"
            }
        },
    ))
}

/// The operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equals,
    Differs,
    Matches,
}

impl Operator {
    fn symbol(self) -> &'static str {
        match self {
            Operator::Equals => "==",
            Operator::Differs => "!=",
            Operator::Matches => "~=",
        }
    }
}

struct Parser<'a, 'b> {
    scan: Scan<'a>,
    budget: &'b mut Budget,
    text: &'a str,
    unknown: Vec<UnknownField>,
}

impl Parser<'_, '_> {
    fn selector(&mut self) -> Result<Selector, Fault> {
        let path = self.path()?;
        if matches!(self.scan.peek(), None | Some(',')) {
            return Ok(Selector {
                path,
                test: Test::Present,
            });
        }
        let operator = self.operator()?;
        self.skip_white();
        let start = self.scan;
        let value = self.value(operator)?;
        let test = match operator {
            Operator::Equals => Test::Equals(value),
            Operator::Differs => Test::Differs(value),
            Operator::Matches => Test::Matches(self.pattern(&value, start)?),
        };
        Ok(Selector { path, test })
    }

    fn path(&mut self) -> Result<Path, Fault> {
        self.skip_white();
        let start = self.scan.at();
        let mut parts = vec![self.field()?];
        while self.scan.eat(".") {
            parts.push(self.field()?);
        }
        let path = Path::new(&parts);
        if !path.field().is_named_by(&parts) {
            let text = match self.unknown.first() {
                Some(before) => before.text(),
                None => Arc::from(self.text),
            };
            let place = start..self.scan.at();
            self.unknown.push(UnknownField::new(text, place, parts));
        }
        Ok(path)
    }

    /// One part of a path.
    fn field(&mut self) -> Result<Vec<u8>, Fault> {
        self.skip_white();
        match self.scan.peek() {
            Some('"') => unquote::quoted(&mut self.scan),
            Some(c) if chars::is_field(c) => {
                Ok(self.scan.take_while(chars::is_field).as_bytes().to_vec())
            }
            found => {
                let found = chars::found(found, "filter");
                let message = format!(
                    "expected a field: letters, digits and `_`, or double quotes; found {found}"
                );
                Err(Fault::new(self.scan.at(), message))
            }
        }
    }

    fn operator(&mut self) -> Result<Operator, Fault> {
        let after_field = self.scan.peek();
        self.skip_white();
        let at = self.scan.at();
        let symbol = self.scan.take_while(chars::is_operator);
        let operators = [Operator::Equals, Operator::Differs, Operator::Matches];
        if let Some(operator) = operators
            .into_iter()
            .find(|operator| operator.symbol() == symbol)
        {
            return Ok(operator);
        }
        let message = if symbol.is_empty() {
            let found = chars::found(self.scan.peek(), "filter");
            match after_field {
                Some(c) if !c.is_whitespace() && c != '"' => format!(
                    "expected an operator, `.` or `,` after the field, found {found}; a \
                     field with other characters than letters, digits and `_` is put in double \
                     quotes"
                ),
                _ => format!("expected an operator (`==`, `!=` or `~=`), found {found}"),
            }
        } else {
            format!(
                "unknown operator {}; expected `==`, `!=` or `~=`",
                chars::excerpt(symbol)
            )
        };
        Err(Fault::new(at, message))
    }

    fn value(&mut self, operator: Operator) -> Result<Vec<u8>, Fault> {
        let at = self.scan.at();
        let symbol = operator.symbol();
        match self.scan.peek() {
            Some('"') => unquote::quoted(&mut self.scan),
            Some('/' | '|') if operator == Operator::Matches => unquote::quoted(&mut self.scan),
            Some(c @ ('/' | '|')) => {
                let message = format!(
                    "`{c}` quotes only a regular expression, after `~=`; put a value that begins \
                     with it in double quotes"
                );
                Err(Fault::new(at, message))
            }
            Some(c) if chars::is_bare_start(c) => {
                Ok(self.scan.take_while(chars::is_bare).as_bytes().to_vec())
            }
            Some(c) if c != ',' && chars::is_printable(c) => {
                let message = format!(
                    "expected a value after `{symbol}`, found `{c}`; a value that begins with it \
                     is put in double quotes"
                );
                Err(Fault::new(at, message))
            }
            found => {
                let found = chars::found(found, "filter");
                Err(Fault::new(
                    at,
                    format!("expected a value after `{symbol}`, found {found}"),
                ))
            }
        }
    }

    /// Compiles a value, which began at `start`, as a regular expression.
    fn pattern(&mut self, value: &[u8], start: Scan<'_>) -> Result<Pattern, Fault> {
        let is_quoted = start.peek().is_some_and(chars::is_quote);
        let place = |offset| {
            if is_quoted {
                unquote::place_of(start, offset)
            } else {
                start.at() + offset
            }
        };
        let source = str::from_utf8(value).map_err(|error| {
            Fault::new(
                place(error.valid_up_to()),
                "a regular expression must be UTF-8",
            )
        })?;
        Pattern::compile(source, self.budget).map_err(|fault| Fault {
            at: place(fault.at),
            ..fault
        })
    }

    fn skip_white(&mut self) {
        self.scan.take_while(char::is_whitespace);
    }
}
