//! All integration tests, in one binary.

// The lints' exceptions for tests do not reach helper functions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on fails"
)]

mod backup;
mod compact;
mod dump;
mod index;
mod salvage;
mod stats;
mod tidy;
mod tools;
