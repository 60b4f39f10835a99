//! The revisions that an open store hands out, each of them once, even if the transaction fails.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::error::{Error, Result};
use crate::model::revision::Revision;

/// How many revisions are reserved in the file at a time.
///
/// The highest revision handed out is not written with every commit, which would cost one more page each time. The file
/// holds an upper bound, which moves ahead by this many once it is reached. So reopening skips up to this many
/// revisions, and never repeats one.
pub(crate) const REVISION_BLOCK: u64 = 1024;

/// The revisions of an open store.
pub(crate) struct Revisions {
    /// The next one to hand out.
    next: AtomicU64,
    /// Those below this one are reserved in the file.
    reserved: AtomicU64,
    /// How many are reserved at a time.
    block: u64,
}

impl Revisions {
    /// Continues a file in which all revisions below this one are reserved.
    pub(crate) fn new(reserved: u64) -> Self {
        Self {
            next: AtomicU64::new(reserved.max(1)),
            reserved: AtomicU64::new(reserved),
            block: REVISION_BLOCK,
        }
    }

    /// Hands out revisions among other processes: the file holds the next one.
    pub(crate) fn among_processes(self) -> Self {
        Self { block: 1, ..self }
    }

    /// Continues at this revision: the file says that all below it were handed out.
    pub(crate) fn resume(&self, reserved: u64) {
        self.next.fetch_max(reserved, Ordering::AcqRel);
        self.reserved.store(reserved, Ordering::Release);
    }

    /// Returns the next revision, which is never handed out again, and the new bound that the file must hold, if the
    /// bound moves.
    pub(crate) fn next(&self, reserved_in_txn: u64) -> Result<(Revision, Option<u64>)> {
        // There is one writer at a time.
        let revision = self.next.load(Ordering::Acquire);
        let after = revision.checked_add(1);
        let bound = revision.checked_add(self.block);
        let (Some(after), Some(bound)) = (after, bound) else {
            return Err(Error::precondition("the store has used up its revisions"));
        };
        self.next.store(after, Ordering::Release);
        let reserved = self.reserved.load(Ordering::Acquire).max(reserved_in_txn);
        Ok((
            Revision::new(revision),
            (revision >= reserved).then_some(bound),
        ))
    }

    /// Called when a transaction that moved the bound is committed.
    pub(crate) fn reserve_below(&self, bound: u64) {
        self.reserved.fetch_max(bound, Ordering::AcqRel);
    }
}
