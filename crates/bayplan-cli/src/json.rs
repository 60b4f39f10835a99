//! JSON as text, token by token: made compact or readable without touching a value.
//!
//! Parsing into values would sort keys, drop repeated ones and round numbers. The texts are expected to be
//! valid JSON; others lose only white space.

use std::io::{self, Write};

use crate::text::is_unsafe;

/// A value as compact JSON.
pub(crate) fn of(value: &impl serde::Serialize) -> io::Result<String> {
    Ok(serde_json::to_string(value)?)
}

/// The text without white space, its strings in their shortest spelling.
pub(crate) fn compact(text: &str) -> String {
    let mut compact = String::with_capacity(text.len());
    for token in Tokens(text) {
        let spelled = token
            .starts_with('"')
            .then(|| serde_json::from_str::<String>(token).ok())
            .flatten()
            .and_then(|text| serde_json::to_string(&text).ok());
        compact.push_str(spelled.as_deref().unwrap_or(token));
    }
    compact
}

/// The text in lines, for a place `depth` levels deep in another one. Characters that are unsafe on a
/// terminal are escaped.
pub(crate) fn pretty(text: &str, depth: usize) -> String {
    let mut pretty = String::with_capacity(text.len() * 2);
    let mut depth = depth;
    let mut tokens = Tokens(text).peekable();
    while let Some(token) = tokens.next() {
        match token {
            "{" | "[" => {
                pretty.push_str(token);
                if let Some(end) = tokens.next_if(|next| matches!(*next, "}" | "]")) {
                    pretty.push_str(end);
                } else {
                    depth += 1;
                    new_line(&mut pretty, depth);
                }
            }
            "}" | "]" => {
                depth = depth.saturating_sub(1);
                new_line(&mut pretty, depth);
                pretty.push_str(token);
            }
            "," => {
                pretty.push(',');
                new_line(&mut pretty, depth);
            }
            ":" => pretty.push_str(": "),
            token => push_safe(&mut pretty, token),
        }
    }
    pretty
}

/// One line of JSON that is safe on a terminal.
pub(crate) fn line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    push_safe(&mut line, text);
    line
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth));
}

fn push_safe(text: &mut String, token: &str) {
    for character in token.chars() {
        if is_unsafe(character) {
            // All of them are in the basic plane: four digits are enough.
            text.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            text.push(character);
        }
    }
}

/// An array that is written item by item.
#[derive(Default)]
pub(crate) struct Array {
    has_items: bool,
}

impl Array {
    pub(crate) fn push(&mut self, out: &mut dyn Write, item: &str) -> io::Result<()> {
        let before = if self.has_items { ",\n  " } else { "[\n  " };
        self.has_items = true;
        write!(out, "{before}{}", pretty(item, 1))
    }

    pub(crate) fn finish(self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", if self.has_items { "\n]" } else { "[]" })
    }
}

/// The tokens of a text, without the white space between them.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0.trim_start();
        let first = text.chars().next()?;
        let end = match first {
            '"' => string_end(text),
            '{' | '}' | '[' | ']' | ':' | ',' => 1,
            _ => text
                .find(|c: char| c.is_whitespace() || "{}[]:,\"".contains(c))
                .unwrap_or(text.len()),
        };
        let (token, rest) = text.split_at_checked(end)?;
        self.0 = rest;
        Some(token)
    }
}

/// The length of the string at the beginning of the text.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_keeps_order_repeated_keys_and_numbers() {
        let text = "{ \"z\" : [ 1.50 , 123456789012345678901234567890 ] ,\n \"a\":{}, \"a\" :null}";
        assert_eq!(
            compact(text),
            r#"{"z":[1.50,123456789012345678901234567890],"a":{},"a":null}"#
        );
    }

    #[test]
    fn compact_spells_strings_as_the_library_does() {
        // As Go writes them.
        let text = r#"["a \u0026\u0026 \u003cb\u003e", "\"\\ {", "\u0007\/\n"]"#;
        assert_eq!(compact(text), r#"["a && <b>","\"\\ {","\u0007/\n"]"#);
    }

    #[test]
    fn pretty_is_what_everybody_writes() {
        let text = r#"{"a":[1,{"b":"x, {y}: \"z\""}],"c":{},"d":[]}"#;
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            pretty(text, 0),
            serde_json::to_string_pretty(&value).unwrap()
        );
        assert_eq!(compact(&pretty(text, 0)), text);
    }

    #[test]
    fn what_harms_a_terminal_is_escaped_and_reads_back() {
        let text = serde_json::to_string("\u{9b}31m\u{202e}\u{1b}\u{7f}ü").unwrap();
        assert_eq!(pretty(&text, 0), r#""\u009b31m\u202e\u001b\u007fü""#);
        assert_eq!(line(&text), pretty(&text, 0));
        assert_eq!(compact(&pretty(&text, 0)), text);
    }

    #[test]
    fn what_is_not_json_loses_white_space_only() {
        for text in ["\"abc", "\"\\", "}{", "nul l\"", "\u{3000}", "é\"é"] {
            let visible = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(compact(text), visible(text));
            assert_eq!(visible(&pretty(text, 0)), visible(text));
        }
    }

    #[test]
    fn an_array_grows_item_by_item() {
        let mut out = Vec::new();
        Array::default().finish(&mut out).unwrap();
        let mut array = Array::default();
        array.push(&mut out, r#"{"a":1}"#).unwrap();
        array.push(&mut out, "2").unwrap();
        array.finish(&mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "[]\n[\n  {\n    \"a\": 1\n  },\n  2\n]\n"
        );
    }
}
