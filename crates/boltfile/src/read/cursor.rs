//! A position in the tree of a bucket.

use std::sync::Arc;

use super::nesting::Root;
use super::node::{Element, KeyRange, Node};
use super::run::Pages;
use crate::error::{Fault, Result};
use crate::limits::PAGE_DEPTH_MAX;

/// Walks over the elements of the leaf pages in order.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    /// From the root to a leaf.
    stack: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    node: Arc<Node>,
    range: KeyRange,
    /// The next element.
    next: u16,
}

impl Cursor {
    /// The position before the first key that is not below `key`, or before all.
    pub(crate) fn at(pages: &Pages, root: &Root, key: Option<&[u8]>) -> Result<Self> {
        let mut cursor = Self::default();
        let range = KeyRange::default();
        match root {
            Root::Page(page) => cursor.descend(pages, *page, range, key)?,
            Root::Inline(node) => {
                let next = key.map_or(Ok(0), |key| node.position(pages, key))?;
                let node = Arc::clone(node);
                cursor.stack.push(Level { node, range, next });
            }
        }
        Ok(cursor)
    }

    /// Goes down to a leaf.
    fn descend(
        &mut self,
        pages: &Pages,
        mut page: u64,
        mut range: KeyRange,
        key: Option<&[u8]>,
    ) -> Result<()> {
        loop {
            if self.stack.iter().any(|level| level.node.run.page == page) {
                return Err(pages.damaged(page, Fault::Cycle));
            }
            if self.stack.len() >= PAGE_DEPTH_MAX {
                return Err(pages.damaged(page, Fault::TooDeep));
            }
            let node = Arc::new(Node::load(pages, page, &range)?);
            let position = key.map_or(Ok(0), |key| node.position(pages, key))?;
            if !node.is_branch {
                let next = position;
                self.stack.push(Level { node, range, next });
                return Ok(());
            }
            let index = match key {
                Some(key) if !begins_with(pages, &node, position, key)? => {
                    position.saturating_sub(1)
                }
                _ => position,
            };
            let below = node.child(pages, index, &range)?;
            let next = index.saturating_add(1);
            self.stack.push(Level { node, range, next });
            (page, range) = below;
        }
    }

    /// The next element, with its page and its index in it.
    pub(crate) fn next(&mut self, pages: &Pages) -> Result<Option<(Arc<Node>, u16, Element)>> {
        loop {
            let Some(level) = self.stack.last_mut() else {
                return Ok(None);
            };
            let index = level.next;
            if index >= level.node.count() {
                self.stack.pop();
                continue;
            }
            level.next = index.saturating_add(1);
            if !level.node.is_branch {
                let element = level.node.element(pages, index)?;
                return Ok(Some((Arc::clone(&level.node), index, element)));
            }
            let (page, range) = level.node.child(pages, index, &level.range)?;
            self.descend(pages, page, range, None)?;
        }
    }
}

/// Whether the key of an element of a page is this one.
fn begins_with(pages: &Pages, node: &Node, index: u16, key: &[u8]) -> Result<bool> {
    if index >= node.count() {
        return Ok(false);
    }
    let element = node.element(pages, index)?;
    Ok(*node.key(pages, &element)? == *key)
}
