//! Which process holds the lock of a file: the right one, or none.
//!
//! `/proc/locks` names a process for each lock, but not always the right one. The number of a file is unique on its
//! device only, and some file systems show another device there than elsewhere. The process that took the lock may have
//! ended and left it to a child. Only `/proc/PID/fdinfo` is certain: it shows the locks that an open file of a process
//! holds.

use std::path::Path;

use crate::model::error::Error;
use crate::redb_file::fault::IN_USE;
use crate::redb_file::locks::Locks;

/// Adds the process that has the file locked to an error, if the system identifies it.
pub(crate) fn named(error: Error, path: &Path) -> Error {
    // An opener that waited for its turn knows better which process it waited for.
    if !error.says(IN_USE) {
        return error;
    }
    match of(path) {
        Some(pid) => error.reworded(format!("the file is in use by process {pid}")),
        None => error,
    }
}

/// Returns the process that is in a write transaction of a file shared by writers, if the system identifies it.
#[cfg(target_os = "linux")]
pub(crate) fn writer(path: &Path) -> Option<u32> {
    let file = linux::Locked::new(path)?.at(Locks::WRITES);
    linux::processes().find(|pid| file.is_held_by(*pid))
}

/// The system does not identify it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn writer(_path: &Path) -> Option<u32> {
    None
}

/// Returns the process that has the file locked, if the system identifies it. If several share the lock, it is the one
/// that took it, or the first.
#[cfg(target_os = "linux")]
fn of(path: &Path) -> Option<u32> {
    let file = linux::Locked::new(path)?;
    let took = linux::took(&std::fs::read_to_string("/proc/locks").ok()?, file.inode);
    let named = took.into_iter().find(|pid| file.is_held_by(*pid));
    named.or_else(|| linux::processes().find(|pid| file.is_held_by(*pid)))
}

/// The system does not identify it.
#[cfg(not(target_os = "linux"))]
fn of(_path: &Path) -> Option<u32> {
    None
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    /// A file that is locked.
    pub(super) struct Locked {
        device: u64,
        pub(super) inode: u64,
        /// The locked byte; `None` for any byte.
        byte: Option<u64>,
    }

    impl Locked {
        pub(super) fn new(path: &Path) -> Option<Self> {
            let metadata = path.metadata().ok()?;
            Some(Self {
                device: metadata.dev(),
                inode: metadata.ino(),
                byte: None,
            })
        }

        /// Asks for a lock on this byte only.
        pub(super) fn at(self, byte: u64) -> Self {
            let byte = Some(byte);
            Self { byte, ..self }
        }

        /// Whether an open file of the process holds a lock on this file.
        pub(super) fn is_held_by(&self, pid: u32) -> bool {
            let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fdinfo")) else {
                return false;
            };
            let descriptors =
                entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            descriptors
                .filter(|descriptor| {
                    fs::read_to_string(format!("/proc/{pid}/fdinfo/{descriptor}"))
                        .is_ok_and(|info| shows_lock(&info, self.inode, self.byte))
                })
                // Asked last: the file may be on a file system that does not answer.
                .any(|descriptor| {
                    fs::metadata(format!("/proc/{pid}/fd/{descriptor}"))
                        .is_ok_and(|open| (open.dev(), open.ino()) == (self.device, self.inode))
                })
        }
    }

    /// Returns the processes that took a lock on a file with this number, from a text such as
    /// `1: FLOCK  ADVISORY  WRITE 812 fe:00:1234 0 EOF`. A lock of an open file names no process (-1).
    pub(super) fn took(locks: &str, inode: u64) -> Vec<u32> {
        locks
            .lines()
            .filter_map(|line| taken(line, inode, None))
            .filter_map(|pid| pid.parse().ok())
            .collect()
    }

    /// Whether the text on an open file shows a lock on a file of this number, as the line
    /// `lock: 1: FLOCK  ADVISORY  WRITE 812 fe:00:1234 0 EOF`; of this byte, if one is named.
    pub(super) fn shows_lock(info: &str, inode: u64, byte: Option<u64>) -> bool {
        let mut locks = info.lines().filter_map(|line| line.strip_prefix("lock:"));
        locks.any(|line| taken(line, inode, byte).is_some())
    }

    /// The process in the line of a lock, if it is on a file of this number, and on this byte.
    fn taken(line: &str, inode: u64, byte: Option<u64>) -> Option<&str> {
        let mut fields = line.split_whitespace().skip(4);
        let pid = fields.next()?;
        let of = fields.next()?.rsplit(':').next()?.parse::<u64>().ok()?;
        let from = fields.next()?.parse::<u64>().ok()?;
        let to = match fields.next()? {
            "EOF" => u64::MAX,
            to => to.parse().ok()?,
        };
        let is_there = byte.is_none_or(|byte| (from..=to).contains(&byte));
        (of == inode && is_there).then_some(pid)
    }

    /// All processes, from the first.
    pub(super) fn processes() -> impl Iterator<Item = u32> {
        let entries = fs::read_dir("/proc").into_iter().flatten();
        let mut pids: Vec<u32> = entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect();
        pids.sort_unstable();
        pids.into_iter()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::linux::{shows_lock, took};
    use super::*;

    #[test]
    fn who_took_a_lock_is_found_by_the_number_of_the_file() {
        let locks = "1: OFDLCK ADVISORY  WRITE -1 fe:00:77 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 812 fe:00:77 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 9 fe:01:77 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE 10 fe:00:78 0 EOF\n";
        assert_eq!(took(locks, 77), [812, 9]);
        assert_eq!(took(locks, 79), [0; 0]);
        assert_eq!(took("nonsense\n", 77), [0; 0]);
    }

    #[test]
    fn an_open_file_shows_the_locks_that_it_holds() {
        let info = "pos:\t0\nflags:\t02100002\nino:\t77\n";
        assert!(!shows_lock(info, 77, None));
        let of_all = format!("{info}lock:\t1: FLOCK  ADVISORY  WRITE 812 fe:00:77 0 EOF\n");
        assert!(shows_lock(&of_all, 77, None));
        assert!(shows_lock(&of_all, 77, Some(9)));
        assert!(!shows_lock(&of_all, 78, None));
        let of_a_few = format!("{info}lock:\t1: OFDLCK ADVISORY  WRITE -1 fe:00:77 5 6\n");
        assert!(shows_lock(&of_a_few, 77, Some(6)));
        assert!(!shows_lock(&of_a_few, 77, Some(7)));
    }

    #[test]
    fn a_process_that_has_the_file_open_without_its_lock_is_not_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(of(file.path()), None);
        file.as_file().lock().unwrap();
        assert_eq!(of(file.path()), Some(std::process::id()));
    }
}
