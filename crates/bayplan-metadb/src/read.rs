//! Reading containerd's file: namespaces, and what they hold.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bayplan::Labels;
use bayplan::limits::{ANY_MAX_BYTES, TEXT_MAX_BYTES};
use boltfile::{Bucket, Entry, Item, ReadOptions, Reader};

use crate::container::{self, Broken};
use crate::error::{Error, Fault, Result};
use crate::keys::{CONTAINERS, CONTENT, LABELS, ROOT, SNAPSHOTS, VERSION, VERSION_MAX};
use crate::varint;

/// The longest value that is read as a whole: the largest `Any`, marshalled.
pub(crate) const VALUE_MAX_BYTES: u64 = (ANY_MAX_BYTES + TEXT_MAX_BYTES + 32) as u64;

/// containerd's metadata database, open for reading.
///
/// It is locked against containerd, which cannot start meanwhile.
///
/// ```no_run
/// # fn main() -> bayplan_metadb::Result<()> {
/// let meta = bayplan_metadb::MetaDb::open("/var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db")?;
/// let db = bayplan::Db::create("meta.redb")?;
/// let report = bayplan_metadb::import(&meta, &db, |_| {})?;
/// println!("{} containers", report.containers_count);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MetaDb {
    reader: Reader,
    path: PathBuf,
    version: i64,
}

impl MetaDb {
    /// Opens a file, and verifies the structure of all its pages: it takes as long as reading the file.
    ///
    /// # Errors
    ///
    /// [`Bolt`](Error::Bolt) if it cannot be read, is damaged, or is in use
    /// ([`Locked`](boltfile::Error::Locked): containerd has its file open as long as it runs).
    /// [`NotContainerd`](Error::NotContainerd), [`Version`](Error::Version),
    /// [`VersionDamaged`](Error::VersionDamaged).
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let mut options = ReadOptions::new();
        let reader = options.value_max_bytes(VALUE_MAX_BYTES).open(&path)?;
        // Whoever walks over an unchecked file might never come to an end.
        reader.check()?;
        let Some(root) = reader.root().bucket(ROOT)? else {
            return Err(Error::NotContainerd { path });
        };
        let version = match root.get(VERSION)? {
            // containerd takes such a file as one from before it counted, too.
            None => 0,
            Some(bytes) => match varint::decode(&bytes) {
                Some((number, [])) => varint::from_zig_zag(number),
                _ => return Err(Error::VersionDamaged { path }),
            },
        };
        drop(root);
        if !(0..=VERSION_MAX).contains(&version) {
            return Err(Error::Version {
                path,
                found: version,
            });
        }
        Ok(Self {
            reader,
            path,
            version,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The version of containerd's schema; 0 if the file has none.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// The namespaces with their buckets, in order.
    pub(crate) fn namespaces(&self) -> Result<impl Iterator<Item = Result<Space<'_>>>> {
        let root = self.reader.root().bucket(ROOT)?;
        let entries = root.map(|root| root.iter()).into_iter().flatten();
        Ok(entries.filter_map(|entry| match entry {
            Err(error) => Some(Err(error.into())),
            Ok(Entry { key, item }) => match item {
                Item::Bucket(bucket) => Some(Ok(Space { key, bucket })),
                // The version. containerd ignores any other.
                Item::Value(_) => None,
            },
        }))
    }

    /// What lies beside `v1`, by the names of namespaces: containerd 1.7 kept sandboxes there.
    pub(crate) fn beside(&self) -> Result<impl Iterator<Item = Result<Space<'_>>>> {
        let entries = self.reader.root().iter();
        Ok(entries.filter_map(|entry| match entry {
            Err(error) => Some(Err(error.into())),
            Ok(Entry { key, item }) => match item {
                Item::Bucket(bucket) if key != ROOT => Some(Ok(Space { key, bucket })),
                _ => None,
            },
        }))
    }
}

/// A namespace in the file.
pub(crate) struct Space<'r> {
    key: Vec<u8>,
    bucket: Bucket<'r>,
}

/// Bytes as a text for people.
pub(crate) fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

impl<'r> Space<'r> {
    /// Its name for people.
    pub(crate) fn shown(&self) -> String {
        shown(&self.key)
    }

    /// Its name.
    pub(crate) fn name(&self) -> Result<&str> {
        str::from_utf8(&self.key).map_err(|_| Error::Schema {
            namespace: self.shown(),
            id: None,
            key: self.shown(),
            fault: Fault::NotUtf8,
        })
    }

    /// Its labels.
    pub(crate) fn labels(&self) -> Result<Labels> {
        let read = match self.bucket.find(LABELS) {
            Ok(None) => Ok(Labels::new()),
            Ok(Some(item)) => container::labels(item).map_err(|broken| broken.under(LABELS)),
            Err(error) => Err(Broken::Bolt(error)),
        };
        read.map_err(|broken| broken.of(&self.key, None))
    }

    /// Its containers, in the order of their ids. The outer error ends it, an inner one is about one container.
    pub(crate) fn containers(&self) -> Result<impl Iterator<Item = Result<Kept>> + use<'r>> {
        let namespace = self.key.clone();
        let bucket = match self.bucket.find(CONTAINERS)? {
            None => None,
            Some(Item::Bucket(bucket)) => Some(bucket),
            Some(Item::Value(_)) => {
                let broken = Broken::from(Fault::NoBucket).under(CONTAINERS);
                return Err(broken.of(&namespace, None));
            }
        };
        let entries = bucket.map(|bucket| bucket.iter()).into_iter().flatten();
        Ok(entries.map(move |entry| {
            let Entry { key, item } = entry?;
            let read = container::read(&key, item);
            match read.map_err(|broken| broken.of(&namespace, Some(&key))) {
                Err(error) if !error.is_about_one() => Err(error),
                container => Ok(Kept {
                    id: shown(&key),
                    container,
                }),
            }
        }))
    }

    /// How many objects it has of each kind that is neither a label nor a container.
    pub(crate) fn other_kinds(&self) -> Result<BTreeMap<String, u64>> {
        let mut counts = BTreeMap::new();
        for entry in &self.bucket {
            let Entry { key, item } = entry?;
            let mut add = |kind: &[u8], count: u64| {
                if count > 0 {
                    *counts.entry(shown(kind)).or_default() += count;
                }
            };
            match (key.as_slice(), item) {
                (LABELS | CONTAINERS, _) => {}
                // Blobs are content; ingests, which are downloads that were not finished, have a name of their own.
                (CONTENT, Item::Bucket(bucket)) => {
                    for entry in &bucket {
                        let Entry { key, item } = entry?;
                        let kind = if key == b"blob" { CONTENT } else { &key };
                        add(kind, count(item)?);
                    }
                }
                (SNAPSHOTS, Item::Bucket(bucket)) => {
                    for entry in &bucket {
                        add(SNAPSHOTS, count(entry?.item)?);
                    }
                }
                (kind, item) => add(kind, count(item)?),
            }
        }
        Ok(counts)
    }
}

/// A container in the file, or why it cannot be read.
pub(crate) struct Kept {
    /// Its id for people.
    pub(crate) id: String,
    pub(crate) container: Result<bayplan::Container>,
}

/// How many objects are in a bucket. A value is one.
fn count(item: Item<'_>) -> Result<u64> {
    let Item::Bucket(bucket) = item else {
        return Ok(1);
    };
    let mut count = 0;
    for entry in &bucket {
        entry?;
        count += 1;
    }
    Ok(count)
}
