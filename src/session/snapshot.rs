//! The store as a commit left it, and the latest of these snapshots, which all readers share.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use redb::{ReadTransaction, WriteTransaction};

use crate::model::error::{Error, Result};
use crate::query::{Layer, Layered, Memory, Records, StoredTable, Table};
use crate::records::keys::{self, TableCode, meta};
use crate::records::seal::unseal_number;
use crate::redb_file::fault::OrFault;
use crate::session::process::Own;

/// A read transaction of redb, with the tables that were read.
struct Base {
    txn: ReadTransaction,
    tables: [OnceLock<Arc<StoredTable>>; TableCode::ALL.len()],
}

/// What a store holds: the tables of the file as a read transaction of redb sees them, with a layer on top.
#[derive(Clone)]
pub(crate) struct Contents {
    base: Arc<Base>,
    layer: Layer,
}

impl Contents {
    pub(crate) fn of(txn: ReadTransaction) -> Self {
        Self {
            base: Arc::new(Base {
                txn,
                tables: Default::default(),
            }),
            layer: Layer::default(),
        }
    }

    /// Returns the same tables of the file with this layer on top.
    pub(crate) fn with_layer(&self, layer: Layer) -> Self {
        Self {
            base: Arc::clone(&self.base),
            layer,
        }
    }

    pub(crate) fn layer(&self) -> &Layer {
        &self.layer
    }

    #[cfg(test)]
    pub(crate) fn transaction(&self) -> &ReadTransaction {
        &self.base.txn
    }

    /// Returns a table of the file.
    pub(crate) fn stored(&self, code: TableCode) -> Result<Arc<StoredTable>> {
        let opened = self.base.tables.get(code.place());
        if let Some(table) = opened.and_then(OnceLock::get) {
            return Ok(Arc::clone(table));
        }
        let table = Arc::new(self.base.txn.open_table(code.table()).or_fault()?);
        Ok(match opened {
            Some(opened) => Arc::clone(opened.get_or_init(|| table)),
            None => table,
        })
    }

    /// Returns a table.
    pub(crate) fn table(&self, code: TableCode) -> Result<Layered> {
        Ok(Layered {
            stored: self.stored(code)?,
            layer: Arc::clone(self.layer.table(code)),
        })
    }
}

/// What a store holds, with the table that nearly every read uses.
pub(crate) struct Snapshot {
    pub(crate) records: Layered,
    contents: Contents,
    /// The same records in memory, once they are loaded.
    memory: OnceLock<Memory>,
}

impl Snapshot {
    pub(crate) fn of(contents: Contents) -> Result<Self> {
        Ok(Self {
            records: contents.table(TableCode::Records)?,
            contents,
            memory: OnceLock::new(),
        })
    }

    pub(crate) fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Returns its records in memory, if they are loaded.
    pub(crate) fn memory(&self) -> Option<&Memory> {
        self.memory.get()
    }

    /// Keeps these records in memory.
    pub(crate) fn keep(&self, memory: Memory) {
        let _ = self.memory.set(memory);
    }

    /// Returns its records, from memory if they are loaded.
    pub(crate) fn kept(&self) -> Records<'_, Layered> {
        Records {
            table: &self.records,
            memory: self.memory(),
        }
    }

    /// Returns its records without those in memory.
    pub(crate) fn stored(&self) -> Records<'_, Layered> {
        Records::of(&self.records)
    }
}

/// The snapshot of the last commit, for all readers; empty until the first reader.
///
/// Keeping it until the next commit keeps redb from freeing the pages that a commit replaces right away, in a second
/// commit that is not synced: they are freed with the next one. Measured: creates are 2 to 11 % faster. And while redb
/// holds pages that are not synced, each read that misses its cache looks for them in 131 places: reads of a store
/// larger than the cache take 35 to 46 % less time.
#[derive(Default)]
pub(crate) struct Latest(Mutex<Option<Arc<Own<Snapshot>>>>);

impl Latest {
    /// Returns the snapshot, if there is one.
    pub(crate) fn get(&self) -> Option<Arc<Own<Snapshot>>> {
        self.lock().clone()
    }

    /// Returns the snapshot, or takes it now. Others wait for it.
    pub(crate) fn get_or_take(
        &self,
        take: impl FnOnce() -> Result<Arc<Own<Snapshot>>>,
    ) -> Result<Arc<Own<Snapshot>>> {
        let mut latest = self.lock();
        if let Some(snapshot) = &*latest {
            return Ok(Arc::clone(snapshot));
        }
        let snapshot = take()?;
        *latest = Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// Publishes a snapshot. Returns the one before, to be dropped when no thread waits for a lock.
    #[must_use]
    pub(crate) fn replace(&self, new: Option<Arc<Own<Snapshot>>>) -> Option<Arc<Own<Snapshot>>> {
        std::mem::replace(&mut *self.lock(), new)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Own<Snapshot>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which snapshots are held, and since when: the file keeps every page that they need.
#[derive(Default)]
pub(crate) struct Held(Mutex<Vec<(Instant, Weak<Own<Snapshot>>)>>);

impl Held {
    /// Notes a new snapshot.
    pub(crate) fn add(&self, snapshot: &Arc<Own<Snapshot>>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, held)| held.strong_count() > 0);
        all.push((Instant::now(), Arc::downgrade(snapshot)));
    }

    /// Returns how long the oldest one has been held, except for these.
    pub(crate) fn oldest(&self, except: &[&Arc<Own<Snapshot>>]) -> Option<Duration> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut held = all.iter().filter(|(_, held)| {
            let is_excepted = |other: &&Arc<_>| held.as_ptr() == Arc::as_ptr(other);
            held.strong_count() > 0 && !except.iter().any(is_excepted)
        });
        held.next().map(|(since, _)| since.elapsed())
    }
}

/// Returns the bound of the revisions.
pub(crate) fn revisions_below(contents: &Contents) -> Result<u64> {
    bound_in(&contents.table(TableCode::Meta)?)
}

/// Returns the bound of the revisions, as a write transaction sees it.
pub(crate) fn revisions_below_in(txn: &WriteTransaction) -> Result<u64> {
    bound_in(&txn.open_table(keys::META).or_fault()?)
}

fn bound_in(table: &impl Table) -> Result<u64> {
    match table.row(meta::REVISION)? {
        Some(value) => unseal_number(meta::REVISION, value.value()),
        None => Err(Error::corrupt("the store's revision is missing")),
    }
}
