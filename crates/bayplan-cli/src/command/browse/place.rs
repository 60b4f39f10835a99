//! Places in the store, and what is listed in them.

use bayplan::Labels;
use chrono::{DateTime, Utc};

/// The containers of a namespace, or its records of one kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) namespace: String,
    /// `None` are the containers.
    pub(super) kind: Option<String>,
    /// How many there are, unless that cannot be told.
    pub(super) count: Option<u64>,
}

impl Place {
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (&self.namespace, &self.kind) == (&other.namespace, &other.kind)
    }

    /// What it holds.
    pub(super) fn noun(&self) -> &str {
        self.kind.as_deref().unwrap_or("containers")
    }
}

/// A container or record in a list.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: String,
    /// The image, or the type of the value.
    pub(super) what: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) labels: Labels,
    /// Why the rest of it is not there.
    pub(super) damage: Option<String>,
}
