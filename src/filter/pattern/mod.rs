//! Regular expressions with the meaning that Go gives them.
//!
//! Clients write expressions for Go's `regexp` package (RE2 syntax). The `regex` crate, which matches them
//! here, reads a slightly different language. So an expression is parsed by Go's rules and rewritten
//! ([`translate`]): what Go rejects is rejected, with its position, and what the crate would read
//! differently is spelled out. The result has no flags and no captures.
//!
//! Known differences. Each accepts more than Go, or concerns a limit:
//!
//! - `(?<name>..)` is accepted, as by Go from 1.22 on; older ones know `(?P<name>..)` only.
//! - Names in `\p{..}` are those that Go knows from 1.25 on ([`property`]); older ones know fewer.
//! - `\pC` includes unassigned code points, as in Go from 1.25 on.
//! - Tables (categories, scripts, letter case) are of the crate's version of Unicode, not Go's.
//! - Groups and repetitions nest at most [`PATTERN_DEPTH_MAX`] deep; in
//!   Go about 1000.
//! - An expression that compiles to more than
//!   [`PATTERN_COMPILED_MAX_BYTES`] is an error. Go's limit is
//!   higher: a counted repetition of a large class such as `\pL{200}` passes there.
//! - Go reads each byte of a value that is not UTF-8 as U+FFFD; here no class matches such a byte.
//!   Stored values are always UTF-8.

mod budget;
mod class;
mod escape;
mod flags;
mod property;
mod repeat;
mod translate;
mod weight;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub(super) use budget::Budget;
use regex::bytes::{Regex, RegexBuilder};

use super::error::Fault;
use crate::model::limits::{
    PATTERN_CACHE_MAX_BYTES, PATTERN_COMPILED_MAX_BYTES, PATTERN_DEPTH_MAX,
};

/// A compiled regular expression; compared and hashed by its text.
#[derive(Clone)]
pub(crate) struct Pattern {
    source: String,
    /// Shared, since a clone would start with an empty matching cache.
    regex: Arc<Regex>,
}

/// The crate's own limit of nesting. One level here is at most a repetition, a group, an alternation and a
/// concatenation there, with brackets and a case group at the bottom.
const NEST_LIMIT: u32 = PATTERN_DEPTH_MAX * 5 + 10;

impl Pattern {
    /// Compiles an expression. The position of a fault is a byte offset into it.
    pub(super) fn compile(source: &str, budget: &mut Budget) -> Result<Pattern, Fault> {
        budget.pattern()?;
        let translated = translate::translate(source, budget)?;
        let regex = RegexBuilder::new(&translated)
            .nest_limit(NEST_LIMIT)
            .size_limit(PATTERN_COMPILED_MAX_BYTES)
            .dfa_size_limit(PATTERN_CACHE_MAX_BYTES)
            .build()
            .map_err(|error| Fault::new(0, refusal(&error)))?;
        Ok(Pattern {
            source: source.to_owned(),
            regex: Arc::new(regex),
        })
    }

    /// The expression as it was written.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Whether it matches somewhere in a value.
    pub(crate) fn is_match(&self, value: &[u8]) -> bool {
        self.regex.is_match(value)
    }
}

/// Why the crate refused an expression that Go accepts, on one line.
fn refusal(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(limit) => {
            format!("the regular expression is too large: compiled, it exceeds {limit} bytes")
        }
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            format!("the regular expression is not supported: {last}")
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.source.hash(state);
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.source, f)
    }
}
