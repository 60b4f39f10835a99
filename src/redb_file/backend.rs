//! A storage backend with a gate: until it is opened, nothing reaches the file.
//!
//! redb repairs a file while opening it, before anybody can look at its content, and writes its header and
//! its free pages whenever it opens and closes it. While the gate is closed, its writes are kept in memory,
//! on top of the file, and read back from there. So a file that turns out to be foreign, or of a newer
//! version, stays unchanged. So does a file with unverified pages, until the first write. And a file that
//! must not be written can be inspected, repaired in memory. When the gate opens, the kept writes and syncs
//! go to the file in order.
//!
//! The gate also verifies the pages that redb would trust ([`trees`](crate::redb_file::trees)), when redb
//! reads its first page. By then redb has locked the file.
//!
//! redb refuses all work after one failed read. A page that refers beyond the end of the file must not
//! cause that. So once the file is open ([`Gate::read_on`]), reads there return zeros as long as nothing is
//! written. redb does not accept them as a page, and that is reported as damage.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use redb::{BackendError, StorageBackend};

use crate::model::error::Result;
use crate::redb_file::layout::{Commit, PAGE_BYTES};
use crate::redb_file::trees::{self, Extent, ReadAt};

const BLOCK_BYTES: u64 = 4096;

/// The backend for redb, and the gate to open later. `told` gets the progress of the verification.
pub(crate) fn gated(
    inner: impl StorageBackend,
    access: Access,
    extent: Extent,
    told: impl Fn(f64) + Send + Sync + 'static,
) -> (GatedBackend, Gate) {
    let gate = Gate(Arc::new(State {
        inner: Box::new(inner),
        access,
        open: AtomicBool::new(access == Access::Follow),
        reads_on: AtomicBool::new(false),
        overlay: Mutex::new(Overlay::default()),
        extent,
        told: Told(Box::new(told)),
        unseen: OnceLock::new(),
    }));
    (GatedBackend(Arc::clone(&gate.0)), gate)
}

/// How the file is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// The file will be written.
    Write,
    /// The file is never written. Locks are shared, and the gate stays closed.
    Inspect,
    /// The file is read directly, while another process may write it. There is no gate.
    Follow,
}

/// Opens the gate, and reads the file behind it.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<State>);

impl Gate {
    /// Writes what was kept, and lets everything pass from now on. Does nothing if the gate is open.
    ///
    /// # Errors
    ///
    /// Errors of the file. The gate then stays closed for good: the file has a prefix of redb's writes, as
    /// after a crash, and no later sync can be trusted.
    pub(crate) fn open(&self) -> io::Result<()> {
        let state = &self.0;
        // This is called before each write. If the gate is open, no lock is taken.
        if state.access != Access::Write || state.is_open() {
            return Ok(());
        }
        let mut overlay = state.overlay();
        if state.is_open() {
            return Ok(());
        }
        if std::mem::replace(&mut overlay.is_stuck, true) {
            let what = "an earlier attempt to write what was held back failed";
            return Err(io::Error::other(what));
        }
        for held in std::mem::take(&mut overlay.held) {
            match held {
                Held::Write(offset, data) => state.inner.write(offset, &data)?,
                Held::SetLen(len) => state.inner.set_len(len)?,
                Held::Sync => state.inner.sync_data()?,
            }
        }
        *overlay = Overlay::default();
        state.open.store(true, Ordering::Release);
        Ok(())
    }

    /// Whether everything passes.
    pub(crate) fn is_open(&self) -> bool {
        self.0.is_open()
    }

    /// From now on, until the gate opens, a read beyond the end of the file returns zeros: that is damage,
    /// not a failure of the file.
    pub(crate) fn read_on(&self) {
        self.0.reads_on.store(true, Ordering::Release);
    }

    /// The commit that redb trusted without its pages being verified, if there is one.
    pub(crate) fn unverified(&self) -> Option<Commit> {
        match (self.0.extent, self.0.unseen.get()) {
            (Extent::OwnTables, Some(Ok(Some(commit)))) => Some(*commit),
            _ => None,
        }
    }

    /// The last commit, according to the header now.
    pub(crate) fn last_commit(&self) -> Result<Option<Commit>> {
        trees::last_commit(&*self.0)
    }

    /// Verifies these pages of a commit. They must not have been overwritten.
    pub(crate) fn verify(&self, commit: &Commit, extent: Extent) -> Result<()> {
        trees::verify(&*self.0, commit, extent, &|_| {})
    }
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct GatedBackend(Arc<State>);

#[derive(Debug)]
struct State {
    inner: Box<dyn StorageBackend>,
    access: Access,
    open: AtomicBool,
    /// Whether a read beyond the end returns zeros while nothing is written.
    reads_on: AtomicBool,
    overlay: Mutex<Overlay>,
    extent: Extent,
    told: Told,
    /// The commit that redb trusts; unknown before it reads its first page.
    unseen: OnceLock<Result<Option<Commit>>>,
}

/// Gets the progress of the verification.
struct Told(Box<dyn Fn(f64) + Send + Sync>);

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Told")
    }
}

impl State {
    /// Lets no page through before the commit that redb trusts is verified.
    fn before_page(&self) -> io::Result<()> {
        if self.access == Access::Follow {
            // A commit can come at any time. Whoever needs verified pages verifies those of a snapshot.
            return Ok(());
        }
        let verify = || trees::verify_unseen(self, self.extent, &self.told.0);
        match self.unseen.get_or_init(verify) {
            Ok(_) => Ok(()),
            Err(error) => Err(io::Error::other(error.clone())),
        }
    }

    fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    fn overlay(&self) -> MutexGuard<'_, Overlay> {
        self.overlay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The overlay, while the gate is closed.
    fn closed(&self) -> Option<MutexGuard<'_, Overlay>> {
        if self.is_open() {
            return None;
        }
        // The gate may have opened while this waited.
        Some(self.overlay()).filter(|_| !self.is_open())
    }

    /// Whether a read failed because it goes beyond the end.
    fn is_beyond(&self, error: &io::Error) -> bool {
        let is_never_written = !self.is_open() || self.access == Access::Follow;
        error.kind() == io::ErrorKind::UnexpectedEof
            && is_never_written
            && self.reads_on.load(Ordering::Acquire)
    }
}

/// What was written behind the closed gate.
#[derive(Debug, Default)]
struct Overlay {
    /// The length, and how much of the file below is still visible. Nobody else changes the file, since it
    /// is locked.
    lens: Option<Lens>,
    blocks: BTreeMap<u64, Vec<u8>>,
    held: Vec<Held>,
    /// Whether writing the kept writes has begun but not ended.
    is_stuck: bool,
}

#[derive(Clone, Copy, Debug)]
struct Lens {
    len: u64,
    shown: u64,
}

#[derive(Debug)]
enum Held {
    Write(u64, Vec<u8>),
    SetLen(u64),
    Sync,
}

impl Overlay {
    fn lens(&mut self, inner: &dyn StorageBackend) -> io::Result<Lens> {
        match self.lens {
            Some(lens) => Ok(lens),
            None => {
                let len = inner.len()?;
                Ok(*self.lens.insert(Lens { len, shown: len }))
            }
        }
    }

    fn set_len(&mut self, inner: &dyn StorageBackend, len: u64) -> io::Result<()> {
        let lens = self.lens(inner)?;
        self.lens = Some(Lens {
            len,
            shown: lens.shown.min(len),
        });
        self.blocks.retain(|block, _| block * BLOCK_BYTES < len);
        if let Some(last) = self.blocks.get_mut(&(len / BLOCK_BYTES)) {
            let kept = usize::try_from(len % BLOCK_BYTES).unwrap_or(usize::MAX);
            last.iter_mut().skip(kept).for_each(|byte| *byte = 0);
        }
        self.held.push(Held::SetLen(len));
        Ok(())
    }

    /// The current content of a block.
    fn block(&mut self, inner: &dyn StorageBackend, block: u64) -> io::Result<Vec<u8>> {
        if let Some(bytes) = self.blocks.get(&block) {
            return Ok(bytes.clone());
        }
        let start = block * BLOCK_BYTES;
        let shown = self
            .lens(inner)?
            .shown
            .saturating_sub(start)
            .min(BLOCK_BYTES);
        let mut bytes = vec![0; usize::try_from(shown).unwrap_or(0)];
        if !bytes.is_empty() {
            inner.read(start, &mut bytes)?;
        }
        bytes.resize(usize::try_from(BLOCK_BYTES).unwrap_or(0), 0);
        Ok(bytes)
    }

    /// Reads what differs from the file; false if nothing does, and the file must be read.
    fn read(
        &mut self,
        inner: &dyn StorageBackend,
        offset: u64,
        out: &mut [u8],
    ) -> io::Result<bool> {
        let end = offset
            .checked_add(out.len() as u64)
            .ok_or(io::ErrorKind::InvalidInput)?;
        let lens = self.lens(inner)?;
        if end > lens.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut covering = self
            .blocks
            .range(offset / BLOCK_BYTES..end.div_ceil(BLOCK_BYTES));
        if end <= lens.shown && covering.next().is_none() {
            return Ok(false);
        }
        let mut at = offset;
        let mut rest = out;
        while !rest.is_empty() {
            let block = self.block(inner, at / BLOCK_BYTES)?;
            let from = block
                .get(usize::try_from(at % BLOCK_BYTES).unwrap_or(0)..)
                .unwrap_or(&[]);
            let count = from.len().min(rest.len());
            let (now, later) = rest.split_at_mut(count);
            now.iter_mut().zip(from).for_each(|(to, byte)| *to = *byte);
            at += count as u64;
            rest = later;
        }
        Ok(true)
    }

    fn write(&mut self, inner: &dyn StorageBackend, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut at = offset;
        let mut rest = data;
        while !rest.is_empty() {
            let mut block = self.block(inner, at / BLOCK_BYTES)?;
            let into = block
                .iter_mut()
                .skip(usize::try_from(at % BLOCK_BYTES).unwrap_or(0));
            let count = into.zip(rest).map(|(to, byte)| *to = *byte).count();
            self.blocks.insert(at / BLOCK_BYTES, block);
            at += count as u64;
            rest = rest.get(count..).unwrap_or(&[]);
        }
        let lens = self.lens(inner)?;
        self.lens = Some(Lens {
            len: lens.len.max(at),
            ..lens
        });
        self.held.push(Held::Write(offset, data.to_vec()));
        Ok(())
    }
}

impl ReadAt for State {
    fn len(&self) -> io::Result<u64> {
        match self.closed() {
            Some(mut overlay) => overlay.lens(&*self.inner).map(|lens| lens.len),
            None => self.inner.len(),
        }
    }

    fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        let is_read = match self.closed() {
            Some(mut overlay) => overlay.read(&*self.inner, at, out)?,
            None => false,
        };
        // Not while others wait for the overlay.
        if is_read {
            return Ok(());
        }
        self.inner.read(at, out)
    }
}

impl StorageBackend for GatedBackend {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if offset < PAGE_BYTES {
            return self.0.read(offset, out);
        }
        self.0.before_page()?;
        match self.0.read(offset, out) {
            Err(error) if self.0.is_beyond(&error) => {
                tracing::warn!(
                    offset,
                    bytes = out.len(),
                    "a page beyond the end of the file"
                );
                out.fill(0);
                Ok(())
            }
            read => read,
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        match self.0.closed() {
            Some(mut overlay) => overlay.set_len(&*self.0.inner, len),
            None => self.0.inner.set_len(len),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.0.closed() {
            Some(mut overlay) => {
                overlay.held.push(Held::Sync);
                Ok(())
            }
            None => self.0.inner.sync_data(),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
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
