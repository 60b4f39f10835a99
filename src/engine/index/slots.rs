//! Sets of containers, by their numbers: most of them have one.

use std::collections::HashSet;

/// Some containers.
pub(super) enum Slots {
    One(u32),
    Many(HashSet<u32>),
}

impl Slots {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(slots) => slots.len(),
        }
    }

    pub(super) fn insert(&mut self, number: u32) {
        match self {
            Self::One(one) if *one == number => {}
            Self::One(one) => *self = Self::Many(HashSet::from([*one, number])),
            Self::Many(slots) => {
                slots.insert(number);
            }
        }
    }

    /// Removes a container; true if none is left.
    pub(super) fn remove(&mut self, number: u32) -> bool {
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
