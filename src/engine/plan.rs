//! How the containers that a filter may let through are found: by their ids, or by reading all.

use std::collections::BTreeSet;

use crate::filter::Filters;

/// Where to look for the containers that may match. Whatever is found there is still matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// At every container of the namespace.
    All,
    /// At these ids only, in order; some of them may not exist.
    Ids(BTreeSet<String>),
}

impl Plan {
    /// What the filters alone tell: if every one of them names an id, nothing else can match.
    pub(crate) fn of(filters: &Filters) -> Self {
        match filters.exact_ids() {
            Some(ids) => Self::Ids(ids.into_iter().map(str::to_owned).collect()),
            None => Self::All,
        }
    }
}
