//! The storage backend that redb gets: the file behind its [gate](crate::redb_file::gate).

use std::io;
use std::ops::Bound;
use std::sync::Arc;

use redb::{BackendError, StorageBackend};

use crate::redb_file::gate::{Access, Gate, State};
use crate::redb_file::layout::PAGE_BYTES;
use crate::redb_file::trees::{Extent, ReadAt};

/// A file behind a gate.
#[derive(Debug)]
pub(crate) struct GatedBackend(Arc<State>);

/// Returns the backend for redb, and the gate to open later. `told` receives the progress of the verification.
pub(crate) fn gated(
    inner: impl StorageBackend,
    access: Access,
    extent: Extent,
    told: impl Fn(f64) + Send + Sync + 'static,
) -> (GatedBackend, Gate) {
    let gate = Gate::new(inner, access, extent, told);
    (GatedBackend(Arc::clone(&gate.0)), gate)
}

impl StorageBackend for GatedBackend {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if offset < PAGE_BYTES {
            return self.0.read(offset, out);
        }
        self.0.read_page(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.before_write(len..u64::MAX);
        match self.0.closed() {
            Some(mut overlay) => overlay.set_len(&*self.0.inner, len),
            None => self.0.inner.set_len(len),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.0.closed() {
            Some(mut overlay) => {
                overlay.sync();
                Ok(())
            }
            None => self.0.inner.sync_data(),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0
            .before_write(offset..offset.saturating_add(data.len() as u64));
        match self.0.closed() {
            Some(mut overlay) => overlay.write(&*self.0.inner, offset, data),
            None => self.0.inner.write(offset, data),
        }
    }

    fn close(&self) -> io::Result<()> {
        self.0.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        match self.0.access {
            Access::Write | Access::Follow => self.0.inner.try_lock_range(start, end),
            Access::Inspect => self.0.inner.try_lock_shared_range(start, end),
        }
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.0.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        match self.0.access {
            Access::Write | Access::Follow => self.0.inner.lock_range(start, end),
            Access::Inspect => self.0.inner.lock_shared_range(start, end),
        }
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.inner.query_lock_range(start, end)
    }
}
