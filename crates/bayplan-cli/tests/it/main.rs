//! The program as its users meet it: arguments in, texts and exit codes out.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that panics has failed, as it should"
)]

mod backup;
mod check;
mod compact;
mod copy;
mod create;
mod diff;
mod docs;
mod dump;
mod edit;
mod fits;
mod help;
mod info;
mod label;
mod ls;
mod meta_db;
mod namespaces;
mod opening;
mod prefix;
mod rm;
mod salvage;
mod serve;
mod share;
mod stats;
mod streams;
mod update;
mod util;
mod watch;
mod why;
