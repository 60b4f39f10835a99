//! A file that is being opened while other processes may be writing it.

use std::fmt;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use redb::{BackendError, StorageBackend};

use crate::redb_file::locks::{Byte, Locks};
use crate::session::sharing::{Limit, Patience, TURN_RETRY_MIN};

/// The writer's byte of a file that is being opened, as redb asks for it: redb would wait for it without a limit.
///
/// While the process waits it says so, and writers leave a gap for it.
pub(crate) struct Joining<B> {
    file: B,
    locks: Arc<Locks>,
    /// `None` once the file is open.
    limit: Arc<Mutex<Option<Limit>>>,
}

impl<B> Joining<B> {
    /// The second value, when it is dropped, says that the file is open.
    pub(crate) fn new(file: B, locks: &Arc<Locks>, limit: Limit) -> (Self, Opening) {
        let limit = Arc::new(Mutex::new(Some(limit)));
        let joining = Self {
            file,
            locks: Arc::clone(locks),
            limit: Arc::clone(&limit),
        };
        (joining, Opening(limit))
    }
}

/// A file that is being opened.
pub(crate) struct Opening(Arc<Mutex<Option<Limit>>>);

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl<B: StorageBackend> Joining<B> {
    fn lock(
        &self,
        limit: Limit,
        (start, end): (Bound<u64>, Bound<u64>),
    ) -> Result<(), BackendError> {
        // A process that writes all the time leaves only short gaps.
        let mut patience = Patience::of(limit, TURN_RETRY_MIN..=TURN_RETRY_MIN);
        let mut waits = false;
        let locked = loop {
            match self.file.try_lock_range(start, end) {
                Ok(false) => {}
                Ok(true) => break Ok(()),
                Err(error) => break Err(error),
            }
            if patience.is_over() {
                break Err(BackendError::Io(io::ErrorKind::TimedOut.into()));
            }
            if !waits {
                waits = self.locks.share(Byte::Waiting).unwrap_or_default();
            }
            patience.wait();
        };
        if waits {
            let _ = self.locks.give_up(Byte::Waiting);
        }
        locked
    }
}

impl<B: fmt::Debug> fmt::Debug for Joining<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.fmt(f)
    }
}

impl<B: StorageBackend> StorageBackend for Joining<B> {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        let limit = *self.limit.lock().unwrap_or_else(PoisonError::into_inner);
        match limit {
            Some(limit) => self.lock(limit, (start, end)),
            None => self.file.lock_range(start, end),
        }
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
