//! Posting lists: containers by their numbers. Most lists have one.

use std::collections::HashSet;

/// The containers of one list.
pub(super) enum Postings {
    One(u32),
    Many(HashSet<u32>),
}

impl Postings {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(numbers) => numbers.len(),
        }
    }

    pub(super) fn insert(&mut self, number: u32) {
        match self {
            Self::One(one) if *one == number => {}
            Self::One(one) => *self = Self::Many(HashSet::from([*one, number])),
            Self::Many(numbers) => {
                numbers.insert(number);
            }
        }
    }

    /// Removes a container; true if none is left.
    pub(super) fn remove(&mut self, number: u32) -> bool {
        match self {
            Self::One(one) => *one == number,
            Self::Many(numbers) => {
                numbers.remove(&number);
                numbers.is_empty()
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        let (one, many) = match self {
            Self::One(one) => (Some(*one), None),
            Self::Many(numbers) => (None, Some(numbers.iter().copied())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}
