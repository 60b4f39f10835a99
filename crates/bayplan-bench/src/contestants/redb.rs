//! The floor: redb with a container as one value, under a key of namespace and id.
//!
//! [`RedbPut`] moves ready bytes, which is the least that any store on redb must pay. [`RedbBlob`] encodes and decodes
//! a container, with a checksum: the simplest possible store.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result};
use bayplan::Container;
use redb::{Database, ReadableDatabase as _, ReadableTable, TableDefinition};

use crate::codec::{decode, encode, id_of, key, view};
use crate::contestant::{CACHE_BYTES, CHANGED, Filter, Opening, SMALL_CACHE_BYTES};
use crate::contestants::blob_filter::{self, Plan};
use crate::payload::{NAMESPACE, container, id};
use crate::peer::Peer;

const BLOBS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("blobs");

/// A key and its value.
type Pair = (Vec<u8>, Vec<u8>);

/// The file with its one table.
struct Blobs(Database);

impl Blobs {
    fn open(directory: &Path, opening: Opening) -> Result<Self> {
        let mut builder = Database::builder();
        builder.set_cache_size(match opening {
            Opening::SmallCache => SMALL_CACHE_BYTES,
            _ => CACHE_BYTES,
        });
        let path = directory.join("blobs.redb");
        if path.exists() {
            return Ok(Self(builder.open(path)?));
        }
        let db = builder.create(path)?;
        let txn = db.begin_write()?;
        txn.open_table(BLOBS)?;
        txn.commit()?;
        Ok(Self(db))
    }

    fn put(&self, pairs: impl IntoIterator<Item = Pair>) -> Result<()> {
        let txn = self.0.begin_write()?;
        let mut table = txn.open_table(BLOBS)?;
        for (key, value) in pairs {
            table.insert(key.as_slice(), value.as_slice())?;
        }
        drop(table);
        Ok(txn.commit()?)
    }

    fn fill(&self, numbers: Range<usize>) -> Result<()> {
        let pairs: Vec<Pair> = numbers.map(pair).collect::<Result<_>>()?;
        self.put(pairs)
    }

    fn remove(&self, ids: impl IntoIterator<Item = impl AsRef<str>>) -> Result<()> {
        let txn = self.0.begin_write()?;
        let mut table = txn.open_table(BLOBS)?;
        for id in ids {
            table.remove(key(NAMESPACE, id.as_ref()).as_slice())?;
        }
        drop(table);
        Ok(txn.commit()?)
    }

    fn get<T>(&self, id: &str, read: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        let table = self.0.begin_read()?.open_table(BLOBS)?;
        let value = table
            .get(key(NAMESPACE, id).as_slice())?
            .context("no such container")?;
        read(value.value())
    }

    fn each(&self, mut read: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
        let table = self.0.begin_read()?.open_table(BLOBS)?;
        for row in table.iter()? {
            let (key, value) = row?;
            read(key.value(), value.value())?;
        }
        Ok(())
    }
}

fn pair(number: usize) -> Result<Pair> {
    Ok((key(NAMESPACE, &id(number)), encode(&container(number))?))
}

pub(crate) struct RedbPut(Blobs);

impl Peer for RedbPut {
    const NAME: &'static str = "redb-put";
    type New = Pair;
    type Change = Pair;

    fn open(directory: &Path, opening: Opening) -> Result<Self> {
        Blobs::open(directory, opening).map(Self)
    }

    fn new(number: usize) -> Result<Pair> {
        pair(number)
    }

    fn change(number: usize, value: &str) -> Result<Pair> {
        let changed = container(number).label(CHANGED, value);
        Ok((key(NAMESPACE, &id(number)), encode(&changed)?))
    }

    fn fill(&self, numbers: Range<usize>) -> Result<()> {
        self.0.fill(numbers)
    }

    fn remove(&self, numbers: Range<usize>) -> Result<()> {
        self.0.remove(numbers.map(id))
    }

    fn create(&self, new: Pair) -> Result<()> {
        self.0.put([new])
    }

    fn update(&self, change: Pair) -> Result<()> {
        self.0.put([change])
    }

    fn delete(&self, id: &str) -> Result<()> {
        self.0.remove([id])
    }

    fn get(&self, id: &str) -> Result<()> {
        std::hint::black_box(self.0.get(id, |value| Ok(value.to_vec()))?);
        Ok(())
    }

    fn list(&self) -> Result<usize> {
        let mut count = 0;
        self.0.each(|_, value| {
            std::hint::black_box(value.to_vec());
            count += 1;
            Ok(())
        })?;
        Ok(count)
    }
}

pub(crate) struct RedbBlob(Blobs);

impl Peer for RedbBlob {
    const NAME: &'static str = "redb-blob";
    type New = Container;
    type Change = (String, String);

    fn open(directory: &Path, opening: Opening) -> Result<Self> {
        Blobs::open(directory, opening).map(Self)
    }

    fn new(number: usize) -> Result<Container> {
        Ok(container(number))
    }

    fn change(number: usize, value: &str) -> Result<(String, String)> {
        Ok((id(number), value.to_owned()))
    }

    fn fill(&self, numbers: Range<usize>) -> Result<()> {
        self.0.fill(numbers)
    }

    fn remove(&self, numbers: Range<usize>) -> Result<()> {
        self.0.remove(numbers.map(id))
    }

    fn create(&self, new: Container) -> Result<()> {
        self.0.put([(key(NAMESPACE, &new.id), encode(&new)?)])
    }

    fn update(&self, (id, value): (String, String)) -> Result<()> {
        let key = key(NAMESPACE, &id);
        let txn = self.0.0.begin_write()?;
        let mut table = txn.open_table(BLOBS)?;
        let mut container = {
            let stored = table.get(key.as_slice())?.context("no such container")?;
            decode(&id, stored.value())?
        };
        container.labels.insert(CHANGED.to_owned(), value);
        table.insert(key.as_slice(), encode(&container)?.as_slice())?;
        drop(table);
        Ok(txn.commit()?)
    }

    fn delete(&self, id: &str) -> Result<()> {
        self.0.remove([id])
    }

    fn get(&self, id: &str) -> Result<()> {
        std::hint::black_box(self.0.get(id, |value| decode(id, value))?);
        Ok(())
    }

    fn list(&self) -> Result<usize> {
        let mut count = 0;
        self.0.each(|key, value| {
            std::hint::black_box(decode(id_of(key)?, value)?);
            count += 1;
            Ok(())
        })?;
        Ok(count)
    }

    fn filter(&self, filter: &Filter) -> Result<Option<usize>> {
        let matcher = match blob_filter::plan(filter)? {
            Plan::Look(id) => return self.get(&id).map(|()| Some(1)),
            Plan::Scan(matcher) => matcher,
        };
        let mut count = 0;
        self.0.each(|key, value| {
            let blob = view(value)?;
            if matcher.matches(&blob) {
                std::hint::black_box(blob.to_container(id_of(key)?));
                count += 1;
            }
            Ok(())
        })?;
        Ok(Some(count))
    }

    fn has_file_row() -> bool {
        true
    }
}
