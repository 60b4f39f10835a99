//! The store itself.

use std::marker::PhantomData;
use std::ops::Range;
use std::path::Path;

use anyhow::Result;
use bayplan::{Builder, Container, Db, FieldMask, Filters, Namespace, Share};

use crate::contestant::{CACHE_BYTES, CHANGED, Filter, Opening, SMALL_CACHE_BYTES, TURN_TIMEOUT};
use crate::payload::{NAMESPACE, container, id};
use crate::peer::Peer;

/// How a store is used, where its users have the choice.
pub(crate) trait Mode: Send + Sync {
    const NAME: &'static str;

    /// Whether several processes can write at the same time.
    const IS_SHARED: bool = false;

    /// Switches on what makes the difference.
    fn set(builder: Builder) -> Builder;
}

/// As it is by default.
pub(crate) struct Plain;

impl Mode for Plain {
    const NAME: &'static str = "bayplan";

    fn set(builder: Builder) -> Builder {
        builder
    }
}

/// With a commit log.
pub(crate) struct Log;

impl Mode for Log {
    const NAME: &'static str = "bayplan-log";

    fn set(builder: Builder) -> Builder {
        builder.commit_log(true)
    }
}

/// Beside other processes that read.
pub(crate) struct Readers;

impl Mode for Readers {
    const NAME: &'static str = "bayplan-readers";

    fn set(builder: Builder) -> Builder {
        builder.share(Share::Readers)
    }
}

/// Beside other processes that read and write.
pub(crate) struct Processes;

impl Mode for Processes {
    const NAME: &'static str = "bayplan-processes";
    const IS_SHARED: bool = true;

    fn set(builder: Builder) -> Builder {
        builder.share(Share::Processes).lock_timeout(TURN_TIMEOUT)
    }
}

pub(crate) struct Bayplan<M> {
    db: Db,
    store: Namespace,
    mask: FieldMask,
    mode: PhantomData<M>,
}

impl<M> Bayplan<M> {
    /// Counts what is listed, one container after the other.
    fn visit(&self, filters: &Filters) -> Result<usize> {
        counted(self.store.query().filter(filters).iter()?)
    }
}

fn counted<T>(found: impl Iterator<Item = bayplan::Result<T>>) -> Result<usize> {
    let mut count = 0;
    for item in found {
        std::hint::black_box(item?);
        count += 1;
    }
    Ok(count)
}

fn builder(opening: Opening) -> Builder {
    let builder = Db::builder();
    match opening {
        Opening::Usual => builder.cache_bytes(CACHE_BYTES),
        Opening::FromFile => builder.cache_bytes(CACHE_BYTES).memory_bytes(0),
        Opening::Unchecked => builder.cache_bytes(CACHE_BYTES).check_integrity(false),
        Opening::SmallCache => builder.cache_bytes(SMALL_CACHE_BYTES).memory_bytes(0),
    }
}

impl<M: Mode> Peer for Bayplan<M> {
    const NAME: &'static str = M::NAME;
    type New = Container;
    type Change = Container;

    fn open(directory: &Path, opening: Opening) -> Result<Self> {
        let path = directory.join("store.redb");
        let builder = M::set(builder(opening));
        let db = if path.exists() {
            builder.open(&path)?
        } else {
            builder.create(&path)?
        };
        let store = db.namespace(NAMESPACE)?;
        let mask = FieldMask::parse([format!("labels.{CHANGED}").as_str()])?;
        Ok(Self {
            db,
            store,
            mask,
            mode: PhantomData,
        })
    }

    fn new(number: usize) -> Result<Container> {
        Ok(container(number))
    }

    fn change(number: usize, value: &str) -> Result<Container> {
        Ok(Container::with_id(id(number)).label(CHANGED, value))
    }

    fn fill(&self, mut numbers: Range<usize>) -> Result<()> {
        self.db.write(|txn| -> Result<()> {
            let store = txn.namespace(NAMESPACE)?;
            numbers.try_for_each(|number| {
                store.create(container(number))?;
                Ok(())
            })
        })
    }

    fn remove(&self, mut numbers: Range<usize>) -> Result<()> {
        self.db.write(|txn| -> Result<()> {
            let store = txn.namespace(NAMESPACE)?;
            numbers.try_for_each(|number| Ok(store.delete(&id(number))?))
        })
    }

    fn create(&self, new: Container) -> Result<()> {
        std::hint::black_box(self.store.create(new)?);
        Ok(())
    }

    fn update(&self, change: Container) -> Result<()> {
        std::hint::black_box(self.store.update(change, &self.mask)?);
        Ok(())
    }

    fn delete(&self, id: &str) -> Result<()> {
        Ok(self.store.delete(id)?)
    }

    fn get(&self, id: &str) -> Result<()> {
        std::hint::black_box(self.store.get(id)?);
        Ok(())
    }

    fn list(&self) -> Result<usize> {
        self.visit(&Filters::all())
    }

    fn filter(&self, filter: &Filter) -> Result<Option<usize>> {
        self.visit(&Filters::parse([filter.text()])?).map(Some)
    }

    fn headers(&self) -> Result<Option<usize>> {
        counted(self.store.query().iter_headers()?).map(Some)
    }

    fn create_apart(&self, new: Container) -> Result<Option<()>> {
        self.db.write(|txn| txn.namespace(NAMESPACE)?.create(new))?;
        Ok(Some(()))
    }

    fn rest(&self) -> Result<bool> {
        self.db.checkpoint()?;
        Ok(true)
    }

    fn can_skip_check() -> bool {
        true
    }

    fn has_file_row() -> bool {
        true
    }

    fn can_be_shared() -> bool {
        M::IS_SHARED
    }
}
