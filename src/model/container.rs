//! The container: what the store keeps about it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::any::Any;
use crate::model::error::{Error, Result};
use crate::model::identifier::ContainerId;
use crate::model::labels::{self, Labels};
use crate::model::limits::{
    EXTENSION_NAME_MAX_BYTES, EXTENSIONS_MAX_BYTES, EXTENSIONS_MAX_COUNT, TEXT_MAX_BYTES,
};
use crate::model::policy::Policy;
use crate::model::revision::Revision;

/// Client-specified metadata of a container, by name.
pub type Extensions = BTreeMap<String, Any>;

/// A container: the metadata from which a host runtime creates its tasks.
///
/// The fields are containerd's (`containers.Container`). Which of them an [`update`](crate::Store::update)
/// may change depends on the store's [`Rules`](crate::Rules). An optional text field is absent if it is
/// empty.
///
/// # Examples
///
/// ```
/// use bayplan::{Any, Container, Runtime};
///
/// let web = Container::new("web", Runtime::new("io.containerd.runc.v2"), Any::new("spec", b"{}"))
///     .image("docker.io/library/nginx:1.29")
///     .snapshot("overlayfs", "web-rootfs")
///     .label("app", "nginx");
/// assert_eq!(web.labels["app"], "nginx");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Container {
    /// Identifies the container in its namespace. Required, never changes; a
    /// [`ContainerId`] when stored.
    pub id: String,
    /// Free metadata to find containers by. Optional, mutable. A label whose value is empty is not
    /// stored.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// The reference of the image that the container was made from. Optional, not validated;
    /// immutable under [`Rules::Strict`](crate::Rules::Strict).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub image: String,
    /// The runtime that runs the container's tasks. Required, immutable.
    pub runtime: Runtime,
    /// The runtime specification, usually an OCI one. Required, mutable.
    ///
    /// A stored container always has one. `None` is for the input of an update that leaves the spec alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<Any>,
    /// The name of the snapshotter that holds the root filesystem. Required if `snapshot_key` is set, optional
    /// otherwise. Immutable.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub snapshotter: String,
    /// The key of the root filesystem's snapshot. Optional; immutable under
    /// [`Rules::Strict`](crate::Rules::Strict).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub snapshot_key: String,
    /// The sandbox that the container belongs to (containerd 2.x). Optional, immutable.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sandbox_id: String,
    /// When the container was created, in UTC to the nanosecond. Set by the store, which ignores what the caller
    /// passes.
    #[serde(default)]
    pub created_at: DateTime<Utc>,
    /// When the container was last updated. Every update sets a strictly later time, even if the clock stood still or
    /// went back. Set by the store, which ignores what the caller passes.
    #[serde(default)]
    pub updated_at: DateTime<Utc>,
    /// Client-specified metadata. Optional, mutable.
    #[serde(default, skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
    /// Identifies this state of the container. Set by the store, which ignores what the caller passes. See
    /// [`update_if`](crate::Store::update_if).
    #[serde(default)]
    pub revision: Revision,
}

/// The runtime of a container, and its options.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Runtime {
    /// The runtime's name, such as `io.containerd.runc.v2`. Required.
    pub name: String,
    /// Options for the runtime. Optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Any>,
}

/// A container without its spec and its extensions: what a listing needs, without reading the large parts. The fields
/// have the same meaning as in [`Container`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ContainerHeader {
    /// See [`Container::id`].
    pub id: String,
    /// See [`Container::labels`].
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// See [`Container::image`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub image: String,
    /// See [`Container::runtime`].
    pub runtime: Runtime,
    /// See [`Container::snapshotter`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub snapshotter: String,
    /// See [`Container::snapshot_key`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub snapshot_key: String,
    /// See [`Container::sandbox_id`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sandbox_id: String,
    /// See [`Container::created_at`].
    pub created_at: DateTime<Utc>,
    /// See [`Container::updated_at`].
    pub updated_at: DateTime<Utc>,
    /// See [`Container::revision`].
    pub revision: Revision,
    /// The extensions that the query asked for by name; see [`Container::extensions`].
    #[serde(default, skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

impl Runtime {
    /// Creates a runtime without options.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            options: None,
        }
    }

    /// Sets the options.
    #[must_use]
    pub fn options(mut self, options: Any) -> Self {
        self.options = Some(options);
        self
    }
}

impl Container {
    /// Creates a container with the required fields.
    #[must_use]
    pub fn new(id: impl Into<String>, runtime: Runtime, spec: Any) -> Self {
        Self {
            runtime,
            spec: Some(spec),
            ..Self::with_id(id)
        }
    }

    /// Creates a container with only an id, to carry the fields of an [`update`](crate::Store::update) whose mask names
    /// them.
    ///
    /// ```
    /// use bayplan::{Any, Container, Db, FieldMask, Runtime, Store};
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// # let store = Db::in_memory()?.namespace("default")?;
    /// # store.create(Container::new("web", Runtime::new("runc"), Any::new("spec", b"{}")))?;
    /// let change = Container::with_id("web").label("tier", "front");
    /// let web = store.update(change, &FieldMask::parse(["labels.tier"])?)?;
    /// assert_eq!(web.runtime.name, "runc");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_id(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            labels: Labels::new(),
            image: String::new(),
            runtime: Runtime::default(),
            spec: None,
            snapshotter: String::new(),
            snapshot_key: String::new(),
            sandbox_id: String::new(),
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
            extensions: Extensions::new(),
            revision: Revision::NONE,
        }
    }

    /// Adds a label, or replaces its value.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// Adds labels, or replaces their values.
    #[must_use]
    pub fn labels<K: Into<String>, V: Into<String>>(
        mut self,
        labels: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let owned = |(key, value): (K, V)| (key.into(), value.into());
        self.labels.extend(labels.into_iter().map(owned));
        self
    }

    /// Sets the image.
    #[must_use]
    pub fn image(mut self, reference: impl Into<String>) -> Self {
        self.image = reference.into();
        self
    }

    /// Sets the spec.
    #[must_use]
    pub fn spec(mut self, spec: Any) -> Self {
        self.spec = Some(spec);
        self
    }

    /// Sets the snapshot.
    #[must_use]
    pub fn snapshot(mut self, snapshotter: impl Into<String>, key: impl Into<String>) -> Self {
        self.snapshotter = snapshotter.into();
        self.snapshot_key = key.into();
        self
    }

    /// Sets the sandbox.
    #[must_use]
    pub fn sandbox(mut self, id: impl Into<String>) -> Self {
        self.sandbox_id = id.into();
        self
    }

    /// Adds an extension, or replaces its value.
    #[must_use]
    pub fn extension(mut self, name: impl Into<String>, value: Any) -> Self {
        self.extensions.insert(name.into(), value);
        self
    }

    /// Returns the container as the store would keep it, apart from its times and revision: checked against every rule
    /// for a single container, and without labels that mean "unset".
    pub(crate) fn settled(mut self, policy: Policy) -> Result<Self> {
        ContainerId::new(self.id.as_str())?;
        self.labels = labels::settle(self.labels, policy)?;
        for (name, value) in &self.extensions {
            check_extension(name, value)?;
        }
        let count = self.extensions.len();
        if count > EXTENSIONS_MAX_COUNT {
            return Err(Error::invalid(format!(
                "there are too many extensions: {count} of at most {EXTENSIONS_MAX_COUNT}"
            )));
        }
        let sizes = self.extensions.iter();
        let size: usize = sizes
            .map(|(name, any)| name.len() + any.type_url.len() + any.value.len())
            .sum();
        if size > EXTENSIONS_MAX_BYTES {
            return Err(Error::invalid(format!(
                "the extensions are too large: they have {size} bytes together, of at most \
                 {EXTENSIONS_MAX_BYTES}"
            )));
        }
        if self.runtime.name.is_empty() {
            return Err(Error::invalid("`runtime.name` is required"));
        }
        let Some(spec) = &self.spec else {
            return Err(Error::invalid("`spec` is required"));
        };
        spec.check("the spec")?;
        if let Some(options) = &self.runtime.options {
            options.check("`runtime.options`")?;
        }
        if !self.snapshot_key.is_empty() && self.snapshotter.is_empty() {
            return Err(Error::invalid(
                "`snapshotter` is required if `snapshot_key` is set",
            ));
        }
        self.check_texts()?;
        Ok(self)
    }

    /// Makes a container from its header and the rest.
    pub(crate) fn of_parts(
        header: ContainerHeader,
        spec: Option<Any>,
        extensions: Extensions,
    ) -> Self {
        Self {
            id: header.id,
            labels: header.labels,
            image: header.image,
            runtime: header.runtime,
            spec,
            snapshotter: header.snapshotter,
            snapshot_key: header.snapshot_key,
            sandbox_id: header.sandbox_id,
            created_at: header.created_at,
            updated_at: header.updated_at,
            extensions,
            revision: header.revision,
        }
    }

    fn check_texts(&self) -> Result<()> {
        let texts = [
            ("image", &self.image),
            ("runtime.name", &self.runtime.name),
            ("snapshotter", &self.snapshotter),
            ("snapshot_key", &self.snapshot_key),
            ("sandbox_id", &self.sandbox_id),
        ];
        for (name, text) in texts {
            let size = text.len();
            if size > TEXT_MAX_BYTES {
                return Err(Error::invalid(format!(
                    "`{name}` is too long: {size} bytes of at most {TEXT_MAX_BYTES}"
                )));
            }
        }
        Ok(())
    }
}

fn check_extension(name: &str, value: &Any) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid("an extension has an empty name"));
    }
    let size = name.len();
    if size > EXTENSION_NAME_MAX_BYTES {
        return Err(Error::invalid(format!(
            "the name of the extension {name:?} is too long: {size} bytes of at most \
             {EXTENSION_NAME_MAX_BYTES}"
        )));
    }
    value.check(&format!("the extension {name:?}"))
}

impl From<Container> for ContainerHeader {
    fn from(container: Container) -> Self {
        Self {
            id: container.id,
            labels: container.labels,
            image: container.image,
            runtime: container.runtime,
            snapshotter: container.snapshotter,
            snapshot_key: container.snapshot_key,
            sandbox_id: container.sandbox_id,
            created_at: container.created_at,
            updated_at: container.updated_at,
            revision: container.revision,
            extensions: Extensions::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid() -> Container {
        Container::new("web", Runtime::new("runc"), Any::new("spec", b"{}"))
    }

    #[track_caller]
    fn refuses(container: Container, text: &str) {
        let error = container.settled(Policy::default()).unwrap_err();
        assert!(error.is_invalid_argument());
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn runtime_name_and_spec_are_required() {
        refuses(
            Container {
                runtime: Runtime::default(),
                ..valid()
            },
            "`runtime.name` is required",
        );
        refuses(
            Container {
                spec: None,
                ..valid()
            },
            "`spec` is required",
        );
    }

    #[test]
    fn a_spec_that_is_present_but_empty_counts_as_set() {
        assert!(
            valid()
                .spec(Any::default())
                .settled(Policy::default())
                .is_ok()
        );
    }

    #[test]
    fn a_snapshot_key_needs_a_snapshotter() {
        refuses(
            valid().snapshot("", "key"),
            "`snapshotter` is required if `snapshot_key` is set",
        );
        assert!(
            valid()
                .snapshot("overlayfs", "")
                .settled(Policy::default())
                .is_ok()
        );
    }

    #[test]
    fn labels_with_empty_values_are_not_kept() {
        let container = valid()
            .label("a", "1")
            .label("b", "")
            .settled(Policy::default())
            .unwrap();
        assert_eq!(container.labels, Labels::from([("a".into(), "1".into())]));
    }

    #[test]
    fn an_extension_has_a_name() {
        refuses(
            valid().extension("", Any::default()),
            "an extension has an empty name",
        );
    }

    #[test]
    fn every_text_has_its_limit() {
        let at = "x".repeat(TEXT_MAX_BYTES);
        let over = format!("{at}x");
        assert!(
            valid()
                .image(&at)
                .sandbox(&at)
                .snapshot(&at, &at)
                .settled(Policy::default())
                .is_ok()
        );
        refuses(
            valid().image(&over),
            "`image` is too long: 65537 bytes of at most 65536",
        );
        refuses(
            valid().sandbox(&over),
            "`sandbox_id` is too long: 65537 bytes of at most 65536",
        );
        refuses(
            valid().snapshot(&over, "k"),
            "`snapshotter` is too long: 65537 bytes of at most 65536",
        );
        refuses(
            valid().snapshot("s", &over),
            "`snapshot_key` is too long: 65537 bytes of at most 65536",
        );
        refuses(
            Container {
                runtime: Runtime::new(&over),
                ..valid()
            },
            "`runtime.name` is too long: 65537 bytes of at most 65536",
        );
        let name = "n".repeat(EXTENSION_NAME_MAX_BYTES + 1);
        assert!(
            valid()
                .extension(name, Any::default())
                .settled(Policy::default())
                .is_err()
        );
    }

    #[test]
    fn an_any_has_its_limit() {
        let at = Any::new("t", vec![0; ANY_MAX]);
        let over = Any::new("t", vec![0; ANY_MAX + 1]);
        assert!(
            valid()
                .spec(at.clone())
                .extension("x", at)
                .settled(Policy::default())
                .is_ok()
        );
        refuses(
            valid().spec(over.clone()),
            "the spec is too large: its value has 16777217 bytes of at most 16777216",
        );
        assert!(
            valid()
                .extension("x", over)
                .settled(Policy::default())
                .is_err()
        );
    }

    const ANY_MAX: usize = crate::model::limits::ANY_MAX_BYTES;

    #[test]
    fn json_reads_well_and_back() {
        let container = valid().label("app", "nginx");
        let text = serde_json::to_string(&container).unwrap();
        assert_eq!(
            text,
            r#"{"id":"web","labels":{"app":"nginx"},"runtime":{"name":"runc"},"spec":{"type_url":"spec","json":{}},"created_at":"1970-01-01T00:00:00Z","updated_at":"1970-01-01T00:00:00Z","revision":0}"#
        );
        assert_eq!(serde_json::from_str::<Container>(&text).unwrap(), container);
        let newer = r#"{"id":"web","runtime":{"name":"runc"},"a_field_to_come":{}}"#;
        assert!(serde_json::from_str::<Container>(newer).is_ok());
    }
}
