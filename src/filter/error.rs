//! What is wrong with a filter, and where.

use std::fmt;

use crate::model::error::Error;
use crate::model::excerpt::Excerpt;

/// A filter that does not parse: what is wrong, and where.
///
/// Displayed, the first line says what is wrong; the filter follows, with a caret under the place.
/// Control characters are shown escaped, and of a long filter only the part around the place is
/// shown.
///
/// ```
/// use bayplan::Filter;
///
/// let error = Filter::parse("labels.app=nginx").unwrap_err();
/// assert_eq!(error.position(), 10);
/// assert_eq!(error.to_string(), "\
/// unknown operator `=`; expected `==`, `!=` or `~=`
///   labels.app=nginx
///             ^");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    filter: String,
    fault: Fault,
    index: Option<usize>,
}

/// A fault at a byte offset of a text that the maker of the [`FilterError`] knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Byte offset of the offending place.
    pub(super) at: usize,
    /// What was expected and what was found, on one line.
    pub(super) message: String,
}

impl Fault {
    /// A fault at a byte offset.
    pub(super) fn new(at: usize, message: impl Into<String>) -> Fault {
        Fault {
            at,
            message: message.into(),
        }
    }
}

impl FilterError {
    /// The fault of a text.
    pub(super) fn new(filter: &str, fault: Fault) -> FilterError {
        FilterError(Box::new(Inner {
            filter: filter.to_owned(),
            fault,
            index: None,
        }))
    }

    /// The same error, of one of several filters.
    pub(super) fn at_index(mut self, index: usize) -> FilterError {
        self.0.index = Some(index);
        self
    }

    /// The text that does not parse: the whole filter, or the regular expression when it was given
    /// to [`FilterField::matches`](crate::FilterField::matches). Of a filter that is longer than
    /// allowed, only as much as is allowed.
    #[must_use]
    pub fn filter(&self) -> &str {
        &self.0.filter
    }

    /// Where the fault is: a byte offset into [`filter`](FilterError::filter), its length when
    /// something is missing at the end.
    #[must_use]
    pub fn position(&self) -> usize {
        self.0.fault.at
    }

    /// What was found and what was expected, on one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.fault.message
    }

    /// Which of several filters it is, counted from 0, when [`Filters::parse`] found it.
    ///
    /// [`Filters::parse`]: crate::Filters::parse
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        self.0.index
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(index) = self.index() {
            write!(f, "filter {}: ", index.saturating_add(1))?;
        }
        writeln!(f, "{}", self.message())?;
        Excerpt::new(self.filter(), self.position()).fmt(f)
    }
}

impl std::error::Error for FilterError {}

impl From<FilterError> for Error {
    fn from(error: FilterError) -> Error {
        Error::invalid("invalid filter").caused_by(error)
    }
}
