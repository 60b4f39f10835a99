//! Reads many pages with one call, in the order of their places in the file.
//!
//! Verifying all pages reads nearly the whole file. Page by page, the calls cost more than the checksums.

use std::io;
use std::ops::Range;

use crate::redb_file::trees::ReadAt;

/// The most bytes of one read.
const READ_MAX_BYTES: u64 = 1 << 20;

/// The most bytes between two pages that are read in vain.
const GAP_MAX_BYTES: u64 = 16 << 10;

/// What was read last.
#[derive(Default)]
pub(super) struct Ahead {
    start: u64,
    bytes: Vec<u8>,
}

impl Ahead {
    /// Reads the first of these places, and those after it as far as they go into one read. They are in order. Nothing is
    /// read if the first one alone is too long.
    pub(super) fn read<'p>(
        &mut self,
        file: &impl ReadAt,
        places: impl Iterator<Item = &'p Range<u64>>,
    ) -> io::Result<()> {
        self.bytes.clear();
        let mut all: Option<Range<u64>> = None;
        for place in places {
            let (start, end) = match &all {
                Some(all) if place.start > all.end.saturating_add(GAP_MAX_BYTES) => break,
                Some(all) => (all.start, all.end.max(place.end)),
                None => (place.start, place.end),
            };
            if end.saturating_sub(start) > READ_MAX_BYTES {
                break;
            }
            all = Some(start..end);
        }
        let Some(all) = all else {
            return Ok(());
        };
        let bytes = usize::try_from(all.end.saturating_sub(all.start)).unwrap_or(0);
        self.bytes.resize(bytes, 0);
        self.start = all.start;
        file.read(all.start, &mut self.bytes)
            .inspect_err(|_| self.bytes.clear())
    }

    /// Returns the bytes of a place, if they were read.
    pub(super) fn get(&self, place: &Range<u64>) -> Option<&[u8]> {
        let at = |offset: u64| usize::try_from(offset.checked_sub(self.start)?).ok();
        self.bytes.get(at(place.start)?..at(place.end)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads all places, and returns how many calls that took.
    fn calls(file: &Vec<u8>, places: &[Range<u64>]) -> usize {
        let mut ahead = Ahead::default();
        let mut calls = 0;
        for (number, place) in places.iter().enumerate() {
            if ahead.get(place).is_none() {
                ahead.read(file, places[number..].iter()).unwrap();
                calls += 1;
            }
            let [start, end] = [place.start, place.end].map(|at| usize::try_from(at).unwrap());
            match ahead.get(place) {
                Some(bytes) => assert_eq!(bytes, &file[start..end]),
                None => assert!(place.end - place.start > READ_MAX_BYTES),
            }
        }
        calls
    }

    #[test]
    fn neighbours_are_read_with_one_call_and_what_is_far_apart_is_not() {
        let file: Vec<u8> = (0..3_u32 << 20).map(|at| (at % 251) as u8).collect();
        let page = |number: u64| number * 4096..(number + 1) * 4096;
        let all: Vec<_> = (0..768).map(page).collect();
        assert_eq!(calls(&file, &all), 3);
        let every_fifth: Vec<_> = (0..750).step_by(5).map(page).collect();
        assert_eq!(calls(&file, &every_fifth), 3);
        let every_sixth: Vec<_> = (0..750).step_by(6).map(page).collect();
        assert_eq!(calls(&file, &every_sixth), 125);
        let twice = [page(3), page(3), 3 * 4096..5 * 4096];
        assert_eq!(calls(&file, &twice), 1);
        let long = [page(0), 0..2 << 20, page(700)];
        assert_eq!(calls(&file, &long), 3);
        assert_eq!(calls(&file, &[]), 0);
    }
}
