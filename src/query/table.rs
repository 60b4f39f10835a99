//! A table that can be read: as the file has it, or with a layer of later rows on top.

use std::iter::Peekable;
use std::ops::{Bound, Deref, RangeBounds};
use std::sync::Arc;

use redb::{AccessGuard, ReadOnlyTable, ReadableTable, ReadableTableMetadata, TableStats};

use super::layer::{LayerRows, LayerTable};
use crate::model::error::Result;
use crate::redb_file::fault::OrFault;

type Guard<'t> = AccessGuard<'t, &'static [u8]>;

/// A table of the file, in a snapshot.
pub(crate) type StoredTable = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// A key or value in a table.
pub(crate) enum Slice<'t> {
    Stored(Guard<'t>),
    InMemory(&'t [u8]),
}

impl Slice<'_> {
    pub(crate) fn value(&self) -> &[u8] {
        match self {
            Self::Stored(guard) => guard.value(),
            Self::InMemory(bytes) => bytes,
        }
    }
}

/// A key, and its value.
pub(crate) type Pair<'t> = (Slice<'t>, Slice<'t>);

/// A table from bytes to bytes.
///
/// # Errors
///
/// All methods return what redb reports: `Corrupt`, `Io`.
pub(crate) trait Table {
    /// Returns the value under a key.
    fn row(&self, key: &[u8]) -> Result<Option<Slice<'_>>>;

    /// Returns the rows with these keys, in order.
    fn rows<'k>(&self, keys: impl RangeBounds<&'k [u8]>) -> Result<Rows<'_>>;

    /// Returns the last key.
    fn last_key(&self) -> Result<Option<Vec<u8>>>;

    /// Returns how many rows there are.
    fn rows_count(&self) -> Result<u64>;
}

impl<T: ReadableTable<&'static [u8], &'static [u8]> + ReadableTableMetadata> Table for T {
    fn row(&self, key: &[u8]) -> Result<Option<Slice<'_>>> {
        Ok(self.get(key).or_fault()?.map(Slice::Stored))
    }

    fn rows<'k>(&self, keys: impl RangeBounds<&'k [u8]>) -> Result<Rows<'_>> {
        Ok(Rows {
            stored: Peeked::of(self.range::<&[u8]>(bounds(&keys)).or_fault()?),
            layer: None,
        })
    }

    fn last_key(&self) -> Result<Option<Vec<u8>>> {
        let last = self.last().or_fault()?;
        Ok(last.map(|(key, _)| key.value().to_vec()))
    }

    fn rows_count(&self) -> Result<u64> {
        self.len().or_fault()
    }
}

/// A table of the file with a layer on top.
#[derive(Clone)]
pub(crate) struct Layered<L = Arc<LayerTable>> {
    pub(crate) stored: Arc<StoredTable>,
    pub(crate) layer: L,
}

impl<L: Deref<Target = LayerTable>> Layered<L> {
    /// Returns about how many rows there are, or more.
    pub(crate) fn rows_count_at_most(&self) -> Result<u64> {
        let stored = self.stored.len().or_fault()?;
        Ok(stored.saturating_add(self.layer.len() as u64))
    }

    /// Returns what redb says of the table of the file.
    pub(crate) fn stored_stats(&self) -> Result<TableStats> {
        self.stored.stats().or_fault()
    }
}

impl<L: Deref<Target = LayerTable>> Table for Layered<L> {
    fn row(&self, key: &[u8]) -> Result<Option<Slice<'_>>> {
        match self.layer.get(key) {
            Some(value) => Ok(value.map(Slice::InMemory)),
            None => self.stored.row(key),
        }
    }

    fn rows<'k>(&self, keys: impl RangeBounds<&'k [u8]>) -> Result<Rows<'_>> {
        if self.layer.len() == 0 {
            return self.stored.rows(bounds(&keys));
        }
        let (asked, end) = bounds(&keys);
        let behind_gap = self.layer.end_of_gap(asked);
        let start = behind_gap.as_deref().map_or(asked, Bound::Included);
        let mut rows = self.stored.rows((start, end))?;
        let starting = self.layer.starting_at(|key| match start {
            Bound::Unbounded => false,
            Bound::Included(start) => key < start,
            Bound::Excluded(start) => key <= start,
        });
        rows.layer = Some(Later {
            rows: starting.peekable(),
            end: end.map(<[u8]>::to_vec),
            passed: Some(Passed {
                table: &self.layer,
                start: asked.map(<[u8]>::to_vec),
                removed_count: 0,
            }),
        });
        Ok(rows)
    }

    fn last_key(&self) -> Result<Option<Vec<u8>>> {
        let written = self.layer.rows().filter(|(_, value)| value.is_some());
        let last = written.map(|(key, _)| key).last();
        for row in self.stored.range::<&[u8]>(..).or_fault()?.rev() {
            let (key, _) = row.or_fault()?;
            if self.layer.get(key.value()) != Some(None) {
                return Ok(last.max(Some(key.value())).map(<[u8]>::to_vec));
            }
        }
        Ok(last.map(<[u8]>::to_vec))
    }

    fn rows_count(&self) -> Result<u64> {
        let mut count = self.stored.len().or_fault()?;
        for (key, value) in self.layer.rows() {
            match (self.stored.get(key).or_fault()?.is_some(), value.is_some()) {
                (false, true) => count = count.saturating_add(1),
                (true, false) => count = count.saturating_sub(1),
                _ => {}
            }
        }
        Ok(count)
    }
}

fn bounds<'k>(keys: &impl RangeBounds<&'k [u8]>) -> (Bound<&'k [u8]>, Bound<&'k [u8]>) {
    (keys.start_bound().cloned(), keys.end_bound().cloned())
}

/// Rows in the order of their keys.
pub(crate) struct Rows<'t> {
    stored: Peeked<'t>,
    layer: Option<Later<'t>>,
}

/// The rows of a layer, up to a bound.
struct Later<'t> {
    rows: Peekable<LayerRows<'t>>,
    end: Bound<Vec<u8>>,
    /// What is before the first row, until it is found.
    passed: Option<Passed<'t>>,
}

/// Removed rows that were passed over.
struct Passed<'t> {
    table: &'t LayerTable,
    /// Where it began.
    start: Bound<Vec<u8>>,
    removed_count: usize,
}

/// How many removed rows are worth to be noted; in tests, a few.
const GAP_MIN_COUNT: usize = if cfg!(test) { 2 } else { 64 };

impl<'t> Later<'t> {
    /// Returns the next key within the bound.
    fn peek(&mut self) -> Option<&'t [u8]> {
        let key: &'t [u8] = &self.rows.peek()?.key;
        match &self.end {
            Bound::Unbounded => true,
            Bound::Included(end) => key <= end.as_slice(),
            Bound::Excluded(end) => key < end.as_slice(),
        }
        .then_some(key)
    }

    /// Returns the next row of these and those of the file.
    fn next_over(&mut self, stored: &mut Peeked<'t>) -> Option<Result<Pair<'t>>> {
        loop {
            let Some(later) = self.peek() else {
                return stored.next();
            };
            match stored.peek() {
                Some(Err(())) => return stored.next(),
                Some(Ok(key)) if key < later => return stored.next(),
                Some(Ok(key)) if key == later => drop(stored.next()),
                Some(Ok(_)) | None => {}
            }
            let row = self.rows.next()?;
            if let Some(value) = &row.value {
                return Some(Ok((Slice::InMemory(&row.key), Slice::InMemory(value))));
            }
            if let Some(passed) = &mut self.passed {
                passed.removed_count = passed.removed_count.saturating_add(1);
            }
        }
    }

    /// Notes what was passed over until the first row was found.
    fn found(&mut self, first: Option<&Result<Pair<'t>>>) {
        let Some(passed) = self.passed.take() else {
            return;
        };
        if passed.removed_count < GAP_MIN_COUNT {
            return;
        }
        let end = match (first, &self.end) {
            (Some(Ok((key, _))), _) => key.value(),
            (None, Bound::Excluded(end)) => end,
            _ => return,
        };
        let start = match passed.start {
            Bound::Unbounded => Vec::new(),
            Bound::Included(start) => start,
            Bound::Excluded(mut start) => {
                start.push(0); // The key after it.
                start
            }
        };
        passed.table.note_gap(&start..end);
    }
}

impl<'t> Iterator for Rows<'t> {
    type Item = Result<Pair<'t>>;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(layer) = &mut self.layer else {
            return self.stored.next();
        };
        let next = layer.next_over(&mut self.stored);
        layer.found(next.as_ref());
        next
    }
}

/// The rows of the file.
struct Peeked<'t> {
    range: redb::Range<'t, &'static [u8], &'static [u8]>,
    /// The next one, once it was looked at.
    next: Option<Option<Result<(Guard<'t>, Guard<'t>)>>>,
}

impl<'t> Peeked<'t> {
    fn of(range: redb::Range<'t, &'static [u8], &'static [u8]>) -> Self {
        Self { range, next: None }
    }

    fn read(&mut self) -> Option<Result<(Guard<'t>, Guard<'t>)>> {
        self.range.next().map(OrFault::or_fault)
    }

    /// Returns the next key, or whether it cannot be read.
    fn peek(&mut self) -> Option<std::result::Result<&[u8], ()>> {
        if self.next.is_none() {
            self.next = Some(self.read());
        }
        match self.next.as_ref()?.as_ref()? {
            Ok((key, _)) => Some(Ok(key.value())),
            Err(_) => Some(Err(())),
        }
    }

    fn next(&mut self) -> Option<Result<Pair<'t>>> {
        let next = match self.next.take() {
            Some(next) => next,
            None => self.read(),
        };
        next.map(|row| row.map(|(key, value)| (Slice::Stored(key), Slice::Stored(value))))
    }
}
