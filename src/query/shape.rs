//! The types that a record is read into.

use bytes::Bytes;

use crate::filter::{Filters, Subject};
use crate::model::any::Any;
use crate::model::container::{Container, ContainerHeader, Extensions};
use crate::model::error::Result;
use crate::model::field::Field;
use crate::model::kind::Kind;
use crate::model::labels::Labels;
use crate::model::pin::{self, Pin, PinRef, PinningFields, ResourceRef};
use crate::model::record::{Record, RecordHeader};
use crate::model::revision::Revision;
use crate::records::head::OwnRow;
use crate::records::parts::{ExtensionRef, LabelRef, Seals, to_extensions, to_labels};

/// Which rows of a record are wanted, in addition to its own row.
#[derive(Clone, Copy)]
pub(crate) struct Want {
    pub(super) labels: bool,
    pub(super) extensions: bool,
    pub(super) value: bool,
}

impl Want {
    const NOTHING: Self = Self {
        labels: false,
        extensions: false,
        value: false,
    };
    const LABELS: Self = Self {
        labels: true,
        ..Self::NOTHING
    };
    const ALL: Self = Self {
        labels: true,
        extensions: true,
        value: true,
    };
}

/// A type that a record is read into.
pub(crate) trait Shape: Sized {
    /// The rows that it needs.
    const WANT: Want;

    /// Builds it from what was read.
    fn build(loaded: Loaded<'_>) -> Result<Self>;

    /// Returns about how many bytes it holds, in addition to a few hundred.
    fn size(&self) -> usize {
        0
    }
}

/// What is wanted from the records of one kind.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) kind: &'a Kind,
    pub(super) filters: &'a Filters,
    /// The extensions to include in a header.
    pub(super) extensions: &'a [String],
    /// If given, only records that say that something holds this resource.
    pub(super) pinning: Option<ResourceRef<'a>>,
    /// If given, only records of higher revisions.
    pub(super) changed_after: Option<Revision>,
}

/// What was read from a record, verified. What the shape does not want is empty.
pub(crate) struct Loaded<'a> {
    pub(super) kind: &'a Kind,
    pub(super) id: &'a str,
    pub(super) row: &'a OwnRow<'a>,
    pub(super) labels: &'a [LabelRef<'a>],
    pub(super) extensions: &'a [ExtensionRef<'a>],
    /// The extensions to include in a header.
    pub(super) named: &'a [String],
    pub(super) value: Bytes,
}

impl Shape for ContainerHeader {
    const WANT: Want = Want::LABELS;

    fn build(loaded: Loaded<'_>) -> Result<Self> {
        let (id, labels) = (loaded.id.to_owned(), to_labels(loaded.labels));
        let mut header = loaded.row.to_header(id, labels)?;
        for (name, any) in loaded.extensions {
            if loaded.named.iter().any(|named| named == name) {
                header.extensions.insert((*name).to_owned(), any.to_any());
            }
        }
        Ok(header)
    }

    fn size(&self) -> usize {
        bytes_of(&self.labels, &self.extensions)
    }
}

impl Shape for Container {
    const WANT: Want = Want::ALL;

    fn build(loaded: Loaded<'_>) -> Result<Self> {
        let (id, labels) = (loaded.id.to_owned(), to_labels(loaded.labels));
        let header = loaded.row.to_header(id, labels)?;
        let spec = Any::shared(loaded.row.head.type_url, loaded.value);
        Ok(Self::of_parts(
            header,
            Some(spec),
            to_extensions(loaded.extensions),
        ))
    }

    fn size(&self) -> usize {
        let spec = self.spec.as_ref().map_or(0, |any| any.value.len());
        spec + bytes_of(&self.labels, &self.extensions)
    }
}

impl Shape for Record {
    const WANT: Want = Want::ALL;

    fn build(loaded: Loaded<'_>) -> Result<Self> {
        let head = &loaded.row.head;
        Ok(Self {
            value: Any::shared(head.type_url, loaded.value),
            id: loaded.id.to_owned(),
            labels: to_labels(loaded.labels),
            created_at: head.created_at()?,
            updated_at: head.updated_at()?,
            revision: head.revision(),
        })
    }

    fn size(&self) -> usize {
        self.value.value.len() + bytes_of(&self.labels, &Extensions::new())
    }
}

impl Shape for RecordHeader {
    const WANT: Want = Want::LABELS;

    fn build(loaded: Loaded<'_>) -> Result<Self> {
        let head = &loaded.row.head;
        Ok(Self {
            id: loaded.id.to_owned(),
            labels: to_labels(loaded.labels),
            type_url: head.type_url.to_owned(),
            created_at: head.created_at()?,
            updated_at: head.updated_at()?,
            revision: head.revision(),
        })
    }

    fn size(&self) -> usize {
        bytes_of(&self.labels, &Extensions::new())
    }
}

/// The pins of a record.
impl Shape for Vec<Pin> {
    const WANT: Want = Want::LABELS;

    fn build(loaded: Loaded<'_>) -> Result<Self> {
        let pins = pins(loaded.kind, loaded.id, loaded.row, loaded.labels);
        Ok(pins.map(Pin::from).collect())
    }

    fn size(&self) -> usize {
        self.len() * PIN_BYTES
    }
}

/// About how many bytes one pin holds.
const PIN_BYTES: usize = 256;

/// Iterates over the pins of a record.
pub(super) fn pins<'a>(
    kind: &'a Kind,
    id: &'a str,
    row: &OwnRow<'a>,
    labels: &'a [LabelRef<'a>],
) -> impl Iterator<Item = PinRef<'a>> {
    let fields = row.fields_if_any().map(|fields| PinningFields {
        image: fields.image,
        snapshotter: fields.snapshotter,
        snapshot_key: fields.snapshot_key,
    });
    pin::pins(kind, id, fields.unwrap_or_default(), labels.iter().copied())
}

/// About how many bytes labels and extensions hold.
fn bytes_of(labels: &Labels, extensions: &Extensions) -> usize {
    let labels = labels.iter().map(|(key, value)| key.len() + value.len());
    let extensions = extensions
        .iter()
        .map(|(name, any)| name.len() + any.value.len());
    labels.sum::<usize>() + extensions.sum::<usize>()
}

/// A record, and what else its own row says.
pub(crate) struct WithHead<T> {
    pub(crate) item: T,
    /// The revision at which it was created.
    pub(crate) created: Revision,
    /// Which rows it has.
    pub(crate) seals: Seals,
}

impl<T: Shape> Shape for WithHead<T> {
    const WANT: Want = T::WANT;

    fn build(loaded: Loaded<'_>) -> Result<Self> {
        let (created, seals) = (loaded.row.head.created()?, loaded.row.head.seals);
        T::build(loaded).map(|item| Self {
            item,
            created,
            seals,
        })
    }
}

/// The id of a record, and its revisions.
pub(crate) struct Moment {
    pub(crate) id: String,
    pub(crate) revision: Revision,
    /// The revision at which it was created.
    pub(crate) created: Revision,
}

impl Shape for Moment {
    const WANT: Want = Want::NOTHING;

    fn build(loaded: Loaded<'_>) -> Result<Self> {
        let head = &loaded.row.head;
        Ok(Self {
            id: loaded.id.to_owned(),
            revision: head.revision(),
            created: head.created()?,
        })
    }
}

/// The id of a record.
impl Shape for String {
    const WANT: Want = Want::NOTHING;

    fn build(loaded: Loaded<'_>) -> Result<Self> {
        Ok(loaded.id.to_owned())
    }
}

/// Only whether the record exists.
impl Shape for () {
    const WANT: Want = Want::NOTHING;

    fn build(_: Loaded<'_>) -> Result<Self> {
        Ok(())
    }
}

/// What a filter sees of a record, in the file's own bytes.
pub(super) struct View<'a> {
    pub(super) id: &'a str,
    pub(super) row: &'a OwnRow<'a>,
    pub(super) labels: &'a [LabelRef<'a>],
    pub(super) extensions: &'a [ExtensionRef<'a>],
}

impl Subject for View<'_> {
    fn field(&self, field: &Field) -> Option<&[u8]> {
        let container = self.row.fields_if_any();
        let text = match field {
            Field::Id => self.id,
            Field::Label(key) => find(self.labels, key)?,
            Field::Type if container.is_none() => self.row.head.type_url,
            Field::Type | Field::Unknown => return None,
            Field::Image => container?.image,
            Field::RuntimeName => container?.runtime_name,
            Field::Snapshotter => container?.snapshotter,
            Field::SnapshotKey => container?.snapshot_key,
            Field::SandboxId => container?.sandbox_id,
            Field::Extension(name) => find(self.extensions, name)?.type_url,
        };
        Some(text.as_bytes())
    }
}

fn find<V: Copy>(entries: &[(&str, V)], key: &[u8]) -> Option<V> {
    let at = entries
        .binary_search_by_key(&key, |(key, _)| key.as_bytes())
        .ok()?;
    entries.get(at).map(|(_, value)| *value)
}
