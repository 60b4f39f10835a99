//! The engine: the only modules that know redb.
//!
//! Everything here is synchronous and knows one file. What redb reports, and what it panics on, is
//! turned into the store's own errors in [`fault`].

pub(crate) mod backend;
pub(crate) mod bulk;
pub(crate) mod check;
pub(crate) mod copy;
pub(crate) mod durable;
pub(crate) mod entity;
pub(crate) mod fault;
pub(crate) mod file;
pub(crate) mod holder;
pub(crate) mod index;
pub(crate) mod intact;
pub(crate) mod layout;
pub(crate) mod live;
pub(crate) mod measure;
pub(crate) mod migrate;
pub(crate) mod name;
pub(crate) mod namespaces;
pub(crate) mod new_file;
pub(crate) mod new_store;
pub(crate) mod page;
pub(crate) mod pages;
pub(crate) mod place;
pub(crate) mod process;
pub(crate) mod remains;
pub(crate) mod rows;
pub(crate) mod shared;
pub(crate) mod snapshot;
pub(crate) mod trees;
pub(crate) mod txn;

#[cfg(test)]
mod tests;
