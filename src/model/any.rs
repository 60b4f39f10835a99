//! `Any`: a typed value that the store keeps byte for byte and never interprets.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::model::error::{Error, Result};
use crate::model::limits::{ANY_MAX_BYTES, TEXT_MAX_BYTES};

mod json;
mod value;

/// A value of some type: the type's URL and the encoded bytes, as in `google.protobuf.Any`.
///
/// The spec, the runtime's options and the extensions are such values. Type URLs have no leading
/// slash, as containerd writes them: `types.containerd.io/opencontainers/runtime-spec/1/Spec`.
///
/// # JSON
///
/// Bytes that are JSON are shown as JSON, anything else as base64, and both read back to the same
/// bytes:
///
/// ```
/// use bayplan::Any;
///
/// let spec = Any::new("example.com/Spec", br#"{"hostname":"web"}"#);
/// let text = serde_json::to_string(&spec).unwrap();
/// assert_eq!(text, r#"{"type_url":"example.com/Spec","json":{"hostname":"web"}}"#);
/// assert_eq!(serde_json::from_str::<Any>(&text).unwrap(), spec);
///
/// let blob = Any::new("example.com/Blob", [0xff, 0x00]);
/// let text = serde_json::to_string(&blob).unwrap();
/// assert_eq!(text, r#"{"type_url":"example.com/Blob","base64":"/wA="}"#);
/// assert_eq!(serde_json::from_str::<Any>(&text).unwrap(), blob);
/// ```
///
/// JSON that is not in compact form (white space between tokens, unusual escapes or numbers) has both keys: `json` for
/// people, and `base64` with the bytes themselves. Reading takes either one; if both are present, they must agree. JSON
/// that nests more than 100 deep is shown as base64 only, since readers would refuse it.
///
/// A number in `json` is a 64-bit integer or floating-point number, and is rounded if it has more digits. `base64` is
/// exact.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "json::Form", try_from = "json::Form")]
pub struct Any {
    /// Names the type of the value.
    pub type_url: String,
    /// The encoded value. A clone shares the bytes.
    pub value: Bytes,
}

impl Any {
    /// The type URL of a runtime specification of the Open Container Initiative, encoded as JSON.
    pub const OCI_SPEC_URL: &str = "types.containerd.io/opencontainers/runtime-spec/1/Spec";

    /// Creates a value with its type.
    #[must_use]
    pub fn new(type_url: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        Self::shared(type_url, Bytes::from(value.into()))
    }

    /// Creates a value with its type, sharing its bytes with other owners.
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::Any;
    /// use bytes::Bytes;
    ///
    /// let spec = Any::shared("example.com/Spec", Bytes::from_static(b"{}"));
    /// assert_eq!(spec, Any::new("example.com/Spec", b"{}"));
    /// ```
    #[must_use]
    pub fn shared(type_url: impl Into<String>, value: Bytes) -> Self {
        Self {
            type_url: type_url.into(),
            value,
        }
    }

    /// Checks the limits; `what` names the value in the error.
    pub(crate) fn check(&self, what: &str) -> Result<()> {
        let size = self.value.len();
        if size > ANY_MAX_BYTES {
            return Err(Error::invalid(format!(
                "{what} is too large: its value has {size} bytes of at most {ANY_MAX_BYTES}"
            )));
        }
        let size = self.type_url.len();
        if size > TEXT_MAX_BYTES {
            return Err(Error::invalid(format!(
                "{what} has a type URL that is too long: {size} bytes of at most {TEXT_MAX_BYTES}"
            )));
        }
        Ok(())
    }
}

impl fmt::Debug for Any {
    /// Shows the type and the size only: values are long, and may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Any")
            .field("type_url", &self.type_url)
            .field("value", &format_args!("{} bytes", self.value.len()))
            .finish()
    }
}
