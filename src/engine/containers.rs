//! Writing containers: what changes in the table when one is created, updated or deleted.
//!
//! The caller has checked everything by then; what fails here is the storage.

use std::collections::BTreeMap;

use redb::{ReadableTable, Table};

use crate::any::Any;
use crate::container::Container;
use crate::engine::fault::OrFault;
use crate::error::{Error, Result};
use crate::pieces::{self, Rows};
use crate::record::{Record, SpecSeals, seal, seal_any, seal_bytes};
use crate::schema::{Bytes, ContainerKey};

type Containers<'t> = Table<'t, Bytes, Bytes>;

/// What stands where a container would be stored.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Occupant {
    Nothing,
    Container,
    /// Parts of a container without its record: damage.
    Remains,
}

/// What is stored under the keys of a container, without reading it.
pub(crate) fn occupant(table: &Containers<'_>, key: &ContainerKey) -> Result<Occupant> {
    let keys = key.all();
    let mut range = table
        .range(keys.start.as_slice()..keys.end.as_slice())
        .or_fault()?;
    Ok(match range.next().transpose().or_fault()? {
        None => Occupant::Nothing,
        Some((first, _)) if first.value() == key.record() => Occupant::Container,
        Some(_) => Occupant::Remains,
    })
}

/// Stores a container where there is none.
///
/// The keys go in from last to first: redb packs its pages best that way.
pub(crate) fn insert(
    table: &mut Containers<'_>,
    key: &ContainerKey,
    container: &Container,
) -> Result<()> {
    let spec = spec_of(container)?;
    let Rows { rows, seals } = pieces::cut(key, &spec.value);
    for (key, value) in rows.iter().rev() {
        put(table, key, value)?;
    }
    for (name, value) in container.extensions.iter().rev() {
        put_any(table, &key.extension(name), value)?;
    }
    for (name, value) in container.labels.iter().rev() {
        put_text(table, &key.label(name), value)?;
    }
    put_record(table, key, &Record::of(container, spec, seals)?)
}

/// Turns one stored container into another, writing only what differs.
pub(crate) fn replace(
    table: &mut Containers<'_>,
    key: &ContainerKey,
    old: &Container,
    new: &Container,
) -> Result<()> {
    let (old_spec, new_spec) = (spec_of(old)?, spec_of(new)?);
    let seals = if old_spec.value == new_spec.value {
        stored_seals(table, key)?
    } else {
        replace_spec(table, key, &old_spec.value, &new_spec.value)?
    };
    for (name, change) in differences(&old.extensions, &new.extensions) {
        match change {
            Some(value) => put_any(table, &key.extension(name), value)?,
            None => remove(table, &key.extension(name))?,
        }
    }
    for (name, change) in differences(&old.labels, &new.labels) {
        match change {
            Some(value) => put_text(table, &key.label(name), value)?,
            None => remove(table, &key.label(name))?,
        }
    }
    put_record(table, key, &Record::of(new, new_spec, seals)?)
}

fn replace_spec(
    table: &mut Containers<'_>,
    key: &ContainerKey,
    old: &[u8],
    new: &[u8],
) -> Result<SpecSeals> {
    let Rows { rows, seals } = pieces::cut(key, new);
    let surplus = (0..=u8::MAX).zip(pieces::lengths(old.len(), key));
    for (number, _) in surplus.skip(rows.len()) {
        remove(table, &key.spec(number))?;
    }
    for (key, value) in rows.iter().rev() {
        put(table, key, value)?;
    }
    Ok(seals)
}

/// What the stored record knows of the rows of its spec.
fn stored_seals(table: &Containers<'_>, key: &ContainerKey) -> Result<SpecSeals> {
    let Some(value) = table.get(key.record()).or_fault()? else {
        return Err(Error::corrupt("the container has no record"));
    };
    let record = Record::decode(key.record(), value.value())?;
    Ok(record.spec.seals)
}

fn spec_of(container: &Container) -> Result<&Any> {
    let spec = container.spec.as_ref();
    spec.ok_or_else(|| Error::invalid("the container has no spec"))
}

/// Removes a container with everything that is stored of it, whether it can be read or not.
pub(crate) fn delete(table: &mut Containers<'_>, key: &ContainerKey) -> Result<()> {
    let keys = key.all();
    table
        .retain_in(keys.start.as_slice()..keys.end.as_slice(), |_, _| false)
        .or_fault()
}

/// The entries that are new or changed (with the value), and those that are gone (with none).
fn differences<'a, V: PartialEq>(
    old: &'a BTreeMap<String, V>,
    new: &'a BTreeMap<String, V>,
) -> Vec<(&'a str, Option<&'a V>)> {
    let gone = old
        .keys()
        .filter(|name| !new.contains_key(*name))
        .map(|name| (name.as_str(), None));
    let changed = new
        .iter()
        .filter(|(name, value)| old.get(*name) != Some(*value))
        .map(|(name, value)| (name.as_str(), Some(value)));
    gone.chain(changed).collect()
}

fn put_record(table: &mut Containers<'_>, key: &ContainerKey, record: &Record<'_>) -> Result<()> {
    put(table, key.record(), &seal(key.record(), record)?)
}

fn put_any(table: &mut Containers<'_>, key: &[u8], any: &Any) -> Result<()> {
    put(table, key, &seal_any(key, any)?)
}

fn put_text(table: &mut Containers<'_>, key: &[u8], text: &str) -> Result<()> {
    put(table, key, &seal_bytes(key, text.as_bytes()))
}

fn put(table: &mut Containers<'_>, key: &[u8], value: &[u8]) -> Result<()> {
    table.insert(key, value).or_fault()?;
    Ok(())
}

fn remove(table: &mut Containers<'_>, key: &[u8]) -> Result<()> {
    table.remove(key).or_fault()?;
    Ok(())
}
