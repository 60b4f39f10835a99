//! Which records are kept in memory: when they are loaded, and how a load keeps up with commits.
//!
//! A listing loads them once as many records have been read from the file as it holds. So a process that lists once
//! and ends pays nothing, and one that goes on pays no more than twice. Writers do not wait for a load. They note which
//! records they change, and the load reads those again; only for the last few do commits wait to be published.

use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::query::{Loaded, Memory, Table};
use crate::redb_file::fault::contained;
use crate::session::shared::Shared;

/// The fewest rows that a record has, and so what the rows of a table are divided by to count its records: rather
/// too many than too few.
const ROWS_MIN: u64 = 2;

/// How many times over a store is read from the file until loading is tried again, after it was too large or could
/// not be read.
const PATIENCE: usize = 8;

/// A load that finds no more records changed than this reads them while writers wait to show their commits.
const CHANGED_FEW: usize = 32;

/// Records that change while a load goes on. If they are more, it was in vain.
const CHANGED_MAX_COUNT: usize = 65_536;

/// Decides about loading, for one open store.
pub(crate) struct Keeper {
    max_bytes: usize,
    /// How many records were read from the file since something was last loaded, or given up.
    looked_at: AtomicUsize,
    patience: AtomicUsize,
    /// Commits are published while this is locked.
    loading: Mutex<Loading>,
}

/// The load that goes on, if one does.
#[derive(Default)]
pub(crate) struct Loading {
    /// Which load it is, or was: none ends or takes up what another one noted.
    number: u64,
    /// What was changed since it began; none if it has ended.
    changed: Option<Changed>,
}

impl Loading {
    /// Notes what a transaction changed, if a load goes on.
    pub(crate) fn note(&mut self, more: Changed) {
        if let Some(changed) = &mut self.changed {
            changed.extend(more);
        }
    }

    /// What was changed, to be read again by this load; none if it has ended.
    fn take(&mut self, number: u64) -> Option<Changed> {
        self.changed
            .as_mut()
            .filter(|_| self.number == number)
            .map(mem::take)
    }

    fn end(&mut self, number: u64) {
        if self.number == number {
            self.changed = None;
        }
    }
}

/// The keys of records that were changed.
pub(crate) enum Changed {
    Keys(Vec<Vec<u8>>),
    TooMany,
}

impl Default for Changed {
    fn default() -> Self {
        Self::Keys(Vec::new())
    }
}

impl Changed {
    fn push(&mut self, key: &[u8]) {
        match self {
            Self::Keys(keys) if keys.len() < CHANGED_MAX_COUNT => keys.push(key.to_vec()),
            _ => *self = Self::TooMany,
        }
    }

    fn extend(&mut self, more: Self) {
        match (&mut *self, more) {
            (Self::Keys(keys), Self::Keys(more))
                if keys.len() + more.len() <= CHANGED_MAX_COUNT =>
            {
                keys.extend(more);
            }
            _ => *self = Self::TooMany,
        }
    }

    /// Reads what was changed again. None if that is too much, or cannot be read.
    pub(crate) fn applied_to(self, mut memory: Memory, table: &impl Table) -> Option<Memory> {
        let Self::Keys(keys) = self else {
            return None;
        };
        let read = contained(|| keys.iter().try_for_each(|key| memory.refresh(table, key)));
        read.is_ok().then_some(memory)
    }
}

/// What a write transaction changes beside the tables.
#[derive(Default)]
pub(crate) struct Draft {
    /// The records as the transaction sees them, if they are kept.
    memory: Option<Memory>,
    max_bytes: usize,
    /// What it changed, if they are not.
    changed: Changed,
}

impl Draft {
    pub(crate) fn new(memory: Option<Memory>, max_bytes: usize) -> Self {
        Self {
            memory,
            max_bytes,
            changed: Changed::default(),
        }
    }

    pub(crate) fn memory(&self) -> Option<&Memory> {
        self.memory.as_ref()
    }

    /// A record was stored or deleted.
    pub(crate) fn change(&mut self, table: &impl Table, key: &[u8]) {
        let Some(memory) = &mut self.memory else {
            self.changed.push(key);
            return;
        };
        // If it cannot be read, the next read of the file reports it.
        let read = contained(|| memory.refresh(table, key));
        if read.is_err() || memory.bytes() > self.max_bytes {
            self.memory = None;
            self.changed = Changed::TooMany;
        }
    }

    /// The records as the transaction left them, if they are kept: `latest` is what was loaded meanwhile.
    pub(crate) fn settle(
        self,
        latest: Option<Memory>,
        table: &impl Table,
    ) -> (Option<Memory>, Changed) {
        match (self.memory, latest) {
            (Some(memory), _) => (Some(memory), Changed::default()),
            (None, None) => (None, self.changed),
            (None, Some(latest)) => (self.changed.applied_to(latest, table), Changed::default()),
        }
    }
}

impl Keeper {
    /// Keeps records that take `max_bytes` at most; none with 0.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            looked_at: AtomicUsize::new(0),
            patience: AtomicUsize::new(1),
            loading: Mutex::default(),
        }
    }

    pub(crate) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// So many records were read from the file.
    pub(crate) fn looked_at(&self, count: usize) {
        self.looked_at.fetch_add(count, Ordering::Relaxed);
    }

    /// Whether to load a table of so many rows.
    pub(crate) fn is_worth_it(&self, rows: u64) -> bool {
        let records = usize::try_from(rows / ROWS_MIN).unwrap_or(usize::MAX);
        let patience = self.patience.load(Ordering::Relaxed);
        let enough = records.saturating_mul(patience).max(1);
        self.max_bytes > 0 && self.looked_at.load(Ordering::Relaxed) >= enough
    }

    pub(crate) fn loading(&self) -> MutexGuard<'_, Loading> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, patience: usize) {
        self.looked_at.store(0, Ordering::Relaxed);
        self.patience.store(patience, Ordering::Relaxed);
    }
}

/// A load that goes on. It ends when this is dropped, if it has not by then.
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
    /// About how much memory the records take that are kept, as the last commit left them.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let latest = self.latest_snapshot();
        let bytes = latest.and_then(|latest| latest.memory().map(Memory::bytes));
        bytes.unwrap_or_default() as u64
    }

    /// Loads all records into memory, unless they are there or somebody else does.
    pub(crate) fn load_memory(&self) {
        let keeper = self.keeper();
        let mut loading = keeper.loading();
        if loading.changed.is_some() {
            return;
        }
        let Ok(snapshot) = self.snapshot() else {
            return;
        };
        if snapshot.memory().is_some() {
            return;
        }
        loading.number += 1;
        loading.changed = Some(Changed::default());
        let number = loading.number;
        drop(loading);
        let load = Load { keeper, number };
        let loaded = contained(|| Memory::load(&snapshot.records, keeper.max_bytes));
        match loaded {
            Ok(Loaded::All(memory)) => {
                snapshot.keep(memory.clone());
                keeper.settle(1);
                self.catch_up(number, memory);
            }
            Ok(Loaded::TooLarge(count)) => {
                keeper.settle(PATIENCE);
                tracing::warn!(
                    max_bytes = keeper.max_bytes,
                    count,
                    "more records than may be kept in memory: they are read from the file"
                );
            }
            // The next read reports it.
            Err(error) => {
                keeper.settle(PATIENCE);
                tracing::warn!(%error, "nothing is kept in memory: loading it failed");
            }
        }
        drop(load);
    }

    /// Reads again what was changed while it was loaded, until the newest snapshot can have it.
    fn catch_up(&self, number: u64, mut memory: Memory) {
        loop {
            let mut loading = self.keeper().loading();
            let (Some(changed), Some(latest)) = (loading.take(number), self.latest_snapshot())
            else {
                return;
            };
            let are_few = matches!(&changed, Changed::Keys(keys) if keys.len() <= CHANGED_FEW);
            // What is written meanwhile is noted.
            let waiting = are_few.then_some(loading);
            let Some(now) = changed.applied_to(memory, &latest.records) else {
                return;
            };
            memory = now;
            if let Some(mut loading) = waiting {
                latest.keep(memory);
                loading.end(number);
                return;
            }
        }
    }
}
