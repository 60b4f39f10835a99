//! What an update does to a container or a record. All mutability rules are here.
//!
//! This room uses `model`, and `filter` for field names. It is pure: it never reads a store or the clock, and never
//! hands out a revision.

pub(crate) mod mask;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::container::Container;
use crate::model::error::{Error, Result};
use crate::model::field::name;
use crate::model::labels::Labels;
use crate::model::policy::{Policy, Rules};
use crate::model::record::Record;
use crate::update::mask::{FieldMask, FieldPath};

/// Returns the container after an update of `stored` by `input`, checked. It still has the old revision.
pub(crate) fn apply(
    stored: &Container,
    input: Container,
    mask: &FieldMask,
    policy: Policy,
    now: DateTime<Utc>,
) -> Result<Container> {
    check(stored, &input, mask)?;
    let mut updated = stored.clone();
    if mask.is_full() {
        replace(&mut updated, input, policy.rules)?;
    } else {
        for path in mask.paths() {
            take(&mut updated, &input, path, policy.rules)?;
        }
    }
    updated.updated_at = strictly_later(stored.updated_at, now)?;
    updated.settled(policy)
}

/// Returns the record after an update of `stored` by `input`, checked. It still has the old revision.
pub(crate) fn apply_to_record(
    stored: &Record,
    input: Record,
    mask: &FieldMask,
    policy: Policy,
    now: DateTime<Utc>,
) -> Result<Record> {
    check_of_record(stored, &input, mask)?;
    let mut updated = stored.clone();
    if mask.is_full() {
        updated.labels = input.labels;
        updated.value = input.value;
    } else {
        for path in mask.paths() {
            match path {
                FieldPath::Labels => updated.labels.clone_from(&input.labels),
                FieldPath::Label(key) => take_entry(&mut updated.labels, &input.labels, key),
                FieldPath::Value => updated.value.clone_from(&input.value),
                FieldPath::Spec
                | FieldPath::Extensions
                | FieldPath::Extension(_)
                | FieldPath::Image
                | FieldPath::SnapshotKey => {
                    return Err(wrong_path(
                        path,
                        "names a field of a container; a record has `labels`, `labels.KEY` and `value`",
                    ));
                }
            }
        }
    }
    updated.updated_at = strictly_later(stored.updated_at, now)?;
    updated.settled(policy)
}

fn wrong_path(path: &FieldPath, what: &str) -> Error {
    Error::invalid(format!("the field path {:?} {what}", path.to_string()))
}

/// Replaces all mutable fields.
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
        ))
        .about_immutable_field());
    }
    updated.labels = input.labels;
    updated.spec = input.spec;
    updated.extensions = input.extensions;
    updated.image = input.image;
    updated.snapshot_key = input.snapshot_key;
    Ok(())
}

/// Takes the field of one path from the input.
fn take(updated: &mut Container, input: &Container, path: &FieldPath, rules: Rules) -> Result<()> {
    match path {
        FieldPath::Labels => updated.labels.clone_from(&input.labels),
        FieldPath::Label(key) => take_entry(&mut updated.labels, &input.labels, key),
        FieldPath::Spec => updated.spec.clone_from(&input.spec),
        FieldPath::Extensions => updated.extensions.clone_from(&input.extensions),
        FieldPath::Extension(key) => take_entry(&mut updated.extensions, &input.extensions, key),
        FieldPath::Image | FieldPath::SnapshotKey if rules == Rules::Strict => {
            return Err(wrong_path(
                path,
                "names a field that is immutable under the strict rules",
            ));
        }
        FieldPath::Value => {
            return Err(wrong_path(
                path,
                "names a field of a record; a container has `spec`",
            ));
        }
        FieldPath::Image => updated.image.clone_from(&input.image),
        FieldPath::SnapshotKey => updated.snapshot_key.clone_from(&input.snapshot_key),
    }
    Ok(())
}

/// Checks the paths of the mask, apart from the rules.
pub(crate) fn check(stored: &Container, input: &Container, mask: &FieldMask) -> Result<()> {
    mask.validate()?;
    let has_label = has_label(&stored.labels, &input.labels);
    let has_extension =
        |key: &str| stored.extensions.contains_key(key) || input.extensions.contains_key(key);
    let mut paths = mask.paths();
    paths.try_for_each(|path| check_quotes(path, &has_label, &has_extension))
}

/// Checks the paths of the mask for a record of another kind.
pub(crate) fn check_of_record(stored: &Record, input: &Record, mask: &FieldMask) -> Result<()> {
    mask.validate()?;
    let has_label = has_label(&stored.labels, &input.labels);
    let mut paths = mask.paths();
    paths.try_for_each(|path| check_quotes(path, &has_label, &|_| false))
}

/// Whether the stored record has a label, or the input sets it. An empty value sets none.
fn has_label<'l>(stored: &'l Labels, input: &'l Labels) -> impl Fn(&str) -> bool + 'l {
    move |key| stored.contains_key(key) || input.get(key).is_some_and(|value| !value.is_empty())
}

/// Refuses a key whose quotes are probably not part of it.
///
/// Field paths take no quotes, but a key may contain them. So the path means the key with its quotes, as in containerd,
/// if either side has that key. If neither does, but one has the key without quotes, the path was written as for a
/// filter, and would silently change nothing.
fn check_quotes(
    path: &FieldPath,
    has_label: &dyn Fn(&str) -> bool,
    has_extension: &dyn Fn(&str) -> bool,
) -> Result<()> {
    let (written, meant, is_meant) = match (path, path.unquoted()) {
        (FieldPath::Label(written), Some(FieldPath::Label(meant))) => {
            let is_meant = has_label(&meant);
            (has_label(written), FieldPath::Label(meant), is_meant)
        }
        (FieldPath::Extension(written), Some(FieldPath::Extension(meant))) => {
            let is_meant = has_extension(&meant);
            (
                has_extension(written),
                FieldPath::Extension(meant),
                is_meant,
            )
        }
        _ => return Ok(()),
    };
    if written || !is_meant {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the field path `{path}` names a key with quotes in it, which exists neither in the input \
         nor in the store; field paths take no quotes: write `{meant}`"
    )))
}

fn take_entry<V: Clone>(updated: &mut BTreeMap<String, V>, input: &BTreeMap<String, V>, key: &str) {
    match input.get(key) {
        Some(value) => updated.insert(key.to_owned(), value.clone()),
        None => updated.remove(key),
    };
}

/// Returns `now`, or the smallest time after `previous` if the clock stood still or went back.
fn strictly_later(previous: DateTime<Utc>, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    if now > previous {
        return Ok(now);
    }
    previous
        .checked_add_signed(TimeDelta::nanoseconds(1))
        .ok_or_else(|| {
            Error::precondition(format!("`{}` cannot move any further", name::UPDATED_AT))
        })
}

#[cfg(test)]
mod tests;
