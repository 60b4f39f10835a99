//! The fields of containers and records, for filters.

use super::eval::Subject;
use crate::model::container::Container;
use crate::model::field::Field;
use crate::model::record::Record;

impl Subject for Container {
    fn field(&self, field: &Field) -> Option<&[u8]> {
        let text = match field {
            Field::Id => &self.id,
            Field::Image => &self.image,
            Field::RuntimeName => &self.runtime.name,
            Field::Snapshotter => &self.snapshotter,
            Field::SnapshotKey => &self.snapshot_key,
            Field::SandboxId => &self.sandbox_id,
            Field::Label(key) => self.labels.get(str::from_utf8(key).ok()?)?,
            Field::Extension(name) => &self.extensions.get(str::from_utf8(name).ok()?)?.type_url,
            Field::Type | Field::Unknown => return None,
        };
        Some(text.as_bytes())
    }
}

impl Subject for Record {
    fn field(&self, field: &Field) -> Option<&[u8]> {
        let text = match field {
            Field::Id => &self.id,
            Field::Label(key) => self.labels.get(str::from_utf8(key).ok()?)?,
            Field::Type => &self.value.type_url,
            _ => return None,
        };
        Some(text.as_bytes())
    }
}
