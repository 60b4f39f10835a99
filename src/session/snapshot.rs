//! The store as a commit left it.

use redb::{ReadOnlyTable, ReadTransaction};

use crate::model::error::{Error, Result};
use crate::records::keys::{self, meta};
use crate::records::seal::unseal_number;
use crate::redb_file::fault::OrFault;

type Table = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// A read transaction of redb, with the table that nearly everybody reads.
pub(crate) struct Snapshot {
    pub(crate) records: Table,
    pub(crate) txn: ReadTransaction,
    /// The version of the index that answers for it; none if no index does.
    pub(crate) version: Option<u64>,
}

impl Snapshot {
    pub(crate) fn of(txn: ReadTransaction, version: Option<u64>) -> Result<Self> {
        Ok(Self {
            records: txn.open_table(keys::RECORDS).or_fault()?,
            txn,
            version,
        })
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
