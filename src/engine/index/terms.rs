//! Terms: what containers may have, and filters may require, that the index knows.

use crate::container::{Container, ContainerHeader};
use crate::field::Field;
use crate::filter::{Filter, Required};
use crate::labels::Labels;
use crate::revision::Revision;

/// Something that containers may have.
#[derive(Hash)]
pub(super) enum Term<'a> {
    Label(&'a [u8]),
    LabelIs(&'a [u8], &'a [u8]),
    Image(&'a [u8]),
    RuntimeName(&'a [u8]),
    Snapshotter(&'a [u8]),
    SandboxId(&'a [u8]),
}

pub(super) fn term_of(required: Required<'_>) -> Option<Term<'_>> {
    match required {
        Required::Equals(Field::Label(key), value) => Some(Term::LabelIs(key, value)),
        Required::Present(Field::Label(key)) => Some(Term::Label(key)),
        Required::Equals(Field::Image, value) => Some(Term::Image(value)),
        Required::Equals(Field::RuntimeName, value) => Some(Term::RuntimeName(value)),
        Required::Equals(Field::Snapshotter, value) => Some(Term::Snapshotter(value)),
        Required::Equals(Field::SandboxId, value) => Some(Term::SandboxId(value)),
        _ => None,
    }
}

/// Whether the index can narrow down what a filter lets through.
pub(super) fn is_served(filter: &Filter) -> bool {
    filter.required().any(|required| {
        matches!(required, Required::Equals(Field::Id, _)) || term_of(required).is_some()
    })
}

/// What the index is to know of a container.
pub(crate) struct Described<'a> {
    pub(super) id: &'a str,
    pub(super) revision: Revision,
    labels: &'a Labels,
    texts: [Term<'a>; 4],
}

impl<'a> Described<'a> {
    pub(super) fn terms(self) -> impl Iterator<Item = Term<'a>> {
        let labels = self.labels.iter().flat_map(|(key, value)| {
            let key = key.as_bytes();
            [Term::Label(key), Term::LabelIs(key, value.as_bytes())]
        });
        labels.chain(self.texts)
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
                        Term::Image(container.image.as_bytes()),
                        Term::RuntimeName(container.runtime.name.as_bytes()),
                        Term::Snapshotter(container.snapshotter.as_bytes()),
                        Term::SandboxId(container.sandbox_id.as_bytes()),
                    ],
                }
            }
        }
    };
}

described!(Container);
described!(ContainerHeader);
