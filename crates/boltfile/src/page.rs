//! Pages as bytes: the header, and the elements after it. All numbers are little endian.
//!
//! ```text
//! header    0 id u64 | 8 flags u16 | 10 count u16 | 12 overflow u32
//! branch    0 pos u32 | 4 ksize u32 | 8 pgid u64              `count` of these follow the header
//! leaf      0 flags u32 | 4 pos u32 | 8 ksize u32 | 12 vsize u32
//! data      the keys and values; `pos` counts from the beginning of the element
//! bucket    0 root u64 | 8 sequence u64                       the value of a leaf element with flag 1
//! ```
//!
//! A page includes the `overflow` pages after it, which have no headers. A bucket of root 0 is inline: a leaf page
//! follows in its value.

/// The header's length, and that of each element and of a bucket's header.
pub(crate) const HEADER_BYTES: u64 = 16;

pub(crate) const BRANCH: u16 = 0x01;
pub(crate) const LEAF: u16 = 0x02;
pub(crate) const META: u16 = 0x04;
pub(crate) const FREELIST: u16 = 0x10;

/// The flag of a leaf element that is a bucket.
pub(crate) const BUCKET: u32 = 1;

/// A freelist with this count has its real count as the first number after the header.
pub(crate) const FREELIST_LONG: u16 = 0xffff;

/// What a page begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) id: u64,
    pub(crate) flags: u16,
    pub(crate) count: u16,
    pub(crate) overflow: u32,
}

impl Header {
    pub(crate) fn decode(bytes: [u8; 16]) -> Self {
        let bits = u128::from_le_bytes(bytes);
        Self {
            id: bits as u64,
            flags: (bits >> 64) as u16,
            count: (bits >> 80) as u16,
            overflow: (bits >> 96) as u32,
        }
    }

    pub(crate) fn encode(self) -> [u8; 16] {
        let bits = u128::from(self.id)
            | u128::from(self.flags) << 64
            | u128::from(self.count) << 80
            | u128::from(self.overflow) << 96;
        bits.to_le_bytes()
    }
}

/// An element of a branch page: the first key of a page, and where that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BranchElement {
    pub(crate) pos: u32,
    pub(crate) key_bytes: u32,
    pub(crate) page: u64,
}

impl BranchElement {
    pub(crate) fn decode(bytes: [u8; 16]) -> Self {
        let bits = u128::from_le_bytes(bytes);
        Self {
            pos: bits as u32,
            key_bytes: (bits >> 32) as u32,
            page: (bits >> 64) as u64,
        }
    }

    pub(crate) fn encode(self) -> [u8; 16] {
        let bits =
            u128::from(self.pos) | u128::from(self.key_bytes) << 32 | u128::from(self.page) << 64;
        bits.to_le_bytes()
    }
}

/// An element of a leaf page: a key and its value, or a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeafElement {
    pub(crate) flags: u32,
    pub(crate) pos: u32,
    pub(crate) key_bytes: u32,
    pub(crate) value_bytes: u32,
}

impl LeafElement {
    pub(crate) fn decode(bytes: [u8; 16]) -> Self {
        let bits = u128::from_le_bytes(bytes);
        Self {
            flags: bits as u32,
            pos: (bits >> 32) as u32,
            key_bytes: (bits >> 64) as u32,
            value_bytes: (bits >> 96) as u32,
        }
    }

    pub(crate) fn encode(self) -> [u8; 16] {
        let bits = u128::from(self.flags)
            | u128::from(self.pos) << 32
            | u128::from(self.key_bytes) << 64
            | u128::from(self.value_bytes) << 96;
        bits.to_le_bytes()
    }
}

/// What the value of a bucket begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BucketHeader {
    /// 0 if the bucket is inline.
    pub(crate) root: u64,
    pub(crate) sequence: u64,
}

impl BucketHeader {
    pub(crate) fn decode(bytes: [u8; 16]) -> Self {
        let bits = u128::from_le_bytes(bytes);
        Self {
            root: bits as u64,
            sequence: (bits >> 64) as u64,
        }
    }

    pub(crate) fn encode(self) -> [u8; 16] {
        (u128::from(self.root) | u128::from(self.sequence) << 64).to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_elements_have_the_places_of_the_format() {
        let bytes: [u8; 16] = std::array::from_fn(|at| at as u8);
        let header = Header::decode(bytes);
        assert_eq!(header.id, 0x0706_0504_0302_0100);
        assert_eq!((header.flags, header.count), (0x0908, 0x0b0a));
        assert_eq!(header.overflow, 0x0f0e_0d0c);
        assert_eq!(header.encode(), bytes);
        let branch = BranchElement::decode(bytes);
        assert_eq!((branch.pos, branch.key_bytes), (0x0302_0100, 0x0706_0504));
        assert_eq!(branch.page, 0x0f0e_0d0c_0b0a_0908);
        assert_eq!(branch.encode(), bytes);
        let leaf = LeafElement::decode(bytes);
        assert_eq!((leaf.flags, leaf.pos), (0x0302_0100, 0x0706_0504));
        assert_eq!(
            (leaf.key_bytes, leaf.value_bytes),
            (0x0b0a_0908, 0x0f0e_0d0c)
        );
        assert_eq!(leaf.encode(), bytes);
        let bucket = BucketHeader::decode(bytes);
        assert_eq!(bucket.root, 0x0706_0504_0302_0100);
        assert_eq!(bucket.encode(), bytes);
    }
}
