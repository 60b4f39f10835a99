//! The store as a commit left it.

use redb::{ReadOnlyTable, ReadTransaction};

use crate::engine::fault::OrFault;
use crate::error::Result;
use crate::schema;

type Table = ReadOnlyTable<schema::Bytes, schema::Bytes>;

/// A read transaction of redb, with the table that nearly everybody reads.
pub(crate) struct Snapshot {
    pub(crate) containers: Table,
    pub(crate) txn: ReadTransaction,
    /// The version of the index that answers for it; none if no index does.
    pub(crate) version: Option<u64>,
}

impl Snapshot {
    pub(crate) fn of(txn: ReadTransaction, version: Option<u64>) -> Result<Self> {
        Ok(Self {
            containers: txn.open_table(schema::CONTAINERS).or_fault()?,
            txn,
            version,
        })
    }

    pub(crate) fn namespaces(&self) -> Result<Table> {
        self.txn.open_table(schema::NAMESPACES).or_fault()
    }

    pub(crate) fn meta(&self) -> Result<Table> {
        self.txn.open_table(schema::META).or_fault()
    }
}
