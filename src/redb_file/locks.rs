//! The bytes that processes lock in a file that they share.
//!
//! They lie behind the end of any file. redb keeps a few there for what it does not know (its design document,
//! "Locking protocol"); three of them are ours.

use std::fs::File;
use std::ops::Bound;

use redb::StorageBackend;
use redb::backends::FileBackend;

use crate::model::error::Result;
use crate::redb_file::fault::OrFault;

/// Where redb's bytes begin.
const BASE: u64 = 1 << 62;

/// redb's "consistent byte": a process that writes holds it, from when its opening is done until it closes.
const WRITER_LIVES: u64 = BASE + 4;

/// The first of redb's bytes that are free for others.
const FREE: u64 = BASE + 896;

/// A byte of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Byte {
    /// Whoever opens the file for writing holds it while it waits to. Who opens it for reading passes by.
    Opening,
    /// Whoever waits for its turn to write shares it.
    Waiting,
    /// Whoever opens a file that several processes write holds it until the file is open.
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

/// Locks bytes of a file. Closing the file gives them up.
#[derive(Debug)]
pub(crate) struct Locks(FileBackend);

impl Locks {
    /// redb's writer byte: a process holds it during a write transaction, where several write.
    pub(crate) const WRITES: u64 = BASE;

    /// Of a file that was opened for this: locks belong to an open file.
    pub(crate) fn of(file: File) -> Result<Self> {
        FileBackend::new(file).or_fault().map(Self)
    }

    /// Takes a byte if nobody has it.
    pub(crate) fn take(&self, byte: Byte) -> Result<bool> {
        let (from, to) = byte.range();
        self.0.try_lock_range(from, to).or_fault()
    }

    /// Takes a byte if nobody has it to themselves.
    pub(crate) fn share(&self, byte: Byte) -> Result<bool> {
        let (from, to) = byte.range();
        self.0.try_lock_shared_range(from, to).or_fault()
    }

    pub(crate) fn give_up(&self, byte: Byte) -> Result<()> {
        let (from, to) = byte.range();
        self.0.unlock_range(from, to).or_fault()
    }

    /// Whether another has it, or shares it.
    pub(crate) fn is_taken(&self, byte: Byte) -> Result<bool> {
        let (from, to) = byte.range();
        self.0.query_lock_range(from, to).or_fault()
    }

    /// Whether another process is in a write transaction, where several write.
    pub(crate) fn is_writing(&self) -> Result<bool> {
        let (from, to) = range(Self::WRITES);
        self.0.query_lock_range(from, to).or_fault()
    }

    /// Whether a process has the file open for writing, in a way that lets others in.
    pub(crate) fn has_writer(&self) -> Result<bool> {
        let (from, to) = range(WRITER_LIVES);
        self.0.query_lock_range(from, to).or_fault()
    }
}
