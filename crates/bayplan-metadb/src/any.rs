//! protobuf's `Any`, as containerd marshals it: `string type_url = 1; bytes value = 2;`.

use bayplan::Any;

use crate::error::Fault;
use crate::varint;

/// Field 1, with a length before its bytes.
const TYPE_URL: u64 = 1 << 3 | 2;
/// Field 2, likewise.
const VALUE: u64 = 2 << 3 | 2;

/// Reads an `Any`. Each field may be there once. One that is unknown is a fault, since it would be lost.
pub(crate) fn decode(bytes: &[u8]) -> Result<Any, Fault> {
    let mut type_url = None;
    let mut value = None;
    let mut rest = bytes;
    while !rest.is_empty() {
        let (tag, after) = varint::decode(rest).ok_or(Fault::AnyCut)?;
        let field = match tag {
            TYPE_URL => &mut type_url,
            VALUE => &mut value,
            _ => return Err(Fault::AnyField { tag }),
        };
        let (length, after) = varint::decode(after).ok_or(Fault::AnyCut)?;
        let length = usize::try_from(length).map_err(|_| Fault::AnyCut)?;
        let (content, after) = after.split_at_checked(length).ok_or(Fault::AnyCut)?;
        if field.replace(content).is_some() {
            return Err(Fault::AnyField { tag });
        }
        rest = after;
    }
    let type_url = str::from_utf8(type_url.unwrap_or_default()).map_err(|_| Fault::NotUtf8)?;
    Ok(Any::new(type_url, value.unwrap_or_default()))
}

/// Writes an `Any`. As in protobuf, a field that is empty is left out.
pub(crate) fn encode(any: &Any) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(any.type_url.len() + any.value.len() + 16);
    for (tag, content) in [(TYPE_URL, any.type_url.as_bytes()), (VALUE, &any.value)] {
        if !content.is_empty() {
            varint::encode(tag, &mut bytes);
            varint::encode(content.len() as u64, &mut bytes);
            bytes.extend_from_slice(content);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_any_reads_as_it_was_written() {
        for (any, bytes) in [
            (Any::new("", b""), &b""[..]),
            (Any::new("t", b""), b"\x0a\x01t"),
            (Any::new("", b"v"), b"\x12\x01v"),
            (Any::new("t", b"\0\xff"), b"\x0a\x01t\x12\x02\0\xff"),
        ] {
            assert_eq!(encode(&any), bytes);
            assert_eq!(decode(bytes).unwrap(), any);
        }
        let long = Any::new("u".repeat(200), vec![7; 70_000]);
        assert_eq!(decode(&encode(&long)).unwrap(), long);
    }

    #[test]
    fn the_order_of_the_fields_does_not_matter() {
        assert_eq!(decode(b"\x12\x01v\x0a\x01t").unwrap(), Any::new("t", b"v"));
    }

    #[test]
    fn what_is_cut_short_unknown_or_there_twice_is_a_fault() {
        for bytes in [
            &b"\x0a"[..],
            b"\x0a\x02t",
            b"\x80",
            b"\x12\xff\xff\xff\xff\x0f",
        ] {
            assert_eq!(decode(bytes).unwrap_err(), Fault::AnyCut);
        }
        let huge = b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(decode(huge).unwrap_err(), Fault::AnyCut);
        assert_eq!(
            decode(b"\x18\x01").unwrap_err(),
            Fault::AnyField { tag: 0x18 }
        );
        assert_eq!(
            decode(b"\x0a\x01t\x0a\x01t").unwrap_err(),
            Fault::AnyField { tag: TYPE_URL }
        );
        assert_eq!(decode(b"\x0a\x01\xff").unwrap_err(), Fault::NotUtf8);
    }
}
