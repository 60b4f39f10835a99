//! Shows a text with one place in it marked, for the errors of the small languages.

use std::fmt;

/// Characters shown on either side of the marked place.
const CONTEXT_CHARS: usize = 36;

/// `text` with a caret under the character at byte `position`; a window of it where it is long.
pub(crate) struct Excerpt<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Excerpt<'a> {
    pub(crate) fn new(text: &'a str, position: usize) -> Self {
        Self { text, position }
    }
}

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The first character that starts at the place or behind it.
        let marked = self
            .text
            .char_indices()
            .take_while(|(at, _)| *at < self.position)
            .count();
        let first = marked.saturating_sub(CONTEXT_CHARS);
        let last = marked + CONTEXT_CHARS;
        let mut line = String::new();
        let mut caret = 0;
        if first > 0 {
            line.push_str("...");
            caret += 3;
        }
        let mut cut = false;
        for (index, character) in self.text.chars().enumerate().skip(first) {
            if index > last {
                cut = true;
                break;
            }
            let before = line.chars().count();
            if character.is_control() {
                line.extend(character.escape_default());
            } else {
                line.push(character);
            }
            if index < marked {
                caret += line.chars().count() - before;
            }
        }
        if cut {
            line.push_str("...");
        }
        write!(f, "  {line}\n  {:caret$}^", "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn shows(text: &str, position: usize, expected: &str) {
        assert_eq!(Excerpt::new(text, position).to_string(), expected);
    }

    #[test]
    fn the_caret_stands_under_the_place() {
        shows("labels", 0, "  labels\n  ^");
        shows("labels.", 7, "  labels.\n         ^");
        shows("é=b", 2, "  é=b\n   ^");
        shows("", 0, "  \n  ^");
    }

    #[test]
    fn control_characters_are_escaped_and_do_not_shift_the_caret() {
        shows("a\nb\u{1b}c", 4, "  a\\nb\\u{1b}c\n            ^");
    }

    #[test]
    fn a_long_text_is_shown_around_the_place() {
        let text = format!("{}X{}", "a".repeat(100), "b".repeat(100));
        let window = format!("  ...{}X{}...\n", "a".repeat(36), "b".repeat(36));
        shows(&text, 100, &format!("{window}{}^", " ".repeat(41)));
    }
}
