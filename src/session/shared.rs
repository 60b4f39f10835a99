//! What all transactions of one open store share.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use redb::WriteTransaction;

use crate::model::error::{Error, ErrorKind, Result};
use crate::model::policy::{Policy, Share};
use crate::model::revision::Revision;
use crate::records::meta::Identity;
use crate::redb_file::expected::Changing;
use crate::redb_file::fault::{OrFault, OrIo, contained};
use crate::session::feed::news::{Announcer, CommitMark, News};
use crate::session::feed::recent::Changed;
use crate::session::log::Log;
use crate::session::log::recover::Recovered;
use crate::session::memory::{Draft, Keeper};
use crate::session::opened::{Database, File};
use crate::session::place::Place;
use crate::session::process::{Own, Process};
use crate::session::revisions::Revisions;
use crate::session::settings::{Clock, Settings};
use crate::session::sharing;
use crate::session::snapshot::{Held, Latest, Snapshot, revisions_below_in};
use crate::session::turn::WriteTurn;

/// An open store.
pub(crate) struct Shared {
    /// What the last commit left, for all who read.
    latest: Latest,
    held: Held,
    pub(crate) file: File,
    /// What the log had when the store was opened.
    pub(crate) recovered: Recovered,
    /// Where it must be for a write to be acknowledged; none if it is in memory, or never written.
    place: Option<Place>,
    /// The process that opened it, and may use it.
    pub(crate) process: Process,
    pub(crate) path: Option<PathBuf>,
    pub(crate) policy: Policy,
    pub(crate) share: Share,
    keeper: Keeper,
    clock: Clock,
    pub(crate) identity: Identity,
    /// Which history its revisions belong to.
    pub(crate) history: u64,
    pub(crate) revisions: Revisions,
    /// How many deletions are remembered at most.
    pub(crate) tombstones_max_count: u64,
    pub(crate) poll_interval: Duration,
    /// Wakes who waits for commits. Dropped with the store, it ends them.
    news: Announcer,
    turn: WriteTurn,
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
        let is_written_by_others = file.is_written_by_others();
        let memory_bytes = match is_written_by_others {
            true => 0,
            false => settings.memory_bytes,
        };
        let revisions = match is_written_by_others {
            true => Revisions::new(reserved).among_processes(),
            false => Revisions::new(reserved),
        };
        Self {
            latest: Latest::default(),
            held: Held::default(),
            path,
            policy,
            share: settings.share(),
            file,
            recovered: Recovered::default(),
            place: None,
            process,
            keeper: Keeper::new(memory_bytes),
            clock: settings.clock.clone(),
            identity,
            history: 0,
            revisions,
            tombstones_max_count: settings.tombstones_max_count,
            poll_interval: settings.poll_interval,
            news: Announcer::default(),
            turn: WriteTurn::default(),
        }
    }

    /// The same, where the file is at this place.
    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// The same, with revisions of this history.
    pub(crate) fn with_history(mut self, history: u64) -> Self {
        self.history = history;
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

    /// The log of a store that may be written.
    pub(crate) fn log(&self) -> Option<&Log> {
        self.file.log()
    }

    /// How many commits are in the log and not in the file, and what is damaged of them; none if no log is in use.
    pub(crate) fn verify_log(&self) -> Result<Option<(u64, Option<Error>)>> {
        match self.log().map_or(Ok(None), Log::verify)? {
            // They were applied in memory, whole.
            None if self.file.is_repaired_in_memory() => {
                Ok(self.recovered.commits.map(|commits| (commits, None)))
            }
            verified => Ok(verified),
        }
    }

    /// The database of redb, if it may be written, and where it is.
    pub(crate) fn into_database(self) -> Result<Option<(Database, Option<Place>)>> {
        drop(self.latest);
        let db = self.file.into_database()?;
        Ok(db.map(|db| (db, self.place)))
    }

    /// Closes the file, and tells if that fails, which dropping it does not. The system tells of a
    /// failed write once: a later sync would succeed without it. After a failure nothing is written.
    pub(crate) fn close(self) -> Result<()> {
        let at_its_place = self.place.as_ref().map_or(Ok(()), Place::check);
        drop(self.latest);
        let broken = self.turn.into_cause();
        let closed = self.file.close();
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

    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What the last commit left.
    pub(crate) fn snapshot(&self) -> Result<Arc<Own<Snapshot>>> {
        self.process.check_number()?;
        if self.file.is_written_by_others() {
            return contained(|| self.take_snapshot());
        }
        // Nobody commits while it is taken: who does has seen to it that there is one.
        self.latest
            .get_or_take(|| contained(|| self.take_snapshot()))
    }

    /// The same, with all its pages verified, whatever the store was opened with; the second is false
    /// where that cannot be done.
    pub(crate) fn verified_snapshot(&self) -> Result<(Arc<Own<Snapshot>>, bool)> {
        self.process.check_number()?;
        match &self.file {
            File::ReadOnly(followed) => {
                let take = || contained(|| self.take_snapshot());
                followed.verified(take)
            }
            File::ReadWrite(opened) | File::Inspected(opened) => {
                opened.verify_pages()?;
                Ok((self.snapshot()?, opened.are_pages_verified()))
            }
        }
    }

    /// Shows what was just committed to all who read from now on, in the file and in memory.
    pub(crate) fn renew_snapshot(&self, draft: Draft, changed: Option<Changed>) {
        if self.file.is_written_by_others() {
            self.news.committed();
            return; // Whoever reads takes a snapshot.
        }
        self.news.note(changed);
        let mut loading = self.keeper.loading();
        let latest = self.latest_snapshot();
        // If it cannot be taken, the next reader reports it.
        let new = contained(|| self.take_snapshot()).ok();
        let (before, after) = (latest.as_ref(), new.as_ref());
        loading.publish(draft, before.map(|own| &***own), after.map(|own| &***own));
        let old = self.latest.replace(new);
        self.news.committed();
        drop(loading);
        drop(old); // Not while others wait for the locks.
    }

    /// What the last commit left, if anybody has read it.
    pub(crate) fn latest_snapshot(&self) -> Option<Arc<Own<Snapshot>>> {
        self.latest.get()
    }

    /// What a write transaction that begins now changes of the records in memory.
    pub(crate) fn new_draft(&self) -> Draft {
        let latest = self.latest_snapshot();
        self.keeper.new_draft(latest.as_ref().map(|own| &***own))
    }

    /// Where a write transaction that begins now is to note what it changes, if anybody wants to know. Where others
    /// write as well, that would not be all.
    pub(crate) fn new_changed(&self) -> Option<Changed> {
        let is_wanted = self.news.is_followed() && !self.file.is_written_by_others();
        is_wanted.then(Changed::default)
    }

    /// The keys of all that changed after a revision; none if only the records themselves can tell.
    pub(crate) fn changed_since(&self, revision: Revision) -> Option<Vec<Box<[u8]>>> {
        match revision {
            Revision::NONE => None, // Some may have no revision at all.
            since => self.news.news().changed_since(since),
        }
    }

    /// Sees to it that all that can be read by now survives a power cut. What this process alone writes does.
    pub(crate) fn make_durable(&self) -> Result<()> {
        let file = self.file.beside_others();
        file.map_or(Ok(()), |file| file.sync().or_io())
    }

    /// Which commit is the last one that a snapshot shows which is taken from now on.
    ///
    /// Who asks before taking a snapshot, and later is told the same mark again, has seen everything by it. A mark
    /// that differs says that there may be more; so does an unknown one. It is cheap: no page is read but the header
    /// of a file that another process writes.
    pub(crate) fn last_commit(&self) -> Result<CommitMark> {
        self.process.check_number()?;
        match self.file.beside_others() {
            Some(file) => file.published().map(CommitMark::of_header),
            None => Ok(self.news.last_commit()),
        }
    }

    /// Wakes who waits for commits of this process.
    pub(crate) fn news(&self) -> &Arc<News> {
        self.news.news()
    }

    /// Why nobody may write any more, if that is so.
    pub(crate) fn check_unbroken(&self) -> Result<()> {
        self.turn.check_unbroken()
    }

    /// Whether other processes commit, which nobody here is told.
    pub(crate) fn is_written_by_others(&self) -> bool {
        self.file.is_written_by_others()
    }

    /// What decides about keeping records in memory.
    pub(crate) fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    fn take_snapshot(&self) -> Result<Arc<Own<Snapshot>>> {
        let snapshot = Snapshot::of(self.file.begin_read()?)?;
        let snapshot = Arc::new(Own::new(snapshot, &self.process));
        self.held.add(&snapshot);
        Ok(snapshot)
    }

    /// How long this process has held the oldest snapshot, except for this one and that of the last commit.
    pub(crate) fn oldest_snapshot(&self, except: &Arc<Own<Snapshot>>) -> Result<Option<Duration>> {
        // Before any lock is taken: a fork may have copied one that is held for good.
        self.process.check_number()?;
        let latest = self.latest_snapshot();
        let excepted: Vec<_> = latest.iter().chain([except]).collect();
        Ok(self.held.oldest(&excepted))
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
        self.turn.check_unbroken()?;
        self.turn.take()?;
        let begun = contained(|| {
            // The one before may just have failed.
            self.turn.check_unbroken()?;
            self.check_place()?;
            match opened.others() {
                None => {
                    self.check_undamaged()?;
                    self.snapshot()?;
                    opened.db.begin_write().or_fault()
                }
                Some(among) => {
                    opened.verify_pages()?;
                    let txn =
                        sharing::begin_write(&opened.db, self.path(), &among.locks, among.wait)?;
                    self.revisions.resume(revisions_below_in(&txn)?);
                    Ok(txn)
                }
            }
        });
        if begun.is_err() {
            self.end_write();
        }
        begun
    }

    /// Lets a commit that is about to be made reach the file, and all that was kept from it so far.
    ///
    /// # Errors
    ///
    /// `Corrupt` if a damaged page was found; errors of the file, after which nothing more is written.
    pub(crate) fn let_through(&self) -> Result<()> {
        let File::ReadWrite(opened) = &self.file else {
            return Ok(());
        };
        self.check_undamaged()?;
        // What the file holds is not known if this fails.
        opened
            .open_gate()
            .inspect_err(|error| self.break_writes(error))?;
        if let Some(log) = opened.log() {
            log.gate_is_open();
        }
        Ok(())
    }

    /// Fails once a damaged page was found.
    fn check_undamaged(&self) -> Result<()> {
        self.file.damage().cloned().map_or(Ok(()), Err)
    }

    /// Begins a change of the trees of redb, which lasts until the result is dropped.
    ///
    /// # Errors
    ///
    /// `Corrupt` if a damaged page was found.
    pub(crate) fn begin_change(&self) -> Result<Option<Changing<'_>>> {
        match &self.file {
            File::ReadWrite(opened) => opened.begin_change(),
            File::ReadOnly(_) | File::Inspected(_) => Ok(None),
        }
    }

    /// What was read of the file, if it can be believed. Once a damaged page was found, nobody knows whether what is
    /// not found is not there; `is_sure` says whether what was read does not depend on that.
    pub(crate) fn believe<T>(
        &self,
        read: Result<T>,
        is_sure: impl FnOnce(&T) -> bool,
    ) -> Result<T> {
        let Some(damage) = self.file.damage() else {
            return read;
        };
        match read {
            Ok(value) if is_sure(&value) => Ok(value),
            Err(error) if !is_follow_up(&error) => Err(error),
            Ok(_) | Err(_) => Err(damage.clone()),
        }
    }

    /// This thread's turn has ended: its transaction, and all that follows it.
    pub(crate) fn end_write(&self) {
        self.turn.end();
    }

    /// Whether this thread could wait for a write transaction without waiting for itself.
    pub(crate) fn check_no_write_here(&self) -> Result<()> {
        self.process.check()?;
        self.turn.check_not_own()
    }

    /// No write is accepted from now on, for this reason. The first one stays.
    pub(crate) fn break_writes(&self, cause: &Error) {
        self.turn.break_off(cause);
        self.news.committed();
        if let Some(log) = self.log() {
            log.give_up();
        }
    }
}

/// Whether damage may be the reason for an error.
fn is_follow_up(error: &Error) -> bool {
    error.is_corrupt() || error.is_not_found() || error.is_unavailable()
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path)
            .field("policy", &self.policy)
            .finish()
    }
}
