//! Records in memory: what the file holds, verified once and shared by all snapshots.
//!
//! A [`Memory`] belongs to one snapshot and says what that says. A clone costs nothing. A write transaction changes its
//! own clone as it changes the tables, and a commit publishes both. A damaged record is not kept: each read of it goes to
//! the file, and finds the damage.

mod kept;
mod terms;
mod tree;

use std::sync::Arc;

pub(super) use self::kept::KeptRecord;
use self::terms::{Hashing, Sought, TERM_BYTES, Term, exchange};
use self::tree::Tree;
use super::cursor::Cursor;
use super::table::Table;
use crate::filter::{Filter, Filters, Pattern, Required};
use crate::model::error::{Error, Result};
use crate::model::field::Field;
use crate::model::identifier::NamespaceName;
use crate::model::kind::{Kind, RecordId};
use crate::model::pin::Resource;
use crate::records::keys;
use crate::redb_file::fault::OrFault;

/// At least so many records must there be for each candidate; otherwise looking at all of them, in order, is faster.
/// Measured: where one in five matched, counting by terms took nearly twice as long.
const RECORDS_PER_CANDIDATE_MIN: usize = 8;

/// So few candidates are looked up whatever the alternatives.
const CANDIDATES_FEW_COUNT: usize = 64;

/// Most values that a regular expression is tried on to find those that match.
const VALUES_MAX_COUNT: usize = 1_024;

/// Every record of a snapshot.
#[derive(Clone)]
pub(crate) struct Memory {
    records: Tree<Arc<KeptRecord>>,
    terms: Tree<Term>,
    hashing: Hashing,
    bytes: usize,
}

impl Memory {
    /// Loads all records of a table; none if they would take more than `max_bytes`.
    ///
    /// # Errors
    ///
    /// If the table cannot be read, or its tree is damaged: records behind the damage might be missing. A damaged record
    /// is no error.
    pub(crate) fn load(table: &impl Table, max_bytes: usize) -> Result<Option<Self>> {
        let hashing = Hashing::new();
        let (mut records, mut terms) = (Vec::new(), Vec::new());
        let (mut bytes, mut rows_count) = (0, 0);
        let mut cursor = Cursor::strict(table, keys::all_records())?;
        while let Some(group) = cursor.advance()? {
            rows_count += group.rows_count();
            let kept = KeptRecord::of(&group, None)?;
            let of_record = hashing.terms(&kept)?;
            bytes += taken(&kept, &of_record);
            if bytes > max_bytes {
                return Ok(None);
            }
            terms.extend(of_record);
            records.push(Arc::new(kept));
        }
        if rows_count != table.len().or_fault()? {
            return Err(Error::corrupt(
                "the file is damaged: rows cannot be reached",
            ));
        }
        terms.sort_unstable();
        Ok(Some(Self {
            records: Tree::from_sorted(records),
            terms: Tree::from_sorted(terms),
            hashing,
            bytes,
        }))
    }

    /// About how much memory it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes what a table has of the record whose own row has this key. False if that is damaged.
    ///
    /// # Errors
    ///
    /// If the table cannot be read.
    pub(crate) fn refresh(&mut self, table: &impl Table, key: &[u8]) -> Result<bool> {
        let keys = key.to_vec()..keys::behind(key);
        let known_key = self.get(key).map(|kept| Arc::clone(kept.key()));
        let new = match Cursor::strict(table, keys)?.advance()? {
            Some(group) => Some(KeptRecord::of(&group, known_key)?),
            None => None,
        };
        let new_terms = new.as_ref().map(|kept| self.hashing.terms(kept));
        let new_terms = new_terms.transpose()?.unwrap_or_default();
        let old_terms = self.get(key).map(|kept| self.hashing.terms(kept));
        let old_terms = old_terms.transpose()?.unwrap_or_default();
        let is_damaged = new.as_ref().is_some_and(KeptRecord::is_damaged);
        let added = new.as_ref().map_or(0, |kept| taken(kept, &new_terms));
        let old = match new {
            Some(new) => self.records.insert(Arc::new(new)),
            None => self.records.remove(|kept| (**kept.key()).cmp(key)),
        };
        let freed = old.map_or(0, |kept| taken(&kept, &old_terms));
        self.bytes = (self.bytes + added).saturating_sub(freed);
        exchange(&mut self.terms, &old_terms, new_terms);
        Ok(!is_damaged)
    }

    /// The record whose own row has this key.
    pub(super) fn get(&self, key: &[u8]) -> Option<&KeptRecord> {
        let found = self.records.get(|kept| (**kept.key()).cmp(key));
        found.map(Arc::as_ref)
    }

    /// The records from a key on, in order.
    pub(super) fn starting_at(&self, start: &[u8]) -> impl Iterator<Item = &KeptRecord> {
        let from = self.records.starting_at(|kept| **kept.key() < *start);
        from.map(Arc::as_ref)
    }

    /// Where to look for what may pass the filters; none if it is best to look at every record. So many are wanted.
    pub(crate) fn candidates(
        &self,
        namespace: &NamespaceName,
        kind: &Kind,
        filters: &Filters,
        limit: usize,
    ) -> Option<Candidates> {
        if filters.is_all() {
            return None;
        }
        let prefix = keys::before_ids(namespace, kind);
        let most = self.records.len() / RECORDS_PER_CANDIDATE_MIN;
        let mut count = 0;
        // A damaged record might match, and has to be reported.
        let mut sources = vec![CandidateSource::Terms(self.hashing.damaged(&prefix))];
        for filter in filters.iter() {
            let left = most.saturating_sub(count);
            let (source, of_filter) = self.fewest(&prefix, kind, filter, left, limit)?;
            count += of_filter;
            sources.push(source);
        }
        Some(Candidates { sources })
    }

    /// Where to look for what says of this that something holds it.
    pub(crate) fn pinning(
        &self,
        namespace: &NamespaceName,
        kind: &Kind,
        held: &Resource,
    ) -> Candidates {
        let prefix = keys::before_ids(namespace, kind);
        let mut sought = self.hashing.held(&prefix, held.into());
        // A damaged record might say so, and has to be reported.
        sought.push(self.hashing.damaged(&prefix));
        Candidates {
            sources: sought.into_iter().map(CandidateSource::Terms).collect(),
        }
    }

    /// What a filter requires that the fewest records have, and how many; none if they are more than `most`.
    fn fewest(
        &self,
        prefix: &[u8],
        kind: &Kind,
        filter: &Filter,
        most: usize,
        limit: usize,
    ) -> Option<(CandidateSource, usize)> {
        let mut best: Option<(Vec<Sought>, usize)> = None;
        let mut patterns = Vec::new();
        for required in filter.required() {
            if let Required::Equals(Field::Id, id) = required {
                let id = str::from_utf8(id)
                    .ok()
                    .and_then(|id| RecordId::new(id).ok());
                let key = id.map(|id| [prefix, id.as_str().as_bytes()].concat().into());
                return Some((CandidateSource::Keys(key.into_iter().collect()), 0));
            }
            let Some(sought) = self.hashing.sought(prefix, required) else {
                continue;
            };
            if let Required::Matches(field, pattern) = required {
                patterns.push((sought, field, pattern));
            }
            self.improve(&mut best, vec![sought], most);
        }
        // Trying a regular expression on all values is not worth it for a page, nor if there are few candidates.
        for (sought, field, pattern) in patterns {
            let are_few = best
                .as_ref()
                .is_some_and(|(_, count)| *count <= CANDIDATES_FEW_COUNT);
            if !are_few
                && limit > VALUES_MAX_COUNT
                && let Some(matching) = self.matching(sought, kind, field, pattern)
            {
                self.improve(&mut best, matching, most);
            }
        }
        let (sought, count) = best?;
        match sought.as_slice() {
            [one] if one.is_one_value() => Some((CandidateSource::Terms(*one), count)),
            // Sorting them for a page costs more than looking at about as many records as the page takes.
            _ if count > CANDIDATES_FEW_COUNT
                && limit.saturating_mul(self.records.len() / count) < count =>
            {
                None
            }
            all => {
                let found = all.iter().flat_map(|sought| sought.found(&self.terms, &[]));
                let mut keys: Vec<_> = found.cloned().collect();
                keys.sort_unstable();
                Some((CandidateSource::Keys(keys.into()), count))
            }
        }
    }

    /// Takes what is sought, if fewer records have it than what is there, and no more than `most`.
    fn improve(&self, best: &mut Option<(Vec<Sought>, usize)>, sought: Vec<Sought>, most: usize) {
        let most = best.as_ref().map_or(most, |(_, count)| *count);
        let found = sought
            .iter()
            .flat_map(|sought| sought.found(&self.terms, &[]));
        let count = found.take(most + 1).count();
        if count <= most {
            *best = Some((sought, count));
        }
    }

    /// The values of a field that match; none if there are too many to try.
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
            if number >= VALUES_MAX_COUNT {
                return None;
            }
            let pass = |value: &[u8]| pattern.is_match(value);
            if self.get(key)?.has_passing(kind, field, pass).ok()? {
                matching.push(value);
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
                CandidateSource::Keys(all) => {
                    let behind = all.partition_point(|key| **key < *start);
                    keys.extend(all.iter().skip(behind).take(count).cloned());
                }
                CandidateSource::Terms(sought) => {
                    keys.extend(sought.found(&self.terms, start).take(count).cloned());
                }
            }
        }
        keys.sort_unstable();
        keys.dedup();
        keys.truncate(count);
        keys
    }
}

/// About how much memory a record takes with its terms, in bytes.
fn taken(kept: &KeptRecord, terms: &[Term]) -> usize {
    kept.bytes() + terms.len() * TERM_BYTES
}

/// Where what passes some filters can be found. Whatever is found there is still matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidates {
    sources: Vec<CandidateSource>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum CandidateSource {
    /// The keys of records, in order; they may not exist.
    Keys(Arc<[Arc<[u8]>]>),
    /// What has one value, whose terms are in the order of the keys.
    Terms(Sought),
}
