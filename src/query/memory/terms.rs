//! The values by which filters find records without looking at each: their labels, images, runtimes, ...
//!
//! A term is a value, the topic that it belongs to, and the key of a record that has it. Terms are kept as 64-bit
//! hashes with a random key. If two collide, a filter gets an extra candidate, which then does not match.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use super::kept::KeptRecord;
use crate::filter::Required;
use crate::model::error::{Error, Result};
use crate::model::field::Field;
use crate::model::kind::Kind;
use crate::model::pin::ResourceRef;
use crate::query::shape::pins;
use crate::query::tree::{Iter, Tree};
use crate::records::head::OwnRow;
use crate::records::keys;
use crate::records::parts::LabelRef;

/// The memory of one term, with its share of the tree's nodes.
pub(super) const TERM_BYTES: usize = 48;

/// A value that a record has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Term {
    /// The topic of the value, in one namespace and for one kind of records.
    topic: u64,
    value: u64,
    key: Arc<[u8]>,
}

#[cfg(test)]
impl Term {
    /// Makes a term for tests: a greater number is a greater term.
    pub(super) fn numbered(number: usize) -> Self {
        Self {
            topic: number as u64,
            value: 0,
            key: Arc::from([]),
        }
    }
}

/// A topic: what records may have a value of.
#[derive(Hash)]
pub(super) enum Topic<'a> {
    Label(&'a [u8]),
    Image,
    RuntimeName,
    Snapshotter,
    SandboxId,
    Type,
    /// What is held, as the record says. The field `image` has its own topic.
    Held,
    /// The topic of damaged records: any of them might match, whatever is sought.
    Damaged,
}

impl<'a> Topic<'a> {
    /// Returns the topic of a field, if there are terms for it.
    fn of(field: &'a Field) -> Option<Self> {
        match field {
            Field::Label(key) => Some(Self::Label(key)),
            Field::Image => Some(Self::Image),
            Field::RuntimeName => Some(Self::RuntimeName),
            Field::Snapshotter => Some(Self::Snapshotter),
            Field::SandboxId => Some(Self::SandboxId),
            Field::Type => Some(Self::Type),
            Field::Id | Field::SnapshotKey | Field::Extension(_) | Field::Unknown => None,
        }
    }
}

/// Terms that records must have to match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sought {
    topic: u64,
    /// `None` for any value.
    value: Option<u64>,
}

/// Turns values into terms.
#[derive(Clone)]
pub(super) struct Hashing(RandomState);

impl Hashing {
    pub(super) fn new() -> Self {
        Self(RandomState::new())
    }

    fn topic(&self, prefix: &[u8], topic: &Topic<'_>) -> u64 {
        let mut hasher = self.0.build_hasher();
        prefix.hash(&mut hasher);
        topic.hash(&mut hasher);
        hasher.finish()
    }

    /// Returns what to look for, if there are terms for the requirement. It applies to the records whose keys begin
    /// with `prefix`.
    pub(super) fn sought(&self, prefix: &[u8], required: Required<'_>) -> Option<Sought> {
        let (field, value) = match required {
            Required::Equals(field, value) => (field, Some(self.0.hash_one(value))),
            Required::Present(field) | Required::Matches(field, _) => (field, None),
        };
        let topic = self.topic(prefix, &Topic::of(field)?);
        Some(Sought { topic, value })
    }

    /// Returns what finds the damaged records whose keys begin with `prefix`.
    pub(super) fn damaged(&self, prefix: &[u8]) -> Sought {
        Sought {
            topic: self.topic(prefix, &Topic::Damaged),
            value: Some(0),
        }
    }

    /// Returns what finds the records whose keys begin with `prefix` and that say that this is held.
    pub(super) fn held(&self, prefix: &[u8], held: ResourceRef<'_>) -> Vec<Sought> {
        let mut sought = vec![Sought {
            topic: self.topic(prefix, &Topic::Held),
            value: Some(self.0.hash_one(held)),
        }];
        if let ResourceRef::Image(name) = held {
            sought.push(Sought {
                topic: self.topic(prefix, &Topic::Image),
                value: Some(self.0.hash_one(name.as_bytes())),
            });
        }
        sought
    }

    /// Returns the terms of a record, in order.
    pub(super) fn terms(&self, kept: &KeptRecord) -> Result<Vec<Term>> {
        let key = kept.key();
        let prefix = keys::before_id(key);
        if kept.is_damaged() {
            let topic = self.topic(prefix, &Topic::Damaged);
            let (value, key) = (0, Arc::clone(key));
            return Ok(vec![Term { topic, value, key }]);
        }
        let kind = Kind::stored(&String::from_utf8_lossy(keys::kind_of(key)))?;
        let Some((row, all_labels)) = kept.fields(&kind)? else {
            return Ok(Vec::new());
        };
        let id = str::from_utf8(keys::id_of(key))
            .map_err(|error| Error::corrupt("the id is not UTF-8").caused_by(error))?;
        let held = pins(&kind, id, &row, &all_labels)
            .filter(|pin| !pin.is_of_image_field())
            .map(|pin| Term {
                topic: self.topic(prefix, &Topic::Held),
                value: self.0.hash_one(pin.held),
                key: Arc::clone(key),
            });
        let labels = all_labels
            .iter()
            .map(|(key, value)| (Topic::Label(key.as_bytes()), *value));
        let mut terms: Vec<Term> = labels
            .chain(indexed(&row))
            .map(|(topic, value)| Term {
                topic: self.topic(prefix, &topic),
                value: self.0.hash_one(value.as_bytes()),
                key: Arc::clone(key),
            })
            .chain(held)
            .collect();
        terms.sort_unstable();
        // Several labels may name the same thing.
        terms.dedup();
        Ok(terms)
    }
}

impl Sought {
    /// Iterates over the keys of the records that have this. If one value is sought, they are in order, from `start`
    /// on.
    pub(super) fn found<'t>(
        self,
        terms: &'t Tree<Term>,
        start: &[u8],
    ) -> impl Iterator<Item = &'t Arc<[u8]>> + use<'t> {
        let from: Iter<'_, Term> = match self.value {
            Some(value) => terms.starting_at(|term| {
                (term.topic, term.value, &*term.key) < (self.topic, value, start)
            }),
            None => terms.starting_at(|term| term.topic < self.topic),
        };
        from.take_while(move |term| {
            term.topic == self.topic && self.value.is_none_or(|value| value == term.value)
        })
        .map(|term| &term.key)
    }

    /// Iterates over the existing values of what is sought, each with the key of one record that has it.
    pub(super) fn values(self, terms: &Tree<Term>) -> impl Iterator<Item = (Self, &Arc<[u8]>)> {
        let mut next = Some(0);
        std::iter::from_fn(move || {
            let value = next?;
            let mut from = terms.starting_at(|term| (term.topic, term.value) < (self.topic, value));
            let term = from.next().filter(|term| term.topic == self.topic)?;
            next = term.value.checked_add(1);
            let value = Some(term.value);
            Some((Self { value, ..self }, &term.key))
        })
    }

    /// Whether one value is sought, so that the results are in order.
    pub(super) fn is_one_value(self) -> bool {
        self.value.is_some()
    }
}

/// Returns about how many terms a record has. A term that several labels name is counted for each.
pub(super) fn count(kind: &Kind, id: &str, row: &OwnRow<'_>, labels: &[LabelRef<'_>]) -> usize {
    let held = pins(kind, id, row, labels).filter(|pin| !pin.is_of_image_field());
    labels.len() + indexed(row).count() + held.count()
}

/// Iterates over the single fields of a record that have terms, with their values.
fn indexed<'a>(row: &OwnRow<'a>) -> impl Iterator<Item = (Topic<'a>, &'a str)> + use<'a> {
    let texts = match row.fields_if_any() {
        Some(fields) => [
            Some((Topic::Image, fields.image)),
            Some((Topic::RuntimeName, fields.runtime_name)),
            Some((Topic::Snapshotter, fields.snapshotter)),
            Some((Topic::SandboxId, fields.sandbox_id)),
        ],
        None => [Some((Topic::Type, row.head.type_url)), None, None, None],
    };
    let texts = texts.into_iter().flatten();
    texts.filter(|(_, value)| !value.is_empty())
}
