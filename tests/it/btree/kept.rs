//! What the store over a map needs to know of containers and of records.

use std::fmt::Debug;

use bayplan::{
    Container, ContainerId, Extensions, FieldMask, Record, RecordId, Result, Revision, Stored,
};
use chrono::{DateTime, Utc};

use super::fault::Fault;
use super::{BTreeStore, Entries, Space};

type Times = (DateTime<Utc>, DateTime<Utc>);

/// A container, or a record of another kind.
#[expect(private_interfaces, reason = "a space is nobody else's")]
pub(crate) trait Kept: Stored + PartialEq + Debug {
    fn entries<'s>(space: &'s Space, kind: &str) -> Option<&'s Entries<Self>>;
    fn entries_mut<'s>(space: &'s mut Space, kind: &str) -> &'s mut Entries<Self>;
    fn check_id(id: &str) -> Result<()>;
    fn times(&self) -> Times;
    fn stamp(&mut self, times: Times, revision: Revision);

    fn own_extensions(&self) -> Extensions {
        Extensions::new()
    }

    fn extend_extensions(&mut self, _: Extensions) {}

    /// Drops the fields that a fault hides from filters.
    fn lose_fields(&mut self, fault: Fault);

    /// Loses what a fault keeps filters from seeing.
    fn as_filters_see(&mut self, fault: Fault) {
        self.lose_fields(fault);
        let labels = self.labels_mut();
        match fault {
            Fault::FiltersMissDottedLabels => labels.retain(|key, _| !key.contains('.')),
            Fault::FiltersMissOddLabels => labels.retain(|key, _| key.is_ascii()),
            Fault::FiltersFoldCase => {
                let values = labels.values_mut();
                values.for_each(|value| *value = value.to_lowercase());
            }
            _ => {}
        }
    }

    /// The item as it would be stored, if it may be.
    fn settled(self, store: &BTreeStore, is_update: bool) -> Result<Self>;

    /// Takes from the input what an update takes.
    fn take(&mut self, store: &BTreeStore, input: &Self, mask: &FieldMask) -> Result<()>;
}

#[expect(private_interfaces, reason = "a space is nobody else's")]
impl Kept for Container {
    fn entries<'s>(space: &'s Space, _: &str) -> Option<&'s Entries<Self>> {
        Some(&space.containers)
    }

    fn entries_mut<'s>(space: &'s mut Space, _: &str) -> &'s mut Entries<Self> {
        &mut space.containers
    }

    fn check_id(id: &str) -> Result<()> {
        ContainerId::new(id).map(|_| ())
    }

    fn times(&self) -> Times {
        (self.created_at, self.updated_at)
    }

    fn stamp(&mut self, times: Times, revision: Revision) {
        (self.created_at, self.updated_at) = times;
        self.revision = revision;
    }

    fn own_extensions(&self) -> Extensions {
        self.extensions.clone()
    }

    fn extend_extensions(&mut self, extensions: Extensions) {
        self.extensions.extend(extensions);
    }

    fn lose_fields(&mut self, fault: Fault) {
        match fault {
            Fault::FiltersMissTheSandbox => self.sandbox_id.clear(),
            Fault::FiltersMissTheRuntime => self.runtime.name.clear(),
            Fault::FiltersMissExtensions => self.extensions.clear(),
            _ => {}
        }
    }

    fn settled(self, store: &BTreeStore, is_update: bool) -> Result<Self> {
        store.settled_container(self, is_update)
    }

    fn take(&mut self, store: &BTreeStore, input: &Self, mask: &FieldMask) -> Result<()> {
        store.apply_to_container(self, input, mask)
    }
}

#[expect(private_interfaces, reason = "a space is nobody else's")]
impl Kept for Record {
    fn entries<'s>(space: &'s Space, kind: &str) -> Option<&'s Entries<Self>> {
        space.records.get(kind)
    }

    fn entries_mut<'s>(space: &'s mut Space, kind: &str) -> &'s mut Entries<Self> {
        space.records.entry(kind.to_owned()).or_default()
    }

    fn check_id(id: &str) -> Result<()> {
        RecordId::new(id).map(|_| ())
    }

    fn times(&self) -> Times {
        (self.created_at, self.updated_at)
    }

    fn stamp(&mut self, times: Times, revision: Revision) {
        (self.created_at, self.updated_at) = times;
        self.revision = revision;
    }

    fn lose_fields(&mut self, fault: Fault) {
        if fault == Fault::FiltersMissTheType {
            self.value.type_url.clear();
        }
    }

    fn settled(self, store: &BTreeStore, _: bool) -> Result<Self> {
        store.settled_record(self)
    }

    fn take(&mut self, store: &BTreeStore, input: &Self, mask: &FieldMask) -> Result<()> {
        store.apply_to_record(self, input, mask)
    }
}
