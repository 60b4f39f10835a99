//! Changes of single fields.

use crate::api::stored::Stored;
use crate::model::any::Any;
use crate::model::container::Container;
use crate::model::labels::Labels;
use crate::model::record::Record;
use crate::model::revision::Revision;
use crate::update::mask::{FieldMask, FieldPath};

/// Changes to one container or record, made in one step by [`Store::apply`](crate::Store::apply).
///
/// It combines a [`FieldMask`](crate::FieldMask) with its input, so that they cannot disagree.
///
/// # Examples
///
/// ```
/// use bayplan::{Any, Container, Db, Runtime, Update};
///
/// # fn main() -> bayplan::Result<()> {
/// let store = Db::in_memory()?.namespace("default")?;
/// let spec = Any::new("spec", b"{}");
/// let web = Container::new("web", Runtime::new("runc"), spec).label("old", "1");
/// let seen = store.create(web)?.revision;
/// let web = store.apply(
///     Update::new("web")
///         .set_label("tier", "front")
///         .remove_label("old")
///         .spec(Any::new("spec", br#"{"hostname":"web"}"#))
///         .if_revision(seen),
/// )?;
/// assert_eq!(web.labels.into_iter().collect::<Vec<_>>(), [("tier".into(), "front".into())]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "an update does nothing until it is applied"]
pub struct Update<T: Stored = Container> {
    expected: Option<Revision>,
    input: T,
    paths: Vec<FieldPath>,
}

impl<T: Stored> Update<T> {
    fn of(input: T) -> Self {
        Self {
            expected: None,
            input,
            paths: Vec::new(),
        }
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn id(&self) -> &str {
        self.input.id()
    }

    /// Makes the changes only if the stored item still has this revision.
    pub fn if_revision(mut self, revision: Revision) -> Self {
        self.expected = Some(revision);
        self
    }

    /// Returns the expected revision, the input and the mask of the corresponding [`update`](crate::Store::update), for
    /// implementations of [`Store::apply`](crate::Store::apply). An update without changes has the mask
    /// [`FieldMask::full`], and must be refused.
    #[must_use]
    pub fn into_parts(self) -> (Option<Revision>, T, FieldMask) {
        (self.expected, self.input, FieldMask::of(self.paths))
    }

    fn path(mut self, path: FieldPath) -> Self {
        if !self.paths.contains(&path) {
            self.paths.push(path);
        }
        self
    }
}

impl<T: Stored> Update<T> {
    /// Creates an empty set of changes to the item with this id.
    pub fn new(id: impl Into<String>) -> Self {
        Self::of(T::with_id(id.into()))
    }

    /// Sets a label. An empty value removes the label, unless the store keeps empty labels.
    pub fn set_label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let key = key.into();
        self.input.labels_mut().insert(key.clone(), value.into());
        self.path(FieldPath::Label(key))
    }

    /// Removes a label, if it exists.
    pub fn remove_label(mut self, key: impl Into<String>) -> Self {
        let key = key.into();
        self.input.labels_mut().remove(&key);
        self.path(FieldPath::Label(key))
    }

    /// Replaces all labels: any label that is not among these is removed.
    pub fn labels(mut self, labels: Labels) -> Self {
        *self.input.labels_mut() = labels;
        self.path(FieldPath::Labels)
    }
}

impl Update<Container> {
    /// Sets the spec.
    pub fn spec(mut self, spec: Any) -> Self {
        self.input.spec = Some(spec);
        self.path(FieldPath::Spec)
    }

    /// Sets an extension.
    pub fn set_extension(mut self, name: impl Into<String>, value: Any) -> Self {
        let name = name.into();
        self.input.extensions.insert(name.clone(), value);
        self.path(FieldPath::Extension(name))
    }

    /// Removes an extension, if it exists.
    pub fn remove_extension(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.input.extensions.remove(&name);
        self.path(FieldPath::Extension(name))
    }

    /// Sets the image, under [`Rules::Containerd2`](crate::Rules::Containerd2) only.
    pub fn image(mut self, reference: impl Into<String>) -> Self {
        self.input.image = reference.into();
        self.path(FieldPath::Image)
    }

    /// Sets the snapshot key, under [`Rules::Containerd2`](crate::Rules::Containerd2) only.
    pub fn snapshot_key(mut self, key: impl Into<String>) -> Self {
        self.input.snapshot_key = key.into();
        self.path(FieldPath::SnapshotKey)
    }
}

impl Update<Record> {
    /// Sets the value.
    pub fn value(mut self, value: Any) -> Self {
        self.input.value = value;
        self.path(FieldPath::Value)
    }
}
