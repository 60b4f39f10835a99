//! A value: read at once, or piece by piece.

use std::io;
use std::sync::Arc;

use super::Reader;
use super::node::Node;
use crate::error::{Error, Result};

/// A value in the file. It is read only when requested.
#[derive(Clone, Debug)]
pub struct Value<'r> {
    reader: &'r Reader,
    node: Arc<Node>,
    at: u64,
    length: u32,
}

impl<'r> Value<'r> {
    pub(super) fn new(reader: &'r Reader, node: Arc<Node>, at: u64, length: u32) -> Self {
        Self {
            reader,
            node,
            at,
            length,
        }
    }

    /// Returns its length in bytes.
    pub fn len(&self) -> u64 {
        u64::from(self.length)
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Reads the whole value.
    ///
    /// # Errors
    ///
    /// [`ValueTooLong`](Error::ValueTooLong) if it is longer than
    /// [`ReadOptions::value_max_bytes`](crate::ReadOptions::value_max_bytes) allows. [`Io`](Error::Io).
    pub fn read(&self) -> Result<Vec<u8>> {
        let limit = self.reader.value_max_bytes;
        let length = self.len();
        if length > limit {
            return Err(Error::ValueTooLong { length, limit });
        }
        let pages = &self.reader.pages;
        pages
            .bytes(&self.node.run, self.at, self.length)
            .map(|bytes| bytes.into_owned())
    }

    /// Reads the value piece by piece, however long it is.
    pub fn reader(&self) -> ValueReader<'r> {
        ValueReader { rest: self.clone() }
    }
}

/// Reads a [`Value`] from its beginning.
#[derive(Debug)]
pub struct ValueReader<'r> {
    rest: Value<'r>,
}

impl io::Read for ValueReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &mut self.rest;
        let count = buffer.len().min(rest.length as usize);
        let Some(buffer) = buffer.get_mut(..count) else {
            return Ok(0);
        };
        let pages = &rest.reader.pages;
        pages
            .fill(&rest.node.run, rest.at, buffer)
            .map_err(io::Error::other)?;
        rest.at += count as u64;
        rest.length -= count as u32;
        Ok(count)
    }
}
