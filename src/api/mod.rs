//! The interface for embedders: traits, handles, options.
//!
//! This room may use every other room but maintenance. It has no rules of its own; `update` and `session` implement the
//! operations.

#[cfg(feature = "tokio")]
pub(crate) mod asynchronous;
pub(crate) mod builder;
pub(crate) mod changes;
pub(crate) mod collection;
pub(crate) mod convert;
pub(crate) mod db;
pub mod implementing;
mod namespaces;
mod pins;
pub(crate) mod query;
pub(crate) mod selection;
pub(crate) mod source;
pub(crate) mod store;
pub(crate) mod stored;
pub(crate) mod update;
