//! Every table and every key of the file.
//!
//! ```text
//! table         key                                    value (sealed, see seal.rs)
//! -----         ---                                    -----
//! records       <namespace> 00 <kind> 00 <id>          the record: its single fields, its rows
//!               <namespace> 00 <kind> 00 <id> 00 'l'   all labels, in the order of their keys
//!               <namespace> 00 <kind> 00 <id> 00 's'   the spec of a container, the value of a record
//!               <namespace> 00 <kind> 00 <id> 00 'x'   all extensions, in the order of their names
//! namespaces    <namespace>                            its revisions, and all its labels
//! meta          "format"                               the version of this layout
//!               "identity"                             the store's UUID, its creation, its rules
//!               "revision"                             every revision handed out is below this one
//!               "log"                                  whether a log is in use, and which (marker.rs)
//!               "share"                                which processes may open it; absent: one
//!               "forgotten"                            tombstones up to this revision may be missing
//!               "history"                              drawn anew for each file: whose revisions these are
//! tombstones    <revision, big endian>                 what was deleted by it (tombstone.rs)
//! ```
//!
//! The kind of a container is `containers`. Namespaces and kinds are identifiers, and no id has the byte 00, which
//! sorts below every other. So the keys of one record are adjacent, its own row first; the records of a kind are
//! adjacent, in the order of their ids; and a key has only one reading.

use std::ops::Range;

use redb::TableDefinition;

use crate::model::identifier::NamespaceName;
use crate::model::kind::{Kind, RecordId};

/// A table from bytes to bytes.
pub(crate) type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// A table that is open for writing.
pub(crate) type Writable<'t> = redb::Table<'t, &'static [u8], &'static [u8]>;

/// The containers and the records of other kinds.
pub(crate) const RECORDS: Table = Table::new("records");

/// The namespaces, with their labels.
pub(crate) const NAMESPACES: Table = Table::new("namespaces");

/// What must be known about the file before anything else is read from it.
pub(crate) const META: Table = Table::new("meta");

/// What was deleted, in the order of the revisions of the deletions.
pub(crate) const TOMBSTONES: Table = Table::new("tombstones");

/// All tables, in the order of their names.
pub(crate) const TABLES: [TableCode; 4] = [
    TableCode::Meta,
    TableCode::Namespaces,
    TableCode::Records,
    TableCode::Tombstones,
];

/// One of the tables, as the log names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum TableCode {
    Records = 1,
    Namespaces = 2,
    Meta = 3,
    Tombstones = 4,
}

impl TableCode {
    pub(crate) const ALL: [Self; 4] = [
        Self::Records,
        Self::Namespaces,
        Self::Meta,
        Self::Tombstones,
    ];

    /// Returns the table with this code, if there is one.
    pub(crate) fn of(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|all| *all as u8 == code)
    }

    /// Its index in [`TableCode::ALL`].
    pub(crate) fn place(self) -> usize {
        match self {
            Self::Records => 0,
            Self::Namespaces => 1,
            Self::Meta => 2,
            Self::Tombstones => 3,
        }
    }

    pub(crate) fn table(self) -> Table {
        match self {
            Self::Records => RECORDS,
            Self::Namespaces => NAMESPACES,
            Self::Meta => META,
            Self::Tombstones => TOMBSTONES,
        }
    }
}

/// The version of the layout that this library writes.
pub(crate) const FORMAT_VERSION: u32 = 2;

/// Keys of the table `meta`.
pub(crate) mod meta {
    pub(crate) const FORMAT: &[u8] = b"format";
    pub(crate) const IDENTITY: &[u8] = b"identity";
    pub(crate) const REVISION: &[u8] = b"revision";
    pub(crate) const LOG: &[u8] = b"log";
    pub(crate) const SHARE: &[u8] = b"share";
    pub(crate) const FORGOTTEN: &[u8] = b"forgotten";
    pub(crate) const HISTORY: &[u8] = b"history";
}

const SEPARATOR: u8 = 0;
const AFTER_SEPARATOR: u8 = 1;

const _: () = assert!(
    SEPARATOR < b'-' && AFTER_SEPARATOR < b'-',
    "'-' sorts first in an identifier"
);

/// One of the further rows of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Part {
    Labels = b'l',
    Value = b's',
    Extensions = b'x',
}

impl Part {
    /// All parts, in the order of their keys.
    pub(crate) const ALL: [Self; 3] = [Self::Labels, Self::Value, Self::Extensions];

    /// Its index in [`Part::ALL`].
    pub(crate) fn place(self) -> usize {
        match self {
            Self::Labels => 0,
            Self::Value => 1,
            Self::Extensions => 2,
        }
    }

    /// Returns what the key of this part appends to the record's own key.
    pub(crate) fn suffix(self) -> [u8; 2] {
        [SEPARATOR, self as u8]
    }

    /// The part with this suffix.
    pub(crate) fn of_suffix(suffix: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|part| suffix == part.suffix().as_slice())
    }

    /// The beginning of a sentence about it, such as `its spec is`.
    pub(crate) fn noun_is(self, kind: &Kind) -> String {
        let verb = match self {
            Self::Value => "is",
            Self::Labels | Self::Extensions => "are",
        };
        format!("{} {verb}", self.noun(kind))
    }

    /// What an error calls it in a record of this kind, such as `its spec`.
    pub(crate) fn noun(self, kind: &Kind) -> &'static str {
        match self {
            Self::Labels => "its labels",
            Self::Value if kind.is_containers() => "its spec",
            Self::Value => "its value",
            Self::Extensions => "its extensions",
        }
    }
}

/// The keys of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordKey(Vec<u8>);

impl RecordKey {
    pub(crate) fn new(namespace: &NamespaceName, kind: &Kind, id: &RecordId) -> Self {
        Self(joined(&[
            namespace.as_str().as_bytes(),
            &[SEPARATOR],
            kind.as_str().as_bytes(),
            &[SEPARATOR],
            id.as_str().as_bytes(),
        ]))
    }

    /// The key of its own row.
    pub(crate) fn own(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn part(&self, part: Part) -> Vec<u8> {
        joined(&[&self.0, &part.suffix()])
    }

    /// The range of exactly its keys.
    pub(crate) fn all(&self) -> Range<Vec<u8>> {
        self.0.clone()..behind(&self.0)
    }
}

/// The first key that can follow all keys of the record whose own row has the key `own`.
pub(crate) fn behind(own: &[u8]) -> Vec<u8> {
    joined(&[own, &[AFTER_SEPARATOR]])
}

/// The keys of all records of a kind, after the id `after` if given.
///
/// `after` may be any bytes. What follows a separator in it makes no difference, since no id sorts between the bytes
/// before the separator and the whole.
pub(crate) fn of_kind(
    namespace: &NamespaceName,
    kind: &Kind,
    after: Option<&[u8]>,
) -> Range<Vec<u8>> {
    let (name, kind) = (namespace.as_str().as_bytes(), kind.as_str().as_bytes());
    let end = joined(&[name, &[SEPARATOR], kind, &[AFTER_SEPARATOR]]);
    let first = joined(&[name, &[SEPARATOR], kind, &[SEPARATOR]]);
    let start = match after {
        None => first,
        Some(after) => {
            let id = split(after).map_or(after, |(id, _)| id);
            joined(&[&first, id, &[AFTER_SEPARATOR]])
        }
    };
    start..end
}

/// The keys of all records.
pub(crate) fn all_records() -> Range<Vec<u8>> {
    // A namespace is ASCII.
    Vec::new()..vec![u8::MAX]
}

/// Returns the common prefix of the keys of all records of a kind.
pub(crate) fn before_ids(namespace: &NamespaceName, kind: &Kind) -> Vec<u8> {
    of_kind(namespace, kind, None).start
}

/// Returns that prefix of the key of a record's own row.
pub(crate) fn before_id(own: &[u8]) -> &[u8] {
    let id = id_of(own);
    own.get(..own.len() - id.len()).unwrap_or_default()
}

/// The id in the key of a record's own row.
pub(crate) fn id_of(own: &[u8]) -> &[u8] {
    own.rsplit(|byte| *byte == SEPARATOR)
        .next()
        .unwrap_or_default()
}

/// The keys of all records of a namespace, of kinds after `after` if given.
pub(crate) fn of_namespace(namespace: &[u8], after: Option<&[u8]>) -> Range<Vec<u8>> {
    let start = match after {
        None => joined(&[namespace, &[SEPARATOR]]),
        Some(kind) => joined(&[namespace, &[SEPARATOR], kind, &[AFTER_SEPARATOR]]),
    };
    start..behind_namespace(namespace)
}

/// The common prefix of all records of a kind, without the separator before the id. It is not itself a key.
pub(crate) fn before_kinds_ids(namespace: &[u8], kind: &[u8]) -> Vec<u8> {
    joined(&[namespace, &[SEPARATOR], kind])
}

/// The first key of the table `records` that can belong to a later namespace.
pub(crate) fn behind_namespace(namespace: &[u8]) -> Vec<u8> {
    joined(&[namespace, &[AFTER_SEPARATOR]])
}

/// The parts of a key of the table `records`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row<'a> {
    pub(crate) namespace: &'a [u8],
    pub(crate) kind: &'a [u8],
    pub(crate) id: &'a [u8],
    /// `None` for the record's own row.
    pub(crate) part: Option<Part>,
}

impl<'a> Row<'a> {
    /// Splits a key; `None` if it is not a key of this table.
    pub(crate) fn parse(key: &'a [u8]) -> Option<Self> {
        let (namespace, rest) = split(key)?;
        let (kind, rest) = split(rest)?;
        let (id, part) = match split(rest) {
            None => (rest, None),
            Some((id, _)) => (id, Some(Part::of_suffix(rest.get(id.len()..)?)?)),
        };
        Some(Self {
            namespace,
            kind,
            id,
            part,
        })
    }
}

/// The namespace at the beginning of a key of the table `records`, whatever follows.
pub(crate) fn namespace_of(key: &[u8]) -> &[u8] {
    split(key).map_or(key, |(namespace, _)| namespace)
}

/// The kind after it.
pub(crate) fn kind_of(key: &[u8]) -> &[u8] {
    let rest = split(key).map_or(&[][..], |(_, rest)| rest);
    split(rest).map_or(rest, |(kind, _)| kind)
}

/// The length of the record's own key in a key of the table `records`, if it is one.
pub(crate) fn own_bytes(key: &[u8]) -> usize {
    let mut separators = key
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == SEPARATOR);
    separators.nth(2).map_or(key.len(), |(at, _)| at)
}

/// The key of a namespace.
pub(crate) fn namespace(name: &NamespaceName) -> &[u8] {
    name.as_str().as_bytes()
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == SEPARATOR)?;
    let (before, rest) = bytes.split_at_checked(at)?;
    Some((before, rest.get(1..)?))
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(namespace: &str, kind: &str, id: &str) -> RecordKey {
        let kind = Kind::stored(kind).unwrap();
        let id = RecordId::new(id).unwrap();
        RecordKey::new(&namespace.parse().unwrap(), &kind, &id)
    }

    fn web(id: &str) -> RecordKey {
        key("n", "containers", id)
    }

    fn rows(key: &RecordKey) -> Vec<Vec<u8>> {
        let parts = Part::ALL.map(|part| key.part(part));
        [key.own().to_vec()].into_iter().chain(parts).collect()
    }

    #[test]
    fn a_key_parses_back_to_what_it_was_made_of() {
        let image = key("k8s.io", "images", "docker.io/library/nginx:1.29@sha256:00");
        let parts = [
            None,
            Some(Part::Labels),
            Some(Part::Value),
            Some(Part::Extensions),
        ];
        for (bytes, part) in rows(&image).iter().zip(parts) {
            let row = Row {
                namespace: b"k8s.io",
                kind: b"images",
                id: b"docker.io/library/nginx:1.29@sha256:00",
                part,
            };
            assert_eq!(Row::parse(bytes), Some(row));
            assert_eq!(own_bytes(bytes), image.own().len());
            assert_eq!(namespace_of(bytes), b"k8s.io");
            assert_eq!(kind_of(bytes), b"images");
        }
    }

    #[test]
    fn what_is_no_key_does_not_parse() {
        for bytes in [
            &b""[..],
            b"ns",
            b"ns\0containers",
            b"ns\0containers\0id\0",
            b"ns\0containers\0id\0y",
            b"ns\0containers\0id\0ll",
            b"ns\0containers\0id\0l\0",
        ] {
            assert_eq!(Row::parse(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn the_keys_of_a_record_are_adjacent_and_in_order() {
        let mut keys: Vec<(Vec<u8>, usize)> = Vec::new();
        let ids = [
            "a", "a\u{1}", "a\u{1}b", "a-b", "a.b", "a/b", "a0", "aa", "b",
        ];
        for (index, id) in ids.iter().enumerate() {
            let key = key("n", "images", id);
            for bytes in rows(&key) {
                assert!(key.all().contains(&bytes));
                keys.push((bytes, index));
            }
        }
        let mut sorted = keys.clone();
        sorted.sort();
        assert_eq!(sorted, keys);
    }

    #[test]
    fn the_keys_of_a_kind_and_of_a_namespace_are_adjacent() {
        let name: NamespaceName = "a".parse().unwrap();
        let range = of_kind(&name, &Kind::CONTAINERS, None);
        let value = |namespace, kind| key(namespace, kind, "x").part(Part::Value);
        assert!(range.contains(&value("a", "containers")));
        assert!(!range.contains(&value("a", "containers-b")));
        assert!(!range.contains(&value("a-b", "containers")));
        let all = of_namespace(b"a", None);
        assert!(all.contains(&value("a", "containers")) && all.contains(&value("a", "a")));
        assert!(!all.contains(&value("a-b", "containers")) && !all.contains(&value("a0", "a")));
        let others = of_namespace(b"a", Some(b"containers"));
        assert!(!others.contains(&value("a", "containers")));
        assert!(others.contains(&value("a", "containers-b")));
    }

    #[test]
    fn a_page_after_any_bytes_never_begins_within_a_record() {
        let all: Vec<Vec<u8>> = [web("a"), web("a-b")].iter().flat_map(rows).collect();
        for (after, left) in [
            (&b""[..], 8),
            (b"\0", 8),
            (b"a", 4),
            (b"a\0", 4),
            (b"a\0l", 4),
            (b"a\0\xff", 4),
            (b"a\x01", 4),
            (b"a-b\0", 0),
            (b"\xff", 0),
        ] {
            let range = of_kind(&"n".parse().unwrap(), &Kind::CONTAINERS, Some(after));
            let found = all.iter().filter(|key| range.contains(*key)).count();
            assert_eq!(found, left, "after {after:?}");
        }
    }
}
