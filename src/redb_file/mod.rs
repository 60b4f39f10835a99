//! Everything that knows redb's private format: the header, pages and their verification, the gate before
//! the file, the search for pages in a damaged file. redb's errors and panics become the store's errors
//! here.
//!
//! This room uses `model` and knows nothing about records. It reads redb's file format 3, as written by redb 4.6;
//! [`layout`] refuses other versions.

mod ahead;
pub(crate) mod backend;
pub(crate) mod durable;
pub(crate) mod expected;
pub(crate) mod fault;
pub(crate) mod found;
pub(crate) mod gate;
pub(crate) mod layout;
pub(crate) mod locks;
mod overlay;
pub(crate) mod page;
pub(crate) mod pages;
pub(crate) mod trees;
