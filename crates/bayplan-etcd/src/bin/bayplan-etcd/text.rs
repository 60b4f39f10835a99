//! Makes text of other hosts safe for a terminal: it may contain anything.

use serde::Serialize;

use crate::failure::{Failure, Result};

/// Whether a character can affect the terminal beyond itself: control characters, and those that change the direction
/// of text.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with such characters shown as `\n`, `\u{1b}` and so on.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match is_unsafe(character) {
            true => shown.extend(character.escape_default()),
            false => shown.push(character),
        }
    }
    shown
}

/// A value as JSON, with such characters escaped as JSON does.
pub(crate) fn json(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string(value)
        .map_err(|error| Failure::new("a container cannot be shown").because(error.to_string()))?;
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match is_unsafe(character) {
            // All of them are in the basic plane: four digits are enough.
            true => shown.push_str(&format!("\\u{:04x}", u32::from(character))),
            false => shown.push(character),
        }
    }
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_the_cursor_or_hides_text_is_escaped() {
        assert_eq!(
            visible("a\u{1b}[31m\nb\u{202e}"),
            "a\\u{1b}[31m\\nb\\u{202e}"
        );
        assert_eq!(
            json(&"\u{202e}\u{9b}").ok().as_deref(),
            Some("\"\\u202e\\u009b\"")
        );
    }
}
