//! One page of a redb tree, as bytes.
//!
//! ```text
//! leaf                                       branch
//! byte 0          01                         byte 0          02
//! bytes 2-3       n: number of pairs         bytes 2-3       n: number of keys
//! 4 bytes x n     where key i ends           bytes 4-7       reserved
//! 4 bytes x n     where value i ends         16 bytes x n+1  checksum of child i
//! keys, values    without gaps               8 bytes x n+1   number of child i
//!                                            4 bytes x n     where key i ends
//!                                            keys            without gaps
//! ```
//!
//! All numbers are little endian, and ends are offsets from the beginning of the page. If all keys (or
//! values) of a table have the same width, their ends are omitted. A checksum covers a page up to its last
//! end. (redb's design document, "Leaf page" and "Branch page".)

use std::ops::Range;

use crate::redb_file::layout::{CHECKSUM_BYTES, NUMBER_BYTES, PageRef};

/// The first byte of a leaf page.
pub(crate) const LEAF: u8 = 1;
/// The first byte of a branch page.
pub(crate) const BRANCH: u8 = 2;
/// The size of the head of a leaf page, before the ends.
pub(crate) const LEAF_HEAD_BYTES: usize = 4;

/// All ends of a page are within this many bytes from its beginning.
pub(crate) const HEAD_MAX_BYTES: u64 = 2 << 20;
const _: () = assert!(HEAD_MAX_BYTES >= 8 + (16 + 8) * (1 << 16) + 4 * (1 << 16));

const BRANCH_HEAD_BYTES: usize = 8;
const COUNT_AT: usize = 2;
const END_BYTES: usize = 4;

/// The lengths of the keys and values of a table, if they are fixed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Widths {
    pub(crate) key_bytes: Option<usize>,
    pub(crate) value_bytes: Option<usize>,
}

/// A page that was read. Nothing in it is trusted; whatever does not fit into it is `None`.
pub(crate) struct Page<B = Vec<u8>> {
    bytes: B,
    widths: Widths,
}

impl<B: AsRef<[u8]>> Page<B> {
    pub(crate) fn new(bytes: B, widths: Widths) -> Self {
        Self { bytes, widths }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    pub(crate) fn is_leaf(&self) -> bool {
        self.bytes().first() == Some(&LEAF)
    }

    /// Returns the bytes that the page's checksum covers; `None` if this is not a page of a tree, or was not read that
    /// far.
    pub(crate) fn used(&self) -> Option<&[u8]> {
        self.bytes()
            .get(..usize::try_from(self.used_bytes()?).ok()?)
    }

    /// Returns how many bytes the checksum covers. The ends of all pairs must have been read.
    pub(crate) fn used_bytes(&self) -> Option<u64> {
        let last = self.count()?.checked_sub(1)?;
        let end = match *self.bytes().first()? {
            LEAF => self.value_end(last)?,
            BRANCH => self.branch_key_end(last)?,
            _ => return None,
        };
        u64::try_from(end).ok()
    }

    /// Returns the pages that a branch refers to; empty for a leaf.
    pub(crate) fn children(&self) -> Vec<PageRef> {
        self.branch_children().unwrap_or_default()
    }

    fn branch_children(&self) -> Option<Vec<PageRef>> {
        let (&BRANCH, _) = self.bytes().split_first()? else {
            return None;
        };
        let count = self.count()? + 1;
        let parts = self.bytes().get(BRANCH_HEAD_BYTES..)?;
        let (checksums, rest) = parts.split_at_checked(CHECKSUM_BYTES * count)?;
        let numbers = rest.get(..NUMBER_BYTES * count)?;
        let pairs = numbers.as_chunks().0.iter().zip(checksums.as_chunks().0);
        Some(
            pairs
                .map(|(number, checksum)| PageRef::new(*number, *checksum))
                .collect(),
        )
    }

    /// Iterates over the pairs of a leaf; `None` for a pair that does not fit into the page.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = Option<(&[u8], &[u8])>> {
        self.places().map(|place| {
            let (key, value) = place?;
            Some((self.bytes().get(key)?, self.bytes().get(value)?))
        })
    }

    /// Iterates over the ranges of the key and the value of each pair of a leaf; `None` for an invalid pair. Only the
    /// ends need to have been read, up to [`Page::leaf_keys_at`].
    pub(crate) fn places(&self) -> impl Iterator<Item = Option<(Range<usize>, Range<usize>)>> {
        let count = self.count().filter(|_| self.is_leaf()).unwrap_or(0);
        (0..count).map(|pair| Some((self.key(pair)?, self.value(pair)?)))
    }

    fn key(&self, key: usize) -> Option<Range<usize>> {
        let start = match key.checked_sub(1) {
            Some(before) => self.leaf_key_end(before)?,
            None => self.leaf_keys_at()?,
        };
        Some(start..self.leaf_key_end(key)?)
    }

    fn value(&self, value: usize) -> Option<Range<usize>> {
        let start = match value.checked_sub(1) {
            Some(before) => self.value_end(before)?,
            None => self.leaf_key_end(self.count()?.checked_sub(1)?)?,
        };
        Some(start..self.value_end(value)?)
    }

    /// Returns how many pairs a leaf has, or how many keys a branch.
    fn count(&self) -> Option<usize> {
        let bytes = self.bytes().get(COUNT_AT..)?.first_chunk()?;
        Some(u16::from_le_bytes(*bytes).into())
    }

    fn end(&self, at: usize) -> Option<usize> {
        let bytes = self.bytes().get(at..)?.first_chunk()?;
        usize::try_from(u32::from_le_bytes(*bytes)).ok()
    }

    /// Returns the offset of the keys of a leaf: after the ends of all its pairs.
    pub(crate) fn leaf_keys_at(&self) -> Option<usize> {
        let widths = [self.widths.key_bytes, self.widths.value_bytes];
        let ends = widths.iter().filter(|width| width.is_none()).count();
        Some(LEAF_HEAD_BYTES + END_BYTES * ends * self.count()?)
    }

    fn leaf_key_end(&self, key: usize) -> Option<usize> {
        match self.widths.key_bytes {
            Some(width) => self
                .leaf_keys_at()?
                .checked_add(width.checked_mul(key + 1)?),
            None => self.end(LEAF_HEAD_BYTES + END_BYTES * key),
        }
    }

    fn value_end(&self, value: usize) -> Option<usize> {
        if let Some(width) = self.widths.value_bytes {
            return self
                .leaf_key_end(self.count()?.checked_sub(1)?)?
                .checked_add(width.checked_mul(value + 1)?);
        }
        let before = match self.widths.key_bytes {
            Some(_) => 0,
            None => self.count()?,
        };
        self.end(LEAF_HEAD_BYTES + END_BYTES * (before + value))
    }

    fn branch_key_end(&self, key: usize) -> Option<usize> {
        let children = self.count()? + 1;
        let ends_at = BRANCH_HEAD_BYTES + (CHECKSUM_BYTES + NUMBER_BYTES) * children;
        match self.widths.key_bytes {
            Some(width) => ends_at.checked_add(width.checked_mul(key + 1)?),
            None => self.end(ends_at + END_BYTES * key),
        }
    }
}
