//! The choices made when a store is created: which fields may change, what an empty label means, and which processes
//! may open it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::error::Error;

/// Which fields of a container may change, chosen when a store is created or opened.
///
/// | field | `Strict` | `Containerd2` |
/// |---|---|---|
/// | labels, spec, extensions | mutable | mutable |
/// | image, snapshot key | immutable | mutable |
/// | runtime's name, snapshotter | immutable | immutable |
/// | runtime's options, sandbox id | immutable | kept, a difference is ignored |
///
/// "Immutable" means that a full update with a different value is an error that names the field, and that
/// no field path names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Rules {
    /// As documented by containerd's `containers` package: image and snapshot key are immutable, and an
    /// attempt to change an immutable field is always reported.
    #[default]
    Strict,
    /// As containerd 2.x behaves, and as its clients expect.
    Containerd2,
}

/// What a store's rules depend on, chosen when it is created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Which fields may change.
    pub rules: Rules,
    /// Whether a label with an empty value is kept. Otherwise it means "no label".
    pub keep_empty_labels: bool,
}

/// Which processes may have a store open at the same time; kept in its file
/// ([`Builder::share`](crate::Builder::share)).
///
/// | | `Nobody` | `Readers` | `Processes` |
/// |---|---|---|---|
/// | processes that write | 1 | 1 | any number |
/// | processes that read meanwhile | none | any number | any number |
/// | records kept in memory | yes | yes, by the writer | no |
/// | commit log | possible | no | no |
/// | a commit waits for | 1 sync | 2 syncs | 2 syncs, and its turn among the processes |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Share {
    /// One process has the store to itself. The fastest.
    #[default]
    Nobody,
    /// One process writes. Others may read what it has committed.
    Readers,
    /// Any number of processes read and write: for runtimes that are a process per command, or a daemon and a
    /// program beside it.
    Processes,
}

impl Share {
    /// All values.
    pub const ALL: [Self; 3] = [Self::Nobody, Self::Readers, Self::Processes];

    /// Returns its name, in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Readers => "readers",
            Self::Processes => "processes",
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Share {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|share| share.as_str() == text);
        found.ok_or_else(|| {
            Error::invalid(format!(
                "{text:?} does not say who may open a store: expected nobody, readers or processes"
            ))
        })
    }
}
