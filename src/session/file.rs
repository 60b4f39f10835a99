//! Creates and opens the file of a store, and refuses files that are not stores.

use std::fs::{File as OsFile, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::backends::InMemoryBackend;
use redb::{
    Builder, ConcurrencyMode, Database, ReadTransaction, ReadableDatabase, StorageBackend,
    WriteTransaction,
};

use crate::model::error::{Error, ErrorKind, Result};
use crate::model::policy::{Policy, Share};
use crate::records::keys::{self, FORMAT_VERSION, meta};
use crate::records::meta::{self as stored, Identity};
use crate::records::seal::{seal, unseal_number};
use crate::redb_file::backend::gated;
use crate::redb_file::durable::{Durable, FileCache};
use crate::redb_file::fault::{Closing, OrFault, OrIo, contained};
use crate::redb_file::gate::Access;
use crate::redb_file::gate::Gate;
use crate::redb_file::layout::{self, HEADER_BYTES};
use crate::redb_file::locks::{Byte, Locks};
use crate::redb_file::trees::Extent;
use crate::session::joining::Joining;
use crate::session::log::place::{Beside, LogPlace};
use crate::session::log::recover::{self, Recovered};
use crate::session::log::{Log, Usage};
use crate::session::migrate::{self, Target};
use crate::session::new_file::{NewFile, dangling_link};
use crate::session::opened::{Among, File, Followed, Opened};
use crate::session::place::Place;
use crate::session::process::{OwnFile, Process};
use crate::session::settings::Settings;
use crate::session::shared::Shared;
use crate::session::sharing::{self, Limit};
use crate::session::snapshot::{Contents, revisions_below};

/// The first bytes of every file of redb (its design document, "Database header").
pub(crate) const REDB_MAGIC: [u8; 9] = [b'r', b'e', b'd', b'b', 0x1a, 0x0a, 0xa9, 0x0d, 0x0a];

/// How often opening is retried if the file's sharing changes meanwhile.
const SHARE_ATTEMPTS: usize = 8;

/// What the first format called the type of its keys.
const FORMAT_1_KEYS: &str = "bayplan::Bytes";

/// How redb is to open a file.
pub(crate) fn redb_builder(settings: &Settings) -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(settings.cache_bytes);
    builder.set_concurrency_mode(match settings.share() {
        Share::Readers => ConcurrencyMode::SingleWriter,
        Share::Processes => ConcurrencyMode::MultiWriter,
        _ => ConcurrencyMode::ExclusiveWriter,
    });
    builder
}

/// A store that lives as long as its handle.
pub(crate) fn in_memory(settings: &Settings) -> Result<Shared> {
    create_backend(InMemoryBackend::new(), None, settings, None)
}

/// Creates a store in a new file.
///
/// The file gets its name when it is complete: a crash leaves a store or no file. Only its owner can read and write it.
pub(crate) fn create(path: &Path, settings: &Settings) -> Result<Shared> {
    let settings = settings.shared(settings.share())?;
    let new = NewFile::begin(path)?;
    let backend = OwnFile::new(new.file()?)?;
    let shared = create_backend(backend, Some(beside(path)?), &settings, Some(path))?;
    let file = new.file()?;
    if settings.share() == Share::Processes {
        shared.close()?;
        new.finish()?;
        return open(path, &settings);
    }
    new.finish()?;
    Ok(shared.at(Place::of(path, file)?))
}

/// Opens the store in an existing file, shared as the file says. If the settings name another way, the file is changed
/// to it.
pub(crate) fn open(path: &Path, settings: &Settings) -> Result<Shared> {
    for _ in 0..SHARE_ATTEMPTS {
        let file = existing(path, OpenOptions::new().read(true).write(true))?;
        let said = sharing::peek(OwnFile::new(file.try_clone().or_io()?)?)?;
        if let Some(wanted) = settings.share.filter(|wanted| *wanted != said) {
            set_share(path, settings, wanted)?;
            continue;
        }
        let settings = settings.shared(said)?;
        let shared = match said {
            Share::Processes => join(path, file, &settings),
            Share::Nobody | Share::Readers => open_alone(path, file, &settings),
        }?;
        // What was read before the file was open may be out of date.
        if contained(|| stored_share(&shared.file.begin_read()?))? == said {
            return Ok(shared);
        }
        shared.close()?;
    }
    Err(Error::new(
        ErrorKind::Locked,
        "other processes keep changing who may open the store",
    ))
}

/// Opens the store in a file that no other process writes.
fn open_alone(path: &Path, file: OsFile, settings: &Settings) -> Result<Shared> {
    let place = Place::of(path, file.try_clone().or_io()?)?;
    let backend = durable(file, Access::Write)?;
    Ok(open_backend(backend, Some(beside(path)?), settings, Some(path))?.at(place))
}

/// Opens the store in a file that other processes may be writing.
///
/// If no process writes it now, the file is checked and verified before redb opens it, since redb's writes cannot be
/// kept back later. Otherwise a writer has done that, and the pages of a snapshot are verified, which no process
/// changes.
fn join(path: &Path, file: OsFile, settings: &Settings) -> Result<Shared> {
    let place = Place::of(path, file.try_clone().or_io()?)?;
    let locks = Arc::new(sharing::locks(path)?);
    let limit = Limit::of(settings.wait());
    let extent = match settings.check_integrity {
        true => Extent::AllPages,
        false => Extent::OwnTables,
    };
    sharing::Turnstile::pass(&locks)?;
    sharing::begin_joining(&locks, limit)?;
    // No process may begin to write while this is decided: the first one rewrites pages as the system has them, which
    // would undo what others write meanwhile.
    let has_writer = locks.has_writer()?;
    let opened = match has_writer {
        // What the other process has written need not be on the disk yet.
        true => join_behind(OwnFile::new(file)?, None, &locks, limit, settings),
        false => {
            let file = durable(file, Access::Write)?;
            join_behind(file, Some(extent), &locks, limit, settings)
        }
    };
    locks.give_up(Byte::Joining)?;
    let (db, gate) =
        opened.map_err(
            |error| match error.kind() == ErrorKind::Io && limit.is_over() {
                true => limit.others_write(Some(path)),
                false => error,
            },
        )?;
    let among = Among {
        locks,
        wait: settings.wait(),
    };
    let is_verified = !has_writer && settings.check_integrity;
    let opened = Opened::among(db, gate, among, is_verified);
    if settings.check_integrity {
        opened.verify_pages()?;
    }
    let snapshot = contained(|| opened.db.begin_read().or_fault())?;
    let version = check_identity(&snapshot, settings, FORMAT_VERSION)?;
    drop(snapshot);
    if version < FORMAT_VERSION {
        return Err(Error::new(
            ErrorKind::IncompatibleFormat,
            format!(
                "the file has format version {version}: open it once while no other process has it open, to migrate it"
            ),
        ));
    }
    let recovered = Recovered::default();
    Ok(share(
        File::ReadWrite(opened),
        None,
        recovered,
        Some(path),
        settings,
    )?
    .at(place))
}

fn join_behind(
    file: impl StorageBackend,
    verified: Option<Extent>,
    locks: &Arc<Locks>,
    limit: Limit,
    settings: &Settings,
) -> Result<(Closing<Database>, Gate)> {
    let extent = verified.unwrap_or(Extent::OwnTables);
    let (backend, _opening) = Joining::new(file, locks, limit);
    let (backend, gate) = gated(backend, Access::Follow, extent, |_| {});
    if verified.is_some() {
        gate.verify_beside_others(extent)?;
    }
    let db = contained(|| {
        redb_builder(settings)
            .create_with_backend(backend)
            .or_fault()
    })?;
    Ok((Closing::new(db), gate))
}

/// Opens the store in an existing file, and verifies it. No other process can open the file meanwhile, however it is
/// shared.
pub(crate) fn open_exclusively(path: &Path, settings: &Settings) -> Result<Shared> {
    let alone = Settings {
        share: Some(Share::Nobody),
        check_integrity: true,
        commit_log: false,
        ..settings.clone()
    };
    let file = existing(path, OpenOptions::new().read(true).write(true))?;
    open_alone(path, file, &alone)
}

/// Records in a file who may open it from now on. No other process may have it open.
fn set_share(path: &Path, settings: &Settings, wanted: Share) -> Result<()> {
    settings.shared(wanted)?;
    let shared = open_exclusively(path, settings)?;
    if let File::ReadWrite(opened) = &shared.file {
        contained(|| sharing::write(&opened.db, wanted))?;
    }
    shared.close()
}

/// Returns who may open the store, according to its file.
fn stored_share(snapshot: &ReadTransaction) -> Result<Share> {
    let table = snapshot.open_table(keys::META).or_fault()?;
    let row = table.get(meta::SHARE).or_fault()?;
    stored::share(row.as_ref().map(|row| row.value()))
}

/// Returns the place of the log of a store.
fn beside(path: &Path) -> Result<Box<dyn LogPlace>> {
    Ok(Box::new(Beside::store(path)?))
}

/// Opens the store in an existing file that is never written.
///
/// If the file is shared, it can be read while another process writes it. A file that was not closed cleanly is
/// repaired in memory.
pub(crate) fn inspect(path: &Path, settings: &Settings) -> Result<Shared> {
    let open = || existing(path, OpenOptions::new().read(true));
    let said = sharing::peek(OwnFile::new(open()?)?)?;
    sharing::Turnstile::pass(&Locks::of(open()?)?)?;
    let settings = &settings.shared(said)?;
    let alone = || durable(open()?, Access::Inspect);
    let beside_a_writer = || OwnFile::new(open()?);
    let log = || beside(path).map(Some);
    let shared = inspect_backend(alone, beside_a_writer, log, settings, Some(path))?;
    match shared.is_written_by_others() {
        true => Ok(shared.followed_at(Place::of(path, open()?)?)),
        false => Ok(shared),
    }
}

/// Opens the store in an existing file that is never written, and verifies every page. A file that a process has open
/// for writing is `Locked`.
pub(crate) fn inspect_verified(path: &Path, settings: &Settings) -> Result<Shared> {
    let settings = Settings {
        check_integrity: true,
        ..settings.clone()
    };
    let file = existing(path, OpenOptions::new().read(true))?;
    let backend = durable(file, Access::Inspect)?;
    inspect_alone(backend, Some(beside(path)?), &settings, Some(path))
}

/// Opens the store in a backend that is never written, neither here nor by another process.
pub(crate) fn inspect_alone(
    backend: impl StorageBackend,
    log: Option<Box<dyn LogPlace>>,
    settings: &Settings,
    path: Option<&Path>,
) -> Result<Shared> {
    let file = File::Inspected(repair_in_memory(backend, settings, path)?);
    check_identity(&file.begin_read()?, settings, FORMAT_VERSION)?;
    let recovered = recover_in_memory(&file, log, settings)?;
    share(file, None, recovered, path, settings)
}

/// Creates a store in an empty backend.
pub(crate) fn create_backend(
    backend: impl StorageBackend,
    log: Option<Box<dyn LogPlace>>,
    settings: &Settings,
    path: Option<&Path>,
) -> Result<Shared> {
    let db = redb_builder(settings)
        .create_with_backend(backend)
        .or_fault()
        .map(Closing::new)?;
    initialize(&db, &new_identity(settings), 0)?;
    if settings.share() != Share::Nobody {
        sharing::write(&db, settings.share())?;
    }
    let file = File::ReadWrite(Opened::new(db));
    share(file, log, Recovered::default(), path, settings)
}

/// Makes the identity of a new store, unlike any other.
pub(crate) fn new_identity(settings: &Settings) -> Identity {
    let policy = Policy {
        rules: settings.rules.unwrap_or_default(),
        keep_empty_labels: settings.keep_empty_labels,
    };
    let uuid = *uuid::Uuid::new_v4().as_bytes();
    Identity::new(uuid, (settings.clock)(), policy)
}

/// Makes a new history, unlike any other.
pub(crate) fn new_history() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().1
}

/// Opens the store in a backend. Nothing is written to the backend before it is known to be a store.
pub(crate) fn open_backend(
    backend: impl StorageBackend,
    log: Option<Box<dyn LogPlace>>,
    settings: &Settings,
    path: Option<&Path>,
) -> Result<Shared> {
    open_and_migrate(backend, log, settings, path, migrate::CURRENT)
}

/// Opens the store in a backend, and migrates it to the version of `target` if it is older.
pub(crate) fn open_and_migrate(
    backend: impl StorageBackend,
    log: Option<Box<dyn LogPlace>>,
    settings: &Settings,
    path: Option<&Path>,
    target: Target,
) -> Result<Shared> {
    let opened = open_behind(backend, Access::Write, settings, path)?;
    let snapshot = contained(|| opened.db.begin_read().or_fault())?;
    let version = check_identity(&snapshot, settings, target.version)?;
    drop(snapshot);
    // Without the check, the first commit opens the gate. But if redb repaired the file after a crash, the repair must
    // be in the file for the others who read it.
    let is_repair_for_others = settings.share() == Share::Readers && opened.are_pages_verified();
    if settings.check_integrity || is_repair_for_others {
        opened.open_gate()?;
    }
    let recovered = recover_log(&opened, log.as_deref(), settings)?;
    if version < target.version {
        tracing::info!(?path, from = version, to = target.version, "migrate");
        opened.verify_pages()?;
        opened.open_gate()?;
        contained(|| {
            let txn = opened.db.begin_write().or_fault()?;
            migrate::run(&txn, target)?;
            txn.commit().or_fault()
        })?;
    }
    share(File::ReadWrite(opened), log, recovered, path, settings)
}

/// Opens the store in a backend that is never written. The backend is made anew for each try: `alone`, or `beside` a
/// process that has the file open for writing and whose pages are not on the disk yet.
///
/// A file is verified, and if necessary repaired, behind a gate that stays closed, so that what was verified is what is
/// read. A file that a process has open for writing cannot be verified.
pub(crate) fn inspect_backend<A: StorageBackend, B: StorageBackend>(
    alone: impl Fn() -> Result<A>,
    beside: impl Fn() -> Result<B>,
    log: impl FnOnce() -> Result<Option<Box<dyn LogPlace>>>,
    settings: &Settings,
    path: Option<&Path>,
) -> Result<Shared> {
    let in_memory = || repair_in_memory(alone()?, settings, path).map(File::Inspected);
    let beside_a_writer = || read_beside_a_writer(beside()?, settings);
    let file = if settings.check_integrity && settings.share() == Share::Nobody {
        in_memory().or_else(|error| match error.kind() {
            ErrorKind::Locked => beside_a_writer()?.map_or_else(in_memory, Ok),
            _ => Err(error),
        })
    } else {
        match beside_a_writer() {
            Ok(Some(file)) => Ok(file),
            // The file was not closed cleanly, or another process reads it as it is in memory.
            Ok(None) => in_memory(),
            Err(error) if error.is_locked() => in_memory(),
            Err(error) => Err(error),
        }
    }?;
    let snapshot = file.begin_read()?;
    check_identity(&snapshot, settings, FORMAT_VERSION)?;
    drop(snapshot);
    let recovered = recover_in_memory(&file, log()?, settings)?;
    share(file, None, recovered, path, settings)
}

/// Reads the file as it is, while others may write it. `None` if it needs a repair.
fn read_beside_a_writer(backend: impl StorageBackend, settings: &Settings) -> Result<Option<File>> {
    let mut builder = redb_builder(settings);
    builder.set_concurrency_mode(ConcurrencyMode::SingleWriter);
    let (backend, file) = gated(backend, Access::Follow, Extent::OwnTables, |_| {});
    let opened = contained(|| match builder.open_read_only_with_backend(backend) {
        Err(redb::DatabaseError::RepairAborted) => Ok(None),
        opened => Ok(Some(Closing::new(opened.or_fault()?))),
    })?;
    file.read_on();
    let Some(db) = opened else {
        return Ok(None);
    };
    if settings.check_integrity {
        match file.verify_beside_others(Extent::AllPages) {
            // A process that commits all the time has verified them.
            Err(error) if error.is_unavailable() => {}
            verified => verified?,
        }
    }
    // What is in a log is applied in memory, which cannot be followed.
    let snapshot = contained(|| db.begin_read().or_fault())?;
    let is_log_in_use = match check_identity(&snapshot, settings, FORMAT_VERSION) {
        Ok(_) => recover::marker(&snapshot)?.is_some_and(|marker| marker.is_in_use),
        Err(_) => false, // The caller that opens it reports this.
    };
    Ok((!is_log_in_use).then(|| File::ReadOnly(Followed::new(db, file))))
}

/// Reads the file as it would be after a repair, without making the repair.
fn repair_in_memory(
    backend: impl StorageBackend,
    settings: &Settings,
    path: Option<&Path>,
) -> Result<Opened> {
    let settings = Settings {
        share: None,
        ..settings.clone()
    };
    open_behind(backend, Access::Inspect, &settings, path)
}

/// Opens the database behind a gate.
fn open_behind(
    backend: impl StorageBackend,
    access: Access,
    settings: &Settings,
    path: Option<&Path>,
) -> Result<Opened> {
    let reported = path.map(Path::to_owned);
    let on_repair = settings.on_repair.clone();
    let tell = Arc::new(move |done: f64| {
        let percent = done * 100.0;
        tracing::debug!(path = ?reported, percent, "check or repair");
        if let Some(on_repair) = &on_repair {
            on_repair(done);
        }
    });
    let extent = match settings.check_integrity {
        true => Extent::AllPages,
        false => Extent::OwnTables,
    };
    let verifying = Arc::clone(&tell);
    let (backend, gate) = gated(backend, access, extent, move |done| {
        if extent == Extent::AllPages {
            verifying(done);
        }
    });
    // A repair verifies all pages.
    let is_repaired = Arc::new(AtomicBool::new(false));
    let repairing = Arc::clone(&is_repaired);
    let mut builder = redb_builder(settings);
    builder.set_repair_callback(move |session| {
        repairing.store(true, Ordering::Relaxed);
        tell(session.progress());
    });
    let db = contained(|| builder.create_with_backend(backend).or_fault()).map(Closing::new)?;
    if is_repaired.load(Ordering::Relaxed) {
        gate.all_are_verified();
    }
    gate.read_on();
    Ok(Opened::behind(db, gate))
}

/// A file that redb reads as it is on the disk.
fn durable(file: OsFile, access: Access) -> Result<Durable<OwnFile, FileCache>> {
    let cache = FileCache::of(&file).or_io()?;
    Ok(Durable::new(OwnFile::new(file)?, cache, access))
}

/// Opens a file that begins like one of redb's.
fn existing(path: &Path, options: &OpenOptions) -> Result<OsFile> {
    regular(path)?;
    let file = options.open(path).or_io()?;
    check_magic(&file)?;
    Ok(file)
}

/// Whether the file of an open store still begins with a header, and is as long as the header says. redb keeps what it
/// has read, and would not notice before it reads again.
///
/// A file that was repaired in memory only may be shorter than its header says, because of the crash.
pub(crate) fn check_length(path: &Path, is_repaired_in_memory: bool) -> Result<()> {
    let mut file = OsFile::open(path).or_io()?;
    let mut header = [0; HEADER_BYTES];
    let read = file.read_exact(&mut header);
    let bytes = file.metadata().or_io()?.len();
    let cut_short = |why: String| Err(Error::corrupt(format!("the file is damaged: {why}")));
    match read {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return cut_short(format!("it has been cut to {bytes} bytes"));
        }
        Err(error) => return Err(error).or_io(),
    }
    if !header.starts_with(&REDB_MAGIC) {
        return cut_short("it does not begin as one of redb's any more".to_owned());
    }
    match layout::least_bytes(&header) {
        Some(least) if bytes >= least => Ok(()),
        _ if is_repaired_in_memory => Ok(()),
        Some(least) => cut_short(format!("it has {bytes} bytes of at least {least}")),
        None => cut_short("its header describes more than any file could hold".to_owned()),
    }
}

/// Returns the metadata of a file that must be a regular one. Call it before opening the file: opening a pipe waits for
/// its other end.
pub(crate) fn regular(path: &Path) -> Result<Metadata> {
    let metadata = path
        .metadata()
        .or_io()
        .map_err(|error| match dangling_link(path) {
            Some(text) => Error::new(ErrorKind::NotFound, text).caused_by(error),
            None => error,
        })?;
    if metadata.is_dir() {
        return Err(not_a_store("it is a directory"));
    }
    if !metadata.is_file() {
        return Err(not_a_store("it is not a regular file"));
    }
    Ok(metadata)
}

fn check_magic(mut file: &OsFile) -> Result<()> {
    let mut magic = [0; REDB_MAGIC.len()];
    match file.read_exact(&mut magic) {
        Ok(()) if magic == REDB_MAGIC => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error).or_io(),
        Err(_) if file.metadata().or_io()?.len() == 0 => Err(not_a_store("the file is empty")),
        _ => Err(not_a_store("the file does not begin as one of redb's")),
    }
}

fn not_a_store(what: &str) -> Error {
    Error::new(ErrorKind::NotAStore, format!("not a store: {what}"))
}

/// Writes what makes an empty file a store. If revisions below `revisions_below` were handed out before, the deletions
/// among them are unknown.
pub(crate) fn initialize(db: &Database, identity: &Identity, revisions_below: u64) -> Result<()> {
    let txn = db.begin_write().or_fault()?;
    txn.open_table(keys::RECORDS).or_fault()?;
    txn.open_table(keys::NAMESPACES).or_fault()?;
    txn.open_table(keys::TOMBSTONES).or_fault()?;
    {
        let mut table = txn.open_table(keys::META).or_fault()?;
        let values = [
            (
                meta::FORMAT,
                seal(meta::FORMAT, &u64::from(FORMAT_VERSION))?,
            ),
            (meta::IDENTITY, seal(meta::IDENTITY, identity)?),
            (meta::HISTORY, seal(meta::HISTORY, &new_history())?),
            (meta::REVISION, seal(meta::REVISION, &revisions_below)?),
        ];
        for (key, value) in values {
            table.insert(key, value.as_slice()).or_fault()?;
        }
    }
    forget_before(&txn, revisions_below)?;
    txn.commit().or_fault()
}

/// Records that deletions with a revision below this one are unknown.
pub(crate) fn forget_before(txn: &WriteTransaction, revisions_below: u64) -> Result<()> {
    let forgotten = revisions_below.saturating_sub(1);
    if forgotten > 0 {
        let value = seal(meta::FORGOTTEN, &forgotten)?;
        let mut table = txn.open_table(keys::META).or_fault()?;
        let key = meta::FORGOTTEN;
        table.insert(key, value.as_slice()).or_fault()?;
    }
    Ok(())
}

/// Checks that the file is a store, of a version up to `newest`, and the one that is expected. Returns its version.
fn check_identity(snapshot: &ReadTransaction, settings: &Settings, newest: u32) -> Result<u32> {
    contained(|| {
        let table = match snapshot.open_table(keys::META) {
            Ok(table) => table,
            Err(redb::TableError::Storage(error)) => return Err(error).or_fault(),
            Err(redb::TableError::TableTypeMismatch { key, .. }) if key.name() == FORMAT_1_KEYS => {
                return Err(Error::new(
                    ErrorKind::IncompatibleFormat,
                    "the file has format version 1, which was never released: nothing reads it any more",
                ));
            }
            Err(error) => {
                let what = "a file of redb, but with tables of something else";
                return Err(not_a_store(what).caused_by(error));
            }
        };
        let Some(value) = table.get(meta::FORMAT).or_fault()? else {
            return Err(not_a_store(
                "a file of redb without a format version of ours",
            ));
        };
        let version = migrate::version(value.value(), newest)?;
        settings.check_expected(identity(snapshot)?.uuid)?;
        Ok(version)
    })
}

pub(crate) fn identity(snapshot: &ReadTransaction) -> Result<Identity> {
    let table = snapshot.open_table(keys::META).or_fault()?;
    match table.get(meta::IDENTITY).or_fault()? {
        Some(value) => Identity::decode(meta::IDENTITY, value.value()),
        None => Err(Error::corrupt("the store's identity is missing")),
    }
}

/// Returns the history that the revisions of the file belong to.
fn history(snapshot: &ReadTransaction) -> Result<u64> {
    let table = snapshot.open_table(keys::META).or_fault()?;
    match table.get(meta::HISTORY).or_fault()? {
        Some(value) => unseal_number(meta::HISTORY, value.value()),
        None => Err(Error::corrupt("the store's history is missing")),
    }
}

/// Moves the commits in the log into a file that may be written: at once if its gate is open, otherwise with the first
/// write.
fn recover_log(
    opened: &Opened,
    log: Option<&dyn LogPlace>,
    settings: &Settings,
) -> Result<Recovered> {
    let change = opened.begin_change()?;
    let recovered = recover::recover(&opened.db, log, Access::Write, settings.on_log_loss)?;
    drop(change);
    // Others read the file as it is.
    if settings.share() == Share::Readers && recovered.commits.is_some() && opened.is_held_back() {
        opened.verify_pages()?;
        opened.open_gate()?;
    }
    Ok(recovered)
}

/// Applies the commits in the log to a file that is never written.
fn recover_in_memory(
    file: &File,
    log: Option<Box<dyn LogPlace>>,
    settings: &Settings,
) -> Result<Recovered> {
    match file {
        File::Inspected(opened) => {
            let access = Access::Inspect;
            recover::recover(&opened.db, log.as_deref(), access, settings.on_log_loss)
        }
        File::ReadWrite(_) | File::ReadOnly(_) => Ok(Recovered::default()),
    }
}

fn share(
    file: File,
    log: Option<Box<dyn LogPlace>>,
    recovered: Recovered,
    path: Option<&Path>,
    settings: &Settings,
) -> Result<Shared> {
    let (identity, history, reserved) = contained(|| {
        let snapshot = file.begin_read()?;
        let identity = identity(&snapshot)?;
        let history = history(&snapshot)?;
        Ok((identity, history, revisions_below(&Contents::of(snapshot))?))
    })?;
    if let File::ReadWrite(opened) = &file {
        let is_held_back = opened.is_held_back();
        let usage = Usage {
            bytes: settings.commit_log.then_some(settings.log_bytes),
            is_beside: settings.checkpoints_beside,
        };
        let log = Log::new(log, identity.uuid, usage, recovered.marker, is_held_back);
        opened.set_log(log);
    }
    let mut policy = identity.policy()?;
    if let Some(rules) = settings.rules {
        policy.rules = rules;
    }
    let path = path.map(Path::to_owned);
    let process = Process::current()?;
    let shared = Shared::new(file, path, policy, settings, identity, reserved, process);
    Ok(shared.with_history(history).with_recovered(recovered))
}
