//! The cursor: reads record after record, each with its rows.

use std::ops::Range;

use super::rows::{self, Sealed};
use super::shape::{Shape, Wanted};
use super::table::{Pair, Rows, Slice, Table};
use crate::model::error::{Error, Result};
use crate::records::keys::{self, Part};
use crate::redb_file::fault::check_order;

/// A cursor over the rows of records.
pub(super) struct Cursor<'t, T: Table> {
    table: &'t T,
    rows: Rows<'t>,
    next: Option<Pair<'t>>,
    keys: Range<Vec<u8>>,
    /// Whether damage of the tree ends the traversal, instead of being reported for one record.
    is_strict: bool,
}

impl<'t, T: Table> Cursor<'t, T> {
    /// Creates a cursor before the first record of these keys.
    pub(super) fn new(table: &'t T, keys: Range<Vec<u8>>) -> Result<Self> {
        let rows = table.rows(keys.start.as_slice()..keys.end.as_slice())?;
        let mut cursor = Self {
            table,
            rows,
            next: None,
            keys,
            is_strict: false,
        };
        cursor.find_first()?;
        Ok(cursor)
    }

    /// Creates a cursor that ends at damage of the tree, since records after it may be missing.
    pub(super) fn strict(table: &'t T, keys: Range<Vec<u8>>) -> Result<Self> {
        let mut cursor = Self::new(table, keys)?;
        cursor.is_strict = true;
        Ok(cursor)
    }

    /// Whether there is another record.
    pub(super) fn has_more(&self) -> bool {
        self.next.is_some()
    }

    /// Returns the rows of the next record, complete or not.
    pub(super) fn advance(&mut self) -> Result<Option<Group<'t>>> {
        let Some((key, value)) = self.next.take() else {
            return Ok(None);
        };
        let mut group = Group::of(key.value());
        match self.collect(&mut group, (key, value)) {
            Err(error) if error.is_corrupt() && !self.is_strict => {
                // What follows may be readable.
                if self.seek_behind(&group).is_err() {
                    return Err(error.of(group.id_text()));
                }
                group.damage = Some(error);
            }
            other => other?,
        }
        Ok(Some(group))
    }

    /// Takes the rows of one record, from its first row on.
    fn collect(&mut self, group: &mut Group<'t>, first: Pair<'t>) -> Result<()> {
        let mut pair = first;
        loop {
            let next = self.rows.next().transpose()?;
            if let Some((key, _)) = &next {
                let (before, key) = (pair.0.value(), key.value());
                check_order(before < key && key < self.keys.end.as_slice())?;
            }
            let (key, value) = pair;
            group.take(key.value(), value);
            match next {
                Some(next) if group.has(next.0.value()) => pair = next,
                next => {
                    self.next = next;
                    return Ok(());
                }
            }
        }
    }

    /// Goes to the first row after a record.
    fn seek_behind(&mut self, group: &Group<'_>) -> Result<()> {
        self.keys.start = keys::behind(&group.own);
        if self.keys.start >= self.keys.end {
            return Ok(());
        }
        let keys = self.keys.start.as_slice()..self.keys.end.as_slice();
        self.rows = self.table.rows(keys)?;
        self.find_first()
    }

    fn find_first(&mut self) -> Result<()> {
        let next = self.rows.next().transpose()?;
        if let Some((key, _)) = &next {
            let key = key.value();
            check_order(key >= self.keys.start.as_slice() && key < self.keys.end.as_slice())?;
        }
        self.next = next;
        Ok(())
    }
}

fn value_of<'g>(value: &'g Option<Slice<'_>>) -> Option<&'g [u8]> {
    value.as_ref().map(|value| value.value())
}

/// The rows of one record, as they are in the file.
pub(super) struct Group<'t> {
    /// The key of its own row, whether that row exists or not.
    own: Vec<u8>,
    id_at: usize,
    row: Option<Slice<'t>>,
    parts: [Option<Slice<'t>>; Part::ALL.len()],
    rows_count: u64,
    damage: Option<Error>,
}

impl<'t> Group<'t> {
    /// Starts an empty group for the record that a key belongs to.
    fn of(key: &[u8]) -> Self {
        let own = key.get(..keys::own_bytes(key)).unwrap_or(key).to_vec();
        Self {
            id_at: keys::before_id(&own).len(),
            own,
            row: None,
            parts: Default::default(),
            rows_count: 0,
            damage: None,
        }
    }

    /// Returns how many rows it has in the table.
    pub(super) fn rows_count(&self) -> u64 {
        self.rows_count
    }

    /// Returns the key of its own row.
    pub(super) fn own(&self) -> &[u8] {
        &self.own
    }

    pub(super) fn id(&self) -> &[u8] {
        self.own.get(self.id_at..).unwrap_or_default()
    }

    /// Returns the id, as far as it can be read.
    pub(super) fn id_text(&self) -> String {
        String::from_utf8_lossy(self.id()).into_owned()
    }

    /// Whether a key belongs to it.
    fn has(&self, key: &[u8]) -> bool {
        key.get(..keys::own_bytes(key)) == Some(&self.own)
    }

    fn take(&mut self, key: &[u8], value: Slice<'t>) {
        self.rows_count += 1;
        let suffix = key.get(self.own.len()..).unwrap_or_default();
        if suffix.is_empty() {
            self.row = Some(value);
            return;
        }
        let place = Part::of_suffix(suffix).and_then(|part| self.parts.get_mut(part.place()));
        match place {
            Some(place) => *place = Some(value),
            None => {
                let what = "the record has a row of an unknown kind";
                self.damage.get_or_insert_with(|| Error::corrupt(what));
            }
        }
    }

    /// Reads the record into a shape, if it matches.
    ///
    /// # Errors
    ///
    /// `Corrupt` if a part that is needed is damaged, or a row is not the record's.
    pub(super) fn read<S: Shape>(&self, want: &Wanted<'_>) -> Result<Option<S>> {
        rows::read(&self.rows()?, want)
    }

    /// Returns its rows.
    ///
    /// # Errors
    ///
    /// `Corrupt` if its own row is missing, or it has rows that no record can have.
    pub(super) fn rows(&self) -> Result<Sealed<'_>> {
        if let Some(damage) = &self.damage {
            return Err(damage.clone());
        }
        let Some(row) = &self.row else {
            return Err(Error::corrupt("the record has no row of its own"));
        };
        Ok(Sealed {
            own: &self.own,
            id: self.id(),
            row: row.value(),
            parts: self.parts.each_ref().map(value_of),
        })
    }
}
