//! A sync fails, and the system takes the pages that it could not write for clean.
//!
//! The disk has a cache before it, of pages. A sync that fails writes some of those that wait, and
//! forgets that the others wait; all go on being shown. The store is opened again on that cache,
//! works, and the power is cut: what was acknowledged is there. Opening meets such failures as well.
//!
//! `BAYPLAN_IMAGES` sets how many rounds (a tenth of it), `BAYPLAN_SEED` repeats a run.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::ops::{Bound, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bayplan::{Db, ErrorKind, Result};
use redb::{BackendError, StorageBackend};

use super::disk::{Disk, free_locks};
use super::seed::{Progress, Seed, count_from_env, tell};
use super::work::{self, Model, settings};
use crate::redb_file::durable::{Durable, PageCache};
use crate::redb_file::gate::Access;
use crate::session::file;
use crate::session::settings::Settings;

const PAGE: usize = 4096;

/// What becomes of the cache when its pages are to be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dropping {
    /// They are dropped.
    All,
    /// Some are kept, as if somebody had mapped them, and the system says which.
    Some,
    /// None is, and nobody is told: as if nothing had been asked for.
    Nothing,
}

/// A disk with a cache; its clones are the same one.
#[derive(Clone)]
struct Cached(Arc<Mutex<State>>);

struct State {
    shown: Vec<u8>,
    disk: Vec<u8>,
    /// The pages that wait to be written.
    waiting: BTreeSet<usize>,
    kept: BTreeSet<usize>,
    /// How many syncs from now one fails.
    fails_at: Option<usize>,
    failed: usize,
    dropping: Dropping,
    seed: Seed,
}

impl State {
    fn write_back(&mut self, page: usize) {
        let range = page * PAGE..((page + 1) * PAGE).min(self.shown.len());
        if !range.is_empty() {
            self.disk[range.clone()].copy_from_slice(&self.shown[range]);
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let fails = self.fails_at == Some(0);
        self.fails_at = self.fails_at.and_then(|left| left.checked_sub(1));
        for page in std::mem::take(&mut self.waiting) {
            if !fails || self.seed.one_in(3) {
                self.write_back(page);
            }
        }
        self.failed += usize::from(fails);
        match fails {
            true => Err(io::Error::from_raw_os_error(5)),
            false => Ok(()),
        }
    }
}

impl Cached {
    fn new(dropping: Dropping, seed: Seed) -> Self {
        Self(Arc::new(Mutex::new(State {
            shown: Vec::new(),
            disk: Vec::new(),
            waiting: BTreeSet::new(),
            kept: BTreeSet::new(),
            fails_at: None,
            failed: 0,
            dropping,
            seed,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail_at(&self, syncs: usize) {
        self.state().fails_at = Some(syncs);
    }

    fn failed(&self) -> usize {
        self.state().failed
    }

    /// What a machine finds that is switched off now: some of what waits was written.
    fn after_a_power_cut(&self) -> Disk {
        let mut state = self.state();
        let before = state.disk.clone();
        for page in state.waiting.clone() {
            if state.seed.one_in(2) {
                state.write_back(page);
            }
        }
        Disk::holding(std::mem::replace(&mut state.disk, before))
    }

    fn create(&self, settings: &Settings) -> Result<Db> {
        file::create_backend(self.clone(), None, settings, None).map(Db::new)
    }

    fn durable(&self, access: Access) -> Durable<Self, Self> {
        Durable::new(self.clone(), self.clone(), access)
    }

    fn open(&self, settings: &Settings) -> Result<Db> {
        file::open_backend(self.durable(Access::Write), None, settings, None).map(Db::new)
    }

    fn inspect(&self, settings: &Settings) -> Result<Db> {
        let alone = || Ok(self.durable(Access::Inspect));
        file::inspect_backend(alone, || Ok(self.clone()), || Ok(None), settings, None).map(Db::new)
    }
}

impl PageCache for Cached {
    fn drop_pages(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.dropping == Dropping::Nothing {
            return Ok(());
        }
        let synced = state.sync().or_else(|_| state.sync());
        state.kept.clear();
        for page in 0..state.shown.len().div_ceil(PAGE) {
            if state.dropping == Dropping::Some && state.seed.one_in(3) {
                state.kept.insert(page);
                continue;
            }
            let range = page * PAGE..((page + 1) * PAGE).min(state.shown.len());
            let state = &mut *state;
            state.shown[range.clone()].copy_from_slice(&state.disk[range]);
        }
        synced
    }

    fn kept(&self) -> io::Result<Vec<Range<u64>>> {
        let pages = self.state().kept.clone();
        let range = |page| (page * PAGE) as u64..((page + 1) * PAGE) as u64;
        Ok(pages.into_iter().map(range).collect())
    }

    fn write_anew(&self, range: &Range<u64>) -> io::Result<()> {
        let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).unwrap());
        self.state().waiting.extend(start / PAGE..end / PAGE);
        Ok(())
    }
}

impl StorageBackend for Cached {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().shown.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        let state = self.state();
        let bytes = state
            .shown
            .get(start..)
            .and_then(|rest| rest.get(..out.len()));
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    /// A length is written with the file system's next sync, which does not fail here.
    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).unwrap();
        let mut state = self.state();
        state.shown.resize(len, 0);
        state.disk.resize(len, 0);
        state.waiting.retain(|page| page * PAGE < len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.state().sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        let end = start + data.len();
        let mut state = self.state();
        state.shown[start..end].copy_from_slice(data);
        state.waiting.extend(start / PAGE..end.div_ceil(PAGE));
        Ok(())
    }

    free_locks!();
}

impl fmt::Debug for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached").finish_non_exhaustive()
    }
}

/// Works until a sync has failed, if one does; what may be there then.
fn work_until_it_fails(db: Db, disk: &Cached, mut model: Model, seed: &mut Seed) -> Vec<Model> {
    let failed = disk.failed();
    for _ in 0..10 {
        let done = work::step(&db, &model, seed);
        match done.outcome {
            Ok(()) => model = done.after,
            Err(error) => {
                assert!(disk.failed() > failed, "{error:#}");
                let mut allowed = vec![model];
                allowed.extend(done.possible);
                if error.kind() == ErrorKind::CommitUncertain {
                    allowed.push(done.after);
                }
                return allowed;
            }
        }
    }
    vec![model]
}

/// Opens the store, again and again while a sync fails.
fn open_again(disk: &Cached, settings: &Settings) -> std::result::Result<Db, String> {
    for _ in 0..3 {
        let failed = disk.failed();
        match disk.open(settings) {
            Ok(db) => return Ok(db),
            Err(_) if disk.failed() > failed => {}
            Err(error) => return Err(format!("opening again: {error:#}")),
        }
    }
    Err("it fails without an end".to_owned())
}

/// What was lost, if anything was.
fn round(dropping: Dropping, seed: &mut Seed) -> std::result::Result<usize, String> {
    let settings = settings(!seed.one_in(3), seed.one_in(3));
    let disk = Cached::new(dropping, Seed::new(seed.number()));
    let db = disk.create(&settings).unwrap();
    let mut db = Some(db);
    let mut allowed = vec![Model::default()];
    for _ in 0..1 + seed.below(3) {
        let opened = match db.take() {
            Some(db) => db,
            None => open_again(&disk, &settings)?,
        };
        let found = Model::of(&opened).map_err(|error| format!("{error:#}"))?;
        if !allowed.contains(&found) {
            return Err(format!("other data: {found:#?}"));
        }
        disk.fail_at(seed.below(12));
        allowed = work_until_it_fails(opened, &disk, found, seed);
        if !seed.one_in(4) {
            disk.state().fails_at = None;
        }
        if seed.one_in(3) {
            let seen = disk.inspect(&settings).and_then(|db| Model::of(&db));
            let seen = seen.map_err(|error| format!("inspect: {error:#}"))?;
            if !allowed.contains(&seen) {
                return Err(format!("inspect: other data: {seen:#?}"));
            }
        }
    }
    disk.state().fails_at = None;
    let db = open_again(&disk, &settings)?;
    let mut model = Model::of(&db).map_err(|error| format!("{error:#}"))?;
    if !allowed.contains(&model) {
        return Err(format!("other data: {model:#?}"));
    }
    for _ in 0..1 + seed.below(4) {
        let done = work::step(&db, &model, seed);
        done.outcome.map_err(|error| format!("{error:#}"))?;
        model = done.after;
    }
    let cut = disk.after_a_power_cut();
    let survived = work::open(&cut, &settings).and_then(|db| Model::of(&db));
    let survived = survived.map_err(|error| format!("after a power cut: {error:#}"))?;
    match survived == model {
        true => Ok(disk.failed()),
        false => Err(format!("after a power cut: {survived:#?}")),
    }
}

#[test]
fn what_is_acknowledged_after_a_sync_that_lost_pages_survives_a_power_cut() {
    let count = count_from_env("BAYPLAN_IMAGES", 10_000) / 10;
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    let mut progress = Progress::new("lost pages");
    let mut failed = 0;
    for number in 0..count {
        let dropping = [Dropping::All, Dropping::Some][number % 2];
        let now = seed.get();
        failed += round(dropping, &mut seed)
            .unwrap_or_else(|why| panic!("{dropping:?}, seed {now}: {why}"));
        progress.at(number, count);
    }
    tell(format_args!(
        "lost-pages={count} failed-syncs={failed} lost=0 panics=0 silent=0 seed={first_seed}"
    ));
    assert!(failed >= count / 2);
}

/// A test that cannot fail proves nothing.
#[test]
fn where_lost_pages_stay_in_the_cache_a_loss_is_noticed() {
    let mut seed = Seed::new(1);
    let lost = (0..100).filter(|_| round(Dropping::Nothing, &mut seed).is_err());
    assert!(lost.count() > 0);
}

/// A file that was closed cleanly is read from the cache.
#[test]
fn a_file_that_was_closed_well_is_neither_dropped_from_the_cache_nor_written_anew() {
    let settings = settings(true, false);
    let disk = Cached::new(Dropping::Some, Seed::new(1));
    drop(disk.create(&settings).unwrap());
    drop(disk.open(&settings).unwrap());
    assert!(disk.state().kept.is_empty());
    let db = disk.open(&settings).unwrap();
    std::mem::forget(db);
    drop(disk.open(&settings).unwrap());
    assert!(!disk.state().kept.is_empty());
}
