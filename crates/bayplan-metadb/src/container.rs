//! A container, from the keys of its bucket and back to them.

use std::collections::BTreeMap;

use bayplan::limits::{
    ANY_MAX_BYTES, EXTENSION_NAME_MAX_BYTES, EXTENSIONS_MAX_BYTES, EXTENSIONS_MAX_COUNT,
    LABEL_MAX_BYTES, LABELS_MAX_COUNT, TEXT_MAX_BYTES,
};
use bayplan::{Any, Container, Labels};
use boltfile::{Bucket, Entry, Item, Value, Writer};

use crate::error::{Error, Fault, Result};
use crate::keys::{
    CREATED_AT, EXTENSIONS, IMAGE, LABELS, NAME, OPTIONS, RUNTIME, SANDBOX_ID, SNAPSHOT_KEY,
    SNAPSHOTTER, SPEC, UPDATED_AT,
};
use crate::read::{VALUE_MAX_BYTES, shown};
use crate::{any, time};

/// A time has 15 or 16 bytes. A longer one is not read to be refused.
const TIME_MAX_BYTES: u64 = 64;

const _: () = assert!(VALUE_MAX_BYTES > (ANY_MAX_BYTES + TEXT_MAX_BYTES) as u64);

/// What a [`Fault::TooMuch`] names.
const LABELS_MOST: &str = "16384 labels";
const EXTENSIONS_MOST: &str = "4096 extensions of 64 MiB together";

const _: () = assert!(LABELS_MAX_COUNT == 16_384);
const _: () = assert!(EXTENSIONS_MAX_COUNT == 4096 && EXTENSIONS_MAX_BYTES == 64 << 20);

/// Why a bucket could not be read, and at which key of it.
#[derive(Debug)]
pub(crate) enum Broken {
    Bolt(boltfile::Error),
    At { key: String, fault: Fault },
}

impl From<boltfile::Error> for Broken {
    fn from(error: boltfile::Error) -> Self {
        Self::Bolt(error)
    }
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        Self::At {
            key: String::new(),
            fault,
        }
    }
}

impl Broken {
    /// The same, seen from the bucket around it.
    pub(crate) fn under(self, name: &[u8]) -> Self {
        match self {
            Self::At { key, fault } if key.is_empty() => Self::At {
                key: shown(name),
                fault,
            },
            Self::At { key, fault } => Self::At {
                key: format!("{}/{key}", shown(name)),
                fault,
            },
            bolt => bolt,
        }
    }

    /// The error, of a container or of the namespace itself.
    pub(crate) fn of(self, namespace: &[u8], id: Option<&[u8]>) -> Error {
        match self {
            Self::Bolt(error) => Error::Bolt(error),
            Self::At { key, fault } => Error::Schema {
                namespace: shown(namespace),
                id: id.map(shown),
                key,
                fault,
            },
        }
    }
}

/// Reads a container from its bucket. Whether a store takes it is for the store to say.
pub(crate) fn read(id: &[u8], item: Item<'_>) -> Result<Container, Broken> {
    let at_id = |fault: Fault| Broken::from(fault).under(id);
    let id = str::from_utf8(id).map_err(|_| at_id(Fault::NotUtf8))?;
    let Item::Bucket(bucket) = item else {
        return Err(at_id(Fault::NoBucket));
    };
    let mut container = Container::with_id(id);
    (container.created_at, container.updated_at) = (time::zero(), time::zero());
    for entry in &bucket {
        let Entry { key, item } = entry?;
        read_field(&mut container, &key, item).map_err(|broken| broken.under(&key))?;
    }
    Ok(container)
}

fn read_field(container: &mut Container, key: &[u8], item: Item<'_>) -> Result<(), Broken> {
    match key {
        CREATED_AT => container.created_at = time::decode(&bytes(item, TIME_MAX_BYTES)?)?,
        EXTENSIONS => container.extensions = extensions(item)?,
        IMAGE => container.image = text(item)?,
        LABELS => container.labels = labels(item)?,
        RUNTIME => {
            for entry in &bucket(item)? {
                let Entry { key, item } = entry?;
                read_runtime(container, &key, item).map_err(|broken| broken.under(&key))?;
            }
        }
        SANDBOX_ID => container.sandbox_id = text(item)?,
        SNAPSHOT_KEY => container.snapshot_key = text(item)?,
        SNAPSHOTTER => container.snapshotter = text(item)?,
        SPEC => container.spec = Some(read_any(item)?),
        UPDATED_AT => container.updated_at = time::decode(&bytes(item, TIME_MAX_BYTES)?)?,
        _ => return Err(Fault::UnknownKey.into()),
    }
    Ok(())
}

fn read_runtime(container: &mut Container, key: &[u8], item: Item<'_>) -> Result<(), Broken> {
    match key {
        NAME => container.runtime.name = text(item)?,
        OPTIONS => container.runtime.options = Some(read_any(item)?),
        _ => return Err(Fault::UnknownKey.into()),
    }
    Ok(())
}

/// Reads the labels of a container or a namespace.
pub(crate) fn labels(item: Item<'_>) -> Result<Labels, Broken> {
    entries(item, LABELS_MAX_COUNT, LABELS_MOST, |key, item| {
        let limit = LABEL_MAX_BYTES.saturating_sub(key.len());
        utf8(bytes(item, limit as u64)?)
    })
}

fn extensions(item: Item<'_>) -> Result<bayplan::Extensions, Broken> {
    let mut rest_bytes = EXTENSIONS_MAX_BYTES;
    entries(item, EXTENSIONS_MAX_COUNT, EXTENSIONS_MOST, |key, item| {
        if key.len() > EXTENSION_NAME_MAX_BYTES {
            let (length, limit) = (key.len() as u64, EXTENSION_NAME_MAX_BYTES as u64);
            return Err(Fault::TooLong { length, limit }.into());
        }
        let any = read_any(item)?;
        let size = key.len() + any.type_url.len() + any.value.len();
        rest_bytes = rest_bytes.checked_sub(size).ok_or(Fault::TooMuch {
            limit: EXTENSIONS_MOST,
        })?;
        Ok(any)
    })
}

/// Reads the pairs of a bucket, not more than a store can hold.
fn entries<T>(
    item: Item<'_>,
    most: usize,
    limit: &'static str,
    mut read: impl FnMut(&str, Item<'_>) -> Result<T, Broken>,
) -> Result<BTreeMap<String, T>, Broken> {
    let mut entries = BTreeMap::new();
    for entry in &bucket(item)? {
        let Entry { key, item } = entry?;
        if entries.len() >= most {
            return Err(Fault::TooMuch { limit }.into());
        }
        let value = match str::from_utf8(&key) {
            Ok(name) => read(name, item),
            Err(_) => Err(Fault::NotUtf8.into()),
        };
        let value = value.map_err(|broken| broken.under(&key))?;
        let name = String::from_utf8(key).map_err(|_| Fault::NotUtf8)?;
        entries.insert(name, value);
    }
    Ok(entries)
}

fn bucket(item: Item<'_>) -> Result<Bucket<'_>, Fault> {
    match item {
        Item::Bucket(bucket) => Ok(bucket),
        Item::Value(_) => Err(Fault::NoBucket),
    }
}

fn value(item: Item<'_>) -> Result<Value<'_>, Fault> {
    match item {
        Item::Value(value) => Ok(value),
        Item::Bucket(_) => Err(Fault::NoValue),
    }
}

/// A value that is not longer than a limit, which is at most [`VALUE_MAX_BYTES`].
fn bytes(item: Item<'_>, limit: u64) -> Result<Vec<u8>, Broken> {
    let value = value(item)?;
    let length = value.len();
    if length > limit {
        return Err(Fault::TooLong { length, limit }.into());
    }
    Ok(value.read()?)
}

fn utf8(bytes: Vec<u8>) -> Result<String, Broken> {
    String::from_utf8(bytes).map_err(|_| Fault::NotUtf8.into())
}

fn text(item: Item<'_>) -> Result<String, Broken> {
    utf8(bytes(item, TEXT_MAX_BYTES as u64)?)
}

fn read_any(item: Item<'_>) -> Result<Any, Broken> {
    Ok(any::decode(&bytes(item, VALUE_MAX_BYTES)?)?)
}

/// Writes the bucket of a container, in the order of its keys.
pub(crate) fn write(container: &Container, writer: &mut Writer) -> boltfile::Result<()> {
    writer.open_bucket(container.id.as_bytes())?;
    writer.put(CREATED_AT, &time::encode(container.created_at))?;
    if !container.extensions.is_empty() {
        writer.open_bucket(EXTENSIONS)?;
        for (name, extension) in &container.extensions {
            writer.put(name.as_bytes(), &any::encode(extension))?;
        }
        writer.close_bucket()?;
    }
    writer.put(IMAGE, container.image.as_bytes())?;
    write_labels(&container.labels, writer)?;
    writer.open_bucket(RUNTIME)?;
    writer.put(NAME, container.runtime.name.as_bytes())?;
    if let Some(options) = &container.runtime.options {
        writer.put(OPTIONS, &any::encode(options))?;
    }
    writer.close_bucket()?;
    if !container.sandbox_id.is_empty() {
        writer.put(SANDBOX_ID, container.sandbox_id.as_bytes())?;
    }
    writer.put(SNAPSHOT_KEY, container.snapshot_key.as_bytes())?;
    writer.put(SNAPSHOTTER, container.snapshotter.as_bytes())?;
    if let Some(spec) = &container.spec {
        writer.put(SPEC, &any::encode(spec))?;
    }
    writer.put(UPDATED_AT, &time::encode(container.updated_at))?;
    writer.close_bucket()
}

/// Writes the labels of a container or a namespace, if there are any.
pub(crate) fn write_labels(labels: &Labels, writer: &mut Writer) -> boltfile::Result<()> {
    if labels.is_empty() {
        return Ok(());
    }
    writer.open_bucket(LABELS)?;
    for (key, value) in labels {
        writer.put(key.as_bytes(), value.as_bytes())?;
    }
    writer.close_bucket()
}
