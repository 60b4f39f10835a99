//! The compression of a spec, or of a record's value.
//!
//! ```text
//! 00 | the bytes
//! 01 | length of the bytes (u32, little endian) | an LZ4 block with the dictionary 1
//! ```
//!
//! The shorter form is used. Specs are JSON and have much in common. Dictionary 1 is what runtime
//! specifications of containers share, including the names of system calls. It is a constant of the format.
//! For specifications as a CRI plugin writes them (8.5 KB on average), LZ4 alone gives 3.7 KB, and LZ4 with
//! the dictionary 1.3 KB, unpacked no slower.

use std::borrow::Cow;

use crate::model::error::{Error, Result};
use crate::model::limits::ANY_MAX_BYTES;

/// What runtime specifications have in common. It never changes; a better dictionary would need a new form byte.
const DICTIONARY: &[u8] = include_bytes!("spec.dict");

const PLAIN: u8 = 0;
const PACKED: u8 = 1;

/// Fewer bytes are not worth compressing.
const PACKED_MIN_BYTES: usize = 64;

/// The highest compression ratio of an LZ4 block.
const SHRINKS_AT_MOST: usize = 255;

/// Appends the packed form of `value`.
pub(crate) fn pack_into(value: &[u8], out: &mut Vec<u8>) {
    if let Some(block) = shorter(value) {
        let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
        out.push(PACKED);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&block);
    } else {
        out.push(PLAIN);
        out.extend_from_slice(value);
    }
}

/// Returns the LZ4 block of `value`, if that is shorter.
fn shorter(value: &[u8]) -> Option<Vec<u8>> {
    if value.len() < PACKED_MIN_BYTES {
        return None;
    }
    let block = lz4_flex::block::compress_with_dict(value, DICTIONARY);
    (block.len() + size_of::<u32>() < value.len()).then_some(block)
}

/// Unpacks the bytes. Allocates no more than the content can unpack to.
///
/// # Errors
///
/// `Corrupt` if [`pack_into`] cannot have written it.
pub(crate) fn unpack(content: &[u8]) -> Result<Cow<'_, [u8]>> {
    let damaged = |what: &str| Error::corrupt(format!("a packed value {what}"));
    match content.split_first() {
        Some((&PLAIN, value)) => Ok(Cow::Borrowed(value)),
        Some((&PACKED, rest)) => {
            let (length, block) = rest
                .split_first_chunk()
                .ok_or_else(|| damaged("is cut short"))?;
            let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
            if length > ANY_MAX_BYTES || length / SHRINKS_AT_MOST > block.len() {
                return Err(damaged("claims to be longer than it can be"));
            }
            let mut value = vec![0; length];
            let unpacked =
                lz4_flex::block::decompress_into_with_dict(block, &mut value, DICTIONARY);
            match unpacked {
                Ok(bytes) if bytes == length => Ok(Cow::Owned(value)),
                Ok(_) => Err(damaged("is shorter than it claims to be")),
                Err(error) => Err(damaged("does not unpack").caused_by(error)),
            }
        }
        Some((form, _)) => Err(damaged(&format!("has the unknown form {form}"))),
        None => Err(damaged("is cut short")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        pack_into(value, &mut out);
        assert_eq!(unpack(&out).unwrap(), value);
        out
    }

    #[test]
    fn the_dictionary_is_a_constant_of_the_format() {
        assert_eq!(DICTIONARY.len(), 9_658);
        assert_eq!(crc32fast::hash(DICTIONARY), 0x45bc_13a2);
    }

    #[test]
    fn values_are_packed_where_that_is_shorter() {
        assert_eq!(packed(b""), [PLAIN]);
        assert_eq!(packed(b"{}"), [&[PLAIN][..], b"{}"].concat());
        let zeros = packed(&vec![0; ANY_MAX_BYTES]);
        assert_eq!(zeros[0], PACKED);
        assert!(zeros.len() < ANY_MAX_BYTES / 200);
        let mut state = 1_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .take(ANY_MAX_BYTES)
        .collect();
        assert_eq!(packed(&noise).len(), 1 + ANY_MAX_BYTES, "as it is");
        let spec = br#"{"destination":"/proc","type":"proc","source":"proc","options":["nosuid","noexec","nodev"]}"#;
        let packed = packed(spec).len();
        assert!(packed < spec.len() / 2, "it is in the dictionary: {packed}");
    }

    #[test]
    fn a_length_that_lies_is_damage_and_allocates_nothing() {
        let honest = packed(&[7; 10_000]);
        for length in [0, 9_999, 10_001, 16 << 20, (16 << 20) + 1, u32::MAX] {
            let mut lying = honest.clone();
            lying[1..5].copy_from_slice(&length.to_le_bytes());
            assert!(unpack(&lying).unwrap_err().is_corrupt(), "{length}");
        }
    }

    #[test]
    fn what_was_never_packed_is_damage() {
        let honest = packed(&[7; 10_000]);
        for cut in 0..honest.len() {
            assert!(unpack(&honest[..cut]).unwrap_err().is_corrupt());
        }
        for content in [&[][..], &[2], &[PACKED], &[PACKED, 1, 0, 0, 0, 0xff]] {
            assert!(unpack(content).unwrap_err().is_corrupt(), "{content:?}");
        }
    }
}
