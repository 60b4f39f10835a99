//! Ensures that everything read from a file that was not closed cleanly is on the disk.
//!
//! If the system fails to write a page back, it reports that once, at the next sync, and then considers the page clean:
//! no later sync writes it. ext4 and XFS still show its bytes while they are cached (Rebello and others, "Can
//! Applications Recover from fsync Failures?", USENIX ATC 2020, sections 3.2 and 3.3). A process that opens the file
//! again finds the commit whose sync failed and builds on it. A power cut then loses everything: the pages below the
//! new commits were never written.
//!
//! So before redb reads a file for writing that was not closed cleanly, with redb's locks held:
//!
//! 1. it is synced, so that everything that can be written is written;
//! 2. its cached pages are dropped (`POSIX_FADV_DONTNEED`), so that reads reach the disk;
//! 3. the system is asked which pages it kept: it silently keeps pages that a process has mapped or is reading. A read
//!    that may not wait (`RWF_NOWAIT`) succeeds only for a cached page, or one that came from the disk meanwhile;
//! 4. these are rewritten with the bytes they have, past the cache (`O_DIRECT`), and synced. If that is
//!    interrupted, the disk has some of the pages written after the last sync, as after any power cut.
//!    Writing through the cache does not work: after a failure, ext4 writes such a page to blocks that it
//!    still considers unwritten, and reports success; they read as zeros later (Linux 6.18;
//!    `tests/it/failed_sync` shows it). Writing past the cache also drops the pages.
//!
//! If the system cannot say which pages it kept, the whole file is rewritten. If the file system cannot
//! write past the cache, the pages are written through it, which is better than nothing.
//!
//! A file was closed cleanly if its header says so: redb writes that after everything else was synced
//! successfully. A handle whose sync failed writes no more, not even when it is closed.
//!
//! The log beside a file is treated in the same way, whenever it is read.
//!
//! A file that is opened for reading is also synced and dropped, but not rewritten. A page that the system kept can
//! show a commit that is not on the disk, with valid checksums.

use std::fs::File;
use std::io;
use std::ops::{Bound, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use redb::{BackendError, StorageBackend};

use crate::redb_file::gate::Access;
use crate::redb_file::layout::{HEADER_BYTES, was_closed_well};

/// The part of a file that the system caches.
pub(crate) trait PageCache: std::fmt::Debug + Send {
    /// Writes the dirty pages, and drops all pages.
    fn drop_pages(&self) -> io::Result<()>;

    /// Returns the ranges whose pages may have been kept, and may differ from the disk.
    fn kept(&self) -> io::Result<Vec<Range<u64>>>;

    /// Writes the bytes that the cache shows in this range. A sync makes them durable.
    fn write_anew(&self, range: &Range<u64>) -> io::Result<()>;
}

/// A backend that reads only what is on the disk; see the module documentation.
#[derive(Debug)]
pub(crate) struct Durable<B, C> {
    inner: B,
    access: Access,
    is_settled: AtomicBool,
    /// `None` once it is settled.
    cache: Mutex<Option<C>>,
}

impl<B: StorageBackend, C: PageCache> Durable<B, C> {
    pub(crate) fn new(inner: B, cache: C, access: Access) -> Self {
        Self {
            inner,
            access,
            is_settled: AtomicBool::new(false),
            cache: Mutex::new(Some(cache)),
        }
    }

    /// Returns the backend, once everything it shows is on the disk. redb holds its locks when it first calls this.
    fn settled(&self) -> io::Result<&B> {
        if !self.is_settled.load(Ordering::Acquire) {
            let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(cache) = &*cache {
                self.settle(cache)?;
            }
            *cache = None;
            self.is_settled.store(true, Ordering::Release);
        }
        Ok(&self.inner)
    }

    fn settle(&self, cache: &C) -> io::Result<()> {
        let inner = &self.inner;
        let len = inner.len()?;
        let mut header = [0; HEADER_BYTES];
        if len < header.len() as u64 {
            return Ok(()); // It is not a store.
        }
        inner.read(0, &mut header)?;
        match was_closed_well(&header) {
            true => Ok(()),
            false => show_the_disk(inner, cache, self.access),
        }
    }
}

/// Ensures that a file shows what is on the disk, as far as the access allows; see the module documentation.
///
/// # Errors
///
/// What the system reports. For reading, a failed sync is not an error: it is enough that the pages are dropped, since
/// what could not be written is then no longer shown.
pub(crate) fn show_the_disk(
    file: &impl StorageBackend,
    cache: &impl PageCache,
    access: Access,
) -> io::Result<()> {
    let dropped = cache.drop_pages();
    if access == Access::Inspect {
        return Ok(());
    }
    dropped?;
    let kept = cache.kept()?;
    for range in &kept {
        cache.write_anew(range)?;
    }
    if !kept.is_empty() {
        file.sync_data()?;
    }
    let kept_bytes: u64 = kept.iter().map(|range| range.end - range.start).sum();
    tracing::debug!(
        kept_bytes,
        "the file was not closed well: read from the disk"
    );
    Ok(())
}

impl<B: StorageBackend, C: PageCache + 'static> StorageBackend for Durable<B, C> {
    fn len(&self) -> io::Result<u64> {
        self.settled()?.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.settled()?.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.settled()?.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.settled()?.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.settled()?.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}

/// The system's page cache for one file.
#[derive(Debug)]
pub(crate) struct FileCache(File);

impl FileCache {
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        file.try_clone().map(Self)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data().or_else(|error| {
            // It may report a failed write of another process, once. The pages that could not be written
            // count as clean now, and are dropped.
            tracing::warn!(%error, "what was written to the file before did not reach the disk");
            self.0.sync_data()
        })
    }
}

#[cfg(not(target_os = "linux"))]
impl PageCache for FileCache {
    fn drop_pages(&self) -> io::Result<()> {
        self.sync()
    }

    fn kept(&self) -> io::Result<Vec<Range<u64>>> {
        Ok(vec![0..self.0.metadata()?.len()])
    }

    fn write_anew(&self, range: &Range<u64>) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom, Write};

        const CHUNK_BYTES: u64 = 1 << 20;
        let mut file = &self.0;
        let mut at = range.start;
        while at < range.end {
            let count = CHUNK_BYTES.min(range.end - at);
            let mut bytes = vec![0; usize::try_from(count).unwrap_or(0)];
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut bytes)?;
            file.seek(SeekFrom::Start(at))?;
            file.write_all(&bytes)?;
            at += count;
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::File;
    use std::io::{self, IoSliceMut};
    use std::ops::Range;
    use std::os::unix::fs::FileExt;

    use rustix::fs::{Advice, OFlags, SeekFrom, fadvise, fcntl_getfl, fcntl_setfl, fstatfs, seek};
    use rustix::io::{Errno, ReadWriteFlags, pread, preadv2, retry_on_intr};

    use super::{FileCache, PageCache};
    use crate::redb_file::layout::PAGE_BYTES;

    /// How much is checked at a time, and read ahead with it.
    const GROUP_PAGES: usize = 32;
    const PAGE: usize = PAGE_BYTES as usize;
    /// How much is rewritten at a time.
    const CHUNK: usize = 256 * PAGE;

    /// File systems in memory, which consist of the cache (statfs(2)).
    const TMPFS: i128 = 0x0102_1994;
    const RAMFS: i128 = 0x8584_58f6;

    impl PageCache for FileCache {
        fn drop_pages(&self) -> io::Result<()> {
            let synced = self.sync();
            // The kept pages show whether this worked.
            let _ = fadvise(&self.0, 0, None, Advice::DontNeed);
            synced
        }

        fn kept(&self) -> io::Result<Vec<Range<u64>>> {
            // The type of the number differs between machines, and so may its sign.
            let kind = i128::from(fstatfs(&self.0)?.f_type) & 0xffff_ffff;
            if [TMPFS, RAMFS].contains(&kind) {
                return Ok(Vec::new());
            }
            // Pages read ahead beyond a group would look as if they had been kept.
            let _ = fadvise(&self.0, 0, None, Advice::Random);
            let kept = kept(&self.0, Reading::IfCached).or_else(|error| match error {
                Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL => kept(&self.0, Reading::All),
                other => Err(other),
            });
            let _ = fadvise(&self.0, 0, None, Advice::Normal);
            Ok(kept?)
        }

        fn write_anew(&self, range: &Range<u64>) -> io::Result<()> {
            // Past the cache, the memory must be aligned to the device's block size.
            let mut space = vec![0; CHUNK + PAGE];
            let aligned = space.as_ptr().align_offset(PAGE);
            let mut at = range.start;
            while at < range.end {
                let count = usize::try_from(range.end - at).unwrap_or(CHUNK).min(CHUNK);
                let bytes = space
                    .get_mut(aligned..)
                    .and_then(|space| space.get_mut(..count))
                    .ok_or(io::ErrorKind::OutOfMemory)?;
                self.0.read_exact_at(bytes, at)?;
                write_past_the_cache(&self.0, bytes, at)?;
                at += count as u64;
            }
            Ok(())
        }
    }

    fn write_past_the_cache(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        let flags = fcntl_getfl(file)?;
        let written = fcntl_setfl(file, flags | OFlags::DIRECT)
            .map_err(io::Error::from)
            .and_then(|()| file.write_all_at(bytes, at));
        fcntl_setfl(file, flags)?;
        match written {
            // The file system does not support it.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                file.write_all_at(bytes, at)
            }
            written => written,
        }
    }

    /// The pages to rewrite: those that are cached, or all if the system cannot say.
    #[derive(Clone, Copy)]
    enum Reading {
        IfCached,
        All,
    }

    fn kept(file: &File, reading: Reading) -> Result<Vec<Range<u64>>, Errno> {
        let mut kept = KeptRanges {
            file,
            ranges: Vec::new(),
        };
        let mut bytes = [0; GROUP_PAGES * PAGE];
        let mut at = 0;
        loop {
            // Checking the first uncached page of a group starts to read the group. The others are checked
            // one by one before that has ended.
            let Some(count) = read(file, &mut bytes, at, reading)? else {
                return Ok(kept.ranges); // The end of the file.
            };
            let (first, _) = bytes.split_at(count.min(bytes.len()));
            for page in first.chunks(PAGE) {
                kept.add(at, page);
                at += PAGE_BYTES;
            }
            let mut page = [0; PAGE];
            for _ in count.div_ceil(PAGE)..GROUP_PAGES {
                match read(file, &mut page, at, reading)? {
                    None => return Ok(kept.ranges),
                    Some(0) => {}
                    Some(count) => kept.add(at, page.get(..count).unwrap_or(&page)),
                }
                at += PAGE_BYTES;
            }
        }
    }

    /// Reads from an offset. Returns the number of bytes; `None` at the end of the file.
    fn read(
        file: &File,
        bytes: &mut [u8],
        at: u64,
        reading: Reading,
    ) -> Result<Option<usize>, Errno> {
        let read = retry_on_intr(|| match reading {
            Reading::IfCached => {
                let mut into = [IoSliceMut::new(&mut *bytes)];
                preadv2(file, &mut into, at, ReadWriteFlags::NOWAIT)
            }
            Reading::All => pread(file, &mut *bytes, at),
        });
        match read {
            Ok(0) => Ok(None),
            Ok(count) => Ok(Some(count)),
            Err(Errno::AGAIN) => Ok(Some(0)),
            Err(error) => Err(error),
        }
    }

    /// The kept ranges, merged as far as possible.
    struct KeptRanges<'f> {
        file: &'f File,
        ranges: Vec<Range<u64>>,
    }

    impl KeptRanges<'_> {
        fn add(&mut self, at: u64, page: &[u8]) {
            let end = at + page.len() as u64;
            if page.iter().all(|byte| *byte == 0) && self.is_hole(at..end) {
                return; // The disk has the same bytes, and may have no space to write them again.
            }
            match self.ranges.last_mut() {
                Some(last) if last.end == at => last.end = end,
                _ => self.ranges.push(at..end),
            }
        }

        fn is_hole(&self, range: Range<u64>) -> bool {
            match seek(self.file, SeekFrom::Data(range.start)) {
                Ok(data) => data >= range.end,
                Err(error) => error == Errno::NXIO,
            }
        }
    }
}
