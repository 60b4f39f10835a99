//! The place of a store's log: beside the file, under the file's name with `-log` appended.
//!
//! The log is beside the file itself, not beside a symbolic link to it: an opener that uses another path must find it.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use redb::StorageBackend;

use crate::model::error::{Error, ErrorKind, Result};
use crate::redb_file::durable::{FileCache, show_the_disk};
use crate::redb_file::fault::OrIo;
use crate::redb_file::gate::Access;
use crate::session::file::regular;
use crate::session::log::frame::{FRAMES_START, LOG_MAX_BYTES};
use crate::session::new_file::{NewFile, parent};
use crate::session::place::Place;
use crate::session::process::OwnFile;

/// The suffix of a log's name.
const SUFFIX: &str = "-log";

/// Where a log is, or would be.
pub(crate) trait LogPlace: fmt::Debug + Send + Sync {
    /// Returns the path, for messages.
    fn shown(&self) -> String;

    /// Opens the existing log, as it is on the disk; `None` if there is none.
    fn open(&self, access: Access) -> Result<Option<LogFile>>;

    /// Creates a log from these bytes, durable with its name.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if anything of that name exists; `Io`. A failure leaves nothing behind.
    fn create(&self, bytes: &[u8]) -> Result<LogFile>;

    /// Removes the log.
    fn remove(&self) -> Result<()>;
}

/// An open log.
#[derive(Debug)]
pub(crate) struct LogFile {
    pub(crate) backend: Box<dyn StorageBackend>,
    /// Where the log must be for its content to count; `None` if it is in memory.
    place: Option<Place>,
}

impl LogFile {
    pub(crate) fn new(backend: Box<dyn StorageBackend>, place: Option<Place>) -> Self {
        Self { backend, place }
    }

    /// Returns its first bytes, with the heads of both epochs if it is that long.
    pub(crate) fn heads(&self) -> Result<Vec<u8>> {
        let len = self.backend.len().or_io()?;
        self.first(len.min(FRAMES_START as u64))
    }

    /// Returns all of its bytes.
    ///
    /// # Errors
    ///
    /// `Corrupt` if it is longer than any log; `Io`.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>> {
        let len = self.backend.len().or_io()?;
        if len > LOG_MAX_BYTES {
            let what = format!("the log has {len} bytes, and no log has more than {LOG_MAX_BYTES}");
            return Err(Error::corrupt(what));
        }
        self.first(len)
    }

    /// Returns the first `count` bytes.
    fn first(&self, count: u64) -> Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(count).unwrap_or(0)];
        self.backend.read(0, &mut bytes).or_io()?;
        Ok(bytes)
    }

    /// Writes at a position, and makes that durable.
    pub(crate) fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.backend.write(at, bytes)?;
        self.backend.sync_data()
    }

    /// Checks that the log is where it was.
    pub(crate) fn check_place(&self) -> Result<()> {
        self.place.as_ref().map_or(Ok(()), Place::check)
    }
}

/// A log that is in use but missing. Salvage ignores this error.
pub(crate) fn missing(what: &str) -> Error {
    Error::corrupt(format!(
        "{what}. Commits that were acknowledged may be in it and nowhere else: put it back beside the file. \
         Without it, salvage the store into a new file: that has all commits up to the last checkpoint"
    ))
}

/// Treats anything at this path that is not a log as a missing log.
fn not_a_log(error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotAStore => missing("it is not a regular file").caused_by(error),
        ErrorKind::NotFound => missing(&error.to_string()),
        _ => error,
    }
}

/// The place beside a store's file.
#[derive(Debug)]
pub(crate) struct Beside(PathBuf);

impl Beside {
    /// Returns the place of the log of the store at this path, which need not exist yet.
    pub(crate) fn store(path: &Path) -> Result<Self> {
        let file = match (path.canonicalize(), path.file_name()) {
            (Err(error), Some(name)) if error.kind() == io::ErrorKind::NotFound => {
                parent(path).canonicalize().or_io()?.join(name)
            }
            (file, _) => file.or_io()?,
        };
        let mut name = file.into_os_string();
        name.push(SUFFIX);
        Ok(Self(name.into()))
    }

    /// Whether anything exists at this path.
    pub(crate) fn is_there(&self) -> bool {
        self.0.symlink_metadata().is_ok()
    }

    fn place_of(&self, file: &File) -> Result<Place> {
        Place::of(&self.0, file.try_clone().or_io()?).map(Place::of_log)
    }
}

impl LogPlace for Beside {
    fn shown(&self) -> String {
        self.0.display().to_string()
    }

    fn open(&self, access: Access) -> Result<Option<LogFile>> {
        match self.0.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.or_io()?,
        };
        regular(&self.0).map_err(not_a_log)?;
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(access == Access::Write)
            .open(&self.0)
            .or_io()?;
        let cache = FileCache::of(&file).or_io()?;
        let place = self.place_of(&file)?;
        let backend = OwnFile::new(file)?;
        show_the_disk(&backend, &cache, access).or_io()?;
        Ok(Some(LogFile::new(Box::new(backend), Some(place))))
    }

    fn create(&self, bytes: &[u8]) -> Result<LogFile> {
        let new = NewFile::begin(&self.0)?;
        let file = new.file()?;
        let backend = OwnFile::new(file.try_clone().or_io()?)?;
        let written = backend
            .set_len(bytes.len() as u64)
            .and_then(|()| backend.write(0, bytes));
        written.or_io()?;
        if let Err(error) = new.finish() {
            // It may have its name already.
            if self.place_of(&file).is_ok() {
                let _ = fs::remove_file(&self.0);
            }
            return Err(error);
        }
        let place = self.place_of(&file)?;
        Ok(LogFile::new(Box::new(backend), Some(place)))
    }

    fn remove(&self) -> Result<()> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).or_io(),
            _ => Ok(()),
        }
    }
}
