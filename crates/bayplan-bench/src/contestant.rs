//! What takes part in a run, and what it is asked to do.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::payload::{self, RARE};

/// Takes part in a run: does the work of one round, and returns how long each call took.
pub(crate) trait Contestant {
    /// As it stands in the table.
    fn name(&self) -> &'static str;

    /// Where its files are.
    fn directory(&self) -> &Path;

    /// Opens its store, making it if there is none.
    fn open(&mut self) -> Result<()>;

    /// Closes its store.
    fn close(&mut self) -> Result<()>;

    /// Does the work; `None` if it cannot.
    fn run(&mut self, work: &Work<'_>) -> Result<Option<Samples>>;

    /// What its store, closed now, takes on the disk; `None` if it is no store.
    fn disk(&self) -> Result<Option<Disk>> {
        Disk::of(self.directory()).map(Some)
    }

    /// The most memory that a new process holds that opens the store, closed now, with a cache of
    /// [`SMALL_CACHE_BYTES`] and lists everything, one container after the other if it can; `None` if it is
    /// no store.
    fn peak_bytes(&mut self) -> Result<Option<u64>>;
}

/// The cache of all that have one.
pub(crate) const CACHE_BYTES: usize = 32 * 1024 * 1024;

/// The cache when memory is measured.
pub(crate) const SMALL_CACHE_BYTES: usize = 16 * 1024 * 1024;

/// The work of one round. The numbers are those of containers in the payload.
#[derive(Debug)]
pub(crate) enum Work<'a> {
    /// Creates these in one transaction; not timed.
    Fill(Range<usize>),
    /// Deletes these in one transaction; not timed.
    Remove(Range<usize>),
    /// Creates each, durable.
    Create(&'a [usize]),
    /// Sets the label [`CHANGED`] of each, durable.
    Update(&'a [usize], &'a str),
    /// Deletes each, durable.
    Delete(&'a [usize]),
    /// Reads each.
    Get(&'a [usize]),
    /// Closes the store, opens it so that it reads from the file, and reads each, a second time.
    GetFile(&'a [usize]),
    /// Reads all, as often as this.
    List(usize),
    /// Reads all without specs and extensions, as often as this.
    Headers(usize),
    /// Reads those that match, as often as this.
    Filter(&'a Filter, usize),
    /// Closes the store, opens it and reads this one; only the closing is not timed.
    Reopen(usize, Opening),
    /// The same without looking at the whole file, and sets the label [`CHANGED`] of this one.
    ReopenToWrite(usize),
    /// Opens a copy of the files of the open store, as after a kill, and reads this one.
    Killed(usize),
    /// The same after a rest, without looking at the whole file.
    KilledIdle(usize),
    /// Creates each in a new process, which opens and closes the store.
    Verb(&'a [usize]),
    /// Creates these from several threads, each durable.
    Threads(&'a Crowd),
    /// The same from as many processes, each of which opens the store once.
    Processes(&'a Crowd),
}

/// How a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// As is usual.
    Usual,
    /// Without looking at the whole file, where that is what is usual.
    Unchecked,
    /// With the smaller cache.
    SmallCache,
    /// So that no record is kept in memory, but for the cache of the file.
    FromFile,
}

/// How long a store waits for its turn to write while other processes write.
pub(crate) const TURN_TIMEOUT: Duration = Duration::from_secs(60);

/// The label that updates set.
pub(crate) const CHANGED: &str = "tier";

/// Which containers to list.
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    /// One of a hundred, by a label.
    Label,
    /// The one with this number, by `id==`.
    Id(usize),
    /// One of a hundred, by a regular expression on a label.
    Regex,
}

/// The label and its value, or the pattern for it, that the filters of one percent look at.
pub(crate) const PATTERN: &str = "^ledg";

impl Filter {
    /// As containerd and Bayplan write it.
    pub(crate) fn text(&self) -> String {
        let (key, value) = RARE;
        match self {
            Self::Label => format!("labels.{key:?}=={value}"),
            Self::Id(number) => format!("id=={}", payload::id(*number)),
            Self::Regex => format!("labels.{key:?}~={PATTERN:?}"),
        }
    }
}

/// Several threads, or processes, that create containers.
#[derive(Clone, Debug)]
pub(crate) struct Crowd {
    /// How many they are.
    pub(crate) threads: usize,
    /// How many each of them creates.
    pub(crate) each: usize,
    /// The number of the first.
    pub(crate) from: usize,
    /// Each in its own transaction, though the store could share one.
    pub(crate) apart: bool,
}

impl Crowd {
    /// All numbers that they create.
    pub(crate) fn all(&self) -> Range<usize> {
        self.from..self.from + self.threads * self.each
    }

    /// The numbers that one of them creates.
    pub(crate) fn of(&self, thread: usize) -> Range<usize> {
        let start = self.from + thread * self.each;
        start..start + self.each
    }
}

/// What one round of one contestant took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples {
    /// Each call.
    pub(crate) nanos: Vec<u64>,
    /// All of them together; of several threads or processes, from the start of the first to the end of the last.
    pub(crate) wall_nanos: u64,
    /// How many containers a call found, where that means something.
    pub(crate) found: usize,
}

/// The bytes of the files below a directory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Disk {
    /// The lengths of the files.
    pub(crate) length: u64,
    /// What is allocated to them.
    pub(crate) blocks: u64,
}

impl Disk {
    /// Adds up the files of this directory.
    pub(crate) fn of(directory: &Path) -> Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        const BLOCK_BYTES: u64 = 512;
        let mut sum = Self::default();
        for path in files(directory)? {
            let metadata = path.metadata()?;
            sum.length += metadata.len();
            sum.blocks += metadata.blocks() * BLOCK_BYTES;
        }
        Ok(sum)
    }
}

/// All files below a directory.
pub(crate) fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

/// Copies the files of a store that is open, and waits for the disk to have them.
pub(crate) fn copy_live(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    std::fs::create_dir_all(to)?;
    for path in files(from)? {
        let target = to.join(path.strip_prefix(from)?);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::copy(&path, &target)?;
        std::fs::File::open(&target)?.sync_all()?;
    }
    Ok(())
}
