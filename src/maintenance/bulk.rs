//! Fills a new store with complete namespaces and containers, in transactions of bounded size.

use redb::{Database, WriteTransaction};

use crate::model::error::Result;
use crate::model::identifier::NamespaceName;
use crate::model::kind::Kind;
use crate::model::labels::Labels;
use crate::records::keys::{RecordKey, TableCode};
use crate::records::meta::NamespaceRow;
use crate::redb_file::fault::OrFault;
use crate::session::entity::Entity;
use crate::session::namespaces;
use crate::session::rows;
use crate::session::written::Written;

/// The approximate size of one transaction, in bytes.
const TXN_MAX_BYTES: usize = 8 * 1024 * 1024;

/// The approximate size of a record without its large values, in bytes.
const RECORD_BYTES: usize = 512;

/// Writes to a store that has no other user yet. Nothing counts before `finish`.
pub(crate) struct Bulk<'d> {
    db: &'d Database,
    txn: Option<WriteTransaction>,
    pending_bytes: usize,
}

impl<'d> Bulk<'d> {
    pub(crate) fn new(db: &'d Database) -> Self {
        Self {
            db,
            txn: None,
            pending_bytes: 0,
        }
    }

    /// Stores a namespace that does not exist yet.
    pub(crate) fn namespace(&mut self, name: &NamespaceName, labels: &Labels) -> Result<()> {
        self.write(RECORD_BYTES, |txn| {
            let mut table = Written::open(txn, TableCode::Namespaces)?;
            let row = NamespaceRow::without_history(labels.clone());
            namespaces::put(&mut table, name, &row)
        })
    }

    /// Stores a container or record that does not exist yet, with its times and its revision.
    pub(crate) fn record<E: Entity>(
        &mut self,
        name: &NamespaceName,
        kind: &Kind,
        new: &E,
    ) -> Result<()> {
        let key = RecordKey::new(name, kind, &E::parsed_id(new.id())?);
        self.write(RECORD_BYTES + new.size(), |txn| {
            let mut table = Written::open(txn, TableCode::Records)?;
            rows::insert(&mut table, &key, new).map(drop)
        })
    }

    /// Commits the rest.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.commit()
    }

    fn write(
        &mut self,
        bytes: usize,
        write: impl FnOnce(&WriteTransaction) -> Result<()>,
    ) -> Result<()> {
        let txn = match self.txn.take() {
            Some(txn) => txn,
            None => self.db.begin_write().or_fault()?,
        };
        write(self.txn.insert(txn))?;
        self.pending_bytes += bytes;
        if self.pending_bytes >= TXN_MAX_BYTES {
            self.commit()?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        self.pending_bytes = 0;
        match self.txn.take() {
            Some(txn) => txn.commit().or_fault(),
            None => Ok(()),
        }
    }
}
