//! The meaning of filters: whether a container matches.
//!
//! | selector | holds when |
//! |---|---|
//! | `path` | the field is present |
//! | `path==value` | the field is present and equal |
//! | `path!=value` | the field's value differs; an absent field has "" |
//! | `path~=value` | the expression matches somewhere in the value; an absent field has "" |

use crate::model::field::Field;

use super::expr::Filter;
use super::selector::{Selector, Test};
use super::set::Filters;

/// What a filter can test.
pub(crate) trait Subject {
    /// Returns the value of a field; `None` if it is absent. An empty value counts as absent, except for labels and
    /// extensions.
    fn field(&self, field: &Field) -> Option<&[u8]>;
}

impl Filters {
    /// Whether a container matches any of the filters. It matches if there are no filters.
    pub(crate) fn matches(&self, subject: &impl Subject) -> bool {
        self.is_all() || self.iter().any(|filter| filter.matches(subject))
    }
}

impl Filter {
    /// Whether a container satisfies every selector.
    pub(crate) fn matches(&self, subject: &impl Subject) -> bool {
        self.selectors()
            .iter()
            .all(|selector| selector.matches(subject))
    }
}

impl Selector {
    fn matches(&self, subject: &impl Subject) -> bool {
        let field = self.path.field();
        let may_be_empty = matches!(field, Field::Label(_) | Field::Extension(_));
        let value = subject
            .field(field)
            .filter(|value| may_be_empty || !value.is_empty());
        match &self.test {
            Test::Present => value.is_some(),
            Test::Equals(wanted) => value == Some(wanted.as_slice()),
            Test::Differs(other) => value.unwrap_or_default() != other.as_slice(),
            Test::Matches(pattern) => pattern.is_match(value.unwrap_or_default()),
        }
    }
}
