//! Reads and writes files of the Bolt database, in one pass and in bounded memory.
//!
//! A [`Reader`] reads what [bbolt](https://github.com/etcd-io/bbolt) wrote, a [`Writer`] writes a new file that bbolt
//! opens.
//!
//! ```
//! # fn main() -> boltfile::Result<()> {
//! # let directory = tempfile::tempdir().unwrap();
//! # let path = directory.path().join("meta.db");
//! let mut writer = boltfile::Writer::create(&path)?;
//! writer.open_bucket(b"v1")?;
//! writer.put(b"version", b"\x06")?;
//! writer.close_bucket()?;
//! writer.finish()?;
//!
//! let reader = boltfile::Reader::open(&path)?;
//! reader.check()?;
//! let v1 = reader.root().bucket(b"v1")?.expect("it was written");
//! assert_eq!(v1.get(b"version")?.as_deref(), Some(&b"\x06"[..]));
//! for entry in v1.iter() {
//!     println!("{}", entry?.key.escape_ascii());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What it does
//!
//! - Reads files with and without a freelist (`NoFreelistSync`, as containerd writes since 1.7), with pages of 1 KiB
//!   to 64 KiB, and with one damaged meta page.
//! - Reads pages at their place when they are needed. At most 64 KiB of each page on the way is in memory, and long
//!   values can be read [piece by piece](Value::reader).
//! - Holds the lock that bbolt's read-only mode holds. A file that bbolt has open for writing is
//!   [`Locked`](Error::Locked).
//! - Writes pairs in the order of their keys, nested buckets included, into a file that has its name only once it is
//!   complete.
//!
//! # What it does not do
//!
//! - Change a file. Its writer writes new ones.
//! - Run on systems other than Unix: it needs reads at a position. It is tested on Linux.
//! - Read files of machines that are big endian: Bolt writes numbers as the machine has them.
//!
//! # What is verified, and what Bolt cannot tell
//!
//! Whatever is in a file, an operation ends with a result or an [`Error`] that names the page, and does not panic.
//! Verified are the checksums of the meta pages; for every page that is read, its id, kind and length, and for every
//! element its flags, that it is in its page behind the one before it, and that its key rises and is in the range that
//! the branch page above gives. [`Reader::check`] also verifies that each page is used once, and the freelist. For a file
//! that you do not trust, call it first.
//!
//! Bolt has checksums of its meta pages only. A flipped bit in a value, or in a key that stays in order, reads
//! as if it had been written so. So do a lost write of a whole page, and a file that someone forged.
//!
//! # Limits
//!
//! Keys have 1 to [`KEY_MAX_BYTES`] bytes, values up to [`VALUE_MAX_BYTES`]; buckets nest [`BUCKET_DEPTH_MAX`] deep, and
//! the pages of a bucket [`PAGE_DEPTH_MAX`].
//! [`ReadOptions::value_max_bytes`] limits the values that are read as a whole.

#![forbid(unsafe_code)]

mod error;
mod limits;
mod meta;
mod page;
mod read;
mod write;

pub use crate::error::{Error, Fault, MetaFault, Result};
pub use crate::limits::{
    BUCKET_DEPTH_MAX, KEY_MAX_BYTES, PAGE_DEPTH_MAX, VALUE_MAX_BYTES, VALUE_MAX_BYTES_DEFAULT,
};
pub use crate::meta::Meta;
pub use crate::read::{
    Bucket, Entry, Item, Iter, ReadOptions, Reader, Summary, Value, ValueReader,
};
pub use crate::write::{WriteOptions, Writer};
