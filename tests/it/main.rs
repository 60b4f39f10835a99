//! All integration tests, in one binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on fails, and a suite tells its sum"
)]

mod api;
mod btree;
#[cfg(feature = "conformance")]
mod conformance;
mod damage;
mod index;
mod kill;
mod model;
mod open;
mod quiet;
mod sample;
mod seed;
mod tidy;
mod transactions;
