//! Tombstones: one row for each of the latest deletions, up to a maximum.
//!
//! When there are too many, the same transaction forgets the oldest, some more than necessary. So the bound under
//! `meta::FORGOTTEN`, the revision up to which deletions may be missing, is written rarely. Tombstones of the
//! transaction itself stay, however many they are: a follower that knew everything before the transaction can continue.

use crate::model::error::Result;
use crate::model::revision::Revision;
use crate::query::Table;
use crate::records::keys::meta;
use crate::records::seal::unseal_number;
use crate::records::tombstone::{self, Name};
use crate::session::written::Written;

/// How many more than necessary are forgotten at once, at most; and as a fraction of all.
const FORGOTTEN_AT_ONCE_COUNT: u64 = 1_024;
const FORGOTTEN_AT_ONCE_PART: u64 = 8;

/// Records a deletion. If older deletions were forgotten for it, returns the highest of their revisions. Only deletions
/// before `kept_from`, the first deletion of the transaction, are forgotten, unless the maximum is 0. `known_forgotten`
/// returns the revision up to which deletions are forgotten already.
pub(crate) fn bury(
    table: &mut Written<'_>,
    revision: Revision,
    deleted: &Name,
    kept_from: Revision,
    max_count: u64,
    known_forgotten: impl FnOnce() -> Result<Revision>,
) -> Result<Option<Revision>> {
    let key = tombstone::key(revision);
    table.put_new(&key, &tombstone::seal(&key, deleted)?)?;
    let count = table.counted()?;
    if count <= max_count {
        return Ok(None);
    }
    let kept_from = match max_count {
        0 => Revision::new(u64::MAX),
        _ => kept_from,
    };
    let spare = (max_count / FORGOTTEN_AT_ONCE_PART).min(FORGOTTEN_AT_ONCE_COUNT);
    let last = usize::try_from(count - max_count + spare).unwrap_or(usize::MAX) - 1;
    let mut forgotten = None;
    // Nothing is below it. What was removed there would be passed over one by one, if there is a log.
    let start = key_behind(known_forgotten()?);
    let kept_from = tombstone::key(kept_from);
    if start < kept_from {
        let older = table.rows(start.as_slice()..kept_from.as_slice())?;
        for row in older.take(last + 1) {
            forgotten = Some(tombstone::revision(row?.0.value())?);
        }
    }
    if let Some(forgotten) = forgotten {
        table.remove_all(&start, &key_behind(forgotten))?;
    }
    Ok(forgotten)
}

/// Returns the revision of the last deletion that is remembered.
///
/// # Errors
///
/// `Corrupt`.
pub(crate) fn last(table: &impl Table) -> Result<Option<Revision>> {
    let last = table.last_key()?;
    last.map(|key| tombstone::revision(&key)).transpose()
}

/// Returns the revision up to which deletions may be missing; 0 if none are.
///
/// # Errors
///
/// `Corrupt`.
pub(crate) fn forgotten(meta: &impl Table) -> Result<Revision> {
    match meta.row(meta::FORGOTTEN)? {
        Some(value) => unseal_number(meta::FORGOTTEN, value.value()).map(Revision::new),
        None => Ok(Revision::NONE),
    }
}

/// Returns the deletions after a revision, in order.
///
/// # Errors
///
/// `Corrupt`; a damaged item is `Corrupt` too.
pub(crate) fn after<T: Table>(
    table: &T,
    revision: Revision,
) -> Result<impl Iterator<Item = Result<(Revision, Name)>>> {
    let rows = table.rows(key_behind(revision).as_slice()..)?;
    Ok(rows.map(|row| {
        let (key, value) = row?;
        tombstone::read(key.value(), value.value())
    }))
}

/// Returns the first key that can follow the tombstone of a revision.
fn key_behind(revision: Revision) -> [u8; 8] {
    tombstone::key(Revision::new(revision.get().saturating_add(1)))
}
