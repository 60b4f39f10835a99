//! The filter language: parses filters, prints them, and matches them.
//!
//! This room uses `model`. It is pure: it never reads a store. Its modules in order, each using only those before it:
//! `chars`, `error`, `scan`, `unquote`, `pattern`, `selector`, `print`, `unknown`, `parse` (the grammar), `expr`,
//! `build`, `set`, `eval` (what selectors mean), `subject`, `plan`.

mod build;
mod chars;
mod error;
mod eval;
mod expr;
mod parse;
mod pattern;
mod plan;
mod print;
mod scan;
mod selector;
mod set;
mod subject;
#[cfg(test)]
mod tests;
mod unknown;
mod unquote;

pub use build::FilterField;
pub use error::FilterError;
pub(crate) use eval::Subject;
pub use expr::Filter;
pub(crate) use pattern::Pattern;
pub(crate) use plan::Required;
pub use set::Filters;
pub use unknown::UnknownField;
