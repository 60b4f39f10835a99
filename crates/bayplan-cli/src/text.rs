//! Makes text from the store safe for a terminal; it may contain anything.

use chrono::{DateTime, Utc};

/// How many names a message has at most.
pub(crate) const NAMED: usize = 10;

/// The first of these names, and whether there are more.
pub(crate) fn first_of(names: &[String]) -> String {
    match names.get(..NAMED) {
        Some(first) if names.len() > NAMED => format!("{}, ..", first.join(", ")),
        _ => names.join(", "),
    }
}

/// Whether a character can affect the terminal beyond itself: control characters, and those that change the
/// direction of text.
pub(crate) fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}'
                ..='\u{200f}' | '\u{2028}'
                ..='\u{202e}' | '\u{2066}'
                ..='\u{2069}'
        )
}

/// The text with such characters shown as `\n`, `\u{1b}` and so on.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unsafe(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// A label in the form of the command line, with its key in quotes if it contains `=`.
pub(crate) fn label(key: &str, value: &str) -> String {
    let key = match key.starts_with('"') || key.contains('=') {
        true => serde_json::Value::from(key).to_string(),
        false => key.to_owned(),
    };
    visible(&format!("{key}={value}"))
}

/// The column of a label: the end of its key, as kubectl prints it.
pub(crate) fn label_column(key: &str) -> String {
    key.rsplit('/').next().unwrap_or(key).to_uppercase()
}

/// A time as one word, to the second.
pub(crate) fn time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Labels on one line.
pub(crate) fn labels(labels: &bayplan::Labels) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| label(key, value))
        .collect();
    pairs.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_shown_as_it_is_given() {
        for (key, value, shown) in [
            ("a", "b=\"c", "a=b=\"c"),
            ("a=b", "c", "\"a=b\"=c"),
            ("\"a", "c", "\"\\\"a\"=c"),
        ] {
            assert_eq!(label(key, value), shown);
            let pair = crate::input::pair(shown);
            assert_eq!(pair, Ok((key.to_owned(), value.to_owned())));
        }
    }

    #[test]
    fn what_moves_the_cursor_or_hides_text_is_escaped() {
        assert_eq!(visible("a\u{1b}[2J\n\tb"), "a\\u{1b}[2J\\n\\tb");
        assert_eq!(
            visible("\u{9b}\u{202e}x\u{2069}"),
            "\\u{9b}\\u{202e}x\\u{2069}"
        );
        assert_eq!(visible("grüße 日本 \\n"), "grüße 日本 \\n");
    }
}
