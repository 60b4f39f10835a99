//! What is in a file as text: the same that `tests/go/main.go` writes.

use std::fmt::Write as _;

use boltfile::{Bucket, Item, Reader, Result};

/// FNV-1a of a value.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

pub(crate) fn bucket_line(depth: usize, sequence: u64, name: &[u8]) -> String {
    format!("{depth} bucket {sequence} {}\n", hex(name))
}

pub(crate) fn value_line(depth: usize, key: &[u8], value: &[u8]) -> String {
    let sum = checksum(value);
    format!("{depth} value {} {sum:016x} {}\n", value.len(), hex(key))
}

/// Reads everything.
pub(crate) fn list(reader: &Reader) -> Result<String> {
    let mut text = String::new();
    list_bucket(&reader.root(), &mut text)?;
    Ok(text)
}

fn list_bucket(bucket: &Bucket<'_>, text: &mut String) -> Result<()> {
    let depth = bucket.depth();
    for entry in bucket {
        let entry = entry?;
        match entry.item {
            Item::Value(value) => text.push_str(&value_line(depth, &entry.key, &value.read()?)),
            Item::Bucket(nested) => {
                text.push_str(&bucket_line(depth, nested.sequence(), &entry.key));
                list_bucket(&nested, text)?;
            }
        }
    }
    Ok(())
}
