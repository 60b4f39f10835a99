//! The program as its users meet it: arguments in, texts and exit codes out.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that panics has failed, as it should"
)]

mod check;
mod create;
mod docs;
mod help;
mod info;
mod label;
mod ls;
mod namespaces;
mod opening;
mod rm;
mod streams;
mod update;
mod util;
