//! Write transactions: beginning, end, and what their operations are built on.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::sync::Arc;

use redb::{CommitError, WriteTransaction};

use crate::model::error::{Error, ErrorKind, Operation, Result};
use crate::model::revision::Revision;
use crate::records::keys::{TableCode, meta};
use crate::records::seal::seal;
use crate::redb_file::fault::{OrFault, contained};
use crate::session::feed::recent::Changed;
use crate::session::log::{Committed, Log, Outcome};
use crate::session::memory::Draft;
use crate::session::process::Own;
use crate::session::shared::Shared;
use crate::session::written::{Begun, Unlogged, Written};

/// A group of operations, over any namespaces, that happens completely or not at all.
///
/// Its own operations see what it has done so far. Nothing else sees it before [`commit`](WriteTxn::commit). An
/// operation that fails ([`NotFound`](ErrorKind::NotFound), [`InvalidArgument`](ErrorKind::InvalidArgument), ...)
/// changes nothing, and leaves the transaction usable. Dropping the transaction rolls it back.
///
/// There is one write transaction at a time; others, including single operations, wait. Made by
/// [`Db::begin_write`](crate::Db::begin_write); [`Db::write`](crate::Db::write) is shorter. It stays on its thread.
pub struct WriteTxn {
    pub(super) shared: Arc<Own<Shared>>,
    /// Present until the end.
    txn: Option<Begun>,
    /// The bound of revisions that this transaction has written.
    reserved: Cell<u64>,
    /// Whether anything was written.
    dirty: Cell<bool>,
    /// Why an operation failed between its writes, if one did.
    torn: RefCell<Option<Error>>,
    /// Whether it is a checkpoint.
    is_checkpoint: bool,
    /// The records in memory, as this transaction sees them.
    pub(super) draft: RefCell<Draft>,
    /// What it changes, if there are followers.
    changed: RefCell<Option<Changed>>,
    /// The revision of its first deletion.
    pub(super) first_deletion: Cell<Option<Revision>>,
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
            torn: RefCell::default(),
            is_checkpoint: false,
            draft: RefCell::new(shared.new_draft()),
            changed: RefCell::new(shared.new_changed()),
            first_deletion: Cell::new(None),
            stays_on_its_thread: PhantomData,
        })
    }

    /// Makes everything that was done durable, and visible to whatever begins afterwards.
    ///
    /// A transaction that changed nothing writes nothing.
    ///
    /// # Errors
    ///
    /// What each failure leaves behind:
    ///
    /// - [`CommitUncertain`](ErrorKind::CommitUncertain): the file reported an error while the commit was written or
    ///   synced. After reopening, the transaction is there completely or not at all; until then the outcome is unknown.
    ///   The store refuses all further writes ([`Unavailable`](ErrorKind::Unavailable)) until it is opened again.
    /// - [`Unavailable`](ErrorKind::Unavailable): with a log, a checkpoint has failed. Nothing of the transaction is
    ///   stored. The store refuses all further writes until it is opened again.
    /// - [`Io`](ErrorKind::Io), [`FailedPrecondition`](ErrorKind::FailedPrecondition): no log could be made, which the
    ///   second commit after opening does. Nothing of the transaction is stored; another one may succeed.
    /// - [`FailedPrecondition`](ErrorKind::FailedPrecondition): an operation of this transaction had failed in the
    ///   storage, between its writes. The transaction is rolled back.
    /// - [`Corrupt`](ErrorKind::Corrupt): a page of the file was found damaged since the transaction began. The
    ///   transaction is rolled back.
    /// - [`Gone`](ErrorKind::Gone): the file was removed, renamed or replaced meanwhile. The transaction is in the file
    ///   that this process has open, and will be there if that file is put back.
    /// - [`Forked`](ErrorKind::Forked): the transaction belongs to a process that forked this one. It is unaffected
    ///   there.
    pub fn commit(mut self) -> Result<()> {
        self.end_with_commit()
            .map_err(|error| error.during(Operation::Commit).at(self.shared.path()))
    }

    /// Commits, even without changes, and writes what redb needs to open the file quickly after a crash.
    pub(crate) fn commit_as_checkpoint(mut self) -> Result<()> {
        self.is_checkpoint = true;
        self.dirty.set(true);
        self.commit()
    }

    fn end_with_commit(&mut self) -> Result<()> {
        let Some(txn) = self.take()? else {
            return Ok(());
        };
        self.shared.process.unforked(|| self.commit_begun(txn))
    }

    fn commit_begun(&self, txn: Begun) -> Result<()> {
        if self.torn().is_some() {
            contained(|| txn.abort())?;
            return Err(torn());
        }
        if !self.dirty.get() {
            return contained(|| txn.abort());
        }
        if let Err(error) = self.shared.let_through() {
            contained(|| txn.abort())?;
            return Err(error);
        }
        let draft = self.draft.take();
        // A panic while committing leaves the outcome as unknown as an error does.
        let committed = contained(|| match txn {
            Begun::Stored(txn) => self.commit_stored(*txn),
            Begun::Unlogged(unlogged) => self.commit_through_log(*unlogged),
        });
        match committed {
            Ok(Done::Committed(committed)) => {
                self.shared.revisions.reserve_below(self.reserved.get());
                let changed = self.changed.take();
                self.shared.renew_snapshot(draft, changed, committed);
                // Whatever keeps the file from being found, the write itself did not fail.
                self.shared.check_place().map_err(|error| {
                    error
                        .into_gone()
                        .prefixed("committed, but not seen at its path")
                })
            }
            Ok(Done::Refused(error)) => Err(error),
            Err(error) => {
                self.shared.break_writes(&error);
                tracing::error!(%error, path = ?self.shared.path(), "commit failed");
                let message = "the outcome is unknown, all or nothing of it may be in the file: \
                               open the store again and look";
                Err(Error::new(ErrorKind::CommitUncertain, message).caused_by(error))
            }
        }
    }

    /// Commits by redb.
    fn commit_stored(&self, mut txn: WriteTransaction) -> Result<Done> {
        let log = self.shared.log();
        // With a log, opening after a kill never walks the file.
        txn.set_quick_repair(self.is_checkpoint || log.is_some_and(Log::is_wanted));
        if let Err(error) = txn.commit() {
            return match error {
                // redb had aborted it: nothing of it is stored.
                CommitError::TransactionPoisoned => Ok(Done::Refused(torn())),
                error => Err(error).or_fault(),
            };
        }
        if let Some(log) = log {
            log.note_commit();
        }
        Ok(Done::Committed(None))
    }

    fn commit_through_log(&self, unlogged: Unlogged) -> Result<Done> {
        let (changes, layer) = unlogged.finish();
        match self
            .shared
            .commit_through_log(changes, layer, self.is_checkpoint)?
        {
            Outcome::Committed(committed) => Ok(Done::Committed(Some(committed))),
            Outcome::Refused(error) => Ok(Done::Refused(error)),
            Outcome::Broken(error) => {
                tracing::error!(%error, path = ?self.shared.path(), "a checkpoint failed");
                Ok(Done::Refused(self.shared.checkpoint_failed(error)))
            }
        }
    }

    /// Rolls everything back. Dropping the transaction does the same, but reports no error.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) or [`Unavailable`](ErrorKind::Unavailable) if the storage fails. Even then, nothing of the
    /// transaction is in the file.
    pub fn abort(mut self) -> Result<()> {
        self.end_with_abort()
            .map_err(|error| error.during(Operation::Abort).at(self.shared.path()))
    }

    fn end_with_abort(&mut self) -> Result<()> {
        let Some(txn) = self.take()? else {
            return Ok(());
        };
        contained(|| txn.abort())
    }

    /// Takes what has begun, to end it; `None` if it has ended. In a fork, the copy is forgotten.
    fn take(&mut self) -> Result<Option<Begun>> {
        let txn = self.txn.take();
        match self.shared.process.check() {
            Ok(()) => Ok(txn),
            Err(error) => {
                mem::forget((txn, self.draft.take()));
                Err(error)
            }
        }
    }

    /// Returns why an operation failed between its writes, if one did. Nothing of the transaction can be committed then.
    pub(crate) fn torn(&self) -> Option<Error> {
        self.torn.borrow().clone()
    }

    /// Opens a table to read and write.
    pub(super) fn open(&self, table: TableCode) -> Result<Written<'_>> {
        self.shared.process.check_number()?;
        if self.torn.borrow().is_some() {
            return Err(Error::precondition(
                "an earlier operation of the transaction failed halfway: it can only be aborted",
            ));
        }
        self.open_while_writing(table)
    }

    /// Opens a table between the writes of an operation.
    pub(super) fn open_while_writing(&self, table: TableCode) -> Result<Written<'_>> {
        match &self.txn {
            Some(txn) => txn.open(table),
            None => Err(Error::precondition("the transaction has ended")),
        }
    }

    /// Runs an operation. Once a damaged page was found, nothing of the transaction can be committed.
    pub(super) fn attempt<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.shared.believe(contained(work), |_| false)
    }

    /// Runs the writes of an operation, after everything was checked. If they fail, the transaction is torn.
    pub(super) fn writing<T>(&self, write: impl FnOnce() -> Result<T>) -> Result<T> {
        let _change = match &self.txn {
            Some(Begun::Stored(_)) => self.shared.begin_change()?,
            // No page changes before a checkpoint.
            Some(Begun::Unlogged(_)) | None => {
                self.shared.check_undamaged()?;
                None
            }
        };
        self.dirty.set(true);
        let result = contained(write);
        if let Err(error) = &result {
            self.torn.borrow_mut().get_or_insert_with(|| error.clone());
        }
        result
    }

    /// Notes that the item with this key was changed at this revision.
    pub(super) fn note(&self, revision: Revision, key: &[u8]) {
        if let Some(changed) = &mut *self.changed.borrow_mut() {
            changed.note(revision, key);
        }
    }

    /// Returns an unused revision, and writes the bound above it to the file if necessary.
    pub(super) fn next_revision(&self) -> Result<Revision> {
        let (revision, bound) = self.shared.revisions.next(self.reserved.get())?;
        if let Some(bound) = bound {
            self.writing(|| {
                let mut table = self.open_while_writing(TableCode::Meta)?;
                table.put(meta::REVISION, &seal(meta::REVISION, &bound)?)
            })?;
            self.reserved.set(bound);
        }
        Ok(revision)
    }
}

impl Drop for WriteTxn {
    fn drop(&mut self) {
        match self.end_with_abort() {
            // The turn belongs to the parent.
            Err(error) if error.is_forked() => return,
            Err(error) => tracing::warn!(%error, path = ?self.shared.path(), "roll back failed"),
            Ok(()) => {}
        }
        self.shared.end_write();
    }
}

/// What came of a commit that did not fail.
enum Done {
    /// With what the store then holds, if it went through the log.
    Committed(Option<Committed>),
    /// Nothing of it is stored.
    Refused(Error),
}

/// The error for a transaction that was done only in part.
fn torn() -> Error {
    Error::precondition("an operation of the transaction failed halfway: it was rolled back")
}

impl fmt::Debug for WriteTxn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteTxn")
            .field("store", &self.shared)
            .finish_non_exhaustive()
    }
}
