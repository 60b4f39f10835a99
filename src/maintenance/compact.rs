//! `Maintenance::compact`.

use std::path::Path;

use serde::Serialize;

use crate::api::db::Db;
use crate::maintenance::Maintenance;
use crate::model::error::{Error, Operation, Result};
use crate::redb_file::fault::{OrFault, contained};
use crate::redb_file::gate::Access;
use crate::session::file;
use crate::session::place::Place;

/// The size of a small file beyond the pages of its tables, as measured.
const OVERHEAD_BYTES: u64 = 64 * 1024;

/// The result of [`Maintenance::compact`], or the estimate of [`Maintenance::estimate_compact`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CompactReport {
    /// The length of the file before.
    pub before_bytes: u64,
    /// The length of the file afterwards.
    pub after_bytes: u64,
    /// Whether the length afterwards is only an estimate.
    pub is_estimate: bool,
}

impl Maintenance {
    /// Returns the free pages of a file to the file system. No other handle or process may have the file open, even if
    /// the store is [shared](crate::Builder::share), and none can open it meanwhile.
    ///
    /// The store is opened with all its pages verified, checked, compacted in place as far as possible, and
    /// closed. The file keeps its mode and its owner. A crash leaves an intact store, compacted or not; the
    /// next opening repairs it, which reads the whole file.
    ///
    /// Pages are moved together but not merged, so fragmentation inside of pages stays. Restoring a backup removes it.
    ///
    /// # Errors
    ///
    /// As [`Builder::open`](crate::Builder::open); [`Locked`](crate::ErrorKind::Locked) if the store is
    /// open anywhere, this process included. [`Corrupt`](crate::ErrorKind::Corrupt) if anything is damaged;
    /// the content is then unchanged. After [`Io`](crate::ErrorKind::Io) the store is intact.
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{Db, Maintenance};
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("meta.redb");
    /// drop(Db::create(&path)?);
    /// let report = Maintenance::new().compact(&path)?;
    /// assert!(report.after_bytes <= report.before_bytes);
    /// # Ok(())
    /// # }
    /// ```
    pub fn compact(self, path: impl AsRef<Path>) -> Result<CompactReport> {
        let path = path.as_ref();
        let in_context = |error: Error| error.within(Operation::Compact).at(Some(path));
        let before_bytes = length(path).map_err(in_context)?;
        let db = self
            .builder
            .opened(path, Access::Write, file::open_exclusively)?;
        refuse_damaged(&db).map_err(in_context)?;
        compact(db).map_err(in_context)?;
        Ok(CompactReport {
            before_bytes,
            after_bytes: length(path).map_err(in_context)?,
            is_estimate: false,
        })
    }

    /// Estimates the result of [`Maintenance::compact`], and changes nothing.
    ///
    /// The estimate is computed from [`Db::stats`]: the space that the tables use, and what redb needs in addition. The
    /// true length can be larger by some tenths if free pages are scattered.
    ///
    /// # Errors
    ///
    /// As [`Builder::open_read_only`](crate::Builder::open_read_only); [`Corrupt`](crate::ErrorKind::Corrupt) if
    /// anything is damaged.
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{Db, Maintenance};
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("meta.redb");
    /// drop(Db::create(&path)?);
    /// assert!(Maintenance::new().estimate_compact(&path)?.is_estimate);
    /// # Ok(())
    /// # }
    /// ```
    pub fn estimate_compact(self, path: impl AsRef<Path>) -> Result<CompactReport> {
        let path = path.as_ref();
        let in_context = |error: Error| error.within(Operation::Compact).at(Some(path));
        let db = self.builder.open_read_only(path)?;
        refuse_damaged(&db).map_err(in_context)?;
        let stats = db.stats().map_err(in_context)?;
        let before_bytes = length(path).map_err(in_context)?;
        Ok(CompactReport {
            before_bytes,
            after_bytes: before_bytes.min(stats.used_bytes() + OVERHEAD_BYTES),
            is_estimate: true,
        })
    }
}

fn length(path: &Path) -> Result<u64> {
    Ok(file::regular(path)?.len())
}

fn refuse_damaged(db: &Db) -> Result<()> {
    db.check()?.into_result().map(|_| ())
}

/// Compacts and closes the store; `db` must be its last handle.
pub(crate) fn compact(db: Db) -> Result<()> {
    let Some((mut database, place)) = db.into_database()? else {
        return Err(Error::precondition("the store is in use"));
    };
    contained(move || {
        // redb continues until nothing more can be gained.
        database.compact().or_fault()?;
        database.close().or_fault()
    })?;
    place.as_ref().map_or(Ok(()), Place::check)
}
