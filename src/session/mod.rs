//! An open store: creating and opening its file, its snapshots and the records kept in memory,
//! the one writer, transactions, group commit.
//!
//! This room uses all rooms above it. It never decides what a change means: `update` does.

pub(crate) mod commit;
pub(crate) mod entity;
pub(crate) mod feed;
pub(crate) mod file;
pub(crate) mod holder;
pub(crate) mod joining;
pub(crate) mod log;
pub(crate) mod memory;
pub(crate) mod migrate;
pub(crate) mod namespaces;
pub(crate) mod new_file;
pub(crate) mod opened;
pub(crate) mod place;
pub(crate) mod process;
pub(crate) mod revisions;
pub(crate) mod rows;
pub(crate) mod settings;
pub(crate) mod shared;
pub(crate) mod sharing;
pub(crate) mod snapshot;
pub(crate) mod tombstones;
pub(crate) mod turn;
pub(crate) mod txn;
pub(crate) mod written;
