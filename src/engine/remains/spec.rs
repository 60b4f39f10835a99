//! Which of the rows of specs that were found of a container are those of a record.
//!
//! The record knows how long the spec is, which tells the number and length of the rows, and the
//! checksum of the rows' checksums. So there is no doubt about what fits, only the search for it:
//! of each row as many versions may be there as the spec had.

use std::collections::BTreeMap;

use super::{Place, RecordPlace};
use crate::pieces;
use crate::record::{SEAL_BYTES, SpecSeals};
use crate::schema::ContainerKey;

/// How many versions of rows are tried before a search is given up.
const TRIES_MAX_COUNT: usize = 100_000;

/// The rows of the record's spec, in order; `None` if they are not all there.
pub(super) fn choose(
    found: &BTreeMap<u8, Vec<Place>>,
    record: &RecordPlace,
    key: &ContainerKey,
) -> Option<Vec<Place>> {
    let lengths = pieces::lengths(record.spec_bytes, key);
    let mut rows = Vec::new();
    for (number, length) in (0..=u8::MAX).zip(lengths) {
        let mut versions: Vec<Place> = Vec::new();
        for place in found.get(&number)? {
            let is_new = !versions.iter().any(|it| it.is_same_value(place));
            if is_new && place.value_bytes == length + SEAL_BYTES {
                versions.push(*place);
            }
        }
        rows.push(versions);
    }
    let mut tries = TRIES_MAX_COUNT;
    let mut chosen = Vec::new();
    let seals = SpecSeals::default();
    fits(&rows, seals, record.spec_seals, &mut tries, &mut chosen).then_some(chosen)
}

/// Whether some choice of versions of these rows, behind others with the seals `before`, has the
/// seals that are wanted; they are then in `chosen`.
fn fits(
    rows: &[Vec<Place>],
    before: SpecSeals,
    wanted: SpecSeals,
    tries: &mut usize,
    chosen: &mut Vec<Place>,
) -> bool {
    let Some((versions, behind)) = rows.split_first() else {
        return before == wanted;
    };
    for place in versions {
        let Some(left) = tries.checked_sub(1) else {
            return false;
        };
        *tries = left;
        let mut seals = before;
        seals.add(&place.checksum);
        chosen.push(*place);
        if fits(behind, seals, wanted, tries, chosen) {
            return true;
        }
        chosen.pop();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(number: u8, checksum: u8, length: usize) -> Place {
        Place {
            page_at: 4096 * u64::from(number),
            value_at: 100,
            value_bytes: length + SEAL_BYTES,
            checksum: [checksum; 4],
        }
    }

    fn record(spec_bytes: usize, checksums: &[u8]) -> RecordPlace {
        let mut spec_seals = SpecSeals::default();
        for checksum in checksums {
            spec_seals.add(&[*checksum; 4]);
        }
        RecordPlace {
            place: place(0, 0, 0),
            revision: 1,
            labels_count: 0,
            extensions_count: 0,
            spec_bytes,
            spec_seals,
        }
    }

    #[test]
    fn only_the_rows_of_the_record_are_chosen() {
        let key = ContainerKey::new(&"n".parse().unwrap(), &"a".parse().unwrap());
        let lengths = pieces::lengths(14_000, &key);
        let mut found = BTreeMap::new();
        for (number, length) in (0..=u8::MAX).zip(&lengths) {
            let all = (1..=5).map(|checksum| place(number, checksum, *length));
            found.insert(number, all.chain([place(number, 9, 17)]).collect());
        }
        let wanted = &[3, 5, 1][..lengths.len()];
        let chosen = choose(&found, &record(14_000, wanted), &key).unwrap();
        let checksums: Vec<u8> = chosen.iter().map(|place| place.checksum[0]).collect();
        assert_eq!(checksums, wanted);

        let other_length = record(14_000, &[3, 5, 9][..lengths.len()]);
        assert!(choose(&found, &other_length, &key).is_none());
        found.remove(&1);
        assert!(choose(&found, &record(14_000, wanted), &key).is_none());
    }

    #[test]
    fn a_search_without_end_is_given_up() {
        let key = ContainerKey::new(&"n".parse().unwrap(), &"a".parse().unwrap());
        let bytes = (1 << 24) - 1;
        let lengths = pieces::lengths(bytes, &key);
        let found = (0..=u8::MAX).zip(&lengths).map(|(number, length)| {
            let all = (0..200).map(|checksum| place(number, checksum, *length));
            (number, all.collect())
        });
        let nothing_fits = record(bytes, &[1]);
        assert!(choose(&found.collect(), &nothing_fits, &key).is_none());
    }
}
