//! The header of a redb file: the layout of its pages, and the trees of the last commit.
//!
//! ```text
//! bytes 0-8       redb's magic number
//! byte 9          flags: 1 the newest commit is in slot 1, 2 the file was not closed, 4 the commit
//!                 was written in two phases, 8 the newest commit is not synced yet, so other processes
//!                 read the one before
//! bytes 12-15     bytes of a page (little endian, as all numbers): 4096
//! bytes 16-19     pages before the data of each region
//! bytes 20-23     pages of data in a full region
//! bytes 24-27     full regions
//! bytes 28-31     pages of data in the last region, if that is not a full one
//! bytes 64-191    commit slot 0
//! bytes 192-319   commit slot 1
//!
//! in a slot:
//! byte 0          version of the format: 3
//! byte 1, 2       whether there is a tree of our tables, and one of redb's own
//! bytes 8-39      root of our tables: number of its page, checksum, number of tables
//! bytes 40-71     root of redb's own tables
//! bytes 112-127   checksum over all bytes of the slot before it
//! ```
//!
//! A page has a number: 20 bits for its place in its region, 20 bits for the region, and, in the highest 5
//! bits, its order. It takes 4096 x 2^order bytes. (redb's design document, "Database header" and "Commit
//! slot"; and its source, for the bits of a number.)

use std::ops::Range;

use twox_hash::XxHash3_128;

/// Pages begin at multiples of this, which is also the size of the smallest page.
pub(crate) const PAGE_BYTES: u64 = 4096;

/// The size of the header.
pub(crate) const HEADER_BYTES: usize = 320;

const FLAGS_AT: usize = 9;
const FLAG_SECOND_SLOT: u8 = 1;
const FLAG_NOT_CLOSED: u8 = 2;
const FLAG_TWO_PHASES: u8 = 4;
const FLAG_NOT_SYNCED: u8 = 8;
const PAGE_BYTES_AT: usize = 12;
const REGION_HEAD_PAGES_AT: usize = 16;
const REGION_DATA_PAGES_AT: usize = 20;
const FULL_REGIONS_AT: usize = 24;
const LAST_DATA_PAGES_AT: usize = 28;
const SLOTS_AT: usize = 64;
const SLOT_BYTES: usize = 128;
const SLOT_CHECKSUM_AT: usize = SLOT_BYTES - CHECKSUM_BYTES;
const FORMAT_OF_REDB: u8 = 3;

/// The size of a checksum.
pub(crate) const CHECKSUM_BYTES: usize = 16;
/// The size of a page number.
pub(crate) const NUMBER_BYTES: usize = 8;
/// The size of a tree's root: the number of its page, its checksum, and how much is in the tree.
pub(crate) const ROOT_BYTES: usize = NUMBER_BYTES + CHECKSUM_BYTES + 8;

const INDEX_BITS: u32 = 20;
const ORDER_BITS: u32 = 5;
/// The order of the largest page: a whole region.
const ORDER_MAX: u64 = 20;

/// A parent's reference to a page: its number and its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageRef {
    number: u64,
    checksum: u128,
}

impl PageRef {
    pub(crate) fn new(number: [u8; NUMBER_BYTES], checksum: [u8; CHECKSUM_BYTES]) -> Self {
        Self {
            number: u64::from_le_bytes(number),
            checksum: u128::from_le_bytes(checksum),
        }
    }

    /// Reads the root of a tree at the beginning of `bytes`.
    pub(crate) fn root(bytes: &[u8]) -> Option<Self> {
        let (number, rest) = bytes.split_first_chunk()?;
        Some(Self::new(*number, *rest.first_chunk()?))
    }

    /// Whether these bytes have the checksum in the reference.
    pub(crate) fn holds(&self, used: &[u8]) -> bool {
        XxHash3_128::oneshot(used) == self.checksum
    }
}

/// The layout of the pages in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    region_head_pages: u32,
    region_data_pages: u32,
}

impl Layout {
    /// Returns the range of a page in the file; `None` if no file could hold it.
    pub(crate) fn place(&self, page: &PageRef) -> Option<Range<u64>> {
        let order = page.number >> (u64::BITS - ORDER_BITS);
        if order > ORDER_MAX {
            return None;
        }
        let field = (1 << INDEX_BITS) - 1;
        // A larger page has a smaller index. The bits that this frees are reserved.
        let index = page.number & (field >> order);
        let region = (page.number >> INDEX_BITS) & field;
        let bytes = PAGE_BYTES.checked_shl(u32::try_from(order).ok()?)?;
        let head_bytes = u64::from(self.region_head_pages) * PAGE_BYTES;
        let region_bytes = head_bytes + u64::from(self.region_data_pages) * PAGE_BYTES;
        let start = PAGE_BYTES
            .checked_add(region.checked_mul(region_bytes)?)?
            .checked_add(head_bytes)?
            .checked_add(index.checked_mul(bytes)?)?;
        Some(start..start.checked_add(bytes)?)
    }
}

/// Returns the least length of a file with this header. redb extends the file before it changes the header, and
/// shortens it afterwards.
pub(crate) fn least_bytes(header: &[u8; HEADER_BYTES]) -> Option<u64> {
    let field = |at| number(header, at).map(u64::from);
    let head_pages = field(REGION_HEAD_PAGES_AT)?;
    let full_pages = head_pages.checked_add(field(REGION_DATA_PAGES_AT)?)?;
    let last_pages = match field(LAST_DATA_PAGES_AT)? {
        0 => 0,
        pages => head_pages.checked_add(pages)?,
    };
    let pages = field(FULL_REGIONS_AT)?
        .checked_mul(full_pages)?
        .checked_add(last_pages)?
        .checked_add(1)?;
    pages.checked_mul(PAGE_BYTES)
}

/// The last commit, according to the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) layout: Layout,
    /// The tree of the store's tables.
    pub(crate) tables: Option<PageRef>,
    /// The tree of redb's own tables: pages that are free, and pages to be freed.
    pub(crate) own_tables: Option<PageRef>,
}

impl Commit {
    /// Returns the commit that redb trusts without verification, if there is one. redb reads the header itself, and
    /// refuses an invalid one.
    ///
    /// Such a commit was written in two phases, like any checkpoint and the last commit before a file is
    /// closed. Any other commit may have been cut short, and redb verifies all pages.
    pub(crate) fn taken_unseen(header: &[u8; HEADER_BYTES]) -> Option<Self> {
        let flags = *header.get(FLAGS_AT)?;
        if flags & FLAG_TWO_PHASES == 0 {
            return None;
        }
        Self::in_slot(header, flags & FLAG_SECOND_SLOT != 0)
    }

    /// Returns the last commit as seen by a process beside the writer: never one that is not synced.
    pub(crate) fn published(header: &[u8; HEADER_BYTES]) -> Option<Self> {
        let flags = *header.get(FLAGS_AT)?;
        if flags & FLAG_NOT_SYNCED == 0 {
            return Self::taken_unseen(header);
        }
        Self::in_slot(header, flags & FLAG_SECOND_SLOT == 0)
    }

    /// Returns both commits that the header names, the newest first, even if they were cut short.
    pub(crate) fn both(header: &[u8; HEADER_BYTES]) -> impl Iterator<Item = Self> {
        let is_second = header.get(FLAGS_AT).copied().unwrap_or_default() & FLAG_SECOND_SLOT != 0;
        let slots = [is_second, !is_second];
        slots
            .into_iter()
            .filter_map(|slot| Self::in_slot(header, slot))
    }

    fn in_slot(header: &[u8; HEADER_BYTES], is_second: bool) -> Option<Self> {
        if u64::from(number(header, PAGE_BYTES_AT)?) != PAGE_BYTES {
            return None;
        }
        let slot = header
            .get(SLOTS_AT + usize::from(is_second) * SLOT_BYTES..)?
            .first_chunk::<SLOT_BYTES>()?;
        let (content, checksum) = slot.split_at_checked(SLOT_CHECKSUM_AT)?;
        let checksum = u128::from_le_bytes(*checksum.first_chunk()?);
        if XxHash3_128::oneshot(content) != checksum {
            return None;
        }
        let &[FORMAT_OF_REDB, has_tables, has_own_tables, ..] = slot else {
            return None;
        };
        let [tables, own_tables] = [8, 8 + ROOT_BYTES].map(|at| PageRef::root(content.get(at..)?));
        Some(Self {
            layout: Layout {
                region_head_pages: number(header, REGION_HEAD_PAGES_AT)?,
                region_data_pages: number(header, REGION_DATA_PAGES_AT)?,
            },
            tables: tables.filter(|_| has_tables != 0),
            own_tables: own_tables.filter(|_| has_own_tables != 0),
        })
    }
}

/// Whether redb closed the file, after it synced everything else.
pub(crate) fn was_closed_well(header: &[u8; HEADER_BYTES]) -> bool {
    header
        .get(FLAGS_AT)
        .is_some_and(|flags| flags & FLAG_NOT_CLOSED == 0)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_where_its_number_says_and_none_is_larger_than_a_region() {
        let layout = Layout {
            region_head_pages: 1,
            region_data_pages: 8,
        };
        let place = |order: u64, region: u64, index: u64| {
            let number = order << 59 | region << 20 | index;
            layout.place(&PageRef::new(number.to_le_bytes(), [0; CHECKSUM_BYTES]))
        };
        assert_eq!(place(0, 0, 0), Some(8192..12288));
        assert_eq!(place(0, 2, 3), Some(4096 * 23..4096 * 24));
        assert_eq!(place(1, 0, 1), Some(4096 * 4..4096 * 6));
        assert_eq!(place(20, 0, 0), Some(8192..8192 + (4096 << 20)));
        for order in 21..32 {
            assert_eq!(place(order, 0, 0), None, "{order}");
        }
    }
}
