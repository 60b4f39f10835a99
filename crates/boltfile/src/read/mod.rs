//! Reading a file.

mod bucket;
mod check;
mod cursor;
mod disk;
mod nesting;
mod node;
mod page_set;
mod run;
mod value;

use std::path::Path;

pub use self::bucket::{Bucket, Entry, Item, Iter};
pub use self::check::Summary;
pub use self::value::{Value, ValueReader};

use self::disk::Disk;
use self::nesting::Place;
use self::run::Pages;
use crate::error::{Error, MetaFault, Result};
use crate::limits::{PAGE_SIZES, VALUE_MAX_BYTES_DEFAULT};
use crate::meta::{META_BYTES, Meta, latest};
use crate::page::HEADER_BYTES;

/// A Bolt file that is open for reading.
///
/// It holds a shared lock (`flock`) on the file, as bbolt's read-only mode does: no bbolt opens it for writing in
/// the meantime. The file shows one state, that of its last commit.
#[derive(Debug)]
pub struct Reader {
    pages: Pages,
    value_max_bytes: u64,
}

/// How to open a file for reading.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    value_max_bytes: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl ReadOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self {
            value_max_bytes: VALUE_MAX_BYTES_DEFAULT,
        }
    }

    /// The longest value that is read at once, in bytes; [`VALUE_MAX_BYTES_DEFAULT`] unless set. Longer values can be
    /// read piece by piece ([`Value::reader`]).
    pub fn value_max_bytes(&mut self, value_max_bytes: u64) -> &mut Self {
        self.value_max_bytes = value_max_bytes;
        self
    }

    /// Opens a file and verifies its meta pages. Other pages are verified whenever they are read.
    ///
    /// # Errors
    ///
    /// [`Locked`](Error::Locked) if a process has the file open for writing, [`NotBolt`](Error::NotBolt),
    /// [`Io`](Error::Io).
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Reader> {
        let disk = Disk::open(path.as_ref())?;
        let meta = read_meta(&disk)?;
        Ok(Reader {
            pages: Pages { disk, meta },
            value_max_bytes: self.value_max_bytes,
        })
    }
}

impl Reader {
    /// Opens a file with the default options, see [`ReadOptions::open`].
    ///
    /// # Errors
    ///
    /// As [`ReadOptions::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        ReadOptions::new().open(path)
    }

    /// The bucket that all others are in. bbolt keeps only buckets in it.
    pub fn root(&self) -> Bucket<'_> {
        Bucket::new(self, Place::of_root(&self.pages))
    }

    /// What the meta page says that counts.
    pub fn meta(&self) -> &Meta {
        &self.pages.meta
    }

    /// Reads and verifies every page that is in use, and the freelist.
    ///
    /// It finds what no other operation sees: a page that two pages refer to, or that is in use and on the freelist. No
    /// other operation loops over such a file either. But a forged one can show the same buckets in ever more places,
    /// more than could be read in a lifetime. So check a file that you do not trust before you walk over it. A check
    /// reads each page once.
    ///
    /// # Errors
    ///
    /// [`Damaged`](Error::Damaged), [`Io`](Error::Io).
    pub fn check(&self) -> Result<Summary> {
        check::check(&self.pages)
    }
}

/// Finds the meta page that counts. The second one is a page after the first. If the first is damaged, the second is
/// looked for at each page size that Bolt can have.
fn read_meta(disk: &Disk) -> Result<Meta> {
    let first = meta_at(disk, 0, None)?;
    let second = match &first {
        Ok(meta) => meta_at(disk, meta.page_bytes, Some(meta.page_bytes))?,
        Err(_) => {
            let mut found = Err(MetaFault::Missing);
            for page_bytes in PAGE_SIZES {
                let meta = meta_at(disk, page_bytes, Some(page_bytes))?;
                // If there are several faults, any other says more than that there is no meta page.
                let tells_more = match (&found, &meta) {
                    (Ok(_), _) => false,
                    (_, Ok(_)) | (Err(MetaFault::Missing), _) => true,
                    (Err(before), Err(fault)) => {
                        matches!(before, MetaFault::Magic { .. })
                            && !matches!(fault, MetaFault::Missing | MetaFault::Magic { .. })
                    }
                };
                if tells_more {
                    found = meta;
                }
            }
            found
        }
    };
    latest(first, second).map_err(|[first, second]| Error::NotBolt {
        path: disk.path().to_owned(),
        first,
        second,
    })
}

fn meta_at(disk: &Disk, offset: u32, page_bytes: Option<u32>) -> Result<Result<Meta, MetaFault>> {
    let bytes = disk.array::<META_BYTES>(u64::from(offset) + HEADER_BYTES)?;
    let meta = bytes.ok_or(MetaFault::Missing);
    let meta = meta.and_then(|bytes| Meta::decode(&bytes));
    Ok(meta.and_then(|meta| match page_bytes {
        Some(expected) if expected != meta.page_bytes => Err(MetaFault::PageSize {
            found: meta.page_bytes,
        }),
        _ => Ok(meta),
    }))
}
