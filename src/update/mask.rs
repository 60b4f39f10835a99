//! Field masks: which fields of a container an update takes from its input.
//!
//! A path is a field's name, or `labels.KEY` or `extensions.NAME` for one entry. The key is everything
//! after the first dot, further dots and quotes included. (An update refuses a key in quotes if only the
//! key without them exists.) Which paths a store accepts depends on its [`Rules`](crate::Rules); the update
//! checks that.

use std::fmt;
use std::str::FromStr;

use crate::filter::Filter;
use crate::model::error::{Error, Result};
use crate::model::excerpt::Excerpt;
use crate::model::field::{Field, name};
use crate::model::limits::FIELD_PATH_MAX_BYTES;

/// One field, or one entry of a field, that an update may name.
///
/// Its text, by [`Display`](fmt::Display) and [`FromStr`], is containerd's field path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FieldPath {
    /// `labels`: all labels; those that the input lacks are removed.
    Labels,
    /// `labels.KEY`: one label; removed if the input lacks it or has an empty value for it. KEY is taken
    /// literally, without the quotes that a filter needs.
    Label(String),
    /// `spec`.
    Spec,
    /// `extensions`: all extensions; those that the input lacks are removed.
    Extensions,
    /// `extensions.NAME`: one extension; removed if the input lacks it.
    Extension(String),
    /// `image`, under [`Rules::Containerd2`](crate::Rules::Containerd2) only.
    Image,
    /// `snapshotkey`, under [`Rules::Containerd2`](crate::Rules::Containerd2) only.
    SnapshotKey,
    /// `value`, of a [`Record`](crate::Record) only.
    Value,
}

impl FieldPath {
    /// Returns the path as a filter would read it, where keys may be quoted; `None` if its key has no quotes, or is not
    /// valid in a filter.
    pub(crate) fn unquoted(&self) -> Option<Self> {
        let (Self::Label(key) | Self::Extension(key)) = self else {
            return None;
        };
        if !key.contains('"') {
            return None;
        }
        let filter = Filter::parse(&self.to_string()).ok()?;
        let text = |key: &[u8]| String::from_utf8(key.to_vec()).ok();
        match filter.lone_field()? {
            Field::Label(key) => text(key).map(Self::Label),
            Field::Extension(key) => text(key).map(Self::Extension),
            _ => None,
        }
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Labels => f.write_str(name::LABELS),
            Self::Label(key) => write!(f, "{}.{key}", name::LABELS),
            Self::Spec => f.write_str(name::SPEC),
            Self::Extensions => f.write_str(name::EXTENSIONS),
            Self::Extension(key) => write!(f, "{}.{key}", name::EXTENSIONS),
            Self::Image => f.write_str(name::IMAGE),
            Self::SnapshotKey => f.write_str(name::SNAPSHOT_KEY),
            Self::Value => f.write_str(name::VALUE),
        }
    }
}

impl FromStr for FieldPath {
    type Err = FieldMaskError;

    fn from_str(path: &str) -> Result<Self, FieldMaskError> {
        if path.len() > FIELD_PATH_MAX_BYTES {
            let size = path.len();
            let message = format!("too long: {size} bytes of at most {FIELD_PATH_MAX_BYTES}");
            return Err(FieldMaskError::new(path, FIELD_PATH_MAX_BYTES, message));
        }
        let (field, key) = match path.split_once('.') {
            Some((field, key)) => (field, Some(key)),
            None => (path, None),
        };
        match (field, key) {
            (name::LABELS | name::EXTENSIONS, Some("")) => Err(FieldMaskError::no_key(field)),
            (name::LABELS, None) => Ok(Self::Labels),
            (name::LABELS, Some(key)) => Ok(Self::Label(key.to_owned())),
            (name::EXTENSIONS, None) => Ok(Self::Extensions),
            (name::EXTENSIONS, Some(key)) => Ok(Self::Extension(key.to_owned())),
            (name::SPEC, None) => Ok(Self::Spec),
            (name::IMAGE, None) => Ok(Self::Image),
            (name::SNAPSHOT_KEY, None) => Ok(Self::SnapshotKey),
            (name::VALUE, None) => Ok(Self::Value),
            (name::SPEC | name::IMAGE | name::SNAPSHOT_KEY | name::VALUE, Some(_)) => {
                Err(FieldMaskError::new(
                    path,
                    field.len(),
                    format!("`{field}` has no fields that can be updated one by one"),
                ))
            }
            _ => Err(FieldMaskError::new(path, 0, unknown(field))),
        }
    }
}

fn unknown(field: &str) -> String {
    let immutable = [
        name::ID,
        name::RUNTIME,
        name::SNAPSHOTTER,
        name::SANDBOX_ID,
        name::CREATED_AT,
        name::UPDATED_AT,
    ];
    if immutable.contains(&field) {
        format!("`{field}` cannot be updated")
    } else {
        format!(
            "expected one of {}, {}.KEY, {}, {}, {}.NAME, {}, {}, or {} of a record",
            name::LABELS,
            name::LABELS,
            name::SPEC,
            name::EXTENSIONS,
            name::EXTENSIONS,
            name::IMAGE,
            name::SNAPSHOT_KEY,
            name::VALUE
        )
    }
}

/// The fields that an [`update`](crate::Store::update) takes from its input.
///
/// # Examples
///
/// ```
/// use bayplan::{FieldMask, FieldPath};
///
/// let mask = FieldMask::parse(["spec", "labels.io.kubernetes.pod.name"])?;
/// assert_eq!(mask, FieldMask::of([
///     FieldPath::Spec,
///     FieldPath::Label("io.kubernetes.pod.name".into()),
/// ]));
///
/// let error = FieldMask::parse(["lables"]).unwrap_err();
/// assert_eq!(error.position(), 0);
/// # Ok::<(), bayplan::FieldMaskError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldMask {
    paths: Vec<FieldPath>,
    refused: Option<FieldMaskError>,
}

impl FieldMask {
    /// Returns the mask without a path: an update replaces all mutable fields, and an immutable field that differs is
    /// an error.
    #[must_use]
    pub fn full() -> Self {
        Self::default()
    }

    /// Creates the mask of these paths. Without paths it is [`FieldMask::full`].
    ///
    /// The update refuses a label or an extension without a name, as with [`FieldMask::deferred`].
    pub fn of(paths: impl IntoIterator<Item = FieldPath>) -> Self {
        let mut mask = Self::default();
        for path in paths {
            let refused = match &path {
                FieldPath::Label(key) if key.is_empty() => Some(name::LABELS),
                FieldPath::Extension(key) if key.is_empty() => Some(name::EXTENSIONS),
                _ => None,
            };
            match refused {
                Some(field) => {
                    mask.refused.get_or_insert(FieldMaskError::no_key(field));
                }
                None => mask.paths.push(path),
            }
        }
        mask
    }

    /// Parses the paths.
    ///
    /// # Errors
    ///
    /// The first path that no store accepts, and the position of the fault in it.
    pub fn parse<I>(paths: I) -> Result<Self, FieldMaskError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mask = Self::deferred(paths);
        match mask.refused {
            Some(error) => Err(error),
            None => Ok(mask),
        }
    }

    /// Parses the paths, but leaves it to the update to refuse a bad one.
    ///
    /// For a server that forwards requests: an update of a container that does not exist is then
    /// [`NotFound`](crate::ErrorKind::NotFound), as in containerd, whatever its paths are.
    pub fn deferred<I>(paths: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut mask = Self::default();
        for path in paths {
            match path.as_ref().parse() {
                Ok(path) => mask.paths.push(path),
                Err(error) => {
                    mask.refused.get_or_insert(error);
                }
            }
        }
        mask
    }

    /// Whether this is [`FieldMask::full`].
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.paths.is_empty() && self.refused.is_none()
    }

    /// Returns the paths, in the given order.
    pub fn paths(&self) -> impl Iterator<Item = &FieldPath> {
        self.paths.iter()
    }

    /// Checks that [`FieldMask::deferred`] accepted every path. An implementation of an update calls this
    /// once it has found the container.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument), naming the first path that was refused.
    pub fn validate(&self) -> Result<()> {
        match &self.refused {
            Some(error) => Err(error.clone().into()),
            None => Ok(()),
        }
    }
}

impl FromIterator<FieldPath> for FieldMask {
    fn from_iter<I: IntoIterator<Item = FieldPath>>(paths: I) -> Self {
        Self::of(paths)
    }
}

/// A field path that cannot be updated, and the position of the fault in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldMaskError {
    path: String,
    position: usize,
    message: String,
}

impl FieldMaskError {
    fn new(path: &str, position: usize, message: String) -> Self {
        Self {
            path: path.to_owned(),
            position,
            message,
        }
    }

    fn no_key(field: &str) -> Self {
        let path = format!("{field}.");
        let message = format!("expected a key of `{field}`");
        Self::new(&path, path.len(), message)
    }

    /// Returns the whole path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the position of the fault, as a byte offset into [`FieldMaskError::path`].
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// Returns what is wrong, in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for FieldMaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "field path {:?}: {}", self.path, self.message)?;
        Excerpt::new(&self.path, self.position).fmt(f)
    }
}

impl std::error::Error for FieldMaskError {}

impl From<FieldMaskError> for Error {
    fn from(error: FieldMaskError) -> Self {
        Error::invalid(format!("invalid field path {:?}", error.path)).caused_by(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_without_a_key_is_refused_however_it_was_made() {
        for (path, text) in [
            (FieldPath::Label(String::new()), "labels."),
            (FieldPath::Extension(String::new()), "extensions."),
        ] {
            let made = FieldMask::of([FieldPath::Spec, path]);
            assert!(made.validate().unwrap_err().is_invalid_argument());
            assert_eq!(
                made.refused.as_ref(),
                FieldMask::parse([text]).as_ref().err()
            );
            assert!(!made.is_full());
        }
    }
}
