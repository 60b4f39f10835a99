//! What can go wrong, and where.

use std::io;
use std::path::{Path, PathBuf};

use crate::limits::{BUCKET_DEPTH_MAX, KEY_MAX_BYTES, PAGE_DEPTH_MAX};

/// The result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused something.
    #[error("cannot {operation} {}", path.display())]
    Io {
        /// What was tried, as a verb: `open`, `read`.
        operation: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A process has the file open. bbolt locks a file as long as it is open for writing.
    #[error("{} is locked: another process has it open", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// Neither of the two meta pages is valid: this is no Bolt file, or a damaged one.
    #[error("{} is not a Bolt file: the first meta page {first}, the second {second}", path.display())]
    NotBolt {
        /// The file.
        path: PathBuf,
        /// What is wrong with page 0.
        first: MetaFault,
        /// What is wrong with page 1.
        second: MetaFault,
    },
    /// A page breaks a rule of the format.
    #[error("{} is damaged: page {page}: {fault}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The id of the page. For an inline page, that of the page around it.
        page: u64,
        /// Which rule, and what was found.
        fault: Fault,
    },
    /// The value is longer than Bolt allows (writing), or longer than
    /// [`ReadOptions::value_max_bytes`](crate::ReadOptions::value_max_bytes) allows (reading).
    #[error("the value has {length} bytes, more than the limit of {limit}")]
    ValueTooLong {
        /// Its length in bytes.
        length: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Bolt has no empty keys.
    #[error("a key is empty")]
    EmptyKey,
    /// A key is longer than [`KEY_MAX_BYTES`].
    #[error("a key has {length} bytes, more than the limit of {KEY_MAX_BYTES}")]
    KeyTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// A key does not follow the one before it in the same bucket. Nothing was written; the next key may be another
    /// one.
    #[error("key \"{}\" does not follow \"{}\"", key.escape_ascii(), previous.escape_ascii())]
    KeyOrder {
        /// The key that was given.
        key: Vec<u8>,
        /// The one before it.
        previous: Vec<u8>,
    },
    /// Buckets nest deeper than [`BUCKET_DEPTH_MAX`].
    #[error("buckets nest deeper than {BUCKET_DEPTH_MAX}")]
    NestingTooDeep,
    /// A bucket is to be closed, but none is open.
    #[error("no bucket is open")]
    NoOpenBucket,
    /// The file is to be finished, but buckets are still open.
    #[error("{open} buckets are still open")]
    OpenBuckets {
        /// How many.
        open: usize,
    },
    /// The file exists already, and is not to be overwritten.
    #[error("{} exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The page size is none of the powers of two from 1 KiB to 64 KiB.
    #[error("a page size of {page_bytes} bytes is none of the powers of two from 1 KiB to 64 KiB")]
    PageSize {
        /// The page size in bytes.
        page_bytes: u32,
    },
    /// An earlier write to this file failed: it cannot be completed.
    #[error("an earlier write to {} failed", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
    },
}

impl Error {
    /// For `map_err`.
    pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            operation,
            path: path.to_owned(),
            source,
        }
    }
}

/// What is wrong with a meta page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetaFault {
    /// The file ends before it.
    #[error("is missing")]
    Missing,
    /// It does not begin with Bolt's magic number.
    #[error("has the magic number {found:#010x}, expected 0xed0cdaed")]
    Magic {
        /// What was found.
        found: u32,
    },
    /// It is of another version of the format.
    #[error("has format version {found}, expected 2")]
    Version {
        /// What was found.
        found: u32,
    },
    /// Its checksum is wrong.
    #[error("has the checksum {found:#018x}, expected {expected:#018x}")]
    Checksum {
        /// The checksum of the page's content.
        expected: u64,
        /// What was found.
        found: u64,
    },
    /// Its page size is no power of two from 1 KiB to 64 KiB, or not that of the place where it was found.
    #[error("has a page size of {found} bytes, which is impossible there")]
    PageSize {
        /// What was found.
        found: u32,
    },
}

/// Which rule of the format a page breaks.
///
/// Positions are in bytes from the beginning of the page. Elements are counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Something refers to a page that no tree can have.
    #[error("is referred to, expected a page from 2 to below {high_water}")]
    PageId {
        /// The number of pages that the meta page counts.
        high_water: u64,
    },
    /// Its overflow reaches beyond the pages of the file.
    #[error("overflows to page {last}, expected one below {high_water}")]
    Overflow {
        /// The last page that it claims.
        last: u64,
        /// The number of pages that the meta page counts.
        high_water: u64,
    },
    /// The file ends before the page does.
    #[error("ends at byte {end} of the file, which has {length}")]
    Truncated {
        /// Where the page ends, from the beginning of the file.
        end: u64,
        /// The length of the file.
        length: u64,
    },
    /// Its header has the id of another page.
    #[error("has the id of page {found}")]
    Id {
        /// What was found.
        found: u64,
    },
    /// It is a page of another kind.
    #[error("has the flags {found:#06x}, expected those of a {expected} page")]
    Flags {
        /// The kind that is expected.
        expected: &'static str,
        /// What was found.
        found: u16,
    },
    /// It has more elements than fit.
    #[error("has {found} elements, expected at most {most}")]
    Count {
        /// What was found.
        found: u64,
        /// As many would fit.
        most: u64,
    },
    /// A branch page without elements.
    #[error("is a branch page without elements")]
    EmptyBranch,
    /// An element is before the end of the one before it, or not in the page.
    #[error("element {index} is at {start}..{end}, expected it in {from}..{to}")]
    Element {
        /// Which one.
        index: u16,
        /// Where its key begins.
        start: u64,
        /// Where its value ends.
        end: u64,
        /// The end of the element before it.
        from: u64,
        /// The end of the page.
        to: u64,
    },
    /// An element has unknown flags.
    #[error("element {index} has the flags {found:#x}, expected 0 or 1")]
    ElementFlags {
        /// Which one.
        index: u16,
        /// What was found.
        found: u32,
    },
    /// A key is empty, or longer than Bolt allows.
    #[error("the key of element {index} has {length} bytes, expected 1 to {KEY_MAX_BYTES}")]
    KeyLength {
        /// Which one.
        index: u16,
        /// Its length in bytes.
        length: u32,
    },
    /// A key is not above the one before it.
    #[error("the key of element {index} is not above the key before it")]
    KeyOrder {
        /// Which one.
        index: u16,
    },
    /// A key is not in the range that the page above gives to this page.
    #[error("the key of element {index} is not in the range that the branch page above gives")]
    KeyRange {
        /// Which one.
        index: u16,
    },
    /// A nested bucket is too short.
    #[error("the bucket of element {index} has {length} bytes, expected {expected}")]
    BucketLength {
        /// Which one.
        index: u16,
        /// Its length in bytes.
        length: u32,
        /// The length that it should have, at least if it is inline.
        expected: u32,
    },
    /// A bucket is inside an inline one.
    #[error("element {index} is a bucket, which an inline page cannot have")]
    BucketInInline {
        /// Which one.
        index: u16,
    },
    /// The page of an inline bucket is damaged.
    #[error("the inline page of element {index}: {fault}")]
    Inline {
        /// Which one.
        index: u16,
        /// Its fault. Positions count from the beginning of the inline page.
        fault: Box<Fault>,
    },
    /// The page is below itself.
    #[error("is below itself")]
    Cycle,
    /// Branch pages are stacked deeper than [`PAGE_DEPTH_MAX`].
    #[error("is deeper than {PAGE_DEPTH_MAX} pages below the root of its bucket")]
    TooDeep,
    /// Buckets nest deeper than [`BUCKET_DEPTH_MAX`].
    #[error("element {index} is a bucket deeper than {BUCKET_DEPTH_MAX}")]
    NestingTooDeep {
        /// Which one.
        index: u16,
    },
    /// Two pages refer to it.
    #[error("is referred to more than once")]
    Shared,
    /// It is in use and on the freelist.
    #[error("is in use, but on the freelist")]
    Freed,
    /// The freelist has it twice.
    #[error("is twice on the freelist")]
    FreedTwice,
}
