//! `Db::check`.

use crate::api::db::Db;
use crate::engine::check::{CheckReport, check};
use crate::engine::fault::contained;
use crate::error::{Operation, Result};

impl Db {
    /// Reads everything that is stored and tells what is damaged.
    ///
    /// It writes nothing, and reads from one snapshot while others write.
    ///
    /// # Errors
    ///
    /// What keeps it from reading on. Damage that it can pass is in the report.
    pub fn check(&self) -> Result<CheckReport> {
        let snapshot = self
            .read()
            .map_err(|error| error.during(Operation::Check))?;
        let shared = snapshot.shared();
        contained(|| check(snapshot.snapshot(), shared.policy, shared.pages_verified))
            .map_err(|error| error.during(Operation::Check).at(shared.path()))
    }
}
