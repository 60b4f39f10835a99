//! A follower: reads changes, and waits for more.

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::list::{Entry, Known, LIST_MAX_COUNT, List, check_position};
use super::news::{CommitMark, Listener};
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::position::{Origin, Position};
use crate::session::process::{Own, Process};
use crate::session::shared::Shared;
use crate::session::txn::ReadTxn;

/// The most changes that are read at once. Later ones are read when these are taken, so that a follower that pauses
/// holds no snapshot.
const BATCH_MAX_COUNT: usize = 64;

/// The least rest after looking at a store that others write, as a multiple of the time that the look took.
const REST_FACTOR: u32 = 4;

/// How long a follower waits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    Forever,
    Then(Instant),
}

impl Until {
    /// Returns the end of a timeout that begins now. A timeout beyond the range of the clock never ends.
    pub(crate) fn after(timeout: Duration) -> Self {
        let then = Instant::now().checked_add(timeout);
        then.map_or(Self::Forever, Self::Then)
    }

    /// Returns how much time is left; `None` if there is no limit.
    fn left(self) -> Option<Duration> {
        match self {
            Self::Forever => None,
            Self::Then(then) => Some(then.saturating_duration_since(Instant::now())),
        }
    }
}

/// Makes a change from what is stored now; `None` if it is no longer stored. Gets the position after the change.
type Reads<'r, C> = &'r dyn Fn(&ReadTxn, &Entry, Position) -> Result<Option<C>>;

/// Follows the changes of a store, each read into a `C`. It is not a handle: the store can be closed.
pub(crate) struct Follower<C> {
    store: Weak<Own<Shared>>,
    news: Listener,
    process: Process,
    path: Option<PathBuf>,
    /// How often to look for commits, if there are no notifications.
    poll_interval: Option<Duration>,
    /// Everything before it was taken.
    position: Position,
    /// Changes that are read and not taken yet, each with the position after it.
    ready: VecDeque<(Position, C)>,
    /// The entries to be read after those.
    entries: VecDeque<Entry>,
    /// What the positions of both have in common.
    origin: Origin,
    /// The position once all of them are taken.
    end: Position,
    /// The commit whose changes are all taken, or among these.
    seen: CommitMark,
    /// How many commits this process had made at the last look.
    commits: u64,
    /// When the rest after the last look ends, if others write the store.
    rests_until: Option<Instant>,
}

impl<C> Follower<C> {
    /// Follows the changes after a position.
    ///
    /// # Errors
    ///
    /// `Lagged`.
    pub(crate) fn new(store: &Arc<Own<Shared>>, from: Position) -> Result<Self> {
        check_position(&ReadTxn::begin(store)?, from)?;
        Ok(Self {
            store: Arc::downgrade(store),
            news: Listener::of(store.news()),
            process: store.process.clone(),
            path: store.path.clone(),
            poll_interval: store.is_written_by_others().then_some(store.poll_interval),
            position: from,
            ready: VecDeque::new(),
            entries: VecDeque::new(),
            origin: Origin::of(from, store.history),
            end: from,
            seen: CommitMark::Unknown,
            commits: 0,
            rests_until: None,
        })
    }

    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// Returns the next change, if there is one in time.
    pub(crate) fn next(&mut self, until: Until, read: Reads<'_, C>) -> Result<Option<C>> {
        loop {
            self.process.check_number()?;
            if let Some((position, change)) = self.ready.pop_front() {
                self.position = position;
                self.settle();
                return Ok(Some(change));
            }
            self.settle();
            self.rest(until);
            if self.look(read)? {
                continue;
            }
            let left = until.left();
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            let timeout = match (left, self.poll_interval) {
                (Some(left), Some(interval)) => Some(left.min(interval)),
                (left, interval) => left.or(interval),
            };
            self.news.news().wait(self.commits, timeout);
        }
    }

    /// Rests, but no longer than `until`.
    fn rest(&mut self, until: Until) {
        let now = Instant::now();
        let rest = self
            .rests_until
            .take()
            .map(|then| then.saturating_duration_since(now));
        let Some(rest) = rest.filter(|_| self.entries.is_empty()) else {
            return;
        };
        let rest = until.left().map_or(rest, |left| rest.min(left));
        if !rest.is_zero() {
            self.news.news().rest(rest);
        }
    }

    /// Once all entries of a list are taken, moves the position to the end of the list.
    fn settle(&mut self) {
        if self.ready.is_empty() && self.entries.is_empty() {
            self.position = self.end;
        }
    }

    /// Looks for changes and reads some. Returns false if there are none.
    fn look(&mut self, read: Reads<'_, C>) -> Result<bool> {
        self.commits = self.news.news().commits();
        // Held until the store is released.
        let news = Arc::clone(self.news.news());
        let _reading = news.reading();
        let looked = match self.store.upgrade() {
            Some(store) => self.look_in(&store, read),
            None => Err(Error::new(ErrorKind::Unavailable, "the store was closed")),
        };
        looked.map_err(|error| error.at(self.path.as_deref()))
    }

    fn look_in(&mut self, store: &Arc<Own<Shared>>, read: Reads<'_, C>) -> Result<bool> {
        let is_done = self.entries.is_empty();
        let last_commit = store.last_commit()?;
        if is_done && last_commit.is_same(&self.seen) {
            if self.poll_interval.is_some() {
                store.check_followed()?;
            }
            return store.check_unbroken().map(|()| false);
        }
        let txn = ReadTxn::begin(store)?;
        if is_done {
            let begun = Instant::now();
            let list = List::of(&txn, Known::since(self.position), LIST_MAX_COUNT)?;
            if self.poll_interval.is_some() {
                let now = Instant::now();
                self.rests_until = now.checked_add(now.duration_since(begun) * REST_FACTOR);
            }
            self.seen = match list.is_cut {
                true => CommitMark::Unknown,
                false => last_commit,
            };
            (self.origin, self.end) = (list.origin, list.origin.at(list.end));
            self.entries = list.entries;
            if self.entries.is_empty() {
                return store.check_unbroken().map(|()| false);
            }
        }
        let mut changes = VecDeque::new();
        let mut count = 0;
        for entry in &self.entries {
            if changes.len() >= BATCH_MAX_COUNT {
                break;
            }
            let position = self.origin.at(entry.revision);
            match read(&txn, entry, position) {
                Ok(change) => {
                    changes.extend(change.map(|change| (position, change)));
                }
                // The error is reported once the changes before it are taken.
                Err(_) if !changes.is_empty() => break,
                Err(error) => return Err(error),
            }
            count += 1;
        }
        store.make_durable()?;
        self.entries.drain(..count);
        self.ready.extend(changes);
        Ok(true)
    }
}

impl<C> fmt::Debug for Follower<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower")
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
