//! A new file that has its name only once it is complete.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

const BUFFER_BYTES: usize = 1 << 18;

/// Only the owner can read and write the new file: the caller decides who else may read it.
const MODE: u32 = 0o600;

/// A file under another name in the same directory. It is removed when this is dropped.
#[derive(Debug)]
pub(super) struct NewFile {
    file: BufWriter<File>,
    /// Its name for now.
    temporary: PathBuf,
    target: PathBuf,
    may_overwrite: bool,
    /// A write failed, so the content of the file is unknown.
    has_failed: bool,
}

impl NewFile {
    pub(super) fn create(target: &Path, may_overwrite: bool) -> Result<Self> {
        if !may_overwrite && target.symlink_metadata().is_ok() {
            return Err(Error::Exists {
                path: target.to_owned(),
            });
        }
        let (temporary, file) = create_beside(target)?;
        Ok(Self {
            file: BufWriter::with_capacity(BUFFER_BYTES, file),
            temporary,
            target: target.to_owned(),
            may_overwrite,
            has_failed: false,
        })
    }

    /// Appends these bytes.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.attempt("write", |file| file.write_all(bytes))
    }

    /// Appends this many zeros.
    pub(super) fn append_zeros(&mut self, count: u64) -> Result<()> {
        self.attempt("write", |file| {
            io::copy(&mut io::Read::take(io::repeat(0), count), file).map(drop)
        })
    }

    /// Writes these bytes over what the file begins with.
    pub(super) fn overwrite_start(&mut self, bytes: &[u8]) -> Result<()> {
        self.attempt("write", |file| {
            file.rewind()?;
            file.write_all(bytes)
        })
    }

    fn attempt<T>(
        &mut self,
        operation: &'static str,
        action: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
    ) -> Result<T> {
        if self.has_failed {
            return Err(Error::Failed {
                path: self.target.clone(),
            });
        }
        let done = action(&mut self.file);
        self.has_failed = done.is_err();
        done.map_err(Error::io(operation, &self.temporary))
    }

    /// Syncs the file, then gives it its name, then syncs that.
    pub(super) fn finish(mut self) -> Result<()> {
        self.attempt("sync", |file| {
            file.flush()?;
            file.get_ref().sync_all()
        })?;
        if self.may_overwrite {
            let _lock = lock(&self.target)?;
            fs::rename(&self.temporary, &self.target)
                .map_err(Error::io("replace", &self.target))?;
        } else {
            fs::hard_link(&self.temporary, &self.target).map_err(|source| {
                let path = self.target.clone();
                match source.kind() {
                    io::ErrorKind::AlreadyExists => Error::Exists { path },
                    _ => Error::io("name", &path)(source),
                }
            })?;
            let removed = fs::remove_file(&self.temporary);
            removed.map_err(Error::io("remove", &self.temporary))?;
        }
        let directory = directory(&self.target);
        let synced = File::open(directory).and_then(|file| file.sync_all());
        synced.map_err(Error::io("sync", directory))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // After `finish` it is gone already.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Locks a file that is to be replaced, so that no process continues to use the old one.
fn lock(path: &Path) -> Result<Option<File>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("open", path)(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(Error::Locked {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(Error::io("lock", path)(source)),
    }
}

/// The directory that a file is in.
fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}

/// A new file in the directory of `target`.
fn create_beside(target: &Path) -> Result<(PathBuf, File)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let Some(name) = target.file_name() else {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "it is not the name of a file");
        return Err(Error::io("create", target)(source));
    };
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}-{number}.tmp", process::id()));
        let path = directory(target).join(hidden);
        let mut options = OpenOptions::new();
        match options.write(true).create_new(true).mode(MODE).open(&path) {
            Ok(file) => return Ok((path, file)),
            // A process of the same id was killed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("create", &path)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failed_write_every_further_one_is_refused_and_nothing_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("meta.db");
        let mut file = NewFile::create(&target, false).unwrap();
        // One that takes no writes.
        let readable = File::open(&file.temporary).unwrap();
        file.file = BufWriter::with_capacity(10, readable);
        file.append(b"buffered").unwrap();
        let told = file.append(b"too long for the buffer").unwrap_err();
        assert!(
            matches!(
                told,
                Error::Io {
                    operation: "write",
                    ..
                }
            ),
            "{told}"
        );
        assert!(matches!(file.append(b"x"), Err(Error::Failed { .. })));
        assert!(matches!(file.append_zeros(1), Err(Error::Failed { .. })));
        assert!(matches!(file.finish(), Err(Error::Failed { .. })));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
