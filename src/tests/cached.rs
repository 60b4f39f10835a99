//! A disk in memory with a page cache in front of it, like that of a system.
//!
//! It holds the file of a store, and the log beside it if there is one. A sync that fails writes some of the waiting
//! pages, and forgets that the others wait. All of them are still shown.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::ops::{Bound, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bayplan::{Db, Error, ErrorKind, Result};
use redb::{BackendError, StorageBackend};

use super::disk::{Disk, Image, free_locks};
use super::seed::Seed;
use crate::redb_file::durable::{Durable, PageCache, show_the_disk};
use crate::redb_file::fault::OrIo;
use crate::redb_file::gate::Access;
use crate::session::file;
use crate::session::log::place::{LogFile, LogPlace};
use crate::session::settings::Settings;

const PAGE: usize = 4096;

/// What happens to the cache when its pages are to be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropping {
    /// They are dropped.
    All,
    /// Some are kept, as if a process had mapped them, and the system says which.
    Some,
    /// None are dropped, without notice: as if the request had not been made.
    Nothing,
}

/// One of the two files, in the cache and on the disk.
#[derive(Clone, Default)]
struct Pages {
    shown: Vec<u8>,
    disk: Vec<u8>,
    /// The pages that wait to be written.
    waiting: BTreeSet<usize>,
    kept: BTreeSet<usize>,
}

impl Pages {
    fn durable(bytes: &[u8]) -> Self {
        Self {
            shown: bytes.to_vec(),
            disk: bytes.to_vec(),
            ..Self::default()
        }
    }

    fn range(&self, page: usize) -> Range<usize> {
        page * PAGE..((page + 1) * PAGE).min(self.shown.len())
    }

    fn write_back(&mut self, page: usize) {
        let range = self.range(page);
        if !range.is_empty() {
            self.disk[range.clone()].copy_from_slice(&self.shown[range]);
        }
    }

    fn sync(&mut self, system: &mut System) -> io::Result<()> {
        let synced = system.sync();
        for page in std::mem::take(&mut self.waiting) {
            if synced.is_ok() || system.seed.one_in(3) {
                self.write_back(page);
            }
        }
        synced
    }

    fn drop_pages(&mut self, system: &mut System) -> io::Result<()> {
        if system.dropping == Dropping::Nothing {
            return Ok(());
        }
        let synced = self.sync(system).or_else(|_| self.sync(system));
        self.kept.clear();
        for page in 0..self.shown.len().div_ceil(PAGE) {
            if system.dropping == Dropping::Some && system.seed.one_in(3) {
                self.kept.insert(page);
                continue;
            }
            let range = self.range(page);
            self.shown[range.clone()].copy_from_slice(&self.disk[range]);
        }
        synced
    }

    /// What a machine finds after it is switched off now: some of the waiting pages were written.
    fn after_a_power_cut(&self, seed: &mut Seed) -> Vec<u8> {
        let mut after = self.clone();
        for page in &self.waiting {
            if seed.one_in(2) {
                after.write_back(*page);
            }
        }
        after.disk
    }
}

struct System {
    dropping: Dropping,
    /// How many syncs from now one fails.
    fails_at: Option<usize>,
    failed: usize,
    seed: Seed,
}

impl System {
    fn sync(&mut self) -> io::Result<()> {
        let fails = self.fails_at == Some(0);
        self.fails_at = self.fails_at.and_then(|left| left.checked_sub(1));
        self.failed += usize::from(fails);
        match fails {
            true => Err(io::Error::from_raw_os_error(5)),
            false => Ok(()),
        }
    }
}

struct State {
    file: Pages,
    log: Option<Pages>,
    /// What the disk has of a log that was removed after a name was last made durable.
    removed: Option<Vec<u8>>,
    /// How many syncs of the log failed.
    failed_of_log: usize,
    system: System,
}

/// A disk with a cache. Its clones share it.
#[derive(Clone)]
pub(super) struct Cached(Arc<Mutex<State>>);

impl Cached {
    pub(super) fn new(dropping: Dropping, seed: Seed) -> Self {
        Self(Arc::new(Mutex::new(State {
            file: Pages::default(),
            log: None,
            removed: None,
            failed_of_log: 0,
            system: System {
                dropping,
                fails_at: None,
                failed: 0,
                seed,
            },
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a sync fail, this many syncs from now; with `None`, none will fail.
    pub(super) fn fail_at(&self, syncs: Option<usize>) {
        self.state().system.fails_at = syncs;
    }

    /// How many syncs failed.
    pub(super) fn failed(&self) -> usize {
        self.state().system.failed
    }

    /// How many of them were syncs of the log.
    pub(super) fn failed_of_log(&self) -> usize {
        self.state().failed_of_log
    }

    /// Whether pages of the file were kept when it was dropped from the cache.
    pub(super) fn has_kept_pages(&self) -> bool {
        !self.state().file.kept.is_empty()
    }

    /// Returns what a machine finds after it is switched off now.
    pub(super) fn after_a_power_cut(&self) -> Disk {
        let mut state = self.state();
        let state = &mut *state;
        let seed = &mut state.system.seed;
        let file = state.file.after_a_power_cut(seed);
        let log = match &state.log {
            Some(log) => Some(log.after_a_power_cut(seed)),
            None => state.removed.clone().filter(|_| seed.one_in(2)),
        };
        Disk::of(Image { file, log })
    }

    fn file(&self) -> Part {
        Part(self.clone(), Which::File)
    }

    fn beside(&self) -> Option<Box<dyn LogPlace>> {
        Some(Box::new(Beside(self.clone())))
    }

    fn durable(&self, access: Access) -> Durable<Part, Part> {
        Durable::new(self.file(), self.file(), access)
    }

    pub(super) fn create(&self, settings: &Settings) -> Result<Db> {
        file::create_backend(self.file(), self.beside(), settings, None).map(Db::new)
    }

    pub(super) fn open(&self, settings: &Settings) -> Result<Db> {
        let durable = self.durable(Access::Write);
        file::open_backend(durable, self.beside(), settings, None).map(Db::new)
    }

    pub(super) fn inspect(&self, settings: &Settings) -> Result<Db> {
        let alone = || Ok(self.durable(Access::Inspect));
        let beside = || Ok(self.file());
        file::inspect_backend(alone, beside, || Ok(self.beside()), settings, None).map(Db::new)
    }
}

#[derive(Clone, Copy, Debug)]
enum Which {
    File,
    Log,
}

/// One of the two files of a disk.
struct Part(Cached, Which);

impl Part {
    fn with<T>(&self, act: impl FnOnce(&mut Pages, &mut System) -> T) -> T {
        let mut state = self.0.state();
        let state = &mut *state;
        let pages = match self.1 {
            Which::File => &mut state.file,
            Which::Log => state.log.as_mut().expect("it is removed when it is closed"),
        };
        let failed = state.system.failed;
        let done = act(pages, &mut state.system);
        if matches!(self.1, Which::Log) {
            state.failed_of_log += state.system.failed - failed;
        }
        done
    }
}

impl PageCache for Part {
    fn drop_pages(&self) -> io::Result<()> {
        self.with(Pages::drop_pages)
    }

    fn kept(&self) -> io::Result<Vec<Range<u64>>> {
        let range = |page: &usize| (page * PAGE) as u64..((page + 1) * PAGE) as u64;
        Ok(self.with(|pages, _| pages.kept.iter().map(range).collect()))
    }

    fn write_anew(&self, range: &Range<u64>) -> io::Result<()> {
        let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).unwrap());
        self.with(|pages, _| pages.waiting.extend(start / PAGE..end / PAGE));
        Ok(())
    }
}

impl StorageBackend for Part {
    fn len(&self) -> io::Result<u64> {
        Ok(self.with(|pages, _| pages.shown.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        self.with(|pages, _| {
            let bytes = pages.shown.get(start..);
            let bytes = bytes.and_then(|rest| rest.get(..out.len()));
            out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    /// A length is written with the file system's next sync, which does not fail here.
    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).unwrap();
        self.with(|pages, _| {
            pages.shown.resize(len, 0);
            pages.disk.resize(len, 0);
            pages.waiting.retain(|page| page * PAGE < len);
        });
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(Pages::sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        let end = start + data.len();
        self.with(|pages, _| {
            pages.shown[start..end].copy_from_slice(data);
            pages.waiting.extend(start / PAGE..end.div_ceil(PAGE));
        });
        Ok(())
    }

    free_locks!();
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Part").field(&self.1).finish()
    }
}

/// The place of the log.
struct Beside(Cached);

impl Beside {
    fn log(&self) -> Part {
        Part(self.0.clone(), Which::Log)
    }
}

impl fmt::Debug for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Beside")
    }
}

impl LogPlace for Beside {
    fn shown(&self) -> String {
        "/disk/log".to_owned()
    }

    fn open(&self, access: Access) -> Result<Option<LogFile>> {
        if self.0.state().log.is_none() {
            return Ok(None);
        }
        show_the_disk(&self.log(), &self.log(), access).or_io()?;
        Ok(Some(LogFile::new(Box::new(self.log()), None)))
    }

    /// If its sync fails, the file gets no name.
    fn create(&self, bytes: &[u8]) -> Result<LogFile> {
        let mut state = self.0.state();
        if state.log.is_some() {
            return Err(Error::of_kind(ErrorKind::AlreadyExists, "it is there"));
        }
        if let Err(error) = state.system.sync() {
            state.failed_of_log += 1;
            return Err(error).or_io();
        }
        state.log = Some(Pages::durable(bytes));
        state.removed = None;
        drop(state);
        Ok(LogFile::new(Box::new(self.log()), None))
    }

    fn remove(&self) -> Result<()> {
        let mut state = self.0.state();
        state.removed = state.log.take().map(|log| log.disk);
        Ok(())
    }
}
