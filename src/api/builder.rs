//! Opening and creating a store.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::api::db::Db;
use crate::model::error::{Operation, Result};
use crate::model::info::StoreId;
use crate::model::policy::{Rules, Share};
use crate::redb_file::gate::Access;
use crate::session::file;
use crate::session::holder;
use crate::session::log::frame::LOG_BYTES;
use crate::session::log::recover::OnLoss;
use crate::session::settings::Settings;
use crate::session::shared::Shared;
use crate::session::sharing::{self, Turnstile};

/// How much of the file is cached in memory by default.
const CACHE_DEFAULT_BYTES: usize = 32 * 1024 * 1024;

/// How much memory kept records may take by default.
const MEMORY_DEFAULT_BYTES: usize = 256 * 1024 * 1024;

/// How many deletions are remembered by default.
const TOMBSTONES_DEFAULT_COUNT: u64 = 10_000;

/// How often to look for commits of another process, by default.
const POLL_DEFAULT: Duration = Duration::from_millis(50);

/// How long to wait before trying a locked file again.
const LOCK_RETRY: Duration = Duration::from_millis(10);

/// Options for opening or creating a store; see [`Db::builder`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use bayplan::{Db, Rules};
///
/// # fn main() -> bayplan::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("meta.redb");
/// let db = Db::builder().rules(Rules::Containerd2).create(&path)?;
/// let id = db.info().id;
/// drop(db);
///
/// let db = Db::builder()
///     .cache_bytes(8 * 1024 * 1024)
///     .lock_timeout(Duration::from_secs(5))
///     .expect_id(id)
///     .open(&path)?;
/// assert_eq!(db.info().rules, Rules::Containerd2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct Builder {
    settings: Settings,
    create_if_missing: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            settings: Settings {
                cache_bytes: CACHE_DEFAULT_BYTES,
                rules: None,
                keep_empty_labels: false,
                check_integrity: true,
                memory_bytes: MEMORY_DEFAULT_BYTES,
                share: None,
                lock_timeout: None,
                tombstones_max_count: TOMBSTONES_DEFAULT_COUNT,
                poll_interval: POLL_DEFAULT,
                commit_log: false,
                checkpoints_beside: true,
                log_bytes: LOG_BYTES,
                on_log_loss: OnLoss::Refuse,
                expected_uuid: None,
                clock: Arc::new(Utc::now),
                on_repair: None,
            },
            create_if_missing: false,
        }
    }
}

impl Builder {
    /// Sets how many bytes of the file are cached in memory at most; 32 MiB by default.
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.settings.cache_bytes = bytes;
        self
    }

    /// Sets how many bytes of memory the store may use to keep records, approximately; 256 MiB by default. With 0 it
    /// keeps none.
    ///
    /// Once as many records have been read from the file as the store holds, the next listing loads all of them. From
    /// then on all reads are from memory, and a filter that requires a label, image, runtime, snapshotter, sandbox or
    /// type looks only at the records that have it. A record takes its size, with the spec unpacked, and about 0.4 KB
    /// more. If the records would exceed the limit, they are read from the file, with the same results.
    ///
    /// A store opened with [`open_read_only`](Builder::open_read_only) keeps no records, since another process may
    /// write the file.
    pub fn memory_bytes(mut self, bytes: usize) -> Self {
        self.settings.memory_bytes = bytes;
        self
    }

    /// Sets which fields an update may change.
    ///
    /// A new store remembers these rules, [`Rules::Strict`] by default. Opening a store applies the remembered rules,
    /// unless this option overrides them for the handle.
    pub fn rules(mut self, rules: Rules) -> Self {
        self.settings.rules = Some(rules);
        self
    }

    /// Sets whether a new store keeps labels with an empty value; false by default, as in containerd.
    ///
    /// If it does, an empty value is a value like any other, and an update removes only the labels that are missing
    /// from its input. The file remembers the choice; opening a store does not change it.
    pub fn keep_empty_labels(mut self, keep: bool) -> Self {
        self.settings.keep_empty_labels = keep;
        self
    }

    /// Sets whether [`Builder::open`] creates the store if there is no file; false by default.
    ///
    /// Beware: while a disk is not mounted, this creates an empty store in its place.
    /// [`Builder::expect_id`] prevents that.
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::Db;
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("meta.redb");
    /// let id = Db::builder().create_if_missing(true).open(&path)?.info().id;
    /// assert_eq!(Db::builder().create_if_missing(true).open(&path)?.info().id, id);
    /// # Ok(())
    /// # }
    /// ```
    pub fn create_if_missing(mut self, create: bool) -> Self {
        self.create_if_missing = create;
        self
    }

    /// Sets whether opening verifies the checksum of every page of the file; true by default.
    ///
    /// The check reads the whole file, which takes a few milliseconds per thousand containers if the file is cached. A
    /// damaged file is not opened. Without the check, opening takes the same time for a store of any size. Each page is
    /// then verified when it is first read, before anything in it is used. That suits a process that opens a store for
    /// one operation.
    ///
    /// Once a read meets a damaged page:
    ///
    /// - [`get`](crate::ReadStore::get) still returns a container that is in an intact page. If it finds nothing, it
    ///   fails with [`Corrupt`](crate::ErrorKind::Corrupt), and so does every listing and count: the damaged page may
    ///   hide anything.
    /// - [`Query::lenient`](crate::Query::lenient) lists what can be read, and reports the damage with an empty id.
    /// - Every write fails with `Corrupt`, and so does the commit of an open transaction: none of it reaches the file.
    ///   If the write that meets the page was already changing other pages, every later read is `Corrupt` too, and the
    ///   file may not open again: [`Maintenance::salvage`](crate::Maintenance::salvage) saves the rest.
    ///
    /// The file is not changed before the first commit: opening and closing a store without a commit leaves its file as
    /// it was. After a crash, the file is repaired in memory until the first commit, and each opening before that
    /// repairs it again. A store that is shared is repaired on disk at once.
    ///
    /// [`Db::check`], [`Db::dump`], [`Db::stats`] and [`Db::backup`] always verify all pages first, whatever this
    /// option says.
    ///
    /// All this holds if only this process may write the file. With [`Share::Processes`] and
    /// [`Builder::open_read_only`], pages are not verified when they are read. Without the check at opening, damage to
    /// keys, or to pages that refer to others, may then hide containers from a listing. The first write verifies all
    /// pages, and the four methods above verify the snapshot that they read.
    pub fn check_integrity(mut self, check: bool) -> Self {
        self.settings.check_integrity = check;
        self
    }

    /// Sets which processes may have the store open at the same time: only this one ([`Share::Nobody`], the default),
    /// one that writes and others that read, or any number that read and write.
    ///
    /// The file keeps the choice, and every opener, including the program `bayplan`, follows it. A new store is created
    /// with it. Opening an existing store changes it if it differs, which fails with
    /// [`Locked`](crate::ErrorKind::Locked) if another process has the file open. Without this option the file keeps
    /// its choice.
    ///
    /// In a shared store, each commit takes two syncs instead of one. With [`Share::Processes`], every read looks at
    /// the file, nothing is kept in memory, and a write waits for its turn, for as long as [`Builder::lock_timeout`]
    /// says. Revisions and times rise across all processes.
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{Any, Container, Db, Runtime, Share};
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("meta.redb");
    /// // Usually in two processes.
    /// let daemon = Db::builder().share(Share::Processes).create(&path)?;
    /// let program = Db::open(&path)?;
    /// let web = Container::new("web", Runtime::new("io.containerd.runc.v2"), Any::new("spec", b"{}"));
    /// program.namespace("k8s.io")?.create(web)?;
    /// assert!(daemon.namespace("k8s.io")?.find("web")?.is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn share(mut self, share: Share) -> Self {
        self.settings.share = Some(share);
        self
    }

    /// Sets how many deletions the store remembers for [`Db::changes_since`]; 10,000 by default.
    ///
    /// If there are more, each deletion forgets the oldest ones. A follower that has not seen these is
    /// [`Lagged`](crate::ErrorKind::Lagged). The deletions of the latest transaction are all remembered, however many
    /// they are. A deletion takes about 70 bytes in the file. With 0 no deletion is remembered.
    pub fn tombstones_max_count(mut self, count: u64) -> Self {
        self.settings.tombstones_max_count = count;
        self
    }

    /// Sets how often a [`Subscription`](crate::Subscription) looks for commits of other processes; every 50 ms by
    /// default. It matters in a store that is shared by processes, and where [`Builder::open_read_only`] opens one beside
    /// its writer. Commits of the same process wake a subscription at once.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.settings.poll_interval = interval;
        self
    }

    /// Sets whether commits go through a log, a second file beside the store's, with `-log` appended to its name; false
    /// by default.
    ///
    /// A commit then appends one piece to the log and syncs it, which takes about half of the time. The store's own file
    /// is written at a checkpoint: when half of the log (4 MiB) is full, by [`Db::checkpoint`], and on closing. A commit
    /// promises the same. A checkpoint of a full log runs beside commits, on a thread that ends with it. Until then what
    /// was committed is also kept in memory, in some times the space that it has in the log.
    ///
    /// The second commit after opening creates the log, so that a process for one write needs none. If it cannot be
    /// created, since the directory takes no files or something else is in its place, that commit and all later ones are
    /// refused. Closing removes the log.
    ///
    /// After a crash, both files are needed: opening the store, with whatever options, applies what is in the log. A
    /// store whose log is missing or damaged is [`Corrupt`](crate::ErrorKind::Corrupt), never silently older. Then
    /// [`Maintenance::salvage`](crate::Maintenance::salvage) makes a new store from all commits up to the last
    /// checkpoint, and those in the log before its damage. To copy an open store, use [`Db::backup`]: a copy of one
    /// file is not enough.
    ///
    /// A shared store ([`Builder::share`]) cannot have a log, nor can a store in memory.
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{Any, Container, Db, Runtime};
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("meta.redb");
    /// let db = Db::builder().commit_log(true).create(&path)?;
    /// let web = Container::new("web", Runtime::new("io.containerd.runc.v2"), Any::new("spec", b"{}"));
    /// db.namespace("k8s.io")?.create(web)?;
    /// assert!(!path.with_file_name("meta.redb-log").exists());
    /// db.namespace("k8s.io")?.delete("web")?;
    /// assert!(path.with_file_name("meta.redb-log").exists());
    /// db.close()?;
    /// assert!(!path.with_file_name("meta.redb-log").exists());
    /// # Ok(())
    /// # }
    /// ```
    pub fn commit_log(mut self, log: bool) -> Self {
        self.settings.commit_log = log;
        self
    }

    /// Requires the store to have this id.
    ///
    /// Keep the id of [`Db::info`] outside of the file. If a disk is not mounted, or another disk is in its place,
    /// opening then fails instead of giving an empty or wrong store.
    pub fn expect_id(mut self, id: StoreId) -> Self {
        self.settings.expected_uuid = Some(id.to_bytes());
        self
    }

    /// Sets how long to wait for a file that is in use, and, with [`Share::Processes`], for the write transaction of
    /// another process. By default 5 seconds in such a store, and not at all in others.
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.settings.lock_timeout = Some(timeout);
        self
    }

    /// Calls `progress` with a number from 0 to 1 while opening verifies or repairs a file, which takes seconds for a
    /// large file.
    ///
    /// `progress` is called on the thread that opens the store. It is not called if the file was closed cleanly and is
    /// not verified. If a file is verified and then repaired, the progress restarts. `progress` must not panic: the
    /// file would be reported as damaged.
    pub fn on_repair(mut self, progress: impl Fn(f64) + Send + Sync + 'static) -> Self {
        self.settings.on_repair = Some(Arc::new(progress));
        self
    }

    /// Takes the time from `clock` instead of the system; for tests and simulations.
    ///
    /// Every create and update calls `clock` while other writers wait, possibly on the thread of another caller.
    /// `clock` must not wait for any of them.
    pub fn clock(mut self, clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        self.settings.clock = Arc::new(clock);
        self
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Creates a store in a new file, readable and writable by its owner only (mode 0600).
    ///
    /// The directory must exist. After a crash there is either a complete store or no file of this name.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if anything of that name exists, which is left alone;
    /// [`NotFound`](crate::ErrorKind::NotFound) if the directory does not exist; [`Io`](crate::ErrorKind::Io).
    pub fn create(&self, path: impl AsRef<Path>) -> Result<Db> {
        let path = path.as_ref();
        file::create(path, &self.settings)
            .map(Db::new)
            .map_err(|error| error.during(Operation::CreateStore).at(Some(path)))
    }

    /// Opens the store in an existing file. Never creates one.
    ///
    /// # Errors
    ///
    /// In all cases but the last, the file is unchanged:
    ///
    /// - [`NotFound`](crate::ErrorKind::NotFound): there is no such file.
    /// - [`Locked`](crate::ErrorKind::Locked): it is in use; the error names the process if the system reports it.
    /// - [`NotAStore`](crate::ErrorKind::NotAStore): it is not a store.
    /// - [`IncompatibleFormat`](crate::ErrorKind::IncompatibleFormat): this library does not read its version.
    /// - [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition): its id is not the one that
    ///   [`Builder::expect_id`] requires.
    /// - [`Corrupt`](crate::ErrorKind::Corrupt): it is damaged, or its log is damaged or missing
    ///   ([`Builder::commit_log`]).
    /// - [`InvalidArgument`](crate::ErrorKind::InvalidArgument): [`Builder::commit_log`] is set, and the store is
    ///   shared.
    /// - [`Gone`](crate::ErrorKind::Gone): it was removed or replaced while it was opened.
    /// - [`Io`](crate::ErrorKind::Io): the operating system failed; if it did so while writing,
    ///   the file is as after a crash, and the next opening repairs it.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Db> {
        let path = path.as_ref();
        loop {
            let opened =
                self.when_unlocked(path, Access::Write, || file::open(path, &self.settings));
            let opened = opened
                .map(Db::new)
                .map_err(|error| error.during(Operation::OpenStore).at(Some(path)));
            match opened {
                Err(error) if error.is_not_found() && self.may_create() => {}
                opened => return opened,
            }
            match self.create(path) {
                // Another process was faster.
                Err(error) if error.is_already_exists() && path.exists() => {}
                created => return created,
            }
        }
    }

    /// Whether a missing file is created. Not if a certain store is expected, since a new one has another id.
    fn may_create(&self) -> bool {
        self.create_if_missing && self.settings.expected_uuid.is_none()
    }

    /// Opens the store in an existing file, and never writes to it.
    ///
    /// This works on read-only media, and after a crash, with the file repaired in memory. It also works on a file that
    /// another process writes, if the store is shared ([`Builder::share`]): that process's commits become visible as
    /// they happen. Writing to the store is [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition).
    ///
    /// In a store that is not shared, a reader keeps writers out: until it closes the file, opening it for writing is
    /// [`Locked`](crate::ErrorKind::Locked). New readers let a waiting writer go first ([`Builder::lock_timeout`]).
    ///
    /// # Errors
    ///
    /// As [`Builder::open`].
    pub fn open_read_only(&self, path: impl AsRef<Path>) -> Result<Db> {
        self.opened(path.as_ref(), Access::Inspect, file::inspect)
    }

    pub(crate) fn opened(
        &self,
        path: &Path,
        access: Access,
        open: fn(&Path, &Settings) -> Result<Shared>,
    ) -> Result<Db> {
        self.when_unlocked(path, access, || open(path, &self.settings))
            .map(Db::new)
            .map_err(|error| error.during(Operation::OpenStore).at(Some(path)))
    }

    /// Retries while the file is locked, until the timeout. The error names the process that holds it.
    pub(crate) fn when_unlocked<T>(
        &self,
        path: &Path,
        access: Access,
        attempt: impl Fn() -> Result<T>,
    ) -> Result<T> {
        let began = Instant::now();
        let mut deadline = None;
        loop {
            let error = match attempt() {
                Err(error) if error.is_locked() => error,
                done => return done,
            };
            let deadline = *deadline.get_or_insert_with(|| {
                let timeout = self.settings.lock_timeout;
                let timeout = timeout.unwrap_or_else(|| sharing::wait(path));
                // A timeout beyond the range of the clock never ends.
                began.checked_add(timeout)
            });
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(holder::named(error, path));
            }
            let _turnstile = (access == Access::Write).then(|| Turnstile::close(path));
            thread::sleep(LOCK_RETRY);
        }
    }

    /// Creates a store in memory. It is lost when its last handle is dropped.
    ///
    /// # Errors
    ///
    /// No errors are known.
    pub fn in_memory(&self) -> Result<Db> {
        file::in_memory(&self.settings)
            .map(Db::new)
            .map_err(|error| error.during(Operation::CreateStore))
    }
}

impl Db {
    /// Creates a store in a new file: [`Builder::create`] with default options.
    ///
    /// # Errors
    ///
    /// See [`Builder::create`].
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder().create(path)
    }

    /// Opens the store in an existing file: [`Builder::open`] with default options.
    ///
    /// # Errors
    ///
    /// See [`Builder::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder().open(path)
    }

    /// Opens the store in an existing file, and never writes to it: [`Builder::open_read_only`] with
    /// default options.
    ///
    /// # Errors
    ///
    /// See [`Builder::open_read_only`].
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder().open_read_only(path)
    }

    /// Creates a store in memory. It is lost when its last handle is dropped.
    ///
    /// # Errors
    ///
    /// No errors are known.
    pub fn in_memory() -> Result<Self> {
        Self::builder().in_memory()
    }

    /// Returns the options for opening or creating a store.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("cache_bytes", &self.settings.cache_bytes)
            .field("rules", &self.settings.rules)
            .field("check_integrity", &self.settings.check_integrity)
            .field("share", &self.settings.share)
            .field("commit_log", &self.settings.commit_log)
            .field("lock_timeout", &self.settings.lock_timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::model::any::Any;
    use crate::model::container::{Container, Runtime};

    #[test]
    fn reading_with_verified_pages_sees_the_record_that_a_damaged_key_hides() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("meta.redb");
        let db = Db::create(&path).unwrap();
        let spec = Any::new("spec", b"{}");
        let web = Container::new("web", Runtime::new("runc"), spec);
        db.namespace("hidden").unwrap().create(web).unwrap();
        drop(db);
        assert!(Db::open_read_only(&path).unwrap().info().pages_verified);

        let mut bytes = fs::read(&path).unwrap();
        let key = b"hidden\0containers\0web";
        let places: Vec<usize> = bytes
            .windows(key.len())
            .enumerate()
            .filter_map(|(at, window)| (window == key).then_some(at))
            .collect();
        for at in places {
            bytes[at] = b'i';
        }
        fs::write(&path, &bytes).unwrap();
        let trusting = Db::builder()
            .check_integrity(false)
            .open_read_only(&path)
            .unwrap();
        assert!(!trusting.info().pages_verified);
        let store = trusting.namespace("hidden").unwrap();
        assert_eq!(
            store.query().count().unwrap(),
            0,
            "not verified, as documented"
        );
        drop((store, trusting));
        assert!(Db::open_read_only(&path).unwrap_err().is_corrupt());
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn the_longest_timeout_is_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("meta.redb");
        let held = Db::create(&path).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| Db::builder().lock_timeout(Duration::MAX).open(&path));
            thread::sleep(5 * LOCK_RETRY);
            drop(held);
            assert!(waiting.join().unwrap().is_ok());
        });
    }

    #[test]
    fn pages_of_a_file_that_is_being_written_are_not_verified() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("meta.redb");
        let _writer = Db::builder().share(Share::Readers).create(&path).unwrap();
        assert!(!Db::open_read_only(&path).unwrap().info().pages_verified);
    }
}
