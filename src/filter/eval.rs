//! The meaning of filters: whether a container matches.
//!
//! | selector | holds when |
//! |---|---|
//! | `path` | the field is present |
//! | `path==value` | the field is present and equal |
//! | `path!=value` | the field's value differs; an absent field has "" |
//! | `path~=value` | the expression matches somewhere in the value; an absent field has "" |

use std::borrow::Cow;

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
    /// Whether something matches that is neither a container nor a record, such as an event: one of the filters holds, or
    /// there are none.
    ///
    /// `field` returns the value of a field, by the parts of its path; `None` if it is absent. The key of a label is
    /// one part, whatever is in it. A path with bytes that are not UTF-8 is absent. It is what containerd calls an adaptor.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::borrow::Cow;
    ///
    /// use bayplan::Filters;
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// let filters = Filters::parse(["topic~=^/containers/,event.id==web"])?;
    /// assert!(filters.matches_with(|path| match path {
    ///     ["topic"] => Some(Cow::from("/containers/create")),
    ///     ["event", "id"] => Some(Cow::from("web")),
    ///     _ => None,
    /// }));
    /// # Ok(())
    /// # }
    /// ```
    pub fn matches_with<'v>(&self, mut field: impl FnMut(&[&str]) -> Option<Cow<'v, str>>) -> bool {
        self.is_all()
            || self.iter().any(|filter| {
                let mut selectors = filter.selectors().iter();
                selectors.all(|selector| selector.matches_with(&mut field))
            })
    }

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
    fn matches_with<'v>(&self, field: &mut impl FnMut(&[&str]) -> Option<Cow<'v, str>>) -> bool {
        let parts = self.path.parts();
        let parts: Option<Vec<&str>> = parts.iter().map(|part| str::from_utf8(part).ok()).collect();
        let value = parts.and_then(|parts| field(&parts));
        self.test
            .holds(value.as_ref().map(|value| value.as_bytes()))
    }

    fn matches(&self, subject: &impl Subject) -> bool {
        let field = self.path.field();
        let may_be_empty = matches!(field, Field::Label(_) | Field::Extension(_));
        let value = subject
            .field(field)
            .filter(|value| may_be_empty || !value.is_empty());
        self.test.holds(value)
    }
}

impl Test {
    /// Whether it holds of a value; `None` if the field is absent.
    fn holds(&self, value: Option<&[u8]>) -> bool {
        match self {
            Self::Present => value.is_some(),
            Self::Equals(wanted) => value == Some(wanted.as_slice()),
            Self::Differs(other) => value.unwrap_or_default() != other.as_slice(),
            Self::Matches(pattern) => pattern.is_match(value.unwrap_or_default()),
        }
    }
}
