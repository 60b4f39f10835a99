//! How much a store holds, and where the bytes of its file are.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::identifier::NamespaceName;
use crate::model::info::StoreId;
use crate::model::revision::Revision;

/// How much a store holds and where the bytes of its file are; see [`Db::stats`](crate::Db::stats).
///
/// Everything is measured in one snapshot, by walking the tables' pages, which works the same for
/// a store that is open for reading only. The length of the file is what the system says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Which store it is.
    pub id: StoreId,
    /// The version of the file's layout.
    pub format_version: u32,
    /// Every revision handed out so far is below this one. Up to 1,024 below it may never be.
    pub revisions_below: Revision,
    /// How many containers there are, also damaged ones, in all namespaces.
    pub containers_count: u64,
    /// How many records of other kinds there are, also damaged ones, in all namespaces.
    pub records_count: u64,
    /// The namespaces, in order; also those that records are under and that do not exist, which
    /// is damage.
    pub namespaces: Vec<NamespaceStats>,
    /// The tables, in the order of their names.
    pub tables: Vec<TableStats>,
    /// The length of the file; none for a store in memory.
    pub file_bytes: Option<u64>,
    /// Keys and values, of all tables.
    pub stored_bytes: u64,
    /// What finding them takes, of all tables: branch pages and the heads of pages.
    pub metadata_bytes: u64,
    /// Room in pages that are in use, of all tables. It is filled by what comes.
    pub fragmented_bytes: u64,
    /// The rest of the file; none for a store in memory. It is free pages, versions of pages that
    /// a snapshot may still need, and what redb keeps about itself (1 to 2 pages in a small file).
    /// New writes fill the free pages; [`Maintenance::compact`](crate::Maintenance::compact) gives them
    /// back to the file system.
    pub free_bytes: Option<u64>,
    /// About how much memory the records take that this process keeps there; 0 if it keeps none. See
    /// [`Builder::memory_bytes`](crate::Builder::memory_bytes).
    pub memory_bytes: u64,
}

impl Stats {
    /// How many bytes of the file are pages of its tables.
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
    /// How many containers it has, also damaged ones.
    pub containers_count: u64,
    /// How many records of each other kind it has, also damaged ones.
    pub records_counts: BTreeMap<String, u64>,
}

/// Where the bytes of one table are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TableStats {
    /// Its name; `docs/FORMAT.md` tells what is in it.
    pub name: String,
    /// How many keys it has: a container or record has one for itself, and up to three for its labels, its
    /// extensions, and its spec or value.
    pub keys_count: u64,
    /// How many pages are read to find a key.
    pub depth_pages: u32,
    /// Keys and values.
    pub stored_bytes: u64,
    /// Branch pages and the heads of pages.
    pub metadata_bytes: u64,
    /// Room in its pages.
    pub fragmented_bytes: u64,
}
