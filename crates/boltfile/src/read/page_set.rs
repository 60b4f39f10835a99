//! Which pages have been seen, as ranges: a file of any length takes little memory.

use std::collections::BTreeMap;

/// A set of page ids.
#[derive(Debug, Default)]
pub(crate) struct PageSet {
    /// The first page of each range, and the page after its last. No two ranges touch.
    ranges: BTreeMap<u64, u64>,
    count: u64,
}

impl PageSet {
    /// Adds the pages from `start` to below `end`. If one of them is already in the set, the error is that page.
    pub(crate) fn insert(&mut self, start: u64, end: u64) -> Result<(), u64> {
        if let Some(page) = self.overlap(start, end) {
            return Err(page);
        }
        self.count += end - start;
        let (mut first, mut behind) = (start, end);
        if let Some((&before, &touching)) = self.ranges.range(..start).next_back()
            && touching == start
        {
            first = before;
        }
        if let Some(after) = self.ranges.remove(&end) {
            behind = after;
        }
        self.ranges.insert(first, behind);
        Ok(())
    }

    /// The first page from `start` to below `end` that is in the set.
    pub(crate) fn overlap(&self, start: u64, end: u64) -> Option<u64> {
        let (&first, &behind) = self.ranges.range(..end).next_back()?;
        if behind <= start {
            return None;
        }
        // An earlier range may overlap as well: the first page is asked for.
        match self.ranges.range(..=start).next_back() {
            Some((_, &behind)) if behind > start => Some(start),
            _ => {
                let inside = self.ranges.range(start..end).next();
                Some(inside.map_or(first, |(page, _)| *page))
            }
        }
    }

    /// How many pages are in it.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_in_the_set_once() {
        let mut set = PageSet::default();
        for (start, end) in [(5, 7), (1, 2), (7, 9), (2, 5), (20, 30)] {
            assert_eq!(set.insert(start, end), Ok(()));
        }
        assert_eq!(set.ranges, BTreeMap::from([(1, 9), (20, 30)]));
        assert_eq!(set.count(), 18);
        for (start, end, page) in [(0, 2, 1), (8, 9, 8), (3, 25, 3), (9, 40, 20), (29, 31, 29)] {
            assert_eq!(set.insert(start, end), Err(page));
        }
        assert_eq!(set.insert(9, 20), Ok(()));
        assert_eq!(set.ranges, BTreeMap::from([(1, 30)]));
    }
}
