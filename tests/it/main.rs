//! All integration tests, in one binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on fails"
)]

mod api;
mod btree;
#[cfg(feature = "conformance")]
mod conformance;
mod index;
mod model;
mod tidy;
mod transactions;
