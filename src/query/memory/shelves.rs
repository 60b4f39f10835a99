//! Records by namespace and kind, then by id.

use std::cmp::Ordering;
use std::sync::Arc;

use super::kept::KeptRecord;
use crate::query::tree::Tree;
use crate::records::keys;

/// Every record. A clone shares all of it.
#[derive(Clone)]
pub(super) struct Records {
    shelves: Tree<Shelf>,
    len: usize,
}

/// The records of one kind in one namespace.
#[derive(Clone)]
struct Shelf {
    /// The common beginning of their keys.
    prefix: Arc<[u8]>,
    entries: Tree<Entry>,
}

/// A record, and the beginning of its id. Most comparisons need no more, and so no access to other memory.
#[derive(Clone)]
struct Entry {
    lead: u64,
    record: Arc<KeptRecord>,
}

impl Entry {
    fn of(record: Arc<KeptRecord>) -> Self {
        let lead = lead(keys::id_of(record.key()));
        Self { lead, record }
    }

    fn cmp_key(&self, lead: u64, key: &[u8]) -> Ordering {
        self.lead
            .cmp(&lead)
            .then_with(|| (**self.record.key()).cmp(key))
    }
}

/// Returns the first bytes of an id, as a number in the order of the ids. An id has no NUL byte.
fn lead(id: &[u8]) -> u64 {
    let mut lead = [0; 8];
    for (place, byte) in lead.iter_mut().zip(id) {
        *place = *byte;
    }
    u64::from_be_bytes(lead)
}

impl Records {
    /// Creates the set from records in the order of their keys.
    pub(super) fn from_sorted(records: Vec<Arc<KeptRecord>>) -> Self {
        let len = records.len();
        let mut shelves: Vec<(Arc<[u8]>, Vec<Entry>)> = Vec::new();
        for record in records {
            let prefix = keys::before_id(record.key());
            let is_new = shelves.last().is_none_or(|(last, _)| **last != *prefix);
            if is_new {
                shelves.push((prefix.into(), Vec::new()));
            }
            if let Some((_, entries)) = shelves.last_mut() {
                entries.push(Entry::of(record));
            }
        }
        shelves.sort_by(|(one, _), (other, _)| one.cmp(other));
        let shelves = shelves.into_iter().map(|(prefix, entries)| {
            let entries = Tree::from_sorted(entries);
            Shelf { prefix, entries }
        });
        let shelves = Tree::from_sorted(shelves.collect());
        Self { shelves, len }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn shelf(&self, prefix: &[u8]) -> Option<&Shelf> {
        self.shelves.get(|shelf| (*shelf.prefix).cmp(prefix))
    }

    /// Returns the record whose own row has this key.
    pub(super) fn get(&self, key: &[u8]) -> Option<&Arc<KeptRecord>> {
        let lead = lead(keys::id_of(key));
        let entries = &self.shelf(keys::before_id(key))?.entries;
        let found = entries.get(|entry| entry.cmp_key(lead, key));
        found.map(|entry| &entry.record)
    }

    /// Iterates over the records whose keys begin with `prefix`, from the key `start` on, in order.
    pub(super) fn starting_at<'r>(
        &'r self,
        prefix: &[u8],
        start: &[u8],
    ) -> impl Iterator<Item = &'r KeptRecord> + use<'r> {
        let lead = lead(start.get(prefix.len()..).unwrap_or_default());
        let entries = self.shelf(prefix).map(|shelf| {
            let is_before = |entry: &Entry| entry.cmp_key(lead, start).is_lt();
            shelf.entries.starting_at(is_before)
        });
        entries.into_iter().flatten().map(|entry| &*entry.record)
    }

    /// Iterates over all records.
    pub(super) fn iter(&self) -> impl Iterator<Item = &KeptRecord> {
        let shelves = self.shelves.starting_at(|_| false);
        let entries = shelves.flat_map(|shelf| shelf.entries.starting_at(|_| false));
        entries.map(|entry| &*entry.record)
    }

    /// Inserts a record, and returns the one that it replaces.
    pub(super) fn insert(&mut self, record: KeptRecord) -> Option<Arc<KeptRecord>> {
        let prefix = keys::before_id(record.key());
        let mut shelf = self.take_shelf(prefix).unwrap_or_else(|| Shelf {
            prefix: prefix.into(),
            entries: Tree::from_sorted(Vec::new()),
        });
        let replaced = shelf.entries.insert(Entry::of(Arc::new(record)));
        self.shelves.insert(shelf);
        self.len += usize::from(replaced.is_none());
        replaced.map(|entry| entry.record)
    }

    /// Removes the record whose own row has this key, and returns it.
    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Arc<KeptRecord>> {
        self.get(key)?;
        let mut shelf = self.take_shelf(keys::before_id(key))?;
        let lead = lead(keys::id_of(key));
        let removed = shelf.entries.remove(|entry| entry.cmp_key(lead, key));
        if shelf.entries.len() > 0 {
            self.shelves.insert(shelf);
        }
        self.len -= usize::from(removed.is_some());
        removed.map(|entry| entry.record)
    }

    /// Takes a shelf out to change it. If it were cloned instead, the change would have to copy the shared nodes.
    fn take_shelf(&mut self, prefix: &[u8]) -> Option<Shelf> {
        self.shelves.remove(|shelf| (*shelf.prefix).cmp(prefix))
    }
}

impl PartialEq for Shelf {
    fn eq(&self, other: &Self) -> bool {
        self.prefix == other.prefix
    }
}

impl Eq for Shelf {}

impl PartialOrd for Shelf {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// In the order of their prefixes.
impl Ord for Shelf {
    fn cmp(&self, other: &Self) -> Ordering {
        self.prefix.cmp(&other.prefix)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// In the order of their keys, given that those begin alike.
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.cmp_key(other.lead, other.record.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leads_are_in_the_order_of_ids() {
        let ids: [&[u8]; 9] = [
            b"",
            b"\x01",
            b"a",
            b"a\x01",
            b"aaaaaaa",
            b"aaaaaaaa",
            b"aaaaaaab",
            b"ab",
            b"\xff",
        ];
        for two in ids.windows(2) {
            assert!(lead(two[0]) <= lead(two[1]), "{two:?}");
        }
        assert_eq!(lead(b"aaaaaaaa"), lead(b"aaaaaaaab"));
        assert!(lead(b"aaaaaaa") < lead(b"aaaaaaaa"));
    }
}
