//! A container as one value: a checksum and what bincode makes of its fields. All contestants that
//! keep a container as one blob share it.
//!
//! It is as quick as such a codec gets: it is decoded without copying, and only then owned. (serde
//! is not used: what it does of a [`Container`] is made for JSON.)

use anyhow::{Context as _, Result, ensure};
use bayplan::{Any, Container, Runtime};
use bincode::{BorrowDecode, Encode};
use chrono::{DateTime, Utc};

const CHECKSUM_BYTES: usize = 4;

/// The fields of a container, its id aside, in the bytes of the value.
#[derive(Encode, BorrowDecode)]
pub(crate) struct Blob<'a> {
    pub(crate) labels: Vec<(&'a str, &'a str)>,
    image: &'a str,
    runtime_name: &'a str,
    runtime_options: Option<Bytes<'a>>,
    spec: Option<Bytes<'a>>,
    snapshotter: &'a str,
    snapshot_key: &'a str,
    sandbox_id: &'a str,
    created_at: (i64, u32),
    updated_at: (i64, u32),
    extensions: Vec<(&'a str, Bytes<'a>)>,
}

#[derive(Encode, BorrowDecode)]
struct Bytes<'a> {
    type_url: &'a str,
    value: &'a [u8],
}

/// What names a container where there is one key for all namespaces.
pub(crate) fn key(namespace: &str, id: &str) -> Vec<u8> {
    [namespace.as_bytes(), &[0], id.as_bytes()].concat()
}

/// The value of this container.
pub(crate) fn encode(container: &Container) -> Result<Vec<u8>> {
    let mut value = vec![0; CHECKSUM_BYTES];
    let blob = Blob::of(container);
    bincode::encode_into_std_write(blob, &mut value, bincode::config::standard())?;
    let checksum = crc32fast::hash(&value[CHECKSUM_BYTES..]).to_le_bytes();
    value[..CHECKSUM_BYTES].copy_from_slice(&checksum);
    Ok(value)
}

/// The fields in this value, if its checksum is right.
pub(crate) fn view(value: &[u8]) -> Result<Blob<'_>> {
    let (checksum, content) = value
        .split_at_checked(CHECKSUM_BYTES)
        .context("a value is cut short")?;
    ensure!(
        crc32fast::hash(content).to_le_bytes() == checksum,
        "a checksum does not match"
    );
    let (blob, _) = bincode::borrow_decode_from_slice(content, bincode::config::standard())?;
    Ok(blob)
}

/// The container with this id, in its value.
pub(crate) fn decode(id: &str, value: &[u8]) -> Result<Container> {
    Ok(view(value)?.to_container(id))
}

/// The id in a key made by [`key`].
pub(crate) fn id_of(key: &[u8]) -> Result<&str> {
    let at = key
        .iter()
        .position(|byte| *byte == 0)
        .context("a key without a namespace")?;
    Ok(std::str::from_utf8(&key[at + 1..])?)
}

impl<'a> Blob<'a> {
    fn of(container: &'a Container) -> Self {
        let labels = container.labels.iter();
        let extensions = container.extensions.iter();
        Self {
            labels: labels.map(|(k, v)| (k.as_str(), v.as_str())).collect(),
            image: &container.image,
            runtime_name: &container.runtime.name,
            runtime_options: container.runtime.options.as_ref().map(Bytes::of),
            spec: container.spec.as_ref().map(Bytes::of),
            snapshotter: &container.snapshotter,
            snapshot_key: &container.snapshot_key,
            sandbox_id: &container.sandbox_id,
            created_at: stamp(container.created_at),
            updated_at: stamp(container.updated_at),
            extensions: extensions
                .map(|(k, v)| (k.as_str(), Bytes::of(v)))
                .collect(),
        }
    }

    /// The value of this label.
    pub(crate) fn label(&self, key: &str) -> Option<&'a str> {
        let label = self.labels.iter().find(|(name, _)| *name == key);
        label.map(|(_, value)| *value)
    }

    /// The same as an owned container.
    pub(crate) fn to_container(&self, id: &str) -> Container {
        let mut container = Container::with_id(id);
        container.labels = self
            .labels
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        self.image.clone_into(&mut container.image);
        container.runtime = Runtime::new(self.runtime_name);
        container.runtime.options = self.runtime_options.as_ref().map(Bytes::to_any);
        container.spec = self.spec.as_ref().map(Bytes::to_any);
        self.snapshotter.clone_into(&mut container.snapshotter);
        self.snapshot_key.clone_into(&mut container.snapshot_key);
        self.sandbox_id.clone_into(&mut container.sandbox_id);
        container.created_at = time(self.created_at);
        container.updated_at = time(self.updated_at);
        container.extensions = self
            .extensions
            .iter()
            .map(|(k, v)| ((*k).to_owned(), v.to_any()))
            .collect();
        container
    }
}

impl<'a> Bytes<'a> {
    fn of(any: &'a Any) -> Self {
        Self {
            type_url: &any.type_url,
            value: &any.value,
        }
    }

    fn to_any(&self) -> Any {
        Any::new(self.type_url, self.value)
    }
}

fn stamp(time: DateTime<Utc>) -> (i64, u32) {
    (time.timestamp(), time.timestamp_subsec_nanos())
}

fn time((seconds, nanoseconds): (i64, u32)) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, nanoseconds).unwrap_or_default()
}
