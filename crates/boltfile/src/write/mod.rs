//! Writing a file.

mod file;
mod output;
mod tree;

use std::path::Path;

use self::output::Output;
use self::tree::Tree;
use crate::error::{Error, Result};
use crate::limits::{
    BUCKET_DEPTH_MAX, KEY_MAX_BYTES, PAGE_BYTES_DEFAULT, PAGE_SIZES, VALUE_MAX_BYTES,
};

/// How to write a file.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    page_bytes: u32,
    may_overwrite: bool,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl WriteOptions {
    /// The defaults: pages of 4 KiB, and nothing is overwritten.
    pub fn new() -> Self {
        Self {
            page_bytes: PAGE_BYTES_DEFAULT,
            may_overwrite: false,
        }
    }

    /// The size of a page in bytes: a power of two from 1 KiB to 64 KiB. bbolt takes that of its machine.
    pub fn page_bytes(&mut self, page_bytes: u32) -> &mut Self {
        self.page_bytes = page_bytes;
        self
    }

    /// Whether a file of this name may be replaced; `false` unless set. [`Writer::finish`] replaces the complete file,
    /// unless a process has it open.
    pub fn may_overwrite(&mut self, may_overwrite: bool) -> &mut Self {
        self.may_overwrite = may_overwrite;
        self
    }

    /// Begins a new file. It has another name, beginning with a dot, until [`Writer::finish`]. Only its owner may read
    /// and write it (mode 0600).
    ///
    /// # Errors
    ///
    /// [`PageSize`](Error::PageSize), [`Exists`](Error::Exists), [`Io`](Error::Io).
    pub fn create(&self, path: impl AsRef<Path>) -> Result<Writer> {
        let page_bytes = self.page_bytes;
        if !PAGE_SIZES.contains(&page_bytes) {
            return Err(Error::PageSize { page_bytes });
        }
        Ok(Writer {
            output: Output::create(path.as_ref(), page_bytes, self.may_overwrite)?,
            root: Tree::default(),
            open: Vec::new(),
        })
    }
}

/// Writes a new file, in one pass: buckets and pairs come in the order of their keys.
///
/// Each call applies to the innermost open bucket, which is the root bucket at first. In each bucket the keys and the
/// names of nested buckets rise, compared as bytes. Pages are written as soon as they are full: in memory there is one
/// page for each level of each open bucket.
///
/// An error about a key or a value leaves everything as it was, and the next call may follow. After a failed write
/// every further one is [`Failed`](Error::Failed).
///
/// Dropping a writer before [`Writer::finish`] removes what it wrote.
#[derive(Debug)]
pub struct Writer {
    output: Output,
    root: Tree,
    /// The names of the open buckets with their trees, from the outermost.
    open: Vec<(Vec<u8>, Tree)>,
}

impl Writer {
    /// Begins a new file with the default options, see [`WriteOptions::create`].
    ///
    /// # Errors
    ///
    /// As [`WriteOptions::create`].
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        WriteOptions::new().create(path)
    }

    /// Adds a key with its value. bbolt does not write values into the root bucket, but reads them there.
    ///
    /// # Errors
    ///
    /// [`EmptyKey`](Error::EmptyKey), [`KeyTooLong`](Error::KeyTooLong) above [`KEY_MAX_BYTES`],
    /// [`ValueTooLong`](Error::ValueTooLong) above [`VALUE_MAX_BYTES`], [`KeyOrder`](Error::KeyOrder),
    /// [`Io`](Error::Io), [`Failed`](Error::Failed).
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.verify_key(key)?;
        let length = value.len() as u64;
        if length > VALUE_MAX_BYTES {
            return Err(Error::ValueTooLong {
                length,
                limit: VALUE_MAX_BYTES,
            });
        }
        let (tree, output) = self.innermost();
        tree.put(output, key, value)
    }

    /// Begins a nested bucket. What follows is in it, until [`Writer::close_bucket`].
    ///
    /// # Errors
    ///
    /// As [`Writer::put`] for the name. [`NestingTooDeep`](Error::NestingTooDeep) beyond [`BUCKET_DEPTH_MAX`].
    pub fn open_bucket(&mut self, name: &[u8]) -> Result<()> {
        self.verify_key(name)?;
        if self.open.len() >= BUCKET_DEPTH_MAX {
            return Err(Error::NestingTooDeep);
        }
        self.open.push((name.to_vec(), Tree::default()));
        Ok(())
    }

    /// Sets the sequence of the innermost open bucket; 0 unless set.
    pub fn set_sequence(&mut self, sequence: u64) {
        self.innermost().0.sequence = sequence;
    }

    /// Ends the innermost open bucket.
    ///
    /// # Errors
    ///
    /// [`NoOpenBucket`](Error::NoOpenBucket), [`Io`](Error::Io), [`Failed`](Error::Failed).
    pub fn close_bucket(&mut self) -> Result<()> {
        let (name, tree) = self.open.pop().ok_or(Error::NoOpenBucket)?;
        let value = tree.finish_nested(&mut self.output)?;
        let (around, output) = self.innermost();
        around.put_bucket(output, &name, &value)
    }

    /// Writes the rest, syncs the file, gives it its name, and syncs the name. A crash at any moment leaves the
    /// complete file or none of this name (or the old one, if it is to be replaced), and perhaps the file under its
    /// temporary name.
    ///
    /// # Errors
    ///
    /// [`OpenBuckets`](Error::OpenBuckets). [`Exists`](Error::Exists), or [`Locked`](Error::Locked) if it is to be
    /// replaced but a process has it open. [`Io`](Error::Io), [`Failed`](Error::Failed). Then there is no file of this
    /// name, or the old one, unless only the removal of the temporary name or the final sync of the directory failed.
    pub fn finish(mut self) -> Result<()> {
        if !self.open.is_empty() {
            return Err(Error::OpenBuckets {
                open: self.open.len(),
            });
        }
        let sequence = self.root.sequence;
        let root = self.root.finish(&mut self.output)?;
        self.output.finish(root, sequence)
    }

    fn innermost(&mut self) -> (&mut Tree, &mut Output) {
        let tree = match self.open.last_mut() {
            Some((_, tree)) => tree,
            None => &mut self.root,
        };
        (tree, &mut self.output)
    }

    /// Verifies a key that is to follow in the innermost bucket.
    fn verify_key(&mut self, key: &[u8]) -> Result<()> {
        if key.is_empty() {
            return Err(Error::EmptyKey);
        }
        if key.len() > KEY_MAX_BYTES {
            return Err(Error::KeyTooLong { length: key.len() });
        }
        let previous = self.innermost().0.last_key();
        if key <= previous {
            return Err(Error::KeyOrder {
                key: key.to_vec(),
                previous: previous.to_vec(),
            });
        }
        Ok(())
    }
}
