//! A private copy of a store that another process has to itself, to look into without making that process wait.
//!
//! The file is copied while it is written, and its log after it. What the copy shows is known by the checksums of all its
//! pages: where a commit ran through the copy, these do not hold, and it is made again. It shows the commit that was the
//! last one when the copy was begun, or a later one, or the one before, if a commit overwrote pages of it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bayplan::{Builder, Db};
use tempfile::TempDir;

use crate::failure::{Exit, Failure, Result};

/// How often a copy is made anew.
const ATTEMPTS: usize = 16;

/// Opens a copy of this file, which `locked` says is in use, in a directory that is to live as long as it is open.
pub(crate) fn open(builder: &Builder, path: &Path, locked: Failure) -> Result<(Db, TempDir)> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        match open_once(builder, path) {
            Ok(opened) => return Ok(opened),
            Err(failure) if failure.exit() == Exit::Damaged => last = Some(failure),
            Err(failure) => {
                let why = format!("and it cannot be copied: {}", failure.message());
                return Err(locked.because(why));
            }
        }
    }
    let why = "and of its copies none was whole: it is written without a pause, or damaged";
    Err(match last {
        Some(failure) => locked.because(why).because(failure.message()),
        None => locked.because(why),
    })
}

fn open_once(builder: &Builder, path: &Path) -> Result<(Db, TempDir)> {
    let failed = |error: io::Error| Failure::new(error.to_string());
    let directory = tempfile::tempdir().map_err(failed)?;
    // Removed as an unfinished file if a signal ends the program.
    let copy = directory.path().join(".bayplan-copy.new");
    fs::copy(path, &copy).map_err(failed)?;
    match fs::copy(log_of(path), log_of(&copy)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let db = builder.open_read_only(&copy)?;
    // What was in it is in memory.
    let _ = fs::remove_file(log_of(&copy));
    Ok((db, directory))
}

/// The log of a store.
pub(crate) fn log_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push("-log");
    PathBuf::from(name)
}
