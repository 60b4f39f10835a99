//! What each unread page must hold, and which damage is known.
//!
//! redb's trees are Merkle trees: the header has the checksums of the roots, and a branch page those of its children.
//! So a page can be verified when redb first reads it. At opening, the roots of the store's tables are expected here.
//! An expected page is verified when it is read. From then on it is trusted, and its children are expected. What this
//! process writes is trusted, and no longer expected.
//!
//! So the expected pages are always a border: every page of the last commit is known, expected, or reached only through
//! an expected page. Two properties prevent false alarms:
//!
//! - redb reads a branch page before it frees a page below it, so no page is free while it is expected, unless its
//!   parent was read. redb writes all of a free page before it reads the page again.
//! - An alarm counts only if the page is still expected afterwards. Meanwhile the page may have been verified, freed,
//!   and overwritten.
//!
//! A page takes about 100 bytes here while it is expected, and nothing afterwards: at most as many pages are expected
//! as the tables have leaves. Reads take no lock once nothing is expected.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::model::error::{Error, Result};
use crate::redb_file::layout::{Layout, PageRef};
use crate::redb_file::page::{Page, Widths};

/// What a page must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expectation {
    page: PageRef,
    bytes: u64,
    pub(super) widths: Widths,
}

impl Expectation {
    /// The length of the page.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether these are the bytes of the page.
    fn holds<B: AsRef<[u8]>>(&self, page: &Page<B>) -> bool {
        page.used().is_some_and(|used| self.page.holds(used))
    }
}

/// The pages that are expected, by their offset.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// Whether there are any.
    is_any: AtomicBool,
    pages: Mutex<BTreeMap<u64, Expectation>>,
    layout: OnceLock<Layout>,
}

impl Expected {
    /// Expects these pages from now on.
    pub(super) fn begin(&self, layout: Layout, roots: &[(PageRef, Widths)]) {
        let layout = self.layout.get_or_init(|| layout);
        let mut pages = self.lock();
        for (root, widths) in roots {
            expect(&mut pages, layout, *root, *widths);
        }
        self.is_any.store(!pages.is_empty(), Ordering::Release);
    }

    /// Returns what the page at this offset must hold; `None` if it is not expected.
    pub(super) fn at(&self, offset: u64) -> Option<Expectation> {
        if !self.is_any() {
            return None;
        }
        self.lock().get(&offset).copied()
    }

    /// Returns any expected page and its offset.
    pub(super) fn next(&self) -> Option<(u64, Expectation)> {
        let pages = self.lock();
        pages.first_key_value().map(|(at, page)| (*at, *page))
    }

    /// Whether any page is expected.
    pub(super) fn is_any(&self) -> bool {
        self.is_any.load(Ordering::Acquire)
    }

    /// Verifies what was read at an offset, and then expects its children. Returns false if it is not what the page
    /// must hold.
    pub(super) fn confirm(&self, offset: u64, expected: &Expectation, read: &[u8]) -> bool {
        let page = Page::new(read, expected.widths);
        let holds = expected.holds(&page);
        let children = match holds {
            true => page.children(),
            false => Vec::new(),
        };
        let mut pages = self.lock();
        if pages.get(&offset) != Some(expected) {
            return true; // It was verified or written meanwhile.
        }
        if holds {
            pages.remove(&offset);
            if let Some(layout) = self.layout.get() {
                for child in children {
                    expect(&mut pages, layout, child, expected.widths);
                }
            }
            self.is_any.store(!pages.is_empty(), Ordering::Release);
        }
        holds
    }

    /// Returns the range of a page in the file.
    pub(super) fn place(&self, page: &PageRef) -> Option<Range<u64>> {
        self.layout.get()?.place(page)
    }

    /// Stops expecting the pages in this range: this process writes there.
    pub(super) fn forget(&self, range: Range<u64>) {
        if !self.is_any() {
            return;
        }
        let mut pages = self.lock();
        let found: Vec<_> = pages.range(range).map(|(offset, _)| *offset).collect();
        for offset in found {
            pages.remove(&offset);
        }
        self.is_any.store(!pages.is_empty(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Expectation>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Expects a page. A page that no file can have is left to redb, which cannot read it either.
fn expect(pages: &mut BTreeMap<u64, Expectation>, layout: &Layout, page: PageRef, widths: Widths) {
    if let Some(place) = layout.place(&page) {
        let bytes = place.end - place.start;
        let expected = Expectation {
            page,
            bytes,
            widths,
        };
        pages.insert(place.start, expected);
    }
}

/// The damage that was found in an open file.
///
/// redb must not change a tree with a damaged page. It must not get an error for the page either, since it refuses all
/// work after one. So if no change is in progress, redb gets the bytes as they are, and no change may begin from then
/// on. A thread that notes damage and a thread that begins a change each raise a flag, and then look at the other flag.
/// So at least one of them sees the other.
#[derive(Debug, Default)]
pub(super) struct Damage {
    is_noted: AtomicBool,
    first: OnceLock<Error>,
    /// The keys of all rows in damaged pages and below them.
    doubtful: Mutex<BTreeSet<Vec<u8>>>,
    /// How many changes of the trees are in progress.
    changing: AtomicUsize,
}

impl Damage {
    /// Notes damage, and the keys of the rows that may not be what was written. Returns whether a change of the trees
    /// is in progress.
    pub(super) fn note(&self, error: Error, keys: impl IntoIterator<Item = Vec<u8>>) -> bool {
        let doubtful = self.doubtful.lock();
        doubtful
            .unwrap_or_else(PoisonError::into_inner)
            .extend(keys);
        if self.first.get().is_none() {
            tracing::error!(%error, "the file is damaged: nothing more is written to it");
        }
        self.first.get_or_init(|| error);
        self.is_noted.store(true, Ordering::SeqCst);
        self.changing.load(Ordering::SeqCst) > 0
    }

    /// Returns the damage that was noted first.
    pub(super) fn noted(&self) -> Option<&Error> {
        match self.is_noted.load(Ordering::SeqCst) {
            true => self.first.get(),
            false => None,
        }
    }

    /// Whether the row under this key may be an older version, or may never have existed.
    pub(super) fn is_doubtful(&self, key: &[u8]) -> bool {
        let doubtful = self.doubtful.lock();
        doubtful
            .unwrap_or_else(PoisonError::into_inner)
            .contains(key)
    }

    /// Begins a change of the trees, which lasts until the result is dropped.
    pub(super) fn begin_change(&self) -> Result<Changing<'_>> {
        self.changing.fetch_add(1, Ordering::SeqCst);
        let changing = Changing(self);
        match self.noted() {
            Some(error) => Err(error.clone()),
            None => Ok(changing),
        }
    }
}

/// A change of the trees, which lasts until this is dropped.
#[derive(Debug)]
pub(crate) struct Changing<'a>(&'a Damage);

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.0.changing.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redb_file::layout::HEADER_BYTES;

    fn expected_at(offset: u64) -> (Expected, Expectation) {
        let expected = Expected::default();
        let page = Expectation {
            page: PageRef::new([0; 8], [7; 16]),
            bytes: 4096,
            widths: Widths::default(),
        };
        expected.lock().insert(offset, page);
        expected.is_any.store(true, Ordering::Release);
        (expected, page)
    }

    #[test]
    fn a_write_ends_what_is_expected_in_its_range_only() {
        for (range, is_left) in [
            (4096..8192, true),
            (12288..16384, true),
            (0..HEADER_BYTES as u64, true),
            (8192..12288, false),
            (4096..12288, false),
            (0..u64::MAX, false),
        ] {
            let (expected, page) = expected_at(8192);
            expected.forget(range.clone());
            assert_eq!(expected.at(8192), is_left.then_some(page), "{range:?}");
            assert_eq!(expected.is_any(), is_left, "{range:?}");
        }
    }

    #[test]
    fn an_alarm_counts_only_while_the_page_is_expected() {
        let (expected, page) = expected_at(8192);
        assert!(!expected.confirm(8192, &page, &[0; 4096]));
        expected.forget(8192..12288);
        assert!(expected.confirm(8192, &page, &[0; 4096]));
        assert!(!expected.is_any(), "its children are not expected then");
    }

    #[test]
    fn who_notes_damage_and_who_begins_a_change_do_not_miss_each_other() {
        let damage = Damage::default();
        let changing = damage.begin_change().unwrap();
        assert!(damage.note(Error::corrupt("first"), [b"key".to_vec()]));
        drop(changing);
        assert!(!damage.note(Error::corrupt("second"), []));
        let error = damage.begin_change().unwrap_err();
        assert_eq!(error.to_string(), "first");
        assert!(!damage.note(Error::corrupt("third"), []));
        assert!(damage.is_doubtful(b"key") && !damage.is_doubtful(b"other"));
    }
}
