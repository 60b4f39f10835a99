//! The body of the fuzz targets: runs the harness and reports what it found.
//!
//! The harness is also run over the kept inputs by the tests of the library (`tests/it/corpus.rs`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a harness that cannot go on has found something"
)]

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

mod harness;

thread_local! {
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Lets panics unwind: the library catches those of redb, which are no findings.
pub fn init() {
    std::panic::set_hook(Box::new(|panic| {
        let backtrace = std::backtrace::Backtrace::capture();
        LAST_PANIC.set(format!("{panic}\n{backtrace}"));
    }));
}

/// Runs one harness over one input; a law that is broken ends the process.
///
/// With the variable `BAYPLAN_CANARY` the harness has a fault, which it must find.
pub fn run(target: &str, data: &[u8]) {
    let canary = match std::env::var_os("BAYPLAN_CANARY") {
        Some(_) => harness::Canary::Planted,
        None => harness::Canary::Absent,
    };
    let found = harness::TARGETS.iter().find(|(name, _)| *name == target);
    let harness = found.expect("there is such a target").1;
    if catch_unwind(AssertUnwindSafe(|| harness(data, canary))).is_err() {
        LAST_PANIC.with_borrow(|what| eprintln!("{target}: {what}"));
        std::process::abort();
    }
}
