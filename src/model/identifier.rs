//! Identifiers: the syntax of container ids and namespace names.
//!
//! The rule is containerd's (`identifiers` package): 1 to 76 bytes, runs of ASCII letters and digits joined
//! by single `.`, `_` or `-`. So none contains the byte 00, which separates the parts of a key in the file.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::error::Error;
use crate::model::limits::IDENTIFIER_MAX_BYTES;

const RULE: &str = "must be runs of ASCII letters and digits joined by single '.', '_' or '-'";

/// Checks that `text` is an identifier. Otherwise the error says what is wrong.
pub(crate) fn check(what: &str, text: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Err(Error::invalid(format!(
            "the {what} is empty: it must have 1 to {IDENTIFIER_MAX_BYTES} bytes and {RULE}"
        )));
    }
    if text.len() > IDENTIFIER_MAX_BYTES {
        let length = text.len();
        return Err(Error::invalid(format!(
            "the {what} {text:?} is too long: {length} bytes of at most {IDENTIFIER_MAX_BYTES}"
        )));
    }
    if is_runs(text.as_bytes()) {
        Ok(())
    } else {
        Err(Error::invalid(format!(
            "the {what} {text:?} is not an identifier: it {RULE}, 1 to {IDENTIFIER_MAX_BYTES} bytes"
        )))
    }
}

/// Whether `text` is runs of letters and digits, joined by single separators.
fn is_runs(text: &[u8]) -> bool {
    // Most ids are one run. Checked without branches, they cost next to nothing.
    let is_one = |so_far, byte: &u8| so_far & byte.is_ascii_alphanumeric();
    if !text.is_empty() && text.iter().fold(true, is_one) {
        return true;
    }
    let mut is_in_run = false;
    for byte in text {
        match byte {
            b'.' | b'_' | b'-' if is_in_run => is_in_run = false,
            _ if byte.is_ascii_alphanumeric() => is_in_run = true,
            _ => return false,
        }
    }
    is_in_run
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses an identifier.
            ///
            /// # Errors
            ///
            /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument), naming the text, the rule
            /// and the limit of [`IDENTIFIER_MAX_BYTES`](crate::model::limits::IDENTIFIER_MAX_BYTES).
            pub fn new(text: impl Into<String>) -> Result<Self, Error> {
                let text = text.into();
                check($what, &text)?;
                Ok(Self(text))
            }

            /// Returns the identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Error;

            fn try_from(text: &str) -> Result<Self, Error> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(identifier: $name) -> String {
                identifier.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }
    };
}

identifier! {
    /// A valid container id, unique in its namespace.
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::ContainerId;
    ///
    /// assert!(ContainerId::new("web-1.blue").is_ok());
    /// assert!(ContainerId::new("web--1").is_err());
    /// ```
    ContainerId, "container id"
}

identifier! {
    /// A valid name of a namespace. No name is reserved.
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::NamespaceName;
    ///
    /// let name: NamespaceName = "k8s.io".parse()?;
    /// assert_eq!(name, "k8s.io");
    /// # Ok::<(), bayplan::Error>(())
    /// ```
    NamespaceName, "namespace name"
}

impl ContainerId {
    /// Checks that a text from the file is a valid one.
    pub(crate) fn check_stored(text: &str) -> Result<(), Error> {
        check("container id", text).map_err(Error::into_corrupt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_letters_and_digits_joined_by_single_separators_are_identifiers() {
        for text in [
            "a",
            "0",
            "A9",
            "web-1",
            "a.b_c-d",
            "k8s.io",
            "version",
            &"x".repeat(76),
        ] {
            assert!(ContainerId::new(text).is_ok(), "{text}");
            assert!(NamespaceName::new(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn everything_else_is_not() {
        let all = [
            "",
            ".",
            "-a",
            "a-",
            "_a",
            "a_",
            "a..b",
            "a--b",
            "a.-b",
            "a/b",
            "a b",
            "a\0b",
            "é",
            "a\n",
            "日本",
            "a:b",
            &"x".repeat(77),
        ];
        for text in all {
            let error = ContainerId::new(text).unwrap_err();
            assert!(error.is_invalid_argument(), "{text}");
        }
    }

    #[test]
    fn the_error_names_the_identifier_the_limit_and_the_rule() {
        assert_eq!(
            ContainerId::new("web--1").unwrap_err().to_string(),
            "the container id \"web--1\" is not an identifier: it must be runs of ASCII letters \
             and digits joined by single '.', '_' or '-', 1 to 76 bytes"
        );
        assert_eq!(
            NamespaceName::new("").unwrap_err().to_string(),
            "the namespace name is empty: it must have 1 to 76 bytes and must be runs of ASCII \
             letters and digits joined by single '.', '_' or '-'"
        );
        let long = "y".repeat(77);
        assert_eq!(
            ContainerId::new(long.as_str()).unwrap_err().to_string(),
            format!("the container id {long:?} is too long: 77 bytes of at most 76")
        );
    }
}
