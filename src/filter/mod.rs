//! The filter language, which selects containers.
//!
//! A [`Filter`] is a list of selectors joined by `,` that must all hold. [`Filters`] are any number of
//! filters, one of which must match; without filters, everything matches.
//!
//! ```text
//! filter    := ""  |  selector ("," selector)*
//! selector  := path  |  path operator value
//! path      := field ("." field)*
//! field     := [A-Za-z0-9_]+  |  quoted
//! operator  := "=="  |  "!="  |  "~="
//! value     := bare  |  quoted
//! bare      := printable characters but "," and white space; the first none of "/|.=!~
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
//! | `path!=value` | the field's value differs; an absent field has "" |
//! | `path~=value` | the expression matches somewhere in the value; an absent field has "" |
//!
//! Everything here is pure: text in, values out, no I/O. The order of the modules, each using only
//! those before it: `chars`, `error`, `scan`, `unquote`, `pattern`, `selector`, `print`, `unknown`,
//! `parse`, `expr`, `build`, `set`, `eval`, `subject`, `plan`.

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
