//! Every key in etcd. docs/ETCD.md describes them.
//!
//! ```text
//! key                                      value
//! ---                                      -----
//! <prefix> "format"                        the version and the rules (format.rs), sealed
//! <prefix> "n/" <namespace>                its labels, sealed
//! <prefix> "r/" <namespace> 00 <kind> 00 <id>    the head of a container or record, sealed
//! <prefix> "v/" <namespace> 00 <kind> 00 <id>    its spec or value, sealed
//! ```
//!
//! Namespaces and kinds are identifiers, and no id has the byte 00. So the heads of one kind are adjacent, in the order
//! of their ids, and so are the values.

/// The kind of containers.
pub(crate) const CONTAINERS: &str = "containers";

/// The first byte behind everything that continues with the separator 00.
const BEHIND_SEPARATOR: u8 = 1;

/// The keys of one store, or of the copy of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    prefix: Vec<u8>,
}

/// A range of keys, from the first up to the second, without it.
pub(crate) type KeyRange = (Vec<u8>, Vec<u8>);

/// Which key of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// Everything but its spec or value.
    Head,
    /// Its spec or value.
    Value,
}

impl Row {
    fn name(self) -> &'static [u8] {
        match self {
            Self::Head => b"r/",
            Self::Value => b"v/",
        }
    }
}

/// What a key below a prefix is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// A namespace.
    Namespace(String),
    /// A container or record: its namespace, kind and id.
    Record(String, String, String),
}

impl Keys {
    pub(crate) fn new(prefix: impl Into<Vec<u8>>) -> Self {
        let prefix = prefix.into();
        Self { prefix }
    }

    fn of(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut key = self.prefix.clone();
        parts.iter().for_each(|part| key.extend_from_slice(part));
        key
    }

    pub(crate) fn format(&self) -> Vec<u8> {
        self.of(&[b"format"])
    }

    pub(crate) fn namespace(&self, name: &str) -> Vec<u8> {
        self.of(&[b"n/", name.as_bytes()])
    }

    /// All namespaces.
    pub(crate) fn namespaces(&self) -> KeyRange {
        let first = self.of(&[b"n/"]);
        (first.clone(), behind_prefix(&first))
    }

    pub(crate) fn record(&self, row: Row, namespace: &str, kind: &str, id: &str) -> Vec<u8> {
        let mut key = self.before_ids(row, namespace, kind);
        key.extend_from_slice(id.as_bytes());
        key
    }

    /// The keys of all records of a kind begin with this.
    pub(crate) fn before_ids(&self, row: Row, namespace: &str, kind: &str) -> Vec<u8> {
        let (namespace, kind) = (namespace.as_bytes(), kind.as_bytes());
        self.of(&[row.name(), namespace, &[0], kind, &[0]])
    }

    /// The keys of all records of a kind whose ids are greater than `after`.
    pub(crate) fn of_kind(
        &self,
        row: Row,
        namespace: &str,
        kind: &str,
        after: Option<&str>,
    ) -> KeyRange {
        let first = self.before_ids(row, namespace, kind);
        let end = behind_separator(&first);
        let start = match after {
            None => first,
            // The next possible text.
            Some(after) => [&first, after.as_bytes(), &[0]].concat(),
        };
        (start, end)
    }

    /// The heads of all records of a namespace, of kinds after `after` if given.
    pub(crate) fn of_namespace(&self, namespace: &str, after: Option<&str>) -> KeyRange {
        let first = self.of(&[Row::Head.name(), namespace.as_bytes(), &[0]]);
        let end = behind_separator(&first);
        let start = match after {
            None => first,
            Some(kind) => [&first, kind.as_bytes(), &[BEHIND_SEPARATOR]].concat(),
        };
        (start, end)
    }

    /// All namespaces and all heads: what changes whenever anything does.
    pub(crate) fn followed(&self) -> KeyRange {
        let (start, _) = self.namespaces();
        (start, behind_prefix(&self.of(&[Row::Head.name()])))
    }

    /// The prefix, as errors name it.
    pub(crate) fn prefix(&self) -> String {
        String::from_utf8_lossy(&self.prefix).into_owned()
    }

    /// Everything below the prefix.
    pub(crate) fn everything(&self) -> KeyRange {
        (self.prefix.clone(), behind_prefix(&self.prefix))
    }

    /// Returns what a key is of, unless it is a value's or none of ours.
    pub(crate) fn parse(&self, key: &[u8]) -> Option<Named> {
        let below = key.strip_prefix(self.prefix.as_slice())?;
        if let Some(name) = below.strip_prefix(b"n/") {
            return Some(Named::Namespace(text(name)?));
        }
        let mut parts = below
            .strip_prefix(Row::Head.name())?
            .splitn(3, |byte| *byte == 0);
        let (namespace, kind, id) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Named::Record(text(namespace)?, text(kind)?, text(id)?))
    }

    /// Returns the key of the value that belongs to the key of a head.
    pub(crate) fn value_of(&self, head: &[u8]) -> Option<Vec<u8>> {
        let below = head.strip_prefix(self.prefix.as_slice())?;
        let name = below.strip_prefix(Row::Head.name())?;
        Some(self.of(&[Row::Value.name(), name]))
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

/// Replaces the separator at the end by the next byte.
fn behind_separator(first: &[u8]) -> Vec<u8> {
    let mut end = first.to_vec();
    if let Some(last) = end.last_mut() {
        *last = BEHIND_SEPARATOR;
    }
    end
}

/// Returns the first key behind all keys with a prefix.
pub(crate) fn behind_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return end;
        }
    }
    // In etcd: all keys.
    vec![0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys::new("/p/")
    }

    fn holds(range: &KeyRange, key: &[u8]) -> bool {
        range.0.as_slice() <= key && key < range.1.as_slice()
    }

    #[test]
    fn a_key_parses_back_to_what_it_was_made_of() {
        let keys = keys();
        let head = keys.record(Row::Head, "k8s.io", "images", "a/b:c");
        let named = Named::Record("k8s.io".into(), "images".into(), "a/b:c".into());
        assert_eq!(keys.parse(&head), Some(named));
        let value = keys.record(Row::Value, "k8s.io", "images", "a/b:c");
        assert_eq!(keys.value_of(&head), Some(value.clone()));
        assert_eq!(keys.parse(&value), None);
        let named = Named::Namespace("x".into());
        assert_eq!(keys.parse(&keys.namespace("x")), Some(named));
        for other in [&b""[..], b"/p/", b"/p/format", b"/p/r/a", b"/q/r/a\0b\0c"] {
            assert_eq!(keys.parse(other), None);
        }
    }

    #[test]
    fn the_range_of_a_kind_has_its_records_and_no_others() {
        let keys = keys();
        let key = |namespace, kind, id| keys.record(Row::Head, namespace, kind, id);
        let range = keys.of_kind(Row::Head, "a", CONTAINERS, None);
        assert!(holds(&range, &key("a", CONTAINERS, "x")));
        assert!(!holds(&range, &key("a", "containers-b", "x")));
        assert!(!holds(&range, &key("a-b", CONTAINERS, "x")));
        let after = keys.of_kind(Row::Head, "a", CONTAINERS, Some("x"));
        assert!(!holds(&after, &key("a", CONTAINERS, "x")));
        assert!(holds(&after, &key("a", CONTAINERS, "x-y")));
        let kinds = keys.of_namespace("a", Some(CONTAINERS));
        assert!(!holds(&kinds, &key("a", CONTAINERS, "x")));
        assert!(holds(&kinds, &key("a", "containers-b", "x")));
        assert!(!holds(&kinds, &key("a-b", CONTAINERS, "x")));
    }

    #[test]
    fn a_prefix_ends_before_the_next() {
        assert_eq!(behind_prefix(b"/p/"), b"/p0");
        assert_eq!(behind_prefix(b"a\xff"), b"b");
        assert_eq!(behind_prefix(b"\xff"), [0]);
    }
}
