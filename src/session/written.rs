//! A table open for writing: in a transaction of redb, or on top of a snapshot, for the log.

use std::cell::{RefCell, RefMut};
use std::ops::RangeBounds;
use std::sync::Arc;

use redb::{ReadableTableMetadata, WriteTransaction};

use crate::model::error::{Error, Result};
use crate::query::{Layer, LayerTable, Layered, Rows, Slice, Table};
use crate::records::keys::{TableCode, Writable};
use crate::redb_file::fault::OrFault;
use crate::session::log::Next;
use crate::session::log::changes::RowChanges;
use crate::session::process::Own;
use crate::session::snapshot::Snapshot;

/// A transaction that is to be committed through the log: a snapshot, and what is written on top of it.
pub(crate) struct Unlogged {
    snapshot: Arc<Own<Snapshot>>,
    tables: [RefCell<LayerTable>; TableCode::ALL.len()],
    /// The rows, as the log has them.
    changes: RefCell<RowChanges>,
    /// The number of the commit that it will be.
    commit: u64,
}

impl Unlogged {
    /// Begins the transaction that comes after what this snapshot shows. `room_bytes` is the most that fits into the log.
    ///
    /// # Errors
    ///
    /// `FailedPrecondition` if the snapshot lacks commits that the log has, which cannot happen.
    pub(crate) fn on(snapshot: Arc<Own<Snapshot>>, next: Next) -> Result<Self> {
        let layer = snapshot.contents().layer();
        if next
            .commit
            .checked_sub(1)
            .is_some_and(|last| last != layer.commit())
        {
            let what = "what was committed last is not known: open the store again";
            return Err(Error::precondition(what));
        }
        let tables = TableCode::ALL.map(|code| LayerTable::clone(layer.table(code)));
        Ok(Self {
            tables: tables.map(RefCell::new),
            changes: RefCell::new(RowChanges::up_to(next.room_bytes)),
            commit: next.commit,
            snapshot,
        })
    }

    fn open(&self, code: TableCode) -> Result<OnTop<'_>> {
        let table = self.tables.get(code.place());
        let layer = table.and_then(|table| table.try_borrow_mut().ok());
        Ok(OnTop {
            table: Layered {
                stored: self.snapshot.contents().stored(code)?,
                layer: layer.ok_or_else(|| Error::precondition("the table is in use already"))?,
            },
            code,
            changes: &self.changes,
            commit: self.commit,
        })
    }

    /// Returns its rows for the log, and everything on top of the file with them.
    pub(crate) fn finish(self) -> (RowChanges, Layer) {
        let tables = self.tables.map(RefCell::into_inner);
        (self.changes.into_inner(), Layer::new(tables, self.commit))
    }
}

/// A transaction that has begun.
pub(crate) enum Begun {
    /// By redb.
    Stored(Box<WriteTransaction>),
    /// For the log.
    Unlogged(Box<Unlogged>),
}

impl Begun {
    /// Opens a table to read and write.
    pub(crate) fn open(&self, code: TableCode) -> Result<Written<'_>> {
        match self {
            Self::Stored(txn) => Written::open(txn, code),
            Self::Unlogged(unlogged) => unlogged.open(code).map(Written::OnTop),
        }
    }

    /// Rolls it back.
    pub(crate) fn abort(self) -> Result<()> {
        match self {
            Self::Stored(txn) => txn.abort().or_fault(),
            Self::Unlogged(_) => Ok(()),
        }
    }
}

/// A table open for writing.
pub(crate) enum Written<'t> {
    Stored(Writable<'t>),
    OnTop(OnTop<'t>),
}

/// A table of a snapshot, with what is written on top of it.
pub(crate) struct OnTop<'t> {
    table: Layered<RefMut<'t, LayerTable>>,
    code: TableCode,
    changes: &'t RefCell<RowChanges>,
    commit: u64,
}

impl OnTop<'_> {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.table.layer.put(key, Some(value), self.commit);
        self.changes.borrow_mut().put(self.code, key, value);
    }

    fn remove(&mut self, key: &[u8]) {
        self.table.layer.put(key, None, self.commit);
        self.changes.borrow_mut().remove(self.code, key);
    }
}

impl<'t> Written<'t> {
    /// Opens a table in a transaction of redb.
    pub(crate) fn open(txn: &'t WriteTransaction, code: TableCode) -> Result<Self> {
        txn.open_table(code.table()).or_fault().map(Self::Stored)
    }

    pub(crate) fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        match self {
            Self::Stored(table) => table.insert(key, value).or_fault().map(drop),
            Self::OnTop(table) => {
                table.put(key, value);
                Ok(())
            }
        }
    }

    /// Writes a row under a key that has none.
    pub(crate) fn put_new(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        if let Self::OnTop(table) = self {
            table.table.layer.count(1);
        }
        self.put(key, value)
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> Result<()> {
        match self {
            Self::Stored(table) => table.remove(key).or_fault().map(drop),
            Self::OnTop(table) => {
                table.remove(key);
                Ok(())
            }
        }
    }

    /// Removes all rows from one key up to another one.
    pub(crate) fn remove_all(&mut self, from: &[u8], to: &[u8]) -> Result<()> {
        match self {
            Self::Stored(table) => table.retain_in(from..to, |_, _| false).or_fault(),
            Self::OnTop(table) => {
                let mut keys: Vec<Vec<u8>> = Vec::new();
                for row in table.table.rows(from..to)? {
                    keys.push(row?.0.value().to_vec());
                }
                for key in keys {
                    table.remove(&key);
                    table.table.layer.count(-1);
                }
                Ok(())
            }
        }
    }

    /// Returns how many rows a table has that is only written by [`Written::put_new`] and [`Written::remove_all`].
    pub(crate) fn counted(&self) -> Result<u64> {
        match self {
            Self::Stored(table) => table.len().or_fault(),
            Self::OnTop(table) => {
                let stored = table.table.stored.len().or_fault()?;
                Ok(stored.saturating_add_signed(table.table.layer.change()))
            }
        }
    }
}

impl Table for Written<'_> {
    fn row(&self, key: &[u8]) -> Result<Option<Slice<'_>>> {
        match self {
            Self::Stored(table) => table.row(key),
            Self::OnTop(table) => table.table.row(key),
        }
    }

    fn rows<'k>(&self, keys: impl RangeBounds<&'k [u8]>) -> Result<Rows<'_>> {
        match self {
            Self::Stored(table) => table.rows(keys),
            Self::OnTop(table) => table.table.rows(keys),
        }
    }

    fn last_key(&self) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Stored(table) => table.last_key(),
            Self::OnTop(table) => table.table.last_key(),
        }
    }

    fn rows_count(&self) -> Result<u64> {
        match self {
            Self::Stored(table) => table.rows_count(),
            Self::OnTop(table) => table.table.rows_count(),
        }
    }
}
