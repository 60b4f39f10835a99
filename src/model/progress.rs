//! The progress of an operation on a whole store.

/// The progress of an operation on a whole store. The callback is called from time to time, and once at the end.
///
/// The operation's documentation says what it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// How many units are done.
    pub done: u64,
    /// How many units there are, if known in advance.
    pub total: Option<u64>,
}

impl Progress {
    /// `done` of `total`.
    pub(crate) fn new(done: u64, total: Option<u64>) -> Self {
        Self { done, total }
    }
}
