//! Making a store's file, opening it, and telling it from what is none.

use std::fs::{self, File as OsFile, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Builder, ConcurrencyMode, Database, ReadTransaction, ReadableDatabase, StorageBackend};

use crate::engine::backend::{Access, gated};
use crate::engine::check::reserved_revisions;
use crate::engine::fault::{OrFault, OrIo, contained};
use crate::engine::shared::{File, Settings, Shared};
use crate::engine::{holder, migrate};
use crate::error::{Error, ErrorKind, Result};
use crate::record::{Identity, seal};
use crate::schema::{self, FORMAT_VERSION, meta};

/// The first bytes of every file of redb (its design document, "Database header").
const REDB_MAGIC: [u8; 9] = [b'r', b'e', b'd', b'b', 0x1a, 0x0a, 0xa9, 0x0d, 0x0a];

/// How redb is to open a file.
pub(crate) fn redb_builder(settings: &Settings) -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(settings.cache_bytes);
    builder.set_check_integrity_on_open(settings.check_integrity);
    if settings.live_readers {
        builder.set_concurrency_mode(ConcurrencyMode::SingleWriter);
    }
    builder
}

/// A store that lives as long as its handle.
pub(crate) fn in_memory(settings: &Settings) -> Result<Shared> {
    let db = redb_builder(settings)
        .create_with_backend(InMemoryBackend::new())
        .or_fault()?;
    initialize(&db, settings)?;
    share(File::ReadWrite(db), None, settings)
}

/// A new store in a new file.
///
/// The file is made under another name beside its place and moved there when it is whole: a crash
/// leaves a store or no file. It can be read and written by its owner only.
pub(crate) fn create(path: &Path, settings: &Settings) -> Result<Shared> {
    if path.symlink_metadata().is_ok() {
        return Err(Error::already_exists());
    }
    let directory = parent(path);
    let temporary = tempfile::Builder::new()
        .prefix(".bayplan-")
        .suffix(".new")
        .tempfile_in(directory)
        .or_io()?;
    let file = temporary.as_file().try_clone().or_io()?;
    let db = redb_builder(settings)
        .create_with_backend(FileBackend::new(file).or_fault()?)
        .or_fault()?;
    initialize(&db, settings)?;
    temporary
        .persist_noclobber(path)
        .map_err(|error| error.error)
        .or_io()?;
    sync_directory(directory)?;
    share(File::ReadWrite(db), Some(path.to_owned()), settings)
}

/// The store in an existing file.
pub(crate) fn open(path: &Path, settings: &Settings) -> Result<Shared> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .or_io()?;
    check_magic(&file)?;
    let (backend, gate) = gated(FileBackend::new(file).or_fault()?, Access::Write);
    let db = open_behind(backend, settings, path)?;
    let snapshot = db.begin_read().or_fault()?;
    let version = check_identity(&snapshot, settings)?;
    drop(snapshot);
    gate.open().or_io()?;
    if version < FORMAT_VERSION {
        tracing::info!(path = %path.display(), from = version, to = FORMAT_VERSION, "migrate");
        let txn = db.begin_write().or_fault()?;
        migrate::run(&txn, migrate::STEPS, FORMAT_VERSION)?;
        txn.commit().or_fault()?;
    }
    share(File::ReadWrite(db), Some(path.to_owned()), settings)
}

/// The store in an existing file that will not be written, whatever happens.
///
/// A file that another process has open with live readers allowed is read as it grows. One that
/// was not closed cleanly is repaired in memory.
pub(crate) fn inspect(path: &Path, settings: &Settings) -> Result<Shared> {
    let file = OpenOptions::new().read(true).open(path).or_io()?;
    check_magic(&file)?;
    let mut builder = redb_builder(settings);
    builder.set_concurrency_mode(ConcurrencyMode::SingleWriter);
    let backend = FileBackend::new(file).or_fault()?;
    let opened = contained(|| match builder.open_read_only_with_backend(backend) {
        Err(redb::DatabaseError::RepairAborted) => Ok(None),
        opened => opened.or_fault().map(Some),
    });
    let file = match opened.map_err(|error| naming_the_holder(error, path))? {
        Some(db) => File::ReadOnly(db),
        None => File::Inspected(repair_in_memory(path, settings)?),
    };
    let snapshot = file.begin_read()?;
    check_identity(&snapshot, settings)?;
    drop(snapshot);
    share(file, Some(path.to_owned()), settings)
}

/// The store in an existing file that will not be written, with every page of it verified.
pub(crate) fn inspect_verified(path: &Path, settings: &Settings) -> Result<Shared> {
    check_magic(&OpenOptions::new().read(true).open(path).or_io()?)?;
    let settings = Settings {
        check_integrity: true,
        ..settings.clone()
    };
    let file = File::Inspected(repair_in_memory(path, &settings)?);
    let snapshot = file.begin_read()?;
    check_identity(&snapshot, &settings)?;
    drop(snapshot);
    share(file, Some(path.to_owned()), &settings)
}

/// The file as it would be after a repair, which is not made.
fn repair_in_memory(path: &Path, settings: &Settings) -> Result<Database> {
    let file = OpenOptions::new().read(true).open(path).or_io()?;
    let (backend, _never_opened) = gated(FileBackend::new(file).or_fault()?, Access::Inspect);
    let settings = Settings {
        live_readers: false,
        ..settings.clone()
    };
    open_behind(backend, &settings, path)
}

fn open_behind(backend: impl StorageBackend, settings: &Settings, path: &Path) -> Result<Database> {
    let mut builder = redb_builder(settings);
    let reported = path.to_owned();
    builder.set_repair_callback(move |session| {
        let percent = session.progress() * 100.0;
        tracing::info!(path = %reported.display(), percent, "check or repair");
    });
    contained(|| builder.create_with_backend(backend).or_fault())
        .map_err(|error| naming_the_holder(error, path))
}

/// Adds who holds the lock, where the system tells.
fn naming_the_holder(error: Error, path: &Path) -> Error {
    match holder::of(path) {
        Some(pid) if error.is_locked() => Error::new(
            ErrorKind::Locked,
            format!("the file is in use by process {pid}"),
        )
        .caused_by(error),
        _ => error,
    }
}

fn check_magic(mut file: &OsFile) -> Result<()> {
    let mut magic = [0; REDB_MAGIC.len()];
    let none = |what: &str| Error::new(ErrorKind::NotAStore, format!("not a store: {what}"));
    if file.metadata().or_io()?.is_dir() {
        return Err(none("it is a directory"));
    }
    match file.read_exact(&mut magic) {
        Ok(()) if magic == REDB_MAGIC => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error).or_io(),
        Err(_) if file.metadata().or_io()?.len() == 0 => Err(none("the file is empty")),
        _ => Err(none("the file does not begin as one of redb's")),
    }
}

/// Writes what makes an empty file a store.
fn initialize(db: &Database, settings: &Settings) -> Result<()> {
    let identity = Identity::new(
        *uuid::Uuid::new_v4().as_bytes(),
        (settings.clock)(),
        settings.rules.unwrap_or_default(),
    );
    let txn = db.begin_write().or_fault()?;
    txn.open_table(schema::CONTAINERS).or_fault()?;
    txn.open_table(schema::NAMESPACES).or_fault()?;
    {
        let mut table = txn.open_table(schema::META).or_fault()?;
        let values = [
            (
                meta::FORMAT,
                seal(meta::FORMAT, &u64::from(FORMAT_VERSION))?,
            ),
            (meta::IDENTITY, seal(meta::IDENTITY, &identity)?),
            (meta::REVISION, seal(meta::REVISION, &0u64)?),
        ];
        for (key, value) in values {
            table.insert(key, value.as_slice()).or_fault()?;
        }
    }
    txn.commit().or_fault()
}

/// Whether the file is a store, of a version that can be read, and the one that is expected; its
/// version.
fn check_identity(snapshot: &ReadTransaction, settings: &Settings) -> Result<u32> {
    contained(|| {
        let table = match snapshot.open_table(schema::META) {
            Ok(table) => table,
            Err(redb::TableError::Storage(error)) => return Err(error).or_fault(),
            Err(error) => {
                let what = "not a store: a file of redb, but with tables of something else";
                return Err(Error::new(ErrorKind::NotAStore, what).caused_by(error));
            }
        };
        let Some(value) = table.get(meta::FORMAT).or_fault()? else {
            let what = "not a store: a file of redb without a format version of ours";
            return Err(Error::new(ErrorKind::NotAStore, what));
        };
        let version = migrate::version(value.value())?;
        settings.check_expected(identity(snapshot)?.uuid)?;
        Ok(version)
    })
}

fn identity(snapshot: &ReadTransaction) -> Result<Identity> {
    let table = snapshot.open_table(schema::META).or_fault()?;
    match table.get(meta::IDENTITY).or_fault()? {
        Some(value) => Identity::decode(meta::IDENTITY, value.value()),
        None => Err(Error::corrupt("the store's identity is missing")),
    }
}

fn share(file: File, path: Option<PathBuf>, settings: &Settings) -> Result<Shared> {
    let snapshot = file.begin_read()?;
    let identity = identity(&snapshot)?;
    let reserved = reserved_revisions(&snapshot.open_table(schema::META).or_fault()?)?;
    drop(snapshot);
    let rules = match settings.rules {
        Some(rules) => rules,
        None => identity.rules()?,
    };
    Ok(Shared::new(file, path, rules, settings, identity, reserved))
}

pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}

/// Makes the new name itself durable.
pub(crate) fn sync_directory(directory: &Path) -> Result<()> {
    fs::File::open(directory)
        .and_then(|directory| directory.sync_all())
        .or_io()
}
