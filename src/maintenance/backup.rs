//! `Db::backup` and `Maintenance::restore`.

use std::path::Path;

use serde::Serialize;

use crate::api::db::Db;
use crate::maintenance::Maintenance;
use crate::maintenance::check::CheckReport;
use crate::maintenance::check::check_snapshot;
use crate::maintenance::copy::{self, Walk};
use crate::maintenance::new_store::{NewStore, not_kept};
use crate::model::error::{Error, ErrorKind, Operation, Result};
use crate::model::info::StoreId;
use crate::model::progress::Progress;
use crate::model::revision::Revision;
use crate::redb_file::fault::contained;
use crate::session::file;
use crate::session::snapshot::revisions_below;
use crate::session::txn::ReadTxn;

/// What [`Db::backup`] or [`Maintenance::restore`] copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BackupReport {
    /// Which store it is: the copy has the same id.
    pub id: StoreId,
    /// How many namespaces the copy has.
    pub namespaces_count: u64,
    /// How many containers the copy has.
    pub containers_count: u64,
    /// How many records of other kinds the copy has.
    pub records_count: u64,
    /// How many keys were copied, of all tables.
    pub keys_count: u64,
    /// Keys and values that were copied.
    pub stored_bytes: u64,
    /// The length of the new file.
    pub file_bytes: u64,
    /// Every revision in the copy is below this one.
    pub revisions_below: Revision,
}

impl Db {
    /// Copies the store, as it is now, into a new file, while others go on reading and writing.
    ///
    /// The copy is this store: it has the same id, rules, times and revisions, and every value
    /// byte for byte. It is packed and compacted: what was free here is not in it, and the copy is no
    /// longer than a compacted file but for a few pages. There is a whole store at `path` afterwards, or nothing; like a created one it can be read and written
    /// by its owner only. Before it gets its name it is opened with its pages verified, checked
    /// ([`Db::check`]) and compared with what was read, by number, length and checksum.
    ///
    /// Damage is not copied silently, it is an error that names this store: pages that nobody has
    /// verified are verified first.
    ///
    /// The snapshot that is copied keeps its pages in the file until the backup is done.
    /// `progress` counts keys; nothing waits while it runs.
    ///
    /// # Errors
    ///
    /// In all cases nothing is left at `path` that was not there:
    ///
    /// - [`AlreadyExists`](crate::ErrorKind::AlreadyExists): there is anything at `path`.
    /// - [`NotFound`](crate::ErrorKind::NotFound): its directory does not exist.
    /// - [`Corrupt`](crate::ErrorKind::Corrupt), naming the page or container: something is damaged;
    ///   [`Maintenance::salvage`] saves the rest.
    /// - [`Io`](crate::ErrorKind::Io). If only the sync of the name fails, a whole store is there,
    ///   and the error says so.
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{Any, Container, Db, Maintenance, Runtime};
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("meta.redb");
    /// # let backup = directory.path().join("backup.redb");
    /// # let restored = directory.path().join("restored.redb");
    /// let db = Db::create(path)?;
    /// let spec = Any::new("spec", b"{}");
    /// db.namespace("k8s.io")?.create(Container::new("web", Runtime::new("runc"), spec))?;
    /// assert_eq!(db.backup(&backup, |_| {})?.containers_count, 1);
    ///
    /// Maintenance::new().expect_id(db.info().id).restore(&backup, &restored, |_| {})?;
    /// assert_eq!(Db::open(restored)?.info().id, db.info().id);
    /// # Ok(())
    /// # }
    /// ```
    pub fn backup(
        &self,
        path: impl AsRef<Path>,
        progress: impl FnMut(Progress),
    ) -> Result<BackupReport> {
        let path = path.as_ref();
        let tools = Maintenance::default();
        let from = self.read_verified(Operation::BackupOf)?;
        NewStore::begin(path, tools.settings())
            .and_then(|new| copy(&from, Operation::BackupOf, new, progress))
            .map_err(|error| error.during(Operation::Backup).at(Some(path)))
    }
}

impl Maintenance {
    /// Verifies a backup, every page and every value of it, and copies it to a new file.
    ///
    /// A backup is a store like any other, so it can also be opened where it is; this one leaves
    /// the backup as it is, whatever comes. The new store has its id: do not use it beside the one
    /// that was backed up. Revisions that were given after the backup are given again.
    ///
    /// The backup is not written to, and may lie on a read-only medium. `progress` counts keys.
    ///
    /// # Errors
    ///
    /// As [`Builder::open`](crate::Builder::open) for the backup, with [`Corrupt`](crate::ErrorKind::Corrupt) if
    /// anything in it is damaged; and as [`Db::backup`] for the new file. Nothing is left at `to`
    /// that was not there.
    pub fn restore(
        self,
        from: impl AsRef<Path>,
        to: impl AsRef<Path>,
        progress: impl FnMut(Progress),
    ) -> Result<BackupReport> {
        let to = to.as_ref();
        let backup = self.builder.opened(from.as_ref(), file::inspect_verified)?;
        let from = backup.read()?;
        NewStore::begin(to, self.settings())
            .and_then(|new| copy(&from, Operation::RestoreFrom, new, progress))
            .map_err(|error| error.during(Operation::Restore).at(Some(to)))
    }
}

/// Copies a snapshot into a new store. An error of the source tells that, `reading` it; the others are for
/// the caller to name.
pub(crate) fn copy(
    from: &ReadTxn,
    reading: Operation,
    new: NewStore,
    mut progress: impl FnMut(Progress),
) -> Result<BackupReport> {
    let of_source = |error: Error| error.within(reading).at(from.shared().path());
    let total = contained(|| copy::count(from.snapshot())).map_err(of_source)?;
    let mut walk = Walk::new(from.snapshot());
    while let Some(batch) = contained(|| walk.advance()).map_err(of_source)? {
        contained(|| batch.insert_into(new.db()))?;
        progress(Progress::new(walk.digest.keys_count, Some(total)));
    }
    let copied = walk.digest;
    let finished = new.finish(|snapshot, _| {
        if copy::digest(snapshot)?.is_same(&copied) && copied.keys_count == total {
            Ok(())
        } else {
            Err(Error::corrupt("the copy differs from its source"))
        }
    });
    let (found, file_bytes) = finished.map_err(|error| match error.kind() {
        // What is wrong with the copy may have been copied.
        ErrorKind::Corrupt => damage_of(from).map_or_else(|| not_kept(error), of_source),
        _ => error,
    })?;
    Ok(BackupReport {
        id: StoreId::from_bytes(from.shared().identity.uuid),
        namespaces_count: found.namespaces,
        containers_count: found.containers,
        records_count: found.records,
        keys_count: copied.keys_count,
        stored_bytes: copied.stored_bytes,
        file_bytes,
        revisions_below: contained(|| revisions_below(from.snapshot()))
            .map(Revision::new)
            .map_err(of_source)?,
    })
}

/// The first damage in a snapshot.
fn damage_of(from: &ReadTxn) -> Option<Error> {
    check_snapshot(from)
        .and_then(CheckReport::into_result)
        .err()
}
