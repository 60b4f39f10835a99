//! A table that can be read.

use redb::ReadableTable;

/// A table of the file, in a transaction of either kind.
pub(crate) trait Table: ReadableTable<&'static [u8], &'static [u8]> {}

impl<T: ReadableTable<&'static [u8], &'static [u8]>> Table for T {}
