//! Records in memory: what the file holds, verified once and shared by all snapshots.
//!
//! A [`Memory`] belongs to one snapshot and has its content. A clone costs nothing. A write transaction changes its own
//! clone along with the tables, and a commit publishes both. A damaged record is not kept: each read of it goes to the
//! file, and finds the damage.

mod index;
mod kept;
mod shelves;
mod terms;

use std::sync::Arc;

use self::index::Index;
pub(super) use self::kept::KeptRecord;
pub(crate) use self::kept::NewRows;
use self::shelves::Records;
use self::terms::{Hashing, Sought, TERM_BYTES, Term};
use super::cursor::Cursor;
use super::table::Table;
use super::tree::Tree;
use crate::filter::{Filter, Filters, Pattern, Required};
use crate::model::error::{Error, Result};
use crate::model::field::Field;
use crate::model::identifier::NamespaceName;
use crate::model::kind::{Kind, RecordId};
use crate::model::pin::Resource;
use crate::records::keys;

/// The least number of records for each candidate; with fewer, looking at all of them in order is faster. Measured:
/// where one in five matched, counting by terms took nearly twice as long.
const RECORDS_PER_CANDIDATE_MIN: usize = 8;

/// This many candidates are always looked up.
const CANDIDATES_FEW_COUNT: usize = 64;

/// The most values on which a regular expression is tried, to find those that match.
const VALUES_MAX_COUNT: usize = 1_024;

/// Every record of a snapshot.
#[derive(Clone)]
pub(crate) struct Memory {
    records: Records,
    index: Index,
    hashing: Hashing,
    bytes: usize,
}

impl Memory {
    /// Loads all records of a table; `None` if they would take more than `max_bytes`.
    ///
    /// # Errors
    ///
    /// Fails if the table cannot be read, or its tree is damaged, since records after the damage might be missing. A
    /// damaged record is no error.
    pub(crate) fn load(table: &impl Table, max_bytes: usize) -> Result<Option<Self>> {
        let mut records = Vec::new();
        let (mut bytes, mut rows_count) = (0, 0);
        let mut cursor = Cursor::strict(table, keys::all_records())?;
        while let Some(group) = cursor.advance()? {
            rows_count += group.rows_count();
            let kept = KeptRecord::of(&group, None)?;
            bytes += taken(&kept);
            if bytes > max_bytes {
                return Ok(None);
            }
            records.push(Arc::new(kept));
        }
        if rows_count != table.rows_count()? {
            return Err(Error::corrupt(
                "the file is damaged: rows cannot be reached",
            ));
        }
        Ok(Some(Self {
            records: Records::from_sorted(records),
            index: Index::default(),
            hashing: Hashing::new(),
            bytes,
        }))
    }

    /// Returns about how much memory it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes the record whose own row has this key from the table.
    ///
    /// # Errors
    ///
    /// Fails if the table cannot be read. Damage of the record is no error.
    pub(crate) fn refresh(&mut self, table: &impl Table, key: &[u8]) -> Result<()> {
        let keys = key.to_vec()..keys::behind(key);
        let new = match Cursor::strict(table, keys)?.advance()? {
            Some(group) => Some(KeptRecord::of(&group, self.known_key(key))?),
            None => None,
        };
        self.exchange(key, new)
    }

    /// Takes a record as just written, whose own row has this key.
    ///
    /// # Errors
    ///
    /// `Corrupt` if the rows cannot be read, which cannot happen.
    pub(crate) fn put(&mut self, key: &[u8], rows: &NewRows<'_>) -> Result<()> {
        let key_kept = self.known_key(key).unwrap_or_else(|| key.into());
        let new = KeptRecord::of_new(key_kept, rows)?;
        self.exchange(key, Some(new))
    }

    /// Forgets the record whose own row has this key.
    ///
    /// # Errors
    ///
    /// `Corrupt` if the kept record cannot be read, which cannot happen.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Result<()> {
        self.exchange(key, None)
    }

    /// Returns the key that all revisions of a record share.
    fn known_key(&self, key: &[u8]) -> Option<Arc<[u8]>> {
        self.get(key).map(|kept| Arc::clone(kept.key()))
    }

    fn exchange(&mut self, key: &[u8], new: Option<KeptRecord>) -> Result<()> {
        if self.index.is_used() {
            let terms_of = |kept: Option<&KeptRecord>| {
                kept.map_or(Ok(Vec::new()), |kept| self.hashing.terms(kept))
            };
            let (old_terms, new_terms) = (terms_of(self.get(key))?, terms_of(new.as_ref())?);
            self.index.change(old_terms, new_terms, self.records.len());
        }
        let added = new.as_ref().map_or(0, taken);
        let old = match new {
            Some(new) => self.records.insert(new),
            None => self.records.remove(key),
        };
        let freed = old.map_or(0, |kept| taken(&kept));
        self.bytes = (self.bytes + added).saturating_sub(freed);
        Ok(())
    }

    fn terms(&self) -> Option<&Tree<Term>> {
        self.index.terms(&self.records, &self.hashing)
    }

    /// Returns the record whose own row has this key.
    pub(super) fn get(&self, key: &[u8]) -> Option<&KeptRecord> {
        self.records.get(key).map(Arc::as_ref)
    }

    /// Iterates over the records of a kind after the id `after`, in order.
    pub(super) fn records_behind<'m>(
        &'m self,
        namespace: &NamespaceName,
        kind: &Kind,
        after: Option<&[u8]>,
    ) -> impl Iterator<Item = &'m KeptRecord> + use<'m> {
        let prefix = keys::before_ids(namespace, kind);
        let start = keys::of_kind(namespace, kind, after).start;
        self.records.starting_at(&prefix, &start)
    }

    /// Returns where to look for records that may pass the filters; `None` if it is best to look at every record.
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
        // A damaged record might match, and must be reported.
        let mut sources = vec![CandidateSource::Terms(self.hashing.damaged(&prefix))];
        for filter in filters.iter() {
            let left = most.saturating_sub(count);
            let (source, of_filter) = self.fewest(&prefix, kind, filter, left, limit)?;
            count += of_filter;
            sources.push(source);
        }
        Some(Candidates { sources })
    }

    /// Returns where to look for records that say that something holds this resource.
    pub(crate) fn pinning(
        &self,
        namespace: &NamespaceName,
        kind: &Kind,
        held: &Resource,
    ) -> Option<Candidates> {
        self.terms()?;
        let prefix = keys::before_ids(namespace, kind);
        let mut sought = self.hashing.held(&prefix, held.into());
        // A damaged record might say so, and must be reported.
        sought.push(self.hashing.damaged(&prefix));
        let sources = sought.into_iter().map(CandidateSource::Terms).collect();
        Some(Candidates { sources })
    }

    /// Returns the requirement of a filter that the fewest records meet, and their number; `None` if they are more than
    /// `most`.
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
        // Trying a regular expression on all values is not worthwhile for a page, nor if there are few candidates.
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
            // Sorting them for a page costs more than looking at about as many records as the page has.
            _ if count > CANDIDATES_FEW_COUNT
                && limit.saturating_mul(self.records.len() / count) < count =>
            {
                None
            }
            all => {
                let terms = self.terms()?;
                let found = all.iter().flat_map(|sought| sought.found(terms, &[]));
                let mut keys: Vec<_> = found.cloned().collect();
                keys.sort_unstable();
                Some((CandidateSource::Keys(keys.into()), count))
            }
        }
    }

    /// Takes what is sought as the best, if fewer records have it than the best so far, and no more than `most`.
    fn improve(&self, best: &mut Option<(Vec<Sought>, usize)>, sought: Vec<Sought>, most: usize) {
        let Some(terms) = self.terms() else {
            return;
        };
        let most = best.as_ref().map_or(most, |(_, count)| *count);
        let found = sought.iter().flat_map(|sought| sought.found(terms, &[]));
        let count = found.take(most + 1).count();
        if count <= most {
            *best = Some((sought, count));
        }
    }

    /// Returns the values of a field that match; `None` if there are too many to try.
    ///
    /// Values with the same hash count as one. Of 1,024 values, two have the same hash with a probability of 3 in
    /// 10^14, and nobody can choose values so that they do.
    fn matching(
        &self,
        sought: Sought,
        kind: &Kind,
        field: &Field,
        pattern: &Pattern,
    ) -> Option<Vec<Sought>> {
        let mut matching = Vec::new();
        for (number, (value, key)) in sought.values(self.terms()?).enumerate() {
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

    /// Returns the next keys of candidates, from `start` on, at most `count` of them, in order.
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
                    let terms = self.terms();
                    let found = terms.map(|terms| sought.found(terms, start).take(count));
                    keys.extend(found.into_iter().flatten().cloned());
                }
            }
        }
        keys.sort_unstable();
        keys.dedup();
        keys.truncate(count);
        keys
    }
}

/// Returns about how much memory a record takes with its terms, in bytes.
fn taken(kept: &KeptRecord) -> usize {
    kept.bytes() + kept.terms_count() * TERM_BYTES
}

/// Where to find records that may pass some filters. Those found there must still be matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidates {
    sources: Vec<CandidateSource>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum CandidateSource {
    /// The keys of records, in order. The records may not exist.
    Keys(Arc<[Arc<[u8]>]>),
    /// The records with one value. Its terms are in the order of the keys.
    Terms(Sought),
}
