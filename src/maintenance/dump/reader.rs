//! Reads a dump line by line. Every error names the line.

use std::io::BufRead;

use serde::de::DeserializeOwned;

use super::line::{Body, DUMP_VERSION, End, Head, StoreLine, Version, checksum_text};
use super::lines::Lines;
use crate::model::container::Container;
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::identifier::NamespaceName;
use crate::model::kind::Kind;
use crate::model::labels::{self, Labels};
use crate::model::limits::DUMP_LINE_MAX_BYTES;
use crate::model::record::Record;
use crate::session::entity::Entity;

/// The content of a line after the first.
pub(crate) enum Item {
    Namespace(NamespaceName, Labels),
    Container(NamespaceName, Box<Container>),
    Record(NamespaceName, Kind, Box<Record>),
}

/// Reads the lines of a dump, and checks everything that can be checked without a store.
pub(crate) struct Reader<R> {
    lines: Lines<R>,
    checksum: crc32fast::Hasher,
    store: StoreLine,
    only_namespace: Option<NamespaceName>,
    namespace: Option<NamespaceName>,
    /// The kind and id of the last line.
    last: Option<(Kind, String)>,
    pub(crate) namespaces: u64,
    pub(crate) containers: u64,
    pub(crate) records: u64,
}

impl<R: BufRead> Reader<R> {
    /// Reads the first line.
    pub(crate) fn begin(input: R) -> Result<Self> {
        let mut lines = Lines::new(input, DUMP_LINE_MAX_BYTES);
        if !lines.advance()? {
            return Err(Error::invalid("the dump is empty"));
        }
        if let Some(fault) = encoding_fault(&lines.line) {
            return Err(Error::invalid(format!("line 1: {fault}")));
        }
        let version: Version = parse(&lines.line, 1).map_err(|error| {
            let what =
                "line 1: it is not a dump: the first line must begin with {\"bayplan_dump\":";
            Error::invalid(what).caused_by(error)
        })?;
        if version.bayplan_dump != DUMP_VERSION {
            return Err(Error::new(
                ErrorKind::IncompatibleFormat,
                format!(
                    "line 1: the dump has version {}, and this program knows version \
                     {DUMP_VERSION}",
                    version.bayplan_dump
                ),
            ));
        }
        let head: Head = parse_all(&lines.line, 1)?;
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&lines.line);
        Ok(Self {
            lines,
            checksum,
            store: head.store,
            only_namespace: head.only_namespace,
            namespace: None,
            last: None,
            namespaces: 0,
            containers: 0,
            records: 0,
        })
    }

    /// Returns the properties of the store, from the first line.
    pub(crate) fn store(&self) -> &StoreLine {
        &self.store
    }

    /// Returns the namespace, if the first line says that the dump holds only one.
    pub(crate) fn only_namespace(&self) -> Option<&NamespaceName> {
        self.only_namespace.as_ref()
    }

    /// Returns how many lines were read.
    pub(crate) fn lines(&self) -> u64 {
        self.lines.number
    }

    /// Returns the content of the next line; `None` after the last line, which nothing may follow.
    pub(crate) fn next(&mut self) -> Result<Option<Item>> {
        if !self.lines.advance()? {
            let after = self.lines.number;
            return Err(Error::invalid(format!(
                "line {}: the dump ends after line {after}, without its last line: it is cut short",
                after + 1
            )));
        }
        let body: Body = parse_all(&self.lines.line, self.lines.number)?;
        let item = match body {
            Body {
                namespace: Some(name),
                labels: Some(labels),
                container: None,
                kind: None,
                record: None,
                end: None,
            } => self.namespace(name, labels),
            Body {
                namespace: Some(name),
                labels: None,
                container: Some(container),
                kind: None,
                record: None,
                end: None,
            } => self.container(name, container),
            Body {
                namespace: Some(name),
                labels: None,
                container: None,
                kind: Some(kind),
                record: Some(record),
                end: None,
            } => self.record(name, &kind, *record),
            Body {
                namespace: None,
                labels: None,
                container: None,
                kind: None,
                record: None,
                end: Some(end),
            } => return self.end(&end).map(|()| None),
            _ => Err(Error::invalid(
                "a line is a namespace with `labels`, with a `container`, or with a `kind` and `record`, or \
                 the `end`",
            )),
        };
        let item = item.map_err(|error| at_line(self.lines.number, error))?;
        self.checksum.update(&self.lines.line);
        Ok(Some(item))
    }

    /// Makes an error in the last line that was read.
    pub(crate) fn fault(&self, error: Error) -> Error {
        at_line(self.lines.number, error)
    }

    fn namespace(&mut self, name: NamespaceName, labels: Labels) -> Result<Item> {
        match &self.namespace {
            Some(last) if *last == name => {
                return Err(Error::invalid(format!(
                    "the namespace {name} appears twice"
                )));
            }
            Some(last) if *last > name => {
                return Err(Error::invalid(format!(
                    "the namespace {name} is out of order: it comes after {last}"
                )));
            }
            _ => {}
        }
        if let Some(only) = self.only_namespace.as_ref().filter(|only| **only != name) {
            return Err(Error::invalid(format!(
                "the namespace {name} is in a dump of only {only}"
            )));
        }
        let labels = labels::check_stored(labels, self.store.policy())?;
        self.namespace = Some(name.clone());
        self.last = None;
        self.namespaces += 1;
        Ok(Item::Namespace(name, labels))
    }

    fn container(&mut self, name: NamespaceName, container: Box<Container>) -> Result<Item> {
        self.check_place(&name, &Kind::CONTAINERS, &container.id)?;
        let (policy, below) = (self.store.policy(), self.store.revisions_below);
        let container = container.check_stored(policy, below)?;
        self.last = Some((Kind::CONTAINERS, container.id.clone()));
        self.containers += 1;
        Ok(Item::Container(name, Box::new(container)))
    }

    fn record(&mut self, name: NamespaceName, kind: &str, record: Record) -> Result<Item> {
        let kind = Kind::new(kind)?;
        self.check_place(&name, &kind, &record.id)?;
        let (policy, below) = (self.store.policy(), self.store.revisions_below);
        let record = record.check_stored(policy, below)?;
        self.last = Some((kind.clone(), record.id.clone()));
        self.records += 1;
        Ok(Item::Record(name, kind, Box::new(record)))
    }

    /// Checks that an item of this kind and id may be in this line.
    fn check_place(&self, name: &NamespaceName, kind: &Kind, id: &str) -> Result<()> {
        let what = match kind.of_collection() {
            None => format!("the container {id:?}"),
            Some(kind) => format!("the record {id:?} of kind {kind:?}"),
        };
        if self.namespace.as_ref() != Some(name) {
            return Err(Error::invalid(format!(
                "{what} does not follow its namespace {name}"
            )));
        }
        match &self.last {
            Some((last_kind, last)) if last_kind == kind && last == id => {
                Err(Error::invalid(format!("{what} appears twice")))
            }
            Some((last_kind, last)) if (last_kind, last.as_str()) > (kind, id) => Err(
                Error::invalid(format!("{what} is out of order: it comes after {last:?}")),
            ),
            _ => Ok(()),
        }
    }

    /// Returns how many containers and records were read.
    pub(crate) fn done(&self) -> u64 {
        self.containers + self.records
    }

    fn end(&mut self, end: &End) -> Result<()> {
        let last = self.lines.number;
        let wrong = |what: String| Err(Error::invalid(format!("line {last}: {what}")));
        let checksum = checksum_text(self.checksum.clone().finalize());
        if let Some(expected) = end.crc32.as_ref().filter(|text| **text != checksum) {
            return wrong(format!(
                "the lines before were changed: their checksum is {checksum}, not {expected}"
            ));
        }
        let counts = [
            ("namespaces", self.namespaces, end.namespaces),
            ("containers", self.containers, end.containers),
            ("records", self.records, end.records),
        ];
        for (what, found, expected) in counts {
            if found != expected {
                return wrong(format!("there were {found} {what}, not {expected}"));
            }
        }
        if self.lines.advance()? {
            return Err(Error::invalid(format!(
                "line {}: something follows the end",
                self.lines.number
            )));
        }
        Ok(())
    }
}

/// Returns what is wrong with the encoding of the dump, judging by its first bytes.
fn encoding_fault(line: &[u8]) -> Option<&'static str> {
    match line {
        [0xef, 0xbb, 0xbf, ..] => {
            Some("it begins with a UTF-8 byte order mark: save the dump without one")
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'{', 0, ..] | [0, b'{', ..] => {
            Some("it is UTF-16: save the dump as UTF-8")
        }
        _ => None,
    }
}

/// Parses a line, ignoring unknown members.
fn parse<T: DeserializeOwned>(line: &[u8], number: u64) -> Result<T> {
    serde_json::from_slice(line).map_err(|error| no_line(number, &error))
}

/// Parses a line, refusing unknown members at any depth: their content would be lost.
fn parse_all<T: DeserializeOwned>(line: &[u8], number: u64) -> Result<T> {
    let mut unknown = None;
    let mut deserializer = serde_json::Deserializer::from_slice(line);
    let parsed = serde_ignored::deserialize(&mut deserializer, |path| {
        // The marks of optional members mean nothing to a reader.
        unknown.get_or_insert_with(|| path.to_string().replace(".?", ""));
    })
    .and_then(|parsed| deserializer.end().map(|()| parsed));
    let parsed = parsed.map_err(|error| no_line(number, &error))?;
    match unknown {
        None => Ok(parsed),
        Some(path) => Err(Error::invalid(format!(
            "line {number}: unknown field `{path}`"
        ))),
    }
}

fn no_line(number: u64, error: &serde_json::Error) -> Error {
    // To the parser, a line is a whole text: its "at line 1" would mislead.
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    let column = error.column();
    Error::invalid(format!("line {number}, column {column}: {what}"))
}

fn at_line(number: u64, error: Error) -> Error {
    error.prefixed(&format!("line {number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refuses(dump: &str, kind: ErrorKind, text: &str) {
        let read = || -> Result<()> {
            let mut reader = Reader::begin(dump.as_bytes())?;
            while reader.next()?.is_some() {}
            Ok(())
        };
        let error = read().unwrap_err();
        assert_eq!(error.to_string(), text, "{dump}");
        assert_eq!(error.kind(), kind);
    }

    const HEAD: &str = "{\"bayplan_dump\":2,\"store\":{\"id\":\
        \"00000000-0000-4000-8000-000000000000\",\"created_at\":\"2026-01-01T00:00:00Z\",\
        \"rules\":\"strict\",\"revisions_below\":9}}\n";

    #[test]
    fn a_dump_of_one_namespace_holds_no_other() {
        let head = HEAD.replace("}}\n", "},\"only_namespace\":\"b\"}\n");
        refuses(
            &format!("{head}{{\"namespace\":\"a\",\"labels\":{{}}}}\n"),
            ErrorKind::InvalidArgument,
            "line 2: the namespace a is in a dump of only b",
        );
    }

    #[test]
    fn an_error_names_the_line_and_what_is_wrong_with_it() {
        use ErrorKind::{IncompatibleFormat, InvalidArgument};
        refuses("", InvalidArgument, "the dump is empty");
        refuses(
            "{\"a\":1}\n",
            InvalidArgument,
            "line 1: it is not a dump: the first line must begin with {\"bayplan_dump\":",
        );
        refuses(
            "\u{feff}{\"bayplan_dump\":1}\n",
            InvalidArgument,
            "line 1: it begins with a UTF-8 byte order mark: save the dump without one",
        );
        refuses(
            "{\0\"\0\n\0",
            InvalidArgument,
            "line 1: it is UTF-16: save the dump as UTF-8",
        );
        refuses(
            "{\"bayplan_dump\":3,\"store\":[]}\n",
            IncompatibleFormat,
            "line 1: the dump has version 3, and this program knows version 2",
        );
        for (rest, text) in [
            (
                "",
                "line 2: the dump ends after line 1, without its last line: it is cut short",
            ),
            (
                "{\"x\"",
                "line 2: it is cut short: there is no line feed at its end",
            ),
            (
                "{\"namespace\":\"a\",\"labels\":{}}\n{\"namespace\":\"a\",\"labels\":{}}\n",
                "line 3: the namespace a appears twice",
            ),
            (
                "{\"namespace\":\"b\",\"labels\":{}}\n{\"namespace\":\"a\",\"labels\":{}}\n",
                "line 3: the namespace a is out of order: it comes after b",
            ),
            (
                "{\"namespace\":\"a\",\"labels\":{\"k\":\"\"}}\n",
                "line 2: a label has an empty value",
            ),
            (
                "{\"namespace\":\"a\"}\n",
                "line 2: a line is a namespace with `labels`, with a `container`, or with a `kind` and \
                 `record`, or the `end`",
            ),
            (
                "{\"end\":{\"namespaces\":0,\"containers\":1}}\n",
                "line 2: there were 0 containers, not 1",
            ),
            (
                "{\"end\":{\"namespaces\":0,\"containers\":0}}\n{}\n",
                "line 3: something follows the end",
            ),
            (
                "{\"end\":7}\n",
                "line 2, column 8: invalid type: integer `7`, expected struct End",
            ),
        ] {
            refuses(&format!("{HEAD}{rest}"), InvalidArgument, text);
        }
    }
}
