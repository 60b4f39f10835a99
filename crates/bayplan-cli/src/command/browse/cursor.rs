//! A place in a list that is longer than its window.

use std::ops::Range;

/// The selected line, and the first one that is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cursor {
    selected: usize,
    first: usize,
    /// How many lines the window had when it was shown last.
    height: usize,
}

/// How a key moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Move {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
}

impl Cursor {
    pub(super) fn selected(self) -> usize {
        self.selected
    }

    pub(super) fn select(&mut self, line: usize) {
        self.selected = line;
    }

    pub(super) fn go(&mut self, by: Move, length: usize) {
        let page = self.height.saturating_sub(1).max(1);
        let selected = match by {
            Move::Up => self.selected.saturating_sub(1),
            Move::Down => self.selected.saturating_add(1),
            Move::PageUp => self.selected.saturating_sub(page),
            Move::PageDown => self.selected.saturating_add(page),
            Move::First => 0,
            Move::Last => length,
        };
        self.selected = selected.min(length.saturating_sub(1));
    }

    /// The lines to show in a window of this height, so that the selected one is among them.
    pub(super) fn window(&mut self, length: usize, height: usize) -> Range<usize> {
        self.height = height;
        self.selected = self.selected.min(length.saturating_sub(1));
        let least = (self.selected + 1).saturating_sub(height);
        self.first = self.first.clamp(least, self.selected.max(least));
        // A list that became shorter leaves no gap.
        self.first = self.first.min(length.saturating_sub(height));
        self.first..length.min(self.first + height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selected_line_is_always_in_the_window() {
        let mut cursor = Cursor::default();
        assert_eq!(cursor.window(0, 10), 0..0);
        assert_eq!(cursor.window(100, 10), 0..10);
        cursor.go(Move::PageDown, 100);
        assert_eq!((cursor.selected(), cursor.window(100, 10)), (9, 0..10));
        cursor.go(Move::Down, 100);
        assert_eq!((cursor.selected(), cursor.window(100, 10)), (10, 1..11));
        cursor.go(Move::Last, 100);
        assert_eq!((cursor.selected(), cursor.window(100, 10)), (99, 90..100));
        cursor.go(Move::Up, 100);
        assert_eq!(cursor.window(100, 10), 90..100);
        // The window and the list become smaller.
        assert_eq!(cursor.window(100, 3), 96..99);
        assert_eq!((cursor.window(4, 3), cursor.selected()), (1..4, 3));
        assert_eq!(cursor.window(4, 0), 4..4);
        cursor.go(Move::First, 4);
        assert_eq!(cursor.window(4, 10), 0..4);
        cursor.go(Move::Up, 0);
        assert_eq!(cursor.selected(), 0);
    }
}
