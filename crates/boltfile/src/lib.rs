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
//! - Reads pages only when they are needed. At most 64 KiB of each page on the path is in memory, and long values can
//!   be read [piece by piece](Value::reader).
//! - Holds the lock that bbolt's read-only mode holds. A file that bbolt has open for writing is
//!   [`Locked`](Error::Locked).
//! - Writes pairs in the order of their keys, including nested buckets, into a file that gets its name once it is
//!   complete.
//!
//! # What it does not do
//!
//! - Change a file. Its writer writes new ones.
//! - Run on systems other than Unix: it needs reads at a position. It is tested on Linux.
//! - Read files of big-endian machines: Bolt writes numbers in the machine's byte order.
//!
//! # What is verified, and what Bolt cannot detect
//!
//! Whatever a file contains, an operation ends with a result or an [`Error`] that names the page, and does not panic.
//! The checksums of the meta pages are verified. So are the id, kind and length of every page that is read. Of every
//! element, the flags are verified, its place in the page after the element before it, and its key, which must rise and
//! be in the range that the branch page above gives. [`Reader::check`] also verifies that each page is used once, and
//! the freelist. Call it first for a file that you do not trust.
//!
//! Bolt has checksums only for its meta pages. A flipped bit in a value, or in a key that stays in order, is not
//! detected. Neither is a lost write of a whole page, or a forged file.
//!
//! # Limits
//!
//! Keys have 1 to [`KEY_MAX_BYTES`] bytes, values up to [`VALUE_MAX_BYTES`]; buckets nest [`BUCKET_DEPTH_MAX`] deep,
//! and the pages of a bucket [`PAGE_DEPTH_MAX`]. [`ReadOptions::value_max_bytes`] limits the values that are read at
//! once.

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
