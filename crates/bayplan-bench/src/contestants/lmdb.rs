//! LMDB with a container as one value, through heed.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bayplan::Container;
use heed::types::Bytes;
use heed::{Database, Env, EnvOpenOptions};

use crate::codec::{decode, encode, id_of, key, view};
use crate::contestant::{CHANGED, Filter, Opening};
use crate::contestants::blob_filter::{self, Plan};
use crate::payload::{NAMESPACE, container, id};
use crate::peer::Peer;

/// How large the file may grow: address space only.
const MAP_BYTES: usize = 64 * 1024 * 1024 * 1024;

pub(crate) struct Lmdb {
    env: Env,
    blobs: Database<Bytes, Bytes>,
}

impl Lmdb {
    fn put(&self, containers: impl IntoIterator<Item = Container>) -> Result<()> {
        let mut txn = self.env.write_txn()?;
        for container in containers {
            let key = key(NAMESPACE, &container.id);
            self.blobs.put(&mut txn, &key, &encode(&container)?)?;
        }
        Ok(txn.commit()?)
    }

    fn take(&self, ids: impl IntoIterator<Item = impl AsRef<str>>) -> Result<()> {
        let mut txn = self.env.write_txn()?;
        for id in ids {
            let was_there = self.blobs.delete(&mut txn, &key(NAMESPACE, id.as_ref()))?;
            ensure!(was_there, "no such container");
        }
        Ok(txn.commit()?)
    }
}

impl Peer for Lmdb {
    const NAME: &'static str = "lmdb";
    type New = Container;
    type Change = (String, String);

    #[expect(unsafe_code, reason = "so is mapping a file that others could change")]
    fn open(directory: &Path, _: Opening) -> Result<Self> {
        let mut options = EnvOpenOptions::new();
        options.map_size(MAP_BYTES);
        // SAFETY: the files are in a directory of this run, to which no other process writes.
        let env = unsafe { options.open(directory)? };
        let mut txn = env.write_txn()?;
        let blobs = env.create_database(&mut txn, None)?;
        txn.commit()?;
        Ok(Self { env, blobs })
    }

    fn new(number: usize) -> Result<Container> {
        Ok(container(number))
    }

    fn change(number: usize, value: &str) -> Result<(String, String)> {
        Ok((id(number), value.to_owned()))
    }

    fn fill(&self, numbers: Range<usize>) -> Result<()> {
        self.put(numbers.map(container))
    }

    fn remove(&self, numbers: Range<usize>) -> Result<()> {
        self.take(numbers.map(id))
    }

    fn create(&self, new: Container) -> Result<()> {
        self.put([new])
    }

    fn update(&self, (id, value): (String, String)) -> Result<()> {
        let key = key(NAMESPACE, &id);
        let mut txn = self.env.write_txn()?;
        let stored = self.blobs.get(&txn, &key)?.context("no such container")?;
        let mut container = decode(&id, stored)?;
        container.labels.insert(CHANGED.to_owned(), value);
        self.blobs.put(&mut txn, &key, &encode(&container)?)?;
        Ok(txn.commit()?)
    }

    fn delete(&self, id: &str) -> Result<()> {
        self.take([id])
    }

    fn get(&self, id: &str) -> Result<()> {
        let txn = self.env.read_txn()?;
        let stored = self.blobs.get(&txn, &key(NAMESPACE, id))?;
        std::hint::black_box(decode(id, stored.context("no such container")?)?);
        Ok(())
    }

    fn list(&self) -> Result<usize> {
        let txn = self.env.read_txn()?;
        let mut count = 0;
        for row in self.blobs.iter(&txn)? {
            let (key, value) = row?;
            std::hint::black_box(decode(id_of(key)?, value)?);
            count += 1;
        }
        Ok(count)
    }

    fn can_be_shared() -> bool {
        true
    }

    fn filter(&self, filter: &Filter) -> Result<Option<usize>> {
        let matcher = match blob_filter::plan(filter)? {
            Plan::Look(id) => return self.get(&id).map(|()| Some(1)),
            Plan::Scan(matcher) => matcher,
        };
        let txn = self.env.read_txn()?;
        let mut count = 0;
        for row in self.blobs.iter(&txn)? {
            let (key, value) = row?;
            let blob = view(value)?;
            if matcher.matches(&blob) {
                std::hint::black_box(blob.to_container(id_of(key)?));
                count += 1;
            }
        }
        Ok(Some(count))
    }
}
