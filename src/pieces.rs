//! How a spec is cut into rows that fill redb's pages.
//!
//! A leaf page of redb is 4 KiB times a power of two, and holds either several pairs in 4 KiB or one
//! larger pair. A spec of 6 KiB in one row takes 8 KiB for itself, and the rest of the container
//! another page. So a spec is cut: into pieces that fill 1, 2, 4, ... pages to the last byte, each
//! a row and a leaf of its own, which redb neither shares nor rewrites when its neighbours change;
//! and what is left over, less than a page, which stands first and shares the leaf of the record.
//!
//! Measured with 10,000 containers of 7.1 KB with specs of 6 KiB: 9.3 KB of file for each container,
//! where a spec in one row made it 12.8 KB.

use std::borrow::Cow;

use crate::error::{Error, Result};
use crate::limits::ANY_MAX_BYTES;
use crate::record::{SEAL_BYTES, SpecSeals, seal_bytes, unseal};
use crate::schema::ContainerKey;

/// The smallest page of redb.
const PAGE_BYTES: usize = 4096;

/// What the only pair of a leaf page has around its key and value: the head of the page, and where
/// key and value end.
const PAIR_BYTES: usize = 12;

/// The largest piece has so many pages, as a power of two: no spec is larger.
const PIECE_MAX_POWER: u32 = 12;
const _: () = assert!(PAGE_BYTES << PIECE_MAX_POWER >= ANY_MAX_BYTES);

/// The rows of a spec.
#[derive(Debug)]
pub(crate) struct Rows {
    /// Keys and sealed values, in the order of the keys.
    pub(crate) rows: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) seals: SpecSeals,
}

/// How long each row of a spec of so many bytes is, in order: what is left over, then the pieces.
pub(crate) fn lengths(spec_bytes: usize, key: &ContainerKey) -> Vec<usize> {
    let around = PAIR_BYTES + key.spec(1).len() + SEAL_BYTES;
    let mut rest = spec_bytes;
    let mut lengths = vec![0];
    for power in (0..=PIECE_MAX_POWER).rev() {
        let piece = (PAGE_BYTES << power) - around;
        while rest >= piece {
            lengths.push(piece);
            rest -= piece;
        }
    }
    if let Some(first) = lengths.first_mut() {
        *first = rest;
    }
    lengths
}

/// Cuts a spec and seals its rows.
pub(crate) fn cut(key: &ContainerKey, spec: &[u8]) -> Rows {
    let mut left = spec;
    let mut seals = SpecSeals::default();
    let mut rows = Vec::new();
    for (number, length) in (0..=u8::MAX).zip(lengths(spec.len(), key)) {
        let (piece, behind) = left.split_at_checked(length).unwrap_or((left, &[]));
        left = behind;
        let row_key = key.spec(number);
        let value = seal_bytes(&row_key, piece);
        seals.add(&value);
        rows.push((row_key, value));
    }
    Rows { rows, seals }
}

/// Puts the rows of a spec together again, if they are those that the record knows.
pub(crate) fn join<'a>(
    rows: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone,
    spec_bytes: u32,
    seals: SpecSeals,
) -> Result<Cow<'a, [u8]>> {
    let mut found = SpecSeals::default();
    let mut spec = match rows.len() {
        0 | 1 => Cow::Borrowed(&[][..]),
        _ => Cow::Owned(Vec::with_capacity(
            rows.clone().map(|(_, value)| value.len()).sum(),
        )),
    };
    for (key, value) in rows {
        let piece = unseal(key, value)?;
        found.add(value);
        match &mut spec {
            Cow::Owned(joined) => joined.extend_from_slice(piece),
            Cow::Borrowed(one) => *one = piece,
        }
    }
    if u32::try_from(spec.len()).ok() != Some(spec_bytes) {
        return Err(Error::corrupt("the spec is not as long as the record says"));
    }
    if found != seals {
        return Err(Error::corrupt("the spec is not the one of the record"));
    }
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ContainerKey {
        ContainerKey::new(&"k8s.io".parse().unwrap(), &"a".repeat(64).parse().unwrap())
    }

    fn spec(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|number| (number % 251) as u8).collect()
    }

    fn pairs(rows: &[(Vec<u8>, Vec<u8>)]) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> + Clone {
        rows.iter()
            .map(|(key, value)| (key.as_slice(), value.as_slice()))
    }

    #[test]
    fn every_piece_fills_pages_and_what_is_left_is_less_than_a_page() {
        for bytes in (0..70_000).step_by(97).chain([ANY_MAX_BYTES]) {
            let rows = cut(&key(), &spec(bytes)).rows;
            let ((_, first), pieces) = rows.split_first().unwrap();
            assert!(first.len() < PAGE_BYTES, "{bytes}");
            for (key, value) in pieces {
                let page = PAIR_BYTES + key.len() + value.len();
                assert!(page.is_power_of_two() && page >= PAGE_BYTES, "{bytes}");
            }
            assert!(rows.is_sorted(), "{bytes}");
        }
    }

    #[test]
    fn what_was_cut_is_joined() {
        for bytes in [0, 1, 3_000, 4_003, 4_004, 6_160, 8_192, 100_000] {
            let spec = spec(bytes);
            let Rows { rows, seals } = cut(&key(), &spec);
            let length = u32::try_from(bytes).unwrap();
            assert_eq!(*join(pairs(&rows), length, seals).unwrap(), *spec);
        }
    }

    #[test]
    fn rows_that_are_not_those_of_the_record_are_damage() {
        let Rows { rows, seals } = cut(&key(), &spec(14_000));
        let mut other_spec = spec(14_000);
        other_spec[13_000] ^= 1;
        let other = cut(&key(), &other_spec).rows;
        let mixed: Vec<_> = rows[..1].iter().chain(&other[1..]).cloned().collect();
        let swapped = vec![rows[0].clone(), rows[2].clone(), rows[1].clone()];
        for wrong in [&rows[..1], &rows[1..], &[], &mixed, &swapped, &other] {
            assert!(join(pairs(wrong), 14_000, seals).unwrap_err().is_corrupt());
        }
        assert!(join(pairs(&rows), 13_999, seals).unwrap_err().is_corrupt());
    }
}
