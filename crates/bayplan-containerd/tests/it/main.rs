//! The API over a socket: its server, containerd's, and the client of both.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed, as it should"
)]

mod laws;
mod remote;
mod served;
mod slow;
