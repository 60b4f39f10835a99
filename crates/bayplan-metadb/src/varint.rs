//! Numbers of one to ten bytes, as Go and protobuf write them.

/// A number of 64 bits has at most so many groups of seven.
const GROUPS_MAX: u32 = 10;

/// Reads a number, and what follows it. `None` if it is cut short, or has more than 64 bits.
pub(crate) fn decode(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number: u64 = 0;
    let mut rest = bytes;
    for group in 0..GROUPS_MAX {
        let (byte, after) = rest.split_first()?;
        rest = after;
        let bits = u64::from(byte & 0x7f);
        if group == GROUPS_MAX - 1 && bits > 1 {
            return None;
        }
        number |= bits << (7 * group);
        if byte & 0x80 == 0 {
            return Some((number, rest));
        }
    }
    None
}

/// Appends a number.
pub(crate) fn encode(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A signed number from the unsigned one that stands for it.
pub(crate) fn from_zig_zag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// The unsigned number that stands for a signed one.
pub(crate) fn to_zig_zag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_reads_as_it_was_written_and_its_end_is_found() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            encode(number, &mut bytes);
            bytes.push(7);
            assert_eq!(decode(&bytes), Some((number, &[7][..])));
        }
    }

    #[test]
    fn a_number_that_is_cut_short_or_too_long_is_none() {
        assert_eq!(decode(&[]), None);
        assert_eq!(decode(&[0x80]), None);
        assert_eq!(decode(&[0xff; 10]), None);
        let mut long = [0xff; 10];
        long[9] = 2;
        assert_eq!(decode(&long), None);
        long[9] = 1;
        assert_eq!(decode(&long), Some((u64::MAX, &[][..])));
    }

    #[test]
    fn signs_alternate() {
        for (signed, unsigned) in [(0, 0), (-1, 1), (1, 2), (3, 6), (i64::MIN, u64::MAX)] {
            assert_eq!(to_zig_zag(signed), unsigned);
            assert_eq!(from_zig_zag(unsigned), signed);
        }
    }
}
