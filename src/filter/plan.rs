//! What a filter requires, so that a planner can find candidates without trying all containers.

use std::collections::BTreeSet;

use crate::model::field::Field;

use super::expr::Filter;
use super::pattern::Pattern;
use super::selector::{Selector, Test};
use super::set::Filters;

/// A necessary condition of a filter, but not a sufficient one: what it finds must still be matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Required<'a> {
    /// The field is present and has this value. No container has an [unknown](Field::Unknown)
    /// field, an empty value (other than a label's or an extension's) or a value that is not UTF-8.
    Equals(&'a Field, &'a [u8]),
    /// The field is present.
    Present(&'a Field),
    /// The field is present, and its value matches.
    Matches(&'a Field, &'a Pattern),
}

impl<'a> Required<'a> {
    /// Returns the required identifier, if there is one.
    fn id(self) -> Option<&'a [u8]> {
        match self {
            Required::Equals(Field::Id, id) => Some(id),
            _ => None,
        }
    }
}

impl Filter {
    /// Iterates over what a container must have to match, in the order of the selectors. A selector that an absent
    /// field satisfies adds nothing.
    pub(crate) fn required(&self) -> impl Iterator<Item = Required<'_>> {
        self.selectors().iter().filter_map(Selector::required)
    }
}

impl Filters {
    /// Returns the only identifiers that can match, if every filter requires one; `None` if some filter does not. A
    /// filter that requires two, or an impossible one, adds nothing.
    pub(crate) fn exact_ids(&self) -> Option<BTreeSet<&str>> {
        if self.is_all() {
            return None;
        }
        let mut ids = BTreeSet::new();
        for filter in self.iter() {
            let mut wanted = filter.required().filter_map(Required::id);
            let first = wanted.next()?;
            let agreed = wanted.all(|id| id == first);
            if let Ok(id) = str::from_utf8(first)
                && agreed
                && !id.is_empty()
            {
                ids.insert(id);
            }
        }
        Some(ids)
    }

    /// Whether matching tests labels.
    pub(crate) fn needs_labels(&self) -> bool {
        self.looks_at(|field| matches!(field, Field::Label(_)))
    }

    /// Whether matching tests extensions.
    pub(crate) fn needs_extensions(&self) -> bool {
        self.looks_at(|field| matches!(field, Field::Extension(_)))
    }

    /// Whether a selector tests such a field. If everything matches, none does.
    fn looks_at(&self, wanted: impl Fn(&Field) -> bool) -> bool {
        let mut selectors = self.iter().flat_map(Filter::selectors);
        !self.is_all() && selectors.any(|selector| wanted(selector.path.field()))
    }
}

impl Selector {
    /// What the selector requires; `None` if an absent field satisfies it.
    fn required(&self) -> Option<Required<'_>> {
        let field = self.path.field();
        match &self.test {
            Test::Equals(value) => Some(Required::Equals(field, value)),
            Test::Present => Some(Required::Present(field)),
            Test::Differs(value) => value.is_empty().then_some(Required::Present(field)),
            Test::Matches(pattern) => {
                (!pattern.is_match(b"")).then_some(Required::Matches(field, pattern))
            }
        }
    }
}
