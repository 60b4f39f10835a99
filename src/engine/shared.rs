//! What all transactions of one open store share.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use chrono::{DateTime, Utc};
pub(crate) use redb::Database;
use redb::{ReadOnlyDatabase, ReadTransaction, ReadableDatabase, WriteTransaction};

use crate::engine::backend::Unverified;
use crate::engine::fault::{Closing, OrFault, contained};
use crate::engine::index::Index;
use crate::engine::snapshot::Snapshot;
use crate::error::{Error, ErrorKind, Result};
use crate::record::Identity;
use crate::revision::Revision;
use crate::update::Rules;

/// How many revisions are reserved in the file at a time.
///
/// The highest revision handed out is not written with every commit, which would cost a page more
/// each time: the file holds an upper bound, moved ahead by this many once it is reached. So
/// reopening skips up to this many revisions, and never repeats one.
pub(crate) const REVISION_BLOCK: u64 = 1024;

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
    pub(crate) check_integrity: bool,
    /// How much memory the index may take; none with 0.
    pub(crate) index_bytes: usize,
    pub(crate) live_readers: bool,
    pub(crate) expected_uuid: Option<[u8; 16]>,
    pub(crate) clock: Clock,
    /// Hears how far a check or a repair is while a file is opened, from 0 to 1.
    pub(crate) on_repair: Option<OnRepair>,
}

impl Settings {
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
    ReadOnly(Closing<ReadOnlyDatabase>),
    /// Repaired in memory, never written.
    Inspected(Opened),
}

impl File {
    pub(crate) fn begin_read(&self) -> Result<ReadTransaction> {
        contained(|| {
            match self {
                Self::ReadWrite(opened) | Self::Inspected(opened) => opened.db.begin_read(),
                Self::ReadOnly(db) => db.begin_read(),
            }
            .or_fault()
        })
    }

    /// Whether every page was verified when the file was opened.
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
    pages: Mutex<Pages>,
}

/// Who has verified the pages of a file.
enum Pages {
    Verified,
    /// Nobody but those that redb opens and closes it by.
    Unverified(Unverified),
    Damaged(Error),
}

impl Opened {
    pub(crate) fn new(db: Closing<Database>, unverified: Option<Unverified>) -> Self {
        Self {
            db,
            pages: Mutex::new(unverified.map_or(Pages::Verified, Pages::Unverified)),
        }
    }

    fn are_pages_verified(&self) -> bool {
        matches!(*self.lock_pages(), Pages::Verified)
    }

    /// Verifies all pages, before the first write, if nobody has. What is damaged stays so.
    pub(crate) fn verify_pages(&self) -> Result<()> {
        let mut pages = self.lock_pages();
        let verified = match &*pages {
            Pages::Verified => return Ok(()),
            Pages::Damaged(error) => return Err(error.clone()),
            Pages::Unverified(unverified) => unverified.verify(),
        };
        match &verified {
            Ok(()) => *pages = Pages::Verified,
            Err(error) if error.is_corrupt() => *pages = Pages::Damaged(error.clone()),
            Err(_) => {}
        }
        verified
    }

    fn lock_pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
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
    latest: Mutex<Option<Arc<Snapshot>>>,
    file: File,
    pub(crate) path: Option<PathBuf>,
    pub(crate) rules: Rules,
    pub(crate) index: Index,
    /// Whether every page was verified when the file was opened.
    pub(crate) pages_verified: bool,
    clock: Clock,
    pub(crate) identity: Identity,
    /// The next revision to hand out.
    next_revision: AtomicU64,
    /// Revisions below this one are reserved in the file.
    reserved: AtomicU64,
    /// Set when a commit failed: what the file holds is not known.
    broken: AtomicBool,
    /// The thread whose turn it is to write.
    ///
    /// redb lets the next writer in as soon as a commit is made. The turn lasts until what follows
    /// a commit is done as well: the index must hear of commits in their order, and nobody may
    /// write after one that failed.
    writer: Mutex<Option<ThreadId>>,
    /// The turn has ended.
    next_turn: Condvar,
}

impl Shared {
    pub(crate) fn new(
        file: File,
        path: Option<PathBuf>,
        rules: Rules,
        settings: &Settings,
        identity: Identity,
        reserved: u64,
    ) -> Self {
        // Of what another process commits, the index would hear nothing.
        let index_bytes = match file {
            File::ReadWrite(_) => settings.index_bytes,
            File::ReadOnly(_) | File::Inspected(_) => 0,
        };
        Self {
            latest: Mutex::default(),
            path,
            rules,
            pages_verified: file.pages_verified(),
            file,
            index: Index::new(index_bytes),
            clock: settings.clock.clone(),
            identity,
            next_revision: AtomicU64::new(reserved.max(1)),
            reserved: AtomicU64::new(reserved),
            broken: AtomicBool::new(false),
            writer: Mutex::new(None),
            next_turn: Condvar::new(),
        }
    }

    /// The database of redb, if it may be written.
    pub(crate) fn into_database(self) -> Option<Database> {
        drop(self.latest);
        match self.file {
            File::ReadWrite(opened) => opened.db.into_inner(),
            File::ReadOnly(_) | File::Inspected(_) => None,
        }
    }

    /// Closes the file, and tells if that fails, which dropping it does not. The system tells of a
    /// failed write once: a later sync would succeed without it.
    pub(crate) fn close(self) -> Result<()> {
        drop(self.latest);
        contained(move || {
            match self.file {
                File::ReadWrite(opened) | File::Inspected(opened) => {
                    opened.db.into_inner().map_or(Ok(()), Database::close)
                }
                File::ReadOnly(db) => db.into_inner().map_or(Ok(()), ReadOnlyDatabase::close),
            }
            .or_fault()
        })
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    pub(crate) fn is_read_only(&self) -> bool {
        !matches!(self.file, File::ReadWrite(_))
    }

    /// Whether the file is read as it would be after a repair, which is not made.
    pub(crate) fn is_repaired_in_memory(&self) -> bool {
        matches!(self.file, File::Inspected(_))
    }

    /// What the last commit left.
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>> {
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

    /// Shows what was just committed to all who read from now on. The index has heard of it.
    pub(crate) fn renew_snapshot(&self) {
        // If it cannot be taken, the next reader is told.
        let new = contained(|| self.take_snapshot()).ok().map(Arc::new);
        let old = std::mem::replace(&mut *self.latest(), new);
        drop(old); // Not while others wait for the lock.
    }

    fn take_snapshot(&self) -> Result<Snapshot> {
        Snapshot::of(self.file.begin_read()?, self.index.version())
    }

    fn latest(&self) -> MutexGuard<'_, Option<Arc<Snapshot>>> {
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
        let File::ReadWrite(opened) = &self.file else {
            return Err(Error::precondition("the store is open for reading only"));
        };
        self.check_writable()?;
        self.take_turn()?;
        let begun = contained(|| {
            // The one before may just have failed.
            self.check_writable()?;
            opened.verify_pages()?;
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
        check_not_own(*self.writer())
    }

    fn check_writable(&self) -> Result<()> {
        if self.broken.load(Ordering::Acquire) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "an earlier commit failed: close the store and open it again",
            ));
        }
        Ok(())
    }

    fn writer(&self) -> MutexGuard<'_, Option<ThreadId>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No write is accepted from now on.
    pub(crate) fn break_writes(&self) {
        self.broken.store(true, Ordering::Release);
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
            .field("rules", &self.rules)
            .finish()
    }
}
