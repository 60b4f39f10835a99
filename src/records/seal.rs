//! Seals: proof that a value is what was written under its key.
//!
//! ```text
//! CRC-32 (4 bytes, little endian) | 02 | content
//! ```
//!
//! The checksum starts with the length of the key and covers the key, the format byte and the content. So
//! it also proves that a value is under its own key. The content is bincode in its standard configuration
//! (little endian, variable-length integers), or another form that the format byte fixes for the key.

use bincode::{BorrowDecode, Encode};

use crate::model::error::{Error, Result};
use crate::model::limits::ENCODED_MAX_BYTES;

/// The form of the content, in every value.
const FORMAT: u8 = 2;
const CHECKSUM_BYTES: usize = 4;

/// A placeholder for the checksum and the format byte.
const OPEN_SEAL: [u8; CHECKSUM_BYTES + 1] = [0, 0, 0, 0, FORMAT];

/// Enough for each value of the table `meta`.
const USUAL_BYTES: usize = 64;

/// The checksum of a sealed value, which a record's own row holds for its other rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, BorrowDecode)]
pub(crate) struct Seal([u8; CHECKSUM_BYTES]);

impl Seal {
    /// Returns the seal of a value, valid or not.
    pub(crate) fn of(sealed: &[u8]) -> Option<Self> {
        sealed.first_chunk().copied().map(Self)
    }
}

/// A key in two pieces: the key of the record's own row, and the suffix of a part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    own: &'a [u8],
    suffix: &'a [u8],
}

impl<'a> Key<'a> {
    pub(crate) fn new(own: &'a [u8], suffix: &'a [u8]) -> Self {
        Self { own, suffix }
    }
}

impl<'a> From<&'a [u8]> for Key<'a> {
    fn from(own: &'a [u8]) -> Self {
        Self { own, suffix: &[] }
    }
}

/// Encodes and seals `content`.
///
/// # Errors
///
/// `InvalidArgument` if it cannot be encoded.
pub(crate) fn seal<'k>(key: impl Into<Key<'k>>, content: &impl Encode) -> Result<Vec<u8>> {
    seal_with(key, USUAL_BYTES, |sealed| encode_into(content, sealed))
}

/// Seals what `write` appends; `bytes` is its approximate length.
pub(crate) fn seal_with<'k>(
    key: impl Into<Key<'k>>,
    bytes: usize,
    write: impl FnOnce(&mut Vec<u8>) -> Result<()>,
) -> Result<Vec<u8>> {
    let mut sealed = Vec::with_capacity(OPEN_SEAL.len() + bytes);
    sealed.extend_from_slice(&OPEN_SEAL);
    write(&mut sealed)?;
    Ok(close(key.into(), sealed))
}

/// Appends the encoded `content`.
pub(crate) fn encode_into(content: &impl Encode, out: &mut Vec<u8>) -> Result<()> {
    bincode::encode_into_std_write(content, out, bincode::config::standard())
        .map(drop)
        .map_err(|error| Error::invalid("the value cannot be encoded").caused_by(error))
}

/// Returns the content of a sealed value, verified under this key.
///
/// # Errors
///
/// `Corrupt`.
pub(crate) fn unseal<'k, 'a>(key: impl Into<Key<'k>>, value: &'a [u8]) -> Result<&'a [u8]> {
    let Some((stored, sealed)) = value.split_first_chunk::<CHECKSUM_BYTES>() else {
        return Err(Error::corrupt("a value is cut short"));
    };
    if *stored != checksum(key.into(), sealed) {
        return Err(Error::corrupt("a checksum does not match"));
    }
    match sealed.split_first() {
        Some((&FORMAT, content)) => Ok(content),
        Some((format, _)) => Err(Error::corrupt(format!(
            "a value has the unknown format {format}"
        ))),
        None => Err(Error::corrupt("a value is cut short")),
    }
}

/// Decodes all of `content`; bytes left over are an error.
///
/// # Errors
///
/// `Corrupt`.
pub(crate) fn decode<'a, T: BorrowDecode<'a, ()>>(content: &'a [u8]) -> Result<T> {
    let (value, rest) = decode_some(content)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(Error::corrupt("a value has bytes left over"))
    }
}

/// Decodes the beginning of `content`, and returns the rest.
///
/// # Errors
///
/// `Corrupt`.
pub(crate) fn decode_some<'a, T: BorrowDecode<'a, ()>>(content: &'a [u8]) -> Result<(T, &'a [u8])> {
    let config = bincode::config::standard().with_limit::<ENCODED_MAX_BYTES>();
    let (value, used) = bincode::borrow_decode_from_slice(content, config)
        .map_err(|error| Error::corrupt("a value does not decode").caused_by(error))?;
    Ok((value, content.get(used..).unwrap_or_default()))
}

/// Returns the number under this key, verified.
///
/// # Errors
///
/// `Corrupt`.
pub(crate) fn unseal_number(key: &[u8], value: &[u8]) -> Result<u64> {
    decode(unseal(key, value)?)
}

/// Writes the checksum to its place before the format byte and the content.
fn close(key: Key<'_>, mut sealed: Vec<u8>) -> Vec<u8> {
    if let Some((slot, rest)) = sealed.split_first_chunk_mut::<CHECKSUM_BYTES>() {
        *slot = checksum(key, rest);
    }
    sealed
}

fn checksum(key: Key<'_>, sealed: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let length = u32::try_from(key.own.len() + key.suffix.len()).unwrap_or(u32::MAX);
    let mut hasher = crc32fast::Hasher::new_with_initial(length);
    hasher.update(key.own);
    hasher.update(key.suffix);
    hasher.update(sealed);
    hasher.finalize().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal_bytes(key: &[u8], content: &[u8]) -> Vec<u8> {
        seal_with(key, content.len(), |sealed| {
            sealed.extend_from_slice(content);
            Ok(())
        })
        .unwrap()
    }

    #[test]
    fn a_value_under_another_key_is_damage() {
        let sealed = seal_bytes(b"ns\0containers\0web\0l", b"1");
        assert_eq!(
            unseal(&b"ns\0containers\0web\0l"[..], &sealed).unwrap(),
            b"1"
        );
        let key = Key::new(b"ns\0containers\0web", b"\0l");
        assert_eq!(unseal(key, &sealed).unwrap(), b"1");
        let other = unseal(&b"ns\0containers\0web\0x"[..], &sealed);
        assert!(other.unwrap_err().is_corrupt());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_seen() {
        let sealed = seal(&b"key"[..], &("some text", 17_u64)).unwrap();
        for byte in 0..sealed.len() {
            for bit in 0..8 {
                let mut flipped = sealed.clone();
                flipped[byte] ^= 1 << bit;
                let error = unseal(&b"key"[..], &flipped).unwrap_err();
                assert!(error.is_corrupt(), "byte {byte}, bit {bit}");
            }
            let cut = unseal(&b"key"[..], &sealed[..byte]);
            assert!(cut.unwrap_err().is_corrupt());
        }
        let longer = [&sealed[..], &[0]].concat();
        assert!(unseal(&b"key"[..], &longer).unwrap_err().is_corrupt());
    }

    #[test]
    fn a_value_of_another_format_is_told_apart_from_damage() {
        let mut sealed = seal_bytes(b"k", b"1");
        sealed[4] = 1;
        let sealed = close(Key::from(&b"k"[..]), sealed);
        let error = unseal(&b"k"[..], &sealed).unwrap_err();
        assert_eq!(error.to_string(), "a value has the unknown format 1");
    }

    #[test]
    fn bytes_left_over_and_huge_lengths_are_refused() {
        let sealed = seal_bytes(b"k", &[1, 0]);
        let error = unseal_number(b"k", &sealed).unwrap_err();
        assert!(error.to_string().contains("left over"));
        let huge = [&[253u8][..], &u64::MAX.to_le_bytes()].concat();
        assert!(decode::<&str>(&huge).unwrap_err().is_corrupt());
    }
}
