//! Rows on top of the tables of the file: what the log has, and the file not yet.
//!
//! A clone costs nothing ([`Tree`]). So each snapshot has its own, while commits add rows.

use std::cmp::Ordering;
use std::ops::{Bound, Range};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::tree::{self, Tree};
use crate::records::keys::TableCode;

/// A row that was written, or removed, after the file's tables.
#[derive(Clone, Debug)]
pub(super) struct LayerRow {
    pub(super) key: Bytes,
    /// `None` if the row was removed.
    pub(super) value: Option<Bytes>,
    /// The number of the commit that did it.
    commit: u64,
}

impl PartialEq for LayerRow {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for LayerRow {}

impl PartialOrd for LayerRow {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for LayerRow {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

/// The rows on top of one table.
#[derive(Clone, Default)]
pub(crate) struct LayerTable {
    rows: Tree<LayerRow>,
    /// How many more rows were added than removed, in a table whose rows are counted.
    change: i64,
    gap: Gap,
}

/// The last long range of keys in which a reader found removed rows only, on top of the same table of the file.
///
/// Whoever lists a page, deletes it, and lists the next one would otherwise pass over all that it has deleted, each time.
#[derive(Default)]
struct Gap(Mutex<Option<Box<Range<Bytes>>>>);

impl Clone for Gap {
    fn clone(&self) -> Self {
        let range = self.0.try_lock().ok().and_then(|range| range.clone());
        Self(Mutex::new(range))
    }
}

impl LayerTable {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Writes a row, or removes it, by the commit with this number.
    pub(crate) fn put(&mut self, key: &[u8], value: Option<&[u8]>, commit: u64) {
        let gap = self.gap.0.get_mut();
        if let (Some(_), Ok(gap)) = (value, gap) {
            // It ends before the new row.
            *gap = gap.take().and_then(|range| match key < range.end {
                true => {
                    (range.start < key).then(|| Box::new(range.start..Bytes::copy_from_slice(key)))
                }
                false => Some(range),
            });
        }
        self.rows.insert(LayerRow {
            key: Bytes::copy_from_slice(key),
            value: value.map(Bytes::copy_from_slice),
            commit,
        });
    }

    /// Notes that the table has so many rows more, or fewer.
    pub(crate) fn count(&mut self, change: i64) {
        self.change = self.change.saturating_add(change);
    }

    /// Returns how many more rows the table has than that of the file, if everything was counted.
    pub(crate) fn change(&self) -> i64 {
        self.change
    }

    /// Returns the value of a row, or `None` for a removed one; `None` if it is as the file has it.
    pub(super) fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        let row = self.rows.get(|row| (*row.key).cmp(key))?;
        Some(row.value.as_deref())
    }

    /// Notes that no row has a key in this range. To be called by readers of the table of the file with this layer on top.
    pub(super) fn note_gap(&self, keys: Range<&[u8]>) {
        // It only saves time: nobody waits for it.
        if let Ok(mut gap) = self.gap.0.try_lock() {
            let start = match &*gap {
                Some(known) if known.start <= keys.start && keys.start <= known.end => {
                    known.start.clone()
                }
                _ => Bytes::copy_from_slice(keys.start),
            };
            *gap = Some(Box::new(start..Bytes::copy_from_slice(keys.end)));
        }
    }

    /// Returns the end of the known range without rows that rows from this bound on would begin in.
    pub(super) fn end_of_gap(&self, start: Bound<&[u8]>) -> Option<Bytes> {
        let key = match start {
            Bound::Included(key) | Bound::Excluded(key) => key,
            Bound::Unbounded => &[],
        };
        let gap = self.gap.0.try_lock().ok()?;
        let known = gap
            .as_ref()
            .filter(|known| known.start <= key && key < known.end)?;
        Some(known.end.clone())
    }

    /// Iterates over the rows, in order, from the first one for which `is_before` is false.
    pub(super) fn starting_at(&self, is_before: impl Fn(&[u8]) -> bool) -> LayerRows<'_> {
        self.rows.starting_at(|row| is_before(&row.key))
    }

    /// Iterates over all rows, in order, removed ones without a value.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let rows = self.starting_at(|_| false);
        rows.map(|row| (&*row.key, row.value.as_deref()))
    }

    /// Returns the rows of later commits. `before` is this table as that commit left it.
    fn after(&self, commit: u64, before: &Self) -> Self {
        let rows = self.rows.starting_at(|_| false);
        let later = rows.filter(|row| row.commit > commit).cloned();
        Self {
            rows: Tree::from_sorted(later.collect()),
            change: self.change.saturating_sub(before.change),
            gap: Gap::default(),
        }
    }
}

pub(super) type LayerRows<'l> = tree::Iter<'l, LayerRow>;

/// The rows on top of all tables.
#[derive(Clone, Default)]
pub(crate) struct Layer {
    /// In the order of [`TableCode::ALL`].
    tables: [Arc<LayerTable>; TableCode::ALL.len()],
    /// The number of the last commit that it has, or that the file has.
    commit: u64,
}

impl Layer {
    /// Makes the layer of these tables, in the order of [`TableCode::ALL`], as the commit with this number left them.
    pub(crate) fn new(tables: [LayerTable; TableCode::ALL.len()], commit: u64) -> Self {
        Self {
            tables: tables.map(Arc::new),
            commit,
        }
    }

    /// Makes the layer on top of a file that has all commits up to the one with this number.
    pub(crate) fn empty(commit: u64) -> Self {
        Self {
            commit,
            ..Self::default()
        }
    }

    /// Returns the number of the last commit that it has, or that the file has.
    pub(crate) fn commit(&self) -> u64 {
        self.commit
    }

    pub(crate) fn table(&self, code: TableCode) -> &Arc<LayerTable> {
        let [records, namespaces, meta, tombstones] = &self.tables;
        match code {
            TableCode::Records => records,
            TableCode::Namespaces => namespaces,
            TableCode::Meta => meta,
            TableCode::Tombstones => tombstones,
        }
    }

    /// Returns the rows of commits after `before`, which is this layer as the commit with that number left it.
    pub(crate) fn after(&self, before: &Self) -> Self {
        let after = |code| self.table(code).after(before.commit, before.table(code));
        Self::new(TableCode::ALL.map(after), self.commit)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ops::Bound;
    use std::sync::Arc;

    use proptest::prelude::*;
    use redb::backends::InMemoryBackend;
    use redb::{Database, ReadableDatabase};

    use super::*;
    use crate::query::{Layered, StoredTable, Table};

    type Model = BTreeMap<Vec<u8>, Vec<u8>>;

    /// Rows, and removals.
    type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

    /// The table is readable while the database lives.
    fn stored(rows: &Model) -> (Database, Arc<StoredTable>) {
        let db = Database::builder();
        let db = db.create_with_backend(InMemoryBackend::new()).unwrap();
        let definition = TableCode::Records.table();
        let txn = db.begin_write().unwrap();
        {
            let mut table = txn.open_table(definition).unwrap();
            for (key, value) in rows {
                table.insert(key.as_slice(), value.as_slice()).unwrap();
            }
        }
        txn.commit().unwrap();
        let table = db.begin_read().unwrap().open_table(definition).unwrap();
        (db, Arc::new(table))
    }

    fn put(layer: &mut LayerTable, model: &mut Model, changes: &Changes, commit: u64) {
        for (key, value) in changes {
            let was_there = match value {
                Some(value) => model.insert(key.clone(), value.clone()).is_some(),
                None => model.remove(key).is_some(),
            };
            layer.put(key, value.as_deref(), commit);
            layer.count(i64::from(value.is_some()) - i64::from(was_there));
        }
    }

    #[track_caller]
    fn assert_holds(table: &Layered, model: &Model, probes: &[Vec<u8>]) {
        let all = |rows: crate::query::Rows<'_>| -> Vec<(Vec<u8>, Vec<u8>)> {
            let rows = rows.map(Result::unwrap);
            rows.map(|(key, value)| (key.value().to_vec(), value.value().to_vec()))
                .collect()
        };
        let copied = |rows: std::collections::btree_map::Range<'_, Vec<u8>, Vec<u8>>| {
            rows.map(|(key, value)| (key.clone(), value.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            all(table.rows(..).unwrap()),
            copied(model.range::<Vec<u8>, _>(..))
        );
        assert_eq!(table.rows_count().unwrap(), model.len() as u64);
        assert!(table.rows_count_at_most().unwrap() >= model.len() as u64);
        let last = model.last_key_value().map(|(key, _)| key.clone());
        assert_eq!(table.last_key().unwrap(), last);
        for from in probes {
            let row = table.row(from).unwrap();
            let value = row.map(|value| value.value().to_vec());
            assert_eq!(value.as_ref(), model.get(from));
            for to in probes.iter().filter(|to| *to > from) {
                assert_eq!(
                    all(table.rows(from.as_slice()..to.as_slice()).unwrap()),
                    copied(model.range(from.clone()..to.clone()))
                );
                let open = (
                    Bound::Excluded(from.as_slice()),
                    Bound::Included(to.as_slice()),
                );
                let model =
                    model.range((Bound::Excluded(from.clone()), Bound::Included(to.clone())));
                assert_eq!(all(table.rows(open).unwrap()), copied(model));
            }
        }
    }

    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(0_u8..3, 0..4)
    }

    fn changes() -> impl Strategy<Value = Changes> {
        let value = prop::option::of(prop::collection::vec(any::<u8>(), 0..3));
        prop::collection::btree_map(key(), value, 0..30)
    }

    #[test]
    fn removed_rows_are_passed_over_once_and_a_new_row_among_them_is_found() {
        let key = |number: u8| vec![b'k', number];
        let model: Model = (0..10).map(|number| (key(number), vec![number])).collect();
        let (_db, table) = stored(&model);
        let mut layer = LayerTable::default();
        for number in 0..7 {
            layer.put(&key(number), None, 1);
        }
        let first = |layer: &LayerTable, from: &[u8]| {
            let table = Layered {
                stored: Arc::clone(&table),
                layer: Arc::new(layer.clone()),
            };
            let found = table.rows(from..).unwrap().next().unwrap().unwrap();
            (found.0.value().to_vec(), LayerTable::clone(&table.layer))
        };
        let gap_from = |layer: &LayerTable, from: &[u8]| {
            let end = layer.end_of_gap(Bound::Included(from));
            end.map(|end| end.to_vec())
        };
        assert_eq!(gap_from(&layer, b"k"), None);
        let (found, mut layer) = first(&layer, b"k");
        assert_eq!(found, key(7));
        assert_eq!(gap_from(&layer, b"k"), Some(key(7)));
        assert_eq!(gap_from(&layer, &key(3)), Some(key(7)));
        assert_eq!(gap_from(&layer, &key(7)), None);
        assert_eq!(gap_from(&layer, b"j"), None);
        // It grows with what is removed behind it.
        layer.put(&key(7), None, 2);
        layer.put(&key(8), None, 2);
        let (found, mut layer) = first(&layer, &key(1));
        assert_eq!(found, key(9));
        assert_eq!(gap_from(&layer, b"k"), Some(key(9)));
        layer.put(&key(3), Some(b"new"), 3);
        assert_eq!(gap_from(&layer, b"k"), Some(key(3)));
        assert_eq!(first(&layer, b"k").0, key(3));
        layer.put(b"k", Some(b"new"), 3);
        assert_eq!(gap_from(&layer, b"k"), None);
        assert_eq!(first(&layer, b"k").0, b"k");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// A checkpoint writes what the first commit left, while the second one was made.
        #[test]
        fn a_table_with_a_layer_is_the_table_that_has_its_rows(
            start in prop::collection::btree_map(key(), prop::collection::vec(any::<u8>(), 0..3), 0..40),
            first in changes(),
            second in changes(),
            probes in prop::collection::vec(key(), 0..6),
        ) {
            let mut model = start.clone();
            let mut layer = LayerTable::default();
            let (_db, table) = stored(&start);
            let before = Layered { stored: table, layer: Arc::new(layer.clone()) };
            assert_holds(&before, &model, &probes);
            put(&mut layer, &mut model, &first, 1);
            // What this notes of gaps must hold when more is written.
            let noted = Layered { stored: Arc::clone(&before.stored), layer: Arc::new(layer) };
            assert_holds(&noted, &model, &probes);
            let mut layer = LayerTable::clone(&noted.layer);
            let after_first = (layer.clone(), model.clone());
            put(&mut layer, &mut model, &second, 2);
            let count = start.len() as i64 + layer.change();
            prop_assert_eq!(count, model.len() as i64);
            let table = Layered { stored: before.stored, layer: Arc::new(layer) };
            assert_holds(&table, &model, &probes);
            let rest = table.layer.after(1, &after_first.0);
            prop_assert_eq!(after_first.1.len() as i64 + rest.change(), model.len() as i64);
            let (_db, table) = stored(&after_first.1);
            let table = Layered { stored: table, layer: Arc::new(rest) };
            assert_holds(&table, &model, &probes);
        }
    }
}
