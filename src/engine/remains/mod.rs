//! What is left of a store in a file whose tree cannot be followed: every row whose seal holds,
//! wherever in the file it is.
//!
//! A seal says that a value was once written under its key. It does not say when: a page that was
//! replaced by a newer one keeps its rows until its place is used again. What belongs together is
//! told by the record of a container (see [`version`]).

mod spec;
mod version;

use std::collections::BTreeMap;
use std::io;

use crate::engine::intact::name_and_part;
use crate::engine::layout::PAGE_BYTES;
use crate::engine::pages::{Pair, Source};
use crate::identifier::{ContainerId, NamespaceName};
use crate::record::{Identity, Record, SpecSeals, unseal, unseal_number, unseal_text};
use crate::schema::{Part, meta, parse_namespace};

/// A row whose seal holds, and where it is.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Where its page begins.
    page_at: u64,
    value_at: u64,
    value_bytes: usize,
    /// The first bytes of the value, its checksum: two values of one key with the same checksum
    /// and length are taken for the same value.
    checksum: [u8; 4],
}

impl Place {
    fn is_same_value(&self, other: &Self) -> bool {
        (self.checksum, self.value_bytes) == (other.checksum, other.value_bytes)
    }
}

/// All that was found of one container, of any age.
#[derive(Default)]
pub(crate) struct Remains {
    records: Vec<RecordPlace>,
    labels: BTreeMap<Vec<u8>, Vec<Place>>,
    extensions: BTreeMap<Vec<u8>, Vec<Place>>,
    /// The rows of specs, by their number.
    specs: BTreeMap<u8, Vec<Place>>,
}

/// A record, and what it counts.
struct RecordPlace {
    place: Place,
    revision: u64,
    labels_count: usize,
    extensions_count: usize,
    spec_bytes: usize,
    spec_seals: SpecSeals,
}

/// All that was found in a file.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) containers: BTreeMap<(NamespaceName, ContainerId), Remains>,
    /// The namespaces, with every value that a label of theirs ever had.
    pub(crate) namespaces: BTreeMap<NamespaceName, BTreeMap<String, Vec<String>>>,
    pub(crate) identity: Option<Identity>,
    /// The highest bound of revisions that was ever written.
    pub(crate) revisions_below: Option<u64>,
}

impl Found {
    /// Whether there is nothing at all that a store could have written.
    pub(crate) fn is_empty(&self) -> bool {
        self.containers.is_empty() && self.namespaces.is_empty() && self.identity.is_none()
    }
}

/// Looks at every page of a file. What cannot be read is passed over.
pub(crate) fn find(source: &mut Source) -> Found {
    let mut found = Found::default();
    let mut at = 0;
    while at < source.len_bytes {
        let leaf = source.leaf(at);
        // In a page of the table `namespaces` stand names without a separator.
        let names = leaf.iter().any(|pair| !pair.key.contains(&0));
        let mut end = at;
        for pair in leaf {
            let Some(last) = found.take(source, at, &pair, names) else {
                continue;
            };
            end = end.max(last);
        }
        // What lies within a value is a value, whatever it looks like.
        at = end.max(at + PAGE_BYTES).next_multiple_of(PAGE_BYTES);
    }
    found
}

impl Found {
    /// Takes a row if its seal holds; tells where its value ends.
    fn take(&mut self, source: &mut Source, page_at: u64, pair: &Pair, names: bool) -> Option<u64> {
        let key = pair.key.as_slice();
        let part = if names { None } else { name_and_part(key) };
        if part.is_none() && !is_name(key) {
            return None;
        }
        let value = source.read(pair.value_at, pair.value_bytes).ok()?;
        unseal(key, &value).ok()?;
        let place = Place {
            page_at,
            value_at: pair.value_at,
            value_bytes: pair.value_bytes,
            checksum: *value.first_chunk()?,
        };
        match part {
            // A label of a namespace can have a key of the form of a record's.
            Some((_, Part::Record)) if Record::decode(key, &value).is_err() => {
                self.take_name(key, &value)?;
            }
            Some((name, part)) => {
                let remains = self.containers.entry(name).or_default();
                remains.take(&part, key, &value, place)?;
            }
            None => self.take_name(key, &value)?,
        }
        Some(pair.value_at + pair.value_bytes as u64)
    }

    /// Takes a row of the tables `namespaces` and `meta`.
    fn take_name(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let (name, label) = parse_namespace(key);
        match (key, label) {
            (meta::IDENTITY, _) if Identity::decode(key, value).is_ok() => {
                self.identity = Identity::decode(key, value).ok();
            }
            (meta::REVISION, _) if unseal_number(key, value).is_ok() => {
                self.revisions_below = self.revisions_below.max(unseal_number(key, value).ok());
            }
            (_, None) if !unseal(key, value).ok()?.is_empty() => return None,
            _ => {
                let name = NamespaceName::new(std::str::from_utf8(name).ok()?).ok()?;
                let labels = self.namespaces.entry(name).or_default();
                if let Some(label) = label {
                    let value = unseal_text(key, value).ok()?.to_owned();
                    let values = labels
                        .entry(String::from_utf8(label.to_vec()).ok()?)
                        .or_default();
                    if !values.contains(&value) {
                        values.push(value);
                    }
                }
            }
        }
        Some(())
    }
}

impl Remains {
    fn take(&mut self, part: &Part<'_>, key: &[u8], value: &[u8], place: Place) -> Option<()> {
        match part {
            Part::Record => {
                let record = Record::decode(key, value).ok()?;
                self.records.push(RecordPlace {
                    place,
                    revision: record.revision(),
                    labels_count: record.labels as usize,
                    extensions_count: record.extensions as usize,
                    spec_bytes: record.spec.bytes as usize,
                    spec_seals: record.spec.seals,
                });
            }
            Part::Label(name) => self.labels.entry(name.to_vec()).or_default().push(place),
            Part::Extension(name) => {
                let places = self.extensions.entry(name.to_vec()).or_default();
                places.push(place);
            }
            Part::Spec(number) => self.specs.entry(*number).or_default().push(place),
        }
        Some(())
    }
}

/// Whether a key can be one of a namespace or of its label, or one of the table `meta`, whose keys
/// could all be namespaces.
fn is_name(key: &[u8]) -> bool {
    let (name, _) = parse_namespace(key);
    std::str::from_utf8(name).is_ok_and(|name| NamespaceName::new(name).is_ok())
}

fn gone(_: io::Error) -> String {
    "it could not be read a second time".to_owned()
}
