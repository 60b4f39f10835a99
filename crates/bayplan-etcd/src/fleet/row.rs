//! What is known about the copy of one host.

use bayplan::implementing::{open_bytes, seal_bytes};
use bayplan::{Error, ErrorKind, NamespaceName, Position, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The row of a host. It is written in each transaction that changes the copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// The id of the store that is copied.
    pub(crate) store: String,
    /// Everything up to this position is in the copy. `None` until the first listing is complete.
    pub(crate) position: Option<Position>,
    /// Whether the copy has specs, extensions and the values of records.
    pub(crate) has_specs: bool,
    /// When this was written.
    pub(crate) written_at: DateTime<Utc>,
    /// Whether the mirror wrote this when it ended.
    #[serde(default)]
    pub(crate) has_ended: bool,
    /// Drawn anew by each mirror: one that was replaced writes no more.
    pub(crate) mirror: String,
}

impl Row {
    pub(crate) fn seal(&self, key: &[u8]) -> Result<Vec<u8>> {
        let json = serde_json::to_vec(self).map_err(|error| {
            Error::of_kind(ErrorKind::InvalidArgument, "the host cannot be written")
                .caused_by(error)
        })?;
        seal_bytes(key, &json)
    }

    pub(crate) fn open(key: &[u8], sealed: &[u8]) -> Result<Self> {
        serde_json::from_slice(open_bytes(key, sealed)?).map_err(|error| {
            Error::of_kind(
                ErrorKind::Corrupt,
                "what is known about the host does not decode",
            )
            .caused_by(error)
        })
    }
}

/// Checks the name of a host, which has the form of an identifier: 1 to 76 letters and digits, with single `.`, `_` or
/// `-` between them.
pub(crate) fn check_host(host: &str) -> Result<()> {
    match NamespaceName::new(host) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::of_kind(
            ErrorKind::InvalidArgument,
            format!("{host:?} cannot be the name of a host"),
        )
        .caused_by(error)),
    }
}
