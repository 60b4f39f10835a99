//! Files as bytes, to forge them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use boltfile::{Reader, Result};
use tempfile::TempDir;

use crate::listing::checksum;
use crate::model::{Content, Model};

pub(crate) const PAGE_BYTES: usize = 1024;

/// A small file with pages of every kind.
#[derive(Debug)]
pub(crate) struct Image {
    directory: TempDir,
    pub(crate) bytes: Vec<u8>,
}

/// The buckets that are in it.
pub(crate) fn sample() -> Model {
    let values = |count: u32, length: usize| {
        let value = move |number: u32| vec![number as u8; length];
        let pair = move |number| {
            (
                format!("key{number:03}").into_bytes(),
                Content::Value(value(number)),
            )
        };
        (0..count).map(pair).collect::<BTreeMap<_, _>>()
    };
    let bucket = |content| {
        Content::Bucket(Model {
            sequence: 5,
            content,
        })
    };
    let mut inner = values(3, 4);
    inner.insert(b"inline".to_vec(), bucket(values(2, 3)));
    inner.insert(b"long".to_vec(), Content::Value(vec![7; 1500]));
    let mut tree = values(60, 6);
    tree.insert(b"nested".to_vec(), bucket(inner));
    let root = BTreeMap::from([
        (b"a".to_vec(), bucket(values(1, 1))),
        (b"tree".to_vec(), bucket(tree)),
    ]);
    Model {
        sequence: 0,
        content: root,
    }
}

impl Image {
    pub(crate) fn sample() -> Self {
        Self::of(&sample())
    }

    pub(crate) fn of(model: &Model) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sample.db");
        model.write(&path, PAGE_BYTES as u32).unwrap();
        let bytes = std::fs::read(path).unwrap();
        Self { directory, bytes }
    }

    /// Writes these bytes at a place in a page.
    pub(crate) fn set(&mut self, page: u64, at: usize, bytes: &[u8]) {
        let at = page as usize * PAGE_BYTES + at;
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub(crate) fn u64(&self, page: u64, at: usize) -> u64 {
        let at = page as usize * PAGE_BYTES + at;
        u64::from_le_bytes(self.bytes[at..at + 8].try_into().unwrap())
    }

    pub(crate) fn u32(&self, page: u64, at: usize) -> u32 {
        self.u64(page, at) as u32
    }

    /// Writes a number into both meta pages, and makes their checksums fit.
    pub(crate) fn set_meta(&mut self, at: usize, number: u64) {
        for page in 0..2 {
            self.set(page, 16 + at, &number.to_le_bytes());
            self.seal(page);
        }
    }

    pub(crate) fn seal(&mut self, page: u64) {
        let start = page as usize * PAGE_BYTES + 16;
        let sum = checksum(&self.bytes[start..start + 56]);
        self.set(page, 16 + 56, &sum.to_le_bytes());
    }

    /// The page of the root bucket.
    pub(crate) fn root(&self) -> u64 {
        self.u64(0, 32)
    }

    /// Where the key and the value of an element of a leaf page begin.
    pub(crate) fn element(&self, page: u64, index: usize) -> (usize, usize) {
        let at = 16 + 16 * index;
        let key = at + self.u32(page, at + 4) as usize;
        (key, key + self.u32(page, at + 8) as usize)
    }

    /// The root page of the bucket of an element.
    pub(crate) fn bucket(&self, page: u64, index: usize) -> u64 {
        self.u64(page, self.element(page, index).1)
    }

    /// The branch page at the root of `tree`.
    pub(crate) fn branch(&self) -> u64 {
        self.bucket(self.root(), 1)
    }

    /// A leaf page of `tree`.
    pub(crate) fn leaf(&self, index: usize) -> u64 {
        self.u64(self.branch(), 16 + 16 * index + 8)
    }

    pub(crate) fn file(&self) -> PathBuf {
        let path = self.directory.path().join("forged.db");
        std::fs::write(&path, &self.bytes).unwrap();
        path
    }

    pub(crate) fn open(&self) -> Result<Reader> {
        Reader::open(self.file())
    }
}
