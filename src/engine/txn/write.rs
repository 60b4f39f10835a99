//! Write transactions.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::ops::ControlFlow;
use std::sync::Arc;

use redb::{CommitError, Table, WriteTransaction};

use super::listing::{found, list_lenient, read_store, strictly, walk};
use crate::container::{Container, ContainerHeader};
use crate::engine::containers::{self, Occupant};
use crate::engine::fault::{OrFault, contained};
use crate::engine::index::Changes;
use crate::engine::namespaces;
use crate::engine::plan::Plan;
use crate::engine::process::Own;
use crate::engine::scan::{self, Batch, Shape};
use crate::engine::shared::Shared;
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::filter::Filters;
use crate::identifier::{ContainerId, NamespaceName};
use crate::labels::{self, Labels};
use crate::limits::LABELS_MAX_COUNT;
use crate::mask::FieldMask;
use crate::record::seal;
use crate::revision::Revision;
use crate::schema::{self, ContainerKey, meta};
use crate::store::{Damaged, Listing, Namespaces, Page, ReadNamespaces, ReadStore, Store};
use crate::update;

type Writable<'t> = Table<'t, schema::Bytes, schema::Bytes>;

/// How many ids the error names when a namespace is not empty.
const IDS_NAMED: usize = 3;

/// A group of operations, over any namespaces, that happens completely or not at all.
///
/// Its own operations see what it has done so far; nobody else does before
/// [`commit`](WriteTxn::commit). An operation that fails ([`NotFound`](ErrorKind::NotFound),
/// [`InvalidArgument`](ErrorKind::InvalidArgument), ...) changes nothing, and leaves the
/// transaction usable. Dropping the transaction rolls it back.
///
/// There is one write transaction at a time: others, also those of single operations, wait. Made
/// by [`Db::begin_write`](crate::Db::begin_write); [`Db::write`](crate::Db::write) is shorter.
/// It stays on its thread.
pub struct WriteTxn {
    shared: Arc<Own<Shared>>,
    /// There until the end.
    txn: Option<WriteTransaction>,
    /// The bound of revisions that this transaction has written.
    reserved: Cell<u64>,
    /// Whether anything was written.
    dirty: Cell<bool>,
    /// Whether an operation failed between its writes.
    torn: Cell<bool>,
    /// What the index is to be told.
    changes: RefCell<Changes>,
    stays_on_its_thread: PhantomData<*const ()>,
}

impl WriteTxn {
    pub(crate) fn begin(shared: &Arc<Own<Shared>>) -> Result<Self> {
        let txn = shared
            .begin_write()
            .map_err(|error| error.during(Operation::BeginWrite).at(shared.path()))?;
        Ok(Self {
            shared: Arc::clone(shared),
            txn: Some(txn),
            reserved: Cell::new(0),
            dirty: Cell::new(false),
            torn: Cell::new(false),
            changes: RefCell::default(),
            stays_on_its_thread: PhantomData,
        })
    }

    /// The containers of one namespace, which need not exist.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) if `name` is no namespace's name.
    pub fn namespace(&self, name: &str) -> Result<WriteNamespace<'_>> {
        let name = NamespaceName::new(name)
            .map_err(|error| error.during(Operation::OpenNamespace).in_namespace(name))?;
        Ok(WriteNamespace { txn: self, name })
    }

    /// Makes everything that was done durable, and visible to what begins afterwards.
    ///
    /// A transaction that changed nothing writes nothing.
    ///
    /// # Errors
    ///
    /// What each failure leaves behind:
    ///
    /// - [`CommitUncertain`](ErrorKind::CommitUncertain): the file reported an error while the
    ///   commit was written or synced. After reopening, the transaction is there completely or
    ///   not at all; nobody can tell which before. The store refuses all further writes
    ///   ([`Unavailable`](ErrorKind::Unavailable)) until it is opened again.
    /// - [`FailedPrecondition`](ErrorKind::FailedPrecondition): an operation of this transaction
    ///   had failed in the storage, between its writes. The transaction is rolled back.
    /// - [`Gone`](ErrorKind::Gone): the file was removed, renamed or replaced meanwhile. The transaction
    ///   is in the file that this process has open, and will be there if that is put back.
    /// - [`Forked`](ErrorKind::Forked): the transaction is that of a process that forked this one, and
    ///   goes on there.
    pub fn commit(mut self) -> Result<()> {
        self.end_with_commit()
            .map_err(|error| error.during(Operation::Commit).at(self.shared.path()))
    }

    /// Commits, changed or not, with what redb needs to open the file quickly after a crash.
    pub(crate) fn commit_as_checkpoint(mut self) -> Result<()> {
        if let Some(txn) = &mut self.txn {
            txn.set_quick_repair(true);
        }
        self.dirty.set(true);
        self.commit()
    }

    fn end_with_commit(&mut self) -> Result<()> {
        let Some(txn) = self.take()? else {
            return Ok(());
        };
        if self.torn.get() {
            contained(|| txn.abort().or_fault())?;
            return Err(Error::precondition(
                "an operation of the transaction failed halfway: it was rolled back",
            ));
        }
        if !self.dirty.get() {
            return contained(|| txn.abort().or_fault());
        }
        let changes = self.changes.take();
        // A panic while committing leaves the outcome as unknown as an error does.
        let committed = contained(|| match txn.commit() {
            Err(CommitError::TransactionPoisoned) => Ok(false),
            other => other.or_fault().map(|()| true),
        });
        match committed {
            Ok(true) => {
                self.shared.reserved(self.reserved.get());
                self.shared.index.settle(changes, true);
                self.shared.renew_snapshot();
                self.shared
                    .check_place()
                    .map_err(|error| error.prefixed("committed, but not seen at its path"))
            }
            Ok(false) => Err(Error::precondition(
                "an operation of the transaction failed halfway: it was rolled back",
            )),
            Err(error) => {
                self.shared.break_writes(&error);
                self.shared.index.settle(changes, false);
                tracing::error!(%error, path = ?self.shared.path(), "commit failed");
                let message = "the outcome is unknown, all or nothing of it may be in the file: \
                               open the store again and look";
                Err(Error::new(ErrorKind::CommitUncertain, message).caused_by(error))
            }
        }
    }

    /// Rolls everything back. Dropping the transaction does the same, but tells no error.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) or [`Unavailable`](ErrorKind::Unavailable) if the storage fails. In
    /// the file nothing of the transaction is left in any case.
    pub fn abort(mut self) -> Result<()> {
        self.end_with_abort()
            .map_err(|error| error.during(Operation::Abort).at(self.shared.path()))
    }

    fn end_with_abort(&mut self) -> Result<()> {
        let Some(txn) = self.take()? else {
            return Ok(());
        };
        contained(|| txn.abort().or_fault())
    }

    /// The transaction of redb, to end it; none if it has ended. A fork's copy is forgotten.
    fn take(&mut self) -> Result<Option<WriteTransaction>> {
        let txn = self.txn.take();
        match self.shared.process.check() {
            Ok(()) => Ok(txn),
            Err(error) => {
                mem::forget(txn);
                Err(error)
            }
        }
    }

    /// Whether an operation failed between its writes: nothing of the transaction can be committed.
    pub(crate) fn is_torn(&self) -> bool {
        self.torn.get()
    }

    fn open(&self, table: schema::Table) -> Result<Writable<'_>> {
        self.shared.process.check_number()?;
        if self.torn.get() {
            return Err(Error::precondition(
                "an earlier operation of the transaction failed halfway: it can only be aborted",
            ));
        }
        match &self.txn {
            Some(txn) => txn.open_table(table).or_fault(),
            None => Err(Error::precondition("the transaction has ended")),
        }
    }

    /// Runs what writes, after everything was checked. If it fails, the transaction is torn.
    fn writing<T>(&self, write: impl FnOnce() -> Result<T>) -> Result<T> {
        self.dirty.set(true);
        let was_torn = self.torn.replace(true);
        let result = write();
        self.torn.set(was_torn || result.is_err());
        result
    }

    fn next_revision(&self) -> Result<Revision> {
        let (revision, bound) = self.shared.next_revision(self.reserved.get())?;
        if let (Some(bound), Some(txn)) = (bound, &self.txn) {
            let mut table = txn.open_table(schema::META).or_fault()?;
            let value = seal(meta::REVISION, &bound)?;
            table.insert(meta::REVISION, value.as_slice()).or_fault()?;
            self.reserved.set(bound);
        }
        Ok(revision)
    }
}

// The operations, without the words that tell where they happened.
impl WriteTxn {
    pub(crate) fn create(&self, name: &NamespaceName, new: Container) -> Result<Container> {
        let mut container = new.settled()?;
        let key = ContainerKey::new(name, &ContainerId::new(container.id.as_str())?);
        let now = self.shared.now();
        contained(|| {
            let mut table = self.open(schema::CONTAINERS)?;
            match containers::occupant(&table, &key)? {
                Occupant::Nothing => {}
                Occupant::Container => return Err(Error::already_exists()),
                Occupant::Remains => {
                    return Err(Error::corrupt(
                        "remains of a damaged container have this id: delete it first",
                    ));
                }
            }
            let namespaces = self.open(schema::NAMESPACES)?;
            let is_new_namespace = !namespaces::exists(&namespaces, name)?;
            drop(namespaces);
            container.created_at = now;
            container.updated_at = now;
            container.revision = self.next_revision()?;
            self.writing(|| containers::insert(&mut table, &key, &container))?;
            if is_new_namespace {
                self.writing(|| self.insert_namespace(name))?;
            }
            self.changes
                .borrow_mut()
                .stored(&self.shared.index, name, &container);
            Ok(container)
        })
    }

    pub(crate) fn update(
        &self,
        name: &NamespaceName,
        expected: Option<Revision>,
        input: Container,
        mask: &FieldMask,
    ) -> Result<Container> {
        if input.id.is_empty() {
            return Err(Error::invalid("the container id is empty"));
        }
        let id = ContainerId::new(input.id.as_str()).map_err(|_| Error::not_found())?;
        let key = ContainerKey::new(name, &id);
        let now = self.shared.now();
        contained(|| {
            let mut table = self.open(schema::CONTAINERS)?;
            let stored: Container = found(scan::get(&table, name, &id))?;
            if let Some(expected) = expected.filter(|expected| *expected != stored.revision) {
                let message = format!(
                    "it has revision {}, not {expected} any more",
                    stored.revision
                );
                return Err(Error::precondition(message));
            }
            let mut updated = update::apply(&stored, input, mask, self.shared.rules, now)?;
            updated.revision = self.next_revision()?;
            self.writing(|| containers::replace(&mut table, &key, &stored, &updated))?;
            self.changes
                .borrow_mut()
                .stored(&self.shared.index, name, &updated);
            Ok(updated)
        })
    }

    pub(crate) fn delete(&self, name: &NamespaceName, id: &str) -> Result<()> {
        let id = ContainerId::new(id).map_err(|_| Error::not_found())?;
        let key = ContainerKey::new(name, &id);
        contained(|| {
            let mut table = self.open(schema::CONTAINERS)?;
            if containers::occupant(&table, &key)? == Occupant::Nothing {
                return Err(Error::not_found());
            }
            self.writing(|| containers::delete(&mut table, &key))?;
            self.changes
                .borrow_mut()
                .deleted(&self.shared.index, name, id.as_str());
            Ok(())
        })
    }

    fn insert_namespace(&self, name: &NamespaceName) -> Result<()> {
        namespaces::insert(&mut self.open_while_writing(schema::NAMESPACES)?, name)
    }

    fn open_while_writing(&self, table: schema::Table) -> Result<Writable<'_>> {
        match &self.txn {
            Some(txn) => txn.open_table(table).or_fault(),
            None => Err(Error::precondition("the transaction has ended")),
        }
    }

    fn create_namespace_of(&self, name: &NamespaceName, labels: Labels) -> Result<()> {
        let labels = labels::settle(labels)?;
        contained(|| {
            let mut table = self.open(schema::NAMESPACES)?;
            if namespaces::exists(&table, name)? {
                return Err(Error::already_exists());
            }
            self.writing(|| {
                namespaces::insert(&mut table, name)?;
                for (key, value) in &labels {
                    namespaces::set_label(&mut table, name, key, value)?;
                }
                Ok(())
            })
        })
    }

    fn set_label_of(&self, name: &NamespaceName, key: &str, value: &str) -> Result<()> {
        labels::check_label(key, value)?;
        contained(|| {
            let mut table = self.open(schema::NAMESPACES)?;
            let is_new = !namespaces::exists(&table, name)?;
            let stored = namespaces::labels(&table, name)?;
            if stored.len() >= LABELS_MAX_COUNT && !stored.contains_key(key) && !value.is_empty() {
                return Err(Error::invalid(format!(
                    "there are too many labels already: at most {LABELS_MAX_COUNT}"
                )));
            }
            self.writing(|| {
                if is_new {
                    namespaces::insert(&mut table, name)?;
                }
                namespaces::set_label(&mut table, name, key, value)
            })
        })
    }

    fn delete_namespace_of(&self, name: &NamespaceName) -> Result<()> {
        contained(|| {
            let mut table = self.open(schema::NAMESPACES)?;
            if !namespaces::exists(&table, name)? {
                return Err(Error::not_found());
            }
            self.check_empty(name)?;
            self.writing(|| namespaces::delete(&mut table, name))
        })
    }

    fn check_empty(&self, name: &NamespaceName) -> Result<()> {
        let table = self.open(schema::CONTAINERS)?;
        let all = Filters::all();
        let mut count = 0;
        let mut named = Vec::new();
        let read = |after: Option<&[u8]>, limit| {
            scan::batch::<String>(&table, name, after, limit, &all, &Plan::All)
        };
        walk(&Page::all(), read, |item| {
            count += 1;
            if named.len() < IDS_NAMED {
                let id = item.unwrap_or_else(|damaged| damaged.id);
                named.push(format!("{id:?}"));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if count == 0 {
            return Ok(());
        }
        let noun = if count == 1 {
            "container"
        } else {
            "containers"
        };
        let more = if count > named.len() { ", ..." } else { "" };
        let named = named.join(", ");
        Err(Error::precondition(format!(
            "it still holds {count} {noun}: {named}{more}"
        )))
    }
}

impl Drop for WriteTxn {
    fn drop(&mut self) {
        match self.end_with_abort() {
            // The turn is the parent's.
            Err(error) if error.is_forked() => return,
            Err(error) => tracing::warn!(%error, path = ?self.shared.path(), "roll back failed"),
            Ok(()) => {}
        }
        self.shared.end_write();
    }
}

impl fmt::Debug for WriteTxn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteTxn")
            .field("store", &self.shared)
            .finish_non_exhaustive()
    }
}

impl ReadNamespaces for WriteTxn {
    fn list_namespaces(&self) -> Result<Vec<NamespaceName>> {
        contained(|| namespaces::list(&self.open(schema::NAMESPACES)?))
            .map_err(|error| error.during(Operation::ListNamespaces))
    }

    fn namespace_labels(&self, name: &str) -> Result<Labels> {
        let Ok(parsed) = NamespaceName::new(name) else {
            return Ok(Labels::new());
        };
        contained(|| namespaces::labels(&self.open(schema::NAMESPACES)?, &parsed))
            .map_err(|error| error.during(Operation::NamespaceLabels).in_namespace(name))
    }
}

impl Namespaces for WriteTxn {
    fn create_namespace(&self, name: &str, labels: Labels) -> Result<()> {
        NamespaceName::new(name)
            .and_then(|name| self.create_namespace_of(&name, labels))
            .map_err(|error| error.during(Operation::CreateNamespace).in_namespace(name))
    }

    fn set_namespace_label(&self, name: &str, key: &str, value: &str) -> Result<()> {
        NamespaceName::new(name)
            .and_then(|name| self.set_label_of(&name, key, value))
            .map_err(|error| {
                error
                    .during(Operation::SetNamespaceLabel)
                    .in_namespace(name)
            })
    }

    fn delete_namespace(&self, name: &str) -> Result<()> {
        NamespaceName::new(name)
            .map_err(|_| Error::not_found())
            .and_then(|name| self.delete_namespace_of(&name))
            .map_err(|error| error.during(Operation::DeleteNamespace).in_namespace(name))
    }
}

/// The containers of one namespace in a [`WriteTxn`].
#[derive(Debug)]
pub struct WriteNamespace<'t> {
    txn: &'t WriteTxn,
    name: NamespaceName,
}

impl WriteNamespace<'_> {
    fn look_up(&self, id: &ContainerId) -> Result<Option<Container>> {
        contained(|| scan::get(&self.txn.open(schema::CONTAINERS)?, &self.name, id))
    }

    fn batch<T: Shape>(
        &self,
        after: Option<&[u8]>,
        limit: usize,
        filters: &Filters,
        plan: &Plan,
    ) -> Result<Batch<T>> {
        contained(|| {
            let table = self.txn.open(schema::CONTAINERS)?;
            scan::batch(&table, &self.name, after, limit, filters, plan)
        })
    }

    /// The index does not know what this transaction has changed.
    fn plan(&self, filters: &Filters, _limit: usize) -> Result<Plan> {
        Ok(Plan::of(filters))
    }
}

read_store!(WriteNamespace<'_>);

impl Store for WriteNamespace<'_> {
    fn create(&self, container: Container) -> Result<Container> {
        let id = container.id.clone();
        self.txn.create(&self.name, container).map_err(|error| {
            error
                .during(Operation::Create)
                .of(id)
                .in_namespace(&self.name)
        })
    }

    fn update(&self, container: Container, mask: &FieldMask) -> Result<Container> {
        let id = container.id.clone();
        self.txn
            .update(&self.name, None, container, mask)
            .map_err(|error| {
                error
                    .during(Operation::Update)
                    .of(id)
                    .in_namespace(&self.name)
            })
    }

    fn update_if(
        &self,
        revision: Revision,
        container: Container,
        mask: &FieldMask,
    ) -> Result<Container> {
        let id = container.id.clone();
        self.txn
            .update(&self.name, Some(revision), container, mask)
            .map_err(|error| {
                error
                    .during(Operation::Update)
                    .of(id)
                    .in_namespace(&self.name)
            })
    }

    fn delete(&self, id: &str) -> Result<()> {
        self.txn.delete(&self.name, id).map_err(|error| {
            error
                .during(Operation::Delete)
                .of(id)
                .in_namespace(&self.name)
        })
    }
}
