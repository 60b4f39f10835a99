//! How much a store holds, and what takes space in its file.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::identifier::NamespaceName;
use crate::model::info::StoreId;
use crate::model::revision::Revision;

/// How much a store holds, and what takes space in its file; see [`Db::stats`](crate::Db::stats).
///
/// Everything is measured in one snapshot, by walking the pages of the tables. The length of the file is
/// what the system reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// The id of the store.
    pub id: StoreId,
    /// The version of the file's layout.
    pub format_version: u32,
    /// Every revision handed out so far is below this one. Up to 1,024 revisions below it may never be used.
    pub revisions_below: Revision,
    /// How many containers there are in all namespaces, damaged ones included.
    pub containers_count: u64,
    /// How many records of other kinds there are in all namespaces, damaged ones included.
    pub records_count: u64,
    /// The namespaces, in order. A namespace that has records but does not exist is damage; it is listed here too.
    pub namespaces: Vec<NamespaceStats>,
    /// The tables, in the order of their names.
    pub tables: Vec<TableStats>,
    /// The length of the file; `None` for a store in memory.
    pub file_bytes: Option<u64>,
    /// The bytes of keys and values, in all tables.
    pub stored_bytes: u64,
    /// The bytes of the structure that finds them, in all tables: branch pages and the heads of pages.
    pub metadata_bytes: u64,
    /// Unused space in pages that are in use, in all tables. Later writes fill it.
    pub fragmented_bytes: u64,
    /// The rest of the file; `None` for a store in memory. It consists of free pages, old versions of pages
    /// that a snapshot may still need, and redb's own data (1 to 2 pages in a small file). New writes fill
    /// the free pages; [`Maintenance::compact`](crate::Maintenance::compact) gives them back to the file
    /// system.
    pub free_bytes: Option<u64>,
    /// For how many milliseconds this process has held its oldest snapshot, apart from those of the last commit: a
    /// [`ReadTxn`](crate::ReadTxn) or an iterator. `None` if it holds no older one. The file keeps every page that such
    /// a snapshot needs, and grows as long as commits are made.
    pub oldest_snapshot_ms: Option<u64>,
    /// About how many bytes of memory this process uses to keep records; 0 if it keeps none. See
    /// [`Builder::memory_bytes`](crate::Builder::memory_bytes).
    pub memory_bytes: u64,
}

impl Stats {
    /// Returns how many bytes of the file are pages of its tables.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.stored_bytes + self.metadata_bytes + self.fragmented_bytes
    }
}

/// How much one namespace holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NamespaceStats {
    /// Its name.
    pub name: NamespaceName,
    /// How many containers it has, damaged ones included.
    pub containers_count: u64,
    /// How many records of each other kind it has, damaged ones included.
    pub records_counts: BTreeMap<String, u64>,
}

/// What takes space in one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TableStats {
    /// Its name; see `docs/FORMAT.md`.
    pub name: String,
    /// How many keys it has. A container or record has one for itself, and up to three for its labels, its
    /// extensions, and its spec or value.
    pub keys_count: u64,
    /// How many pages are read to find a key.
    pub depth_pages: u32,
    /// The bytes of keys and values.
    pub stored_bytes: u64,
    /// The bytes of branch pages and the heads of pages.
    pub metadata_bytes: u64,
    /// Unused space in its pages.
    pub fragmented_bytes: u64,
}
