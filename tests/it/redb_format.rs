//! redb's file format, as far as the suites damage files in certain places.
//!
//! The library has these constants too, but does not publish them. They stand here a second time on purpose: a suite
//! must not inherit a wrong one. The test below compares them with files that redb wrote.
//!
//! redb's design document describes them: "Database header", "Commit slot", "Leaf page", "Branch page".

/// The size of the smallest page. All pages begin at multiples of it.
pub(crate) const PAGE_BYTES: usize = 4096;

/// Where the commit slots begin.
pub(crate) const SLOTS_AT: usize = 64;
pub(crate) const SLOT_BYTES: usize = 128;
/// The header with both slots.
pub(crate) const HEADER_BYTES: usize = SLOTS_AT + 2 * SLOT_BYTES;

pub(crate) const FLAGS_AT: usize = 9;
pub(crate) const FLAG_SECOND_SLOT: u8 = 1;
pub(crate) const FLAG_UNCLEAN: u8 = 2;
pub(crate) const FLAG_TWO_PHASES: u8 = 4;

/// The first byte of a page of each kind.
pub(crate) const LEAF: u8 = 1;
pub(crate) const BRANCH: u8 = 2;
/// Before the ends of the keys of a leaf.
pub(crate) const LEAF_HEAD_BYTES: usize = 4;
/// Where a key, or a value, ends.
pub(crate) const END_BYTES: usize = 4;
/// Before the checksums of the children of a branch.
pub(crate) const BRANCH_HEAD_BYTES: usize = 8;
pub(crate) const CHECKSUM_BYTES: usize = 16;
pub(crate) const PAGE_NUMBER_BYTES: usize = 8;

/// How many pairs a leaf has, or keys a branch.
pub(crate) fn count(page: &[u8]) -> usize {
    usize::from(u16::from_le_bytes([page[2], page[3]]))
}

mod tests {
    use std::path::Path;

    use redb::{Database, TableDefinition};

    use super::*;

    const ROWS: TableDefinition<'_, &str, &str> = TableDefinition::new("rows");

    /// Rows on several pages, in one commit of two phases.
    fn with_rows(path: &Path) -> Database {
        let db = Database::create(path).unwrap();
        let mut txn = db.begin_write().unwrap();
        txn.set_two_phase_commit(true);
        let mut table = txn.open_table(ROWS).unwrap();
        for row in 0..500 {
            let key = format!("key-{row:05}");
            table.insert(key.as_str(), "value").unwrap();
        }
        drop(table);
        txn.commit().unwrap();
        db
    }

    /// The number that begins there.
    fn number(bytes: &[u8], at: usize) -> usize {
        usize::try_from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())).unwrap()
    }

    #[test]
    fn files_of_redb_are_laid_out_as_these_constants_say() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.redb");
        let db = with_rows(&path);
        let open = std::fs::read(&path).unwrap();
        assert_eq!(
            open[FLAGS_AT] & !FLAG_SECOND_SLOT,
            FLAG_UNCLEAN | FLAG_TWO_PHASES
        );
        drop(db);
        let closed = std::fs::read(&path).unwrap();
        assert_eq!(closed[FLAGS_AT] & FLAG_UNCLEAN, 0);
        assert_eq!(number(&closed, 12), PAGE_BYTES);

        // Each slot has the version of the format, and the checksums of two commits differ.
        let slots = &closed[SLOTS_AT..HEADER_BYTES];
        let (first, second) = slots.split_at(SLOT_BYTES);
        assert_eq!((first[0], second[0]), (3, 3));
        assert_ne!(
            first[SLOT_BYTES - CHECKSUM_BYTES..],
            second[SLOT_BYTES - CHECKSUM_BYTES..]
        );
        assert!(
            closed[HEADER_BYTES..PAGE_BYTES]
                .iter()
                .all(|byte| *byte == 0)
        );
        let newest = match closed[FLAGS_AT] & FLAG_SECOND_SLOT {
            0 => first,
            _ => second,
        };
        let older = if newest == first { second } else { first };
        let commit = |slot: &[u8]| u64::from_le_bytes(slot[104..112].try_into().unwrap());
        assert!(commit(newest) > commit(older));
    }

    #[test]
    fn pages_of_redb_are_laid_out_as_these_constants_say() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.redb");
        drop(with_rows(&path));
        let bytes = std::fs::read(&path).unwrap();
        let begins_with_a_key = |page: &[u8], keys: usize| page[keys..].starts_with(b"key-");
        let is_leaf = |page: &[u8]| {
            let keys = LEAF_HEAD_BYTES + 2 * END_BYTES * count(page);
            page[0] == LEAF && begins_with_a_key(page, keys)
        };
        // The pages of a region's head come first, after the header.
        let first = 1 + number(&bytes, 16);
        let mut leaves = 0;
        for page in bytes.chunks(PAGE_BYTES).skip(first) {
            let children = count(page) + 1;
            let numbers = BRANCH_HEAD_BYTES + CHECKSUM_BYTES * children;
            let ends = numbers + PAGE_NUMBER_BYTES * children;
            let keys = ends + END_BYTES * (children - 1);
            if page[0] != BRANCH || !begins_with_a_key(page, keys) {
                continue;
            }
            for child in 0..children {
                let index = number(page, numbers + PAGE_NUMBER_BYTES * child);
                let at = (first + index) * PAGE_BYTES;
                assert!(is_leaf(&bytes[at..at + PAGE_BYTES]));
                leaves += 1;
            }
        }
        assert!(leaves > 2, "{leaves}");
    }
}
