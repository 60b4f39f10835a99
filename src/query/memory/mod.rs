//! Records in memory: what the file holds, verified once and shared by all snapshots.
//!
//! A [`Memory`] belongs to one snapshot and says what that says. A clone costs nothing; a write transaction
//! changes its own clone beside the tables, and a commit shows both. So there is one truth at any time, and nothing
//! here knows of versions. What is damaged is not kept: it is read from the file each time, which tells the damage.

mod kept;
mod terms;
mod tree;

use std::sync::Arc;

use self::kept::Kept;
use self::terms::{Hashing, Sought, TERM_BYTES, Term, exchange};
use self::tree::Tree;
use super::cursor::Cursor;
use super::rows;
use super::shape::{Shape, Wanted};
use super::table::Table;
use crate::filter::{Filter, Filters, Pattern, Required};
use crate::model::error::Result;
use crate::model::field::Field;
use crate::model::identifier::NamespaceName;
use crate::model::kind::Kind;
use crate::records::keys;

/// Candidates of more than this share of all records are not looked up: reading all of them in order is faster.
/// Measured: where one in five matched, counting by terms took nearly twice as long.
const CANDIDATES_MAX_SHARE: usize = 8;

/// Candidates so few that a regular expression need not make them fewer.
const FEW: usize = 64;

/// Most values that a regular expression is tried on to find those that match.
const VALUES_MAX_COUNT: usize = 1_024;

/// Most of these that may match: each is looked up for every batch.
const MATCHING_MAX_COUNT: usize = 32;

/// Every record of a snapshot.
#[derive(Clone)]
pub(crate) struct Memory {
    records: Tree<Arc<Kept>>,
    terms: Tree<Term>,
    hashing: Hashing,
    bytes: usize,
    /// How many records are read from the file each time, because something of them is damaged.
    damaged: usize,
}

/// What became of loading.
pub(crate) enum Loaded {
    All(Memory),
    /// There is more than may be kept; so many records were looked at.
    TooLarge(usize),
}

impl Memory {
    /// Loads all records of a table, if they take no more than `max_bytes`.
    ///
    /// # Errors
    ///
    /// If the table cannot be read. A damaged record is no error.
    pub(crate) fn load(table: &impl Table, max_bytes: usize) -> Result<Loaded> {
        let hashing = Hashing::new();
        let (mut records, mut terms) = (Vec::new(), Vec::new());
        let (mut bytes, mut damaged) = (0, 0);
        let mut cursor = Cursor::new(table, keys::all_records())?;
        while let Some(group) = cursor.advance()? {
            let kept = Kept::of(&group)?;
            let of_record = hashing.terms(&kept)?;
            bytes += kept.bytes() + of_record.len() * TERM_BYTES;
            if bytes > max_bytes {
                return Ok(Loaded::TooLarge(records.len()));
            }
            damaged += usize::from(kept.is_damaged());
            terms.extend(of_record);
            records.push(Arc::new(kept));
        }
        terms.sort_unstable();
        Ok(Loaded::All(Self {
            records: Tree::from_sorted(records),
            terms: Tree::from_sorted(terms),
            hashing,
            bytes,
            damaged,
        }))
    }

    /// About how much memory it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes what a table has of the record whose own row has this key, if it has anything.
    ///
    /// # Errors
    ///
    /// If the table cannot be read. A damaged record is no error.
    pub(crate) fn refresh(&mut self, table: &impl Table, key: &[u8]) -> Result<()> {
        let keys = key.to_vec()..keys::behind(key);
        let new = match Cursor::new(table, keys)?.advance()? {
            Some(group) => Some(Kept::of(&group)?),
            None => None,
        };
        let new_terms = new.as_ref().map(|kept| self.hashing.terms(kept));
        let new_terms = new_terms.transpose()?.unwrap_or_default();
        if let Some(new) = &new {
            self.bytes += new.bytes() + new_terms.len() * TERM_BYTES;
            self.damaged += usize::from(new.is_damaged());
        }
        let old = match new {
            Some(new) => self.records.insert(Arc::new(new)),
            None => self.records.remove(|kept| (*kept.key).cmp(key)),
        };
        let old_terms = match &old {
            Some(old) => self.hashing.terms(old)?,
            None => Vec::new(),
        };
        if let Some(old) = &old {
            self.bytes -= old.bytes() + old_terms.len() * TERM_BYTES;
            self.damaged -= usize::from(old.is_damaged());
        }
        exchange(&mut self.terms, &old_terms, new_terms);
        Ok(())
    }

    /// The record whose own row has this key.
    pub(super) fn get(&self, key: &[u8]) -> Option<Record<'_>> {
        let found = self.records.get(|kept| (*kept.key).cmp(key));
        found.map(|kept| Record(kept))
    }

    /// The records from a key on, in order.
    pub(super) fn from<'m>(&'m self, start: &[u8]) -> impl Iterator<Item = Record<'m>> {
        self.records
            .from(|kept| *kept.key < *start)
            .map(|kept| Record(kept))
    }

    /// Where to look for what may pass the filters; none if it is best to look at every record.
    pub(crate) fn candidates(
        &self,
        namespace: &NamespaceName,
        kind: &Kind,
        filters: &Filters,
    ) -> Option<Candidates> {
        // A damaged record might match, and has to be reported.
        if filters.is_all() || self.damaged > 0 {
            return None;
        }
        let prefix = keys::before_ids(namespace, kind);
        let mut left = self.records.len() / CANDIDATES_MAX_SHARE;
        let mut sources = Vec::new();
        for filter in filters.iter() {
            let (of_filter, count) = self.fewest(&prefix, kind, filter, left)?;
            left -= count;
            sources.extend(of_filter);
        }
        Some(Candidates { sources })
    }

    /// What a filter requires that the fewest records have, and how many; none if they are more than `most`.
    fn fewest(
        &self,
        prefix: &[u8],
        kind: &Kind,
        filter: &Filter,
        most: usize,
    ) -> Option<(Vec<Source>, usize)> {
        let mut best: Option<(Vec<Source>, usize)> = None;
        let mut patterns = Vec::new();
        for required in filter.required() {
            if let Required::Equals(Field::Id, id) = required {
                return Some((vec![Source::Key([prefix, id].concat())], 0));
            }
            let Some(sought) = self.hashing.sought(prefix, required) else {
                continue;
            };
            if let Required::Matches(field, pattern) = required {
                patterns.push((sought, field, pattern));
            }
            self.improve(&mut best, vec![sought], most);
        }
        // A regular expression is tried on each value once: only where nothing else has narrowed down much.
        for (sought, field, pattern) in patterns {
            if best.as_ref().is_none_or(|(_, count)| *count > FEW)
                && let Some(matching) = self.matching(sought, kind, field, pattern)
            {
                self.improve(&mut best, matching, most);
            }
        }
        best
    }

    /// Takes what is sought, if fewer records have it than what is there, and no more than `most`.
    fn improve(&self, best: &mut Option<(Vec<Source>, usize)>, sought: Vec<Sought>, most: usize) {
        let most = best.as_ref().map_or(most, |(_, count)| *count);
        let found = sought
            .iter()
            .flat_map(|sought| sought.found(&self.terms, &[]));
        let count = found.take(most + 1).count();
        if count <= most {
            *best = Some((sought.into_iter().map(Source::Terms).collect(), count));
        }
    }

    /// The values of a field that match; none if there are too many to try, or to look up.
    ///
    /// Values with the same hash are taken for one. Of 1,024 values two have the same with a probability of 3 in
    /// 10^14, and nobody can choose values that do.
    fn matching(
        &self,
        sought: Sought,
        kind: &Kind,
        field: &Field,
        pattern: &Pattern,
    ) -> Option<Vec<Sought>> {
        let mut matching = Vec::new();
        for (number, (value, key)) in sought.values(&self.terms).enumerate() {
            let kept = self.records.get(|kept| kept.key.cmp(key))?;
            let is_match = kept
                .is_field(kind, field, |value| pattern.is_match(value))
                .ok()?;
            if is_match {
                matching.push(value);
            }
            if number >= VALUES_MAX_COUNT || matching.len() > MATCHING_MAX_COUNT {
                return None;
            }
        }
        Some(matching)
    }

    /// The next keys of candidates, from `start` on, `count` of them at most and in order.
    pub(super) fn next_candidates(
        &self,
        candidates: &Candidates,
        start: &[u8],
        count: usize,
    ) -> Vec<Arc<[u8]>> {
        let mut keys = Vec::new();
        for source in &candidates.sources {
            match source {
                Source::Key(key) if key.as_slice() >= start => keys.push(key.as_slice().into()),
                Source::Key(_) => {}
                Source::Terms(sought) if sought.is_one_value() => {
                    keys.extend(sought.found(&self.terms, start).take(count).cloned());
                }
                Source::Terms(sought) => {
                    let found = sought.found(&self.terms, start);
                    keys.extend(found.filter(|key| &***key >= start).cloned());
                }
            }
        }
        keys.sort_unstable();
        keys.dedup();
        keys.truncate(count);
        keys
    }
}

/// Where what passes some filters can be found. Whatever is found there is still matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidates {
    /// One for each filter.
    sources: Vec<Source>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    /// The key of a record, which may not exist.
    Key(Vec<u8>),
    Terms(Sought),
}

/// A record that is kept.
pub(super) struct Record<'m>(&'m Kept);

impl<'m> Record<'m> {
    /// The key of its own row.
    pub(super) fn key(&self) -> &'m [u8] {
        &self.0.key
    }

    /// What the shape makes of it, if it matches; none if the file has to be read for that.
    pub(super) fn read<S: Shape>(&self, want: &Wanted<'_>) -> Option<Result<Option<S>>> {
        self.0.rows().map(|kept| rows::read(&kept, want))
    }
}
