//! Tests that need internals: crashes and faults through a [`disk::Disk`] that records calls or fails them, and the
//! records kept in memory.

mod beside;
mod cached;
mod cost;
mod disk;
mod faults;
mod gate;
mod images;
mod kept;
mod lost_pages;
mod memory;
mod migration;
mod new_stores;
#[allow(dead_code, reason = "the tests outside use all of it")]
#[path = "../../tests/it/sample.rs"]
mod sample;
#[allow(dead_code, reason = "the tests outside use all of it")]
#[path = "../../tests/it/seed.rs"]
mod seed;
mod survival;
mod unverified;
mod work;
