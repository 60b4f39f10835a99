//! Kinds of records, and the ids of records.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::error::{Error, Result};
use crate::model::identifier::{self, ContainerId};
use crate::model::limits::RECORD_ID_MAX_BYTES;

/// The kind of a record: `containers`, or the name of another collection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Kind(Cow<'static, str>);

impl Kind {
    /// The kind of containers.
    pub(crate) const CONTAINERS: Self = Self(Cow::Borrowed("containers"));

    /// Names that no collection can have: the kind of containers, and a name that containerd's file uses
    /// next to it.
    const RESERVED: [&'static str; 2] = ["containers", "version"];

    /// Creates the kind of a collection of records.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if it is not an identifier, or is reserved.
    pub(crate) fn new(text: &str) -> Result<Self> {
        if Self::RESERVED.contains(&text) {
            return Err(Error::invalid(format!(
                "the kind {text:?} is reserved: give the collection another name"
            )));
        }
        identifier::check("kind", text)?;
        Ok(Self(Cow::Owned(text.to_owned())))
    }

    /// Accepts any kind that can be in a file: containers or a collection.
    pub(crate) fn stored(text: &str) -> Result<Self> {
        if text == Self::CONTAINERS.as_str() {
            return Ok(Self::CONTAINERS);
        }
        Self::new(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_containers(&self) -> bool {
        *self == Self::CONTAINERS
    }

    /// Returns the name of the collection; `None` for containers.
    pub(crate) fn of_collection(&self) -> Option<&str> {
        (!self.is_containers()).then_some(self.as_str())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The id of a record of any kind: 1 to 512 bytes of UTF-8 without the byte 00, such as an image reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RecordId(String);

impl RecordId {
    /// Parses the id of a record.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if it is empty, has a byte 00 or is longer than
    /// [`RECORD_ID_MAX_BYTES`].
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::RecordId;
    ///
    /// assert!(RecordId::new("docker.io/library/nginx:1.29").is_ok());
    /// assert!(RecordId::new("").unwrap_err().is_invalid_argument());
    /// ```
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let size = text.len();
        if text.is_empty() {
            return Err(Error::invalid(format!(
                "the id of a record is empty: it must have 1 to {RECORD_ID_MAX_BYTES} bytes"
            )));
        }
        if size > RECORD_ID_MAX_BYTES {
            return Err(Error::invalid(format!(
                "the id {text:?} of a record is too long: {size} bytes of at most {RECORD_ID_MAX_BYTES}"
            )));
        }
        if text.contains('\0') {
            return Err(Error::invalid(format!(
                "the id {text:?} of a record has a byte 00, which no id may have"
            )));
        }
        Ok(Self(text))
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for RecordId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::new(text)
    }
}

impl From<RecordId> for String {
    fn from(id: RecordId) -> Self {
        id.0
    }
}

impl From<ContainerId> for RecordId {
    fn from(id: ContainerId) -> Self {
        Self(id.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_an_identifier_that_is_not_reserved() {
        assert!(Kind::new("sandboxes").is_ok());
        for (text, what) in [
            ("", "the kind is empty"),
            ("a/b", "the kind \"a/b\" is not an identifier"),
            ("containers", "the kind \"containers\" is reserved"),
            ("version", "the kind \"version\" is reserved"),
        ] {
            let error = Kind::new(text).unwrap_err();
            assert!(error.is_invalid_argument());
            assert!(error.to_string().starts_with(what), "{error}");
        }
        assert!(Kind::stored("containers").unwrap().is_containers());
    }

    #[test]
    fn what_no_collection_can_be_is_stored_under_no_kind() {
        for text in ["", "a/b", "version"] {
            assert!(Kind::stored(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_id_of_a_record_is_free_text_within_its_limit() {
        for id in ["a", "a/b:c@d e", "é", &"x".repeat(RECORD_ID_MAX_BYTES)] {
            assert_eq!(RecordId::new(id).unwrap().as_str(), id);
        }
        for id in ["", "a\0b", &"x".repeat(RECORD_ID_MAX_BYTES + 1)] {
            assert!(RecordId::new(id).unwrap_err().is_invalid_argument());
        }
    }
}
