//! The rows that a transaction writes, in the form of the log.

use crate::records::keys::TableCode;
use crate::session::log::frame::{BLOCK_BYTES, FRAME_HEAD_BYTES};

/// Stands for the length of a removed value.
const REMOVED: u32 = u32::MAX;

/// A row that was written, or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowChange<'b> {
    pub(crate) table: TableCode,
    pub(crate) key: &'b [u8],
    /// `None` if it was removed.
    pub(crate) value: Option<&'b [u8]>,
}

impl<'b> RowChange<'b> {
    /// Reads the first row. Returns it and the remaining bytes.
    pub(crate) fn read(bytes: &'b [u8]) -> Option<(Self, &'b [u8])> {
        let (&code, rest) = bytes.split_first()?;
        let table = TableCode::of(code)?;
        let (key_bytes, rest) = rest.split_first_chunk()?;
        let (value_bytes, rest) = rest.split_first_chunk()?;
        let (key, rest) = taken(rest, u32::from_le_bytes(*key_bytes))?;
        let (value, rest) = match u32::from_le_bytes(*value_bytes) {
            REMOVED => (None, rest),
            bytes => taken(rest, bytes).map(|(value, rest)| (Some(value), rest))?,
        };
        Some((Self { table, key, value }, rest))
    }
}

fn taken(bytes: &[u8], count: u32) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(usize::try_from(count).ok()?)
}

/// The rows that a transaction has written so far, after the space for the head of a frame. Beyond a limit they are
/// forgotten: they go into the file, not into the log.
#[derive(Debug)]
pub(crate) struct RowChanges {
    bytes: Vec<u8>,
    max_bytes: usize,
}

impl Default for RowChanges {
    fn default() -> Self {
        Self::up_to(usize::MAX)
    }
}

impl RowChanges {
    /// Notes no more than this many bytes, in whole blocks.
    pub(crate) fn up_to(max_bytes: usize) -> Self {
        Self {
            bytes: vec![0; FRAME_HEAD_BYTES],
            max_bytes,
        }
    }

    pub(crate) fn put(&mut self, table: TableCode, key: &[u8], value: &[u8]) {
        // No value is that long: the limits of what can be stored are far below.
        let length = u32::try_from(value.len()).unwrap_or(REMOVED);
        self.add(table, key, length, value);
    }

    pub(crate) fn remove(&mut self, table: TableCode, key: &[u8]) {
        self.add(table, key, REMOVED, &[]);
    }

    fn add(&mut self, table: TableCode, key: &[u8], value_bytes: u32, value: &[u8]) {
        if self.is_too_long() {
            return;
        }
        self.bytes.push(table as u8);
        let key_bytes = u32::try_from(key.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&key_bytes.to_le_bytes());
        self.bytes.extend_from_slice(&value_bytes.to_le_bytes());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        if self.bytes.len() > self.max_bytes {
            self.bytes = Vec::new();
        }
    }

    /// Whether there were more than is noted.
    fn is_too_long(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn rows_bytes(&self) -> usize {
        self.bytes.len().saturating_sub(FRAME_HEAD_BYTES)
    }

    /// Returns the length of their frame, in whole blocks; `None` if there were more than is noted.
    pub(crate) fn frame_bytes(&self) -> Option<usize> {
        let bytes = self.bytes.len().checked_next_multiple_of(BLOCK_BYTES)?;
        (!self.is_too_long()).then_some(bytes)
    }

    /// Returns the blocks of their frame, with an empty head.
    pub(crate) fn into_frame(mut self) -> Vec<u8> {
        let bytes = self.frame_bytes().unwrap_or(self.bytes.len());
        self.bytes.resize(bytes, 0);
        self.bytes
    }
}
