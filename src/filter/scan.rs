//! A cursor over a text, used to read filters, quotes and regular expressions.

/// A text and a position in it. No step fails: at the end, a step takes nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan<'a> {
    text: &'a str,
    /// The text from the place on.
    rest: &'a str,
}

impl<'a> Scan<'a> {
    /// A cursor at the beginning of a text.
    pub(super) fn new(text: &'a str) -> Scan<'a> {
        Scan { text, rest: text }
    }

    /// The place, as a byte offset into the text.
    pub(super) fn at(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    /// What is left of the text.
    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    /// Returns the next character without taking it.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Takes the next character.
    pub(super) fn bump(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next();
        self.rest = chars.as_str();
        c
    }

    /// Takes a prefix, if the rest begins with it.
    pub(super) fn eat(&mut self, prefix: &str) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes the characters for which `keep` holds, possibly none.
    pub(super) fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let left = self.rest.trim_start_matches(keep);
        let taken = self
            .rest
            .get(..self.rest.len() - left.len())
            .unwrap_or_default();
        self.rest = left;
        taken
    }

    /// Takes everything before `end`, and `end` itself. Takes nothing if `end` does not follow.
    pub(super) fn take_until(&mut self, end: &str) -> Option<&'a str> {
        let (taken, left) = self.rest.split_once(end)?;
        self.rest = left;
        Some(taken)
    }

    /// Takes the rest.
    pub(super) fn take_all(&mut self) -> &'a str {
        self.take_while(|_| true)
    }
}
