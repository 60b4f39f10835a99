//! The contestants, one file each.

mod bayplan;
mod blob_filter;
mod containerd;
mod fjall;
mod lmdb;
mod log_floor;
mod redb;
mod sqlite;

use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::contestant::{Contestant, Samples};
use crate::peer::{self, Peer, Timed};

use self::bayplan::{Bayplan, Log, Plain, Processes, Readers};
use self::containerd::Containerd;
use self::fjall::Fjall;
use self::lmdb::Lmdb;
use self::log_floor::LogFloor;
use self::redb::{RedbBlob, RedbPut};
use self::sqlite::Sqlite;

/// The contestants that are stores in this process, in the order of the table.
const PEERS: [Entry; 9] = [
    Entry::of::<Bayplan<Plain>>(),
    Entry::of::<Bayplan<Log>>(),
    Entry::of::<Bayplan<Readers>>().shared(),
    Entry::of::<Bayplan<Processes>>().shared(),
    Entry::of::<RedbPut>(),
    Entry::of::<RedbBlob>(),
    Entry::of::<Sqlite>(),
    Entry::of::<Lmdb>(),
    Entry::of::<Fjall>(),
];

/// Waits until every process has come this far.
pub(crate) type Meet<'a> = dyn FnMut() -> Result<()> + 'a;

/// A store in this process, and what can be asked of it without a contestant.
pub(crate) struct Entry {
    name: &'static str,
    make: fn(&Path) -> Box<dyn Contestant>,
    list_with_small_cache: fn(&Path) -> Result<usize>,
    verb: fn(&Path, usize) -> Result<u64>,
    create: fn(&Path, Range<usize>, &mut Meet<'_>) -> Result<Samples>,
    is_shared: bool,
}

impl Entry {
    const fn of<P: Peer + 'static>() -> Self {
        Self {
            name: P::NAME,
            make: |directory| Box::new(Timed::<P>::new(directory)),
            list_with_small_cache: peer::list_with_small_cache::<P>,
            verb: peer::verb::<P>,
            create: peer::create::<P>,
            is_shared: false,
        }
    }

    /// Marks it as shared, which leaves it out of `--instructions` and `--scale`.
    const fn shared(self) -> Self {
        Self {
            is_shared: true,
            ..self
        }
    }

    /// Lists all containers, in the process whose memory is measured, and counts them.
    pub(crate) fn list_with_small_cache(&self, directory: &Path) -> Result<usize> {
        (self.list_with_small_cache)(directory)
    }

    /// Opens the store, creates this container and closes the store. Returns the time in nanoseconds.
    pub(crate) fn verb(&self, directory: &Path, number: usize) -> Result<u64> {
        (self.verb)(directory, number)
    }

    /// Opens the store, meets the others, creates these containers one by one, and meets the others again
    /// before it closes the store.
    pub(crate) fn create(
        &self,
        directory: &Path,
        numbers: Range<usize>,
        meet: &mut Meet<'_>,
    ) -> Result<Samples> {
        (self.create)(directory, numbers, meet)
    }
}

/// All of them, in the order of the table.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let others = [log_floor::NAME, containerd::NAME];
    PEERS.iter().map(|entry| entry.name).chain(others)
}

/// Those that take part in `--instructions` and `--scale`: stores in this process that are not shared.
pub(crate) fn unshared_names() -> impl Iterator<Item = &'static str> {
    let unshared = PEERS.iter().filter(|entry| !entry.is_shared);
    unshared.map(|entry| entry.name)
}

/// The store of this name in this process.
pub(crate) fn peer(name: &str) -> Result<&'static Entry> {
    PEERS
        .iter()
        .find(|entry| entry.name == name)
        .with_context(|| format!("there is no store {name:?} in this process"))
}

/// Returns the contestant of this name, with its files below `directory`. containerd uses this program, if it is
/// already built. `Err` says why the contestant cannot run.
pub(crate) fn make(
    name: &str,
    directory: &Path,
    program: Option<&Path>,
) -> Result<Box<dyn Contestant>> {
    let directory = directory.join(name);
    Ok(match name {
        log_floor::NAME => Box::new(LogFloor::new(&directory)),
        containerd::NAME => Box::new(Containerd::new(&directory, program)?),
        _ => (peer(name)?.make)(&directory),
    })
}
