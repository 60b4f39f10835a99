//! The least time that the disk takes for a durable write: the bytes of a container are appended to a file with
//! allocated blocks, and synced.
//!
//! It is not a store: nothing can be read or found again, and a full file is overwritten.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::codec::{encode, key};
use crate::contestant::{CHANGED, Contestant, Disk, Samples, Work};
use crate::payload::{NAMESPACE, container, id};
use crate::peer::each;

pub(crate) const NAME: &str = "log-floor";

/// The length of the file, written once before anything is appended.
const LOG_BYTES: usize = 64 * 1024 * 1024;

/// What the disk writes at once: an append begins at one and fills whole ones.
const BLOCK_BYTES: usize = 4096;

pub(crate) struct LogFloor {
    directory: PathBuf,
    log: Option<Log>,
}

struct Log {
    file: File,
    end: usize,
    /// What is appended, filled up to whole blocks.
    blocks: Vec<u8>,
}

impl Log {
    fn open(path: &Path) -> Result<Self> {
        if !path.exists() {
            fs::write(path, vec![0; LOG_BYTES])?;
        }
        let file = File::options().write(true).open(path)?;
        file.sync_all()?;
        Ok(Self {
            file,
            end: 0,
            blocks: Vec::new(),
        })
    }

    fn append(&mut self, record: &[u8]) -> Result<()> {
        self.blocks.clear();
        self.blocks.extend_from_slice(record);
        let length = record.len().next_multiple_of(BLOCK_BYTES);
        self.blocks.resize(length, 0);
        ensure!(length <= LOG_BYTES, "a record is longer than the log");
        if self.end + length > LOG_BYTES {
            self.end = 0;
        }
        self.file.write_all_at(&self.blocks, self.end as u64)?;
        self.file.sync_data()?;
        self.end += length;
        Ok(())
    }
}

impl LogFloor {
    pub(crate) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            log: None,
        }
    }
}

impl Contestant for LogFloor {
    fn name(&self) -> &'static str {
        NAME
    }

    fn directory(&self) -> &Path {
        &self.directory
    }

    fn open(&mut self) -> Result<()> {
        fs::create_dir_all(&self.directory)?;
        self.log = Some(Log::open(&self.directory.join("log"))?);
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.log = None;
        Ok(())
    }

    fn run(&mut self, work: &Work<'_>) -> Result<Option<Samples>> {
        let records: Result<Vec<_>> = match work {
            Work::Create(numbers) => numbers.iter().map(|n| encode(&container(*n))).collect(),
            Work::Update(numbers, value) => numbers
                .iter()
                .map(|n| encode(&container(*n).label(CHANGED, *value)))
                .collect(),
            Work::Delete(numbers) => Ok(numbers.iter().map(|n| key(NAMESPACE, &id(*n))).collect()),
            _ => return Ok(None),
        };
        let log = self.log.as_mut().context("the log is closed")?;
        each(records?, |record| log.append(&record)).map(Some)
    }

    fn disk(&self) -> Result<Option<Disk>> {
        Ok(None)
    }

    fn peak_bytes(&mut self) -> Result<Option<u64>> {
        Ok(None)
    }
}
