//! The laws that hold for every input, one module for each target. A law that is broken panics.

mod bolt_file;
mod dump_load;
mod field_mask;
mod filter;
mod input;
mod json;
mod log;
mod meta_db;
mod open_file;
mod record;
mod sample;

/// Whether the harness has a fault, to prove that it can find one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Canary {
    Absent,
    Planted,
}

/// Checks the laws for one input.
pub(crate) type Harness = fn(&[u8], Canary);

/// Every target.
pub(crate) const TARGETS: [(&str, Harness); 9] = [
    ("bolt_file", bolt_file::run),
    ("dump_load", dump_load::run),
    ("field_mask", field_mask::run),
    ("filter", filter::run),
    ("json", json::run),
    ("log", log::run),
    ("meta_db", meta_db::run),
    ("open_file", open_file::run),
    ("record", record::run),
];
