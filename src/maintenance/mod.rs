//! The tools for a whole store: check, stats, compact, backup, restore, dump, load, salvage.
//!
//! This room may use every other room. It reads the file, never the records in memory, and never replaces a file.

pub(crate) mod backup;
pub(crate) mod bulk;
pub(crate) mod check;
pub(crate) mod compact;
pub(crate) mod copy;
pub(crate) mod dump;
pub(crate) mod measure;
pub(crate) mod new_store;
pub(crate) mod salvage;
pub(crate) mod stats;

use std::path::Path;
use std::time::Duration;

use crate::api::builder::Builder;
use crate::model::error::Result;
use crate::model::info::StoreId;
use crate::model::policy::Rules;
use crate::model::progress::Progress;
use crate::redb_file::gate::Access;
use crate::session::settings::Settings;

/// How many records are processed between two calls of a progress callback.
const PROGRESS_EVERY_COUNT: u64 = 64;

/// Reports how many records are done, at intervals.
fn tell(progress: &mut dyn FnMut(Progress), done: u64) {
    if done.is_multiple_of(PROGRESS_EVERY_COUNT) {
        progress(Progress::new(done, None));
    }
}

/// Tools for a file that is not open: [`compact`](Maintenance::compact), [`restore`](Maintenance::restore),
/// [`load`](Maintenance::load), [`salvage`](Maintenance::salvage).
///
/// The tools for an open store are its methods: [`Db::backup`](crate::Db::backup),
/// [`Db::dump`](crate::Db::dump), [`Db::check`](crate::Db::check), [`Db::stats`](crate::Db::stats).
///
/// # Examples
///
/// ```
/// use bayplan::{Db, Maintenance};
///
/// # fn main() -> bayplan::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("meta.redb");
/// let id = Db::create(&path)?.info().id;
/// let report = Maintenance::new().expect_id(id).compact(&path)?;
/// assert!(report.after_bytes <= report.before_bytes);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Maintenance {
    builder: Builder,
}

impl Maintenance {
    /// Creates the tools with default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Accepts only the store with this id.
    pub fn expect_id(mut self, id: StoreId) -> Self {
        self.builder = self.builder.expect_id(id);
        self
    }

    /// Sets the rules of a salvaged store, if its own are lost.
    pub fn rules(mut self, rules: Rules) -> Self {
        self.builder = self.builder.rules(rules);
        self
    }

    /// Sets how long to wait for a file that is in use; by default, not at all.
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.builder = self.builder.lock_timeout(timeout);
        self
    }

    /// Calls `progress` with a number from 0 to 1 while a file is verified or repaired; see
    /// [`Builder::on_repair`].
    pub fn on_repair(mut self, progress: impl Fn(f64) + Send + Sync + 'static) -> Self {
        self.builder = self.builder.on_repair(progress);
        self
    }

    fn settings(&self) -> &Settings {
        self.builder.settings()
    }

    fn when_unlocked<T>(&self, path: &Path, attempt: impl Fn() -> Result<T>) -> Result<T> {
        self.builder.when_unlocked(path, Access::Inspect, attempt)
    }
}
