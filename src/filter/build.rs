//! Builders for filters: a field, then a condition.

use crate::model::field::Field;

use super::error::FilterError;
use super::expr::Filter;
use super::pattern::{Budget, Pattern};
use super::selector::{Path, Selector, Test};
use super::unknown::UnknownField;

/// A field of a container, to build a [`Filter`] on.
///
/// Returned by [`Filter::id`], [`Filter::label`] and the like.
///
/// ```
/// use bayplan::Filter;
///
/// # fn main() -> Result<(), bayplan::FilterError> {
/// assert_eq!(Filter::label("tier").present().to_string(), "labels.tier");
/// assert_eq!(Filter::image().ne("busybox").to_string(), "image!=busybox");
/// assert_eq!(Filter::id().matches("^web-[0-9]+$")?.to_string(), "id~=^web-[0-9]+$");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a field asks nothing yet; say `present`, `eq`, `ne` or `matches`"]
pub struct FilterField {
    path: Path,
    /// The path, if it names no field.
    unknown: Option<UnknownField>,
}

impl FilterField {
    /// Requires the field to be present.
    #[must_use]
    pub fn present(self) -> Filter {
        self.test(Test::Present)
    }

    /// Requires the field to be present and to have this value.
    #[must_use]
    pub fn eq(self, value: impl Into<String>) -> Filter {
        self.test(Test::Equals(value.into().into_bytes()))
    }

    /// Requires the field to have another value, or to be absent. An absent field has the value "", so `ne("")`
    /// requires the field to be present.
    #[must_use]
    pub fn ne(self, value: impl Into<String>) -> Filter {
        self.test(Test::Differs(value.into().into_bytes()))
    }

    /// Requires a regular expression, in Go's syntax, to match somewhere in the field's value. An absent field has the
    /// value "".
    ///
    /// # Errors
    ///
    /// The expression is invalid or too large. The error shows the expression.
    pub fn matches(self, expression: &str) -> Result<Filter, FilterError> {
        match Pattern::compile(expression, &mut Budget::new()) {
            Ok(pattern) => Ok(self.test(Test::Matches(pattern))),
            Err(fault) => Err(FilterError::new(expression, fault)),
        }
    }

    fn test(self, test: Test) -> Filter {
        let path = self.path;
        Filter::of(Selector { path, test }, self.unknown)
    }
}

impl From<Field> for FilterField {
    fn from(field: Field) -> FilterField {
        FilterField {
            path: Path::from(field),
            unknown: None,
        }
    }
}

impl Filter {
    /// Selects the container's identifier.
    pub fn id() -> FilterField {
        FilterField::from(Field::Id)
    }

    /// Selects the image.
    pub fn image() -> FilterField {
        FilterField::from(Field::Image)
    }

    /// Selects the runtime's name.
    pub fn runtime_name() -> FilterField {
        FilterField::from(Field::RuntimeName)
    }

    /// Selects the snapshotter.
    pub fn snapshotter() -> FilterField {
        FilterField::from(Field::Snapshotter)
    }

    /// Selects the snapshot's key.
    pub fn snapshot_key() -> FilterField {
        FilterField::from(Field::SnapshotKey)
    }

    /// Selects the sandbox that the container belongs to.
    pub fn sandbox_id() -> FilterField {
        FilterField::from(Field::SandboxId)
    }

    /// Selects the type URL of the value of a [`Record`](crate::Record); a container has none.
    pub fn value_type() -> FilterField {
        FilterField::from(Field::Type)
    }

    /// Selects the label with this key. The key may have any characters.
    pub fn label(key: impl Into<String>) -> FilterField {
        FilterField::from(Field::Label(key.into().into_bytes()))
    }

    /// Selects the extension with this name; its value is the type URL.
    pub fn extension(name: impl Into<String>) -> FilterField {
        FilterField::from(Field::Extension(name.into().into_bytes()))
    }

    /// Selects the field at a path, given by its parts. Without parts it is the field with the empty name.
    ///
    /// Only this builder can name an [unknown field](Filter::unknown_fields).
    ///
    /// ```
    /// use bayplan::Filter;
    ///
    /// let field = Filter::field(["labels", "example.com/tier"]);
    /// assert_eq!(field.present(), Filter::label("example.com/tier").present());
    /// ```
    pub fn field<I>(parts: I) -> FilterField
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let mut parts: Vec<Vec<u8>> = parts
            .into_iter()
            .map(|part| part.into().into_bytes())
            .collect();
        if parts.is_empty() {
            parts.push(Vec::new());
        }
        let path = Path::new(&parts);
        let unknown = (!path.field().is_named_by(&parts)).then(|| UnknownField::built(parts));
        FilterField { path, unknown }
    }
}
