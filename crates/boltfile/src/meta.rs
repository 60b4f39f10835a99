//! The meta page: where everything else is.
//!
//! ```text
//!  0 magic u32 | 4 version u32 | 8 page size u32 | 12 flags u32
//! 16 root page u64 | 24 sequence of the root bucket u64
//! 32 freelist page u64, or u64::MAX for none
//! 40 high-water mark u64 | 48 transaction u64 | 56 checksum u64, FNV-1a of the first 56 bytes
//! ```
//!
//! It follows a page header. Pages 0 and 1 are meta pages; a commit writes one of them, in turns.

use crate::error::MetaFault;
use crate::limits::PAGE_SIZES;
use crate::page::BucketHeader;

pub(crate) const META_BYTES: usize = 64;

const MAGIC: u32 = 0xed0c_daed;
const VERSION: u32 = 2;
const NO_FREELIST: u64 = u64::MAX;

/// What a valid meta page says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Meta {
    /// The size of a page, in bytes.
    pub page_bytes: u32,
    /// The page at the root of the root bucket.
    pub root: u64,
    /// The sequence of the root bucket.
    pub sequence: u64,
    /// The page of the freelist; `None` if the file was written with `NoFreelistSync`.
    pub freelist: Option<u64>,
    /// The number of pages that have ever been in use: every page has an id below.
    pub high_water: u64,
    /// The number of the last commit.
    pub transaction: u64,
}

impl Meta {
    /// # Errors
    ///
    /// Whatever makes it invalid. Where the pages are that it names is not looked at.
    pub(crate) fn decode(bytes: &[u8; META_BYTES]) -> Result<Self, MetaFault> {
        let mut words = [0; 8];
        for (word, chunk) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*chunk);
        }
        let [
            start,
            size,
            root,
            sequence,
            freelist,
            high_water,
            transaction,
            found,
        ] = words;
        let (magic, version) = (start as u32, (start >> 32) as u32);
        let page_bytes = size as u32;
        let expected = checksum(bytes);
        if magic != MAGIC {
            Err(MetaFault::Magic { found: magic })
        } else if version != VERSION {
            Err(MetaFault::Version { found: version })
        } else if found != expected {
            Err(MetaFault::Checksum { expected, found })
        } else if !PAGE_SIZES.contains(&page_bytes) {
            Err(MetaFault::PageSize { found: page_bytes })
        } else {
            Ok(Self {
                page_bytes,
                root,
                sequence,
                freelist: (freelist != NO_FREELIST).then_some(freelist),
                high_water,
                transaction,
            })
        }
    }

    pub(crate) fn encode(&self) -> [u8; META_BYTES] {
        let mut words = [
            u64::from(MAGIC) | u64::from(VERSION) << 32,
            u64::from(self.page_bytes),
            self.root,
            self.sequence,
            self.freelist.unwrap_or(NO_FREELIST),
            self.high_water,
            self.transaction,
            0,
        ];
        let sum = checksum(&bytes_of(&words));
        if let Some(last) = words.last_mut() {
            *last = sum;
        }
        bytes_of(&words)
    }

    pub(crate) fn root_bucket(&self) -> BucketHeader {
        BucketHeader {
            root: self.root,
            sequence: self.sequence,
        }
    }

    /// The offset of a page in the file.
    pub(crate) fn offset(&self, page: u64) -> Option<u64> {
        page.checked_mul(u64::from(self.page_bytes))
    }
}

fn bytes_of(words: &[u64; 8]) -> [u8; META_BYTES] {
    let mut bytes = [0; META_BYTES];
    for (chunk, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
        *chunk = word.to_le_bytes();
    }
    bytes
}

/// FNV-1a of everything before the checksum itself.
fn checksum(bytes: &[u8; META_BYTES]) -> u64 {
    let covered = bytes.iter().take(META_BYTES - 8);
    covered.fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The meta page that counts: the valid one of the later transaction.
///
/// # Errors
///
/// What is wrong with each, if neither is valid.
pub(crate) fn latest(
    first: Result<Meta, MetaFault>,
    second: Result<Meta, MetaFault>,
) -> Result<Meta, [MetaFault; 2]> {
    match (first, second) {
        (Ok(first), Ok(second)) if second.transaction > first.transaction => Ok(second),
        (Ok(first), _) => Ok(first),
        (Err(_), Ok(second)) => Ok(second),
        (Err(first), Err(second)) => Err([first, second]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(transaction: u64) -> Meta {
        Meta {
            page_bytes: 4096,
            root: 3,
            sequence: 0,
            freelist: None,
            high_water: 4,
            transaction,
        }
    }

    #[test]
    fn a_meta_page_reads_as_it_was_written() {
        let with_freelist = Meta {
            freelist: Some(2),
            ..meta(7)
        };
        for meta in [meta(0), with_freelist] {
            assert_eq!(Meta::decode(&meta.encode()), Ok(meta));
        }
    }

    #[test]
    fn every_changed_byte_of_a_meta_page_is_noticed() {
        for at in 0..META_BYTES {
            let mut bytes = meta(1).encode();
            bytes[at] ^= 0x40;
            assert!(Meta::decode(&bytes).is_err(), "{at}");
        }
    }

    #[test]
    fn a_page_size_that_bolt_cannot_have_is_refused_although_the_checksum_holds() {
        for page_bytes in [0, 512, 4095, 1 << 17] {
            let bytes = Meta {
                page_bytes,
                ..meta(1)
            }
            .encode();
            let fault = MetaFault::PageSize { found: page_bytes };
            assert_eq!(Meta::decode(&bytes), Err(fault));
        }
    }

    #[test]
    fn the_valid_meta_page_of_the_later_transaction_counts() {
        let bad = || Err(MetaFault::Missing);
        assert_eq!(latest(Ok(meta(1)), Ok(meta(2))), Ok(meta(2)));
        assert_eq!(latest(Ok(meta(3)), Ok(meta(2))), Ok(meta(3)));
        assert_eq!(latest(bad(), Ok(meta(2))), Ok(meta(2)));
        assert_eq!(latest(Ok(meta(1)), bad()), Ok(meta(1)));
        assert!(latest(bad(), bad()).is_err());
    }
}
