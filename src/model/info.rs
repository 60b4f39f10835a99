//! Information about a store.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, Serializer};

use crate::model::error::Error;
use crate::model::policy::{Rules, Share};

/// Identifies a store: a random UUID, chosen at its creation.
///
/// ```
/// use bayplan::{Db, StoreId};
///
/// # fn main() -> bayplan::Result<()> {
/// let id = Db::in_memory()?.info().id;
/// assert_eq!(id.to_string().parse::<StoreId>()?, id);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StoreId([u8; 16]);

impl StoreId {
    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(crate) fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl FromStr for StoreId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        uuid::Uuid::parse_str(text)
            .map(|uuid| Self(uuid.into_bytes()))
            .map_err(|error| Error::invalid(format!("{text:?} is not a UUID")).caused_by(error))
    }
}

impl TryFrom<String> for StoreId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<StoreId> for String {
    fn from(id: StoreId) -> String {
        id.to_string()
    }
}

fn lossy<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref()
        .map(|path| path.to_string_lossy())
        .serialize(serializer)
}

/// Information about a store; see [`Db::info`](crate::Db::info).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StoreInfo {
    /// The id of the store.
    pub id: StoreId,
    /// The history that the revisions belong to: a random number, drawn anew for each file that is made by creating,
    /// backing up, restoring, loading or salvaging a store. It survives reopening, crashes and compaction. A
    /// [`Position`](crate::Position) in the change feed is valid only within its history.
    pub history: u64,
    /// When the store was created.
    pub created_at: DateTime<Utc>,
    /// The version of the file's layout.
    pub format_version: u32,
    /// The rules that apply to this handle.
    pub rules: Rules,
    /// Whether labels with an empty value are kept; see
    /// [`Builder::keep_empty_labels`](crate::Builder::keep_empty_labels).
    pub keep_empty_labels: bool,
    /// Which processes may have the store open at the same time.
    pub share: Share,
    /// The path of the file; `None` for a store in memory. JSON shows it with anything that is not UTF-8 replaced.
    #[serde(serialize_with = "lossy")]
    pub path: Option<PathBuf>,
    /// Whether the store is open for reading only.
    pub read_only: bool,
    /// Whether the checksum of every page was verified, at opening or since. False if another process may write the
    /// file. If opening did not verify the pages, a check, a dump, a backup or statistics do, as does a repair after a
    /// crash; and so do reads, once they have met every page.
    pub pages_verified: bool,
}
