//! Keeps a copy of one store in etcd.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bayplan::{Change, Db, Detail, Error, ErrorKind, Position, Result};
use chrono::Utc;

use crate::draft::{Committed, Draft, Stored};
use crate::fleet::alive::Alive;
use crate::fleet::batch::Batch;
use crate::fleet::copy::Fleet;
use crate::fleet::prune;
use crate::fleet::row::{Row, check_host};
use crate::keys::Keys;
use crate::options::Options;
use crate::shared::{At, Shared};

/// The most changes that are written before a mirror looks at the clock.
const TURN_MAX_COUNT: usize = 1_000;

/// Keeps a copy of a store in etcd, as the copy of one host of a fleet.
///
/// The copy follows the store: it has each change soon after its commit, and never a state that the store had not. Each
/// transaction in etcd has the position in the store's feed that it reaches, so a mirror that is started again continues
/// where the last one ended.
///
/// Specs, extensions and the values of records may hold secrets. They are copied only if asked for.
pub struct Mirror<'d> {
    db: &'d Db,
    fleet: Fleet,
    host: String,
    keys: Keys,
    row_key: Vec<u8>,
    /// The row of the host, as this mirror wrote it last.
    row: (Row, Stored),
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
    /// [`InvalidArgument`](bayplan::ErrorKind::InvalidArgument) if the host's name has not the form of an identifier;
    /// otherwise as [`Fleet::open`].
    pub fn open(db: &'d Db, options: &Options, host: &str, with_specs: bool) -> Result<Self> {
        check_host(host)?;
        let fleet = Fleet::open(options)?;
        let keys = fleet.keys_of(host);
        let row_key = fleet.row_key(host);
        let [stored] = fleet
            .shared
            .get(At::Now, [&row_key])
            .map_err(|fault| fault.error)?;
        let store = db.info().id.to_string();
        // A damaged row says nothing: the copy is made anew.
        let before = stored
            .as_ref()
            .and_then(|stored| Row::open(&row_key, &stored.value).ok());
        // A copy of another store, or with other parts, is made anew.
        let position = before
            .filter(|row| row.store == store && row.has_specs == with_specs)
            .and_then(|row| row.position);
        let row = Row {
            store,
            position,
            has_specs: with_specs,
            written_at: Utc::now(),
            mirror: uuid::Uuid::new_v4().to_string(),
        };
        let alive = Alive::begin(&fleet.shared.connection, fleet.alive_key(host));
        let row = replace_row(&fleet.shared, &row_key, stored, row)?;
        Ok(Self {
            db,
            fleet,
            host: host.to_owned(),
            keys,
            row_key,
            row,
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
    /// [`FailedPrecondition`](bayplan::ErrorKind::FailedPrecondition) if another mirror has taken over;
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
        let end = Instant::now() + time;
        let mut progress = self.catch_up()?;
        loop {
            let from = self.row.0.position.unwrap_or(Position::START);
            let mut subscription = self.db.subscribe(from, self.detail())?;
            let followed = loop {
                let left = end.saturating_duration_since(Instant::now());
                let first = match subscription.recv_timeout(left) {
                    Ok(Some(first)) => first,
                    Ok(None) => return Ok(progress),
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
        let shared = Arc::clone(&self.fleet.shared);
        self.commit(self.batch(&shared), Some(position))?;
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
                Ok(())
            }
            Ok(Committed::Conflict) => Err(taken_over(&self.host)),
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
        let stored = stored.ok_or_else(|| taken_over(&self.host))?;
        let row = Row::open(&self.row_key, &stored.value)?;
        if row.mirror != self.row.0.mirror {
            return Err(taken_over(&self.host));
        }
        self.row = (row, stored);
        self.must_look = false;
        Ok(())
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.fleet.shared)
    }
}

fn taken_over(host: &str) -> Error {
    Error::of_kind(
        ErrorKind::FailedPrecondition,
        format!("another mirror of the host {host:?} has taken over, or its copy was removed"),
    )
}

/// Writes the row of a host that a new mirror begins with.
fn replace_row(
    shared: &Shared,
    key: &[u8],
    stored: Option<Stored>,
    row: Row,
) -> Result<(Row, Stored)> {
    let value = row.seal(key)?;
    let mut draft = Draft::bare(&shared.connection);
    draft.expect(key.to_vec(), stored);
    draft.put(key.to_vec(), value.clone());
    match draft.commit()? {
        Committed::At(revision) => Ok((row, Stored { value, revision })),
        Committed::Conflict => Err(Error::of_kind(
            ErrorKind::FailedPrecondition,
            "another mirror of the host was started at the same time",
        )),
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
