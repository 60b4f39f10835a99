//! What containers and records of other kinds have in common, for the code that stores them.

use chrono::{DateTime, Utc};

use crate::model::any::Any;
use crate::model::container::{Container, Extensions};
use crate::model::error::{Error, Result};
use crate::model::identifier::ContainerId;
use crate::model::kind::RecordId;
use crate::model::labels::Labels;
use crate::model::policy::Policy;
use crate::model::record::Record;
use crate::model::revision::Revision;
use crate::query::Shape;
use crate::records::head::OwnRow;
use crate::records::keys::RecordKey;
use crate::records::parts::Seals;

/// Something that is stored under an id.
pub(crate) trait Entity: Shape + Clone {
    /// The plural noun for them.
    const NOUNS: &'static str;

    /// Parses an id.
    fn parsed_id(id: &str) -> Result<RecordId>;

    fn id(&self) -> &str;

    fn revision(&self) -> Revision;

    /// Returns when it was created and last updated.
    fn times(&self) -> (DateTime<Utc>, DateTime<Utc>);

    /// Sets its times and its revision.
    fn stamp(&mut self, times: (DateTime<Utc>, DateTime<Utc>), revision: Revision);

    /// Returns the item as the store would keep it, apart from its times and revision: checked against every rule for a
    /// single item.
    fn settled(self, policy: Policy) -> Result<Self>;

    /// Returns the item, if a store in which every revision is below `revisions_below` could hold it.
    fn check_stored(self, policy: Policy, revisions_below: Revision) -> Result<Self> {
        let (created_at, updated_at) = self.times();
        check_moment(self.revision(), created_at, updated_at, revisions_below)?;
        let count = self.labels().len();
        let settled = self
            .settled(policy)
            .map_err(|error| error.prefixed(&format!("it breaks a rule of {}", Self::NOUNS)))?;
        if settled.labels().len() != count {
            return Err(Error::invalid("it has a label with an empty value"));
        }
        Ok(settled)
    }

    /// Returns its own row, sealed, for an item created at this revision.
    fn own_row(&self, key: &RecordKey, created: Revision, seals: Seals) -> Result<Vec<u8>>;

    fn labels(&self) -> &Labels;

    /// Returns its extensions, if it can have any.
    fn extensions(&self) -> Option<&Extensions>;

    /// Returns its spec or value.
    fn value(&self) -> Result<&Any>;
}

impl Entity for Container {
    const NOUNS: &'static str = "containers";

    fn parsed_id(id: &str) -> Result<RecordId> {
        ContainerId::new(id).map(RecordId::from)
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn revision(&self) -> Revision {
        self.revision
    }

    fn times(&self) -> (DateTime<Utc>, DateTime<Utc>) {
        (self.created_at, self.updated_at)
    }

    fn stamp(&mut self, times: (DateTime<Utc>, DateTime<Utc>), revision: Revision) {
        (self.created_at, self.updated_at) = times;
        self.revision = revision;
    }

    fn settled(self, policy: Policy) -> Result<Self> {
        self.settled(policy)
    }

    fn own_row(&self, key: &RecordKey, created: Revision, seals: Seals) -> Result<Vec<u8>> {
        OwnRow::of_container(self, created, seals).seal(key.own())
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn extensions(&self) -> Option<&Extensions> {
        Some(&self.extensions)
    }

    fn value(&self) -> Result<&Any> {
        let spec = self.spec.as_ref();
        spec.ok_or_else(|| Error::invalid("the container has no spec"))
    }
}

impl Entity for Record {
    const NOUNS: &'static str = "records";

    fn parsed_id(id: &str) -> Result<RecordId> {
        RecordId::new(id)
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn revision(&self) -> Revision {
        self.revision
    }

    fn times(&self) -> (DateTime<Utc>, DateTime<Utc>) {
        (self.created_at, self.updated_at)
    }

    fn stamp(&mut self, times: (DateTime<Utc>, DateTime<Utc>), revision: Revision) {
        (self.created_at, self.updated_at) = times;
        self.revision = revision;
    }

    fn settled(self, policy: Policy) -> Result<Self> {
        self.settled(policy)
    }

    fn own_row(&self, key: &RecordKey, created: Revision, seals: Seals) -> Result<Vec<u8>> {
        OwnRow::of_record(self, created, seals).seal(key.own())
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn extensions(&self) -> Option<&Extensions> {
        None
    }

    fn value(&self) -> Result<&Any> {
        Ok(&self.value)
    }
}

/// Checks that a store whose revisions are all below `revisions_below` could have written these times and revisions.
fn check_moment(
    revision: Revision,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    revisions_below: Revision,
) -> Result<()> {
    if revision == Revision::NONE || revision >= revisions_below {
        return Err(Error::invalid(format!(
            "its revision {revision} was never handed out: they are below {revisions_below}"
        )));
    }
    if updated_at < created_at {
        return Err(Error::invalid("it was updated before it was created"));
    }
    Ok(())
}
