//! Every table and every key of the file.
//!
//! ```text
//! table         key                                  value (sealed, see record.rs)
//! -----         ---                                  -----
//! containers    <namespace> 00 <id>                  the record: all single fields, counts, sizes
//!               <namespace> 00 <id> 00 01 <key>      one label: its value
//!               <namespace> 00 <id> 00 02 <name>     one extension: an Any
//!               <namespace> 00 <id> 00 03            the spec: its first bytes
//!               <namespace> 00 <id> 00 03 <n>        its further pieces, from 01 on
//! namespaces    <namespace>                          the namespace exists
//!               <namespace> 00 <key>                 one label of the namespace: its value
//! meta          "format"                             the version of this layout
//!               "identity"                           the store's UUID, its birth, its rules
//!               "revision"                           every revision handed out is below this one
//! ```
//!
//! The byte 00 cannot occur in an identifier and sorts below every byte that can. So the keys of
//! one container are adjacent, its record first and its spec last; the containers of a namespace
//! are adjacent, in the order of their ids; and no key of one container or namespace can be taken
//! for one of another. Labels may hold any byte: they stand last in their keys.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use redb::{Key, TableDefinition, TypeName, Value};

use crate::identifier::{ContainerId, NamespaceName};

/// A table from bytes to bytes.
pub(crate) type Table = TableDefinition<'static, Bytes, Bytes>;

/// Bytes, as keys and values: redb's own type, but for what stands between two pages.
///
/// redb keeps the shortest bytes there that are not below the last key of one page and below the
/// first of the next. Behind a piece of a spec these are some first bytes of the next container's
/// id. Who goes from a container's labels to whatever follows it, looks for the first key that is
/// not its own, and would end in the page of its last piece. With the whole key of the piece there,
/// it ends in the page behind.
#[derive(Debug)]
pub(crate) struct Bytes;

impl Value for Bytes {
    type SelfType<'a> = &'a [u8];
    type AsBytes<'a> = &'a [u8];

    fn fixed_width() -> Option<usize> {
        None
    }

    fn from_bytes<'a>(data: &'a [u8]) -> &'a [u8]
    where
        Self: 'a,
    {
        data
    }

    fn as_bytes<'a, 'b: 'a>(value: &'a &'b [u8]) -> &'a [u8]
    where
        Self: 'b,
    {
        value
    }

    fn type_name() -> TypeName {
        TypeName::new("bayplan::Bytes")
    }
}

impl Key for Bytes {
    fn compare(one: &[u8], other: &[u8]) -> Ordering {
        one.cmp(other)
    }

    fn separator<'a>(left: &'a [u8], right: &'a [u8]) -> Cow<'a, [u8]> {
        let is_piece = Row::parse(left).is_some_and(|(_, row)| row.part.is_piece());
        if is_piece {
            Cow::Borrowed(left)
        } else {
            <&[u8] as Key>::separator(left, right)
        }
    }
}

/// The containers, with their labels, extensions and specs.
pub(crate) const CONTAINERS: Table = Table::new("containers");

/// The namespaces, with their labels.
pub(crate) const NAMESPACES: Table = Table::new("namespaces");

/// What is to be known of the file before anything else in it is read.
pub(crate) const META: Table = Table::new("meta");

/// The version of the layout that this library writes.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// Keys of the table `meta`.
pub(crate) mod meta {
    pub(crate) const FORMAT: &[u8] = b"format";
    pub(crate) const IDENTITY: &[u8] = b"identity";
    pub(crate) const REVISION: &[u8] = b"revision";
}

const SEPARATOR: u8 = 0;
const AFTER_SEPARATOR: u8 = 1;
const TAG_LABEL: u8 = 1;
const TAG_EXTENSION: u8 = 2;
const TAG_SPEC: u8 = 3;

const _: () = assert!(
    SEPARATOR < b'-' && AFTER_SEPARATOR < b'-',
    "'-' sorts first in an id"
);
const _: () = assert!(TAG_LABEL < TAG_EXTENSION && TAG_EXTENSION < TAG_SPEC);

/// The keys of one container.
#[derive(Debug)]
pub(crate) struct ContainerKey(Vec<u8>);

impl ContainerKey {
    pub(crate) fn new(namespace: &NamespaceName, id: &ContainerId) -> Self {
        Self(joined(&[
            namespace.as_str().as_bytes(),
            &[SEPARATOR],
            id.as_str().as_bytes(),
        ]))
    }

    pub(crate) fn record(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn label(&self, key: &str) -> Vec<u8> {
        joined(&[&self.0, &[SEPARATOR, TAG_LABEL], key.as_bytes()])
    }

    pub(crate) fn extension(&self, name: &str) -> Vec<u8> {
        joined(&[&self.0, &[SEPARATOR, TAG_EXTENSION], name.as_bytes()])
    }

    /// A row of the spec: the first, whose number is 0, or a further piece.
    pub(crate) fn spec(&self, number: u8) -> Vec<u8> {
        let further = [number];
        let number: &[u8] = if number == 0 { &[] } else { &further };
        joined(&[&self.0, &[SEPARATOR, TAG_SPEC], number])
    }

    /// From the record to the spec, and nothing else.
    pub(crate) fn all(&self) -> Range<Vec<u8>> {
        self.0.clone()..behind(&self.0)
    }
}

/// The first key that can follow all keys of a container, whose record has the key `record`.
pub(crate) fn behind(record: &[u8]) -> Vec<u8> {
    joined(&[record, &[AFTER_SEPARATOR]])
}

/// The keys of all containers of a namespace: after the container `after`, if there is one.
///
/// `after` is any bytes, not only an id. What follows a separator in it makes no difference: no id
/// is between the bytes before the separator and these with anything from a separator on.
pub(crate) fn containers_of(namespace: &NamespaceName, after: Option<&[u8]>) -> Range<Vec<u8>> {
    let name = namespace.as_str().as_bytes();
    let end = joined(&[name, &[AFTER_SEPARATOR]]);
    let start = match after {
        None => joined(&[name, &[SEPARATOR]]),
        Some(after) => {
            let id = split(after).map_or(after, |(id, _)| id);
            joined(&[name, &[SEPARATOR], id, &[AFTER_SEPARATOR]])
        }
    };
    start..end
}

/// What a key of the table `containers` says, without its namespace.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row<'a> {
    pub(crate) id: &'a [u8],
    pub(crate) part: Part<'a>,
}

/// A part of a container that has a key of its own.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Record,
    Label(&'a [u8]),
    Extension(&'a [u8]),
    /// A row of the spec, by its number.
    Spec(u8),
}

impl<'a> Row<'a> {
    /// Splits a key into namespace and row; `None` for what is no key of this table.
    pub(crate) fn parse(key: &'a [u8]) -> Option<(&'a [u8], Self)> {
        let (namespace, rest) = split(key)?;
        let Some((id, tagged)) = split(rest) else {
            return Some((
                namespace,
                Self {
                    id: rest,
                    part: Part::Record,
                },
            ));
        };
        Some((
            namespace,
            Self {
                id,
                part: Part::tagged(tagged)?,
            },
        ))
    }
}

impl<'a> Part<'a> {
    /// Whether it is a row of the spec that has pages of its own.
    fn is_piece(&self) -> bool {
        matches!(self, Self::Spec(1..))
    }

    /// What the rest of a key says that follows the id; `None` for what cannot follow one.
    pub(crate) fn parse(rest: &'a [u8]) -> Option<Self> {
        match rest.split_first() {
            None => Some(Self::Record),
            Some((&SEPARATOR, tagged)) => Self::tagged(tagged),
            Some(_) => None,
        }
    }

    fn tagged(tagged: &'a [u8]) -> Option<Self> {
        let (tag, name) = tagged.split_first()?;
        match *tag {
            TAG_LABEL => Some(Self::Label(name)),
            TAG_EXTENSION => Some(Self::Extension(name)),
            TAG_SPEC => match name {
                [] => Some(Self::Spec(0)),
                [0] => None,
                [number] => Some(Self::Spec(*number)),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The key of a namespace.
pub(crate) fn namespace(name: &NamespaceName) -> &[u8] {
    name.as_str().as_bytes()
}

/// The key of a namespace's label.
pub(crate) fn namespace_label(name: &NamespaceName, key: &str) -> Vec<u8> {
    joined(&[namespace(name), &[SEPARATOR], key.as_bytes()])
}

/// The keys of a namespace and its labels.
pub(crate) fn namespace_all(name: &NamespaceName) -> Range<Vec<u8>> {
    namespace(name).to_vec()..joined(&[namespace(name), &[AFTER_SEPARATOR]])
}

/// Splits a key of the table `namespaces` into the namespace and the label, if it is one's.
pub(crate) fn parse_namespace(key: &[u8]) -> (&[u8], Option<&[u8]>) {
    match split(key) {
        Some((name, label)) => (name, Some(label)),
        None => (key, None),
    }
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

    fn key(namespace: &str, id: &str) -> ContainerKey {
        ContainerKey::new(&namespace.parse().unwrap(), &id.parse().unwrap())
    }

    #[test]
    fn a_key_parses_back_to_what_it_was_made_of() {
        let web = key("k8s.io", "web");
        let all = [
            (web.record().to_vec(), Part::Record),
            (web.label("a\0b"), Part::Label(b"a\0b")),
            (web.extension("x"), Part::Extension(b"x")),
            (web.spec(0), Part::Spec(0)),
            (web.spec(1), Part::Spec(1)),
            (web.spec(255), Part::Spec(255)),
        ];
        for (bytes, part) in &all {
            let (namespace, row) = Row::parse(bytes).unwrap();
            assert_eq!(namespace, b"k8s.io");
            assert_eq!(row.id, b"web");
            assert_eq!(&row.part, part);
            assert_eq!(
                Part::parse(&bytes[web.record().len()..]).as_ref(),
                Some(part)
            );
        }
    }

    #[test]
    fn what_is_no_key_does_not_parse() {
        for bytes in [
            &b""[..],
            b"ns",
            b"ns\0id\0",
            b"ns\0id\0\x04",
            b"ns\0id\0\x03\0",
            b"ns\0id\0\x03xy",
            b"ns\0id\0l",
        ] {
            assert_eq!(Row::parse(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn the_keys_of_a_container_are_adjacent_and_in_order() {
        let neighbours = ["a", "a-b", "a.b", "a0", "aa", "b"];
        let mut keys: Vec<(Vec<u8>, usize)> = Vec::new();
        for (index, id) in neighbours.iter().enumerate() {
            let key = key("n", id);
            for bytes in [
                key.record().to_vec(),
                key.label("l"),
                key.label("\u{10ffff}"),
                key.extension("e"),
                key.spec(0),
                key.spec(1),
                key.spec(255),
            ] {
                assert!(key.all().contains(&bytes));
                keys.push((bytes, index));
            }
        }
        let mut sorted = keys.clone();
        sorted.sort();
        assert_eq!(sorted, keys);
    }

    #[test]
    fn the_keys_of_a_namespace_are_adjacent() {
        let range = containers_of(&"a".parse().unwrap(), None);
        assert!(range.contains(&key("a", "x").spec(0)));
        assert!(!range.contains(&key("a-b", "x").spec(0)));
        assert!(!range.contains(&key("a0", "x").record().to_vec()));
        let rest = containers_of(&"a".parse().unwrap(), Some(b"x"));
        assert!(!rest.contains(&key("a", "x").spec(0)));
        assert!(rest.contains(&key("a", "x-1").record().to_vec()));
        let nothing = containers_of(&"a".parse().unwrap(), Some(b"\xff"));
        assert!(!nothing.contains(&key("a", "z").record().to_vec()));
    }

    #[test]
    fn a_page_after_any_bytes_never_begins_within_a_container() {
        let all: Vec<Vec<u8>> = [key("n", "a"), key("n", "a-b")]
            .iter()
            .flat_map(|key| [key.record().to_vec(), key.label("l"), key.spec(0)])
            .collect();
        for (after, left) in [
            (&b""[..], 6),
            (b"\0", 6),
            (b"a\0", 3),
            (b"a\0l", 3),
            (b"a\0\xff", 3),
            (b"a\x01", 3),
            (b"a-b\0", 0),
        ] {
            let range = containers_of(&"n".parse().unwrap(), Some(after));
            let found = all.iter().filter(|key| range.contains(*key)).count();
            assert_eq!(found, left, "after {after:?}");
        }
    }

    #[test]
    fn what_stands_behind_a_piece_is_below_what_is_looked_for_behind_its_container() {
        let (a, b) = (key("n", "a5"), key("n", "a7-x"));
        let left = a.spec(1);
        let separator = Bytes::separator(&left, b.record());
        assert!(*left <= *separator && *separator < *behind(a.record()));
        let left = a.label("l");
        let separator = Bytes::separator(&left, b.record());
        assert!(*left <= *separator && *separator < *b.record());
        assert!(separator.len() < left.len(), "as short as can be");
    }

    #[test]
    fn keys_of_namespaces_parse_back() {
        let name = "a.b".parse().unwrap();
        assert_eq!(parse_namespace(namespace(&name)), (&b"a.b"[..], None));
        let label = namespace_label(&name, "k\0");
        assert_eq!(parse_namespace(&label), (&b"a.b"[..], Some(&b"k\0"[..])));
        assert!(namespace_all(&name).contains(&label));
    }
}
