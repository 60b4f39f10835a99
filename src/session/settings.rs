//! The options by which a store is opened or created.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::model::error::{Error, Result};
use crate::model::policy::Rules;
use crate::session::log::recover::OnLoss;

/// Hears how far something is, from 0 to 1.
pub(crate) type OnRepair = Arc<dyn Fn(f64) + Send + Sync>;

/// Tells the time.
pub(crate) type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// How a store is to be opened.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) cache_bytes: usize,
    /// The rules to apply; if none are named, those that the file was created with.
    pub(crate) rules: Option<Rules>,
    /// What a new store does with labels that have an empty value.
    pub(crate) keep_empty_labels: bool,
    pub(crate) check_integrity: bool,
    /// How much memory the records that are kept may take; none are with 0.
    pub(crate) memory_bytes: usize,
    /// How many deletions are remembered at most.
    pub(crate) tombstones_max_count: u64,
    pub(crate) live_readers: bool,
    /// How often a store that another process writes is looked at by who waits for changes.
    pub(crate) poll_interval: Duration,
    /// Whether commits go through a log.
    pub(crate) commit_log: bool,
    /// How long a new log is.
    pub(crate) log_bytes: u64,
    /// What is done with a log of which not everything can be read.
    pub(crate) on_log_loss: OnLoss,
    pub(crate) expected_uuid: Option<[u8; 16]>,
    pub(crate) clock: Clock,
    /// Hears how far a check or a repair is while a file is opened, from 0 to 1.
    pub(crate) on_repair: Option<OnRepair>,
}

impl Settings {
    /// Whether the options go together.
    pub(crate) fn check(&self) -> Result<()> {
        match self.commit_log && self.live_readers {
            true => Err(Error::invalid(
                "a store with a commit log cannot have live readers: what is in the log is in no file that they read",
            )),
            false => Ok(()),
        }
    }

    /// Whether the store with this UUID is the one that is expected.
    pub(crate) fn check_expected(&self, uuid: [u8; 16]) -> Result<()> {
        match self.expected_uuid {
            Some(expected) if expected != uuid => Err(Error::precondition(format!(
                "it is another store than the one expected: its UUID is {}, not {}",
                uuid::Uuid::from_bytes(uuid),
                uuid::Uuid::from_bytes(expected),
            ))),
            _ => Ok(()),
        }
    }
}
