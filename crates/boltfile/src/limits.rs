//! Limits, most of them Bolt's own.

/// The longest key, in bytes, as in bbolt.
pub const KEY_MAX_BYTES: usize = 32_768;

/// The longest value that can be written, in bytes, as in bbolt.
pub const VALUE_MAX_BYTES: u64 = (1 << 31) - 2;

/// Buckets may nest so deep. bbolt has no limit.
pub const BUCKET_DEPTH_MAX: usize = 64;

/// So many pages may be on the way from the root of a bucket to a leaf. bbolt has no limit; its branch pages have at
/// least two elements, so a deeper tree would have billions of pages.
pub const PAGE_DEPTH_MAX: usize = 32;

/// The longest value that is read at once, unless [`ReadOptions::value_max_bytes`](crate::ReadOptions::value_max_bytes)
/// sets another limit: 256 MiB.
pub const VALUE_MAX_BYTES_DEFAULT: u64 = 1 << 28;

/// The page sizes that are accepted, in bytes. Each is a power of two.
pub(crate) const PAGE_SIZES: [u32; 7] = [
    1 << 10,
    1 << 11,
    1 << 12,
    1 << 13,
    1 << 14,
    1 << 15,
    1 << 16,
];

/// The page size of most machines, in bytes.
pub(crate) const PAGE_BYTES_DEFAULT: u32 = 4096;
