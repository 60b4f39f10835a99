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
use crate::redb_file::gate::Access;
use crate::session::file;
use crate::session::snapshot::revisions_below;
use crate::session::txn::ReadTxn;

/// The result of [`Db::backup`] or [`Maintenance::restore`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BackupReport {
    /// The id of the store and of its copy.
    pub id: StoreId,
    /// How many namespaces the copy has.
    pub namespaces_count: u64,
    /// How many containers the copy has.
    pub containers_count: u64,
    /// How many records of other kinds the copy has.
    pub records_count: u64,
    /// How many keys were copied, in all tables.
    pub keys_count: u64,
    /// The size of the keys and values that were copied.
    pub stored_bytes: u64,
    /// The length of the new file.
    pub file_bytes: u64,
    /// Every revision in the copy is below this one.
    pub revisions_below: Revision,
}

impl Db {
    /// Copies the current state of the store into a new file, while others read and write.
    ///
    /// The copy has the same id, rules, times and revisions, and every value byte for byte; it has a new
    /// [`history`](crate::StoreInfo::history). It is compacted, except for a few pages. Afterwards there is a complete
    /// store at `path`, or nothing. Only its owner can read and write it. Before the file gets its name it is opened
    /// with its pages verified, checked ([`Db::check`]), and compared with what was read, by count, length and
    /// checksum.
    ///
    /// Damage is never copied silently; it is an error that names this store. Unverified pages are verified
    /// first.
    ///
    /// The pages of the copied snapshot stay in the file until the backup is done. `progress` counts keys; no other
    /// operation waits while it runs.
    ///
    /// # Errors
    ///
    /// In all cases, nothing new is left at `path`:
    ///
    /// - [`AlreadyExists`](crate::ErrorKind::AlreadyExists): something exists at `path`.
    /// - [`NotFound`](crate::ErrorKind::NotFound): its directory does not exist.
    /// - [`Corrupt`](crate::ErrorKind::Corrupt), naming the page or container: something is damaged;
    ///   [`Maintenance::salvage`] saves the rest.
    /// - [`Io`](crate::ErrorKind::Io). If only the sync of the name fails, a complete store is at `path`, and the error
    ///   says so.
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
    /// Verifies every page and every value of a backup, and copies it to a new file.
    ///
    /// A backup is a store like any other and could be opened directly; restoring leaves it unchanged. The
    /// new store has the same id: do not use it together with the store that was backed up. Revisions
    /// handed out after the backup will be handed out again.
    ///
    /// The backup is not written to, and may be on a read-only medium. `progress` counts keys.
    ///
    /// # Errors
    ///
    /// As [`Builder::open`](crate::Builder::open) for the backup, with
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if anything in it is damaged; and as [`Db::backup`] for the
    /// new file. Nothing new is left at `to`.
    pub fn restore(
        self,
        from: impl AsRef<Path>,
        to: impl AsRef<Path>,
        progress: impl FnMut(Progress),
    ) -> Result<BackupReport> {
        let to = to.as_ref();
        let backup = self
            .builder
            .opened(from.as_ref(), Access::Inspect, file::inspect_verified)?;
        let from = backup.read()?;
        NewStore::begin(to, self.settings())
            .and_then(|new| copy(&from, Operation::RestoreFrom, new, progress))
            .map_err(|error| error.during(Operation::Restore).at(Some(to)))
    }
}

/// Copies a snapshot into a new store. An error of the source gets the operation `reading`; the caller adds
/// the context of all others.
pub(crate) fn copy(
    from: &ReadTxn,
    reading: Operation,
    new: NewStore,
    mut progress: impl FnMut(Progress),
) -> Result<BackupReport> {
    let of_source = |error: Error| error.within(reading).at(from.shared().path());
    let total = contained(|| copy::count(from.contents())).map_err(of_source)?;
    let mut walk = Walk::new(from.contents());
    while let Some(batch) = contained(|| walk.advance()).map_err(of_source)? {
        contained(|| batch.insert_into(new.db()))?;
        progress(Progress::new(walk.digest.keys_count, Some(total)));
    }
    contained(|| new.begin_history())?;
    let copied = walk.digest;
    let finished = new.finish(|snapshot, _| {
        if copy::digest(snapshot)?.is_same(&copied) && copied.keys_count == total {
            Ok(())
        } else {
            Err(Error::corrupt("the copy differs from its source"))
        }
    });
    let (found, file_bytes) = finished.map_err(|error| match error.kind() {
        // The damage may have been copied.
        ErrorKind::Corrupt => damage_of(from).map_or_else(|| not_kept(error), of_source),
        _ => error,
    })?;
    Ok(BackupReport {
        id: StoreId::from_bytes(from.shared().identity.uuid),
        namespaces_count: found.namespaces_count,
        containers_count: found.containers_count,
        records_count: found.records_count,
        keys_count: copied.keys_count,
        stored_bytes: copied.stored_bytes,
        file_bytes,
        revisions_below: contained(|| revisions_below(from.contents()))
            .map(Revision::new)
            .map_err(of_source)?,
    })
}

/// Returns the first damage in a snapshot.
fn damage_of(from: &ReadTxn) -> Option<Error> {
    check_snapshot(from)
        .and_then(CheckReport::into_result)
        .err()
}
