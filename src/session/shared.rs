//! What all transactions of one open store share.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};

use chrono::{DateTime, Utc};
pub(crate) use redb::Database;
use redb::{ReadOnlyDatabase, ReadTransaction, ReadableDatabase, WriteTransaction};

use crate::model::error::{Error, ErrorKind, Result};
use crate::model::policy::{Policy, Rules};
use crate::model::revision::Revision;
use crate::records::meta::Identity;
use crate::redb_file::backend::Gate;
use crate::redb_file::fault::{Closing, OrFault, OrIo, contained};
use crate::redb_file::layout::Commit;
use crate::redb_file::trees::Extent;
use crate::session::log::Log;
use crate::session::log::recover::{OnLoss, Recovered};
use crate::session::memory::{Draft, Keeper};
use crate::session::place::Place;
use crate::session::process::{Own, Process};
use crate::session::snapshot::Snapshot;

/// How many revisions are reserved in the file at a time.
///
/// The highest revision handed out is not written with every commit, which would cost a page more
/// each time: the file holds an upper bound, moved ahead by this many once it is reached. So
/// reopening skips up to this many revisions, and never repeats one.
pub(crate) const REVISION_BLOCK: u64 = 1024;

/// How often a snapshot is taken anew where another process commits at that moment.
const FOLLOW_ATTEMPTS: usize = 64;

/// Hears how far something is, from 0 to 1.
pub(crate) type OnRepair = Arc<dyn Fn(f64) + Send + Sync>;

/// Tells the time.
pub(crate) type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// How a store is to be opened.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) cache_bytes: usize,
    /// The rules to apply; if none are named, those that the file was created with.
    pub(crate) rules: Option<Rules>,
    /// What a new store does with labels that have an empty value.
    pub(crate) keep_empty_labels: bool,
    pub(crate) check_integrity: bool,
    /// How much memory the records that are kept may take; none are with 0.
    pub(crate) memory_bytes: usize,
    pub(crate) live_readers: bool,
    /// Whether commits go through a log.
    pub(crate) commit_log: bool,
    /// How long a new log is.
    pub(crate) log_bytes: u64,
    /// What is done with a log of which not everything can be read.
    pub(crate) on_log_loss: OnLoss,
    pub(crate) expected_uuid: Option<[u8; 16]>,
    pub(crate) clock: Clock,
    /// Hears how far a check or a repair is while a file is opened, from 0 to 1.
    pub(crate) on_repair: Option<OnRepair>,
}

impl Settings {
    /// Whether the options go together.
    pub(crate) fn check(&self) -> Result<()> {
        match self.commit_log && self.live_readers {
            true => Err(Error::invalid(
                "a store with a commit log cannot have live readers: what is in the log is in no file that they read",
            )),
            false => Ok(()),
        }
    }

    /// Whether the store with this UUID is the one that is expected.
    pub(crate) fn check_expected(&self, uuid: [u8; 16]) -> Result<()> {
        match self.expected_uuid {
            Some(expected) if expected != uuid => Err(Error::precondition(format!(
                "it is another store than the one expected: its UUID is {}, not {}",
                uuid::Uuid::from_bytes(uuid),
                uuid::Uuid::from_bytes(expected),
            ))),
            _ => Ok(()),
        }
    }
}

/// The file, as far as it may be used.
pub(crate) enum File {
    ReadWrite(Opened),
    /// As another process may write it.
    ReadOnly(Followed),
    /// Repaired in memory, never written.
    Inspected(Opened),
}

impl File {
    pub(crate) fn begin_read(&self) -> Result<ReadTransaction> {
        contained(|| {
            match self {
                Self::ReadWrite(opened) | Self::Inspected(opened) => opened.db.begin_read(),
                Self::ReadOnly(followed) => followed.db.begin_read(),
            }
            .or_fault()
        })
    }

    /// Whether every page has been verified.
    fn pages_verified(&self) -> bool {
        match self {
            Self::ReadWrite(opened) | Self::Inspected(opened) => opened.are_pages_verified(),
            Self::ReadOnly(_) => false,
        }
    }
}

/// A database of redb, and what of its pages nobody has verified.
pub(crate) struct Opened {
    pub(crate) db: Closing<Database>,
    /// What stands before the file; none before a new one.
    gate: Option<Gate>,
    /// What nobody had verified at opening, but for the pages that redb opens and closes it by.
    unverified: Option<Commit>,
    /// Whether the pages are what was written; not set while nobody knows. Readers look here, and
    /// must not wait for who finds out.
    pages: OnceLock<Result<()>>,
    /// Held by who finds out.
    verifying: Mutex<()>,
    log: OnceLock<Log>,
}

impl Opened {
    /// A database whose pages nobody needs to verify.
    pub(crate) fn new(db: Closing<Database>) -> Self {
        Self {
            db,
            gate: None,
            unverified: None,
            pages: OnceLock::from(Ok(())),
            verifying: Mutex::default(),
            log: OnceLock::new(),
        }
    }

    /// A database behind a gate, and the commit whose pages nobody has verified, if that is so.
    pub(crate) fn behind(db: Closing<Database>, gate: Gate, unverified: Option<Commit>) -> Self {
        Self {
            db,
            gate: Some(gate),
            pages: match unverified {
                Some(_) => OnceLock::new(),
                None => OnceLock::from(Ok(())),
            },
            unverified,
            verifying: Mutex::default(),
            log: OnceLock::new(),
        }
    }

    pub(crate) fn are_pages_verified(&self) -> bool {
        matches!(self.pages.get(), Some(Ok(())))
    }

    /// Verifies all pages, if nobody has. What is damaged stays so.
    pub(crate) fn verify_pages(&self) -> Result<()> {
        if let Some(known) = self.pages.get() {
            return known.clone();
        }
        let _turn = self.verifying.lock();
        if let Some(known) = self.pages.get() {
            return known.clone();
        }
        let verified = match (&self.unverified, &self.gate) {
            // Nothing was committed since: a write verifies them before.
            (Some(commit), Some(gate)) => gate.verify(commit, Extent::OurTables),
            _ => Ok(()),
        };
        match &verified {
            // A file that cannot be read may be readable the next time.
            Err(error) if !error.is_corrupt() => verified,
            _ => self.pages.get_or_init(|| verified).clone(),
        }
    }

    /// Lets writes reach the file. The pages must have been verified.
    pub(crate) fn open_gate(&self) -> Result<()> {
        self.gate
            .as_ref()
            .map_or(Ok(()), |gate| gate.open().or_io())
    }

    /// Whether what redb has written so far is kept from the file.
    pub(crate) fn is_held_back(&self) -> bool {
        self.gate.as_ref().is_some_and(|gate| !gate.is_open())
    }

    /// The log of the store, once it is known.
    pub(crate) fn log(&self) -> Option<&Log> {
        self.log.get()
    }

    /// Says which log the store has.
    pub(crate) fn set_log(&self, log: Log) {
        let _ = self.log.set(log);
    }

    /// The database, with all in it that was in the log.
    fn into_database(mut self) -> Result<Option<Database>> {
        self.retire_log()?;
        Ok(self.db.take())
    }

    fn retire_log(&self) -> Result<()> {
        match (self.db.get(), self.log()) {
            (Some(db), Some(log)) => log.retire(db),
            _ => Ok(()),
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Err(error) = self.retire_log() {
            tracing::error!(%error, "closing failed: what is in the log stays there");
        }
    }
}

/// A database that another process may write, and the file beneath it.
pub(crate) struct Followed {
    db: Closing<ReadOnlyDatabase>,
    file: Gate,
}

impl Followed {
    pub(crate) fn new(db: Closing<ReadOnlyDatabase>, file: Gate) -> Self {
        Self { db, file }
    }

    /// Takes a snapshot and verifies its pages, which nobody writes over while it lives; the second is
    /// false where other processes commit so often that nobody can tell which commit it shows.
    fn verified<T>(&self, take: impl Fn() -> Result<T>) -> Result<(T, bool)> {
        for _ in 0..FOLLOW_ATTEMPTS {
            let before = self.file.last_commit()?;
            let snapshot = take()?;
            // Two commits of the same trees hold the same.
            let after = self.file.last_commit()?;
            if let Some(commit) = before.filter(|_| before == after) {
                self.file.verify(&commit, Extent::AllPages)?;
                return Ok((snapshot, true));
            }
        }
        Ok((take()?, false))
    }
}

/// An open store.
pub(crate) struct Shared {
    /// What the last commit left, for all who read; none until somebody does.
    ///
    /// That it is kept until the next commit keeps redb from freeing the pages which a commit replaces
    /// right after it, in a second commit that is not synced: they are freed with the next one.
    /// Measured: creates are 2 to 11 % faster; and while redb holds pages that are not synced, each
    /// read that misses its cache looks for them in 131 places: reads of a store larger than the
    /// cache take 35 to 46 % less time.
    latest: Mutex<Option<Arc<Own<Snapshot>>>>,
    file: File,
    /// What the log had when the store was opened.
    pub(crate) recovered: Recovered,
    /// Where it must be for a write to be acknowledged; none if it is in memory, or never written.
    place: Option<Place>,
    /// The process that opened it, and may use it.
    pub(crate) process: Process,
    pub(crate) path: Option<PathBuf>,
    pub(crate) policy: Policy,
    keeper: Keeper,
    clock: Clock,
    pub(crate) identity: Identity,
    /// The next revision to hand out.
    next_revision: AtomicU64,
    /// Revisions below this one are reserved in the file.
    reserved: AtomicU64,
    /// Why a commit failed, if one did: what the file holds is not known.
    broken: OnceLock<Error>,
    /// The thread whose turn it is to write.
    ///
    /// redb lets the next writer in as soon as a commit is made. The turn lasts until what follows
    /// a commit is done as well: commits are shown in their order, and nobody may write after one that
    /// failed.
    writer: Mutex<Option<ThreadId>>,
    /// The turn has ended.
    next_turn: Condvar,
}

impl Shared {
    pub(crate) fn new(
        file: File,
        path: Option<PathBuf>,
        policy: Policy,
        settings: &Settings,
        identity: Identity,
        reserved: u64,
        process: Process,
    ) -> Self {
        // Where another process commits, there is no snapshot to keep them for.
        let memory_bytes = match file {
            File::ReadWrite(_) | File::Inspected(_) => settings.memory_bytes,
            File::ReadOnly(_) => 0,
        };
        Self {
            latest: Mutex::default(),
            path,
            policy,
            file,
            recovered: Recovered::default(),
            place: None,
            process,
            keeper: Keeper::new(memory_bytes),
            clock: settings.clock.clone(),
            identity,
            next_revision: AtomicU64::new(reserved.max(1)),
            reserved: AtomicU64::new(reserved),
            broken: OnceLock::new(),
            writer: Mutex::new(None),
            next_turn: Condvar::new(),
        }
    }

    /// The same, where the file is at this place.
    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// The same, where this was found of the log.
    pub(crate) fn with_recovered(mut self, recovered: Recovered) -> Self {
        self.recovered = recovered;
        self
    }

    /// Whether the file is where it was when it was opened.
    pub(crate) fn check_place(&self) -> Result<()> {
        self.place.as_ref().map_or(Ok(()), Place::check)?;
        self.log().map_or(Ok(()), Log::check_place)
    }

    /// The database that may be written.
    fn writable(&self) -> Option<&Opened> {
        match &self.file {
            File::ReadWrite(opened) => Some(opened),
            File::ReadOnly(_) | File::Inspected(_) => None,
        }
    }

    /// The log of a store that may be written.
    pub(crate) fn log(&self) -> Option<&Log> {
        self.writable().and_then(Opened::log)
    }

    /// How many commits are in the log and not in the file, and what is damaged of them; none if no log is in use.
    pub(crate) fn verify_log(&self) -> Result<Option<(u64, Option<Error>)>> {
        match self.log().map_or(Ok(None), Log::verify)? {
            // They were applied in memory, whole.
            None if self.is_repaired_in_memory() => {
                Ok(self.recovered.commits.map(|commits| (commits, None)))
            }
            verified => Ok(verified),
        }
    }

    /// The database of redb, if it may be written, and where it is.
    pub(crate) fn into_database(self) -> Result<Option<(Database, Option<Place>)>> {
        drop(self.latest);
        match self.file {
            File::ReadWrite(opened) => {
                let db = opened.into_database()?;
                Ok(db.map(|db| (db, self.place)))
            }
            File::ReadOnly(_) | File::Inspected(_) => Ok(None),
        }
    }

    /// Closes the file, and tells if that fails, which dropping it does not. The system tells of a
    /// failed write once: a later sync would succeed without it. After a failure nothing is written.
    pub(crate) fn close(self) -> Result<()> {
        let at_its_place = self.place.as_ref().map_or(Ok(()), Place::check);
        drop(self.latest);
        let broken = self.broken.into_inner();
        let closed = contained(move || {
            match self.file {
                File::ReadWrite(opened) | File::Inspected(opened) => {
                    opened.into_database()?.map_or(Ok(()), Database::close)
                }
                File::ReadOnly(followed) => {
                    let db = followed.db.into_inner();
                    db.map_or(Ok(()), ReadOnlyDatabase::close)
                }
            }
            .or_fault()
        });
        let failed_before = |what: &str| Error::new(ErrorKind::Unavailable, what);
        match (closed, broken) {
            (_, Some(cause)) => Err(failed_before(
                "the store is closed, but an earlier commit failed: open it again and look",
            )
            .caused_by(cause)),
            (Err(error), None) if error.is_unavailable() => Err(failed_before(
                "the store is closed, but an earlier read, write or sync failed. What was \
                 acknowledged is in the file: open it again",
            )),
            (closed, None) => closed.and(at_its_place),
        }
    }

    /// Whether every page of the file has been verified.
    pub(crate) fn pages_verified(&self) -> bool {
        self.file.pages_verified()
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    pub(crate) fn is_read_only(&self) -> bool {
        !matches!(self.file, File::ReadWrite(_))
    }

    /// Whether the file is read as it would be after a repair, which is not made, or not yet.
    pub(crate) fn is_repaired_in_memory(&self) -> bool {
        match &self.file {
            File::Inspected(_) => true,
            File::ReadWrite(opened) => opened.is_held_back(),
            File::ReadOnly(_) => false,
        }
    }

    /// What the last commit left.
    pub(crate) fn snapshot(&self) -> Result<Arc<Own<Snapshot>>> {
        self.process.check_number()?;
        if matches!(self.file, File::ReadOnly(_)) {
            // Another process commits.
            return contained(|| self.take_snapshot()).map(Arc::new);
        }
        let mut latest = self.latest();
        if let Some(snapshot) = &*latest {
            return Ok(Arc::clone(snapshot));
        }
        // Nobody is committing: who does has seen to it that there is one.
        let snapshot = Arc::new(contained(|| self.take_snapshot())?);
        *latest = Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// The same, with all its pages verified, whatever the store was opened with; the second is false
    /// where that cannot be done.
    pub(crate) fn verified_snapshot(&self) -> Result<(Arc<Own<Snapshot>>, bool)> {
        self.process.check_number()?;
        match &self.file {
            File::ReadOnly(followed) => {
                let take = || contained(|| self.take_snapshot()).map(Arc::new);
                followed.verified(take)
            }
            File::ReadWrite(opened) | File::Inspected(opened) => {
                opened.verify_pages()?;
                Ok((self.snapshot()?, true))
            }
        }
    }

    /// Shows what was just committed to all who read from now on, in the file and in memory.
    pub(crate) fn renew_snapshot(&self, draft: Draft) {
        let mut loading = self.keeper.loading();
        let latest = self.latest_snapshot();
        // If it cannot be taken, the next reader reports it.
        let new = contained(|| self.take_snapshot()).ok().map(Arc::new);
        let (before, after) = (latest.as_ref(), new.as_ref());
        loading.publish(draft, before.map(|own| &***own), after.map(|own| &***own));
        let old = std::mem::replace(&mut *self.latest(), new);
        drop(loading);
        drop(old); // Not while others wait for the locks.
    }

    /// What the last commit left, if anybody has read it.
    pub(crate) fn latest_snapshot(&self) -> Option<Arc<Own<Snapshot>>> {
        self.latest().clone()
    }

    /// What a write transaction that begins now changes of the records in memory.
    pub(crate) fn new_draft(&self) -> Draft {
        let latest = self.latest_snapshot();
        self.keeper.new_draft(latest.as_ref().map(|own| &***own))
    }

    /// What decides about keeping records in memory.
    pub(crate) fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    fn take_snapshot(&self) -> Result<Own<Snapshot>> {
        let snapshot = Snapshot::of(self.file.begin_read()?)?;
        Ok(Own::new(snapshot, &self.process))
    }

    fn latest(&self) -> MutexGuard<'_, Option<Arc<Own<Snapshot>>>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time, without the second that a leap second has twice.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        let now = (self.clock)();
        let nanoseconds = now.timestamp_subsec_nanos().min(999_999_999);
        DateTime::from_timestamp(now.timestamp(), nanoseconds).unwrap_or(now)
    }

    /// Waits for the turn of any other thread to end, and begins a write transaction. This
    /// thread's turn lasts until [`Shared::end_write`].
    pub(crate) fn begin_write(&self) -> Result<WriteTransaction> {
        self.process.check()?;
        let File::ReadWrite(opened) = &self.file else {
            return Err(Error::precondition("the store is open for reading only"));
        };
        self.check_writable()?;
        self.take_turn()?;
        let begun = contained(|| {
            // The one before may just have failed.
            self.check_writable()?;
            self.check_place()?;
            opened.verify_pages()?;
            // What the file holds is not known if this fails.
            opened
                .open_gate()
                .inspect_err(|error| self.break_writes(error))?;
            if let Some(log) = opened.log() {
                log.gate_is_open();
            }
            self.snapshot()?;
            opened.db.begin_write().or_fault()
        });
        if begun.is_err() {
            self.end_write();
        }
        begun
    }

    fn take_turn(&self) -> Result<()> {
        let mut writer = self.writer();
        check_not_own(*writer)?;
        while writer.is_some() {
            writer = self
                .next_turn
                .wait(writer)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *writer = Some(thread::current().id());
        Ok(())
    }

    /// This thread's turn has ended: its transaction, and all that follows it.
    pub(crate) fn end_write(&self) {
        *self.writer() = None;
        self.next_turn.notify_one();
    }

    /// Whether this thread could wait for a write transaction without waiting for itself.
    pub(crate) fn check_no_write_here(&self) -> Result<()> {
        self.process.check()?;
        check_not_own(*self.writer())
    }

    fn check_writable(&self) -> Result<()> {
        match self.broken.get() {
            Some(cause) => Err(Error::new(
                ErrorKind::Unavailable,
                "an earlier commit failed: close the store and open it again",
            )
            .caused_by(cause.clone())),
            None => Ok(()),
        }
    }

    fn writer(&self) -> MutexGuard<'_, Option<ThreadId>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No write is accepted from now on, for this reason. The first one stays.
    pub(crate) fn break_writes(&self, cause: &Error) {
        let _ = self.broken.set(cause.clone());
        if let Some(log) = self.log() {
            log.give_up();
        }
    }

    /// The next revision, never to be given again; and the bound that must be in the file with it,
    /// if that moves.
    pub(crate) fn next_revision(&self, reserved_in_txn: u64) -> Result<(Revision, Option<u64>)> {
        // There is one writer at a time.
        let revision = self.next_revision.load(Ordering::Acquire);
        let after = revision.checked_add(1);
        let bound = revision.checked_add(REVISION_BLOCK);
        let (Some(after), Some(bound)) = (after, bound) else {
            return Err(Error::precondition("the store has used up its revisions"));
        };
        self.next_revision.store(after, Ordering::Release);
        let reserved = self.reserved.load(Ordering::Acquire).max(reserved_in_txn);
        Ok((
            Revision::new(revision),
            (revision >= reserved).then_some(bound),
        ))
    }

    /// A transaction that moved the bound is committed.
    pub(crate) fn reserved(&self, bound: u64) {
        self.reserved.fetch_max(bound, Ordering::AcqRel);
    }
}

fn check_not_own(writer: Option<ThreadId>) -> Result<()> {
    if writer == Some(thread::current().id()) {
        return Err(Error::precondition(
            "this thread has a write transaction open already: use that one, or end it first",
        ));
    }
    Ok(())
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path)
            .field("policy", &self.policy)
            .finish()
    }
}
