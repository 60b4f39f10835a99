//! The tables of the index: which containers hold which terms.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Change;
use crate::identifier::NamespaceName;

/// What one container takes beside its names and its terms, in bytes: its places in the tables.
const SLOT_BYTES: usize = 128;

/// What one term of one container takes, in bytes, about: the term itself and a place among its
/// holders.
const TERM_BYTES: usize = 32;

type Name = (NamespaceName, String);

/// Which containers hold which terms.
#[derive(Default)]
pub(super) struct Holders {
    terms: HashMap<u64, Slots>,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    by_name: HashMap<Arc<Name>, u32>,
    bytes: usize,
}

struct Slot {
    name: Arc<Name>,
    terms: Box<[u64]>,
}

impl Holders {
    /// How many containers there are.
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// How much memory they take, about, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The containers that hold a term.
    pub(super) fn of(&self, term: u64) -> Option<&Slots> {
        self.terms.get(&term)
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
        for term in &change.terms {
            match self.terms.entry(*term) {
                Entry::Occupied(mut slots) => slots.get_mut().insert(number),
                Entry::Vacant(entry) => {
                    entry.insert(Slots::One(number));
                }
            }
        }
        let name = Arc::new(name);
        let slot = Slot {
            name: Arc::clone(&name),
            terms: change.terms.clone(),
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
        for term in &slot.terms {
            if let Entry::Occupied(mut slots) = self.terms.entry(*term)
                && slots.get_mut().remove(number)
            {
                slots.remove();
            }
        }
    }
}

/// Some containers, by their numbers.
pub(super) enum Slots {
    One(u32),
    Many(HashSet<u32>),
}

impl Slot {
    fn bytes(&self) -> usize {
        SLOT_BYTES + self.name.0.as_str().len() + self.name.1.len() + TERM_BYTES * self.terms.len()
    }
}

impl Slots {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(slots) => slots.len(),
        }
    }

    fn insert(&mut self, number: u32) {
        match self {
            Self::One(one) if *one == number => {}
            Self::One(one) => *self = Self::Many(HashSet::from([*one, number])),
            Self::Many(slots) => {
                slots.insert(number);
            }
        }
    }

    /// Removes a container; true if none is left.
    fn remove(&mut self, number: u32) -> bool {
        match self {
            Self::One(one) => *one == number,
            Self::Many(slots) => {
                slots.remove(&number);
                slots.is_empty()
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        let (one, many) = match self {
            Self::One(one) => (Some(*one), None),
            Self::Many(slots) => (None, Some(slots.iter().copied())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}
