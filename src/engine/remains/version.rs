//! Which of the rows that were found of a container belong together.
//!
//! Only the record tells: its revision, how many labels and extensions the container has, and which
//! rows its spec has (see [`spec`]). Labels and extensions do not say of which revision they are. So,
//! for one record:
//!
//! - Rows in the record's own page are of the same moment as the record: redb copies a page when
//!   it changes anything in it. If they are as many as the record counts, they are the ones.
//! - Otherwise, if there are exactly as many names in the whole file as the record counts, these
//!   are the names; where a name had several values, the one in the record's page, or any.
//! - The spec is the one that the record knows; no other is taken.
//!
//! The highest revision for which this gives a complete container is the one that is taken. It may
//! be older than the last one that was committed, if that is lost; younger, if a transaction that
//! was not committed left its pages; and where it was put together from several pages, a part of
//! it can be of another revision that happened to have the same counts and lengths. The page of a
//! transaction that was interrupted can also mix two revisions. The caller reports all of them as
//! uncertain.

use std::collections::BTreeMap;

use super::{Place, RecordPlace, Remains, gone, spec};
use crate::any::Any;
use crate::container::{Container, Extensions};
use crate::engine::pages::Source;
use crate::error::Result;
use crate::identifier::{ContainerId, NamespaceName};
use crate::labels::Labels;
use crate::pieces;
use crate::record::{AnyContent, Record, text, unseal_text};
use crate::revision::Revision;
use crate::schema::ContainerKey;

/// How sure it is that the parts of a version belong together, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// All parts are in one page.
    OnePage,
    /// The parts are in several pages, and there are no others that fit.
    OnlyOne,
    /// There are others that fit as well.
    OneOfSeveral,
}

/// A container as it once was, or may have been.
pub(crate) struct Version {
    pub(crate) container: Container,
    fit: Fit,
}

impl Version {
    /// What is to be said of how it was put together.
    pub(crate) fn note(&self) -> String {
        let revision = self.container.revision;
        let how = match self.fit {
            Fit::OnePage => "all of it was in one page",
            Fit::OnlyOne => "its parts were in several pages and fit",
            Fit::OneOfSeveral => "some of its parts may be of another revision",
        };
        format!("revision {revision}: {how}")
    }
}

/// Names, and the place of the value of each.
type Named<'r> = Vec<(&'r [u8], Place)>;

/// The places of all parts of a version.
struct Chosen<'r> {
    record: &'r RecordPlace,
    labels: Named<'r>,
    extensions: Named<'r>,
    spec: Vec<Place>,
    fit: Fit,
}

impl Remains {
    /// The newest version that is complete; otherwise what is missing of the newest one.
    pub(crate) fn newest(
        &self,
        namespace: &NamespaceName,
        id: &ContainerId,
        source: &mut Source,
    ) -> std::result::Result<Version, String> {
        let key = ContainerKey::new(namespace, id);
        let mut missing = None;
        let mut records: Vec<_> = self.records.iter().collect();
        records.sort_by_key(|record| std::cmp::Reverse(record.revision));
        for same in records.chunk_by(|a, b| a.revision == b.revision) {
            let mut fitting = Vec::new();
            for record in same {
                match self.choose(record, &key) {
                    Ok(chosen) => fitting.push(chosen),
                    Err(what) => missing = missing.or(Some(what)),
                }
            }
            fitting.sort_by_key(|chosen| chosen.fit);
            for chosen in fitting {
                match chosen.build(&key, id, source) {
                    Ok(container) => {
                        let fit = chosen.fit;
                        return Ok(Version { container, fit });
                    }
                    Err(what) => missing = missing.or(Some(what)),
                }
            }
        }
        Err(missing.unwrap_or_else(|| "its record is damaged or gone".to_owned()))
    }

    fn choose<'r>(
        &'r self,
        record: &'r RecordPlace,
        key: &ContainerKey,
    ) -> std::result::Result<Chosen<'r>, String> {
        let page_at = record.place.page_at;
        let (labels, labels_fit) = choose_named(&self.labels, record.labels_count, page_at)
            .ok_or_else(|| self.wrong_count("labels", record.labels_count, self.labels.len()))?;
        let (extensions, extensions_fit) =
            choose_named(&self.extensions, record.extensions_count, page_at).ok_or_else(|| {
                self.wrong_count("extensions", record.extensions_count, self.extensions.len())
            })?;
        let spec = spec::choose(&self.specs, record, key);
        let spec = spec.ok_or("its spec is damaged or gone")?;
        let spec_fit = match spec.iter().all(|place| place.page_at == page_at) {
            true => Fit::OnePage,
            false => Fit::OnlyOne,
        };
        Ok(Chosen {
            record,
            labels,
            extensions,
            spec,
            fit: labels_fit.max(extensions_fit).max(spec_fit),
        })
    }

    fn wrong_count(&self, what: &str, counted: usize, found: usize) -> String {
        if found > counted {
            format!(
                "{found} {what} were found where its record counts {counted}: which are unknown"
            )
        } else {
            format!("{found} {what} were found where its record counts {counted}")
        }
    }
}

/// One place for each name, if the names are those of the record in the page at `page_at`.
fn choose_named(
    all: &BTreeMap<Vec<u8>, Vec<Place>>,
    count: usize,
    page_at: u64,
) -> Option<(Named<'_>, Fit)> {
    let beside: Vec<_> = all
        .iter()
        .filter_map(|(name, places)| {
            let place = places.iter().find(|place| place.page_at == page_at)?;
            Some((name.as_slice(), *place))
        })
        .collect();
    if beside.len() == count {
        return Some((beside, Fit::OnePage));
    }
    if all.len() != count {
        return None;
    }
    let mut worst = Fit::OnlyOne;
    let mut chosen = Vec::new();
    for (name, places) in all {
        let (place, fit) = choose_one(places, page_at)?;
        worst = worst.max(fit);
        chosen.push((name.as_slice(), place));
    }
    Some((chosen, worst))
}

/// One of the places where a part was found: in the page at `page_at`, if it is there.
fn choose_one(places: &[Place], page_at: u64) -> Option<(Place, Fit)> {
    if let Some(place) = places.iter().find(|place| place.page_at == page_at) {
        return Some((*place, Fit::OnePage));
    }
    let first = places.first()?;
    let fit = if places.iter().all(|place| place.is_same_value(first)) {
        Fit::OnlyOne
    } else {
        Fit::OneOfSeveral
    };
    Some((*first, fit))
}

impl Chosen<'_> {
    /// Reads the parts, and checks that they are a container.
    fn build(
        &self,
        key: &ContainerKey,
        id: &ContainerId,
        source: &mut Source,
    ) -> std::result::Result<Container, String> {
        let mut read = |place: &Place| source.read(place.value_at, place.value_bytes).map_err(gone);
        let record = read(&self.record.place)?;
        let mut spec = Vec::new();
        for (number, place) in (0..=u8::MAX).zip(&self.spec) {
            spec.push((key.spec(number), read(place)?));
        }
        let mut labels = Vec::new();
        for (name, place) in &self.labels {
            labels.push((*name, read(place)?));
        }
        let mut extensions = Vec::new();
        for (name, place) in &self.extensions {
            extensions.push((*name, read(place)?));
        }
        let build = || -> Result<Container> {
            let labels = labels.iter().map(|(name, value)| {
                let name = text(name)?;
                Ok((
                    name.to_owned(),
                    unseal_text(&key.label(name), value)?.to_owned(),
                ))
            });
            let labels = labels.collect::<Result<Labels>>()?;
            let extensions = extensions.iter().map(|(name, value)| {
                let name = text(name)?;
                let any = AnyContent::decode(&key.extension(name), value)?.to_any();
                Ok((name.to_owned(), any))
            });
            let extensions = extensions.collect::<Result<Extensions>>()?;
            let record = Record::decode(key.record(), &record)?;
            let rows = spec
                .iter()
                .map(|(key, value)| (key.as_slice(), value.as_slice()));
            let value = pieces::join(rows, record.spec.bytes, record.spec.seals)?;
            let spec = Any::new(record.spec.type_url, value);
            let header = record.to_header(id.as_str().to_owned(), labels)?;
            Container::of_parts(header, Some(spec), extensions)
                .check_stored(Revision::new(u64::MAX))
        };
        build().map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(page_at: u64, checksum: u8) -> Place {
        Place {
            page_at,
            value_at: page_at + 100,
            value_bytes: 10,
            checksum: [checksum; 4],
        }
    }

    fn names(all: &[(&str, &[Place])]) -> BTreeMap<Vec<u8>, Vec<Place>> {
        all.iter()
            .map(|(name, places)| (name.as_bytes().to_vec(), places.to_vec()))
            .collect()
    }

    #[test]
    fn the_part_beside_the_record_is_the_one() {
        let places = [place(0, 1), place(4096, 2)];
        let (chosen, fit) = choose_one(&places, 4096).unwrap();
        assert_eq!((chosen.page_at, fit), (4096, Fit::OnePage));
        let (_, fit) = choose_one(&places, 8192).unwrap();
        assert_eq!(fit, Fit::OneOfSeveral);
        let copies = [place(0, 1), place(4096, 1)];
        let (_, fit) = choose_one(&copies, 8192).unwrap();
        assert_eq!(fit, Fit::OnlyOne, "copies of one value are no choice");
        assert!(choose_one(&[], 0).is_none());
    }

    #[test]
    fn names_of_other_revisions_are_left_out_if_the_records_page_has_all() {
        let all = names(&[("a", &[place(0, 1)]), ("stale", &[place(4096, 1)])]);
        let (chosen, fit) = choose_named(&all, 1, 0).unwrap();
        assert_eq!((chosen.len(), fit), (1, Fit::OnePage));
        assert_eq!(chosen[0].0, b"a");
    }

    #[test]
    fn names_in_another_number_than_counted_are_not_mixed() {
        let all = names(&[("a", &[place(0, 1)]), ("b", &[place(4096, 1)])]);
        assert!(choose_named(&all, 3, 0).is_none(), "one is missing");
        assert!(
            choose_named(&all, 1, 8192).is_none(),
            "which of two is unknown"
        );
        let (chosen, fit) = choose_named(&all, 2, 0).unwrap();
        assert_eq!((chosen.len(), fit), (2, Fit::OnePage.max(Fit::OnlyOne)));
        let none = names(&[]);
        let (chosen, fit) = choose_named(&none, 0, 0).unwrap();
        assert_eq!((chosen.len(), fit), (0, Fit::OnePage));
    }
}
