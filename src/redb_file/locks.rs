//! The bytes that processes lock in a file that they share.
//!
//! They lie after the end of any file. redb leaves a few of them to its callers (its design document, "Locking
//! protocol"); three of those are ours.

use std::fs::File;
use std::ops::Bound;

use redb::StorageBackend;
use redb::backends::FileBackend;

use crate::model::error::Result;
use crate::redb_file::fault::OrFault;

/// Where redb's bytes begin.
const BASE: u64 = 1 << 62;

/// redb's "consistent byte": a writing process holds it from the end of its opening until it closes.
const WRITER_LIVES: u64 = BASE + 4;

/// The first of redb's bytes that are free for others.
const FREE: u64 = BASE + 896;

/// A byte of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Byte {
    /// A process that waits to open the file for writing holds it. One that opens the file for reading waits a while
    /// for it, and does not take it.
    Opening,
    /// Processes that wait for their turn to write share it.
    Waiting,
    /// A process that opens a file that several processes write holds it until the file is open.
    Joining,
}

impl Byte {
    fn range(self) -> (Bound<u64>, Bound<u64>) {
        range(match self {
            Self::Opening => FREE,
            Self::Waiting => FREE + 1,
            Self::Joining => FREE + 2,
        })
    }
}

fn range(at: u64) -> (Bound<u64>, Bound<u64>) {
    (Bound::Included(at), Bound::Included(at))
}

/// Locks bytes of a file. Closing the file releases them.
#[derive(Debug)]
pub(crate) struct Locks(FileBackend);

impl Locks {
    /// redb's writer byte: if several processes write, a process holds it during a write transaction.
    pub(crate) const WRITES: u64 = BASE;

    /// Creates the locks of a file that was opened for them: locks belong to an open file.
    pub(crate) fn of(file: File) -> Result<Self> {
        FileBackend::new(file).or_fault().map(Self)
    }

    /// Takes a byte if no other process has it.
    pub(crate) fn take(&self, byte: Byte) -> Result<bool> {
        let (from, to) = byte.range();
        self.0.try_lock_range(from, to).or_fault()
    }

    /// Shares a byte unless another process has taken it for itself.
    pub(crate) fn share(&self, byte: Byte) -> Result<bool> {
        let (from, to) = byte.range();
        self.0.try_lock_shared_range(from, to).or_fault()
    }

    pub(crate) fn give_up(&self, byte: Byte) -> Result<()> {
        let (from, to) = byte.range();
        self.0.unlock_range(from, to).or_fault()
    }

    /// Whether another process has the byte, or shares it.
    pub(crate) fn is_taken(&self, byte: Byte) -> Result<bool> {
        let (from, to) = byte.range();
        self.0.query_lock_range(from, to).or_fault()
    }

    /// Whether another process has a write transaction.
    pub(crate) fn is_written(&self) -> Result<bool> {
        let (from, to) = range(Self::WRITES);
        self.0.query_lock_range(from, to).or_fault()
    }

    /// Whether a process has the file open for writing, in a mode that lets others open it.
    pub(crate) fn has_writer(&self) -> Result<bool> {
        let (from, to) = range(WRITER_LIVES);
        self.0.query_lock_range(from, to).or_fault()
    }
}
