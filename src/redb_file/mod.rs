//! All that knows redb's private format: the header, pages, their verification, the gate before the file, the search for
//! pages in a damaged one; and redb's errors and panics, which become ours here.
//!
//! It uses `model`. It knows nothing of records. It reads redb's file format 3, as redb 4.6 writes it; other versions are
//! refused by [`layout`].

pub(crate) mod backend;
pub(crate) mod durable;
pub(crate) mod fault;
pub(crate) mod layout;
pub(crate) mod page;
pub(crate) mod pages;
pub(crate) mod trees;
