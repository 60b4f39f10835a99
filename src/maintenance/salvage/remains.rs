//! The remains of a store in a file whose tree cannot be followed: every row with a valid seal, anywhere in
//! the file.
//!
//! A seal proves that a value was once written under its key, but not when: a page that was replaced keeps its rows
//! until its space is reused. A record's own row has its revision and the seals of its other rows, which shows for
//! certain which rows belong together. The highest revision with all its rows is taken.

use std::collections::BTreeMap;
use std::io;

use crate::maintenance::salvage::name::RecordName;
use crate::model::error::Result;
use crate::model::identifier::NamespaceName;
use crate::model::kind::Kind;
use crate::model::labels::Labels;
use crate::model::policy::Policy;
use crate::model::revision::Revision;
use crate::query;
use crate::records::head::OwnRow;
use crate::records::keys::{Part, Row, meta};
use crate::records::meta::{Identity, NamespaceRow};
use crate::records::parts::Seals;
use crate::records::seal::{Seal, unseal, unseal_number};
use crate::redb_file::layout::PAGE_BYTES;
use crate::redb_file::pages::{Pair, Source};
use crate::session::entity::Entity;

/// The place of a value with a valid seal.
#[derive(Clone, Copy, Debug)]
struct Place {
    value_at: u64,
    value_bytes: usize,
}

impl Place {
    fn read(self, source: &mut Source) -> std::result::Result<Vec<u8>, String> {
        let read = source.read(self.value_at, self.value_bytes);
        read.map_err(|_: io::Error| "it could not be read a second time".to_owned())
    }
}

/// Every row of one record that was found, of any revision.
#[derive(Default)]
pub(crate) struct Remains {
    /// Its own rows.
    own: Vec<Own>,
    /// Its other rows, by their seals.
    parts: BTreeMap<(Part, Seal), Place>,
}

/// A record's own row, with its revision and seals.
struct Own {
    place: Place,
    revision: Revision,
    seals: Seals,
}

/// Everything that was found in a file.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) records: BTreeMap<RecordName, Remains>,
    /// The namespaces, each with all sets of labels that were found.
    pub(crate) namespaces: BTreeMap<NamespaceName, Vec<Labels>>,
    pub(crate) identity: Option<Identity>,
    /// The highest bound of revisions that was found.
    pub(crate) revisions_below: Option<u64>,
}

impl Found {
    /// Whether nothing was found that a store could have written.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.namespaces.is_empty() && self.identity.is_none()
    }
}

/// Searches every page of a file. What cannot be read is skipped.
pub(crate) fn find(source: &mut Source) -> Found {
    let mut found = Found::default();
    let mut at = 0;
    while at < source.len_bytes {
        let mut end = at;
        for pair in source.leaf(at) {
            end = end.max(found.take(source, &pair).unwrap_or(at));
        }
        // Bytes within a value are not a page, even if they look like one.
        at = end.max(at + PAGE_BYTES).next_multiple_of(PAGE_BYTES);
    }
    found
}

impl Found {
    /// Takes a row if its seal is valid. Returns where its value ends.
    fn take(&mut self, source: &mut Source, pair: &Pair) -> Option<u64> {
        let key = pair.key.as_slice();
        let name = Row::parse(key).map(|row| RecordName::of_row(&row).map(|name| (name, row.part)));
        if name == Some(None) {
            return None;
        }
        let place = Place {
            value_at: pair.value_at,
            value_bytes: pair.value_bytes,
        };
        let value = place.read(source).ok()?;
        let content = unseal(key, &value).ok()?;
        match name.flatten() {
            Some((name, part)) => {
                let kind = name.kind.clone();
                let remains = self.records.entry(name).or_default();
                remains.take(&kind, part, content, Seal::of(&value)?, place)?;
            }
            None => self.take_name(key, &value)?,
        }
        Some(pair.value_at + pair.value_bytes as u64)
    }

    /// Takes a row of the table `namespaces` or `meta`. All keys of `meta` could be namespaces too.
    fn take_name(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        if key == meta::IDENTITY && Identity::decode(key, value).is_ok() {
            self.identity = Identity::decode(key, value).ok();
        } else if key == meta::REVISION && unseal_number(key, value).is_ok() {
            self.revisions_below = self.revisions_below.max(unseal_number(key, value).ok());
        } else if let Ok(NamespaceRow { labels, .. }) = NamespaceRow::decode(key, value) {
            let name = NamespaceName::new(std::str::from_utf8(key).ok()?).ok()?;
            let all = self.namespaces.entry(name).or_default();
            if !all.contains(&labels) {
                all.push(labels);
            }
        }
        Some(())
    }
}

impl Remains {
    fn take(
        &mut self,
        kind: &Kind,
        part: Option<Part>,
        content: &[u8],
        seal: Seal,
        place: Place,
    ) -> Option<()> {
        if let Some(part) = part {
            self.parts.insert((part, seal), place);
        } else {
            let head = OwnRow::decode(kind, content).ok()?.head;
            self.own.push(Own {
                place,
                revision: head.revision(),
                seals: head.seals,
            });
        }
        Some(())
    }

    /// Returns the newest complete version, or an error that says what the newest one lacks.
    pub(crate) fn newest<E: Entity>(
        &self,
        name: &RecordName,
        policy: Policy,
        source: &mut Source,
    ) -> std::result::Result<E, String> {
        let mut own: Vec<_> = self.own.iter().collect();
        own.sort_by_key(|own| std::cmp::Reverse(own.revision));
        let mut missing = None;
        for own in own {
            match self.build(own, name, policy, source) {
                Ok(version) => return Ok(version),
                Err(what) => missing = missing.or(Some(what)),
            }
        }
        Err(missing.unwrap_or_else(|| "its own row is damaged or gone".to_owned()))
    }

    /// Reads the rows that a record's own row names, and checks that they could have been stored.
    fn build<E: Entity>(
        &self,
        own: &Own,
        name: &RecordName,
        policy: Policy,
        source: &mut Source,
    ) -> std::result::Result<E, String> {
        let row = own.place.read(source)?;
        let mut parts: [Option<Vec<u8>>; Part::ALL.len()] = Default::default();
        for (part, read) in Part::ALL.into_iter().zip(&mut parts) {
            if let Some(seal) = own.seals.get(part) {
                let place = self.parts.get(&(part, seal));
                let gone = || format!("{} damaged or gone", part.noun_is(&name.kind));
                let place = place.ok_or_else(gone)?;
                *read = Some(place.read(source)?);
            }
        }
        let [labels, value, extensions] = &parts;
        let parts = [labels.as_deref(), value.as_deref(), extensions.as_deref()];
        let build = || -> Result<E> {
            let version: E = query::decode(&name.key(), &name.kind, name.id.as_str(), &row, parts)?;
            version.check_stored(policy, Revision::new(u64::MAX))
        };
        build().map_err(|error| error.to_string())
    }
}
