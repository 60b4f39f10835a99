//! How far an operation over a whole store has come.

/// How far an operation over a whole store has come; passed to its callback every now and then,
/// and once at its end.
///
/// The operation's documentation says what it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// How many are done.
    pub done: u64,
    /// How many there are, if that is known beforehand.
    pub total: Option<u64>,
}

impl Progress {
    /// `done` of `total`.
    pub(crate) fn new(done: u64, total: Option<u64>) -> Self {
        Self { done, total }
    }
}
