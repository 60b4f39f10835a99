//! The traversal: the records of one kind in one namespace, in order, a batch at a time.

use std::fmt;

use super::cursor::{Cursor, Group};
use super::plan::{Plan, ids_after};
use super::shape::{Shape, Wanted};
use super::table::Table;
use crate::filter::Filters;
use crate::model::error::{Error, Result};
use crate::model::identifier::NamespaceName;
use crate::model::kind::Kind;
use crate::records::keys::{self, RecordKey};

/// Most records, and about how many bytes of them, that one batch holds: few enough that the next
/// batch is read into memory that is still warm.
const BATCH_MAX_COUNT: usize = 64;
const BATCH_MAX_BYTES: usize = 64 * 1024;

/// A container or record of which something stored is damaged.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Damaged {
    /// Its id, as far as it can be read.
    pub id: String,
    /// What is wrong with it.
    pub error: Error,
}

impl Damaged {
    /// What a lenient listing reports of one record.
    #[must_use]
    pub fn new(id: impl Into<String>, error: Error) -> Self {
        let id = id.into();
        Self { id, error }
    }
}

/// What is read: the records of one kind in one namespace that match.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) namespace: NamespaceName,
    pub(crate) kind: Kind,
    pub(crate) filters: Filters,
    /// Extensions that a header is to have.
    pub(crate) extensions: Vec<String>,
    /// Where to look for what matches.
    pub(crate) plan: Plan,
}

impl Scope {
    /// All records of a kind.
    pub(crate) fn all(namespace: &NamespaceName, kind: &Kind) -> Self {
        Self {
            namespace: namespace.clone(),
            kind: kind.clone(),
            filters: Filters::all(),
            extensions: Vec::new(),
            plan: Plan::All,
        }
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            kind: &self.kind,
            filters: &self.filters,
            extensions: &self.extensions,
        }
    }
}

/// A few records, and where to go on.
pub(crate) struct Batch<T> {
    /// What matched, or is damaged, in order.
    items: Vec<Result<T, Damaged>>,
    size: usize,
    /// The id of the last record looked at, if there may be more behind it.
    rest_after: Option<Vec<u8>>,
}

impl<T: Shape> Batch<T> {
    /// The next few records behind `after`, `limit` of them at most.
    pub(crate) fn read(
        table: &impl Table,
        scope: &Scope,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Self> {
        let (name, kind) = (&scope.namespace, &scope.kind);
        let most = match &scope.plan {
            Plan::Ids(ids) => ids.len(),
            Plan::All => BATCH_MAX_COUNT,
        };
        let mut batch = Self {
            items: Vec::with_capacity(most.min(limit).min(BATCH_MAX_COUNT)),
            size: 0,
            rest_after: None,
        };
        if let Plan::Ids(ids) = &scope.plan {
            for id in ids_after(ids, after) {
                if batch.is_full(limit) {
                    return Ok(batch);
                }
                batch.reach(id.as_str().as_bytes());
                let mut cursor = Cursor::new(table, RecordKey::new(name, kind, &id).all())?;
                if let Some(group) = cursor.advance()? {
                    batch.take(&group, scope)?;
                }
            }
        } else {
            let mut cursor = Cursor::new(table, keys::of_kind(name, kind, after))?;
            while cursor.has_more() {
                if batch.is_full(limit) {
                    return Ok(batch);
                }
                if let Some(group) = cursor.advance()? {
                    batch.reach(group.id());
                    batch.take(&group, scope)?;
                }
            }
        }
        batch.rest_after = None;
        Ok(batch)
    }

    /// What follows begins behind this id, as far as is known.
    fn reach(&mut self, id: &[u8]) {
        let last = self.rest_after.get_or_insert_default();
        last.clear();
        last.extend_from_slice(id);
    }

    fn is_full(&self, limit: usize) -> bool {
        self.items.len() >= limit.min(BATCH_MAX_COUNT) || self.size >= BATCH_MAX_BYTES
    }

    /// Adds a record, if it matches, or reports it as damaged.
    fn take(&mut self, group: &Group<'_>, scope: &Scope) -> Result<()> {
        match group.read::<T>(&scope.wanted()) {
            Ok(Some(item)) => {
                self.size += item.size();
                self.items.push(Ok(item));
            }
            Ok(None) => {}
            Err(error) if error.is_corrupt() => {
                let id = group.id_text();
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

/// Records one after the other, read batch by batch by `read`, which is given where to go on and how many
/// records are wanted at most.
///
/// A damaged record is an item of its own. After an error there are no more items.
pub(crate) struct Items<T, F> {
    read: F,
    items: std::vec::IntoIter<Result<T, Damaged>>,
    after: Option<Vec<u8>>,
    /// How many more are wanted.
    left: usize,
    has_more: bool,
}

impl<T, F> Items<T, F>
where
    F: FnMut(Option<&[u8]>, usize) -> Result<Batch<T>>,
{
    /// From behind the id `after`, `limit` of them at most.
    pub(crate) fn new(after: Option<&str>, limit: usize, read: F) -> Self {
        Self {
            read,
            items: Vec::new().into_iter(),
            after: after.map(|id| id.as_bytes().to_vec()),
            left: limit,
            has_more: limit > 0,
        }
    }

    /// All of them.
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
