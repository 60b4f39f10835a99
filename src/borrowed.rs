//! A container as it stands in the file, copied as little as can be.

use chrono::{DateTime, Utc};

use crate::any::Any;
use crate::revision::Revision;

/// A stored container, in the file's own bytes, as long as a visitor looks at it.
///
/// Only a spec of more than a page is joined of its pieces, in memory.
///
/// Every part is verified before it is shown. The fields mean what they mean in
/// [`Container`](crate::Container). See
/// [`ReadNamespace::visit_refs`](crate::ReadNamespace::visit_refs).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContainerRef<'a> {
    /// See [`Container::id`](crate::Container::id).
    pub id: &'a str,
    /// See [`Container::image`](crate::Container::image).
    pub image: &'a str,
    /// See [`Runtime::name`](crate::Runtime::name).
    pub runtime_name: &'a str,
    /// See [`Runtime::options`](crate::Runtime::options).
    pub runtime_options: Option<AnyRef<'a>>,
    /// See [`Container::snapshotter`](crate::Container::snapshotter).
    pub snapshotter: &'a str,
    /// See [`Container::snapshot_key`](crate::Container::snapshot_key).
    pub snapshot_key: &'a str,
    /// See [`Container::sandbox_id`](crate::Container::sandbox_id).
    pub sandbox_id: &'a str,
    /// See [`Container::created_at`](crate::Container::created_at).
    pub created_at: DateTime<Utc>,
    /// See [`Container::updated_at`](crate::Container::updated_at).
    pub updated_at: DateTime<Utc>,
    /// See [`Container::revision`](crate::Container::revision).
    pub revision: Revision,
    /// The labels, ordered by key; see [`Container::labels`](crate::Container::labels).
    pub labels: Vec<(&'a str, &'a str)>,
    /// The extensions, ordered by name; see
    /// [`Container::extensions`](crate::Container::extensions).
    pub extensions: Vec<(&'a str, AnyRef<'a>)>,
    /// See [`Container::spec`](crate::Container::spec).
    pub spec: AnyRef<'a>,
}

/// An [`Any`] in the file's own bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct AnyRef<'a> {
    /// See [`Any::type_url`](crate::Any::type_url).
    pub type_url: &'a str,
    /// See [`Any::value`](crate::Any::value).
    pub value: &'a [u8],
}

impl ContainerRef<'_> {
    /// The value of a label, if the container has it.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        let at = self
            .labels
            .binary_search_by_key(&key, |(key, _)| key)
            .ok()?;
        self.labels.get(at).map(|(_, value)| *value)
    }

    /// An extension, if the container has it.
    #[must_use]
    pub fn extension(&self, name: &str) -> Option<AnyRef<'_>> {
        let at = self
            .extensions
            .binary_search_by_key(&name, |(name, _)| name)
            .ok()?;
        self.extensions.get(at).map(|(_, value)| *value)
    }
}

impl AnyRef<'_> {
    /// A copy that lasts.
    #[must_use]
    pub fn to_any(&self) -> Any {
        Any::new(self.type_url, self.value)
    }
}
