//! The filter language: which containers a list returns.
//!
//! A [`Filter`] is selectors joined by `,`, all of which must hold. [`Filters`] is any number of
//! them, one of which must hold; none at all lets everything through.
//!
//! ```text
//! filter    := ""  |  selector ("," selector)*
//! selector  := path  |  path operator value
//! path      := field ("." field)*
//! field     := [A-Za-z0-9_]+  |  quoted
//! operator  := "=="  |  "!="  |  "~="
//! value     := bare  |  quoted
//! bare      := printable characters other than "," and white space, the first none of " / | . = ! ~
//! quoted    := "..."   and, after "~=" only, /.../ or |...|
//! ```
//!
//! Quotes hold Go's string escapes: `\a \b \f \n \r \t \v \\`, the quote in use, `\ooo`, `\xhh`,
//! `\uhhhh` and `\Uhhhhhhhh`. White space may stand before a field, an operator and a value, and
//! nowhere else.
//!
//! | selector | holds when |
//! |---|---|
//! | `path` | the field is present |
//! | `path==value` | the field is present and equal |
//! | `path!=value` | the field's value differs; an absent field has the value "" |
//! | `path~=value` | the regular expression matches somewhere in the value; an absent field has the value "" |
//!
//! Everything here is pure: text in, values out, no I/O. The order of the modules, each using only
//! those before it: `chars`, `error`, `scan`, `unquote`, `pattern`, `selector`, `print`, `parse`,
//! `expr`, `build`, `set`, `eval`, `plan`.

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
#[cfg(test)]
mod tests;
mod unquote;

pub use build::FilterField;
pub use error::FilterError;
pub(crate) use eval::Subject;
pub use expr::Filter;
pub(crate) use plan::Required;
pub use set::Filters;

/// The longest filter, in bytes.
pub(crate) const FILTER_MAX_BYTES: usize = 64 * 1024;

/// The most regular expressions in the filters of one list, which bounds the memory that a hostile
/// list can ask for: this many times [`PATTERN_COMPILED_MAX_BYTES`] and
/// [`PATTERN_CACHE_MAX_BYTES`].
pub(crate) const PATTERNS_MAX_COUNT: usize = 64;

/// The most classes that need a table of Unicode in the regular expressions of one list: those by
/// property (`\pL`), and all classes without regard to case. They take long to prepare.
pub(crate) const PATTERN_CLASSES_MAX_COUNT: usize = 256;

/// The most memory that one compiled regular expression may take, in bytes.
pub(crate) const PATTERN_COMPILED_MAX_BYTES: usize = 4 * 1024 * 1024;

/// The most memory that matching one regular expression may keep for speed, in bytes per thread.
pub(crate) const PATTERN_CACHE_MAX_BYTES: usize = 512 * 1024;

/// How deep groups and repetitions of a regular expression may nest.
pub(crate) const PATTERN_DEPTH_MAX: u32 = 100;

/// The highest count in a repetition such as `x{1000}`, nested repetitions multiplied.
pub(crate) const PATTERN_REPEAT_MAX: u32 = 1000;
// CROSS
pub(crate) fn cross_regex(re: &str, texts: &[&str]) -> String {
    match pattern::Pattern::compile(re, &mut pattern::Budget::new()) {
        Err(f) => format!("E {}", f.message),
        Ok(p) => texts
            .iter()
            .map(|t| if p.is_match(t.as_bytes()) { '1' } else { '0' })
            .collect(),
    }
}
