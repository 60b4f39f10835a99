//! The lines of a dump.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::container::Container;
use crate::model::identifier::NamespaceName;
use crate::model::info::StoreId;
use crate::model::labels::Labels;
use crate::model::policy::{Policy, Rules};
use crate::model::record::Record;
use crate::model::revision::Revision;

/// The version of the dump that this library writes.
pub(crate) const DUMP_VERSION: u32 = 2;

/// The part of the first line that every version of the dump has.
#[derive(Deserialize)]
pub(super) struct Version {
    pub(super) bayplan_dump: u32,
}

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    pub(super) bayplan_dump: u32,
    pub(super) store: StoreLine,
    /// The namespace, if the dump holds only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) only_namespace: Option<NamespaceName>,
}

/// The properties of a store, without its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoreLine {
    pub(crate) id: StoreId,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) rules: Rules,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) keep_empty_labels: bool,
    pub(crate) revisions_below: Revision,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl StoreLine {
    /// Returns the policy with which the store is created.
    pub(crate) fn policy(&self) -> Policy {
        Policy {
            rules: self.rules,
            keep_empty_labels: self.keep_empty_labels,
        }
    }
}

/// The line of a namespace.
#[derive(Serialize)]
pub(super) struct NamespaceLine<'a> {
    pub(super) namespace: &'a NamespaceName,
    pub(super) labels: &'a Labels,
}

/// The line of a container.
#[derive(Serialize)]
pub(super) struct ContainerLine<'a> {
    pub(super) namespace: &'a NamespaceName,
    pub(super) container: &'a Container,
}

/// The line of a record of another kind.
#[derive(Serialize)]
pub(super) struct RecordLine<'a> {
    pub(super) namespace: &'a NamespaceName,
    pub(super) kind: &'a str,
    pub(super) record: &'a Record,
}

/// The last line.
#[derive(Serialize)]
pub(super) struct EndLine {
    pub(super) end: End,
}

/// The counts that the reader must arrive at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    pub(super) namespaces: u64,
    pub(super) containers: u64,
    #[serde(default)]
    pub(super) records: u64,
    /// Absent in a dump that was edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) crc32: Option<String>,
}

/// Any line after the first.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    #[serde(default)]
    pub(super) namespace: Option<NamespaceName>,
    #[serde(default)]
    pub(super) labels: Option<Labels>,
    #[serde(default)]
    pub(super) container: Option<Box<Container>>,
    #[serde(default)]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) record: Option<Box<Record>>,
    #[serde(default)]
    pub(super) end: Option<End>,
}

/// Formats a checksum for the last line.
pub(super) fn checksum_text(checksum: u32) -> String {
    format!("{checksum:08x}")
}
