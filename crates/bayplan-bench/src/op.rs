//! What is measured.

use std::str::FromStr;

use anyhow::{Result, bail};
use serde::{Serialize, Serializer};

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Create,
    Update,
    Delete,
    Get,
    GetFile,
    List,
    Headers,
    FilterFirst,
    FilterLabel,
    FilterId,
    FilterRegex,
    Reopen,
    ReopenUnchecked,
    ReopenToWrite,
    ReopenKilled,
    ReopenIdle,
    Verb,
    Threads,
    ThreadsApart,
    Processes,
    DiskLength,
    DiskBlocks,
    Memory,
}

/// What the figures of an operation are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// The time of a call; less is better.
    Time,
    /// Calls in a second, by all threads or processes; more is better.
    Throughput,
    /// Bytes of each container.
    BytesEach,
    /// Bytes.
    Bytes,
}

impl Op {
    /// All, in the order of the table.
    pub(crate) const ALL: [Self; 23] = [
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::Get,
        Self::GetFile,
        Self::List,
        Self::Headers,
        Self::FilterFirst,
        Self::FilterLabel,
        Self::FilterId,
        Self::FilterRegex,
        Self::Reopen,
        Self::ReopenUnchecked,
        Self::ReopenToWrite,
        Self::ReopenKilled,
        Self::ReopenIdle,
        Self::Verb,
        Self::Threads,
        Self::ThreadsApart,
        Self::Processes,
        Self::DiskLength,
        Self::DiskBlocks,
        Self::Memory,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update-label",
            Self::Delete => "delete",
            Self::Get => "get",
            Self::GetFile => "get-file",
            Self::List => "list",
            Self::Headers => "list-headers",
            Self::FilterFirst => "filter-label-first",
            Self::FilterLabel => "filter-label",
            Self::FilterId => "filter-id",
            Self::FilterRegex => "filter-regex",
            Self::Reopen => "reopen",
            Self::ReopenUnchecked => "reopen-unchecked",
            Self::ReopenToWrite => "reopen-unchecked-write",
            Self::ReopenKilled => "reopen-killed",
            Self::ReopenIdle => "reopen-killed-idle",
            Self::Verb => "verb",
            Self::Threads => "create-threads",
            Self::ThreadsApart => "create-threads-apart",
            Self::Processes => "create-processes",
            Self::DiskLength => "disk-length",
            Self::DiskBlocks => "disk-blocks",
            Self::Memory => "list-memory",
        }
    }

    pub(crate) fn unit(self) -> Unit {
        match self {
            Self::Threads | Self::ThreadsApart | Self::Processes => Unit::Throughput,
            Self::DiskLength | Self::DiskBlocks => Unit::BytesEach,
            Self::Memory => Unit::Bytes,
            _ => Unit::Time,
        }
    }

    /// With how many threads, or processes, it is measured.
    pub(crate) fn threads(self) -> &'static [usize] {
        match self {
            Self::Threads | Self::ThreadsApart => &[1, 8, 32],
            Self::Processes => &[4],
            _ => &[1],
        }
    }
}

impl FromStr for Op {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        match Self::ALL.into_iter().find(|op| op.name() == name) {
            Some(op) => Ok(op),
            None => bail!(
                "there is no operation {name:?}: they are {}",
                Self::ALL.map(Self::name).join(", ")
            ),
        }
    }
}

impl Serialize for Op {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
