//! Shows a text with a caret under one place, for errors in filters and field paths.

use std::fmt;
use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

/// The widest excerpt of a text, in characters.
const EXCERPT_MAX_COLUMNS: usize = 80;

/// How many characters of a long filter are shown after the place, at least.
const EXCERPT_AFTER_COLUMNS: usize = 28;

/// The part of a text around a place, safe for a terminal, with a caret under the place.
pub(crate) struct Excerpt {
    line: String,
    /// The column of the caret in the line, from 1.
    caret: usize,
}

impl Excerpt {
    /// Returns the part of `text` around the byte `at`.
    pub(crate) fn new(text: &str, at: usize) -> Self {
        let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
        let room = EXCERPT_MAX_COLUMNS - 2; // the marks of what was cut
        let after_want = visible(after.chars(), room).columns;
        let head = visible(
            before.chars().rev(),
            room - after_want.min(EXCERPT_AFTER_COLUMNS),
        );
        let tail = visible(after.chars(), room - head.columns);

        let mut line = String::new();
        if head.cut {
            line.push('…');
        }
        line.extend(head.pieces.iter().rev().map(String::as_str));
        let caret = line.chars().count() + 1;
        line.extend(tail.pieces.iter().map(String::as_str));
        if tail.cut {
            line.push('…');
        }
        Self { line, caret }
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {}\n  {:>caret$}", self.line, '^', caret = self.caret)
    }
}

/// Characters as shown, in the given order.
struct Visible {
    pieces: Vec<String>,
    columns: usize,
    /// Whether some did not fit.
    cut: bool,
}

/// Returns as many characters, made visible, as fit into `room` columns.
fn visible(chars: impl Iterator<Item = char>, room: usize) -> Visible {
    let mut shown = Visible {
        pieces: Vec::new(),
        columns: 0,
        cut: false,
    };
    for c in chars {
        let mut piece = String::new();
        push_visible(&mut piece, c);
        let columns = shown.columns + piece.chars().count();
        if columns > room {
            shown.cut = true;
            break;
        }
        shown.columns = columns;
        shown.pieces.push(piece);
    }
    shown
}

/// Whether a character is visible: a letter, mark, number, punctuation or symbol. Spaces, controls, format characters
/// (which may reorder a line), private and unassigned characters are not printable.
pub(crate) fn is_printable(c: char) -> bool {
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

/// Appends a character in a form that is safe on a terminal: printable characters and the space unchanged, all others
/// escaped.
pub(crate) fn push_visible(out: &mut String, c: char) {
    if c == ' ' || is_printable(c) {
        out.push(c);
    } else {
        out.extend(c.escape_default());
    }
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

    #[track_caller]
    fn shows(text: &str, at: usize, expected: &str) {
        assert_eq!(Excerpt::new(text, at).to_string(), expected);
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
        let (head, tail) = ("a".repeat(50), "b".repeat(27));
        shows(
            &text,
            100,
            &format!("  …{head}X{tail}…\n{}^", " ".repeat(53)),
        );
    }
}
