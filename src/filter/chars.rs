//! The classes of characters, and how an error shows a character.

pub(super) use crate::model::excerpt::{is_printable, push_visible};

/// A character of a field that needs no quotes.
pub(super) fn is_field(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// A character that operators are made of.
pub(super) fn is_operator(c: char) -> bool {
    matches!(c, '=' | '!' | '~')
}

/// A character that opens a quoted string.
pub(super) fn is_quote(c: char) -> bool {
    matches!(c, '"' | '/' | '|')
}

/// A character that separates fields or selectors.
pub(super) fn is_separator(c: char) -> bool {
    matches!(c, ',' | '.')
}

/// A character of a value without quotes.
pub(super) fn is_bare(c: char) -> bool {
    c != ',' && is_printable(c)
}

/// A character that may begin a value without quotes.
pub(super) fn is_bare_start(c: char) -> bool {
    is_bare(c) && !is_operator(c) && !is_quote(c) && !is_separator(c)
}

/// A character that a filter must not contain literally: NUL, and U+FFFD, which a decoder puts in place of
/// bytes that are not UTF-8.
pub(super) fn is_illegal(c: char) -> bool {
    matches!(c, '\0' | char::REPLACEMENT_CHARACTER)
}

/// Names what is at a place of a text: `` `x` ``, or the end.
pub(super) fn found(c: Option<char>, end_of: &str) -> String {
    match c {
        None => format!("the end of the {end_of}"),
        Some(' ') => "a space".to_owned(),
        Some(c) if c.is_whitespace() => format!("white space ({})", code_point(c)),
        Some(c) if is_printable(c) => format!("`{c}`"),
        Some(c) => format!("the unprintable character {}", code_point(c)),
    }
}

/// A character as `U+0041`.
pub(super) fn code_point(c: char) -> String {
    format!("U+{:04X}", u32::from(c))
}

/// A piece of text for a message, in backquotes, shortened if long.
pub(super) fn excerpt(text: &str) -> String {
    const EXCERPT_MAX_CHARS: usize = 24;
    let mut out = String::from("`");
    for c in text.chars().take(EXCERPT_MAX_CHARS) {
        push_visible(&mut out, c);
    }
    if text.chars().nth(EXCERPT_MAX_CHARS).is_some() {
        out.push('…');
    }
    out.push('`');
    out
}
