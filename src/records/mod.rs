//! What a row of the file is: its key, its seal, and what it holds.
//!
//! - [`keys`]: every table and every key.
//! - [`seal`]: how a value is known to be what was written under its key.
//! - [`head`]: a record's own row, with its single fields and the seals of its other rows.
//! - [`parts`]: the rows beside it: labels, extensions, the spec or value.
//! - [`value`]: how a spec is packed.
//! - [`meta`]: what the file tells about itself.
//! - [`marker`]: what it tells about its log.
//!
//! Bytes become the types of the model here, and the other way round. Nothing here reads or writes a file.

pub(crate) mod head;
pub(crate) mod keys;
pub(crate) mod marker;
pub(crate) mod meta;
pub(crate) mod parts;
pub(crate) mod seal;
pub(crate) mod value;
