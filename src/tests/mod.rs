//! How the store handles crashes and faults below it: every write, sync and change of length goes through a
//! [`disk::Disk`] that remembers it, or fails it.

mod cost;
mod disk;
mod faults;
mod gate;
mod images;
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
