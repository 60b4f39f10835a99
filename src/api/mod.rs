//! What an embedder touches: the traits, the handles, the options.
//!
//! It may use every room but maintenance. It holds no rule of its own: what an operation does is in `update` and `session`.

pub(crate) mod builder;
pub(crate) mod collection;
pub(crate) mod db;
mod namespaces;
pub(crate) mod query;
pub(crate) mod selection;
pub(crate) mod source;
pub(crate) mod store;
pub(crate) mod stored;
pub(crate) mod update;
