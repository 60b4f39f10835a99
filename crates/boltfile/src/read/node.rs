//! A branch or a leaf page whose elements have been verified.

use std::borrow::Cow;

use super::run::{Pages, Run};
use crate::error::{Fault, Result};
use crate::limits::KEY_MAX_BYTES;
use crate::page::{BUCKET, BranchElement, HEADER_BYTES, LeafElement};

/// The keys that a page may have, as the branch pages above it say: from the first to below the second.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyRange {
    pub(crate) from: Option<Vec<u8>>,
    pub(crate) below: Option<Vec<u8>>,
}

/// A page whose elements are in it, in order, with keys that rise and are in the range of the page.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) run: Run,
    pub(crate) is_branch: bool,
}

/// An element of either kind of page: its key, then its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element {
    /// Of a leaf; 0 in a branch.
    flags: u32,
    /// Where the key begins in the page.
    key: u64,
    key_bytes: u32,
    /// Of a leaf; 0 in a branch.
    pub(crate) value_bytes: u32,
    /// Of a branch; 0 in a leaf.
    pub(crate) page: u64,
}

impl Element {
    pub(crate) fn is_bucket(&self) -> bool {
        self.flags == BUCKET
    }

    /// Where the value begins in the page.
    pub(crate) fn value(&self) -> u64 {
        self.key + u64::from(self.key_bytes)
    }

    fn end(&self) -> u64 {
        self.value() + u64::from(self.value_bytes)
    }
}

impl Node {
    /// Reads a page and verifies it.
    pub(crate) fn load(pages: &Pages, page: u64, range: &KeyRange) -> Result<Self> {
        Self::verified(pages, pages.run(page)?, range)
    }

    /// Verifies every element of a page.
    pub(crate) fn verified(pages: &Pages, run: Run, range: &KeyRange) -> Result<Self> {
        let is_branch = pages.is_branch(&run)?;
        let node = Self { run, is_branch };
        node.verify(pages, range)?;
        Ok(node)
    }

    pub(crate) fn count(&self) -> u16 {
        self.run.header.count
    }

    fn verify(&self, pages: &Pages, range: &KeyRange) -> Result<()> {
        let fault = |fault| Err(pages.fault(&self.run, fault));
        let count = self.count();
        if self.is_branch && count == 0 {
            return fault(Fault::EmptyBranch);
        }
        let most = self.run.length / HEADER_BYTES - 1;
        if u64::from(count) > most {
            let found = u64::from(count);
            return fault(Fault::Count { found, most });
        }
        let mut end = place(count);
        let mut previous: Option<Cow<'_, [u8]>> = None;
        for index in 0..count {
            let element = self.element(pages, index)?;
            self.verify_place(pages, index, &element, end)?;
            end = element.end();
            let key = self.key(pages, &element)?;
            match (&previous, &range.from) {
                (Some(previous), _) if key <= *previous => return fault(Fault::KeyOrder { index }),
                (None, Some(from)) if *key < **from => return fault(Fault::KeyRange { index }),
                _ => {}
            }
            previous = Some(key);
        }
        match (previous, &range.below) {
            (Some(last), Some(below)) if *last >= **below => {
                let index = count.saturating_sub(1);
                fault(Fault::KeyRange { index })
            }
            _ => Ok(()),
        }
    }

    /// Where an element is, its length and its flags.
    fn verify_place(&self, pages: &Pages, index: u16, element: &Element, from: u64) -> Result<()> {
        let fault = |fault| Err(pages.fault(&self.run, fault));
        let length = element.key_bytes;
        if element.flags > BUCKET {
            let found = element.flags;
            return fault(Fault::ElementFlags { index, found });
        }
        if length == 0 || length as usize > KEY_MAX_BYTES {
            return fault(Fault::KeyLength { index, length });
        }
        let (start, end, to) = (element.key, element.end(), self.run.length);
        if start < from || end > to {
            return fault(Fault::Element {
                index,
                start,
                end,
                from,
                to,
            });
        }
        Ok(())
    }

    /// An element; the index is below the count.
    pub(crate) fn element(&self, pages: &Pages, index: u16) -> Result<Element> {
        let at = place(index);
        let bytes = pages.sixteen(&self.run, at)?;
        Ok(if self.is_branch {
            let element = BranchElement::decode(bytes);
            Element {
                flags: 0,
                key: at + u64::from(element.pos),
                key_bytes: element.key_bytes,
                value_bytes: 0,
                page: element.page,
            }
        } else {
            let element = LeafElement::decode(bytes);
            Element {
                flags: element.flags,
                key: at + u64::from(element.pos),
                key_bytes: element.key_bytes,
                value_bytes: element.value_bytes,
                page: 0,
            }
        })
    }

    pub(crate) fn key(&self, pages: &Pages, element: &Element) -> Result<Cow<'_, [u8]>> {
        pages.bytes(&self.run, element.key, element.key_bytes)
    }

    /// The first element whose key is not below this one; the count if all are.
    pub(crate) fn position(&self, pages: &Pages, key: &[u8]) -> Result<u16> {
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low + (high - low) / 2;
            let element = self.element(pages, middle)?;
            if *self.key(pages, &element)? < *key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// The page below element `index` of a branch, and the keys that it may have.
    pub(crate) fn child(
        &self,
        pages: &Pages,
        index: u16,
        range: &KeyRange,
    ) -> Result<(u64, KeyRange)> {
        let element = self.element(pages, index)?;
        let next = index.saturating_add(1);
        let below = if next < self.count() {
            let element = self.element(pages, next)?;
            Some(self.key(pages, &element)?.into_owned())
        } else {
            range.below.clone()
        };
        let from = Some(self.key(pages, &element)?.into_owned());
        Ok((element.page, KeyRange { from, below }))
    }
}

/// Where an element begins in a page.
fn place(index: u16) -> u64 {
    HEADER_BYTES * (u64::from(index) + 1)
}
