//! The full name of a record.

use crate::model::identifier::{ContainerId, NamespaceName};
use crate::model::kind::{Kind, RecordId};
use crate::records::keys::{RecordKey, Row};

/// A container or record, by its namespace, kind and id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordName {
    pub(crate) namespace: NamespaceName,
    pub(crate) kind: Kind,
    pub(crate) id: RecordId,
}

impl RecordName {
    /// Reads the name at the beginning of a key of the table `records`; `None` if no record can have it.
    pub(crate) fn of_row(row: &Row<'_>) -> Option<Self> {
        let text = |bytes| std::str::from_utf8(bytes).ok();
        let kind = Kind::stored(text(row.kind)?).ok()?;
        let id = text(row.id)?;
        let id = match kind.is_containers() {
            true => ContainerId::new(id).ok()?.into(),
            false => RecordId::new(id).ok()?,
        };
        Some(Self {
            namespace: NamespaceName::new(text(row.namespace)?).ok()?,
            kind,
            id,
        })
    }

    pub(crate) fn key(&self) -> RecordKey {
        RecordKey::new(&self.namespace, &self.kind, &self.id)
    }
}
