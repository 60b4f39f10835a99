//! Searches for redb's leaf pages in a file whose tree cannot be followed.
//!
//! redb allocates pages at multiples of 4 KiB, and a leaf page that is no longer in the tree keeps its bytes until its
//! space is reused. So every such offset is examined as if a leaf page of the store's tables, whose keys and values
//! have any length, began there ([`page`](crate::redb_file::page)). The page of a large value spans several such
//! offsets.
//!
//! No value is trusted here: its seal will show whether it is valid. Pairs are taken one by one, so that a damaged end
//! costs only the pairs next to it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use crate::model::limits::{ENCODED_MAX_BYTES, IDENTIFIER_MAX_BYTES, RECORD_ID_MAX_BYTES};
use crate::redb_file::page::{LEAF_HEAD_BYTES, Page, Widths};

/// Longest key of any table: namespace, kind, id, separators, and the name of a part.
const KEY_MAX_BYTES: usize = 2 * IDENTIFIER_MAX_BYTES + RECORD_ID_MAX_BYTES + 4;

/// A file that can be read at any offset.
pub(crate) struct Source {
    file: File,
    pub(crate) len_bytes: u64,
}

/// A pair of a leaf page: its key, and where its value is in the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) key: Vec<u8>,
    pub(crate) value_at: u64,
    pub(crate) value_bytes: usize,
}

impl Source {
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let len_bytes = file.metadata()?.len();
        Ok(Self { file, len_bytes })
    }

    /// Reads bytes at an offset. Fails if they go beyond the end, or cannot be read.
    pub(crate) fn read(&mut self, at: u64, bytes: usize) -> io::Result<Vec<u8>> {
        let end = at.checked_add(bytes as u64);
        if end.is_none_or(|end| end > self.len_bytes) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut buffer = vec![0; bytes];
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(&mut buffer)?;
        Ok(buffer)
    }

    /// Returns the pairs of the leaf page that begins at `at`; empty if no such page begins there.
    pub(crate) fn leaf(&mut self, at: u64) -> Vec<Pair> {
        let Some(ends) = self.ends(at) else {
            return Vec::new();
        };
        ends.places()
            .flatten()
            .filter_map(|(key, value)| self.pair(at, &key, &value))
            .collect()
    }

    /// Reads the leaf page that begins at `at`, up to the end of its ends.
    fn ends(&mut self, at: u64) -> Option<Page> {
        let mut read = |bytes| {
            let bytes = self.read(at, bytes).ok()?;
            Some(Page::new(bytes, Widths::default())).filter(Page::is_leaf)
        };
        let keys_at = read(LEAF_HEAD_BYTES)?.leaf_keys_at()?;
        read(keys_at)
    }

    fn pair(&mut self, at: u64, key: &Range<usize>, value: &Range<usize>) -> Option<Pair> {
        let key_bytes = key.end.checked_sub(key.start)?;
        let value_bytes = value.end.checked_sub(value.start)?;
        if key_bytes == 0 || key_bytes > KEY_MAX_BYTES || value_bytes > ENCODED_MAX_BYTES {
            return None;
        }
        Some(Pair {
            key: self.read(at + key.start as u64, key_bytes).ok()?,
            value_at: at + value.start as u64,
            value_bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use redb::Database;

    use super::*;
    use crate::records::keys;
    use crate::redb_file::page::LEAF;

    /// The pairs of all pages of a file that redb wrote.
    fn pairs(rows: &[(&[u8], Vec<u8>)]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let db = Database::create(file.path()).unwrap();
        let txn = db.begin_write().unwrap();
        {
            let mut table = txn.open_table(keys::RECORDS).unwrap();
            for (key, value) in rows {
                table.insert(*key, value.as_slice()).unwrap();
            }
        }
        txn.commit().unwrap();
        drop(db);
        let mut source = Source::new(File::open(file.path()).unwrap()).unwrap();
        let mut found = Vec::new();
        for at in (0..source.len_bytes).step_by(4096) {
            for pair in source.leaf(at) {
                if let Ok(value) = source.read(pair.value_at, pair.value_bytes) {
                    found.push((pair.key, value));
                }
            }
        }
        found
    }

    #[test]
    fn the_pairs_that_redb_wrote_are_found() {
        let rows: Vec<(&[u8], Vec<u8>)> = vec![
            (b"a", b"1".to_vec()),
            (b"bb", Vec::new()),
            (b"large", vec![7; 1_000_000]),
            (b"z", vec![9; 3000]),
        ];
        let found = pairs(&rows);
        for (key, value) in rows {
            assert!(found.contains(&(key.to_vec(), value)), "{key:?}");
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_reason_to_fail() {
        let mut bytes = vec![0; 64 * 1024];
        let mut state = 1_u32;
        for byte in &mut bytes {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (state >> 24) as u8;
        }
        for page in bytes.chunks_mut(4096) {
            page[0] = LEAF;
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        let mut source = Source::new(File::open(file.path()).unwrap()).unwrap();
        for at in (0..70_000).step_by(4096) {
            for pair in source.leaf(at) {
                assert!(pair.key.len() <= KEY_MAX_BYTES);
            }
        }
    }
}
