//! A store that is created with its content, by a backup, a load or a salvage.
//!
//! It gets its name only when it is complete, closed, opened again with its pages verified, and checked.
//! Nothing is ever replaced. Before that, dropping it removes it.

use std::fs::File;
use std::path::Path;

use redb::{Database, StorageBackend};

use crate::maintenance::check::{CheckReport, check};
use crate::model::error::{Error, ErrorKind, Result};
use crate::records::keys::{self, meta};
use crate::records::meta::Identity;
use crate::records::seal::seal;
use crate::redb_file::fault::{OrFault, OrIo, contained};
use crate::session::file;
use crate::session::new_file::NewFile;
use crate::session::process::{Own, OwnFile, Process};
use crate::session::settings::Settings;
use crate::session::shared::Shared;
use crate::session::snapshot::Contents;

/// The error for a damaged new file, which must not be taken for damage of the source.
pub(crate) fn not_kept(error: Error) -> Error {
    if !error.is_corrupt() {
        return error;
    }
    let what = "the new file does not contain what was written to it: the disk may be failing, try \
                another";
    Error::new(ErrorKind::Io, what).caused_by(error)
}

/// See the module documentation.
pub(crate) struct NewStore {
    db: Own<Database>,
    new: NewFile,
    settings: Settings,
    reopen: Box<Reopen>,
}

type Reopen = dyn Fn(File, &Settings) -> Result<Shared>;

impl NewStore {
    /// Creates an empty redb file without tables.
    pub(crate) fn begin(path: &Path, settings: &Settings) -> Result<Self> {
        Self::begin_on(path, settings, OwnFile::new)
    }

    /// Creates an empty redb file, with `backend` in front of the file.
    pub(crate) fn begin_on<B: StorageBackend>(
        path: &Path,
        settings: &Settings,
        backend: impl Fn(File) -> Result<B> + 'static,
    ) -> Result<Self> {
        let new = NewFile::begin(path)?;
        let settings = Settings {
            check_integrity: true,
            share: None,
            commit_log: false,
            expected_uuid: None,
            ..settings.clone()
        };
        let db = file::redb_builder(&settings)
            .create_with_backend(backend(new.file()?)?)
            .or_fault()?;
        Ok(Self {
            db: Own::new(db, &Process::current()?),
            new,
            settings,
            reopen: Box::new(move |file, settings| {
                // Opening it for writing would make it longer.
                file::inspect_alone(backend(file)?, None, settings, None)
            }),
        })
    }

    pub(crate) fn db(&self) -> &Database {
        &self.db
    }

    /// Creates the tables, and stores the identity.
    pub(crate) fn initialize(&self, identity: &Identity, revisions_below: u64) -> Result<()> {
        file::initialize(&self.db, identity, revisions_below)
    }

    /// Gives the copied store a new history.
    pub(crate) fn begin_history(&self) -> Result<()> {
        let txn = self.db.begin_write().or_fault()?;
        let value = seal(meta::HISTORY, &file::new_history())?;
        txn.open_table(keys::META)
            .or_fault()?
            .insert(meta::HISTORY, value.as_slice())
            .or_fault()?;
        txn.commit().or_fault()
    }

    /// Raises the bound of revisions. Deletions below it are unknown.
    pub(crate) fn set_revisions_below(&self, bound: u64) -> Result<()> {
        let txn = self.db.begin_write().or_fault()?;
        txn.open_table(keys::META)
            .or_fault()?
            .insert(meta::REVISION, seal(meta::REVISION, &bound)?.as_slice())
            .or_fault()?;
        file::forget_before(&txn, bound)?;
        txn.commit().or_fault()
    }

    /// Compacts and closes the store, verifies it, also with `verify`, and gives it its name. Returns the report of the
    /// check, and the length of the file.
    ///
    /// # Errors
    ///
    /// `Corrupt` if what was written is damaged ([`not_kept`]), or the source is; `Io`.
    pub(crate) fn finish(
        self,
        verify: impl FnOnce(&Contents, &CheckReport) -> Result<()>,
    ) -> Result<(CheckReport, u64)> {
        let Self {
            db,
            new,
            settings,
            reopen,
        } = self;
        contained(move || {
            let mut db = db.into_inner()?;
            // Each transaction left free pages, and the file has grown in large steps.
            db.compact().or_fault()?;
            db.close().or_fault()
        })?;
        let reopened = reopen(new.file()?, &settings)?;
        let report = contained(|| {
            let snapshot = reopened.snapshot()?;
            let verified = reopened.file.are_pages_verified();
            let report = check(snapshot.contents(), reopened.policy, verified)?.into_result()?;
            verify(snapshot.contents(), &report)?;
            Ok(report)
        })?;
        reopened.close()?;
        let bytes = new.file()?.metadata().or_io()?.len();
        new.finish()?;
        Ok((report, bytes))
    }
}
