//! The store as a commit left it.

use std::sync::OnceLock;

use redb::{ReadOnlyTable, ReadTransaction};

use crate::model::error::{Error, Result};
use crate::query::{Memory, Records};
use crate::records::keys::{self, meta};
use crate::records::seal::unseal_number;
use crate::redb_file::fault::OrFault;

type Table = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// A read transaction of redb, with the table that nearly everybody reads.
pub(crate) struct Snapshot {
    pub(crate) records: Table,
    pub(crate) txn: ReadTransaction,
    /// The same records in memory, once they are loaded.
    memory: OnceLock<Memory>,
}

impl Snapshot {
    pub(crate) fn of(txn: ReadTransaction) -> Result<Self> {
        Ok(Self {
            records: txn.open_table(keys::RECORDS).or_fault()?,
            txn,
            memory: OnceLock::new(),
        })
    }

    /// Its records in memory, if they are loaded.
    pub(crate) fn memory(&self) -> Option<&Memory> {
        self.memory.get()
    }

    /// Keeps its records in memory, which are these.
    pub(crate) fn keep(&self, memory: Memory) {
        let _ = self.memory.set(memory);
    }

    /// Its records, from memory if they are loaded.
    pub(crate) fn kept(&self) -> Records<'_, Table> {
        Records {
            table: &self.records,
            memory: self.memory(),
        }
    }

    /// Its records, as the file has them.
    pub(crate) fn stored(&self) -> Records<'_, Table> {
        Records::of(&self.records)
    }

    pub(crate) fn namespaces(&self) -> Result<Table> {
        self.txn.open_table(keys::NAMESPACES).or_fault()
    }
}
/// The bound of the revisions, as the file has it.
pub(crate) fn revisions_below(txn: &ReadTransaction) -> Result<u64> {
    let table = txn.open_table(keys::META).or_fault()?;
    match table.get(meta::REVISION).or_fault()? {
        Some(value) => unseal_number(meta::REVISION, value.value()),
        None => Err(Error::corrupt("the store's revision is missing")),
    }
}
