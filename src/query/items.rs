//! The traversal: the records of one kind in one namespace, in order, a batch at a time.

use std::fmt;

use super::Records;
use super::cursor::Cursor;
use super::memory::{Candidates, KeptRecord, Memory};
use super::plan::{Plan, ids_after};
use super::shape::{Shape, Wanted};
use super::table::Table;
use crate::filter::Filters;
use crate::model::error::{Error, Result};
use crate::model::identifier::NamespaceName;
use crate::model::kind::{Kind, RecordId};
use crate::model::pin::{Resource, ResourceRef};
use crate::model::revision::Revision;
use crate::records::keys::{self, RecordKey};

/// The most records in one batch, and about the most bytes: few enough that the next batch is read into memory that is
/// still warm.
const BATCH_MAX_COUNT: usize = 64;
const BATCH_MAX_BYTES: usize = 64 * 1024;

/// A container or record that is damaged.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Damaged {
    /// Its id, as far as it can be read. Empty if a page is damaged, and it is unknown what is missing.
    pub id: String,
    /// What is wrong with it.
    pub error: Error,
}

impl Damaged {
    /// Receives what a lenient listing reports of one record.
    #[must_use]
    pub fn new(id: impl Into<String>, error: Error) -> Self {
        let id = id.into();
        Self { id, error }
    }
}

/// What is read: the matching records of one kind in one namespace.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) namespace: NamespaceName,
    pub(crate) kind: Kind,
    pub(crate) filters: Filters,
    /// The extensions to include in a header.
    pub(crate) extensions: Vec<String>,
    /// If given, only records that say that something holds this resource.
    pub(crate) pinning: Option<Resource>,
    /// If given, only records of higher revisions.
    pub(crate) changed_after: Option<Revision>,
    /// Where to look for what matches.
    pub(crate) plan: Plan,
}

impl Scope {
    /// Selects all records of a kind.
    pub(crate) fn all(namespace: &NamespaceName, kind: &Kind) -> Self {
        Self {
            namespace: namespace.clone(),
            kind: kind.clone(),
            filters: Filters::all(),
            extensions: Vec::new(),
            pinning: None,
            changed_after: None,
            plan: Plan::All,
        }
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            kind: &self.kind,
            filters: &self.filters,
            extensions: &self.extensions,
            pinning: self.pinning.as_ref().map(ResourceRef::from),
            changed_after: self.changed_after,
        }
    }
}

/// A few records, and where to continue.
pub(crate) struct Batch<T> {
    /// The records that match or are damaged, in order.
    items: Vec<Result<T, Damaged>>,
    size: usize,
    /// How many records were read from the file.
    read_count: usize,
    /// The most items in the batch.
    limit: usize,
    /// The id of the last record looked at, if there may be more after it.
    rest_after: Option<Vec<u8>>,
}

impl<T: Shape> Batch<T> {
    /// Reads the next records after `after`, at most `limit` of them.
    pub(crate) fn read(
        records: &Records<'_, impl Table>,
        scope: &Scope,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Self> {
        let mut batch = Self {
            items: Vec::with_capacity(limit.min(BATCH_MAX_COUNT)),
            size: 0,
            read_count: 0,
            limit: limit.min(BATCH_MAX_COUNT),
            rest_after: None,
        };
        let all_seen = match (&scope.plan, records.memory) {
            (Plan::Ids(ids), _) => batch.take_ids(records, scope, ids_after(ids, after)),
            (Plan::Candidates(candidates), Some(memory)) => {
                batch.take_candidates(records, memory, scope, candidates, after)
            }
            (_, Some(memory)) => batch.take_kept(records, memory, scope, after),
            (_, None) => batch.take_stored(records.table, scope, after),
        }?;
        if all_seen {
            batch.rest_after = None;
        }
        Ok(batch)
    }

    /// Ends the last batch with damage that cannot be attributed to a record.
    pub(crate) fn end_with(&mut self, damage: &Error) {
        if self.rest_after.is_none() {
            self.items.push(Err(Damaged::new("", damage.clone())));
        }
    }

    /// Returns how many records were read from the file.
    pub(crate) fn read_count(&self) -> usize {
        self.read_count
    }

    fn take_ids(
        &mut self,
        records: &Records<'_, impl Table>,
        scope: &Scope,
        ids: impl Iterator<Item = RecordId>,
    ) -> Result<bool> {
        for id in ids {
            if self.is_full() {
                return Ok(false);
            }
            let key = RecordKey::new(&scope.namespace, &scope.kind, &id);
            self.reach(id.as_str().as_bytes());
            self.read_count += usize::from(records.memory.is_none());
            let found = records.get(&key, &scope.wanted());
            self.take(id.as_str().as_bytes(), found)?;
        }
        Ok(true)
    }

    fn take_candidates(
        &mut self,
        records: &Records<'_, impl Table>,
        memory: &Memory,
        scope: &Scope,
        candidates: &Candidates,
        after: Option<&[u8]>,
    ) -> Result<bool> {
        let keys = keys::of_kind(&scope.namespace, &scope.kind, after);
        let found = memory.next_candidates(candidates, &keys.start, BATCH_MAX_COUNT);
        for key in &found {
            if self.is_full() {
                return Ok(false);
            }
            self.reach(keys::id_of(key));
            if let Some(record) = memory.get(key) {
                self.take_record(records, scope, record)?;
            }
        }
        Ok(found.len() < BATCH_MAX_COUNT)
    }

    fn take_kept(
        &mut self,
        records: &Records<'_, impl Table>,
        memory: &Memory,
        scope: &Scope,
        after: Option<&[u8]>,
    ) -> Result<bool> {
        let mut kept = memory.records_behind(&scope.namespace, &scope.kind, after);
        while !self.is_full() {
            let Some(record) = kept.next() else {
                return Ok(true);
            };
            self.take_record(records, scope, record)?;
            if self.is_full() {
                self.reach(keys::id_of(record.key()));
            }
        }
        Ok(false)
    }

    fn take_record(
        &mut self,
        records: &Records<'_, impl Table>,
        scope: &Scope,
        record: &KeptRecord,
    ) -> Result<()> {
        let want = scope.wanted();
        let found = match record.read(&want) {
            Some(found) => found,
            None => records.get_stored(record.key(), &want),
        };
        self.take(keys::id_of(record.key()), found)
    }

    fn take_stored(
        &mut self,
        table: &impl Table,
        scope: &Scope,
        after: Option<&[u8]>,
    ) -> Result<bool> {
        let keys = keys::of_kind(&scope.namespace, &scope.kind, after);
        let mut cursor = Cursor::new(table, keys)?;
        while cursor.has_more() {
            if self.is_full() {
                return Ok(false);
            }
            if let Some(group) = cursor.advance()? {
                self.read_count += 1;
                self.reach(group.id());
                self.take(group.id(), group.read(&scope.wanted()))?;
            }
        }
        Ok(true)
    }

    /// Continues after this id, as far as is known.
    fn reach(&mut self, id: &[u8]) {
        let last = self.rest_after.get_or_insert_default();
        last.clear();
        last.extend_from_slice(id);
    }

    fn is_full(&self) -> bool {
        self.items.len() >= self.limit || self.size >= BATCH_MAX_BYTES
    }

    /// Adds what was found under an id, if it matches, or reports it as damaged.
    fn take(&mut self, id: &[u8], found: Result<Option<T>>) -> Result<()> {
        match found {
            Ok(Some(item)) => {
                self.size += item.size();
                self.items.push(Ok(item));
            }
            Ok(None) => {}
            Err(error) if error.is_corrupt() => {
                let id = String::from_utf8_lossy(id).into_owned();
                let error = error.of(&id);
                self.items.push(Err(Damaged { id, error }));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Records one after the other; see [`Items`].
pub(crate) type Traversed<'a, T> = Box<dyn Iterator<Item = Result<Result<T, Damaged>>> + 'a>;

/// Records one after the other, read in batches by `read`. It gets where to continue, and how many records are wanted
/// at most.
///
/// A damaged record is an item. After an error there are no more items.
pub(crate) struct Items<T, F> {
    read: F,
    items: std::vec::IntoIter<Result<T, Damaged>>,
    after: Option<Vec<u8>>,
    /// How many more items are wanted.
    left: usize,
    has_more: bool,
}

impl<T, F> Items<T, F>
where
    F: FnMut(Option<&[u8]>, usize) -> Result<Batch<T>>,
{
    /// Iterates over at most `limit` records after the id `after`.
    pub(crate) fn new(after: Option<&str>, limit: usize, read: F) -> Self {
        Self {
            read,
            items: Vec::new().into_iter(),
            after: after.map(|id| id.as_bytes().to_vec()),
            left: limit,
            has_more: limit > 0,
        }
    }

    /// Iterates over all records.
    pub(crate) fn all(read: F) -> Self {
        Self::new(None, usize::MAX, read)
    }

    fn refill(&mut self) -> Result<()> {
        let batch = (self.read)(self.after.as_deref(), self.left)?;
        self.left = self.left.saturating_sub(batch.items.len());
        self.items = batch.items.into_iter();
        // A damaged tree must not lead in circles.
        let rest_after = batch.rest_after.filter(|id| self.after.as_ref() < Some(id));
        self.has_more = rest_after.is_some() && self.left > 0;
        self.after = rest_after;
        Ok(())
    }
}

impl<T, F> Iterator for Items<T, F>
where
    F: FnMut(Option<&[u8]>, usize) -> Result<Batch<T>>,
{
    type Item = Result<Result<T, Damaged>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.items.next() {
                return Some(Ok(item));
            }
            if !std::mem::take(&mut self.has_more) {
                return None;
            }
            if let Err(error) = self.refill() {
                return Some(Err(error));
            }
        }
    }
}

impl<T, F> fmt::Debug for Items<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items")
            .field("after", &self.after)
            .finish_non_exhaustive()
    }
}
