//! All integration tests, in one binary.

// The lints' exceptions for tests do not reach helper functions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]

mod backup;
mod compact;
mod dump;
mod stats;
mod tidy;
mod tools;
