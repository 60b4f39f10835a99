//! The type of the store's keys and values, for those who look at its tables with redb itself; see
//! docs/FORMAT.md.

use std::cmp::Ordering;

use redb::{Key, TypeName, Value};

#[derive(Debug)]
pub(crate) struct Bytes;

impl Value for Bytes {
    type SelfType<'a> = &'a [u8];
    type AsBytes<'a> = &'a [u8];

    fn fixed_width() -> Option<usize> {
        None
    }

    fn from_bytes<'a>(data: &'a [u8]) -> &'a [u8]
    where
        Self: 'a,
    {
        data
    }

    fn as_bytes<'a, 'b: 'a>(value: &'a &'b [u8]) -> &'a [u8]
    where
        Self: 'b,
    {
        value
    }

    fn type_name() -> TypeName {
        TypeName::new("bayplan::Bytes")
    }
}

impl Key for Bytes {
    fn compare(one: &[u8], other: &[u8]) -> Ordering {
        one.cmp(other)
    }
}
