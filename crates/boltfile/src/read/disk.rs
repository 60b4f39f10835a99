//! The file, its lock, and reads at a position.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

#[derive(Debug)]
pub(crate) struct Disk {
    file: File,
    path: PathBuf,
    length: u64,
}

impl Disk {
    /// Opens the file and locks it against writers, until this is dropped.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let kind = fs::metadata(path).map_err(Error::io("open", path))?;
        if !kind.is_file() {
            // Opening a pipe would wait for a writer.
            let source = io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
            return Err(Error::io("open", path)(source));
        }
        let file = File::open(path).map_err(Error::io("open", path))?;
        match file.try_lock_shared() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Locked {
                    path: path.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", path)(source)),
        }
        let length = file.metadata().map_err(Error::io("open", path))?.len();
        Ok(Self {
            file,
            path: path.to_owned(),
            length,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its length in bytes, as it was when it was opened.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Fills the buffer with what is at an offset.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.file
            .read_exact_at(buffer, offset)
            .map_err(Error::io("read", &self.path))
    }

    /// The bytes at an offset; `None` if the file ends before them.
    pub(crate) fn array<const COUNT: usize>(&self, offset: u64) -> Result<Option<[u8; COUNT]>> {
        let end = offset.checked_add(COUNT as u64);
        if end.is_none_or(|end| end > self.length) {
            return Ok(None);
        }
        let mut bytes = [0; COUNT];
        self.read(&mut bytes, offset)?;
        Ok(Some(bytes))
    }
}
