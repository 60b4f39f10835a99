//! What the index knows of a container: its values, by what they are values of.

use crate::filter::{Filter, Required};
use crate::model::container::{Container, ContainerHeader};
use crate::model::field::Field;
use crate::model::labels::Labels;
use crate::model::revision::Revision;

/// What a container may have a value of.
#[derive(Hash)]
pub(super) enum Topic<'a> {
    Label(&'a [u8]),
    Image,
    RuntimeName,
    Snapshotter,
    SandboxId,
}

impl<'a> Topic<'a> {
    /// The topic of a field, if the index knows it.
    pub(super) fn of(field: &'a Field) -> Option<Self> {
        match field {
            Field::Label(key) => Some(Self::Label(key)),
            Field::Image => Some(Self::Image),
            Field::RuntimeName => Some(Self::RuntimeName),
            Field::Snapshotter => Some(Self::Snapshotter),
            Field::SandboxId => Some(Self::SandboxId),
            _ => None,
        }
    }
}

/// Whether the index can narrow down what a filter lets through.
pub(super) fn is_served(filter: &Filter) -> bool {
    filter.required().any(|required| match required {
        Required::Equals(Field::Id, _) => true,
        Required::Equals(field, _) | Required::Present(field) | Required::Matches(field, _) => {
            Topic::of(field).is_some()
        }
    })
}

/// What the index is to know of a container.
pub(crate) struct Described<'a> {
    pub(super) id: &'a str,
    pub(super) revision: Revision,
    labels: &'a Labels,
    texts: [(Topic<'a>, &'a str); 4],
}

impl<'a> Described<'a> {
    /// The values that the container has.
    pub(super) fn values(self) -> impl Iterator<Item = (Topic<'a>, &'a str)> {
        let labels = self.labels.iter();
        let labels = labels.map(|(key, value)| (Topic::Label(key.as_bytes()), value.as_str()));
        let texts = self.texts.into_iter();
        labels.chain(texts.filter(|(_, value)| !value.is_empty()))
    }
}

macro_rules! described {
    ($container:ty) => {
        impl<'a> From<&'a $container> for Described<'a> {
            fn from(container: &'a $container) -> Self {
                Self {
                    id: &container.id,
                    revision: container.revision,
                    labels: &container.labels,
                    texts: [
                        (Topic::Image, &container.image),
                        (Topic::RuntimeName, &container.runtime.name),
                        (Topic::Snapshotter, &container.snapshotter),
                        (Topic::SandboxId, &container.sandbox_id),
                    ],
                }
            }
        }
    };
}

described!(Container);
described!(ContainerHeader);
