//! Faults in filters, and their positions.

use std::fmt;

use crate::model::error::Error;
use crate::model::excerpt::Excerpt;

/// A fault in a filter, and its position.
///
/// Displayed, the first line says what is wrong, followed by the filter with a caret under the position.
/// Control characters are escaped, and of a long filter only the part around the position is shown.
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

/// A fault at a byte offset of a text that is not part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The byte offset of the fault.
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

    /// The same error in one of several filters.
    pub(super) fn at_index(mut self, index: usize) -> FilterError {
        self.0.index = Some(index);
        self
    }

    /// Returns the text that does not parse: the whole filter, or the regular expression that was passed to
    /// [`FilterField::matches`](crate::FilterField::matches). A filter that is too long is cut to the limit.
    #[must_use]
    pub fn filter(&self) -> &str {
        &self.0.filter
    }

    /// Returns the position of the fault: a byte offset into [`filter`](FilterError::filter), or its length if
    /// something is missing at the end.
    #[must_use]
    pub fn position(&self) -> usize {
        self.0.fault.at
    }

    /// Returns what was found and what was expected, on one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.fault.message
    }

    /// Returns the index of the filter, counted from 0, if [`Filters::parse`] found the fault.
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
