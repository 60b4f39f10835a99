//! The model: containers, records, labels, identifiers, limits, errors.
//!
//! No I/O, and no other room. Rules for a single value are here; what an update may change is in `update`.

pub(crate) mod any;
pub(crate) mod container;
pub(crate) mod error;
pub(crate) mod excerpt;
pub(crate) mod field;
pub(crate) mod identifier;
pub(crate) mod info;
pub(crate) mod kind;
pub(crate) mod labels;
pub mod limits;
pub(crate) mod pin;
pub(crate) mod policy;
pub(crate) mod position;
pub(crate) mod progress;
pub(crate) mod record;
pub(crate) mod revision;
pub(crate) mod stats;
