//! Text from the store on a terminal: it may hold anything.

/// Whether a character can change what the terminal does or shows beyond itself: control
/// characters, and those that turn the direction of writing.
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

/// Labels on one line.
pub(crate) fn labels(labels: &bayplan::Labels) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| visible(&format!("{key}={value}")))
        .collect();
    pairs.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

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
