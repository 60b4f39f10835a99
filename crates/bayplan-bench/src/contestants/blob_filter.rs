//! How a store that knows keys and values finds what matches a filter.

use anyhow::Result;
use regex::Regex;

use crate::codec::Blob;
use crate::contestant::{Filter, PATTERN};
use crate::payload::{self, RARE};

/// The way to what matches.
pub(crate) enum Plan {
    /// Look at the container with this id.
    Look(String),
    /// Look at every container.
    Scan(Matcher),
}

/// What the label must be.
pub(crate) enum Matcher {
    Equal,
    Pattern(Regex),
}

/// Decides on the way, and compiles what is to be compiled.
pub(crate) fn plan(filter: &Filter) -> Result<Plan> {
    Ok(match filter {
        Filter::Id(number) => Plan::Look(payload::id(*number)),
        Filter::Label => Plan::Scan(Matcher::Equal),
        Filter::Regex => Plan::Scan(Matcher::Pattern(Regex::new(PATTERN)?)),
    })
}

impl Matcher {
    pub(crate) fn matches(&self, blob: &Blob<'_>) -> bool {
        let (key, value) = RARE;
        blob.label(key).is_some_and(|found| match self {
            Self::Equal => found == value,
            Self::Pattern(regex) => regex.is_match(found),
        })
    }
}
