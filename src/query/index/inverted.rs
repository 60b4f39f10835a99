//! The inverted index itself: the containers that have a value, by the value.

use std::collections::HashMap;
use std::sync::Arc;

use super::postings::Postings;
use super::{Change, Value};
use crate::model::identifier::NamespaceName;

/// What one container takes beside its names and its values, in bytes, about.
const SLOT_BYTES: usize = 160;

/// What one value of one container takes, in bytes, about: its places in the tables.
const VALUE_BYTES: usize = 64;

/// What a value takes that no other container has, in bytes, about, beside its text.
const DISTINCT_BYTES: usize = 96;

type Name = (NamespaceName, String);

/// Which containers have which values.
#[derive(Default)]
pub(super) struct Inverted {
    topics: HashMap<u64, Topic>,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    by_name: HashMap<Arc<Name>, u32>,
    bytes: usize,
}

/// The containers that have a value of one topic, all together and by the value.
struct Topic {
    all: Postings,
    by_value: HashMap<Arc<str>, Postings>,
}

struct Slot {
    name: Arc<Name>,
    values: Vec<Value>,
}

impl Inverted {
    /// How many containers there are.
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// How much memory they take, about, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The containers that have any value of a topic.
    pub(super) fn of_topic(&self, topic: u64) -> Option<&Postings> {
        self.topics.get(&topic).map(|topic| &topic.all)
    }

    /// The containers that have this value of a topic.
    pub(super) fn of_value(&self, topic: u64, value: &str) -> Option<&Postings> {
        self.topics.get(&topic)?.by_value.get(value)
    }

    /// The containers that have a value of a topic that passes, by value.
    pub(super) fn of_passing(&self, topic: u64, pass: impl Fn(&str) -> bool) -> Vec<&Postings> {
        let by_value = self
            .topics
            .get(&topic)
            .into_iter()
            .flat_map(|topic| &topic.by_value);
        by_value
            .filter(|(value, _)| pass(value))
            .map(|(_, postings)| postings)
            .collect()
    }

    /// The id of a container.
    pub(super) fn id(&self, number: u32) -> Option<&str> {
        let slot = self.slots.get(usize::try_from(number).ok()?)?;
        slot.as_ref().map(|slot| slot.name.1.as_str())
    }

    /// Takes a container as it is now. False if there are more than can be numbered.
    pub(super) fn apply(&mut self, change: &Change) -> bool {
        let name = (change.namespace.clone(), change.id.clone());
        self.remove(&name);
        if change.revision.is_none() {
            return true;
        }
        let Some(number) = self
            .free
            .pop()
            .or_else(|| u32::try_from(self.slots.len()).ok())
        else {
            return false;
        };
        let values = change
            .values
            .iter()
            .map(|value| self.hold(number, value))
            .collect();
        let name = Arc::new(name);
        let slot = Slot {
            name: Arc::clone(&name),
            values,
        };
        self.bytes += slot.bytes();
        self.by_name.insert(name, number);
        match usize::try_from(number)
            .ok()
            .and_then(|number| self.slots.get_mut(number))
        {
            Some(free) => *free = Some(slot),
            None => self.slots.push(Some(slot)),
        }
        true
    }

    /// Notes that a container has a value; the value, shared with all who have it.
    fn hold(&mut self, number: u32, (topic, value): &Value) -> Value {
        let holding = self.topics.entry(*topic).or_insert_with(|| Topic {
            all: Postings::One(number),
            by_value: HashMap::new(),
        });
        holding.all.insert(number);
        if let Some((shared, _)) = holding.by_value.get_key_value(value) {
            let shared = Arc::clone(shared);
            if let Some(postings) = holding.by_value.get_mut(value) {
                postings.insert(number);
            }
            return (*topic, shared);
        }
        holding
            .by_value
            .insert(Arc::clone(value), Postings::One(number));
        self.bytes += DISTINCT_BYTES + value.len();
        (*topic, Arc::clone(value))
    }

    fn remove(&mut self, name: &Name) {
        let Some(number) = self.by_name.remove(name) else {
            return;
        };
        let slot = usize::try_from(number)
            .ok()
            .and_then(|number| self.slots.get_mut(number));
        let Some(slot) = slot.and_then(Option::take) else {
            return;
        };
        self.free.push(number);
        self.bytes -= slot.bytes();
        for (topic, value) in &slot.values {
            let Some(holding) = self.topics.get_mut(topic) else {
                continue;
            };
            if holding
                .by_value
                .get_mut(value)
                .is_some_and(|postings| postings.remove(number))
            {
                holding.by_value.remove(value);
                self.bytes -= DISTINCT_BYTES + value.len();
            }
            if holding.all.remove(number) {
                self.topics.remove(topic);
            }
        }
    }
}

impl Slot {
    fn bytes(&self) -> usize {
        let names = self.name.0.as_str().len() + self.name.1.len();
        SLOT_BYTES + names + VALUE_BYTES * self.values.len()
    }
}
