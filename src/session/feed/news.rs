//! Waiting for commits, and waking those who wait.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use std::time::Duration;

use super::recent::{Changed, Recent};
use crate::model::revision::Revision;
use crate::redb_file::layout::Commit;

/// Identifies the last commit at some moment.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CommitMark {
    /// The number of commits made in this process.
    Count(u64),
    /// A commit of another process, as named in the header of the file.
    Header(Commit),
    /// Unknown.
    Unknown,
}

impl CommitMark {
    pub(crate) fn of_header(commit: Option<Commit>) -> Self {
        commit.map_or(Self::Unknown, Self::Header)
    }

    /// Whether both are certainly the same commit.
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
    /// Held for reading while a follower, which is not a handle, reads the store; held for writing while the store is
    /// closed.
    reading: RwLock<()>,
}

#[derive(Debug, Default)]
struct State {
    commits: u64,
    is_closed: bool,
}

impl News {
    /// Returns how many commits this process has made.
    pub(crate) fn commits(&self) -> u64 {
        self.state().commits
    }

    /// Waits until there are commits after these, the store is closed, or the timeout ends.
    pub(crate) fn wait(&self, seen: u64, timeout: Option<Duration>) {
        let is_same = |state: &mut State| state.commits == seen && !state.is_closed;
        let state = self.state();
        match timeout {
            Some(timeout) => drop(self.told.wait_timeout_while(state, timeout, is_same)),
            None => drop(self.told.wait_while(state, is_same)),
        }
    }

    /// Waits until the timeout ends or the store is closed.
    pub(crate) fn rest(&self, timeout: Duration) {
        let is_open = |state: &mut State| !state.is_closed;
        drop(self.told.wait_timeout_while(self.state(), timeout, is_open));
    }

    /// Returns the keys of everything that this process changed after a revision; `None` if unknown.
    pub(crate) fn changed_since(&self, revision: Revision) -> Option<Vec<Box<[u8]>>> {
        self.recent().since(revision)
    }

    /// Keeps the store from being closed while a follower reads it.
    pub(crate) fn reading(&self) -> RwLockReadGuard<'_, ()> {
        self.reading.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no follower reads the store.
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

/// A follower's end of the news. While one exists, changes are noted.
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

/// The open store's end of the news. When it is dropped, the store is closed.
#[derive(Debug, Default)]
pub(crate) struct Announcer(Arc<News>);

impl Announcer {
    pub(crate) fn news(&self) -> &Arc<News> {
        &self.0
    }

    /// Whether there are followers.
    pub(crate) fn is_followed(&self) -> bool {
        self.0.followers.load(Ordering::Relaxed) > 0
    }

    /// Adds the changes of a commit, if they were noted, before any reader can see them.
    pub(crate) fn note(&self, changed: Option<Changed>) {
        self.0.recent().add(changed);
    }

    /// Wakes the followers: a commit is visible from now on, or the store is broken.
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
