//! Writing records: what changes in the table when one is created, updated or deleted.
//!
//! The caller has checked everything before; only the storage can fail here.

use bytes::Bytes;

use crate::model::error::Result;
use crate::query::{Memory, NewRows, Table, WithHead};
use crate::records::keys::{Part, RecordKey};
use crate::records::parts::{Seals, seal_extensions, seal_labels, seal_value};
use crate::records::seal::Seal;
use crate::session::entity::Entity;
use crate::session::written::Written;

/// What is stored where a record would be stored.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Occupant {
    Nothing,
    Record,
    /// Parts of a record without its own row: damage.
    Parts,
}

/// Returns what is stored under the keys of a record, without reading it.
pub(crate) fn occupant(table: &Written<'_>, key: &RecordKey) -> Result<Occupant> {
    let keys = key.all();
    let mut rows = table.rows(keys.start.as_slice()..keys.end.as_slice())?;
    Ok(match rows.next().transpose()? {
        None => Occupant::Nothing,
        Some((first, _)) if first.value() == key.own() => Occupant::Record,
        Some(_) => Occupant::Parts,
    })
}

/// Stores a record where none is stored, and returns its own row.
///
/// Writes the keys from last to first, which packs redb's pages best.
pub(crate) fn insert<E: Entity>(
    table: &mut Written<'_>,
    key: &RecordKey,
    new: &E,
) -> Result<Vec<u8>> {
    let mut seals = Seals::default();
    for part in Part::ALL.into_iter().rev() {
        if let Some(row) = sealed(key, part, new)? {
            seals.set(part, Seal::of(&row));
            table.put(&key.part(part), &row)?;
        }
    }
    let own = new.own_row(key, new.revision(), seals)?;
    table.put(key.own(), &own)?;
    Ok(own)
}

/// Turns one stored record into another, writing only the rows that differ. Returns its own row.
pub(crate) fn replace<E: Entity>(
    table: &mut Written<'_>,
    key: &RecordKey,
    old: &WithHead<E>,
    new: &E,
) -> Result<Vec<u8>> {
    let mut seals = old.seals;
    for part in Part::ALL.into_iter().rev() {
        if is_same(part, &old.item, new)? {
            continue;
        }
        let row = sealed(key, part, new)?;
        seals.set(part, row.as_deref().and_then(Seal::of));
        match row {
            Some(row) => table.put(&key.part(part), &row)?,
            None => table.remove(&key.part(part))?,
        }
    }
    let own = new.own_row(key, old.created, seals)?;
    table.put(key.own(), &own)?;
    Ok(own)
}

/// Removes a record with all its rows, readable or not.
pub(crate) fn delete(table: &mut Written<'_>, key: &RecordKey) -> Result<()> {
    let keys = key.all();
    table.remove_all(&keys.start, &keys.end)
}

/// Keeps a record in memory as it was just written, with its own row `own`. `old` is the record before.
pub(crate) fn keep<E: Entity>(
    memory: &mut Memory,
    key: &RecordKey,
    own: &[u8],
    old: Option<&E>,
    new: &E,
) -> Result<()> {
    let value = match old {
        Some(old) if is_same(Part::Value, old, new)? => old.value()?.value.clone(),
        // A caller's bytes may be a small piece of something large.
        _ => Bytes::copy_from_slice(&new.value()?.value),
    };
    let labels = sealed(key, Part::Labels, new)?;
    let extensions = sealed(key, Part::Extensions, new)?;
    memory.put(
        key.own(),
        &NewRows {
            own,
            labels: labels.as_deref(),
            extensions: extensions.as_deref(),
            value,
        },
    )
}

fn is_same<E: Entity>(part: Part, old: &E, new: &E) -> Result<bool> {
    Ok(match part {
        Part::Labels => old.labels() == new.labels(),
        Part::Extensions => old.extensions() == new.extensions(),
        Part::Value => old.value()?.value == new.value()?.value,
    })
}

/// Returns the row of a part, if the record has it.
fn sealed<E: Entity>(key: &RecordKey, part: Part, entity: &E) -> Result<Option<Vec<u8>>> {
    match part {
        Part::Labels => seal_labels(key, entity.labels()),
        Part::Extensions => match entity.extensions() {
            Some(extensions) => seal_extensions(key, extensions),
            None => Ok(None),
        },
        Part::Value => seal_value(key, &entity.value()?.value).map(Some),
    }
}
