//! Read transactions: one consistent view of the store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::error::{Error, Operation, Result};
use crate::model::identifier::NamespaceName;
use crate::model::kind::{Kind, RecordId};
use crate::model::labels::Labels;
use crate::query::{self, Batch, Items, Plan, Scope, Shape, Traversed};
use crate::records::keys::{self, RecordKey, TableCode};
use crate::records::meta::NamespaceRow;
use crate::redb_file::fault::contained;
use crate::session::namespaces;
use crate::session::process::Own;
use crate::session::shared::Shared;
use crate::session::snapshot::{Contents, Snapshot};

/// A snapshot of the store: what was committed when it was taken, whatever is written later.
///
/// It never waits for writers, and they never wait for it. While it lives, the file cannot reuse the space of what is
/// deleted or overwritten: keep it for a moment, not for a day. Made by [`Db::read`](crate::Db::read); dropping it ends
/// it.
///
/// Writing through it does not compile:
///
/// ```compile_fail
/// use bayplan::Db;
///
/// # fn main() -> bayplan::Result<()> {
/// let snapshot = Db::in_memory()?.read()?;
/// snapshot.namespace("default")?.delete("web")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ReadTxn {
    snapshot: Arc<Own<Snapshot>>,
    shared: Arc<Own<Shared>>,
    /// Whether the pages of the snapshot were verified.
    is_verified: bool,
}

impl ReadTxn {
    pub(crate) fn begin(shared: &Arc<Own<Shared>>) -> Result<Self> {
        let snapshot = shared
            .snapshot()
            .map_err(|error| error.during(Operation::BeginRead).at(shared.path()))?;
        Ok(Self {
            snapshot,
            shared: Arc::clone(shared),
            is_verified: shared.file.are_pages_verified(),
        })
    }

    /// Begins a snapshot with all pages verified, however the store was opened, as far as this is possible while
    /// another process writes.
    pub(crate) fn begin_verified(shared: &Arc<Own<Shared>>) -> Result<Self> {
        let (snapshot, is_verified) = shared.verified_snapshot()?;
        Ok(Self {
            snapshot,
            shared: Arc::clone(shared),
            is_verified,
        })
    }

    /// Returns the record `id`, if there is one.
    pub(crate) fn look_up<T: Shape>(
        &self,
        namespace: &NamespaceName,
        kind: &Kind,
        id: &RecordId,
    ) -> Result<Option<T>> {
        self.look_up_with(namespace, kind, id, &[])
    }

    /// Returns the record `id`, if there is one. A header has these extensions.
    pub(crate) fn look_up_with<T: Shape>(
        &self,
        namespace: &NamespaceName,
        kind: &Kind,
        id: &RecordId,
        extensions: &[String],
    ) -> Result<Option<T>> {
        let key = RecordKey::new(namespace, kind, id);
        let snapshot = self.records()?;
        if snapshot.memory().is_none() {
            self.shared.keeper().count_read(1);
        }
        let found = contained(|| snapshot.kept().with_extensions(&key, kind, extensions));
        if found.as_ref().is_err_and(Error::is_corrupt) {
            return found; // It says what is damaged in the record.
        }
        self.shared.believe(found, |found| match found {
            Some(_) => !self.shared.file.is_doubtful(key.own()),
            None => snapshot.memory().is_some(),
        })
    }

    /// Traverses the records of a scope after `after`, at most `limit` of them, from memory if they are kept there. A
    /// lenient traversal looks at everything, to report all damage.
    pub(crate) fn traverse<T: Shape + 'static>(
        &self,
        mut scope: Scope,
        is_lenient: bool,
        after: Option<&str>,
        limit: usize,
    ) -> Traversed<'static, T> {
        // In a forked process, the read that follows reports it.
        if let Ok(snapshot) = self.records() {
            self.load_if_due(snapshot);
            if !is_lenient {
                scope.plan = Plan::of(&scope, snapshot.memory(), limit);
            }
        }
        let txn = self.clone();
        Box::new(Items::new(after, limit, move |after, limit| {
            let snapshot = txn.records()?;
            let read = contained(|| Batch::read(&snapshot.kept(), &scope, after, limit));
            let is_sure = is_lenient || snapshot.memory().is_some();
            let mut batch = txn.shared.believe(read, |_| is_sure)?;
            txn.shared.keeper().count_read(batch.read_count());
            if let (true, Some(damage)) = (is_lenient, txn.shared.file.damage()) {
                batch.end_with(damage);
            }
            Ok(batch)
        }))
    }

    /// Traverses the records of a scope, as the file has them.
    pub(crate) fn traverse_stored<T: Shape + 'static>(
        &self,
        scope: Scope,
    ) -> Traversed<'static, T> {
        let txn = self.clone();
        Box::new(Items::all(move |after, limit| {
            contained(|| Batch::read(&txn.records()?.stored(), &scope, after, limit))
        }))
    }

    /// Loads the records into memory, if that is due. If this fails, the read that follows reports why.
    fn load_if_due(&self, snapshot: &Snapshot) {
        if snapshot.memory().is_some() {
            return;
        }
        let rows = contained(|| snapshot.records.rows_count_at_most());
        if rows.is_ok_and(|rows| self.shared.keeper().is_due(rows)) {
            self.shared.load_memory();
        }
    }

    pub(crate) fn namespaces(&self) -> Result<Vec<NamespaceName>> {
        let names = contained(|| namespaces::list(&self.seen()?.table(TableCode::Namespaces)?));
        self.shared.believe(names, |_| false)
    }

    pub(crate) fn labels_of(&self, name: &NamespaceName) -> Result<Option<Labels>> {
        Ok(self.namespace_row(name)?.map(|row| row.labels))
    }

    /// Returns what is stored of a namespace.
    pub(crate) fn namespace_row(&self, name: &NamespaceName) -> Result<Option<NamespaceRow>> {
        let row = contained(|| namespaces::row(&self.seen()?.table(TableCode::Namespaces)?, name));
        self.shared.believe(row, |row| {
            row.is_some() && !self.shared.file.is_doubtful(keys::namespace(name))
        })
    }

    /// Returns the kinds of the records in a namespace.
    pub(crate) fn kinds(&self, name: &NamespaceName) -> Result<Vec<Kind>> {
        let kinds = contained(|| kinds(&self.records()?.records, name));
        self.shared.believe(kinds, |_| false)
    }

    pub(crate) fn is_verified(&self) -> bool {
        self.is_verified
    }

    /// Returns what was read from its tables, unless damage may hide something.
    pub(crate) fn believe<T>(&self, read: Result<T>) -> Result<T> {
        self.shared.believe(read, |_| false)
    }

    /// Returns what it reads. Fails in a forked process.
    fn records(&self) -> Result<&Snapshot> {
        self.shared.process.check_number()?;
        Ok(&self.snapshot)
    }

    /// Returns its tables, for code that reads whole tables. Fails in a forked process.
    pub(crate) fn seen(&self) -> Result<&Contents> {
        self.records().map(|snapshot| snapshot.contents())
    }

    /// Returns its tables, for code that reads whole tables.
    pub(crate) fn contents(&self) -> &Contents {
        self.snapshot.contents()
    }

    /// Returns how long the process has held its oldest other snapshot, except that of the last commit.
    pub(crate) fn oldest_other(&self) -> Result<Option<Duration>> {
        self.shared.oldest_snapshot(&self.snapshot)
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}

/// Returns the kinds of the records in a namespace, in order. An invalid kind is damage.
pub(super) fn kinds(records: &impl query::Table, name: &NamespaceName) -> Result<Vec<Kind>> {
    query::used_kinds(records, name.as_str().as_bytes())?
        .into_iter()
        .map(|kind| {
            Kind::stored(&String::from_utf8_lossy(&kind))
                .map_err(|error| error.into_corrupt().in_namespace(name))
        })
        .collect()
}

impl fmt::Debug for ReadTxn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadTxn")
            .field("store", &self.shared)
            .finish_non_exhaustive()
    }
}
