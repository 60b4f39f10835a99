//! Copies the rows of a snapshot unchanged, except those about its log and its history, and computes their digest.
//!
//! Rows are copied in batches, in the order of their keys, since redb then fills one page after the other.
//! Sealed values are copied without decoding them.

use std::ops::Bound;

use redb::Database;

use crate::model::error::Result;
use crate::query::Table;
use crate::records::keys::{TABLES, TableCode, meta};
use crate::redb_file::fault::{OrFault, check_order};
use crate::session::snapshot::Contents;

/// The most rows of one transaction, and its approximate size in bytes.
const BATCH_MAX_COUNT: usize = 16 * 1024;
const BATCH_MAX_BYTES: usize = 8 * 1024 * 1024;

/// The rows of `meta` that are not copied: the copy has no log, and a history of its own.
const OF_THE_FILE: [&[u8]; 2] = [meta::LOG, meta::HISTORY];

/// A digest of rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Digest {
    pub(crate) keys_count: u64,
    /// The bytes of keys and values.
    pub(crate) stored_bytes: u64,
    checksum: crc32fast::Hasher,
}

impl Digest {
    /// Whether both are digests of the same rows in the same order.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.keys_count == other.keys_count
            && self.stored_bytes == other.stored_bytes
            && self.checksum.clone().finalize() == other.checksum.clone().finalize()
    }

    fn add(&mut self, row: &Row) {
        self.keys_count += 1;
        for bytes in [&row.key, &row.value] {
            self.stored_bytes += bytes.len() as u64;
            self.checksum.update(&(bytes.len() as u64).to_le_bytes());
            self.checksum.update(bytes);
        }
    }
}

struct Row {
    key: Vec<u8>,
    value: Vec<u8>,
}

/// A batch of rows, and their table.
pub(crate) struct Rows {
    table: TableCode,
    rows: Vec<Row>,
}

impl Rows {
    /// Inserts them in one transaction.
    pub(crate) fn insert_into(&self, to: &Database) -> Result<()> {
        let txn = to.begin_write().or_fault()?;
        {
            let mut table = txn.open_table(self.table.table()).or_fault()?;
            for row in &self.rows {
                table
                    .insert(row.key.as_slice(), row.value.as_slice())
                    .or_fault()?;
            }
        }
        txn.commit().or_fault()
    }
}

/// A walk over all rows of a snapshot, batch by batch.
pub(crate) struct Walk<'t> {
    contents: &'t Contents,
    /// Which of the tables is walked.
    table: usize,
    /// The last key that is done.
    after: Option<Vec<u8>>,
    pub(crate) digest: Digest,
}

impl<'t> Walk<'t> {
    pub(crate) fn new(contents: &'t Contents) -> Self {
        Self {
            contents,
            table: 0,
            after: None,
            digest: Digest::default(),
        }
    }

    /// Returns the next batch; `None` if there are no more.
    pub(crate) fn advance(&mut self) -> Result<Option<Rows>> {
        let Some(&code) = TABLES.get(self.table) else {
            return Ok(None);
        };
        let table = self.contents.table(code)?;
        let start = match &self.after {
            None => Bound::Unbounded,
            Some(key) => Bound::Excluded(key.as_slice()),
        };
        let mut rows = Vec::new();
        let mut bytes = 0;
        for row in table.rows((start, Bound::Unbounded))? {
            let (key, value) = row?;
            if OF_THE_FILE.contains(&key.value()) && code == TableCode::Meta {
                continue;
            }
            let row = Row {
                key: key.value().to_vec(),
                value: value.value().to_vec(),
            };
            let last = rows
                .last()
                .map(|row: &Row| &row.key)
                .or(self.after.as_ref());
            check_order(last.is_none_or(|last| row.key > *last))?;
            bytes += row.key.len() + row.value.len();
            self.digest.add(&row);
            rows.push(row);
            if rows.len() >= BATCH_MAX_COUNT || bytes >= BATCH_MAX_BYTES {
                self.after = rows.last().map(|row| row.key.clone());
                return Ok(Some(Rows { table: code, rows }));
            }
        }
        self.table += 1;
        self.after = None;
        Ok(Some(Rows { table: code, rows }))
    }
}

/// Returns how many rows there are to copy.
pub(crate) fn count(contents: &Contents) -> Result<u64> {
    let mut count = 0;
    for code in TABLES {
        count += contents.table(code)?.rows_count()?;
    }
    let meta = contents.table(TableCode::Meta)?;
    for key in OF_THE_FILE {
        count = count.saturating_sub(u64::from(meta.row(key)?.is_some()));
    }
    Ok(count)
}

/// Returns the digest of all rows.
pub(crate) fn digest(contents: &Contents) -> Result<Digest> {
    let mut walk = Walk::new(contents);
    while walk.advance()?.is_some() {}
    Ok(walk.digest)
}
