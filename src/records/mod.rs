//! The rows of the file: key, seal and content.
//!
//! - [`keys`]: every table and every key.
//! - [`seal`]: proves that a value is what was written under its key.
//! - [`head`]: a record's own row, with its single fields and the seals of its other rows.
//! - [`parts`]: its other rows: labels, extensions, the spec or value.
//! - [`value`]: the compression of a spec. [`whole`]: a record in two values, for a store that is not a file.
//! - [`meta`], [`marker`], [`tombstone`]: what the file says about itself, its log, and what was deleted.
//!
//! This room turns bytes into types of `model` and back, and uses no other room. It never reads or writes a file.

pub(crate) mod head;
pub(crate) mod keys;
pub(crate) mod marker;
pub(crate) mod meta;
pub(crate) mod parts;
pub(crate) mod seal;
pub(crate) mod tombstone;
pub(crate) mod value;
pub(crate) mod whole;
