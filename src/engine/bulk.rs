//! Filling a new store with whole namespaces and containers, in transactions of bounded size.

use redb::{Database, WriteTransaction};

use crate::container::Container;
use crate::engine::fault::OrFault;
use crate::engine::{containers, namespaces};
use crate::error::Result;
use crate::identifier::{ContainerId, NamespaceName};
use crate::labels::Labels;
use crate::schema::{self, ContainerKey};

/// About how many bytes one transaction writes.
const TXN_MAX_BYTES: usize = 8 * 1024 * 1024;

/// About how many bytes a container takes beside its large values.
const CONTAINER_BYTES: usize = 512;

/// Writes to a store that nobody else knows yet. Nothing of it counts before `finish`.
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

    /// Stores a namespace that is not there yet.
    pub(crate) fn namespace(&mut self, name: &NamespaceName, labels: &Labels) -> Result<()> {
        self.write(CONTAINER_BYTES, |txn| {
            let mut table = txn.open_table(schema::NAMESPACES).or_fault()?;
            namespaces::insert(&mut table, name)?;
            for (key, value) in labels {
                namespaces::set_label(&mut table, name, key, value)?;
            }
            Ok(())
        })
    }

    /// Stores a container that is not there yet, with its times and its revision.
    pub(crate) fn container(&mut self, name: &NamespaceName, container: &Container) -> Result<()> {
        let key = ContainerKey::new(name, &ContainerId::new(container.id.as_str())?);
        let body = container.spec.iter().chain(container.extensions.values());
        let bytes: usize = body.map(|any| any.value.len()).sum();
        self.write(CONTAINER_BYTES + bytes, |txn| {
            let mut table = txn.open_table(schema::CONTAINERS).or_fault()?;
            containers::insert(&mut table, &key, container)
        })
    }

    /// Commits what is left.
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
