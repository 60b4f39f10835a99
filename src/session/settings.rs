//! The options for opening or creating a store.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::model::error::{Error, Result};
use crate::model::policy::{Rules, Share};
use crate::session::log::recover::OnLoss;
use crate::session::sharing::WAIT_DEFAULT;

/// Receives the progress of an operation, from 0 to 1.
pub(crate) type OnRepair = Arc<dyn Fn(f64) + Send + Sync>;

/// Returns the time.
pub(crate) type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// How a store is to be opened.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) cache_bytes: usize,
    /// The rules to apply; `None` for those that the file was created with.
    pub(crate) rules: Option<Rules>,
    /// What a new store does with labels that have an empty value.
    pub(crate) keep_empty_labels: bool,
    pub(crate) check_integrity: bool,
    /// How many bytes of memory the kept records may take; with 0 none are kept.
    pub(crate) memory_bytes: usize,
    /// Who may have the store open at the same time; `None` for what its file says.
    pub(crate) share: Option<Share>,
    /// How long to wait for other processes; `None` for the default of the way it is shared.
    pub(crate) lock_timeout: Option<Duration>,
    /// How many deletions are remembered at most.
    pub(crate) tombstones_max_count: u64,
    /// How often a follower looks at a store that another process writes.
    pub(crate) poll_interval: Duration,
    /// Whether commits go through a log.
    pub(crate) commit_log: bool,
    /// The length of a new log, in bytes.
    pub(crate) log_bytes: u64,
    /// Whether checkpoints run beside commits, on a thread of their own.
    pub(crate) checkpoints_beside: bool,
    /// What to do with a log that cannot be read completely.
    pub(crate) on_log_loss: OnLoss,
    pub(crate) expected_uuid: Option<[u8; 16]>,
    pub(crate) clock: Clock,
    /// Receives the progress of a check or a repair while a file is opened, from 0 to 1.
    pub(crate) on_repair: Option<OnRepair>,
}

impl Settings {
    /// Returns these settings for a store that is shared in this way.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the two contradict each other.
    pub(crate) fn shared(&self, share: Share) -> Result<Self> {
        if self.commit_log && share != Share::Nobody {
            return Err(Error::invalid(format!(
                "a store with a commit log cannot be shared with {share}: what is in the log is in no file that they read"
            )));
        }
        Ok(Self {
            share: Some(share),
            ..self.clone()
        })
    }

    /// Who may have the store open at the same time.
    pub(crate) fn share(&self) -> Share {
        self.share.unwrap_or_default()
    }

    /// How long to wait for other processes that have the store open.
    pub(crate) fn wait(&self) -> Duration {
        self.lock_timeout.unwrap_or(match self.share() {
            Share::Processes => WAIT_DEFAULT,
            Share::Nobody | Share::Readers => Duration::ZERO,
        })
    }

    /// Checks that the store with this UUID is the expected one.
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
