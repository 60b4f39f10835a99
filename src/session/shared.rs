//! What all transactions of one open store share.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::model::error::{Error, ErrorKind, Result};
use crate::model::policy::{Policy, Share};
use crate::model::revision::Revision;
use crate::query::Layer;
use crate::records::meta::Identity;
use crate::redb_file::expected::Changing;
use crate::redb_file::fault::{OrFault, OrIo, contained};
use crate::session::feed::news::{Announcer, CommitMark, News};
use crate::session::feed::recent::Changed;
use crate::session::log::changes::RowChanges;
use crate::session::log::recover::Recovered;
use crate::session::log::{Committed, Log, Outcome};
use crate::session::memory::{Draft, Keeper};
use crate::session::opened::{Database, File, Opened};
use crate::session::place::Place;
use crate::session::process::{Own, Process};
use crate::session::revisions::Revisions;
use crate::session::settings::{Clock, Settings};
use crate::session::sharing::{self, Limit};
use crate::session::snapshot::{Contents, Held, Latest, Snapshot, revisions_below_in};
use crate::session::turn::WriteTurn;
use crate::session::written::{Begun, Unlogged};
use chrono::{DateTime, Utc};

/// An open store.
pub(crate) struct Shared {
    /// The snapshot of the last commit, for all readers.
    latest: Latest,
    held: Held,
    pub(crate) file: File,
    /// What the log had when the store was opened.
    pub(crate) recovered: Recovered,
    /// Where the file must be for a write to be acknowledged; `None` if it is in memory, or never written.
    place: Option<Place>,
    /// Where a file is that is only read, for followers.
    followed: Option<Place>,
    /// The process that opened the store, and may use it.
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
    /// Wakes those who wait for commits. Dropping it with the store ends their waiting.
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
        // If another process commits, there is no snapshot to keep records for.
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
            followed: None,
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

    /// Sets the place of a file that is only read. It is no error if that is left, except for followers.
    pub(crate) fn followed_at(mut self, place: Place) -> Self {
        self.followed = Some(place);
        self
    }

    /// Whether the file that is followed is where it was when it was opened: in another one things go on that nobody
    /// would notice.
    pub(crate) fn check_followed(&self) -> Result<()> {
        let place = self.place.as_ref().or(self.followed.as_ref());
        place.map_or(Ok(()), Place::check)
    }

    /// Sets the place of the file.
    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Sets the history of the revisions.
    pub(crate) fn with_history(mut self, history: u64) -> Self {
        self.history = history;
        self
    }

    /// Sets what was found in the log.
    pub(crate) fn with_recovered(mut self, recovered: Recovered) -> Self {
        self.recovered = recovered;
        self
    }

    /// Checks that the file is where it was when it was opened.
    pub(crate) fn check_place(&self) -> Result<()> {
        self.place.as_ref().map_or(Ok(()), Place::check)?;
        self.log().map_or(Ok(()), Log::check_place)
    }

    /// Returns the log of a store that may be written.
    pub(crate) fn log(&self) -> Option<&Log> {
        self.file.log()
    }

    /// Returns how many commits are in the log and not in the file, and the damage among them; `None` if no log is in
    /// use.
    pub(crate) fn verify_log(&self) -> Result<Option<(u64, Option<Error>)>> {
        match self.log().map_or(Ok(None), Log::verify)? {
            // They were all applied in memory.
            None if self.file.is_repaired_in_memory() => {
                Ok(self.recovered.commits.map(|commits| (commits, None)))
            }
            verified => Ok(verified),
        }
    }

    /// Returns the database of redb, if it may be written, and its place.
    pub(crate) fn into_database(self) -> Result<Option<(Database, Option<Place>)>> {
        drop(self.latest);
        let db = self.file.into_database()?;
        Ok(db.map(|db| (db, self.place)))
    }

    /// Closes the file and reports a failure, which dropping it does not. The system reports a failed write only once:
    /// a later sync would succeed without it. After a failure nothing is written.
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
                 acknowledged is in the file, or in its log if it has one: open it again",
            )),
            (closed, None) => closed.and(at_its_place),
        }
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Returns the snapshot of the last commit.
    pub(crate) fn snapshot(&self) -> Result<Arc<Own<Snapshot>>> {
        self.process.check_number()?;
        if self.file.is_written_by_others() {
            return contained(|| self.take_snapshot());
        }
        // No commit happens while it is taken: a committer has already made sure that there is one.
        self.latest
            .get_or_take(|| contained(|| self.take_snapshot()))
    }

    /// Returns the snapshot with all its pages verified, however the store was opened. The second value is false if
    /// they cannot be verified.
    pub(crate) fn verified_snapshot(&self) -> Result<(Arc<Own<Snapshot>>, bool)> {
        self.process.check_number()?;
        match &self.file {
            File::ReadOnly(followed) => {
                let take = || contained(|| self.take_snapshot());
                followed.verified(take)
            }
            File::ReadWrite(opened) | File::Inspected(opened) => {
                // What other processes have written since the file was opened is verified anew.
                if let Some(verified) = opened.verified(|| self.snapshot()) {
                    return verified;
                }
                opened.verify_pages()?;
                Ok((self.snapshot()?, opened.are_pages_verified()))
            }
        }
    }

    /// Commits a transaction through the log.
    pub(crate) fn commit_through_log(
        &self,
        changes: RowChanges,
        layer: Layer,
        is_checkpoint: bool,
    ) -> Result<Outcome> {
        match (&self.file, self.log()) {
            (File::ReadWrite(opened), Some(log)) => {
                log.commit(&opened.target(), changes, layer, is_checkpoint)
            }
            _ => Err(read_only()),
        }
    }

    /// Shows the last commit to all readers from now on, in the file and in memory. `committed` is what the store then
    /// holds, if it went through the log.
    pub(crate) fn renew_snapshot(
        &self,
        draft: Draft,
        changed: Option<Changed>,
        committed: Option<Committed>,
    ) {
        if self.file.is_written_by_others() {
            self.news.committed();
            return; // Each reader takes a snapshot of its own.
        }
        self.news.note(changed);
        let mut loading = self.keeper.loading();
        let latest = self.latest_snapshot();
        let new = match (committed, &latest) {
            // If the snapshot cannot be taken, the next reader reports it.
            (None, _) => contained(|| self.take_snapshot()).ok(),
            (Some(committed), latest) => match self.snapshot_after(committed, latest.as_deref()) {
                Ok(new) => Some(new),
                Err(error) => {
                    // Without it, what the log has would be missing from all that follows.
                    self.break_writes(&error);
                    return;
                }
            },
        };
        let (before, after) = (latest.as_ref(), new.as_ref());
        loading.publish(draft, before.map(|own| &***own), after.map(|own| &***own));
        let old = self.latest.replace(new);
        self.news.committed();
        drop(loading);
        drop(old); // Not while others wait for the locks.
    }

    /// Returns the snapshot of the last commit, if it has been read.
    pub(crate) fn latest_snapshot(&self) -> Option<Arc<Own<Snapshot>>> {
        self.latest.get()
    }

    /// Returns a draft of the records in memory, for a write transaction that begins now.
    pub(crate) fn new_draft(&self) -> Draft {
        let latest = self.latest_snapshot();
        self.keeper.new_draft(latest.as_ref().map(|own| &***own))
    }

    /// Returns where a write transaction that begins now is to note its changes, if there are followers. `None` if
    /// other processes also write, since the notes would be incomplete.
    pub(crate) fn new_changed(&self) -> Option<Changed> {
        let is_wanted = self.news.is_followed() && !self.file.is_written_by_others();
        is_wanted.then(Changed::default)
    }

    /// Returns the keys of everything that changed after a revision; `None` if only the records themselves show it.
    pub(crate) fn changed_since(&self, revision: Revision) -> Option<Vec<Box<[u8]>>> {
        match revision {
            Revision::NONE => None, // Some may have no revision at all.
            since => self.news.news().changed_since(since),
        }
    }

    /// Makes everything that can be read now durable. Commits of a process that alone writes the file always are.
    pub(crate) fn make_durable(&self) -> Result<()> {
        let file = self.file.beside_others();
        file.map_or(Ok(()), |file| file.sync().or_io())
    }

    /// Returns a mark of the last commit that a snapshot taken from now on shows.
    ///
    /// A reader that gets the same mark before it takes a snapshot and again later has seen everything in that
    /// snapshot. If the mark differs or is unknown, there may be more. The call is cheap: it reads at most the header
    /// of a file that another process writes.
    pub(crate) fn last_commit(&self) -> Result<CommitMark> {
        self.process.check_number()?;
        match self.file.beside_others() {
            Some(file) => file.published().map(CommitMark::of_header),
            None => Ok(self.news.last_commit()),
        }
    }

    /// Returns the news of the store, which wakes those who wait for commits of this process.
    pub(crate) fn news(&self) -> &Arc<News> {
        self.news.news()
    }

    /// Fails, with the cause, if no write is accepted any more.
    pub(crate) fn check_unbroken(&self) -> Result<()> {
        self.turn.check_unbroken()
    }

    /// Whether other processes commit. They do not notify this one.
    pub(crate) fn is_written_by_others(&self) -> bool {
        self.file.is_written_by_others()
    }

    /// Returns what decides about keeping records in memory.
    pub(crate) fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Makes the snapshot of a commit through the log. `latest` is the one before.
    fn snapshot_after(
        &self,
        committed: Committed,
        latest: Option<&Own<Snapshot>>,
    ) -> Result<Arc<Own<Snapshot>>> {
        let Committed { contents, layer } = committed;
        let contents = contents.or_else(|| latest.map(|latest| latest.contents().clone()));
        let missing = || Error::precondition("the commit before has no snapshot");
        self.snapshot_of(contents.ok_or_else(missing)?.with_layer(layer))
    }

    fn take_snapshot(&self) -> Result<Arc<Own<Snapshot>>> {
        self.snapshot_of(Contents::of(self.file.begin_read()?))
    }

    fn snapshot_of(&self, contents: Contents) -> Result<Arc<Own<Snapshot>>> {
        let snapshot = Arc::new(Own::new(Snapshot::of(contents)?, &self.process));
        self.held.add(&snapshot);
        Ok(snapshot)
    }

    /// Returns how long this process has held its oldest snapshot, except for this one and that of the last commit.
    pub(crate) fn oldest_snapshot(&self, except: &Arc<Own<Snapshot>>) -> Result<Option<Duration>> {
        // Checked before any lock is taken: a fork may have copied a lock that is held for good.
        self.process.check_number()?;
        let latest = self.latest_snapshot();
        let excepted: Vec<_> = latest.iter().chain([except]).collect();
        Ok(self.held.oldest(&excepted))
    }

    /// Returns the time. In a leap second, the nanoseconds stay below one second.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        let now = (self.clock)();
        let nanoseconds = now.timestamp_subsec_nanos().min(999_999_999);
        DateTime::from_timestamp(now.timestamp(), nanoseconds).unwrap_or(now)
    }

    /// Waits for the turn of any other thread to end, and begins a write transaction. This thread's turn lasts until
    /// [`Shared::end_write`].
    pub(crate) fn begin_write(&self) -> Result<Begun> {
        self.process.check()?;
        let File::ReadWrite(opened) = &self.file else {
            return Err(read_only());
        };
        self.process.unforked(|| self.begin_in_turn(opened))
    }

    fn begin_in_turn(&self, opened: &Opened) -> Result<Begun> {
        self.turn.check_unbroken()?;
        // Waiting for another thread is part of waiting for the turn among processes.
        let others = opened.others().map(|among| (among, Limit::of(among.wait)));
        self.turn.take(others.map(|(_, limit)| limit))?;
        let begun = contained(|| {
            // The transaction before may just have failed.
            self.turn.check_unbroken()?;
            self.check_place()?;
            match others {
                None => {
                    self.check_undamaged()?;
                    let snapshot = self.snapshot()?;
                    let next = opened.log().map_or(Ok(None), Log::next);
                    match next.map_err(|error| self.checkpoint_failed(error))? {
                        Some(next) => {
                            let unlogged = Unlogged::on(snapshot, next)?;
                            Ok(Begun::Unlogged(Box::new(unlogged)))
                        }
                        None => {
                            let txn = opened.db.begin_write().or_fault()?;
                            Ok(Begun::Stored(Box::new(txn)))
                        }
                    }
                }
                Some((among, limit)) => {
                    opened.verify_pages()?;
                    let txn = sharing::begin_write(&opened.db, self.path(), &among.locks, limit)?;
                    self.revisions.resume(revisions_below_in(&txn)?);
                    Ok(Begun::Stored(Box::new(txn)))
                }
            }
        });
        if begun.is_err() {
            self.end_write();
        }
        begun
    }

    /// Lets a coming commit reach the file, with everything that was kept from it so far.
    ///
    /// # Errors
    ///
    /// `Corrupt` if a damaged page was found; errors of the file, after which nothing more is written.
    pub(crate) fn let_through(&self) -> Result<()> {
        let File::ReadWrite(opened) = &self.file else {
            return Ok(());
        };
        self.check_undamaged()?;
        // If this fails, the content of the file is unknown.
        opened
            .open_gate()
            .inspect_err(|error| self.break_writes(error))?;
        if let Some(log) = opened.log() {
            log.gate_is_open();
        }
        Ok(())
    }

    /// Fails once a damaged page was found.
    pub(crate) fn check_undamaged(&self) -> Result<()> {
        self.file.damage().cloned().map_or(Ok(()), Err)
    }

    /// Begins a change of redb's trees, which lasts until the result is dropped.
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

    /// Returns what was read from the file, if it is certain. Once a damaged page was found, a missing record may be
    /// hidden by it. `is_sure` says whether the result is certain even then.
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

    /// Ends this thread's turn, after its transaction and everything that follows it.
    pub(crate) fn end_write(&self) {
        self.turn.end();
    }

    /// Fails if this thread would wait for itself by waiting for a write transaction.
    pub(crate) fn check_no_write_here(&self) -> Result<()> {
        self.process.check()?;
        self.turn.check_not_own()
    }

    /// Refuses all writes from now on, since a checkpoint failed. Returns the error for the transaction that noticed it.
    pub(crate) fn checkpoint_failed(&self, cause: Error) -> Error {
        self.break_writes(&cause);
        let what = "a checkpoint failed: nothing of the transaction is stored. What was acknowledged before is in the \
                    file or its log: open the store again";
        Error::new(ErrorKind::Unavailable, what).caused_by(cause)
    }

    /// Refuses all writes from now on, for this reason. The first reason is kept.
    pub(crate) fn break_writes(&self, cause: &Error) {
        self.turn.break_off(cause);
        self.news.committed();
        if let Some(log) = self.log() {
            log.give_up();
        }
    }
}

fn read_only() -> Error {
    Error::precondition("the store is open for reading only")
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
