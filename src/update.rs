//! What an update does to a container: the one place of the mutability rules.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::container::Container;
use crate::error::{Error, Result};
use crate::field::name;
use crate::mask::{FieldMask, FieldPath};

/// Which fields of a container may change, chosen when a store is opened.
///
/// | field | `Strict` | `Containerd2` |
/// |---|---|---|
/// | labels, spec, extensions | mutable | mutable |
/// | image, snapshot key | immutable | mutable |
/// | runtime's name, snapshotter | immutable | immutable |
/// | runtime's options, sandbox id | immutable | kept, a difference is ignored |
///
/// "Immutable" means that a full update whose input differs is an error that names the field; no
/// field path reaches it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Rules {
    /// The documented words of containerd's `containers` package: image and snapshot key are
    /// immutable, and an attempt to change what is immutable is always reported.
    #[default]
    Strict,
    /// What containerd 2.x does, as its clients expect.
    Containerd2,
}

/// The container after an update of `stored` by `input`, checked; its revision is still the old one.
pub(crate) fn apply(
    stored: &Container,
    input: Container,
    mask: &FieldMask,
    rules: Rules,
    now: DateTime<Utc>,
) -> Result<Container> {
    check(stored, &input, mask)?;
    let mut updated = stored.clone();
    if mask.is_full() {
        replace(&mut updated, input, rules)?;
    } else {
        for path in mask.paths() {
            take(&mut updated, &input, path, rules)?;
        }
    }
    updated.updated_at = strictly_later(stored.updated_at, now)?;
    updated.settled()
}

/// A full replace of the mutable fields.
fn replace(updated: &mut Container, input: Container, rules: Rules) -> Result<()> {
    let strict = rules == Rules::Strict;
    let differing = [
        ("image", strict && input.image != updated.image),
        ("runtime.name", input.runtime.name != updated.runtime.name),
        (
            "runtime.options",
            strict && input.runtime.options != updated.runtime.options,
        ),
        ("snapshotter", input.snapshotter != updated.snapshotter),
        (
            "snapshot_key",
            strict && input.snapshot_key != updated.snapshot_key,
        ),
        (
            "sandbox_id",
            strict && input.sandbox_id != updated.sandbox_id,
        ),
    ];
    let differing: Vec<String> = differing
        .into_iter()
        .filter(|(_, differs)| *differs)
        .map(|(field, _)| format!("`{field}`"))
        .collect();
    if !differing.is_empty() {
        let fields = differing.join(", ");
        return Err(Error::invalid(format!(
            "immutable, but differs from what is stored: {fields}"
        )));
    }
    updated.labels = input.labels;
    updated.spec = input.spec;
    updated.extensions = input.extensions;
    updated.image = input.image;
    updated.snapshot_key = input.snapshot_key;
    Ok(())
}

/// Takes what one path names.
fn take(updated: &mut Container, input: &Container, path: &FieldPath, rules: Rules) -> Result<()> {
    match path {
        FieldPath::Labels => updated.labels.clone_from(&input.labels),
        FieldPath::Label(key) => take_entry(&mut updated.labels, &input.labels, key),
        FieldPath::Spec => updated.spec.clone_from(&input.spec),
        FieldPath::Extensions => updated.extensions.clone_from(&input.extensions),
        FieldPath::Extension(key) => take_entry(&mut updated.extensions, &input.extensions, key),
        FieldPath::Image | FieldPath::SnapshotKey if rules == Rules::Strict => {
            return Err(Error::invalid(format!(
                "the field path {:?} names a field that is immutable under the strict rules",
                path.to_string()
            )));
        }
        FieldPath::Image => updated.image.clone_from(&input.image),
        FieldPath::SnapshotKey => updated.snapshot_key.clone_from(&input.snapshot_key),
    }
    Ok(())
}

/// Whether all paths of the mask can be meant, whatever the rules are.
pub(crate) fn check(stored: &Container, input: &Container, mask: &FieldMask) -> Result<()> {
    mask.check()?;
    let mut paths = mask.paths();
    paths.try_for_each(|path| check_quotes(stored, input, path))
}

/// Refuses a key within quotes that are not meant as a part of it.
///
/// Field paths take no quotes, and a key may begin and end with one. So such a path means the key
/// with its quotes, as in containerd, if either container has it (an empty label is none). If neither has, and one has the
/// key without them, the path is written as for a filter, and would change nothing without a word.
fn check_quotes(stored: &Container, input: &Container, path: &FieldPath) -> Result<()> {
    let (written, meant, is_meant) = match (path, path.unquoted()) {
        (FieldPath::Label(written), Some(FieldPath::Label(meant))) => {
            let sets = |key| input.labels.get(key).is_some_and(|value| !value.is_empty());
            let has = |key| stored.labels.contains_key(key) || sets(key);
            (has(written), FieldPath::Label(meant.clone()), has(&meant))
        }
        (FieldPath::Extension(written), Some(FieldPath::Extension(meant))) => {
            let has =
                |key| stored.extensions.contains_key(key) || input.extensions.contains_key(key);
            (
                has(written),
                FieldPath::Extension(meant.clone()),
                has(&meant),
            )
        }
        _ => return Ok(()),
    };
    if written || !is_meant {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the field path `{path}` names a key with quotes in it, which neither the input nor the \
         stored container has; field paths take no quotes: write `{meant}`"
    )))
}

fn take_entry<V: Clone>(updated: &mut BTreeMap<String, V>, input: &BTreeMap<String, V>, key: &str) {
    match input.get(key) {
        Some(value) => updated.insert(key.to_owned(), value.clone()),
        None => updated.remove(key),
    };
}

/// `now`, or the smallest time after `previous` where the clock stood still or went back.
fn strictly_later(previous: DateTime<Utc>, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    if now > previous {
        return Ok(now);
    }
    previous
        .checked_add_signed(TimeDelta::nanoseconds(1))
        .ok_or_else(|| {
            Error::precondition(format!(
                "`{}` is at the end of time already",
                name::UPDATED_AT
            ))
        })
}

#[cfg(test)]
mod tests;
