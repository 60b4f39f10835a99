//! Reads records in the order of their keys: from the file, or from memory if they are kept there.
//!
//! Everything that reads more than one record goes through [`Items`], a small batch at a time. This room uses `model`,
//! `filter`, `records` and `redb_file`. It never writes the file.

mod cursor;
mod items;
mod layer;
mod memory;
mod plan;
mod rows;
mod shape;
mod table;
mod tree;

use self::cursor::Cursor;
pub use self::items::Damaged;
pub(crate) use self::items::{Batch, Items, Scope, Traversed};
pub(crate) use self::layer::{Layer, LayerTable};
pub(crate) use self::memory::{Memory, NewRows};
pub(crate) use self::plan::Plan;
pub(crate) use self::rows::decode;
use self::shape::Wanted;
pub(crate) use self::shape::{Moment, Shape, WithHead};
pub(crate) use self::table::{Layered, Rows, Slice, StoredTable, Table};
use crate::filter::Filters;
use crate::model::error::Result;
use crate::model::identifier::NamespaceName;
use crate::model::kind::Kind;
use crate::records::keys::{self, RecordKey};
use crate::redb_file::fault::check_order;

/// Where records are read from.
pub(crate) struct Records<'a, T> {
    /// The table of the file.
    pub(crate) table: &'a T,
    /// The same records in memory, if they are kept there.
    pub(crate) memory: Option<&'a Memory>,
}

impl<'a, T: Table> Records<'a, T> {
    /// Reads from the file only.
    pub(crate) fn of(table: &'a T) -> Self {
        let memory = None;
        Self { table, memory }
    }

    /// Returns the record under a key, if there is one.
    pub(crate) fn whole<S: Shape>(&self, key: &RecordKey, kind: &Kind) -> Result<Option<S>> {
        self.with_extensions(key, kind, &[])
    }

    /// Returns the record under a key, if there is one. A header has these extensions.
    pub(crate) fn with_extensions<S: Shape>(
        &self,
        key: &RecordKey,
        kind: &Kind,
        extensions: &[String],
    ) -> Result<Option<S>> {
        let want = Wanted {
            kind,
            filters: &Filters::all(),
            extensions,
            pinning: None,
            changed_after: None,
        };
        self.get(key, &want)
    }

    /// Returns what is wanted of the record under a key, if there is one that matches.
    fn get<S: Shape>(&self, key: &RecordKey, want: &Wanted<'_>) -> Result<Option<S>> {
        match self.memory.map(|memory| memory.get(key.own())) {
            Some(None) => return Ok(None),
            Some(Some(record)) => {
                if let Some(read) = record.read(want) {
                    return read;
                }
            }
            None => {}
        }
        self.get_stored(key.own(), want)
    }

    /// Returns what is wanted of a record, from the file.
    fn get_stored<S: Shape>(&self, own: &[u8], want: &Wanted<'_>) -> Result<Option<S>> {
        let keys = own.to_vec()..keys::behind(own);
        match Cursor::new(self.table, keys)?.advance()? {
            Some(group) => group.read(want),
            None => Ok(None),
        }
    }
}

/// Returns the namespaces that have records, by looking at the first key of each. They may be any bytes.
pub(crate) fn used_namespaces(table: &impl Table) -> Result<Vec<Vec<u8>>> {
    names(table, Vec::new(), |key| {
        let name = keys::namespace_of(key);
        Some((name.to_vec(), keys::behind_namespace(name)))
    })
}

/// Returns the kinds of the records in a namespace, by looking at the first key of each. They may be any bytes.
pub(crate) fn used_kinds(table: &impl Table, namespace: &[u8]) -> Result<Vec<Vec<u8>>> {
    let all = keys::of_namespace(namespace, None);
    names(table, all.start, |key| {
        let kind = (key < all.end.as_slice()).then(|| keys::kind_of(key))?;
        let behind = keys::of_namespace(namespace, Some(kind)).start;
        Some((kind.to_vec(), behind))
    })
}

/// Returns the namespaces that have records, without invalid names.
pub(crate) fn known_namespaces(table: &impl Table) -> Result<Vec<NamespaceName>> {
    let used = used_namespaces(table)?.into_iter();
    let known = used.filter_map(|name| NamespaceName::new(String::from_utf8(name).ok()?).ok());
    Ok(known.collect())
}

/// Returns the kinds of the records in a namespace, without invalid ones.
pub(crate) fn known_kinds(table: &impl Table, name: &NamespaceName) -> Result<Vec<Kind>> {
    let used = used_kinds(table, name.as_str().as_bytes())?;
    let known = used.iter();
    let known = known.filter_map(|kind| Kind::stored(str::from_utf8(kind).ok()?).ok());
    Ok(known.collect())
}

/// Parses the first key from `start` on, then the first key from where `parse` says, and so on. Ends at the first key
/// that `parse` does not accept.
fn names(
    table: &impl Table,
    mut start: Vec<u8>,
    parse: impl Fn(&[u8]) -> Option<(Vec<u8>, Vec<u8>)>,
) -> Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    loop {
        let mut rows = table.rows(start.as_slice()..)?;
        let Some(row) = rows.next() else {
            return Ok(names);
        };
        let (key, _) = row?;
        check_order(key.value() >= start.as_slice())?;
        let Some((name, next)) = parse(key.value()) else {
            return Ok(names);
        };
        names.push(name);
        check_order(next > start)?;
        start = next;
    }
}
