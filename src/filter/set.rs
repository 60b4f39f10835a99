//! Several filters.

use super::error::FilterError;
use super::expr::Filter;
use super::pattern::Budget;
use super::unknown::{self, UnknownField};

/// Any number of filters, one of which a container must match. Without filters, everything matches.
///
/// ```
/// use bayplan::{Filter, Filters};
///
/// # fn main() -> Result<(), bayplan::FilterError> {
/// let parsed = Filters::parse(["id==web", "labels.app==nginx"])?;
/// let built = Filters::any([Filter::id().eq("web"), Filter::label("app").eq("nginx")]);
/// assert_eq!(parsed, built);
/// assert!(Filters::all().is_all());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filters {
    filters: Vec<Filter>,
}

impl Filters {
    /// Creates an empty set of filters: everything matches.
    #[must_use]
    pub fn all() -> Filters {
        Filters::default()
    }

    /// Creates a set of these filters. Without filters, everything matches.
    pub fn any(filters: impl IntoIterator<Item = Filter>) -> Filters {
        filters.into_iter().collect()
    }

    /// Parses each text as a filter.
    ///
    /// # Errors
    ///
    /// The first filter that does not parse, with its [index](FilterError::index), or more than 64
    /// regular expressions in all.
    pub fn parse<I>(texts: I) -> Result<Filters, FilterError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut budget = Budget::new();
        let parse = |(index, text): (usize, I::Item)| match Filter::parse_within(
            text.as_ref(),
            &mut budget,
        ) {
            Ok(filter) => Ok(filter.at_index(index)),
            Err(error) => Err(error.at_index(index)),
        };
        texts.into_iter().enumerate().map(parse).collect()
    }

    /// Parses each text as a filter, and refuses fields that no container can have; see
    /// [`Filter::unknown_fields`].
    ///
    /// # Errors
    ///
    /// Those of [`Filters::parse`], and the first unknown field, with a suggestion.
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::Filters;
    ///
    /// // Every container has another "name" than q, since none has any.
    /// assert!(Filters::parse(["name!=q"]).is_ok());
    /// let error = Filters::parse_strict(["name!=q"]).unwrap_err();
    /// assert!(error.message().ends_with("did you mean `id`?"));
    /// ```
    pub fn parse_strict<I>(texts: I) -> Result<Filters, FilterError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let filters = Filters::parse(texts)?;
        unknown::refuse(filters.unknown_fields())?;
        Ok(filters)
    }

    /// Returns the fields in them that no container can have, in the order of the filters; see
    /// [`Filter::unknown_fields`].
    pub fn unknown_fields(&self) -> impl Iterator<Item = &UnknownField> {
        self.filters.iter().flat_map(Filter::unknown_fields)
    }

    /// Returns the filters, in the given order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Filter> {
        self.filters.iter()
    }

    /// Whether everything matches: there are no filters, or one of them has no selectors.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.filters.is_empty() || self.filters.iter().any(Filter::is_all)
    }
}

impl From<Filter> for Filters {
    fn from(filter: Filter) -> Filters {
        Filters {
            filters: vec![filter],
        }
    }
}

impl FromIterator<Filter> for Filters {
    fn from_iter<I: IntoIterator<Item = Filter>>(filters: I) -> Filters {
        Filters {
            filters: filters.into_iter().collect(),
        }
    }
}
