//! What a store can hold.

use crate::filter::Filters;
use crate::model::container::{Container, ContainerHeader};
use crate::model::error::Result;
use crate::model::labels::Labels;
use crate::model::record::{Record, RecordHeader};
use crate::model::revision::Revision;
use crate::update;
use crate::update::mask::FieldMask;

/// What a store can hold: a [`Container`], or a [`Record`] of another kind.
pub trait Stored: Clone + Send + 'static + sealed::Sealed {
    /// The item without its large parts.
    type Header: Send + 'static;

    /// Creates an item with only an id, to carry the fields of an update whose mask names them.
    fn with_id(id: String) -> Self;

    /// Returns its id.
    fn id(&self) -> &str;

    /// Returns the id of a header.
    fn header_id(header: &Self::Header) -> &str;

    /// Returns its revision.
    fn revision(&self) -> Revision;

    /// Returns its labels, to change them.
    fn labels_mut(&mut self) -> &mut Labels;

    /// Whether it matches any of the filters. An item matches if there are no filters.
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{Container, Filters, Stored};
    ///
    /// # fn main() -> Result<(), bayplan::FilterError> {
    /// let web = Container::with_id("web").label("app", "nginx");
    /// assert!(web.matches(&Filters::parse(["labels.app==nginx"])?));
    /// assert!(!web.matches(&Filters::parse(["id==db"])?));
    /// # Ok(())
    /// # }
    /// ```
    fn matches(&self, filters: &Filters) -> bool;

    /// Checks the paths of a mask: [`FieldMask::deferred`](crate::FieldMask::deferred) accepted all of them, and no
    /// path has a filter's quotes around a key that itself has none. An implementation of an update calls this once it
    /// has found the stored item. The rules are checked separately.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument), naming the first path that is refused.
    fn check_mask(&self, input: &Self, mask: &FieldMask) -> Result<()>;

    /// Returns its header, with these extensions if it has them.
    fn into_header(self, extensions: &[String]) -> Self::Header;
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::Container {}

    impl Sealed for super::Record {}
}

impl Stored for Container {
    type Header = ContainerHeader;

    fn with_id(id: String) -> Self {
        Container::with_id(id)
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn header_id(header: &ContainerHeader) -> &str {
        &header.id
    }

    fn revision(&self) -> Revision {
        self.revision
    }

    fn labels_mut(&mut self) -> &mut Labels {
        &mut self.labels
    }

    fn matches(&self, filters: &Filters) -> bool {
        filters.matches(self)
    }

    fn check_mask(&self, input: &Self, mask: &FieldMask) -> Result<()> {
        update::check(self, input, mask)
    }

    fn into_header(mut self, extensions: &[String]) -> ContainerHeader {
        let mut all = std::mem::take(&mut self.extensions);
        all.retain(|name, _| extensions.contains(name));
        let mut header = ContainerHeader::from(self);
        header.extensions = all;
        header
    }
}

impl Stored for Record {
    type Header = RecordHeader;

    fn with_id(id: String) -> Self {
        Record::with_id(id)
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn header_id(header: &RecordHeader) -> &str {
        &header.id
    }

    fn revision(&self) -> Revision {
        self.revision
    }

    fn labels_mut(&mut self) -> &mut Labels {
        &mut self.labels
    }

    fn matches(&self, filters: &Filters) -> bool {
        filters.matches(self)
    }

    fn check_mask(&self, input: &Self, mask: &FieldMask) -> Result<()> {
        update::check_of_record(self, input, mask)
    }

    fn into_header(self, _extensions: &[String]) -> RecordHeader {
        self.into()
    }
}
