//! The terms of all records, brought up to date when a filter asks for them.
//!
//! A record has about ten terms, at places all over the set. Inserting them took a third of the CPU time of a create,
//! but a host that filters rarely needs them rarely. So a commit only notes what it changes. The first filter on a
//! snapshot applies the notes, for itself and for all later snapshots. After many changes it builds the set anew.

use std::sync::{Arc, OnceLock};

use super::shelves::Records;
use super::terms::{Hashing, Term};
use crate::model::error::Result;
use crate::query::tree::Tree;

/// If there are more changes than this, and than a fraction of the records, they are not noted: building the set anew
/// is faster.
const CHANGES_FEW_COUNT: usize = 64;
const RECORDS_PER_CHANGE_MIN: usize = 8;

/// The terms of one version of the records, or how to get them.
#[derive(Clone, Default)]
pub(super) struct Index {
    /// The terms of an earlier version, and what has changed since. `None` if they must be built anew.
    before: Option<(Tree<Term>, Changes)>,
    /// The terms of this version, once a filter has needed them. Contains `None` if they cannot be built.
    terms: OnceLock<Option<Tree<Term>>>,
}

impl Index {
    /// Returns the terms of these records.
    ///
    /// `None` if a record cannot be read, which cannot happen: all were verified.
    pub(super) fn terms(&self, records: &Records, hashing: &Hashing) -> Option<&Tree<Term>> {
        let terms = self.terms.get_or_init(|| match &self.before {
            Some((before, changes)) => Some(changes.made_in(before.clone())),
            None => all(records, hashing).ok(),
        });
        terms.as_ref()
    }

    /// Whether changes must be noted.
    pub(super) fn is_used(&self) -> bool {
        self.before.is_some() || self.terms.get().is_some()
    }

    /// Notes that the terms of one of `records_count` records change from `old` to `new`, each in order.
    pub(super) fn change(&mut self, old: Vec<Term>, new: Vec<Term>, records_count: usize) {
        let change = Change::of(old, new);
        if change.is_nothing() {
            return;
        }
        if let Some(terms) = self.terms.take() {
            self.before = terms.map(|terms| (terms, Changes::default()));
        }
        if let Some((_, changes)) = &mut self.before {
            changes.add(change);
            let most = (records_count / RECORDS_PER_CHANGE_MIN).max(CHANGES_FEW_COUNT);
            if changes.count > most {
                self.before = None;
            }
        }
    }
}

/// Builds the terms of all records.
fn all(records: &Records, hashing: &Hashing) -> Result<Tree<Term>> {
    let mut terms = Vec::new();
    for kept in records.iter() {
        terms.extend(hashing.terms(kept)?);
    }
    terms.sort_unstable();
    Ok(Tree::from_sorted(terms))
}

/// Changes that are not applied yet. A clone shares them.
#[derive(Clone, Default)]
struct Changes {
    last: Option<Arc<Change>>,
    count: usize,
}

/// How the terms of one record change.
#[derive(Default)]
struct Change {
    removed: Vec<Term>,
    added: Vec<Term>,
    /// The change before.
    before: Option<Arc<Change>>,
}

impl Changes {
    fn add(&mut self, mut change: Change) {
        change.before = self.last.take();
        self.last = Some(Arc::new(change));
        self.count += 1;
    }

    fn made_in(&self, mut terms: Tree<Term>) -> Tree<Term> {
        let newest_first =
            std::iter::successors(self.last.as_deref(), |change| change.before.as_deref());
        let mut changes: Vec<&Change> = newest_first.collect();
        changes.reverse();
        for change in changes {
            for term in &change.removed {
                terms.remove(|other| other.cmp(term));
            }
            for term in &change.added {
                terms.insert(term.clone());
            }
        }
        terms
    }
}

impl Change {
    fn of(mut old: Vec<Term>, mut new: Vec<Term>) -> Self {
        let both: Vec<Term> = old
            .iter()
            .filter(|term| new.binary_search(term).is_ok())
            .cloned()
            .collect();
        old.retain(|term| both.binary_search(term).is_err());
        new.retain(|term| both.binary_search(term).is_err());
        Self {
            removed: old,
            added: new,
            before: None,
        }
    }

    fn is_nothing(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty()
    }
}

/// Drops the changes one after the other: recursive drops of many would overflow the stack.
impl Drop for Change {
    fn drop(&mut self) {
        let mut before = self.before.take();
        while let Some(mut change) = before.and_then(Arc::into_inner) {
            before = change.before.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn term(number: usize) -> Term {
        Term::numbered(number)
    }

    fn index(terms: &BTreeSet<Term>) -> Index {
        let terms = Tree::from_sorted(terms.iter().cloned().collect());
        Index {
            before: None,
            terms: OnceLock::from(Some(terms)),
        }
    }

    #[track_caller]
    fn assert_has(index: &Index, model: &BTreeSet<Term>) {
        let no_records = Records::from_sorted(Vec::new());
        let terms = index.terms(&no_records, &Hashing::new()).unwrap();
        assert!(terms.starting_at(|_| false).eq(model));
    }

    #[test]
    fn changes_are_carried_out_in_their_order_and_earlier_versions_stay() {
        let mut model: BTreeSet<Term> = (0..100).map(term).collect();
        let mut index = index(&model);
        let mut versions = Vec::new();
        for number in 0..50 {
            versions.push((index.clone(), model.clone()));
            // The same term is removed and added again.
            let (old, new) = (
                vec![term(number % 7), term(99)],
                vec![term(99), term(200 + number)],
            );
            model.remove(&old[0]);
            model.insert(new[1].clone());
            index.change(old, new, 1_000);
            let (old, new) = (Vec::new(), vec![term(number % 7)]);
            model.insert(new[0].clone());
            index.change(old, new, 1_000);
            if number % 20 == 0 {
                assert_has(&index, &model);
            }
        }
        assert_has(&index, &model);
        for (version, model) in versions {
            assert_has(&version, &model);
        }
    }

    #[test]
    fn after_many_changes_nothing_is_noted() {
        let mut index = index(&BTreeSet::from([term(0)]));
        for number in 1..=CHANGES_FEW_COUNT {
            index.change(Vec::new(), vec![term(number)], 0);
            assert!(index.is_used());
        }
        index.change(Vec::new(), vec![term(1_000)], 0);
        assert!(!index.is_used());
        assert_has(&index, &BTreeSet::new());
    }

    #[test]
    fn many_notes_are_dropped_on_a_small_stack() {
        let mut index = index(&BTreeSet::new());
        for number in 0..200_000 {
            index.change(Vec::new(), vec![term(number)], 10_000_000);
        }
        let small = std::thread::Builder::new().stack_size(64 * 1024);
        small.spawn(move || drop(index)).unwrap().join().unwrap();
    }
}
