//! Files of containerd, in and out of a store.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on fails, and a suite tells its sum"
)]

mod daemon;
mod flips;
mod go;
mod image;
mod importing;
mod round_trip;
mod told;
