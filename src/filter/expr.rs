//! One filter.

use std::fmt;
use std::str::FromStr;

use super::error::{Fault, FilterError};
use super::parse;
use super::pattern::Budget;
use super::print;
use super::selector::Selector;
use crate::limits::FILTER_MAX_BYTES;

/// A filter: selectors, all of which a container must satisfy. Without any it lets everything
/// through.
///
/// It is parsed from text, or built, in which case whatever needs quotes gets them:
///
/// ```
/// use bayplan::Filter;
///
/// # fn main() -> Result<(), bayplan::FilterError> {
/// let parsed = Filter::parse(r"labels.app==nginx,image~=^docker\.io/")?;
/// let built = Filter::label("app").eq("nginx").and(Filter::image().matches(r"^docker\.io/")?);
/// assert_eq!(parsed, built);
///
/// let quoted = Filter::label("example.com/tier").eq("front end");
/// assert_eq!(quoted.to_string(), r#"labels."example.com/tier"=="front end""#);
/// # Ok(())
/// # }
/// ```
///
/// # Syntax
///
/// Selectors are joined by `,`. Each is a field, alone (the field is present) or with an operator
/// and a value: `==` (present and equal), `!=` (different, or absent), `~=` (a regular expression,
/// in Go's syntax, matches somewhere in the value; of an absent field, in the empty string).
///
/// Fields are `id`, `image`, `runtime.name`, `labels.KEY`, `extensions.NAME` (its value is the
/// type URL), `snapshotter`, `snapshotkey` and `sandboxid`. Any other is absent.
///
/// Values, and the parts of a field, can be put in double quotes, within which a backslash escapes
/// as in Go; they must be when they hold a `,` or white space or, in a field, anything but letters,
/// digits and `_`. A regular expression can be put in `/../` and `|..|` as well. Within quotes each
/// of its backslashes is written twice, without quotes once.
///
/// # Printing and equality
///
/// A filter prints as text that parses to an equal filter. (A built one can outgrow what a text may
/// be: 64 KiB and 64 regular expressions.)
///
/// Filters are compared in normal form: quoting, white space and the ignored parts of a path (as in
/// `id.x`) make no difference. The order of selectors does, and so do repeated ones. Regular
/// expressions are equal when their texts are, unknown fields when their paths are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    selectors: Vec<Selector>,
}

impl Filter {
    /// Parses a filter. The empty text is the filter that lets everything through.
    ///
    /// # Errors
    ///
    /// The text breaks the syntax, a regular expression is not one or is too large, or the text is
    /// longer than 64 KiB. The error tells the place and what was expected there.
    pub fn parse(text: &str) -> Result<Filter, FilterError> {
        Filter::parse_within(text, &mut Budget::new())
    }

    /// Parses one filter of a list.
    pub(super) fn parse_within(text: &str, budget: &mut Budget) -> Result<Filter, FilterError> {
        match parse::filter(text, budget) {
            Ok(selectors) => Ok(Filter { selectors }),
            Err(fault) => Err(refusal(text, fault)),
        }
    }

    /// The filter that asks for all that this one and another ask for.
    #[must_use]
    pub fn and(mut self, other: Filter) -> Filter {
        self.selectors.extend(other.selectors);
        self
    }

    /// Whether it lets everything through, having no selectors.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.selectors.is_empty()
    }

    /// The selectors.
    pub(super) fn selectors(&self) -> &[Selector] {
        &self.selectors
    }
}

/// The error of a text, which keeps no more of it than a filter may have.
fn refusal(text: &str, fault: Fault) -> FilterError {
    let kept = (0..=FILTER_MAX_BYTES).rev().find_map(|end| text.get(..end));
    let kept = if text.len() > FILTER_MAX_BYTES {
        kept
    } else {
        None
    };
    FilterError::new(kept.unwrap_or(text), fault)
}

impl From<Selector> for Filter {
    fn from(selector: Selector) -> Filter {
        Filter {
            selectors: vec![selector],
        }
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Filter, FilterError> {
        Filter::parse(text)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print::selectors(f, &self.selectors)
    }
}
