//! Looks at every page once.

use std::sync::Arc;

use super::nesting::{Nesting, Place, Root};
use super::node::{KeyRange, Node};
use super::page_set::PageSet;
use super::run::{Pages, Run};
use crate::error::{Fault, Result};
use crate::limits::PAGE_DEPTH_MAX;
use crate::page::{FREELIST_LONG, HEADER_BYTES};

/// What a whole file has, as [`Reader::check`](crate::Reader::check) found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The nested buckets at any depth, without the root bucket.
    pub buckets: u64,
    /// The keys with values, in all buckets.
    pub values: u64,
    /// The pages in use, with the two meta pages, the freelist and all overflow.
    pub used_pages: u64,
    /// The pages on the freelist. Without one (`NoFreelistSync`), all that are not in use.
    pub free_pages: u64,
    /// Pages that are neither in use nor on the freelist. They take space, no more. bbolt's `Tx.Check` calls each of
    /// them unreachable and unfreed.
    pub lost_pages: u64,
}

/// Whole numbers of the freelist that are read at once.
const FREELIST_CHUNK: u32 = 1024;

struct Check<'p> {
    pages: &'p Pages,
    used: PageSet,
    summary: Summary,
    /// From the root of the root bucket to the page at hand.
    stack: Vec<Frame>,
}

struct Frame {
    node: Arc<Node>,
    range: KeyRange,
    next: u16,
    /// Pages above it in its bucket.
    depth: usize,
    nesting: Nesting,
}

/// Verifies every page that is in use, and the freelist.
pub(super) fn check(pages: &Pages) -> Result<Summary> {
    let mut check = Check {
        pages,
        used: PageSet::default(),
        summary: Summary::default(),
        stack: Vec::new(),
    };
    // The two meta pages; the set is empty.
    let _ = check.used.insert(0, 2);
    check.bucket(Place::of_root(pages))?;
    while let Some(frame) = check.stack.last_mut() {
        let index = frame.next;
        frame.next = index.saturating_add(1);
        if index >= frame.node.count() {
            check.stack.pop();
        } else if frame.node.is_branch {
            let (page, range) = frame.node.child(pages, index, &frame.range)?;
            let (depth, nesting) = (frame.depth + 1, frame.nesting.clone());
            check.page(page, range, depth, nesting)?;
        } else {
            let node = Arc::clone(&frame.node);
            let element = node.element(pages, index)?;
            if element.is_bucket() {
                let place = Place::of_element(pages, &node, index, &element, &frame.nesting)?;
                check.summary.buckets += 1;
                check.bucket(place)?;
            } else {
                check.summary.values += 1;
            }
        }
    }
    check.free()?;
    Ok(check.summary)
}

impl Check<'_> {
    fn bucket(&mut self, place: Place) -> Result<()> {
        match place.root {
            Root::Page(page) => self.page(page, KeyRange::default(), 0, place.nesting),
            Root::Inline(node) => {
                self.stack.push(Frame {
                    node,
                    range: KeyRange::default(),
                    next: 0,
                    depth: 0,
                    nesting: place.nesting,
                });
                Ok(())
            }
        }
    }

    fn page(&mut self, page: u64, range: KeyRange, depth: usize, nesting: Nesting) -> Result<()> {
        if depth >= PAGE_DEPTH_MAX {
            return Err(self.pages.damaged(page, Fault::TooDeep));
        }
        let mut above = self.stack.iter().map(|frame| frame.node.run.page);
        if above.any(|above| above == page) {
            return Err(self.pages.damaged(page, Fault::Cycle));
        }
        let run = self.pages.run(page)?;
        self.claim(&run)?;
        self.stack.push(Frame {
            node: Arc::new(Node::verified(self.pages, run, &range)?),
            range,
            next: 0,
            depth,
            nesting,
        });
        Ok(())
    }

    fn claim(&mut self, run: &Run) -> Result<()> {
        let end = run.page + 1 + u64::from(run.header.overflow);
        let claimed = self.used.insert(run.page, end);
        claimed.map_err(|page| self.pages.damaged(page, Fault::Shared))
    }

    /// Verifies the freelist, and counts.
    fn free(&mut self) -> Result<()> {
        let high_water = self.pages.meta.high_water;
        let mut free = PageSet::default();
        if let Some(page) = self.pages.meta.freelist {
            let run = self.pages.run(page)?;
            self.pages.expect_freelist(&run)?;
            self.claim(&run)?;
            self.freelist(&run, &mut free)?;
        }
        let unused = high_water.saturating_sub(self.used.count());
        self.summary.used_pages = self.used.count();
        (self.summary.free_pages, self.summary.lost_pages) = match self.pages.meta.freelist {
            None => (unused, 0),
            Some(_) => (free.count(), unused.saturating_sub(free.count())),
        };
        Ok(())
    }

    fn freelist(&self, run: &Run, free: &mut PageSet) -> Result<()> {
        let mut at = HEADER_BYTES;
        let mut left = u64::from(run.header.count);
        if run.header.count == FREELIST_LONG {
            let bytes = self.pages.bytes(run, at, 8)?;
            left = bytes
                .first_chunk()
                .map_or(0, |bytes| u64::from_le_bytes(*bytes));
            at += 8;
        }
        let most = (run.length - at) / 8;
        if left > most {
            let fault = Fault::Count { found: left, most };
            return Err(self.pages.fault(run, fault));
        }
        while left > 0 {
            let count = left.min(u64::from(FREELIST_CHUNK));
            let length = count as u32 * 8;
            for bytes in self.pages.bytes(run, at, length)?.as_chunks().0 {
                self.freed(u64::from_le_bytes(*bytes), free)?;
            }
            left -= count;
            at += u64::from(length);
        }
        Ok(())
    }

    /// One page of the freelist.
    fn freed(&self, page: u64, free: &mut PageSet) -> Result<()> {
        let fault = |fault| Err(self.pages.damaged(page, fault));
        let high_water = self.pages.meta.high_water;
        if page < 2 || page >= high_water {
            return fault(Fault::PageId { high_water });
        }
        if self.used.overlap(page, page + 1).is_some() {
            return fault(Fault::Freed);
        }
        if free.insert(page, page + 1).is_err() {
            return fault(Fault::FreedTwice);
        }
        Ok(())
    }
}
