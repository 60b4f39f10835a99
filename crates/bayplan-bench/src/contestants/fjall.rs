//! fjall, a log-structured store, with a container as one value and a sync for each write.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result};
use bayplan::Container;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::codec::{decode, encode, id_of, key, view};
use crate::contestant::{CACHE_BYTES, CHANGED, Filter, Opening, SMALL_CACHE_BYTES};
use crate::contestants::blob_filter::{self, Plan};
use crate::payload::{NAMESPACE, container, id};
use crate::peer::Peer;

pub(crate) struct Fjall {
    db: Database,
    blobs: Keyspace,
}

impl Peer for Fjall {
    const NAME: &'static str = "fjall";
    type New = Container;
    type Change = (String, String);

    fn open(directory: &Path, opening: Opening) -> Result<Self> {
        let cache = match opening {
            Opening::SmallCache => SMALL_CACHE_BYTES,
            _ => CACHE_BYTES,
        };
        let db = Database::builder(directory.join("store.fjall"))
            .cache_size(cache as u64)
            .open()?;
        let blobs = db.keyspace("blobs", KeyspaceCreateOptions::default)?;
        Ok(Self { db, blobs })
    }

    fn new(number: usize) -> Result<Container> {
        Ok(container(number))
    }

    fn change(number: usize, value: &str) -> Result<(String, String)> {
        Ok((id(number), value.to_owned()))
    }

    fn fill(&self, numbers: Range<usize>) -> Result<()> {
        let mut batch = self.db.batch().durability(Some(PersistMode::SyncAll));
        for number in numbers {
            let value = encode(&container(number))?;
            batch.insert(&self.blobs, key(NAMESPACE, &id(number)), value);
        }
        Ok(batch.commit()?)
    }

    fn remove(&self, numbers: Range<usize>) -> Result<()> {
        let mut batch = self.db.batch().durability(Some(PersistMode::SyncAll));
        for number in numbers {
            batch.remove(&self.blobs, key(NAMESPACE, &id(number)));
        }
        Ok(batch.commit()?)
    }

    fn create(&self, new: Container) -> Result<()> {
        self.blobs.insert(key(NAMESPACE, &new.id), encode(&new)?)?;
        Ok(self.db.persist(PersistMode::SyncAll)?)
    }

    fn update(&self, (id, value): (String, String)) -> Result<()> {
        let key = key(NAMESPACE, &id);
        let stored = self.blobs.get(&key)?.context("no such container")?;
        let mut container = decode(&id, &stored)?;
        container.labels.insert(CHANGED.to_owned(), value);
        self.blobs.insert(key, encode(&container)?)?;
        Ok(self.db.persist(PersistMode::SyncAll)?)
    }

    fn delete(&self, id: &str) -> Result<()> {
        self.blobs.remove(key(NAMESPACE, id))?;
        Ok(self.db.persist(PersistMode::SyncAll)?)
    }

    fn get(&self, id: &str) -> Result<()> {
        let stored = self.blobs.get(key(NAMESPACE, id))?;
        std::hint::black_box(decode(id, &stored.context("no such container")?)?);
        Ok(())
    }

    fn list(&self) -> Result<usize> {
        let mut count = 0;
        for row in self.blobs.iter() {
            let (key, value) = row.into_inner()?;
            std::hint::black_box(decode(id_of(&key)?, &value)?);
            count += 1;
        }
        Ok(count)
    }

    fn filter(&self, filter: &Filter) -> Result<Option<usize>> {
        let matcher = match blob_filter::plan(filter)? {
            Plan::Look(id) => return self.get(&id).map(|()| Some(1)),
            Plan::Scan(matcher) => matcher,
        };
        let mut count = 0;
        for row in self.blobs.iter() {
            let (key, value) = row.into_inner()?;
            let blob = view(&value)?;
            if matcher.matches(&blob) {
                std::hint::black_box(blob.to_container(id_of(&key)?));
                count += 1;
            }
        }
        Ok(Some(count))
    }
}
