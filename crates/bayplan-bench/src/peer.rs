//! A contestant that is a library in this process: [`Timed`] puts the clock around each call of a
//! [`Peer`].

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::child;
use crate::contestant::{Contestant, Crowd, Filter, Opening, Samples, Work, copy_live};
use crate::contestants::Meet;
use crate::payload::id;

/// A store, as far as it is measured.
///
/// What a caller has in hand before it calls is prepared before the clock starts.
pub(crate) trait Peer: Sized + Send + Sync {
    const NAME: &'static str;

    /// What creates a container.
    type New: Send;
    /// What changes a label of one.
    type Change;

    fn open(directory: &Path, opening: Opening) -> Result<Self>;
    fn new(number: usize) -> Result<Self::New>;
    fn change(number: usize, value: &str) -> Result<Self::Change>;

    /// Creates these in one transaction.
    fn fill(&self, numbers: Range<usize>) -> Result<()>;
    /// Deletes these in one transaction.
    fn remove(&self, numbers: Range<usize>) -> Result<()>;

    fn create(&self, new: Self::New) -> Result<()>;
    fn update(&self, change: Self::Change) -> Result<()>;
    fn delete(&self, id: &str) -> Result<()>;
    /// Reads one to an owned container, which it drops.
    fn get(&self, id: &str) -> Result<()>;
    /// Reads all, one after the other, each to an owned container, and counts them.
    fn list(&self) -> Result<usize>;

    /// Does the same for those that match, if it can.
    fn filter(&self, _filter: &Filter) -> Result<Option<usize>> {
        Ok(None)
    }

    /// Does the same without specs and extensions, if it can.
    fn headers(&self) -> Result<Option<usize>> {
        Ok(None)
    }

    /// Creates in a transaction that is not shared, if `create` would share it.
    fn create_apart(&self, _new: Self::New) -> Result<Option<()>> {
        Ok(None)
    }

    /// Does what it does when nothing is written for a while; false if that is nothing.
    fn rest(&self) -> Result<bool> {
        Ok(false)
    }

    /// Whether [`Opening::Unchecked`] is anything but the usual.
    fn can_skip_check() -> bool {
        false
    }

    /// Whether it takes part where reading from the file is measured by itself.
    fn has_file_row() -> bool {
        false
    }

    /// Whether several processes can write it at the same time.
    fn can_be_shared() -> bool {
        false
    }
}

/// A peer with its place and the clock.
pub(crate) struct Timed<P> {
    directory: PathBuf,
    store: Option<P>,
}

impl<P: Peer> Timed<P> {
    pub(crate) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            store: None,
        }
    }

    fn store(&self) -> Result<&P> {
        self.store.as_ref().context("the store is closed")
    }

    fn reopen(&mut self, number: usize, opening: Opening) -> Result<Option<Samples>> {
        if opening == Opening::Unchecked && !P::can_skip_check() {
            return Ok(None);
        }
        let id = id(number);
        self.reopened(opening, |store| store.get(&id)).map(Some)
    }

    fn reopen_to_write(&mut self, number: usize) -> Result<Option<Samples>> {
        if !P::can_skip_check() {
            return Ok(None);
        }
        let change = P::change(number, "reopened")?;
        self.reopened(Opening::Unchecked, |store| store.update(change))
            .map(Some)
    }

    /// Closes the store, and times opening it and the first work with it.
    fn reopened(
        &mut self,
        opening: Opening,
        first: impl FnOnce(&P) -> Result<()>,
    ) -> Result<Samples> {
        self.store = None;
        let start = Instant::now();
        let store = P::open(&self.directory, opening)?;
        first(&store)?;
        let samples = one(start);
        self.store = Some(store);
        Ok(samples)
    }

    fn get_file(&mut self, ids: &[String]) -> Result<Option<Samples>> {
        if !P::has_file_row() {
            return Ok(None);
        }
        self.store = None;
        let store = P::open(&self.directory, Opening::FromFile)?;
        ids.iter().try_for_each(|id| store.get(id))?;
        let samples = each(ids.iter().collect(), |id| store.get(id))?;
        drop(store);
        self.store = Some(P::open(&self.directory, Opening::Usual)?);
        Ok(Some(samples))
    }

    fn verbs(&mut self, numbers: &[usize]) -> Result<Samples> {
        self.store = None;
        let nanos = numbers
            .iter()
            .map(|number| child::verb_nanos(P::NAME, &self.directory, *number))
            .collect::<Result<Vec<_>>>()?;
        self.store = Some(P::open(&self.directory, Opening::Usual)?);
        Ok(Samples {
            wall_nanos: nanos.iter().sum(),
            found: nanos.len(),
            nanos,
        })
    }

    fn processes(&self, crowd: &Crowd) -> Result<Option<Samples>> {
        match P::can_be_shared() {
            true => child::create(P::NAME, &self.directory, crowd).map(Some),
            false => Ok(None),
        }
    }

    fn killed(&self, number: usize, opening: Opening) -> Result<Samples> {
        let id = id(number);
        let copy = self.directory.with_extension("killed");
        copy_live(&self.directory, &copy)?;
        let start = Instant::now();
        let store = P::open(&copy, opening)?;
        store.get(&id)?;
        let samples = one(start);
        drop(store);
        std::fs::remove_dir_all(&copy)?;
        Ok(samples)
    }
}

impl<P: Peer> Contestant for Timed<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn directory(&self) -> &Path {
        &self.directory
    }

    fn open(&mut self) -> Result<()> {
        std::fs::create_dir_all(&self.directory)?;
        self.store = Some(P::open(&self.directory, Opening::Usual)?);
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.store = None;
        Ok(())
    }

    fn run(&mut self, work: &Work<'_>) -> Result<Option<Samples>> {
        let ids = |numbers: &[usize]| numbers.iter().map(|n| id(*n)).collect::<Vec<_>>();
        match work {
            Work::Fill(numbers) => self.store()?.fill(numbers.clone()).map(|()| None),
            Work::Remove(numbers) => self.store()?.remove(numbers.clone()).map(|()| None),
            Work::Create(numbers) => {
                let store = self.store()?;
                let new = numbers.iter().map(|number| P::new(*number));
                let new = new.collect::<Result<_>>()?;
                each(new, |new| store.create(new)).map(Some)
            }
            Work::Update(numbers, value) => {
                let store = self.store()?;
                let changes = numbers.iter().map(|number| P::change(*number, value));
                let changes = changes.collect::<Result<_>>()?;
                each(changes, |change| store.update(change)).map(Some)
            }
            Work::Delete(numbers) => {
                let store = self.store()?;
                each(ids(numbers), |id| store.delete(&id)).map(Some)
            }
            Work::Get(numbers) => {
                let store = self.store()?;
                each(ids(numbers), |id| store.get(&id)).map(Some)
            }
            Work::GetFile(numbers) => self.get_file(&ids(numbers)),
            Work::List(times) => {
                let store = self.store()?;
                listings(*times, || store.list().map(Some))
            }
            Work::Headers(times) => {
                let store = self.store()?;
                listings(*times, || store.headers())
            }
            Work::Filter(filter, times) => {
                let store = self.store()?;
                listings(*times, || store.filter(filter))
            }
            Work::Reopen(number, opening) => self.reopen(*number, *opening),
            Work::ReopenToWrite(number) => self.reopen_to_write(*number),
            Work::Killed(number) => self.killed(*number, Opening::Usual).map(Some),
            Work::KilledIdle(number) => match self.store()?.rest()? {
                true => self.killed(*number, Opening::Unchecked).map(Some),
                false => Ok(None),
            },
            Work::Verb(numbers) => self.verbs(numbers).map(Some),
            Work::Threads(crowd) => threads(self.store()?, crowd),
            Work::Processes(crowd) => self.processes(crowd),
        }
    }

    fn peak_bytes(&mut self) -> Result<Option<u64>> {
        child::list_peak_bytes(P::NAME, &self.directory).map(Some)
    }
}

/// The work of the process that [`Contestant::peak_bytes`] starts.
pub(crate) fn list_with_small_cache<P: Peer>(directory: &Path) -> Result<usize> {
    P::open(directory, Opening::SmallCache)?.list()
}

/// The work of the process that [`Work::Verb`] starts.
pub(crate) fn verb<P: Peer>(directory: &Path, number: usize) -> Result<u64> {
    let new = P::new(number)?;
    let start = Instant::now();
    // Like a host that starts a process for each operation.
    let store = P::open(directory, Opening::Unchecked)?;
    store.create(new)?;
    drop(store);
    Ok(nanos_since(start))
}

/// The work of a process that [`Work::Processes`] starts.
pub(crate) fn create<P: Peer>(
    directory: &Path,
    numbers: Range<usize>,
    meet: &mut Meet<'_>,
) -> Result<Samples> {
    let new = numbers.map(P::new).collect::<Result<_>>()?;
    let store = P::open(directory, Opening::Usual)?;
    meet()?;
    let samples = each(new, |new| store.create(new))?;
    // Closing is not timed, and does not disturb those that still create.
    meet()?;
    Ok(samples)
}

fn one(start: Instant) -> Samples {
    let nanos = nanos_since(start);
    Samples {
        nanos: vec![nanos],
        wall_nanos: nanos,
        found: 1,
    }
}

/// Times the work on each of these.
pub(crate) fn each<T>(items: Vec<T>, mut work: impl FnMut(T) -> Result<()>) -> Result<Samples> {
    let mut nanos = Vec::with_capacity(items.len());
    for item in items {
        let start = Instant::now();
        within_the_clock(|| work(item))?;
        nanos.push(nanos_since(start));
    }
    Ok(Samples {
        wall_nanos: nanos.iter().sum(),
        found: nanos.len(),
        nanos,
    })
}

/// What is timed, in a separate function: counting instructions begins and ends with it.
#[inline(never)]
fn within_the_clock<T>(work: impl FnOnce() -> T) -> T {
    work()
}

fn listings(
    times: usize,
    mut list: impl FnMut() -> Result<Option<usize>>,
) -> Result<Option<Samples>> {
    let mut samples = Samples::default();
    for _ in 0..times {
        let start = Instant::now();
        let Some(found) = within_the_clock(&mut list)? else {
            return Ok(None);
        };
        samples.nanos.push(nanos_since(start));
        samples.found = found;
    }
    samples.wall_nanos = samples.nanos.iter().sum();
    Ok(Some(samples))
}

fn threads<P: Peer>(store: &P, crowd: &Crowd) -> Result<Option<Samples>> {
    let work: Vec<Vec<P::New>> = (0..crowd.threads)
        .map(|thread| crowd.of(thread).map(P::new).collect())
        .collect::<Result<_>>()?;
    let barrier = Barrier::new(crowd.threads + 1);
    let mut samples = Samples::default();
    let done = std::thread::scope(|scope| {
        let threads: Vec<_> = work
            .into_iter()
            .map(|new| {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    one_thread(store, new, crowd.apart)
                })
            })
            .collect();
        barrier.wait();
        let start = Instant::now();
        let done: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
        samples.wall_nanos = nanos_since(start);
        done
    });
    for thread in done {
        match thread {
            Ok(nanos) => match nanos? {
                Some(nanos) => samples.nanos.extend(nanos),
                None => return Ok(None),
            },
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    samples.found = samples.nanos.len();
    Ok(Some(samples))
}

fn one_thread<P: Peer>(store: &P, new: Vec<P::New>, apart: bool) -> Result<Option<Vec<u64>>> {
    let mut nanos = Vec::with_capacity(new.len());
    for new in new {
        let start = Instant::now();
        if !apart {
            store.create(new)?;
        } else if store.create_apart(new)?.is_none() {
            return Ok(None);
        }
        nanos.push(nanos_since(start));
    }
    Ok(Some(nanos))
}

pub(crate) fn nanos_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
