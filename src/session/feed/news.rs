//! Who waits for commits, and who wakes them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use std::time::Duration;

use super::recent::{Changed, Recent};
use crate::model::revision::Revision;
use crate::redb_file::layout::Commit;

/// Which commit was the last one at some moment.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CommitMark {
    /// So many were made in this process.
    Count(u64),
    /// The header of the file named it; another process made it.
    Header(Commit),
    /// Nobody can tell.
    Unknown,
}

impl CommitMark {
    pub(crate) fn of_header(commit: Option<Commit>) -> Self {
        commit.map_or(Self::Unknown, Self::Header)
    }

    /// Whether both are certain to be of the same commit.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Count(one), Self::Count(other)) => one == other,
            (Self::Header(one), Self::Header(other)) => one == other,
            _ => false,
        }
    }
}

/// What followers wait for. It outlives the store.
#[derive(Debug, Default)]
pub(crate) struct News {
    state: Mutex<State>,
    told: Condvar,
    recent: Mutex<Recent>,
    followers: AtomicUsize,
    /// Held by who reads the store without being a handle of it, and by who closes it.
    reading: RwLock<()>,
}

#[derive(Debug, Default)]
struct State {
    commits: u64,
    is_closed: bool,
}

impl News {
    /// How many commits this process has made.
    pub(crate) fn commits(&self) -> u64 {
        self.state().commits
    }

    /// Waits until there were other commits than these, or the store is closed, or for this time.
    pub(crate) fn wait(&self, seen: u64, timeout: Option<Duration>) {
        let is_same = |state: &mut State| state.commits == seen && !state.is_closed;
        let state = self.state();
        match timeout {
            Some(timeout) => drop(self.told.wait_timeout_while(state, timeout, is_same)),
            None => drop(self.told.wait_while(state, is_same)),
        }
    }

    /// Waits for this time, or until the store is closed.
    pub(crate) fn rest(&self, timeout: Duration) {
        let is_open = |state: &mut State| !state.is_closed;
        drop(self.told.wait_timeout_while(self.state(), timeout, is_open));
    }

    /// The keys of all that this process changed after a revision; none if nobody can tell.
    pub(crate) fn changed_since(&self, revision: Revision) -> Option<Vec<Box<[u8]>>> {
        self.recent().since(revision)
    }

    /// Keeps the store from being closed while somebody reads it who is not one of its handles.
    pub(crate) fn reading(&self) -> RwLockReadGuard<'_, ()> {
        self.reading.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody reads the store but its handles.
    pub(crate) fn closing(&self) -> RwLockWriteGuard<'_, ()> {
        self.reading.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.told.notify_all();
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A follower's end of the news. While there is one, it is noted what changes.
#[derive(Debug)]
pub(crate) struct Listener(Arc<News>);

impl Listener {
    pub(crate) fn of(news: &Arc<News>) -> Self {
        news.followers.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(news))
    }

    pub(crate) fn news(&self) -> &Arc<News> {
        &self.0
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.followers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The open store's end of the news: once it is dropped, the store is closed.
#[derive(Debug, Default)]
pub(crate) struct Announcer(Arc<News>);

impl Announcer {
    pub(crate) fn news(&self) -> &Arc<News> {
        &self.0
    }

    /// Whether anybody follows.
    pub(crate) fn is_followed(&self) -> bool {
        self.0.followers.load(Ordering::Relaxed) > 0
    }

    /// Before anybody can see them: these are the changes of a commit, if they were noted.
    pub(crate) fn note(&self, changed: Option<Changed>) {
        self.0.recent().add(changed);
    }

    /// A commit is visible to who reads from now on, or the store is broken.
    pub(crate) fn committed(&self) {
        self.0
            .tell(|state| state.commits = state.commits.wrapping_add(1));
    }

    pub(crate) fn last_commit(&self) -> CommitMark {
        CommitMark::Count(self.0.commits())
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        self.0.tell(|state| state.is_closed = true);
    }
}
