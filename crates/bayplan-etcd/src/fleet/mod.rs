//! A fleet: copies of the stores of many hosts, below one prefix.
//!
//! ```text
//! key                               value
//! ---                               -----
//! <prefix> "format"                 the version, sealed
//! <prefix> "hosts/" <host>          what is known about the copy (Row), sealed
//! <prefix> "alive/" <host>          when its mirror was started, with a lease
//! <prefix> "of/" <host> "/" ...     the keys of a store, but `format`
//! ```

pub(crate) mod alive;
pub(crate) mod batch;
pub(crate) mod claim;
pub(crate) mod copy;
pub(crate) mod mirror;
pub(crate) mod prune;
pub(crate) mod row;
