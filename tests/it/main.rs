//! All integration tests, in one binary.

// The lints' exceptions for tests do not reach helper functions.
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
#[cfg(feature = "tokio")]
mod asynchronous;
mod backup;
mod btree;
mod commit_log;
mod compact;
mod conformance;
mod corpus;
mod damage;
mod dump;
#[cfg(target_os = "linux")]
mod failed_sync;
mod feed;
mod foreign;
#[cfg(target_os = "linux")]
mod fork;
mod full;
mod kill;
mod limits;
mod machine;
mod model;
mod open;
mod pages;
mod pins;
mod quiet;
mod redb_format;
mod salvage;
mod sample;
mod seed;
mod sharing;
mod stats;
mod surface;
mod tidy;
mod tools;
mod transactions;
#[cfg(target_os = "linux")]
mod vanished;
