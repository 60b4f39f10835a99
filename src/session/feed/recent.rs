//! The latest changes of this process, kept while there are followers. A follower that is nearly up to date reads these
//! instead of looking at every record.

use std::collections::VecDeque;

use crate::model::revision::Revision;

/// The most changes that are kept: about 400 KiB of keys, in the usual case.
const RECENT_MAX_COUNT: usize = 4 * 1024;

/// What one transaction changes, in the order of revisions: the keys of namespaces, and the own keys of records.
#[derive(Debug, Default)]
pub(crate) struct Changed(Vec<(Revision, Box<[u8]>)>);

impl Changed {
    pub(crate) fn note(&mut self, revision: Revision, key: &[u8]) {
        self.0.push((revision, key.into()));
    }
}

/// The latest changes.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    /// All changes after this revision are in the list. `None` if the list may be incomplete after any revision.
    complete_after: Option<Revision>,
    changes: VecDeque<(Revision, Box<[u8]>)>,
}

impl Recent {
    /// Adds what a transaction changed, before any reader can see it. After a transaction without notes, the list is
    /// incomplete.
    pub(super) fn add(&mut self, changed: Option<Changed>) {
        let Some(Changed(changed)) = changed else {
            *self = Self::default();
            return;
        };
        let Some((first, _)) = changed.first() else {
            return;
        };
        let before = Revision::new(first.get().saturating_sub(1));
        self.complete_after.get_or_insert(before);
        self.changes.extend(changed);
        while self.changes.len() > RECENT_MAX_COUNT {
            if let Some((forgotten, _)) = self.changes.pop_front() {
                self.complete_after = Some(forgotten);
            }
        }
    }

    /// Returns the keys of everything that changed after a revision, each once; `None` if unknown.
    pub(super) fn since(&self, revision: Revision) -> Option<Vec<Box<[u8]>>> {
        self.complete_after.filter(|after| *after <= revision)?;
        let known = self.changes.partition_point(|(of, _)| *of <= revision);
        let mut keys: Vec<_> = self
            .changes
            .range(known..)
            .map(|(_, key)| key.clone())
            .collect();
        keys.sort_unstable();
        keys.dedup();
        Some(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(revisions: impl IntoIterator<Item = u64>) -> Option<Changed> {
        let mut changed = Changed::default();
        for revision in revisions {
            changed.note(Revision::new(revision), &[(revision % 3) as u8]);
        }
        Some(changed)
    }

    fn count_since(recent: &Recent, revision: u64) -> Option<usize> {
        recent.since(Revision::new(revision)).map(|keys| keys.len())
    }

    #[test]
    fn what_changed_is_known_from_the_first_transaction_on_that_was_noted() {
        let mut recent = Recent::default();
        assert_eq!(count_since(&recent, 9), None);
        recent.add(changed([5, 6]));
        recent.add(changed([]));
        recent.add(changed([8, 9]));
        assert_eq!(count_since(&recent, 3), None);
        assert_eq!(count_since(&recent, 4), Some(2));
        assert_eq!(count_since(&recent, 8), Some(1));
        assert_eq!(count_since(&recent, 9), Some(0));
        recent.add(None);
        assert_eq!(count_since(&recent, 9), None);
        recent.add(changed([12]));
        assert_eq!(count_since(&recent, 10), None);
        assert_eq!(count_since(&recent, 11), Some(1));
    }

    #[test]
    fn the_oldest_changes_are_forgotten() {
        let mut recent = Recent::default();
        let count = RECENT_MAX_COUNT as u64;
        recent.add(changed(1..=count + 10));
        assert_eq!(count_since(&recent, 9), None);
        assert_eq!(count_since(&recent, 10), Some(3));
        assert_eq!(recent.changes.len(), RECENT_MAX_COUNT);
    }
}
