//! The store, and the handles for its namespaces.

use std::sync::Arc;

use crate::api::collection::Namespace;
use crate::model::error::{Error, Operation, Result};
use crate::model::info::{StoreId, StoreInfo};
use crate::records::keys::FORMAT_VERSION;
use crate::session::commit::CommitQueue;
use crate::session::opened::Database;
use crate::session::place::Place;
use crate::session::process::Own;
use crate::session::shared::Shared;
use crate::session::txn::{ReadTxn, WriteTxn};

/// An open store: the containers of a host, in one file.
///
/// A `Db` is a handle. Its clones, namespaces and transactions share the open file, which is closed with
/// the last of them. It may be used from many threads, and belongs to the process that opened it: in a
/// forked child every call is [`Forked`](crate::ErrorKind::Forked), and dropping it changes nothing. Fork
/// first, then open the store.
///
/// The file must stay at its path while it is open. If it was removed, renamed or replaced, a write would
/// be lost and is [`Gone`](crate::ErrorKind::Gone).
///
/// # Examples
///
/// ```
/// use bayplan::{Any, Container, Db, Filters, Runtime};
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

    /// Returns the containers of one namespace, which need not exist. Each call on the handle is its own transaction,
    /// durable when it returns.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if `name` is not a valid name.
    pub fn namespace(&self, name: &str) -> Result<Namespace> {
        Namespace::containers(self.clone(), name)
    }

    /// Takes a snapshot of the store. Readers and writers do not block each other.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt) or [`Io`](crate::ErrorKind::Io) if the file cannot be read.
    pub fn read(&self) -> Result<ReadTxn> {
        ReadTxn::begin(&self.shared)
    }

    /// Runs a write transaction. It is committed if `work` returns `Ok`, and rolled back otherwise.
    ///
    /// Other writers wait while `work` runs. Inside, use the transaction: a write through the `Db` itself
    /// is [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition), and a read through it does not see
    /// the transaction's changes.
    ///
    /// The error may be of any type that converts from [`Error`]. If the compiler cannot infer it, as in a
    /// closure that ends with `Ok(())`, name it: `|txn| -> bayplan::Result<()> { .. }`.
    ///
    /// # Errors
    ///
    /// Those of `work` and of [`WriteTxn::commit`].
    pub fn write<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&WriteTxn) -> Result<T, E>,
    ) -> Result<T, E> {
        let txn = self.begin_write()?;
        let value = work(&txn)?;
        txn.commit()?;
        Ok(value)
    }

    /// Begins a write transaction once no other is open.
    ///
    /// # Errors
    ///
    /// [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition) if the store is open for reading only,
    /// or if this thread has a write transaction open already;
    /// [`Unavailable`](crate::ErrorKind::Unavailable) after a commit failed;
    /// [`Gone`](crate::ErrorKind::Gone) if the file was removed, renamed or replaced;
    /// [`Locked`](crate::ErrorKind::Locked) if the store is shared by processes and others keep writing for longer than
    /// [`Builder::lock_timeout`](crate::Builder::lock_timeout): nothing was done, try again;
    /// [`Forked`](crate::ErrorKind::Forked) in a child of the process that opened the store;
    /// [`Corrupt`](crate::ErrorKind::Corrupt) once a page was found damaged, which can happen after opening without
    /// [`Builder::check_integrity`](crate::Builder::check_integrity); [`Io`](crate::ErrorKind::Io) if the file cannot
    /// be read.
    pub fn begin_write(&self) -> Result<WriteTxn> {
        WriteTxn::begin(&self.shared)
    }

    /// Returns information about the store.
    #[must_use]
    pub fn info(&self) -> StoreInfo {
        let identity = &self.shared.identity;
        StoreInfo {
            id: StoreId::from_bytes(identity.uuid),
            history: self.shared.history,
            created_at: identity.created_at().unwrap_or_default(),
            format_version: FORMAT_VERSION,
            rules: self.shared.policy.rules,
            keep_empty_labels: self.shared.policy.keep_empty_labels,
            share: self.shared.share,
            path: self.shared.path.clone(),
            read_only: self.shared.file.is_read_only(),
            pages_verified: self.shared.file.are_pages_verified(),
        }
    }

    /// Makes the next opening fast, in case this process is killed before its next write. Useful for a host that has
    /// become idle.
    ///
    /// After a kill, opening normally walks the whole file to find out which of its pages are in use. A checkpoint
    /// writes that down, in a commit that costs about twice as much as others. The next write makes it out of date, unless
    /// the store has a log ([`Builder::commit_log`]): then only the log is to be read, which a checkpoint empties. It
    /// helps most if [`Builder::check_integrity`] is switched off: with the check, opening still walks the whole file,
    /// but once instead of three times.
    ///
    /// [`Builder::check_integrity`]: crate::Builder::check_integrity
    /// [`Builder::commit_log`]: crate::Builder::commit_log
    ///
    /// # Errors
    ///
    /// As [`Db::begin_write`] and [`WriteTxn::commit`].
    pub fn checkpoint(&self) -> Result<()> {
        self.begin_write()
            .and_then(WriteTxn::commit_as_checkpoint)
            .map_err(|error| error.during(Operation::Checkpoint))
    }

    /// Takes a snapshot and verifies all its pages, whatever options the store was opened with.
    pub(crate) fn read_verified(&self, operation: Operation) -> Result<ReadTxn> {
        ReadTxn::begin_verified(&self.shared)
            .map_err(|error| error.during(operation).at(self.shared.path()))
    }

    /// Closes the store and reports any failure. `self` must be its last handle.
    ///
    /// Dropping the last handle also closes the store, but only logs a failure. No failure loses anything that was
    /// acknowledged: the next opening repairs the file, which takes longer.
    ///
    /// # Errors
    ///
    /// - [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition): there are other handles, namespaces or
    ///   transactions of the store. It is closed with the last of them.
    /// - [`Io`](crate::ErrorKind::Io): the file reported an error; it is closed anyway.
    /// - [`Unavailable`](crate::ErrorKind::Unavailable): the file reported an error before.
    /// - [`Gone`](crate::ErrorKind::Gone): the file is no longer at its path, so neither are the acknowledged writes.
    ///   It is closed anyway; only [`Db::backup`] before closing would have saved them.
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
            .and_then(|()| {
                // A follower is not a handle. It lets the store go after each look.
                let news = Arc::clone(self.shared.news());
                let _closing = news.closing();
                Arc::into_inner(self.shared).ok_or_else(|| Error::precondition(in_use))
            })
            .and_then(|shared| shared.into_inner()?.close())
            .map_err(|error| error.during(Operation::CloseStore).at(path.as_deref()))
    }

    pub(crate) fn shared(&self) -> &Arc<Own<Shared>> {
        &self.shared
    }

    /// Returns redb's database and its path, if this is the last handle of a store that is open for writing.
    pub(crate) fn into_database(self) -> Result<Option<(Database, Option<Place>)>> {
        let news = Arc::clone(self.shared.news());
        let _closing = news.closing();
        match Arc::into_inner(self.shared) {
            Some(shared) => shared.into_inner()?.into_database(),
            None => Ok(None),
        }
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn path(&self) -> Option<&std::path::Path> {
        self.shared.path()
    }

    pub(crate) fn write_one<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&WriteTxn) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.queue.write(&self.shared, operation)
    }
}
