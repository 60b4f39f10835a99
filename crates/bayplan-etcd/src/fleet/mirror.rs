//! Keeps a copy of one store in etcd.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bayplan::{Change, Db, Detail, Error, Position, Result};
use chrono::Utc;

use crate::draft::{Committed, Draft, Stored};
use crate::fleet::alive::Alive;
use crate::fleet::batch::Batch;
use crate::fleet::claim::{Claim, lost};
use crate::fleet::copy::Fleet;
use crate::fleet::prune;
use crate::fleet::row::{Row, check_host};
use crate::keys::Keys;
use crate::options::Options;
use crate::shared::{At, Shared};

/// The most changes that are written before a mirror looks at the clock.
const TURN_MAX_COUNT: usize = 1_000;

/// How often a mirror that waits for changes looks whether it is to end.
const LOOK_PAUSE: Duration = Duration::from_millis(250);

/// How often a mirror writes, at least: then a host that dies is known to have lived until then, and a mirror that was
/// replaced notices.
const WRITE_PAUSE: Duration = Duration::from_secs(5 * 60);

/// Keeps a copy of a store in etcd, as the copy of one host of a fleet.
///
/// The copy follows the store: it has each change soon after its commit, and never a state that the store had not. Each
/// transaction in etcd has the position in the store's feed that it reaches, so a mirror that is started again continues
/// where the last one ended.
///
/// Specs, extensions and the values of records may hold secrets. They are copied only if asked for.
///
/// One mirror of a host writes at a time. A second one of the same store takes over, and the first fails with its next
/// write, or within five minutes. One of another store is refused.
///
/// Once it is dropped, the host does not count as alive; this waits for etcd, up to two seconds. [`Mirror::end`] notes
/// the time as well.
pub struct Mirror<'d> {
    db: &'d Db,
    fleet: Fleet,
    host: String,
    keys: Keys,
    row_key: Vec<u8>,
    /// The row of the host, as this mirror wrote it last.
    row: (Row, Stored),
    /// When that was.
    written: Instant,
    /// Whether the outcome of the last commit is unknown.
    must_look: bool,
    _alive: Alive,
}

/// What a mirror did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Changes written.
    pub changes_count: u64,
    /// Records removed because the store does not have them any more, found by comparing.
    pub pruned_count: u64,
    /// Transactions committed.
    pub commits_count: u64,
}

impl std::ops::AddAssign for Progress {
    fn add_assign(&mut self, other: Self) {
        self.changes_count += other.changes_count;
        self.pruned_count += other.pruned_count;
        self.commits_count += other.commits_count;
    }
}

impl<'d> Mirror<'d> {
    /// Begins to keep a copy of `db` as that of `host`. Another mirror of the host writes no more from now on.
    ///
    /// # Errors
    ///
    /// [`FailedPrecondition`](bayplan::ErrorKind::FailedPrecondition), with [`AnotherStore`](crate::AnotherStore) as its
    /// cause, if the copy of the host is of another store; also if another mirror of the host began at the same time.
    /// [`Corrupt`](bayplan::ErrorKind::Corrupt) if it cannot be read of which store it is.
    /// [`InvalidArgument`](bayplan::ErrorKind::InvalidArgument) if the host's name has not the form of an identifier;
    /// otherwise as [`Fleet::open`].
    pub fn open(db: &'d Db, options: &Options, host: &str, with_specs: bool) -> Result<Self> {
        Self::opened(db, options, host, with_specs, false)
    }

    /// Begins as [`Mirror::open`], but makes the copy anew, whether it is of this store, of another, or cannot be read.
    ///
    /// # Errors
    ///
    /// As [`Mirror::open`], but for these two.
    pub fn replace(db: &'d Db, options: &Options, host: &str, with_specs: bool) -> Result<Self> {
        Self::opened(db, options, host, with_specs, true)
    }

    fn opened(
        db: &'d Db,
        options: &Options,
        host: &str,
        has_specs: bool,
        may_replace: bool,
    ) -> Result<Self> {
        check_host(host)?;
        let fleet = Fleet::open(options)?;
        let claim = Claim {
            store_id: db.info().id.to_string(),
            has_specs,
            may_replace,
        };
        let row = claim.take(&fleet, host)?;
        // Not before: the host may be that of another mirror.
        let alive = Alive::begin(&fleet, host, &row.0);
        Ok(Self {
            db,
            host: host.to_owned(),
            keys: fleet.keys_of(host),
            row_key: fleet.row_key(host),
            fleet,
            row,
            written: Instant::now(),
            must_look: false,
            _alive: alive,
        })
    }

    /// Returns the position up to which the copy has everything; `None` before its first listing is complete.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.row.0.position
    }

    /// Brings the copy up to date, and returns.
    ///
    /// # Errors
    ///
    /// [`FailedPrecondition`](bayplan::ErrorKind::FailedPrecondition) if another mirror has taken over, or the copy was
    /// removed;
    /// [`Corrupt`](bayplan::ErrorKind::Corrupt) if the store is damaged; otherwise as any write. What was committed
    /// stays, and the next call continues there.
    pub fn catch_up(&mut self) -> Result<Progress> {
        self.look()?;
        let Some(position) = self.row.0.position else {
            return self.copy_all();
        };
        match self.db.changes_since(position, self.detail()) {
            Ok(changes) => match self.write_all(changes, true) {
                Err(error) if error.is_lagged() => self.copy_all(),
                done => done,
            },
            Err(error) if error.is_lagged() => self.copy_all(),
            Err(error) => Err(error),
        }
    }

    /// Brings the copy up to date, and follows the store for a time. Returns earlier only for an error.
    ///
    /// # Errors
    ///
    /// As [`Mirror::catch_up`]; [`Unavailable`](bayplan::ErrorKind::Unavailable) if the store is closed.
    pub fn follow(&mut self, time: Duration) -> Result<Progress> {
        let begun = Instant::now();
        self.follow_while(|| time.saturating_sub(begun.elapsed()))
    }

    /// Brings the copy up to date, and follows the store until `is_ended`, which is looked at while there is nothing to
    /// write, four times a second. Returns earlier only for an error.
    ///
    /// # Errors
    ///
    /// As [`Mirror::follow`].
    pub fn follow_until(&mut self, is_ended: &AtomicBool) -> Result<Progress> {
        self.follow_while(|| match is_ended.load(Ordering::Relaxed) {
            true => Duration::ZERO,
            false => LOOK_PAUSE,
        })
    }

    /// Follows the store while there is time left.
    fn follow_while(&mut self, left: impl Fn() -> Duration) -> Result<Progress> {
        let mut progress = self.catch_up()?;
        loop {
            let from = self.row.0.position.unwrap_or(Position::START);
            let mut subscription = self.db.subscribe(from, self.detail())?;
            let followed = loop {
                let left = left();
                let first = match subscription.recv_timeout(left.min(LOOK_PAUSE)) {
                    Ok(Some(first)) => first,
                    Ok(None) if left.is_zero() => return Ok(progress),
                    Ok(None) => {
                        progress += self.stay_known()?;
                        continue;
                    }
                    Err(error) => break error,
                };
                // What has happened meanwhile goes into the same transaction.
                let more = std::iter::from_fn(|| subscription.try_recv().transpose());
                let more = more.take(TURN_MAX_COUNT);
                match self.write_all(std::iter::once(Ok(first)).chain(more), true) {
                    Ok(done) => progress += done,
                    Err(error) => break error,
                }
            };
            if !followed.is_lagged() {
                return Err(followed);
            }
            progress += self.copy_all()?;
        }
    }

    /// Ends the mirror. From now on the host does not count as alive, and is known to have been so until now.
    ///
    /// # Errors
    ///
    /// As [`Mirror::catch_up`]. It has ended nevertheless.
    pub fn end(mut self) -> Result<()> {
        self.look()?;
        self.row.0.has_ended = true;
        self.write_row(self.row.0.position)
    }

    /// Writes the time, if nothing was written for long.
    fn stay_known(&mut self) -> Result<Progress> {
        let mut progress = Progress::default();
        if self.written.elapsed() >= WRITE_PAUSE {
            self.write_row(self.row.0.position)?;
            progress.commits_count = 1;
        }
        Ok(progress)
    }

    fn detail(&self) -> Detail {
        match self.row.0.has_specs {
            true => Detail::Whole,
            false => Detail::Header(Vec::new()),
        }
    }

    /// Writes everything that the store has, and removes what it has not.
    fn copy_all(&mut self) -> Result<Progress> {
        let snapshot = self.db.read()?;
        let mut changes = snapshot.changes_since(Position::START, self.detail())?;
        let mut progress = self.write_all(&mut changes, false)?;
        let position = changes.position();
        progress += prune::gone(self, &snapshot)?;
        self.write_row(Some(position))?;
        progress.commits_count += 1;
        Ok(progress)
    }

    /// Writes changes, in as few transactions as they need. `is_complete` if all before them is in the copy, so that
    /// their positions can be kept.
    fn write_all(
        &mut self,
        changes: impl IntoIterator<Item = Result<Change>>,
        is_complete: bool,
    ) -> Result<Progress> {
        let mut progress = Progress::default();
        let mut position = if is_complete {
            self.row.0.position
        } else {
            None
        };
        let shared = Arc::clone(&self.fleet.shared);
        let mut batch = self.batch(&shared);
        for change in changes {
            let change = change?;
            if batch.is_full() {
                self.commit(batch, position)?;
                progress.commits_count += 1;
                batch = self.batch(&shared);
            }
            batch.add(&self.keys, &change, self.row.0.has_specs)?;
            progress.changes_count += 1;
            position = is_complete.then_some(change.position);
        }
        if batch.count > 0 {
            self.commit(batch, position)?;
            progress.commits_count += 1;
        }
        Ok(progress)
    }

    /// Writes nothing but the row of the host.
    fn write_row(&mut self, position: Option<Position>) -> Result<()> {
        let shared = Arc::clone(&self.fleet.shared);
        self.commit(self.batch(&shared), position)
    }

    /// Begins a transaction that writes only if no other mirror of the host has written.
    pub(super) fn batch<'c>(&self, shared: &'c Shared) -> Batch<'c> {
        let fixed = (self.row_key.clone(), self.row.1.clone());
        Batch {
            draft: Draft::new(&shared.connection, fixed),
            count: 0,
            bytes: 0,
        }
    }

    /// Commits, together with the position that this reaches.
    pub(super) fn commit(
        &mut self,
        mut batch: Batch<'_>,
        position: Option<Position>,
    ) -> Result<()> {
        let row = Row {
            position,
            written_at: Utc::now(),
            ..self.row.0.clone()
        };
        let value = row.seal(&self.row_key)?;
        batch.draft.put(self.row_key.clone(), value.clone());
        match batch.draft.commit() {
            Ok(Committed::At(revision)) => {
                self.row = (row, Stored { value, revision });
                self.written = Instant::now();
                Ok(())
            }
            Ok(Committed::Conflict) => Err(self.lost()),
            Err(error) => {
                self.must_look |= error.is_commit_uncertain();
                Err(error)
            }
        }
    }

    /// Finds out what was committed, if that is not known.
    fn look(&mut self) -> Result<()> {
        if !self.must_look {
            return Ok(());
        }
        let read = self.fleet.shared.get(At::Now, [&self.row_key]);
        let [stored] = read.map_err(|fault| fault.error)?;
        let stored = stored.ok_or_else(|| self.lost())?;
        let row = Row::open(&self.row_key, &stored.value)?;
        if row.mirror != self.row.0.mirror {
            return Err(self.lost());
        }
        self.row = (row, stored);
        self.must_look = false;
        Ok(())
    }

    fn lost(&self) -> Error {
        lost(&self.fleet, &self.host, &self.row.0)
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.fleet.shared)
    }
}

impl fmt::Debug for Mirror<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mirror")
            .field("host", &self.host)
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}
