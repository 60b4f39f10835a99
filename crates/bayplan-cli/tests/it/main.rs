//! The program as its users meet it: arguments in, texts and exit codes out.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that panics has failed, as it should"
)]

mod backup;
#[cfg(all(feature = "browse", target_os = "linux"))]
mod browse;
mod check;
mod compact;
mod complete;
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
mod records;
mod rm;
mod salvage;
mod serve;
mod share;
mod stats;
mod streams;
#[cfg(all(feature = "browse", target_os = "linux"))]
mod terminal;
mod update;
mod util;
mod watch;
mod why;
