//! Verifies the pages of a file that redb would trust.
//!
//! After a crash, redb verifies all pages of a file to find out which of them are in use. A file that was closed
//! cleanly records that, and redb trusts the record. So the file is verified here, before redb reads its first page, in
//! one walk over all pages; redb's own check takes three.
//!
//! Without the check at opening, only two things are verified here: redb's own tables, which redb uses when it opens
//! and closes a file, and the list of the store's tables. Each other page is verified when redb reads it
//! ([`expected`](crate::redb_file::expected)). Nothing is written to a tree with a damaged page. Otherwise damage would
//! spread:
//!
//! - redb would overwrite pages in use if its record of free pages were wrong;
//! - a page that is damaged, or old because its last write was lost, would be rewritten with valid
//!   checksums, and what it hides would be lost for good;
//! - if a branch page refers to a free page, redb may write an ancestor there, so that the page becomes its
//!   own descendant. redb's commit then panics while it holds a lock, its clean-up panics because of that
//!   lock, and two panics at once end the process.

use std::io;
use std::ops::Range;

use crate::model::error::{Error, Result};
use crate::redb_file::ahead::Ahead;
use crate::redb_file::fault::OrIo;
use crate::redb_file::layout::{Commit, HEADER_BYTES, Layout, PAGE_BYTES, PageRef, ROOT_BYTES};
use crate::redb_file::page::{HEAD_MAX_BYTES, Page, Widths};

/// The most pages of a tree that are verified in the order of their places: with many more, the list of them takes more
/// memory than a small host has to spare.
const BATCH_MAX_COUNT: usize = 1 << 18;

/// A file that can be read at any offset.
pub(crate) trait ReadAt {
    fn len(&self) -> io::Result<u64>;
    fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()>;
}

/// Which pages are verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The pages of redb's own tables.
    OwnTables,
    /// All pages in use.
    AllPages,
}

/// Verifies the pages of the commit that redb trusts, if there is one, and returns it. `told` receives the progress,
/// from 0 to 1.
///
/// # Errors
///
/// `Corrupt` if a page is damaged; `Io`.
pub(crate) fn verify_unseen(
    file: &impl ReadAt,
    extent: Extent,
    told: &dyn Fn(f64),
) -> Result<Option<Commit>> {
    let Some(commit) = last_commit(file)? else {
        return Ok(None);
    };
    verify(file, &commit, extent, told)?;
    Ok(Some(commit))
}

/// Verifies these pages of a commit.
///
/// # Errors
///
/// `Corrupt` if a page is damaged; `Io`.
pub(crate) fn verify(
    file: &impl ReadAt,
    commit: &Commit,
    extent: Extent,
    told: &dyn Fn(f64),
) -> Result<()> {
    let mut walk = Walk::new(file, commit.layout, told)?;
    walk.all_tables(commit.own_tables)?;
    if extent == Extent::AllPages {
        walk.all_tables(commit.tables)?;
    }
    Ok(())
}

/// Returns the roots of the store's tables. The list of these tables is verified.
///
/// # Errors
///
/// `Corrupt` if the list is damaged; `Io`.
pub(crate) fn roots(file: &impl ReadAt, commit: &Commit) -> Result<Vec<(PageRef, Widths)>> {
    let mut walk = Walk::new(file, commit.layout, &|_| {})?;
    let tables = walk.tables(commit.tables)?.into_iter();
    Ok(tables
        .filter_map(|table| Some((table.root?, table.widths)))
        .collect())
}

/// The error for a page with the wrong content.
pub(crate) fn damaged_page(offset: u64) -> Error {
    Error::corrupt(format!(
        "the file is damaged: the page at byte {offset} is not what was written there"
    ))
}

/// Visits all pairs of one of the store's tables that are in verified pages, reached through verified pages. Damaged
/// pages are skipped.
///
/// # Errors
///
/// `Corrupt` if there is no commit, or its list of tables is damaged; `Io`.
pub(crate) fn visit_intact(
    file: &impl ReadAt,
    table: &str,
    visit: &mut dyn FnMut(&[u8], &[u8]),
) -> Result<()> {
    let commit = last_commit(file)?
        .ok_or_else(|| Error::corrupt("the header does not say which commit was the last"))?;
    visit_intact_of(file, &commit, table, visit)
}

/// Visits the intact pairs of this commit.
pub(crate) fn visit_intact_of(
    file: &impl ReadAt,
    commit: &Commit,
    table: &str,
    visit: &mut dyn FnMut(&[u8], &[u8]),
) -> Result<()> {
    let mut walk = Walk::new(file, commit.layout, &|_| {})?;
    let tables = walk.tables(commit.tables)?;
    for found in tables.iter().filter(|found| found.name == table.as_bytes()) {
        let mut next = Vec::from_iter(found.root);
        while let Some(page) = next.pop() {
            match walk.verified(&page, found.widths) {
                Ok(page) => {
                    page.pairs()
                        .flatten()
                        .for_each(|(key, value)| visit(key, value));
                    next.extend(page.children());
                }
                Err(error) if error.is_corrupt() => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Returns the commit that redb trusts, if there is one.
///
/// # Errors
///
/// `Io`.
pub(crate) fn last_commit(file: &impl ReadAt) -> Result<Option<Commit>> {
    Ok(header(file)?.and_then(|header| Commit::taken_unseen(&header)))
}

/// Returns the header of a file; `None` if the file is too short to have one.
///
/// # Errors
///
/// `Io`.
pub(crate) fn header(file: &impl ReadAt) -> Result<Option<[u8; HEADER_BYTES]>> {
    let mut header = [0; HEADER_BYTES];
    if file.len().or_io()? < header.len() as u64 {
        return Ok(None);
    }
    file.read(0, &mut header).or_io()?;
    Ok(Some(header))
}

/// The first byte of the definition of a table.
const TABLE: u8 = 3;
/// The first byte of the definition of a multimap.
const MULTIMAP: u8 = 4;

struct Table {
    name: Vec<u8>,
    root: Option<PageRef>,
    widths: Widths,
}

impl Table {
    /// redb's definition of a table: its type, its number of pairs, whether it has a root, and the root;
    /// then, for keys and for values, whether they have a fixed width, and the width. (redb's source,
    /// `InternalTableDefinition`.)
    fn parse(name: &[u8], definition: &[u8]) -> Option<Self> {
        let (&[TABLE, ..], rest) = definition.split_first_chunk::<9>()? else {
            return None;
        };
        let (has_root, rest) = rest.split_first()?;
        let (root, rest) = rest.split_at_checked(ROOT_BYTES)?;
        let (key_bytes, rest) = width(rest)?;
        let (value_bytes, _) = width(rest)?;
        Some(Self {
            name: name.to_vec(),
            root: PageRef::root(root).filter(|_| *has_root != 0),
            widths: Widths {
                key_bytes,
                value_bytes,
            },
        })
    }
}

fn width(bytes: &[u8]) -> Option<(Option<usize>, &[u8])> {
    let (is_fixed, rest) = bytes.split_first()?;
    let (width, rest) = rest.split_first_chunk()?;
    let width = usize::try_from(u32::from_le_bytes(*width)).ok()?;
    Some(((*is_fixed != 0).then_some(width), rest))
}

/// A walk over the trees of one commit.
struct Walk<'f, F> {
    file: &'f F,
    layout: Layout,
    file_bytes: u64,
    /// The bytes of the pages so far. They must not exceed the file: a forged file must not lead in circles.
    seen_bytes: u64,
    told: &'f dyn Fn(f64),
}

impl<'f, F: ReadAt> Walk<'f, F> {
    fn new(file: &'f F, layout: Layout, told: &'f dyn Fn(f64)) -> Result<Self> {
        Ok(Self {
            file,
            layout,
            file_bytes: file.len().or_io()?,
            seen_bytes: 0,
            told,
        })
    }

    /// Verifies all pages of a tree of tables, and of its tables.
    fn all_tables(&mut self, root: Option<PageRef>) -> Result<()> {
        for table in self.tables(root)? {
            self.whole_tree(table.root, table.widths)?;
        }
        Ok(())
    }

    /// Verifies all pages of a tree, many at a time in the order of their places.
    fn whole_tree(&mut self, root: Option<PageRef>, widths: Widths) -> Result<()> {
        let mut next = Vec::from_iter(root);
        let mut ahead = Ahead::default();
        while !next.is_empty() {
            let batch = next.split_off(next.len().saturating_sub(BATCH_MAX_COUNT));
            let placed = batch.into_iter().map(|page| Ok((self.place(&page)?, page)));
            let mut batch = placed.collect::<Result<Vec<_>>>()?;
            batch.sort_unstable_by_key(|(place, _)| place.start);
            let mut rest = batch.as_slice();
            while let Some(((place, page), others)) = rest.split_first() {
                if ahead.get(place).is_none() {
                    let places = rest.iter().map(|(place, _)| place);
                    ahead.read(self.file, places).or_io()?;
                }
                match ahead.get(place) {
                    Some(bytes) => {
                        self.count(place)?;
                        let read = checked(page, place, Page::new(bytes, widths))?;
                        next.extend(read.children());
                    }
                    None => next.extend(self.verified(page, widths)?.children()),
                }
                rest = others;
            }
        }
        Ok(())
    }

    /// Returns the tables in a tree of tables, and verifies all pages of that tree.
    ///
    /// Multimaps are skipped: no store has one, and a file that is not a store is refused later.
    fn tables(&mut self, root: Option<PageRef>) -> Result<Vec<Table>> {
        let damaged = || Error::corrupt("the file is damaged: its list of tables cannot be read");
        let mut tables = Vec::new();
        self.all_pages(root, Widths::default(), |page| {
            for pair in page.pairs() {
                let (name, definition) = pair.ok_or_else(damaged)?;
                if definition.first() != Some(&MULTIMAP) {
                    tables.push(Table::parse(name, definition).ok_or_else(damaged)?);
                }
            }
            Ok(())
        })?;
        Ok(tables)
    }

    /// Verifies all pages of a tree, and visits its leaves.
    fn all_pages(
        &mut self,
        root: Option<PageRef>,
        widths: Widths,
        mut leaf: impl FnMut(&Page) -> Result<()>,
    ) -> Result<()> {
        let mut next = Vec::from_iter(root);
        while let Some(page) = next.pop() {
            let page = self.verified(&page, widths)?;
            if page.is_leaf() {
                leaf(&page)?;
            }
            next.extend(page.children());
        }
        Ok(())
    }

    /// Reads and verifies a page.
    ///
    /// Reads only what its head says is in use, and not beyond the end of the file.
    fn verified(&mut self, page: &PageRef, widths: Widths) -> Result<Page> {
        let place = self.place(page)?;
        self.count(&place)?;
        let damaged = || damaged_page(place.start);
        let mut read = Page::new(self.bytes(&place, PAGE_BYTES)?, widths);
        if read.used_bytes().is_none() {
            read = Page::new(self.bytes(&place, HEAD_MAX_BYTES)?, widths);
        }
        let used_bytes = read.used_bytes().ok_or_else(damaged)?;
        if read.used().is_none() {
            read = Page::new(self.bytes(&place, used_bytes)?, widths);
        }
        checked(page, &place, read)
    }

    /// Returns the first bytes of a page, at most its length.
    fn bytes(&self, place: &Range<u64>, bytes: u64) -> Result<Vec<u8>> {
        let bytes = bytes.min(place.end - place.start);
        let mut read = vec![0; usize::try_from(bytes).unwrap_or(0)];
        self.file.read(place.start, &mut read).or_io()?;
        Ok(read)
    }

    /// Counts a page, and reports every hundredth of the file. Fails if there cannot be that many.
    fn count(&mut self, place: &Range<u64>) -> Result<()> {
        let damaged = || damaged_page(place.start);
        let hundredths = |seen: u64| seen / (self.file_bytes / 100).max(1);
        let seen = self.seen_bytes.checked_add(place.end - place.start);
        let seen = seen.ok_or_else(damaged)?;
        if self.seen_bytes == 0 || hundredths(seen) > hundredths(self.seen_bytes) {
            (self.told)(self.seen_bytes as f64 / self.file_bytes as f64);
        }
        self.seen_bytes = seen;
        (seen <= self.file_bytes).then_some(()).ok_or_else(damaged)
    }

    fn place(&self, page: &PageRef) -> Result<Range<u64>> {
        let place = self.layout.place(page).ok_or_else(|| {
            Error::corrupt("the file is damaged: it refers to a page that no file can have")
        })?;
        if place.end <= self.file_bytes {
            return Ok(place);
        }
        Err(Error::corrupt(format!(
            "the file is damaged: it refers to a page at byte {}, beyond its end at byte {}",
            place.start, self.file_bytes
        )))
    }
}

/// Returns a page as it was read from its place, if its checksum holds.
fn checked<B: AsRef<[u8]>>(page: &PageRef, place: &Range<u64>, read: Page<B>) -> Result<Page<B>> {
    match read.used() {
        Some(used) if page.holds(used) => Ok(read),
        _ => Err(damaged_page(place.start)),
    }
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;
    use redb::{Builder, ReadableDatabase, ReadableTableMetadata, StorageBackend};

    use super::*;
    use crate::records::keys;
    use crate::redb_file::page::BRANCH;

    impl ReadAt for Vec<u8> {
        fn len(&self) -> io::Result<u64> {
            Ok(self.len() as u64)
        }

        fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
            let at = usize::try_from(at).unwrap();
            let bytes = self.get(at..at + out.len());
            out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        }
    }

    /// A file that outlives its redb database.
    #[derive(Clone, Debug, Default)]
    struct SharedFile(std::sync::Arc<InMemoryBackend>);

    impl StorageBackend for SharedFile {
        fn len(&self) -> io::Result<u64> {
            self.0.len()
        }
        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.0.read(offset, out)
        }
        fn set_len(&self, len: u64) -> io::Result<()> {
            self.0.set_len(len)
        }
        fn sync_data(&self) -> io::Result<()> {
            self.0.sync_data()
        }
        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.0.write(offset, data)
        }
    }

    impl SharedFile {
        fn bytes(&self) -> Vec<u8> {
            let mut bytes = vec![0; usize::try_from(self.0.len().unwrap()).unwrap()];
            self.0.read(0, &mut bytes).unwrap();
            bytes
        }
    }

    fn unseen(file: &Vec<u8>) -> Result<Option<Commit>> {
        verify_unseen(file, Extent::OwnTables, &|_| {})
    }

    const TABLES: [keys::Table; 2] = [keys::RECORDS, keys::META];

    /// A closed file of two tables, with this many rows in the first, of which every third was removed.
    fn closed(rows: u32, value_bytes: usize) -> (SharedFile, Vec<u8>) {
        let shared = SharedFile::default();
        let db = Builder::new().create_with_backend(shared.clone()).unwrap();
        let key = |row: u32| format!("{:0>120}", row.wrapping_mul(2_654_435_761));
        for step in [1, 3] {
            let txn = db.begin_write().unwrap();
            txn.open_table(TABLES[1]).unwrap();
            {
                let mut table = txn.open_table(TABLES[0]).unwrap();
                for row in (0..rows).step_by(step) {
                    let key = key(row);
                    match step {
                        1 => {
                            let value = vec![7; value_bytes * (1 + row as usize % 3)];
                            table.insert(key.as_bytes(), value.as_slice()).unwrap()
                        }
                        _ => table.remove(key.as_bytes()).unwrap(),
                    };
                }
            }
            txn.commit().unwrap();
        }
        drop(db);
        let bytes = shared.bytes();
        (shared, bytes)
    }

    /// The checksummed ranges of all pages, of redb's own tables or the store's.
    fn pages(file: &Vec<u8>, own: bool) -> Vec<Range<usize>> {
        let commit = unseen(file).unwrap().unwrap();
        let mut walk = Walk::new(file, commit.layout, &|_| {}).unwrap();
        let mut next: Vec<_> = match own {
            true => commit.own_tables,
            false => commit.tables,
        }
        .map(|root| (root, Widths::default()))
        .into_iter()
        .collect();
        let tables = walk.tables(next.first().map(|(root, _)| *root)).unwrap();
        next.extend(
            tables
                .iter()
                .filter_map(|table| Some((table.root?, table.widths))),
        );
        let mut pages = Vec::new();
        while let Some((page, widths)) = next.pop() {
            let start = usize::try_from(walk.place(&page).unwrap().start).unwrap();
            let page = walk.verified(&page, widths).unwrap();
            pages.push(start..start + page.used().unwrap().len());
            next.extend(page.children().into_iter().map(|child| (child, widths)));
        }
        pages
    }

    /// Whether verification refuses the commit that redb trusts.
    fn is_refused(file: &Vec<u8>) -> bool {
        let verified = unseen(file).and_then(|commit| match commit {
            Some(commit) => verify(file, &commit, Extent::AllPages, &|_| {}),
            None => Ok(()),
        });
        verified.is_err_and(|error| {
            assert!(error.is_corrupt(), "{error:#}");
            true
        })
    }

    #[test]
    fn every_page_of_a_healthy_file_is_looked_at_and_no_alarm_is_raised() {
        for (rows, value_bytes) in [
            (0, 0),
            (1, 10),
            (40, 10),
            (3_000, 0),
            (3_000, 30),
            (900, 3_000),
        ] {
            let (shared, file) = closed(rows, value_bytes);
            let commit = unseen(&file).unwrap().unwrap();
            verify(&file, &commit, Extent::AllPages, &|_| {}).unwrap();
            let mut walk = Walk::new(&file, commit.layout, &|_| {}).unwrap();
            walk.all_tables(commit.tables).unwrap();
            let db = Builder::new().create_with_backend(shared).unwrap();
            let txn = db.begin_read().unwrap();
            let mut pages_bytes = PAGE_BYTES; // the list of the tables, one leaf
            for table in TABLES {
                let stats = txn.open_table(table).unwrap().stats().unwrap();
                pages_bytes +=
                    stats.stored_bytes() + stats.metadata_bytes() + stats.fragmented_bytes();
            }
            assert_eq!(
                walk.seen_bytes, pages_bytes,
                "{rows} rows of {value_bytes} bytes"
            );
        }
    }

    #[test]
    fn a_flipped_byte_in_any_page_is_corrupt() {
        let (_, file) = closed(900, 300);
        let (own, ours) = (pages(&file, true), pages(&file, false));
        assert!(own.len() > 3 && ours.len() > 100, "{own:?} {}", ours.len());
        for (nth, page) in own.iter().chain(&ours).enumerate() {
            let inside = page.start + (nth * 37) % page.len();
            for at in [page.start, inside, page.end - 1] {
                let mut damaged = file.clone();
                damaged[at] ^= 1 << (nth % 8);
                assert!(is_refused(&damaged), "byte {at} of the page at {page:?}");
                let verified = verify_unseen(&damaged, Extent::AllPages, &|_| {});
                assert!(verified.unwrap_err().is_corrupt(), "byte {at}");
                let is_own = nth < own.len();
                assert_eq!(unseen(&damaged).is_err(), is_own, "byte {at} of {page:?}");
            }
        }
    }

    #[test]
    fn a_page_that_holds_what_another_held_or_itself_before_is_corrupt() {
        let (_, file) = closed(900, 300);
        let ours = pages(&file, false);
        for pair in ours.windows(2) {
            let (page, other) = (pair[0].start, pair[1].start);
            let mut damaged = file.clone();
            damaged.copy_within(other..other + 4096, page);
            assert!(is_refused(&damaged), "{other} at {page}");
        }
    }

    #[test]
    fn a_child_that_is_another_page_of_the_file_is_corrupt() {
        let (_, file) = closed(900, 300);
        let mut moved = 0;
        for page in pages(&file, false) {
            if file[page.start] != BRANCH {
                continue;
            }
            let children = usize::from(file[page.start + 2]) + 1;
            let numbers = page.start + 8 + 16 * children;
            for child in 0..children.min(5) {
                for to in 0..file.len() / 4096 {
                    let mut damaged = file.clone();
                    let number = u32::try_from(to).unwrap().to_le_bytes();
                    let at = numbers + 8 * child;
                    if damaged[at..at + 2] != number[..2] {
                        damaged[at..at + 2].copy_from_slice(&number[..2]);
                        assert!(is_refused(&damaged), "child {child} of {page:?} to {to}");
                        moved += 1;
                    }
                }
            }
        }
        assert!(moved > 500, "{moved}");
    }

    #[test]
    fn how_far_verifying_is_rises_from_nothing_towards_all() {
        let (_, file) = closed(2_000, 300);
        let told = std::cell::RefCell::new(Vec::new());
        let tell = |done| told.borrow_mut().push(done);
        verify_unseen(&file, Extent::AllPages, &tell).unwrap();
        let told = told.take();
        assert!(told.first() == Some(&0.0) && told.len() > 20, "{told:?}");
        assert!(told.is_sorted() && told.last() < Some(&1.0), "{told:?}");
    }

    #[test]
    fn a_file_that_was_not_closed_is_left_to_redb() {
        let shared = SharedFile::default();
        let db = Builder::new().create_with_backend(shared.clone()).unwrap();
        let new = unseen(&shared.bytes()).unwrap().unwrap();
        assert_eq!((new.tables, new.own_tables), (None, None));
        let txn = db.begin_write().unwrap();
        txn.open_table(TABLES[0]).unwrap();
        txn.commit().unwrap();
        assert_eq!(unseen(&shared.bytes()).unwrap(), None);
        let mut txn = db.begin_write().unwrap();
        txn.set_quick_repair(true);
        txn.open_table(TABLES[1]).unwrap();
        txn.commit().unwrap();
        assert!(unseen(&shared.bytes()).unwrap().is_some(), "a checkpoint");
        for short in [0, 1, 319] {
            assert_eq!(unseen(&vec![0; short]).unwrap(), None);
        }
    }
}
