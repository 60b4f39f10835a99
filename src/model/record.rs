//! A record of a kind other than containers: an image, a sandbox, a lease, state of the host.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::any::Any;
use crate::model::error::Result;
use crate::model::kind::RecordId;
use crate::model::labels::{self, Labels};
use crate::model::policy::Policy;
use crate::model::revision::Revision;

/// Anything else that a host keeps, in a collection by its kind: an image, a sandbox, a lease.
///
/// A record has an id, labels and a value that the store does not interpret. A container and records of
/// different kinds may have the same id; they are independent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Record {
    /// Identifies the record in its namespace and kind: a [`RecordId`] when stored. Required, immutable.
    pub id: String,
    /// Free metadata to find records by. Optional, mutable.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// The content of the record. Required, mutable; it may be empty.
    pub value: Any,
    /// When the record was created, in UTC to the nanosecond. Set by the store.
    #[serde(default)]
    pub created_at: DateTime<Utc>,
    /// When the record was last updated. Every update sets a strictly later time.
    #[serde(default)]
    pub updated_at: DateTime<Utc>,
    /// Identifies this state of the record. Set by the store.
    #[serde(default)]
    pub revision: Revision,
}

/// A record without its value: what a listing needs. The fields have the same meaning as in [`Record`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordHeader {
    /// See [`Record::id`].
    pub id: String,
    /// See [`Record::labels`].
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// The type of the value; see [`Record::value`].
    pub type_url: String,
    /// See [`Record::created_at`].
    pub created_at: DateTime<Utc>,
    /// See [`Record::updated_at`].
    pub updated_at: DateTime<Utc>,
    /// See [`Record::revision`].
    pub revision: Revision,
}

impl From<Record> for RecordHeader {
    fn from(record: Record) -> Self {
        Self {
            id: record.id,
            labels: record.labels,
            type_url: record.value.type_url,
            created_at: record.created_at,
            updated_at: record.updated_at,
            revision: record.revision,
        }
    }
}

impl Record {
    /// Creates a record with the required fields.
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{Any, Record};
    ///
    /// let image = Record::new("docker.io/library/nginx:1.29", Any::new("example.com/Image", b"{}"))
    ///     .label("arch", "amd64");
    /// assert_eq!(image.labels["arch"], "amd64");
    /// ```
    #[must_use]
    pub fn new(id: impl Into<String>, value: Any) -> Self {
        Self {
            id: id.into(),
            labels: Labels::new(),
            value,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
            revision: Revision::NONE,
        }
    }

    /// Adds a label, or replaces its value.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// Adds labels, or replaces their values.
    #[must_use]
    pub fn labels<K: Into<String>, V: Into<String>>(
        mut self,
        labels: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let owned = |(key, value): (K, V)| (key.into(), value.into());
        self.labels.extend(labels.into_iter().map(owned));
        self
    }

    /// Creates a record with only an id, to carry the fields of an update whose mask names them.
    #[must_use]
    pub fn with_id(id: impl Into<String>) -> Self {
        Self::new(id, Any::default())
    }

    /// Returns the record as the store would keep it, apart from its times and revision.
    pub(crate) fn settled(mut self, policy: Policy) -> Result<Self> {
        RecordId::new(self.id.as_str())?;
        self.labels = labels::settle(self.labels, policy)?;
        self.value.check("the value")?;
        Ok(self)
    }
}
