//! The front: a store, and the handles of its namespaces.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::commit::CommitQueue;
use crate::container::{Container, ContainerHeader};
use crate::engine::check::CheckReport;
use crate::engine::place::Place;
use crate::engine::process::Own;
use crate::engine::shared::{Database, Shared};
use crate::engine::txn::{Containers, ReadTxn, WriteTxn};
use crate::error::{Error, Operation, Result};
use crate::filter::Filters;
use crate::identifier::NamespaceName;
use crate::info::{StoreId, StoreInfo};
use crate::labels::Labels;
use crate::mask::FieldMask;
use crate::revision::Revision;
use crate::schema::FORMAT_VERSION;
use crate::store::{Listing, Namespaces, Page, ReadNamespaces, ReadStore, Store};

/// An open store: the containers of a host, in one file.
///
/// A `Db` is a handle: clones of it, and the namespaces and transactions made from it, share the
/// open file, which is closed with the last of them. It may be used from many threads, and belongs to the
/// process that opened it: in a forked child each call is [`Forked`](crate::ErrorKind::Forked), and
/// dropping it changes nothing. Fork first, and open the store then.
///
/// The file must stay at its path while it is open: a write that would be lost because it was removed,
/// renamed or replaced is [`Gone`](crate::ErrorKind::Gone).
///
/// # Examples
///
/// ```
/// use bayplan::{Any, Container, Db, Filters, ReadStore, Runtime, Store};
///
/// # fn main() -> bayplan::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("meta.redb");
/// let db = Db::create(&path)?;
/// let k8s = db.namespace("k8s.io")?;
/// let runtime = Runtime::new("io.containerd.runc.v2");
/// k8s.create(Container::new("web", runtime, Any::new("spec", b"{}")).label("app", "nginx"))?;
/// assert_eq!(k8s.list(&Filters::parse(["labels.app==nginx"])?)?.len(), 1);
///
/// db.write(|txn| {
///     let web = txn.namespace("k8s.io")?.get("web")?;
///     txn.namespace("archive")?.create(web)?;
///     txn.namespace("k8s.io")?.delete("web")
/// })?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Db {
    shared: Arc<Own<Shared>>,
    queue: Arc<Own<CommitQueue>>,
}

impl Db {
    pub(crate) fn new(shared: Shared) -> Self {
        let process = shared.process.clone();
        Self {
            shared: Arc::new(Own::new(shared, &process)),
            queue: Arc::new(Own::new(CommitQueue::new(), &process)),
        }
    }

    /// The containers of one namespace, which need not exist. Each call on it is a transaction of
    /// its own, durable when it returns.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if `name` is no namespace's name.
    pub fn namespace(&self, name: &str) -> Result<Namespace> {
        let name = NamespaceName::new(name)
            .map_err(|error| error.during(Operation::OpenNamespace).in_namespace(name))?;
        Ok(Namespace {
            db: self.clone(),
            name,
        })
    }

    /// A snapshot of the store. It blocks nobody, and nobody blocks it.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt) or [`Io`](crate::ErrorKind::Io) if the file cannot
    /// be read.
    pub fn read(&self) -> Result<ReadTxn> {
        ReadTxn::begin(&self.shared)
    }

    /// Runs a write transaction: commits it if `work` returns `Ok`, rolls it back otherwise.
    ///
    /// Other writers wait while `work` runs. Inside, use the transaction: a write by the `Db` itself
    /// is an error there ([`FailedPrecondition`](crate::ErrorKind::FailedPrecondition)), and a read
    /// by it does not see what the transaction has done.
    ///
    /// The error may be of any type that is made from [`Error`]. Where the compiler cannot know
    /// which, as in a closure that ends with `Ok(())`, say it: `|txn| -> bayplan::Result<()> { .. }`.
    ///
    /// # Errors
    ///
    /// What `work` returns, or what [`WriteTxn::commit`] does.
    pub fn write<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&WriteTxn) -> Result<T, E>,
    ) -> Result<T, E> {
        let txn = self.begin_write()?;
        let value = work(&txn)?;
        txn.commit()?;
        Ok(value)
    }

    /// Begins a write transaction, after the one that is open has ended.
    ///
    /// # Errors
    ///
    /// [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition) if the store is open for
    /// reading only, or if this thread has a write transaction open already;
    /// [`Unavailable`](crate::ErrorKind::Unavailable) after a commit failed;
    /// [`Gone`](crate::ErrorKind::Gone) if the file was removed, renamed or replaced;
    /// [`Forked`](crate::ErrorKind::Forked) in a child of the process that opened the store. The first one of a store
    /// that was opened without [`Builder::check_integrity`](crate::Builder::check_integrity) verifies
    /// all pages, which takes its time: [`Corrupt`](crate::ErrorKind::Corrupt) if one is damaged, as is
    /// every later one; [`Io`](crate::ErrorKind::Io) if the file cannot be read.
    pub fn begin_write(&self) -> Result<WriteTxn> {
        WriteTxn::begin(&self.shared)
    }

    /// What the store tells about itself.
    #[must_use]
    pub fn info(&self) -> StoreInfo {
        let identity = &self.shared.identity;
        StoreInfo {
            id: StoreId::from_bytes(identity.uuid),
            created_at: identity.created_at().unwrap_or_default(),
            format_version: FORMAT_VERSION,
            rules: self.shared.rules,
            path: self.shared.path.clone(),
            read_only: self.shared.is_read_only(),
            pages_verified: self.shared.pages_verified(),
        }
    }

    /// Makes the next opening fast, should this process be killed before the next write: for a host
    /// that has fallen idle.
    ///
    /// After a kill, opening normally walks the whole file to find out which of its pages are in
    /// use. A checkpoint writes that down, in a commit that costs about twice as much as others;
    /// any later write makes it out of date. It helps most where [`Builder::check_integrity`] is
    /// switched off; the check walks the whole file, but once instead of three times.
    ///
    /// [`Builder::check_integrity`]: crate::Builder::check_integrity
    ///
    /// # Errors
    ///
    /// As [`Db::begin_write`] and [`WriteTxn::commit`].
    pub fn checkpoint(&self) -> Result<()> {
        self.begin_write()
            .and_then(WriteTxn::commit_as_checkpoint)
            .map_err(|error| error.during(Operation::Checkpoint))
    }

    /// Reads everything that is stored and tells what is damaged.
    ///
    /// It writes nothing, and reads from one snapshot while others write. It verifies the checksum of every
    /// page first, unless that was done since the file was opened.
    ///
    /// # Errors
    ///
    /// What keeps it from reading on. Damage that it can pass is in the report.
    pub fn check(&self) -> Result<CheckReport> {
        match ReadTxn::begin_verified(&self.shared) {
            Ok(snapshot) => snapshot.check(),
            Err(error) if error.is_corrupt() => {
                match self.snapshot(Operation::Check).and_then(|it| it.check()) {
                    Ok(mut report) => {
                        report.add_of_file(error);
                        Ok(report)
                    }
                    // The damage is why there is no more to tell.
                    Err(_) => Err(error.during(Operation::Check).at(self.shared.path())),
                }
            }
            Err(error) => Err(error.during(Operation::Check).at(self.shared.path())),
        }
    }

    /// A snapshot with all its pages verified, whatever the store was opened with.
    pub(crate) fn read_verified(&self, operation: Operation) -> Result<ReadTxn> {
        ReadTxn::begin_verified(&self.shared)
            .map_err(|error| error.during(operation).at(self.shared.path()))
    }

    fn snapshot(&self, operation: Operation) -> Result<ReadTxn> {
        self.read().map_err(|error| error.during(operation))
    }

    /// Closes the store, and tells whether that worked. `self` must be its last handle.
    ///
    /// Dropping the last handle closes the store as well, but a failure of that is only logged. No
    /// failure loses anything that was acknowledged: the next opening repairs the file, which takes
    /// longer.
    ///
    /// # Errors
    ///
    /// - [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition): there are clones of it, namespaces or
    ///   transactions. The store is closed with the last of them.
    /// - [`Io`](crate::ErrorKind::Io): the file reported an error; it is let go all the same.
    /// - [`Unavailable`](crate::ErrorKind::Unavailable): it had reported one before.
    /// - [`Gone`](crate::ErrorKind::Gone): it is not at its path any more, and what was acknowledged is not
    ///   either. It is closed all the same: [`Db::backup`] before closing would have saved it.
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::Db;
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("meta.redb");
    /// let db = Db::create(&path)?;
    /// db.close()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn close(self) -> Result<()> {
        let path = self.shared.path.clone();
        let in_use =
            "the store is still in use: by a clone of this handle, a namespace or a transaction";
        let process = self.shared.process.clone();
        process
            .check()
            .and_then(|()| Arc::into_inner(self.shared).ok_or_else(|| Error::precondition(in_use)))
            .and_then(|shared| shared.into_inner()?.close())
            .map_err(|error| error.during(Operation::CloseStore).at(path.as_deref()))
    }

    /// The database of redb, and where it is, if this is the last handle of a store that is open for
    /// writing.
    pub(crate) fn into_database(self) -> Option<(Database, Option<Place>)> {
        Arc::into_inner(self.shared)?
            .into_inner()
            .ok()?
            .into_database()
    }

    fn write_one<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&WriteTxn) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.queue.write(&self.shared, operation)
    }
}

impl ReadNamespaces for Db {
    fn list_namespaces(&self) -> Result<Vec<NamespaceName>> {
        self.snapshot(Operation::ListNamespaces)?.list_namespaces()
    }

    fn namespace_labels(&self, name: &str) -> Result<Labels> {
        self.snapshot(Operation::NamespaceLabels)
            .map_err(|error| error.in_namespace(name))?
            .namespace_labels(name)
    }
}

impl Namespaces for Db {
    fn create_namespace(&self, name: &str, labels: Labels) -> Result<()> {
        let owned = name.to_owned();
        self.write_one(move |txn| txn.create_namespace(&owned, labels))
            .map_err(|error| error.during(Operation::CreateNamespace).in_namespace(name))
    }

    fn set_namespace_label(&self, name: &str, key: &str, value: &str) -> Result<()> {
        let [owned, key, value] = [name, key, value].map(str::to_owned);
        self.write_one(move |txn| txn.set_namespace_label(&owned, &key, &value))
            .map_err(|error| {
                error
                    .during(Operation::SetNamespaceLabel)
                    .in_namespace(name)
            })
    }

    fn delete_namespace(&self, name: &str) -> Result<()> {
        let owned = name.to_owned();
        self.write_one(move |txn| txn.delete_namespace(&owned))
            .map_err(|error| error.during(Operation::DeleteNamespace).in_namespace(name))
    }
}

/// The containers of one namespace of a [`Db`]: each call is a transaction of its own, and what it
/// wrote is durable when it returns.
///
/// Writes of several threads share a commit, and so the wait for the disk.
#[derive(Clone, Debug)]
pub struct Namespace {
    db: Db,
    name: NamespaceName,
}

impl Namespace {
    /// The containers that match, one after the other, from one snapshot, with a few of them in
    /// memory at a time; see [`ReadNamespace::iter`](crate::ReadNamespace::iter).
    ///
    /// # Errors
    ///
    /// As [`Db::read`].
    pub fn iter(&self, filters: &Filters) -> Result<Containers> {
        let txn = self.snapshot(Operation::List)?;
        Ok(txn.of(self.name.clone()).iter(filters))
    }

    fn read<T>(
        &self,
        operation: Operation,
        read: impl FnOnce(&dyn ReadStore) -> Result<T>,
    ) -> Result<T> {
        let txn = self.snapshot(operation)?;
        read(&txn.of(self.name.clone()))
    }

    fn snapshot(&self, operation: Operation) -> Result<ReadTxn> {
        self.db
            .snapshot(operation)
            .map_err(|error| error.in_namespace(&self.name))
    }

    fn write<T: Send + 'static>(
        &self,
        operation: Operation,
        id: &str,
        write: impl FnOnce(&WriteTxn, &NamespaceName) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let name = self.name.clone();
        self.db
            .write_one(move |txn| write(txn, &name))
            .map_err(|error| error.during(operation).of(id).in_namespace(&self.name))
    }
}

impl ReadStore for Namespace {
    fn name(&self) -> &NamespaceName {
        &self.name
    }

    fn get(&self, id: &str) -> Result<Container> {
        ReadTxn::begin(&self.db.shared)
            .map_err(|error| error.during(Operation::Get).of(id).in_namespace(&self.name))?
            .of(self.name.clone())
            .get(id)
    }

    fn visit(
        &self,
        page: &Page,
        filters: &Filters,
        visit: &mut dyn FnMut(Container) -> ControlFlow<()>,
    ) -> Result<()> {
        self.read(Operation::List, |store| store.visit(page, filters, visit))
    }

    fn visit_headers(
        &self,
        page: &Page,
        filters: &Filters,
        visit: &mut dyn FnMut(ContainerHeader) -> ControlFlow<()>,
    ) -> Result<()> {
        self.read(Operation::List, |store| {
            store.visit_headers(page, filters, visit)
        })
    }

    fn list_ids(&self, filters: &Filters) -> Result<Vec<String>> {
        self.read(Operation::List, |store| store.list_ids(filters))
    }

    fn count(&self, filters: &Filters) -> Result<u64> {
        self.read(Operation::Count, |store| store.count(filters))
    }

    fn list_lenient(&self, filters: &Filters) -> Result<Listing> {
        self.read(Operation::List, |store| store.list_lenient(filters))
    }
}

impl Store for Namespace {
    fn create(&self, container: Container) -> Result<Container> {
        let id = container.id.clone();
        self.write(Operation::Create, &id, |txn, name| {
            txn.create(name, container)
        })
    }

    fn update(&self, container: Container, mask: &FieldMask) -> Result<Container> {
        let id = container.id.clone();
        let mask = mask.clone();
        self.write(Operation::Update, &id, move |txn, name| {
            txn.update(name, None, container, &mask)
        })
    }

    fn update_if(
        &self,
        revision: Revision,
        container: Container,
        mask: &FieldMask,
    ) -> Result<Container> {
        let id = container.id.clone();
        let mask = mask.clone();
        self.write(Operation::Update, &id, move |txn, name| {
            txn.update(name, Some(revision), container, &mask)
        })
    }

    fn delete(&self, id: &str) -> Result<()> {
        let owned = id.to_owned();
        self.write(Operation::Delete, id, move |txn, name| {
            txn.delete(name, &owned)
        })
    }
}
