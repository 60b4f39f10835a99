//! The tests of the crate from outside, one module for each subject.

// The lints' exceptions for tests do not reach helper functions.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on fails, and a suite tells its sum"
)]

mod fixtures;
mod flips;
mod forged;
mod go;
mod image;
mod listing;
mod model;
mod round_trip;
mod writing;
