//! The store, for async code.

use std::path::PathBuf;

use super::collection::{AsyncCollection, AsyncNamespace};
use super::job::Job;
use super::subscription::AsyncSubscription;
use crate::api::collection::Collection;
use crate::api::db::Db;
use crate::api::selection::Detail;
use crate::api::store::{Namespaces, ReadNamespaces};
use crate::model::error::{Error, Operation, Result};
use crate::model::identifier::NamespaceName;
use crate::model::info::StoreInfo;
use crate::model::labels::Labels;
use crate::model::position::Position;
use crate::session::txn::{ReadTxn, WriteTxn};

/// A store for async code: a [`Db`] with async operations. With the feature `tokio`.
///
/// A clone is a handle of the same store. Blocking code may use the store at the same time ([`db`](AsyncDb::db)).
///
/// # Threads
///
/// An operation runs as one task of [`spawn_blocking`](tokio::task::spawn_blocking), so that no async task waits for a
/// disk. A write that waits for its turn or for the disk takes a thread. Writes that wait together share one commit, so
/// more threads make more creates a second. The runtime has up to 512
/// ([`max_blocking_threads`](tokio::runtime::Builder::max_blocking_threads)), which start when they are needed and end
/// when they are idle. Beyond that, operations wait for a thread. A stream that waits for its reader takes no thread.
///
/// # Cancellation
///
/// Dropping the future of an operation before it has a thread cancels the operation: nothing is done. Once an operation
/// runs, it runs to its end, and its result is discarded. In either case a write is done completely or not at all. A
/// caller that stops waiting and needs the outcome can read the store again, or use a write that is safe to repeat:
/// [`put`](AsyncCollection::put), [`update_if`](AsyncCollection::update_if).
///
/// If a closure given to [`write`](AsyncDb::write), [`read`](AsyncDb::read) or [`run`](AsyncDb::run) panics, the panic
/// continues in the task that awaits it, and its transaction is rolled back. If no task awaits it any more, only the
/// panic hook reports it.
///
/// # Errors
///
/// Those of the same operation of a [`Db`], and for every operation:
///
/// - [`Cancelled`](crate::ErrorKind::Cancelled): the runtime was shut down before the operation began. Nothing was
///   done.
/// - [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition): the future was polled outside of a tokio runtime.
///
/// # Examples
///
/// ```
/// use bayplan::{Any, AsyncDb, Container, Filters, Runtime};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> bayplan::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("meta.redb");
/// let db = AsyncDb::create(path).await?;
/// let k8s = db.namespace("k8s.io")?;
/// let web = Container::new("web", Runtime::new("runc"), Any::new("spec", b"{}"));
/// k8s.create(web.label("app", "nginx")).await?;
/// assert_eq!(k8s.list(&Filters::parse(["labels.app==nginx"])?).await?.len(), 1);
///
/// db.write(|txn| {
///     let web = txn.namespace("k8s.io")?.get("web")?;
///     txn.namespace("archive")?.create(web)?;
///     txn.namespace("k8s.io")?.delete("web")
/// })
/// .await?;
/// drop(k8s);
/// db.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AsyncDb {
    db: Db,
}

impl From<Db> for AsyncDb {
    fn from(db: Db) -> Self {
        Self { db }
    }
}

impl AsyncDb {
    /// Creates a store in a new file; see [`Builder::create`](crate::Builder::create).
    ///
    /// # Errors
    ///
    /// As [`Builder::create`](crate::Builder::create); see [`AsyncDb`].
    pub async fn create(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        Self::open_by(move || Db::create(path)).await
    }

    /// Opens the store in an existing file; see [`Builder::open`](crate::Builder::open).
    ///
    /// # Errors
    ///
    /// As [`Builder::open`](crate::Builder::open); see [`AsyncDb`].
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        Self::open_by(move || Db::open(path)).await
    }

    /// Opens or creates a store with options.
    ///
    /// If the future is dropped while `open` runs, the store is opened and closed again.
    ///
    /// # Errors
    ///
    /// Those of `open`; see [`AsyncDb`].
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{AsyncDb, Db};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> bayplan::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("meta.redb");
    /// let db = AsyncDb::open_by(|| Db::builder().create_if_missing(true).open(path)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn open_by(open: impl FnOnce() -> Result<Db> + Send + 'static) -> Result<Self> {
        let opened = Job::start(|error| error.during(Operation::OpenStore), open)?;
        opened.await?.map(Self::from)
    }

    /// Returns the same store, for blocking code.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Returns information about the store.
    #[must_use]
    pub fn info(&self) -> StoreInfo {
        self.db.info()
    }

    /// Returns the containers of one namespace, which need not exist. Each operation on the handle is its own
    /// transaction, durable when its future is ready.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if `name` is not a valid name.
    pub fn namespace(&self, name: &str) -> Result<AsyncNamespace> {
        self.db.namespace(name).map(AsyncCollection::new)
    }

    /// Takes a snapshot of the store, for async reads.
    ///
    /// # Errors
    ///
    /// As [`Db::read`]; see [`AsyncDb`].
    pub async fn snapshot(&self) -> Result<AsyncSnapshot> {
        let txn = self.in_a_job(Operation::BeginRead, Db::read).await?;
        Ok(AsyncSnapshot { txn })
    }

    /// Runs `work` on one snapshot, on one thread for blocking work.
    ///
    /// # Errors
    ///
    /// Those of `work` and of [`Db::read`]; see [`AsyncDb`].
    pub async fn read<T, E>(
        &self,
        work: impl FnOnce(&ReadTxn) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.in_a_job(Operation::BeginRead, |db| work(&db.read()?))
            .await
    }

    /// Runs a write transaction, on one thread for blocking work. It is committed if `work` returns `Ok`, and rolled
    /// back otherwise; see [`Db::write`].
    ///
    /// Other writers wait while `work` runs. `work` must not wait for an async task that writes: that task would wait
    /// for it.
    ///
    /// # Errors
    ///
    /// Those of `work` and of [`WriteTxn::commit`]; see [`AsyncDb`].
    pub async fn write<T, E>(
        &self,
        work: impl FnOnce(&WriteTxn) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.in_a_job(Operation::BeginWrite, |db| db.write(work))
            .await
    }

    /// Runs anything else that a store can do, on a thread for blocking work.
    ///
    /// # Errors
    ///
    /// Those of `work`; see [`AsyncDb`].
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{AsyncDb, Db};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> bayplan::Result<()> {
    /// let db = AsyncDb::from(Db::in_memory()?);
    /// let report = db.run(|db| db.check()).await?;
    /// assert!(report.is_healthy());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn run<T, E>(
        &self,
        work: impl FnOnce(&Db) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.in_a_job(Operation::Run, work).await
    }

    /// Follows the store: returns what has changed since a position, then each commit as it happens; see
    /// [`Db::subscribe`].
    ///
    /// # Errors
    ///
    /// As [`Db::subscribe`]; see [`AsyncDb`].
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{Any, AsyncDb, Container, Db, Detail, Position, Runtime, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> bayplan::Result<()> {
    /// let db = AsyncDb::from(Db::in_memory()?);
    /// let mut changes = db.subscribe(Position::START, Detail::Id).await?;
    /// let web = Container::new("web", Runtime::new("runc"), Any::new("spec", b"{}"));
    /// db.namespace("k8s.io")?.create(web).await?;
    /// while let Some(change) = changes.next().await {
    ///     if matches!(change?.subject, Subject::Container { id, .. } if id == "web") {
    ///         break;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn subscribe(&self, from: Position, detail: Detail) -> Result<AsyncSubscription> {
        self.in_a_job(Operation::Follow, move |db| db.subscribe(from, detail))
            .await
            .map(AsyncSubscription::new)
    }

    /// Makes the next opening fast; see [`Db::checkpoint`].
    ///
    /// # Errors
    ///
    /// As [`Db::checkpoint`]; see [`AsyncDb`].
    pub async fn checkpoint(&self) -> Result<()> {
        self.in_a_job(Operation::Checkpoint, Db::checkpoint).await
    }

    /// Closes the store and reports any failure; see [`Db::close`]. `self` must be its last handle.
    ///
    /// An operation whose future was dropped holds a handle until it has ended. If the last handle is dropped instead,
    /// the dropping thread closes the store, which takes a sync of the disk.
    ///
    /// # Errors
    ///
    /// As [`Db::close`]; see [`AsyncDb`].
    pub async fn close(self) -> Result<()> {
        let db = self.db;
        let closed = Job::start(
            |error| error.during(Operation::CloseStore),
            move || db.close(),
        )?;
        closed.await?
    }

    async fn in_a_job<T, E>(
        &self,
        operation: Operation,
        work: impl FnOnce(&Db) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let db = self.db.clone();
        let in_context = |error: Error| error.during(operation).at(self.db.path());
        Job::start(in_context, move || work(&db))?.await?
    }

    /// Runs an operation on a namespace.
    async fn in_namespace<T: Send + 'static>(
        &self,
        operation: Operation,
        name: &str,
        work: impl FnOnce(&Db, &str) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (db, owned) = (self.db.clone(), name.to_owned());
        let in_context = |error: Error| error.during(operation).in_namespace(name);
        Job::start(in_context, move || work(&db, &owned))?.await?
    }

    /// Returns the names of all namespaces, in order.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt), [`Io`](crate::ErrorKind::Io); see [`AsyncDb`].
    pub async fn list_namespaces(&self) -> Result<Vec<NamespaceName>> {
        self.in_a_job(Operation::ListNamespaces, Db::list_namespaces)
            .await
    }

    /// Returns the labels of a namespace. The map is empty if there is no such namespace.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt), [`Io`](crate::ErrorKind::Io); see [`AsyncDb`].
    pub async fn namespace_labels(&self, name: &str) -> Result<Labels> {
        self.in_namespace(Operation::NamespaceLabels, name, |db, name| {
            ReadNamespaces::namespace_labels(db, name)
        })
        .await
    }

    /// Returns the kinds of records that a namespace holds.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt), [`Io`](crate::ErrorKind::Io); see [`AsyncDb`].
    pub async fn record_kinds(&self, name: &str) -> Result<Vec<String>> {
        self.in_namespace(Operation::List, name, |db, name| {
            ReadNamespaces::record_kinds(db, name)
        })
        .await
    }

    /// Creates a namespace; see [`Namespaces::create_namespace`].
    ///
    /// # Errors
    ///
    /// As [`Namespaces::create_namespace`]; see [`AsyncDb`].
    pub async fn create_namespace(&self, name: &str, labels: Labels) -> Result<()> {
        self.in_namespace(Operation::CreateNamespace, name, |db, name| {
            Namespaces::create_namespace(db, name, labels)
        })
        .await
    }

    /// Sets or removes a label of a namespace; see [`Namespaces::set_namespace_label`].
    ///
    /// # Errors
    ///
    /// As [`Namespaces::set_namespace_label`]; see [`AsyncDb`].
    pub async fn set_namespace_label(&self, name: &str, key: &str, value: &str) -> Result<()> {
        let [key, value] = [key, value].map(str::to_owned);
        self.in_namespace(Operation::SetNamespaceLabel, name, move |db, name| {
            Namespaces::set_namespace_label(db, name, &key, &value)
        })
        .await
    }

    /// Deletes an empty namespace; see [`Namespaces::delete_namespace`].
    ///
    /// # Errors
    ///
    /// As [`Namespaces::delete_namespace`]; see [`AsyncDb`].
    pub async fn delete_namespace(&self, name: &str) -> Result<()> {
        self.in_namespace(Operation::DeleteNamespace, name, |db, name| {
            Namespaces::delete_namespace(db, name)
        })
        .await
    }
}

/// One snapshot of a store, for async reads; made by [`AsyncDb::snapshot`].
///
/// Everything read from it, streams included, is what was committed when it was taken. While the snapshot, or one of
/// its namespaces or streams, lives, the file cannot reuse the space of what is deleted or overwritten.
#[derive(Clone, Debug)]
pub struct AsyncSnapshot {
    txn: ReadTxn,
}

impl AsyncSnapshot {
    /// Returns the containers of one namespace, which need not exist.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if `name` is not a valid name.
    pub fn namespace(&self, name: &str) -> Result<AsyncCollection<ReadTxn>> {
        Collection::containers(self.txn.clone(), name).map(AsyncCollection::new)
    }

    /// Returns the same snapshot, for blocking code.
    #[must_use]
    pub fn txn(&self) -> &ReadTxn {
        &self.txn
    }
}
