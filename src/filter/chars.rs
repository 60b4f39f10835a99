//! Which characters mean what, and how a character is shown in an error.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

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

/// A character that no filter may hold as such: NUL, and U+FFFD, which stands where a decoder met
/// bytes that were not UTF-8.
pub(super) fn is_illegal(c: char) -> bool {
    matches!(c, '\0' | char::REPLACEMENT_CHARACTER)
}

/// Letters, marks, numbers, punctuation and symbols: all that leaves ink. Spaces, controls, format
/// characters (which may reorder a line), private and unassigned characters are not printable.
pub(super) fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_graphic();
    }
    PRINTABLE
        .binary_search_by(|&(first, last)| {
            if last < c {
                std::cmp::Ordering::Less
            } else if c < first {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Equal
            }
        })
        .is_ok()
}

/// The ranges of printable characters, ascending. The table is the regular expression library's.
static PRINTABLE: LazyLock<Vec<(char, char)>> = LazyLock::new(|| {
    let class = regex_syntax::parse(r"[\pL\pM\pN\pP\pS]").map(regex_syntax::hir::Hir::into_kind);
    match class {
        Ok(HirKind::Class(Class::Unicode(class))) => class
            .ranges()
            .iter()
            .map(|range| (range.start(), range.end()))
            .collect(),
        _ => Vec::new(), // never: a test looks
    }
});

/// Appends a character as it may be shown to a terminal: printable ones and the space as they are,
/// all others escaped.
pub(super) fn push_visible(out: &mut String, c: char) {
    if c == ' ' || is_printable(c) {
        out.push(c);
    } else {
        out.extend(c.escape_default());
    }
}

/// What stands at a place of a text, in words: `` `x` ``, or the end of what.
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

/// A piece of a text for a message, in backquotes, cut short when long.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_printable_characters_is_there() {
        for c in ['a', '~', 'é', '牛', '\u{301}', '€', '１', '😀', '\u{FFFD}'] {
            assert!(is_printable(c), "{c:?}");
        }
        for c in [
            ' ', '\n', '\u{7f}', '\u{85}', '\u{a0}', '\u{ad}', '\u{200b}', '\u{202e}', '\u{2028}',
        ] {
            assert!(!is_printable(c), "{c:?}");
        }
    }
}
