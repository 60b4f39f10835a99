//! The gate before the file: until it is opened, nothing reaches the file.
//!
//! redb repairs a file while opening it, before its content can be checked, and writes its header and its free pages
//! whenever it opens and closes it. While the gate is closed, its writes are kept in memory, on top of the file
//! ([`overlay`](crate::redb_file::overlay)), and read back from there. So a file that turns out to be foreign, or of a
//! newer version, stays unchanged. Any file stays unchanged until the first commit, unless all its pages are verified
//! at opening. And a file that must not be written can be repaired in memory and inspected. When the gate opens, the
//! kept writes and syncs go to the file in order.
//!
//! The gate also verifies the pages that redb would trust: all of them ([`trees`](crate::redb_file::trees)) when redb
//! reads its first page, since it has locked the file by then; or those of redb's own tables, and each other one when
//! redb reads it ([`expected`](crate::redb_file::expected)).
//!
//! redb refuses all work after one failed read. A reference beyond the end of the file must not cause that. So once the
//! file is open ([`Gate::read_on`]), reads there return zeros as long as nothing is written. redb does not accept zeros
//! as a page, and that is reported as damage.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use redb::StorageBackend;

use crate::model::error::{Error, ErrorKind, Result};
use crate::redb_file::expected::{Changing, Damage, Expectation, Expected};
use crate::redb_file::fault::OrIo;
use crate::redb_file::layout::Commit;
use crate::redb_file::overlay::Overlay;
use crate::redb_file::page::{Page, Widths};
use crate::redb_file::trees::{self, Extent, ReadAt};

/// How often verification is retried if others commit meanwhile.
const ATTEMPTS: usize = 64;

/// How the file is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// The file will be written.
    Write,
    /// The file is never written. Locks are shared, and the gate stays closed.
    Inspect,
    /// The file is used directly, while other processes may write it. There is no gate.
    Follow,
}

/// Opens the gate, and reads the file behind it.
#[derive(Clone, Debug)]
pub(crate) struct Gate(pub(super) Arc<State>);

impl Gate {
    /// Creates a gate before this file, closed unless the file is only followed. `told` receives the progress of the
    /// verification.
    pub(super) fn new(
        inner: impl StorageBackend,
        access: Access,
        extent: Extent,
        told: impl Fn(f64) + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(State {
            inner: Box::new(inner),
            access,
            open: AtomicBool::new(access == Access::Follow),
            reads_on: AtomicBool::new(false),
            overlay: Mutex::new(Overlay::default()),
            extent,
            told: Told(Box::new(told)),
            unseen: OnceLock::new(),
            expected: Expected::default(),
            damage: Damage::default(),
        }))
    }

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
        overlay.pass_on(&*state.inner)?;
        state.open.store(true, Ordering::Release);
        Ok(())
    }

    /// Whether everything passes.
    pub(crate) fn is_open(&self) -> bool {
        self.0.is_open()
    }

    /// Makes a read beyond the end of the file return zeros, until the gate opens: such a read means damage, not a
    /// failure of the file.
    pub(crate) fn read_on(&self) {
        self.0.reads_on.store(true, Ordering::Release);
    }

    /// Whether every page of the last commit is known to be what was written.
    pub(crate) fn are_pages_verified(&self) -> bool {
        !self.0.expected.is_any() && self.damage().is_none()
    }

    /// Notes that redb has verified all pages itself.
    pub(crate) fn all_are_verified(&self) {
        self.0.expected.forget(0..u64::MAX);
    }

    /// Verifies the pages that were not read yet, while others read and write.
    ///
    /// # Errors
    ///
    /// `Corrupt` if a page is damaged, now or before; `Io`.
    pub(crate) fn verify_rest(&self) -> Result<()> {
        self.0.verify_rest()
    }

    /// Returns the damage that was found first.
    pub(crate) fn damage(&self) -> Option<&Error> {
        self.0.damage.noted()
    }

    /// Whether the row under this key is in or below a damaged page, and so may be an older version.
    pub(crate) fn is_doubtful(&self, key: &[u8]) -> bool {
        self.0.damage.is_doubtful(key)
    }

    /// Begins a change of redb's trees. Until the result is dropped, reading a damaged page fails, and so does all
    /// later work of redb.
    ///
    /// # Errors
    ///
    /// `Corrupt` if damage was found before.
    pub(crate) fn begin_change(&self) -> Result<Changing<'_>> {
        self.0.damage.begin_change()
    }

    /// Returns the last commit that another process may read, according to the current header.
    pub(crate) fn published(&self) -> Result<Option<Commit>> {
        Ok(trees::header(&*self.0)?.and_then(|header| Commit::published(&header)))
    }

    /// Makes durable what all processes have written so far.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.0.inner.sync_data()
    }

    /// Verifies these pages of the last commit, while other processes may commit.
    ///
    /// # Errors
    ///
    /// `Corrupt` if a page is damaged; `Unavailable` if others commit all the time; `Io`.
    pub(crate) fn verify_beside_others(&self, extent: Extent) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let Some(commit) = self.published()? else {
                return Ok(()); // redb verifies it.
            };
            let verified = self.verify(&commit, extent);
            // Pages of an older commit may be in use again.
            if self.published()? == Some(commit) {
                return verified;
            }
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            "other processes write the file all the time: its pages could not be verified",
        ))
    }

    /// Verifies these pages of a commit, which must not have been overwritten.
    pub(crate) fn verify(&self, commit: &Commit, extent: Extent) -> Result<()> {
        trees::verify(&*self.0, commit, extent, &|_| {})
    }
}

/// What the gate and the backend share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) inner: Box<dyn StorageBackend>,
    pub(super) access: Access,
    open: AtomicBool,
    /// Whether a read beyond the end returns zeros while nothing is written.
    reads_on: AtomicBool,
    overlay: Mutex<Overlay>,
    extent: Extent,
    told: Told,
    /// The verification of the commit that redb trusts; empty before redb reads its first page.
    unseen: OnceLock<Result<()>>,
    expected: Expected,
    damage: Damage,
}

/// Receives the progress of the verification.
struct Told(Box<dyn Fn(f64) + Send + Sync>);

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Told")
    }
}

impl State {
    /// Before any page is read, verifies the commit that redb trusts, or finds out what its pages must hold.
    pub(super) fn before_page(&self) -> io::Result<()> {
        if self.access == Access::Follow {
            // A commit can come at any time. Operations that need verified pages verify those of a snapshot.
            return Ok(());
        }
        let verify = || {
            let commit = trees::verify_unseen(self, self.extent, &self.told.0)?;
            if let (Some(commit), Extent::OwnTables) = (commit, self.extent) {
                let roots = trees::roots(self, &commit)?;
                self.expected.begin(commit.layout, &roots);
            }
            Ok(())
        };
        let unseen = self.unseen.get_or_init(verify);
        unseen.clone().map_err(io::Error::other)
    }

    /// Reads a page for redb, and verifies it if that was not done yet.
    pub(super) fn read_page(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.before_page()?;
        let expected = self.expected.at(offset);
        match self.read(offset, out) {
            Err(error) if self.is_beyond(&error, expected.is_some()) => {
                let bytes = out.len();
                tracing::warn!(offset, bytes, "a page beyond the end of the file");
                out.fill(0);
            }
            read => read?,
        }
        match expected {
            Some(expected) if !self.expected.confirm(offset, &expected, out) => {
                match self.note_damage(offset, &expected, out) {
                    (error, true) => Err(io::Error::other(error)),
                    (_, false) => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn verify_rest(&self) -> Result<()> {
        if let Some(error) = self.damage.noted() {
            return Err(error.clone());
        }
        let file_bytes = ReadAt::len(self).or_io()?;
        let mut seen_bytes = 0_u64;
        while let Some((offset, expected)) = self.expected.next() {
            seen_bytes = seen_bytes.saturating_add(expected.bytes());
            // A forged file must not lead in circles, nor take all memory.
            let is_beyond = offset.saturating_add(expected.bytes()) > file_bytes;
            let read = match is_beyond || seen_bytes > file_bytes {
                true => Vec::new(),
                false => self.bytes(offset, expected.bytes())?,
            };
            if !self.expected.confirm(offset, &expected, &read) {
                return Err(self.note_damage(offset, &expected, &read).0);
            }
        }
        Ok(())
    }

    /// Notes that these bytes are not those of the page at this offset. Returns the error, and whether a change of the
    /// trees is in progress.
    fn note_damage(&self, offset: u64, expected: &Expectation, read: &[u8]) -> (Error, bool) {
        let error = trees::damaged_page(offset);
        let keys = self.keys_below(read, expected.widths);
        let is_changing = self.damage.note(error.clone(), keys);
        (error, is_changing)
    }

    /// Returns the keys in and below a damaged page, as far as redb could read them.
    fn keys_below(&self, read: &[u8], widths: Widths) -> Vec<Vec<u8>> {
        let file_bytes = ReadAt::len(self).unwrap_or(0);
        let mut left_bytes = file_bytes;
        let mut keys = Vec::new();
        let mut next = vec![read.to_vec()];
        while let Some(read) = next.pop() {
            let page = Page::new(read, widths);
            keys.extend(page.pairs().flatten().map(|(key, _)| key.to_vec()));
            for child in page.children() {
                let place = self.expected.place(&child);
                let Some(place) = place.filter(|place| place.end <= file_bytes) else {
                    continue;
                };
                let bytes = place.end - place.start;
                let Some(left) = left_bytes.checked_sub(bytes) else {
                    return keys; // It leads in circles.
                };
                left_bytes = left;
                next.extend(self.bytes(place.start, bytes));
            }
        }
        keys
    }

    fn bytes(&self, offset: u64, bytes: u64) -> Result<Vec<u8>> {
        let mut read = vec![0; usize::try_from(bytes).unwrap_or(0)];
        self.read(offset, &mut read).or_io()?;
        Ok(read)
    }

    /// Notes that this process writes in this range, so that it knows the content from now on.
    pub(super) fn before_write(&self, range: Range<u64>) {
        self.expected.forget(range);
    }

    fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    fn overlay(&self) -> MutexGuard<'_, Overlay> {
        self.overlay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the overlay while the gate is closed.
    pub(super) fn closed(&self) -> Option<MutexGuard<'_, Overlay>> {
        if self.is_open() {
            return None;
        }
        // The gate may have opened while this waited.
        Some(self.overlay()).filter(|_| !self.is_open())
    }

    /// Whether a read failed because it goes beyond the end. That is damage: another page refers to that place.
    fn is_beyond(&self, error: &io::Error, is_expected: bool) -> bool {
        let is_never_written = !self.is_open() || self.access == Access::Follow;
        error.kind() == io::ErrorKind::UnexpectedEof
            && (is_expected || is_never_written && self.reads_on.load(Ordering::Acquire))
    }
}

impl ReadAt for State {
    fn len(&self) -> io::Result<u64> {
        match self.closed() {
            Some(mut overlay) => overlay.len(&*self.inner),
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
