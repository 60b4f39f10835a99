//! The process that opened a store. A fork's copy of the store may do nothing.
//!
//! A fork copies the memory of a store and shares its open file, with the lock on it. If the copy closed itself, it
//! would overwrite what the parent writes and release the parent's lock. A lock in memory that another thread of the
//! parent held stays locked in the copy for good. So every entry point of a store checks the process first, and a copy
//! is forgotten, not dropped.
//!
//! A number does not identify a process: a child in a new PID namespace has number 1, as its parent may have; and
//! numbers are reused. But the kernel never hands a process's lock on a file (`F_SETLK`) to a child. The process that
//! opens a store takes such a lock, on a file in memory of its own. So a process is the one that took the lock if three
//! things hold: it has the same number, it sees no lock of another process on that file, and the process that took the
//! lock has not ended.

use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::io;
use std::mem;
use std::ops::{Bound, Deref};
use std::process;
use std::ptr;
use std::sync::{Arc, Mutex, Weak};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use crate::model::error::{Error, ErrorKind, Result};
use crate::redb_file::fault::{OrFault, OrIo, drop_contained};
use crate::redb_file::found::Found;

/// The first process of a PID namespace: the number that a child most likely shares with its parent.
const FIRST_NUMBER: u32 = 1;

/// Shared by all stores that this process has open. It is only tried, never waited for: a fork may have copied it while
/// another thread held it.
static LATEST: Mutex<Weak<Mark>> = Mutex::new(Weak::new());

thread_local! {
    /// The process that this thread has checked, as long as it is in [`Process::unforked`].
    static CHECKED: Cell<*const Mark> = const { Cell::new(ptr::null()) };
}

/// See the module documentation.
#[derive(Clone)]
pub(crate) struct Process(Arc<Mark>);

struct Mark {
    number: u32,
    /// `None` if the system does not support it.
    witness: Option<witness::Witness>,
}

impl Process {
    /// Returns the current process.
    pub(crate) fn current() -> Result<Self> {
        let mut latest = LATEST.try_lock().ok();
        if let Some(mark) = latest.as_ref().and_then(|latest| latest.upgrade()) {
            let process = Self(mark);
            if process.is_current() {
                return Ok(process);
            }
        }
        let mark = Arc::new(Mark {
            number: process::id(),
            witness: witness::Witness::new().or_io()?,
        });
        if let Some(latest) = &mut latest {
            **latest = Arc::downgrade(&mark);
        }
        Ok(Self(mark))
    }

    /// Runs work in which this thread does not fork, right after this process was checked. Inside, its number is all that
    /// is checked: a full check takes four system calls, and a commit would make up to twenty.
    pub(crate) fn unforked<T>(&self, work: impl FnOnce() -> T) -> T {
        struct Before(*const Mark);
        impl Drop for Before {
            fn drop(&mut self) {
                CHECKED.set(self.0);
            }
        }
        let _before = Before(CHECKED.replace(Arc::as_ptr(&self.0)));
        work()
    }

    /// Whether this is the current process.
    pub(crate) fn is_current(&self) -> bool {
        let mark = &self.0;
        let is_of_this_process = || {
            let witness = mark.witness.as_ref();
            witness.is_none_or(witness::Witness::is_of_this_process)
        };
        mark.number == process::id() && (CHECKED.get() == Arc::as_ptr(mark) || is_of_this_process())
    }

    /// Fails in any other process.
    pub(crate) fn check(&self) -> Result<()> {
        match self.is_current() {
            true => Ok(()),
            false => Err(forked()),
        }
    }

    /// Fails in any other process, except one that happens to have the same number, if that is not 1. For reads: an
    /// exact answer takes system calls, which would slow them down.
    pub(crate) fn check_number(&self) -> Result<()> {
        if self.0.number == FIRST_NUMBER {
            return self.check();
        }
        match self.0.number == process::id() {
            true => Ok(()),
            false => Err(forked()),
        }
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Process").field(&self.0.number).finish()
    }
}

fn forked() -> Error {
    Error::new(
        ErrorKind::Forked,
        "another process opened this store and was forked then: this one can do nothing with it, and \
         has changed nothing. Fork first, and open the store in the one process that is to use it",
    )
}

/// A value that is dropped only in the process that made it: a fork's copy is forgotten.
pub(crate) struct Own<T> {
    value: Option<T>,
    process: Process,
}

impl<T> Own<T> {
    pub(crate) fn new(value: T, process: &Process) -> Self {
        Self {
            value: Some(value),
            process: process.clone(),
        }
    }

    /// Returns the value. Fails in another process.
    pub(crate) fn into_inner(mut self) -> Result<T> {
        self.process.check()?;
        self.value.take().ok_or_else(forked)
    }
}

impl<T> Deref for Own<T> {
    type Target = T;

    #[expect(
        clippy::expect_used,
        reason = "only `into_inner` and `drop`, which end it, take it out"
    )]
    fn deref(&self) -> &T {
        self.value.as_ref().expect("it is there until the end")
    }
}

impl<T> Drop for Own<T> {
    fn drop(&mut self) {
        let Some(value) = self.value.take() else {
            return;
        };
        if !self.process.is_current() {
            mem::forget(value);
            return;
        }
        drop_contained(value);
    }
}

impl<T: fmt::Debug> fmt::Debug for Own<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// A file that only the process that opened it uses. It backs up all other checks, also for a store that is still being
/// created.
#[derive(Debug)]
pub(crate) struct OwnFile {
    backend: FileBackend,
    /// The same file, to ask for its length without its times.
    file: File,
    process: Process,
}

impl OwnFile {
    pub(crate) fn new(file: File) -> Result<Self> {
        Ok(Self {
            file: file.try_clone().or_io()?,
            backend: FileBackend::new(file).or_fault()?,
            process: Process::current()?,
        })
    }

    fn checked(&self) -> io::Result<&FileBackend> {
        self.process.check().map_err(io::Error::other)?;
        Ok(&self.backend)
    }

    fn lockable(&self) -> Result<&FileBackend, BackendError> {
        self.checked().map_err(BackendError::Io)
    }
}

impl StorageBackend for OwnFile {
    /// redb asks for it twice in each commit of a store that processes share: see [`Found`].
    fn len(&self) -> io::Result<u64> {
        self.process.check_number().map_err(io::Error::other)?;
        Ok(Found::of(&self.file)?.len_bytes)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.process.check_number().map_err(io::Error::other)?;
        self.backend.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.checked()?.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.checked()?.sync_data()
    }

    /// A commit makes many writes. It is checked in full when it begins.
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.process.check_number().map_err(io::Error::other)?;
        self.backend.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.checked()?.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.lockable()?.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.lockable()?.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.lockable()?.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.lockable()?.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.lockable()?.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.lockable()?.query_lock_range(start, end)
    }
}

#[cfg(target_os = "linux")]
mod witness {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::MetadataExt;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::{FlockOperation, MemfdFlags, fcntl_lock, fstat, memfd_create};
    use rustix::io::Errno;
    use rustix::process::{Flock, FlockType, PidfdFlags, fcntl_getlk, getpid, pidfd_open};

    /// Distinguishes a process from another one with the same number.
    pub(super) struct Witness {
        /// A file in memory that the process has locked.
        locked: OwnedFd,
        /// Identifies that file: a child may close what it inherits, and the descriptor then leads elsewhere.
        file: (u64, u64),
        /// Shows when the process has ended, which releases its lock.
        ended: Option<OwnedFd>,
        namespace: Option<(u64, u64)>,
    }

    impl Witness {
        /// Returns `None` if the system does not support it, or does not allow this process to use it.
        pub(super) fn new() -> io::Result<Option<Self>> {
            let locked = known(memfd_create("bayplan-process", MemfdFlags::CLOEXEC))?;
            let ended = known(pidfd_open(getpid(), PidfdFlags::empty()))?;
            let Some(locked) = locked else {
                return Ok(None);
            };
            fcntl_lock(&locked, FlockOperation::NonBlockingLockExclusive)?;
            let witness = Self {
                file: identity(&locked)?,
                locked,
                ended,
                namespace: namespace(),
            };
            Ok(Some(witness))
        }

        /// Whether the current process made it, given that the numbers are the same.
        pub(super) fn is_of_this_process(&self) -> bool {
            if self.has_ended() || identity(&self.locked).ok() != Some(self.file) {
                return false;
            }
            match fcntl_getlk(&self.locked, &Flock::from(FlockType::WriteLock)) {
                Ok(None) => true,
                // A thread with its own table of open files looks like another process here.
                _ => self.namespace.is_some() && self.namespace == namespace(),
            }
        }

        fn has_ended(&self) -> bool {
            let Some(ended) = &self.ended else {
                return false;
            };
            let at_once = Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            loop {
                let mut polled = [PollFd::new(ended, PollFlags::IN)];
                match poll(&mut polled, Some(&at_once)) {
                    // A signal came, even though this call does not wait.
                    Err(Errno::INTR) => {}
                    polled => return polled.is_ok_and(|ready| ready > 0),
                }
            }
        }
    }

    fn identity(file: &OwnedFd) -> io::Result<(u64, u64)> {
        let stat = fstat(file)?;
        Ok((stat.st_dev, stat.st_ino))
    }

    /// Returns the PID namespace of this process.
    fn namespace() -> Option<(u64, u64)> {
        let namespace = std::fs::metadata("/proc/self/ns/pid").ok()?;
        Some((namespace.dev(), namespace.ino()))
    }

    /// Returns `None` if there is no such call, or a filter of calls forbids it.
    fn known<T>(called: Result<T, Errno>) -> io::Result<Option<T>> {
        match called {
            Ok(value) => Ok(Some(value)),
            Err(Errno::NOSYS | Errno::PERM | Errno::ACCESS | Errno::INVAL) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod witness {
    use std::io;

    /// On other systems a process is identified by its number only.
    pub(super) struct Witness;

    impl Witness {
        pub(super) fn new() -> io::Result<Option<Self>> {
            Ok(None)
        }

        pub(super) fn is_of_this_process(&self) -> bool {
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn another() -> Process {
        let mark = Mark {
            number: process::id().wrapping_add(1),
            witness: None,
        };
        Process(Arc::new(mark))
    }

    #[test]
    fn a_process_knows_itself_and_no_other() {
        let process = Process::current().unwrap();
        process.check().unwrap();
        process.check_number().unwrap();
        for checked in [another().check(), another().check_number()] {
            assert_eq!(checked.unwrap_err().kind(), ErrorKind::Forked);
        }
    }

    #[test]
    fn a_value_of_another_process_is_neither_dropped_nor_given() {
        struct Told<'t>(&'t Cell<bool>);
        impl Drop for Told<'_> {
            fn drop(&mut self) {
                self.0.set(true);
            }
        }
        let dropped = Cell::new(false);
        drop(Own::new(Told(&dropped), &another()));
        assert!(Own::new(Told(&dropped), &another()).into_inner().is_err());
        assert!(!dropped.get());
        drop(Own::new(Told(&dropped), &Process::current().unwrap()));
        assert!(dropped.get());
    }

    #[test]
    fn work_without_forks_knows_other_processes_all_the_same_and_ends_with_a_panic() {
        let process = Process::current().unwrap();
        process.unforked(|| {
            process.check().unwrap();
            assert!(another().check().is_err());
            another().unforked(|| assert!(another().check().is_err()));
            assert!(!CHECKED.get().is_null());
        });
        let panicked = std::panic::catch_unwind(|| process.unforked(|| panic!("on purpose")));
        assert!(panicked.is_err());
        assert!(CHECKED.get().is_null());
    }

    #[cfg(target_os = "linux")]
    #[test]
    #[expect(deprecated, reason = "its successor is unsafe; no file is used here")]
    fn a_thread_with_its_own_table_of_open_files_is_of_the_same_process() {
        let process = Process::current().unwrap();
        let thread = std::thread::spawn(move || {
            rustix::thread::unshare(rustix::thread::UnshareFlags::FILES).unwrap();
            process.check().unwrap();
        });
        thread.join().unwrap();
    }
}
