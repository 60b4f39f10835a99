//! Which records are kept in memory: when they are loaded, and how a load keeps up with commits.
//!
//! A listing loads them once as many records have been read from the file as it holds. So a process that lists once and
//! ends pays nothing, and one that keeps reading pays at most twice. Writers do not wait for a load. They note which
//! records they change ([`draft`]), and the load reads those again. Commits wait to be published only while the load
//! reads the last few.

mod draft;

use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

pub(crate) use self::draft::{Changed, Draft};
use crate::query::Memory;
use crate::redb_file::fault::contained;
use crate::session::shared::Shared;
use crate::session::snapshot::Snapshot;

/// The fewest rows of a record. With this number, the count of records is rather too high than too low.
const ROWS_MIN: u64 = 2;

/// How many times the file must be read over before loading is tried again after a failure. Each further failure
/// doubles the number.
const PATIENCE_READINGS: usize = 8;

/// If no more records than this have changed, a load reads them while commits wait to be published.
const CHANGED_FEW_COUNT: usize = 32;

/// After this many rounds, a load that has not caught up with the writers gives up.
const ROUNDS_MAX_COUNT: usize = 16;

/// Decides when to load, for one open store.
pub(crate) struct Keeper {
    max_bytes: usize,
    /// How many records were read from the file since the last load, or attempt.
    read_count: AtomicUsize,
    /// How many times the file must be read over before it is loaded.
    readings: AtomicUsize,
    /// Commits are published while this is locked.
    loading: Mutex<Loading>,
}

/// The running load, if there is one.
#[derive(Default)]
pub(crate) struct Loading {
    /// The number of this load, or of the last one. An old load must not take what a newer one is to read again.
    number: u64,
    /// What was changed since it began; `None` if it has ended.
    changed: Option<Changed>,
}

impl Loading {
    /// Notes what a transaction changed, if a load is running.
    fn note(&mut self, more: Changed) {
        if let Some(changed) = &mut self.changed {
            changed.extend(more);
        }
    }

    /// Takes what was changed, for this load to read again; `None` if it has ended.
    fn take(&mut self, number: u64) -> Option<Changed> {
        let changed = self.changed.as_mut();
        changed.filter(|_| self.number == number).map(mem::take)
    }

    fn end(&mut self, number: u64) {
        if self.number == number {
            self.changed = None;
        }
    }

    /// Gives a new snapshot its records, if they are kept; otherwise notes what was changed. `latest` is the snapshot
    /// before. The new one is `None` if it could not be taken.
    pub(crate) fn publish(
        &mut self,
        draft: Draft,
        latest: Option<&Snapshot>,
        new: Option<&Snapshot>,
    ) {
        let Some(new) = new else {
            self.note(Changed::TooMany);
            return;
        };
        let loaded = latest.and_then(|latest| latest.memory().cloned());
        match draft.finish(loaded, &new.records) {
            (Some(memory), _) => new.keep(memory),
            (None, changed) => self.note(changed),
        }
    }
}

impl Keeper {
    /// Keeps records that take `max_bytes` at most; none with 0.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            read_count: AtomicUsize::new(0),
            readings: AtomicUsize::new(1),
            loading: Mutex::default(),
        }
    }

    /// Returns a draft for a write transaction that begins now, after this snapshot.
    pub(crate) fn new_draft(&self, latest: Option<&Snapshot>) -> Draft {
        let memory = latest.and_then(|latest| latest.memory().cloned());
        Draft::new(memory, self.max_bytes)
    }

    /// Counts records that were read from the file.
    pub(crate) fn count_read(&self, count: usize) {
        self.read_count.fetch_add(count, Ordering::Relaxed);
    }

    /// Whether to load a table with this many rows.
    pub(crate) fn is_due(&self, rows: u64) -> bool {
        let records = usize::try_from(rows / ROWS_MIN).unwrap_or(usize::MAX);
        let readings = self.readings.load(Ordering::Relaxed);
        let enough = records.saturating_mul(readings).max(1);
        self.max_bytes > 0 && self.read_count.load(Ordering::Relaxed) >= enough
    }

    pub(crate) fn loading(&self) -> MutexGuard<'_, Loading> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the load unless it is locked: no reader waits here.
    fn try_loading(&self) -> Option<MutexGuard<'_, Loading>> {
        match self.loading.try_lock() {
            Ok(loading) => Some(loading),
            Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn succeeded(&self) {
        self.read_count.store(0, Ordering::Relaxed);
        self.readings.store(1, Ordering::Relaxed);
    }

    /// Notes that a load failed. Returns true for the first failure in a row.
    fn failed(&self) -> bool {
        self.read_count.store(0, Ordering::Relaxed);
        let readings = self.readings.load(Ordering::Relaxed);
        let more = readings.saturating_mul(2).max(PATIENCE_READINGS);
        self.readings.store(more, Ordering::Relaxed);
        readings < PATIENCE_READINGS
    }
}

/// A running load. It ends when this is dropped, if it has not ended before.
struct Load<'a> {
    keeper: &'a Keeper,
    number: u64,
}

impl Drop for Load<'_> {
    fn drop(&mut self) {
        self.keeper.loading().end(self.number);
    }
}

impl Shared {
    /// Returns about how many bytes of memory the kept records take, as of the last commit.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let latest = self.latest_snapshot();
        let bytes = latest.and_then(|latest| latest.memory().map(Memory::bytes));
        bytes.unwrap_or_default() as u64
    }

    /// Loads all records into memory, unless they are loaded or another thread is loading them.
    pub(crate) fn load_memory(&self) {
        let keeper = self.keeper();
        let Some(mut loading) = keeper.try_loading() else {
            return;
        };
        let Ok(snapshot) = self.snapshot() else {
            return;
        };
        if snapshot.memory().is_some() {
            keeper.succeeded();
            return;
        }
        if loading.changed.is_some() {
            return;
        }
        loading.number += 1;
        loading.changed = Some(Changed::default());
        let number = loading.number;
        drop(loading);
        let _load = Load { keeper, number };
        let loaded = contained(|| Memory::load(&snapshot.records, keeper.max_bytes));
        let loaded = self.believe(loaded, |_| false);
        let why = match loaded {
            Ok(Some(memory)) => match self.catch_up(number, memory) {
                true => return keeper.succeeded(),
                false => "they were changed faster than they were loaded".to_owned(),
            },
            Ok(None) => format!("they would take more than {} bytes", keeper.max_bytes),
            // The next read reports it.
            Err(error) => error.to_string(),
        };
        if keeper.failed() {
            tracing::warn!(
                why,
                "the records are not kept in memory, but read from the file"
            );
        }
    }

    /// Reads again what was changed during the load, until the newest snapshot can have the result.
    fn catch_up(&self, number: u64, mut memory: Memory) -> bool {
        let max_bytes = self.keeper().max_bytes;
        for _ in 0..ROUNDS_MAX_COUNT {
            let mut loading = self.keeper().loading();
            let latest = self.latest_snapshot();
            let (Some(changed), Some(latest)) = (loading.take(number), latest) else {
                return false;
            };
            let are_few =
                matches!(&changed, Changed::Keys(keys) if keys.len() <= CHANGED_FEW_COUNT);
            // What is written meanwhile is noted.
            let waiting = are_few.then_some(loading);
            let Some(now) = changed.applied_to(memory, &latest.records, max_bytes) else {
                return false;
            };
            memory = now;
            if self.file.damage().is_some() {
                return false;
            }
            if let Some(mut loading) = waiting {
                latest.keep(memory);
                loading.end(number);
                return true;
            }
        }
        false
    }
}
