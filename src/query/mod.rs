//! Reading records: one cursor over adjacent keys, and one ordered traversal over it.
//!
//! Everything that reads more than one record stands on [`Items`]: lists, counts, the check, dumps, salvage. A
//! batch of a few records is read at a time, decoding no more than is asked for. Nothing here writes.

mod cursor;
pub(crate) mod index;
mod items;
mod plan;
mod rows;
mod shape;
mod table;

use self::cursor::Cursor;
pub use self::items::Damaged;
pub(crate) use self::items::{Batch, Items, Scope, Traversed};
pub(crate) use self::plan::Plan;
pub(crate) use self::rows::decode;
use self::shape::Wanted;
pub(crate) use self::shape::{Shape, WithSeals};
pub(crate) use self::table::Table;
use crate::filter::Filters;
use crate::model::error::Result;
use crate::model::identifier::NamespaceName;
use crate::model::kind::{Kind, RecordId};
use crate::records::keys::{self, RecordKey};
use crate::redb_file::fault::{OrFault, check_order};

/// The record `id`, if there is one.
pub(crate) fn get<T: Shape>(
    table: &impl Table,
    namespace: &NamespaceName,
    kind: &Kind,
    id: &RecordId,
) -> Result<Option<T>> {
    let keys = RecordKey::new(namespace, kind, id).all();
    match Cursor::new(table, keys)?.advance()? {
        Some(group) => group.read(&Wanted {
            kind,
            filters: &Filters::all(),
            extensions: &[],
        }),
        None => Ok(None),
    }
}

/// The namespaces under which there are records: a look at the first key of each.
pub(crate) fn used_namespaces(table: &impl Table) -> Result<Vec<Vec<u8>>> {
    names(table, Vec::new(), |key| {
        let name = keys::namespace_of(key);
        Some((name.to_vec(), keys::behind_namespace(name)))
    })
}

/// The kinds of which there are records in a namespace, which may be any bytes: a look at the first key of each.
pub(crate) fn used_kinds(table: &impl Table, namespace: &[u8]) -> Result<Vec<Vec<u8>>> {
    let all = keys::of_namespace(namespace, None);
    names(table, all.start, |key| {
        let kind = (key < all.end.as_slice()).then(|| keys::kind_of(key))?;
        let behind = keys::of_namespace(namespace, Some(kind)).start;
        Some((kind.to_vec(), behind))
    })
}

/// The namespaces under which there are records, as far as they are any.
pub(crate) fn known_namespaces(table: &impl Table) -> Result<Vec<NamespaceName>> {
    let used = used_namespaces(table)?.into_iter();
    let known = used.filter_map(|name| NamespaceName::new(String::from_utf8(name).ok()?).ok());
    Ok(known.collect())
}

/// The kinds of which there are records in a namespace, as far as they are any.
pub(crate) fn known_kinds(table: &impl Table, name: &NamespaceName) -> Result<Vec<Kind>> {
    let used = used_kinds(table, name.as_str().as_bytes())?;
    let known = used.iter();
    let known = known.filter_map(|kind| Kind::stored(str::from_utf8(kind).ok()?).ok());
    Ok(known.collect())
}

/// What `parse` makes of the first key from `start` on, and of the first one from where it says each time; it ends
/// at a key of which it makes nothing.
fn names(
    table: &impl Table,
    mut start: Vec<u8>,
    parse: impl Fn(&[u8]) -> Option<(Vec<u8>, Vec<u8>)>,
) -> Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    loop {
        let mut range = table.range(start.as_slice()..).or_fault()?;
        let Some(row) = range.next() else {
            return Ok(names);
        };
        let (key, _) = row.or_fault()?;
        check_order(key.value() >= start.as_slice())?;
        let Some((name, next)) = parse(key.value()) else {
            return Ok(names);
        };
        names.push(name);
        check_order(next > start)?;
        start = next;
    }
}
