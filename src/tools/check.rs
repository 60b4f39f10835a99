//! `Db::check`.

use crate::api::db::Db;
use crate::engine::check::{CheckReport, check};
use crate::engine::fault::contained;
use crate::engine::file;
use crate::engine::txn::ReadTxn;
use crate::error::{Operation, Result};

impl Db {
    /// Reads everything that is stored and tells what is damaged.
    ///
    /// It writes nothing, and reads from one snapshot while others write. It verifies the checksum of every
    /// page first, unless that was done since the file was opened.
    ///
    /// # Errors
    ///
    /// What keeps it from reading on. Damage that it can pass is in the report.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> bayplan::Result<()> {
    /// let report = bayplan::Db::in_memory()?.check()?;
    /// assert!(report.is_healthy());
    /// # Ok(())
    /// # }
    /// ```
    pub fn check(&self) -> Result<CheckReport> {
        match self.read_verified(Operation::Check) {
            Ok(snapshot) => check_snapshot(&snapshot),
            Err(error) if error.is_corrupt() => {
                let snapshot = self
                    .read()
                    .map_err(|error| error.during(Operation::Check))?;
                let mut report = check_snapshot(&snapshot)?;
                report.add_of_file(error);
                Ok(report)
            }
            Err(error) => Err(error),
        }
    }
}

/// Checks what a snapshot holds, and whether the file has been cut short since it was opened.
pub(super) fn check_snapshot(snapshot: &ReadTxn) -> Result<CheckReport> {
    let shared = snapshot.shared();
    let checked = || -> Result<CheckReport> {
        let is_verified = snapshot.is_verified();
        let mut report = contained(|| check(snapshot.seen()?, shared.policy, is_verified))?;
        let Some(path) = shared.path() else {
            return Ok(report);
        };
        match file::check_length(path, shared.is_repaired_in_memory()) {
            Err(error) if error.is_corrupt() => report.add_of_file(error),
            // Who removed or replaced the file took nothing from this store.
            Err(error) if error.is_not_found() => {}
            other => other?,
        }
        Ok(report)
    };
    checked().map_err(|error| error.during(Operation::Check).at(shared.path()))
}
