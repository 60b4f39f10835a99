//! Containers and records to try laws on.

use bayplan::{Any, Container, Labels, Revision};
use chrono::{DateTime, Utc};

use crate::Subject;

/// A namespace.
pub(crate) const HOME: &str = "home";

/// Another one.
pub(crate) const AWAY: &str = "away";

/// Texts that are no identifiers.
pub(crate) const NO_IDENTIFIERS: &[&str] = &[
    "", ".", "-", "_", "-a", "a-", ".a", "a.", "_a", "a_", "a..b", "a--b", "a__b", "a.-b", "a/b",
    "a b", " a", "a ", "a\n", "a\0b", "a:b", "a@b", "é", "日本",
];

/// Texts that neither keys nor values refuse.
pub(crate) const ODD_TEXTS: [&str; 10] = [
    " ",
    ".",
    "a.b",
    "a/b",
    "é日本",
    "\n",
    "\0",
    "a\0b",
    "\u{10ffff}",
    "\"'",
];

/// A container with only the required fields.
pub(crate) fn bare(id: &str) -> Container {
    Subject::bare(id)
}

/// A container with every field set.
pub(crate) fn complete(id: &str) -> Container {
    Subject::complete(id)
}

/// A value with its own type.
pub(crate) fn any(text: &str) -> Any {
    Any::new(format!("example.com/{text}"), text)
}

/// Labels of one key and value.
pub(crate) fn labels(key: &str, value: &str) -> Labels {
    Labels::from([(key.to_owned(), value.to_owned())])
}

/// The same one with the fields that only the store may set, forged.
pub(crate) fn forged<T: Subject>(item: T) -> T {
    item.stamped((forged_time(), forged_time()), forged_revision())
}

/// A time that no clock of a store shows: the year 2262.
pub(crate) fn forged_time() -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(i64::MAX)
}

/// A revision that no store reaches.
pub(crate) fn forged_revision() -> Revision {
    Revision::new(u64::MAX - 1)
}

/// The same one without what the store sets, to compare the rest.
pub(crate) fn unstamped<T: Subject>(item: T) -> T {
    let never = DateTime::UNIX_EPOCH;
    item.stamped((never, never), Revision::NONE)
}
