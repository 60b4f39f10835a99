//! The tests of `bayplan-etcd`, on real servers of etcd on loopback.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on fails, and a suite tells its sum"
)]

mod conformance;
mod faults;
mod feed;
mod lost;
mod mirroring;
mod program;
mod server;
mod stores;
mod tls;
