//! What another implementation of the traits needs of the types here: errors of its own, the parts
//! of a page, the damage in a listing, the verdict on a mask, and whether a container passes filters.

use crate::container::Container;
use crate::error::{Error, ErrorKind, Result};
use crate::field::Field;
use crate::filter::{Filters, Subject};
use crate::mask::FieldMask;
use crate::store::{Damaged, Page};
use crate::update;

impl Error {
    /// An error of another implementation of [`Store`](crate::Store) or
    /// [`Namespaces`](crate::Namespaces).
    ///
    /// The message is all that is printed: it tells the operation, the namespace and the container
    /// as well.
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{Error, ErrorKind};
    ///
    /// let error = Error::of_kind(ErrorKind::NotFound, "get \"web\" in \"k8s.io\": not found");
    /// assert!(error.is_not_found());
    /// ```
    #[must_use]
    pub fn of_kind(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::new(kind, message)
    }
}

impl Page {
    /// The id behind which the page begins; none if it begins with the first.
    #[must_use]
    pub fn begins_after(&self) -> Option<&str> {
        self.first_after()
    }

    /// How many containers the page has at most.
    #[must_use]
    pub fn max_count(&self) -> usize {
        self.most()
    }
}

impl Damaged {
    /// What [`list_lenient`](crate::ReadStore::list_lenient) reports of one container.
    #[must_use]
    pub fn new(id: impl Into<String>, error: Error) -> Self {
        Self {
            id: id.into(),
            error,
        }
    }
}

impl FieldMask {
    /// Whether all paths can be meant: none was refused by [`FieldMask::deferred`], and none has the
    /// quotes of a filter around a key that has none. An update asks this once it has found the
    /// container. Which fields may change is the rules' business.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument), naming the first path that was refused.
    pub fn validate(&self, stored: &Container, input: &Container) -> Result<()> {
        update::check(stored, input, self)
    }
}

impl Container {
    /// Whether the container passes one of the filters, or there are none.
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{Container, Filters};
    ///
    /// # fn main() -> Result<(), bayplan::FilterError> {
    /// let web = Container::with_id("web").label("app", "nginx");
    /// assert!(web.passes(&Filters::parse(["labels.app==nginx"])?));
    /// assert!(!web.passes(&Filters::parse(["id==db"])?));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn passes(&self, filters: &Filters) -> bool {
        filters.matches(self)
    }
}

impl Subject for Container {
    fn field(&self, field: &Field) -> Option<&[u8]> {
        let text = match field {
            Field::Id => &self.id,
            Field::Image => &self.image,
            Field::RuntimeName => &self.runtime.name,
            Field::Snapshotter => &self.snapshotter,
            Field::SnapshotKey => &self.snapshot_key,
            Field::SandboxId => &self.sandbox_id,
            Field::Label(key) => self.labels.get(str::from_utf8(key).ok()?)?,
            Field::Extension(name) => &self.extensions.get(str::from_utf8(name).ok()?)?.type_url,
            Field::Unknown => return None,
        };
        Some(text.as_bytes())
    }
}
