//! The commits after a damaged frame. Only salvage applies them.
//!
//! At least one commit before them is lost. If they wrote a record completely, it is what was stored last. If they
//! wrote only part of a record, other parts may be lost: the record is changed only if its rows fit together.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use redb::ReadableTable;

use crate::model::error::Result;
use crate::model::kind::Kind;
use crate::records::head::OwnRow;
use crate::records::keys::{self, Part, Row, TableCode, Writable};
use crate::records::seal::unseal;
use crate::redb_file::fault::OrFault;
use crate::session::log::changes::RowChange;

/// What the commits after the damage did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Behind {
    /// How many there are.
    pub(crate) commits: u64,
    /// The own keys of the records that were not changed, since their rows did not fit together.
    pub(crate) left: Vec<Vec<u8>>,
}

/// The tables of a store.
pub(crate) struct Tables<'a, 't> {
    pub(crate) records: &'a mut Writable<'t>,
    pub(crate) namespaces: &'a mut Writable<'t>,
    pub(crate) meta: &'a mut Writable<'t>,
}

/// The last value of each row; `None` if it was removed.
type LastRows<'b> = BTreeMap<&'b [u8], Option<&'b [u8]>>;

/// Applies rows although earlier ones may be lost. Returns the own keys of the records that are not changed.
///
/// A namespace is kept while it has records.
pub(crate) fn apply<'b>(
    rows: impl Iterator<Item = Result<RowChange<'b>>>,
    tables: &mut Tables<'_, '_>,
) -> Result<Vec<Vec<u8>>> {
    let mut records: BTreeMap<&[u8], LastRows<'_>> = BTreeMap::new();
    let mut namespaces = LastRows::new();
    for row in rows {
        let row = row?;
        match (row.table, row.value) {
            (TableCode::Records, value) => {
                let own = row.key.get(..keys::own_bytes(row.key));
                let record = records.entry(own.unwrap_or(row.key)).or_default();
                record.insert(row.key, value);
            }
            (TableCode::Namespaces, value) => {
                namespaces.insert(row.key, value);
            }
            (TableCode::Meta, Some(value)) => {
                tables.meta.insert(row.key, value).or_fault()?;
            }
            // A salvaged store has its own history, in which nothing was deleted.
            (TableCode::Meta, None) | (TableCode::Tombstones, _) => {}
        }
    }
    let mut left = Vec::new();
    for (own, rows) in records {
        if !apply_to_record(own, &rows, tables.records)? {
            left.push(own.to_vec());
        }
    }
    for (name, value) in namespaces {
        if let Some(value) = value {
            tables.namespaces.insert(name, value).or_fault()?;
            continue;
        }
        let keys = keys::of_namespace(name, None);
        let mut used = tables.records.range(keys_of(&keys)).or_fault()?;
        if used.next().is_none() {
            tables.namespaces.remove(name).or_fault()?;
        }
    }
    Ok(left)
}

/// Changes one record. Returns false if its rows would not fit together.
fn apply_to_record(own: &[u8], changes: &LastRows<'_>, table: &mut Writable<'_>) -> Result<bool> {
    let keys = own.to_vec()..keys::behind(own);
    let mut rows: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for row in table.range(keys_of(&keys)).or_fault()? {
        let (key, value) = row.or_fault()?;
        rows.insert(key.value().to_vec(), value.value().to_vec());
    }
    for (key, value) in changes {
        match value {
            Some(value) => rows.insert(key.to_vec(), value.to_vec()),
            None => rows.remove(*key),
        };
    }
    if changes.get(own) == Some(&None) {
        // It was deleted, including any rows that the lost commits may have added.
        rows.clear();
    } else if !fit(own, &mut rows) {
        return Ok(false);
    }
    table
        .retain_in(keys_of(&keys), |key, _| rows.contains_key(key))
        .or_fault()?;
    for (key, value) in &rows {
        table.insert(key.as_slice(), value.as_slice()).or_fault()?;
    }
    Ok(true)
}

/// Whether the rows are exactly those that the record's own row names. Other rows, which a lost commit removed, are
/// dropped from `rows` first.
fn fit(own: &[u8], rows: &mut BTreeMap<Vec<u8>, Vec<u8>>) -> bool {
    let known = || {
        let kind = Kind::stored(str::from_utf8(Row::parse(own)?.kind).ok()?).ok()?;
        let content = unseal(own, rows.get(own)?).ok()?;
        let seals = OwnRow::decode(&kind, content).ok()?.head.seals;
        Some((kind, seals))
    };
    let Some((kind, seals)) = known() else {
        return false;
    };
    Part::ALL.into_iter().all(|part| {
        let key = [own, &part.suffix()].concat();
        match (seals.get(part), rows.entry(key)) {
            (None, Entry::Occupied(row)) => {
                row.remove();
                true
            }
            (_, Entry::Occupied(row)) => seals.check(&kind, part, Some(row.get())).is_ok(),
            (seal, Entry::Vacant(_)) => seal.is_none(),
        }
    })
}

fn keys_of(keys: &std::ops::Range<Vec<u8>>) -> std::ops::Range<&[u8]> {
    keys.start.as_slice()..keys.end.as_slice()
}
