//! How deep a bucket is, and which leaf pages are above it.

use std::sync::Arc;

use super::node::{Element, KeyRange, Node};
use super::run::Pages;
use crate::error::{Fault, Result};
use crate::limits::BUCKET_DEPTH_MAX;
use crate::page::{BucketHeader, HEADER_BYTES};

/// The leaf pages that a bucket is in, from the inside out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nesting(Option<Arc<Level>>);

#[derive(Debug)]
struct Level {
    leaf: u64,
    depth: usize,
    around: Nesting,
}

impl Nesting {
    fn leaves(&self) -> impl Iterator<Item = u64> {
        let levels = std::iter::successors(self.0.as_deref(), |level| level.around.0.as_deref());
        levels.map(|level| level.leaf)
    }

    /// The nesting of a bucket in a leaf page of the bucket that has this one.
    fn within(&self, leaf: u64) -> Self {
        Self(Some(Arc::new(Level {
            leaf,
            depth: self.depth() + 1,
            around: self.clone(),
        })))
    }

    /// 0 for the root bucket.
    pub(crate) fn depth(&self) -> usize {
        self.0.as_ref().map_or(0, |level| level.depth)
    }
}

/// Where the tree of a bucket begins.
#[derive(Clone, Debug)]
pub(crate) enum Root {
    Page(u64),
    Inline(Arc<Node>),
}

/// A bucket as its element describes it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) root: Root,
    pub(crate) sequence: u64,
    pub(crate) nesting: Nesting,
}

impl Place {
    pub(crate) fn of_root(pages: &Pages) -> Self {
        let header = pages.meta.root_bucket();
        Self {
            root: Root::Page(header.root),
            sequence: header.sequence,
            nesting: Nesting::default(),
        }
    }

    /// The bucket of an element in a leaf of a bucket that is nested so.
    pub(crate) fn of_element(
        pages: &Pages,
        node: &Node,
        index: u16,
        element: &Element,
        nesting: &Nesting,
    ) -> Result<Self> {
        let run = &node.run;
        let fault = |fault| Err(pages.fault(run, fault));
        let length = element.value_bytes;
        let expected = HEADER_BYTES as u32;
        if run.inline.is_some() {
            return fault(Fault::BucketInInline { index });
        }
        if length < expected {
            return fault(Fault::BucketLength {
                index,
                length,
                expected,
            });
        }
        if nesting.leaves().any(|leaf| leaf == run.page) {
            return fault(Fault::Cycle);
        }
        if nesting.depth() >= BUCKET_DEPTH_MAX {
            return fault(Fault::NestingTooDeep { index });
        }
        let header = BucketHeader::decode(pages.sixteen(run, element.value())?);
        let root = if header.root != 0 {
            Root::Page(header.root)
        } else if length < 2 * expected {
            return fault(Fault::BucketLength {
                index,
                length,
                expected: 2 * expected,
            });
        } else {
            let at = element.value() + HEADER_BYTES;
            let inline = pages.inline(run, index, at, u64::from(length) - HEADER_BYTES)?;
            let node = Node::verified(pages, inline, &KeyRange::default())?;
            Root::Inline(Arc::new(node))
        };
        Ok(Self {
            root,
            sequence: header.sequence,
            nesting: nesting.within(run.page),
        })
    }
}
