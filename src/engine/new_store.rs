//! A store that is made as a whole: by a backup, a load or a salvage.
//!
//! Like a new one it is made under another name beside its place, readable and writable by its
//! owner only. It is moved to its place when it is complete, was closed, opened again with its
//! pages verified, and checked; nothing is ever replaced. Before that, dropping it removes it.

use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Database, ReadTransaction};
use tempfile::NamedTempFile;

use crate::engine::check::{CheckReport, check};
use crate::engine::fault::{OrFault, OrIo, contained};
use crate::engine::file;
use crate::engine::shared::Settings;
use crate::error::{Error, Result};
use crate::record::{Identity, seal};
use crate::schema::{self, FORMAT_VERSION, meta};

/// See the head of this file.
pub(crate) struct NewStore {
    db: Database,
    temporary: NamedTempFile,
    path: PathBuf,
    settings: Settings,
}

impl NewStore {
    /// An empty file of redb, without any table.
    pub(crate) fn begin(path: &Path, settings: &Settings) -> Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(Error::already_exists());
        }
        let temporary = tempfile::Builder::new()
            .prefix(".bayplan-")
            .suffix(".new")
            .tempfile_in(file::parent(path))
            .or_io()?;
        let settings = Settings {
            check_integrity: true,
            live_readers: false,
            expected_uuid: None,
            ..settings.clone()
        };
        let file = temporary.as_file().try_clone().or_io()?;
        let db = file::redb_builder(&settings)
            .create_with_backend(FileBackend::new(file).or_fault()?)
            .or_fault()?;
        Ok(Self {
            db,
            temporary,
            path: path.to_owned(),
            settings,
        })
    }

    pub(crate) fn db(&self) -> &Database {
        &self.db
    }

    /// Makes the tables, and says which store it is.
    pub(crate) fn initialize(&self, identity: &Identity, revisions_below: u64) -> Result<()> {
        let txn = self.db.begin_write().or_fault()?;
        txn.open_table(schema::CONTAINERS).or_fault()?;
        txn.open_table(schema::NAMESPACES).or_fault()?;
        {
            let mut table = txn.open_table(schema::META).or_fault()?;
            let format = seal(meta::FORMAT, &u64::from(FORMAT_VERSION))?;
            let values = [
                (meta::FORMAT, format),
                (meta::IDENTITY, seal(meta::IDENTITY, identity)?),
                (meta::REVISION, seal(meta::REVISION, &revisions_below)?),
            ];
            for (key, value) in values {
                table.insert(key, value.as_slice()).or_fault()?;
            }
        }
        txn.commit().or_fault()
    }

    /// Moves the bound of revisions.
    pub(crate) fn set_revisions_below(&self, bound: u64) -> Result<()> {
        let txn = self.db.begin_write().or_fault()?;
        txn.open_table(schema::META)
            .or_fault()?
            .insert(meta::REVISION, seal(meta::REVISION, &bound)?.as_slice())
            .or_fault()?;
        txn.commit().or_fault()
    }

    /// Closes the store, verifies it, also by `verify`, and gives it its name. Tells what the
    /// check found, and the length of the file.
    pub(crate) fn finish(
        self,
        verify: impl FnOnce(&ReadTransaction, &CheckReport) -> Result<()>,
    ) -> Result<(CheckReport, u64)> {
        let Self {
            db,
            temporary,
            path,
            settings,
        } = self;
        contained(move || {
            drop(db);
            Ok(())
        })?;
        let reopened = file::open(temporary.path(), &settings)?;
        let report = contained(|| {
            let snapshot = reopened.snapshot()?;
            let report = check(&snapshot.txn)?.into_result()?;
            verify(&snapshot.txn, &report)?;
            Ok(report)
        })?;
        drop(reopened);
        temporary.as_file().sync_all().or_io()?;
        let bytes = temporary.as_file().metadata().or_io()?.len();
        temporary
            .persist_noclobber(&path)
            .map_err(|error| error.error)
            .or_io()?;
        file::sync_directory(file::parent(&path))?;
        Ok((report, bytes))
    }
}
