//! One filter.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use super::error::{Fault, FilterError};
use super::parse::{self, Parsed};
use super::pattern::Budget;
use super::print;
use super::selector::{Selector, Test};
use super::unknown::{self, UnknownField};
use crate::model::field::Field;
use crate::model::limits::FILTER_MAX_BYTES;

/// A filter: selectors that a container must all satisfy. Without selectors it matches everything.
///
/// It is parsed from text, or built with quotes added where needed:
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
/// Fields are `id`, `image`, `runtime.name`, `labels.KEY`, `extensions.NAME` (its value is the type URL),
/// `snapshotter`, `snapshotkey` and `sandboxid`. Any other field is absent; [`Filter::parse`] accepts it,
/// [`Filter::parse_strict`] does not.
///
/// Values, and the parts of a field, can be written in double quotes, within which a backslash escapes as
/// in Go. They must be quoted if they contain a `,` or white space or, in a field, anything but letters,
/// digits and `_`. A regular expression can also be written in `/../` or `|..|`. Its backslashes are
/// doubled within quotes, and single without.
///
/// # Printing and equality
///
/// A filter prints as text that parses to an equal filter. (A built one can exceed the limits of a text: 64
/// KiB and 64 regular expressions.)
///
/// Filters are compared in normal form: quoting, white space and the ignored parts of a path (as in
/// `id.x`) make no difference. The order of selectors does, and so do repeated ones. Regular
/// expressions are equal when their texts are, unknown fields when their paths are.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    selectors: Vec<Selector>,
    /// The paths that name no field. Equality ignores them.
    unknown: Vec<UnknownField>,
}

impl Filter {
    /// Parses a filter. The empty text is the filter that matches everything.
    ///
    /// # Errors
    ///
    /// The text breaks the syntax, a regular expression is invalid or too large, or the text is longer than
    /// 64 KiB. The error has the position, and what was expected there.
    pub fn parse(text: &str) -> Result<Filter, FilterError> {
        Filter::parse_within(text, &mut Budget::new())
    }

    /// Parses a filter, and refuses fields that no container can have; see
    /// [`Filter::unknown_fields`].
    ///
    /// # Errors
    ///
    /// Those of [`Filter::parse`], and the first unknown field, with a suggestion.
    pub fn parse_strict(text: &str) -> Result<Filter, FilterError> {
        let filter = Filter::parse(text)?;
        unknown::refuse(filter.unknown_fields())?;
        Ok(filter)
    }

    /// Parses one filter of a list.
    pub(super) fn parse_within(text: &str, budget: &mut Budget) -> Result<Filter, FilterError> {
        match parse::filter(text, budget) {
            Ok(Parsed { selectors, unknown }) => Ok(Filter { selectors, unknown }),
            Err(fault) => Err(refusal(text, fault)),
        }
    }

    /// Returns the filter that requires everything that this filter and another one require.
    #[must_use]
    pub fn and(mut self, other: Filter) -> Filter {
        self.selectors.extend(other.selectors);
        self.unknown.extend(other.unknown);
        self
    }

    /// Returns the fields in it that no container can have, in the order of the text.
    ///
    /// As in containerd they are absent, and not an error: `==` matches nothing, `!=` everything. Usually they are
    /// mistakes. They include a path that is too long: `id.x` is read as `id`.
    ///
    /// ```
    /// use bayplan::Filter;
    ///
    /// # fn main() -> Result<(), bayplan::FilterError> {
    /// let filter = Filter::parse("id==web,label.tier!=prod")?;
    /// let unknown = filter.unknown_fields().next().unwrap();
    /// assert_eq!(unknown.field(), "label.tier");
    /// assert_eq!(unknown.suggestion().as_deref(), Some("labels.tier"));
    ///
    /// let error = Filter::parse_strict("id==web,label.tier!=prod").unwrap_err();
    /// assert_eq!(error.to_string(), "\
    /// unknown field `label.tier`, absent in every container; did you mean `labels.tier`?
    ///   id==web,label.tier!=prod
    ///           ^");
    /// # Ok(())
    /// # }
    /// ```
    pub fn unknown_fields(&self) -> impl Iterator<Item = &UnknownField> {
        self.unknown.iter()
    }

    /// The same filter, one of several.
    pub(super) fn at_index(mut self, index: usize) -> Filter {
        for unknown in &mut self.unknown {
            unknown.set_index(index);
        }
        self
    }

    /// Whether it has no selectors and so matches everything.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.selectors.is_empty()
    }

    /// Returns the field, if its presence is all that the filter requires.
    pub(crate) fn lone_field(&self) -> Option<&Field> {
        match self.selectors.as_slice() {
            [Selector { path, test }] if *test == Test::Present => Some(path.field()),
            _ => None,
        }
    }

    /// Returns the selectors.
    pub(super) fn selectors(&self) -> &[Selector] {
        &self.selectors
    }
}

/// The error for a text, which is cut to the longest filter.
fn refusal(text: &str, fault: Fault) -> FilterError {
    let kept = (0..=FILTER_MAX_BYTES).rev().find_map(|end| text.get(..end));
    let kept = if text.len() > FILTER_MAX_BYTES {
        kept
    } else {
        None
    };
    FilterError::new(kept.unwrap_or(text), fault)
}

impl Filter {
    /// The filter of one selector; `unknown` is its path, if that names no field.
    pub(super) fn of(selector: Selector, unknown: Option<UnknownField>) -> Filter {
        Filter {
            selectors: vec![selector],
            unknown: unknown.into_iter().collect(),
        }
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Filter) -> bool {
        self.selectors == other.selectors
    }
}

impl Eq for Filter {}

impl Hash for Filter {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.selectors.hash(state);
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
