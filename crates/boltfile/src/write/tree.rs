//! The tree of one bucket, written from the leaves up while its keys come in order.

use super::output::Output;
use crate::error::Result;
use crate::page::{
    BRANCH, BUCKET, BranchElement, BucketHeader, HEADER_BYTES, Header, LEAF, LeafElement,
};

/// A branch page is written with two elements or more: bbolt cannot delete from one that has a single one.
const BRANCH_MIN_ELEMENTS: usize = 2;

/// A bucket that is being written.
#[derive(Debug, Default)]
pub(super) struct Tree {
    leaf: Leaf,
    /// From just above the leaves to the root.
    branches: Vec<Branch>,
    has_buckets: bool,
    last_key: Vec<u8>,
    pub(super) sequence: u64,
}

/// The leaf page at hand.
#[derive(Debug, Default)]
struct Leaf {
    /// Flags, and the lengths of key and value.
    elements: Vec<(u32, u32, u32)>,
    first_key: Vec<u8>,
    data: Vec<u8>,
}

/// A branch page at hand: first keys, and where they are.
#[derive(Debug, Default)]
struct Branch {
    elements: Vec<(Vec<u8>, u64)>,
    /// The page would have so many bytes.
    bytes: u64,
}

impl Tree {
    /// The last key that was inserted; empty before the first.
    pub(super) fn last_key(&self) -> &[u8] {
        &self.last_key
    }

    /// Adds a pair. Its key follows the last one; the limits have been verified.
    pub(super) fn put(&mut self, output: &mut Output, key: &[u8], value: &[u8]) -> Result<()> {
        self.insert(output, 0, key, value)
    }

    /// Adds a nested bucket as the value that it has in its element.
    pub(super) fn put_bucket(
        &mut self,
        output: &mut Output,
        name: &[u8],
        value: &[u8],
    ) -> Result<()> {
        self.has_buckets = true;
        self.insert(output, BUCKET, name, value)
    }

    fn insert(&mut self, output: &mut Output, flags: u32, key: &[u8], value: &[u8]) -> Result<()> {
        let more = element_bytes(key, value);
        if !self.leaf.elements.is_empty() && self.leaf.bytes() + more > output.page_bytes() {
            self.flush_leaf(output)?;
        }
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        // Below the limits, which are below 2^32.
        let element = (flags, key.len() as u32, value.len() as u32);
        if HEADER_BYTES + more > output.page_bytes() {
            // Its own page, from where the value is: it may be long.
            let elements = encode_leaf(&[element]);
            let page = output.page(LEAF, 1, &[&elements, key, value])?;
            return self.add_to_branch(output, 0, key.to_vec(), page);
        }
        self.leaf.push(element, key, value);
        Ok(())
    }

    fn flush_leaf(&mut self, output: &mut Output) -> Result<()> {
        let leaf = std::mem::take(&mut self.leaf);
        let page = leaf.write(output)?;
        self.add_to_branch(output, 0, leaf.first_key, page)
    }

    /// Adds a page to the branch page of this level that is above it.
    fn add_to_branch(
        &mut self,
        output: &mut Output,
        level: usize,
        key: Vec<u8>,
        page: u64,
    ) -> Result<()> {
        let mut added = Some((level, key, page));
        while let Some((level, key, page)) = added.take() {
            if self.branches.len() <= level {
                self.branches.push(Branch::default());
            }
            let Some(branch) = self.branches.get_mut(level) else {
                break;
            };
            let full = branch.bytes_with(&key) > output.page_bytes();
            // The last element stays for the next page, which may get one more only.
            if full && branch.elements.len() > BRANCH_MIN_ELEMENTS {
                let last = branch.elements.split_off(branch.elements.len() - 1);
                let (first_key, page) = branch.write(output)?;
                *branch = Branch::default();
                last.into_iter()
                    .for_each(|(key, page)| branch.push(key, page));
                added = Some((level + 1, first_key, page));
            }
            branch.push(key, page);
        }
        Ok(())
    }

    /// Writes the rest as pages, and returns the root page.
    pub(super) fn finish(mut self, output: &mut Output) -> Result<u64> {
        if self.branches.is_empty() {
            return self.leaf.write(output);
        }
        if !self.leaf.elements.is_empty() {
            self.flush_leaf(output)?;
        }
        let (mut root, mut level) = (0, 0);
        while let Some(branch) = self.branches.get_mut(level).map(std::mem::take) {
            level += 1;
            let is_top = level == self.branches.len();
            if let (true, [(_, page)]) = (is_top, branch.elements.as_slice()) {
                return Ok(*page);
            }
            let (key, page) = branch.write(output)?;
            root = page;
            // This may add a level.
            if !is_top {
                self.add_to_branch(output, level, key, page)?;
            }
        }
        Ok(root)
    }

    /// Writes the rest, and returns the value of the bucket's element: its page is inline if it is small, as with
    /// bbolt.
    pub(super) fn finish_nested(self, output: &mut Output) -> Result<Vec<u8>> {
        let sequence = self.sequence;
        let is_inline = self.branches.is_empty()
            && !self.has_buckets
            && self.leaf.bytes() <= output.page_bytes() / 4;
        if is_inline {
            let header = Header {
                id: 0,
                flags: LEAF,
                count: self.leaf.count(),
                overflow: 0,
            };
            let elements = encode_leaf(&self.leaf.elements);
            let bucket = BucketHeader { root: 0, sequence }.encode();
            return Ok([&bucket[..], &header.encode(), &elements, &self.leaf.data].concat());
        }
        let root = self.finish(output)?;
        Ok(BucketHeader { root, sequence }.encode().to_vec())
    }
}

impl Leaf {
    fn count(&self) -> u16 {
        // A page of 64 KiB has far fewer.
        self.elements.len() as u16
    }

    /// The length of the page, in bytes.
    fn bytes(&self) -> u64 {
        HEADER_BYTES * (self.elements.len() as u64 + 1) + self.data.len() as u64
    }

    fn push(&mut self, element: (u32, u32, u32), key: &[u8], value: &[u8]) {
        if self.elements.is_empty() {
            self.first_key = key.to_vec();
        }
        self.elements.push(element);
        self.data.extend_from_slice(key);
        self.data.extend_from_slice(value);
    }

    fn write(&self, output: &mut Output) -> Result<u64> {
        let elements = encode_leaf(&self.elements);
        output.page(LEAF, self.count(), &[&elements, &self.data])
    }
}

/// The length that a pair takes in a leaf.
fn element_bytes(key: &[u8], value: &[u8]) -> u64 {
    HEADER_BYTES + key.len() as u64 + value.len() as u64
}

fn encode_leaf(elements: &[(u32, u32, u32)]) -> Vec<u8> {
    let mut encoded = Vec::new();
    let mut table = HEADER_BYTES as u32 * elements.len() as u32;
    let mut data = 0;
    for (flags, key_bytes, value_bytes) in elements.iter().copied() {
        let element = LeafElement {
            flags,
            // From this element: what is left of the table, and the data before.
            pos: table + data,
            key_bytes,
            value_bytes,
        };
        encoded.extend(element.encode());
        table -= HEADER_BYTES as u32;
        data += key_bytes + value_bytes;
    }
    encoded
}

impl Branch {
    fn bytes_with(&self, key: &[u8]) -> u64 {
        HEADER_BYTES + self.bytes + HEADER_BYTES + key.len() as u64
    }

    fn push(&mut self, key: Vec<u8>, page: u64) {
        self.bytes += HEADER_BYTES + key.len() as u64;
        self.elements.push((key, page));
    }

    /// Writes the page, and returns its first key and its id.
    fn write(&self, output: &mut Output) -> Result<(Vec<u8>, u64)> {
        let mut table = HEADER_BYTES as u32 * self.elements.len() as u32;
        let mut encoded = Vec::new();
        let mut data = Vec::new();
        for (key, page) in &self.elements {
            let element = BranchElement {
                pos: table + data.len() as u32,
                key_bytes: key.len() as u32,
                page: *page,
            };
            encoded.extend(element.encode());
            data.extend_from_slice(key);
            table -= HEADER_BYTES as u32;
        }
        let count = self.elements.len() as u16;
        let page = output.page(BRANCH, count, &[&encoded, &data])?;
        let first = self.elements.first();
        Ok((first.map(|(key, _)| key.clone()).unwrap_or_default(), page))
    }
}
