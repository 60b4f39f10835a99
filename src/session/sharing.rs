//! Which processes may have a store open together: what its file says about that, and whose turn it is.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use redb::backends::FileBackend;
use redb::{Database, StorageBackend, TableHandle, TransactionError, WriteTransaction};

use crate::model::error::{Error, ErrorKind, Result};
use crate::model::policy::Share;
use crate::records::keys::{self, meta};
use crate::records::meta as stored;
use crate::redb_file::fault::{OrFault, OrIo};
use crate::redb_file::layout::Commit;
use crate::redb_file::locks::{Byte, Locks};
use crate::redb_file::trees::{self, ReadAt};
use crate::session::holder;

/// How long to wait for the other processes that share a store, unless the caller says how long.
pub(crate) const WAIT_DEFAULT: Duration = Duration::from_secs(5);

/// How long an opener that only reads waits for a waiting writer.
const PASS_WAIT: Duration = Duration::from_millis(200);

/// How long to wait before checking again whether others are done, at first and at most.
pub(crate) const TURN_RETRY_MIN: Duration = Duration::from_micros(100);
const TURN_RETRY_MAX: Duration = Duration::from_millis(2);

/// The longest pause of one that waits to write, at first. One that pauses longer than the others is let through by
/// chance only.
const WRITE_RETRY_MAX: Duration = Duration::from_micros(200);

/// How long one that has just written lets those go first that wait: longer than they pause.
const LET_GO_FIRST: Duration = Duration::from_micros(400);
const _: () = assert!(WRITE_RETRY_MAX.as_micros() < LET_GO_FIRST.as_micros());

/// A file, read at any offset without a lock.
struct Unlocked<B>(B);

impl<B: StorageBackend> ReadAt for Unlocked<B> {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(at, out)
    }
}

/// Returns who may open a file, according to the file. If it says nothing that can be read, only one process may.
///
/// This takes no lock and reads a few pages, each of which is verified by its checksum. They may be of the commit
/// before the last, so the opener reads the row again once the file is open.
///
/// # Errors
///
/// `Io`.
pub(crate) fn peek(file: impl StorageBackend) -> Result<Share> {
    let file = Unlocked(file);
    let Some(header) = trees::header(&file)? else {
        return Ok(Share::Nobody);
    };
    let mut found = Share::Nobody;
    for commit in Commit::both(&header) {
        let mut is_store = false;
        let visited = trees::visit_intact_of(&file, &commit, keys::META.name(), &mut |key, row| {
            is_store |= key == meta::FORMAT;
            if key == meta::SHARE {
                found = stored::share(Some(row)).unwrap_or_default();
            }
        });
        match visited {
            Ok(()) if is_store => break,
            Err(error) if !error.is_corrupt() => return Err(error),
            _ => {}
        }
    }
    Ok(found)
}

/// Keeps readers from opening the file while this process waits to write it. A stream of readers would keep it out for
/// good.
#[derive(Debug)]
pub(crate) struct Turnstile {
    /// Releases the byte when it is dropped.
    _locks: Locks,
}

impl Turnstile {
    /// Takes the byte. `None` if another process has it, or the file does not exist.
    pub(crate) fn close(path: &Path) -> Option<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path).ok()?;
        let locks = Locks::of(file).ok()?;
        match locks.take(Byte::Opening) {
            Ok(true) => Some(Self { _locks: locks }),
            Ok(false) | Err(_) => None,
        }
    }

    /// Lets waiting writers go first, for a limited time.
    pub(crate) fn pass(locks: &Locks) -> Result<()> {
        let deadline = Instant::now() + PASS_WAIT;
        while locks.is_taken(Byte::Opening)? && Instant::now() < deadline {
            thread::sleep(TURN_RETRY_MAX);
        }
        Ok(())
    }
}

/// Returns how long to wait for a locked file, depending on who may open it.
pub(crate) fn wait(path: &Path) -> Duration {
    let file = File::open(path).ok();
    let backend = file.and_then(|file| FileBackend::new(file).ok());
    match backend.map(peek) {
        Some(Ok(Share::Processes)) => WAIT_DEFAULT,
        _ => Duration::ZERO,
    }
}

/// How long one operation waits for other processes, in all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    timeout: Duration,
    /// `None` if it never ends.
    deadline: Option<Instant>,
}

impl Limit {
    /// The limit of an operation that begins now.
    pub(crate) fn of(timeout: Duration) -> Self {
        Self {
            timeout,
            // A time beyond the range of the clock never ends.
            deadline: Instant::now().checked_add(timeout),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// How much time is left; `None` if it never ends.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// The error of an operation that waited for its turn to write until now.
    pub(crate) fn others_write(&self, path: Option<&Path>) -> Error {
        let now = match path.and_then(holder::writer) {
            Some(pid) => format!(", now process {pid}"),
            None => String::new(),
        };
        let timeout = self.timeout;
        let what = format!("other processes have been writing for {timeout:?}{now}");
        Error::new(ErrorKind::Locked, what)
    }
}

/// Waits for other processes, a little longer each time.
pub(crate) struct Patience {
    limit: Limit,
    pause: Duration,
    /// The longest pause: at first, and of one that has waited long.
    longest: RangeInclusive<Duration>,
    /// How long it has waited.
    waited: Duration,
}

impl Patience {
    pub(crate) fn of(limit: Limit, longest: RangeInclusive<Duration>) -> Self {
        Self {
            limit,
            pause: TURN_RETRY_MIN,
            longest,
            waited: Duration::ZERO,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.limit.is_over()
    }

    pub(crate) fn wait(&mut self) {
        thread::sleep(self.pause);
        self.waited += self.pause;
        // Whoever has waited long may as well wait a hundredth longer.
        let longest = (self.waited / 100).clamp(*self.longest.start(), *self.longest.end());
        self.pause = (2 * self.pause).min(longest);
    }
}

/// Waits until no other process is opening the file to write it.
///
/// # Errors
///
/// `Locked` if one still is when the limit is over.
pub(crate) fn begin_joining(locks: &Locks, limit: Limit) -> Result<()> {
    let mut patience = Patience::of(limit, TURN_RETRY_MAX..=TURN_RETRY_MAX);
    while !locks.take(Byte::Joining)? {
        if patience.is_over() {
            let what = format!(
                "another process has been opening the file for {:?}",
                limit.timeout
            );
            return Err(Error::new(ErrorKind::Locked, what));
        }
        patience.wait();
    }
    Ok(())
}

/// Begins a write transaction among processes that may all write.
///
/// The system does not say which process has waited longest. So a process that wants to write first lets those go that
/// are waiting already: one that writes all the time does not keep the others out.
///
/// # Errors
///
/// `Locked` if another process still writes when the limit is over.
pub(crate) fn begin_write(
    db: &Database,
    path: Option<&Path>,
    locks: &Locks,
    limit: Limit,
) -> Result<WriteTransaction> {
    let mut patience = Patience::of(limit, WRITE_RETRY_MAX..=TURN_RETRY_MAX);
    let mut waits = false;
    if locks.is_taken(Byte::Waiting)? {
        thread::sleep(LET_GO_FIRST);
    }
    let begun = loop {
        // This one call is cheaper than trying.
        match locks.is_written() {
            Ok(true) => {}
            Ok(false) => match db.try_begin_write() {
                Err(TransactionError::WouldBlock) => {}
                begun => break begun.or_fault(),
            },
            Err(error) => break Err(error),
        }
        if patience.is_over() {
            break Err(limit.others_write(path));
        }
        if !waits {
            waits = locks.share(Byte::Waiting)?;
        }
        patience.wait();
    };
    if waits {
        locks.give_up(Byte::Waiting)?;
    }
    begun
}

/// Records in a file who may open it from now on.
pub(crate) fn write(db: &Database, share: Share) -> Result<()> {
    let txn = db.begin_write().or_fault()?;
    {
        let mut table = txn.open_table(keys::META).or_fault()?;
        match stored::seal_share(share)? {
            Some(row) => drop(table.insert(meta::SHARE, row.as_slice()).or_fault()?),
            None => drop(table.remove(meta::SHARE).or_fault()?),
        }
    }
    txn.commit().or_fault()
}

/// Opens the file a second time, for locks.
pub(crate) fn locks(path: &Path) -> Result<Locks> {
    Locks::of(
        OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .or_io()?,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_may_pause_longer_does_so_after_a_long_wait() {
        let [short, long] = [TURN_RETRY_MIN, TURN_RETRY_MAX];
        for (longest, pause) in [
            (short..=short, short),
            (long..=long, long),
            (short..=long, long),
        ] {
            let mut patience = Patience::of(Limit::of(WAIT_DEFAULT), longest);
            patience.waited = 100 * long;
            for _ in 0..6 {
                patience.wait();
            }
            assert_eq!(patience.pause, pause);
        }
    }
}
