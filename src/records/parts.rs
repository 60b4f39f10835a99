//! The further rows of a record.
//!
//! | part | content |
//! |---|---|
//! | labels | their number, then key and value of each, in the order of the keys |
//! | extensions | their number, then name, type URL and value of each, in the order of the names |
//! | spec or value | its bytes, packed (see [`value`](super::value)); the record has the type URL |
//!
//! An empty part has no row, except for the spec or value, which always has one.

use bincode::{BorrowDecode, Encode};

use super::keys::{Part, RecordKey};
use super::seal::{self, Seal, decode_some, encode_into, seal_with};
use super::value::pack_into;
use crate::model::any::Any;
use crate::model::container::Extensions;
use crate::model::error::{Error, Result};
use crate::model::kind::Kind;
use crate::model::labels::Labels;

/// The most entries to reserve space for in advance, since a higher count may be false.
const ENTRIES_AT_ONCE: usize = 256;

/// A label, as stored in the file.
pub(crate) type LabelRef<'a> = (&'a str, &'a str);

/// An extension, as stored in the file.
pub(crate) type ExtensionRef<'a> = (&'a str, AnyContent<'a>);

/// An `Any`, of an extension or the options of a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub(crate) struct AnyContent<'a> {
    pub(crate) type_url: &'a str,
    pub(crate) value: &'a [u8],
}

impl<'a> AnyContent<'a> {
    pub(crate) fn of(any: &'a Any) -> Self {
        Self {
            type_url: &any.type_url,
            value: &any.value,
        }
    }

    pub(crate) fn to_any(self) -> Any {
        Any::new(self.type_url, self.value)
    }
}

/// The seals of a record's further rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, BorrowDecode)]
pub(crate) struct Seals {
    labels: Option<Seal>,
    extensions: Option<Seal>,
    value: Option<Seal>,
}

impl Seals {
    pub(crate) fn get(&self, part: Part) -> Option<Seal> {
        match part {
            Part::Labels => self.labels,
            Part::Extensions => self.extensions,
            Part::Value => self.value,
        }
    }

    pub(crate) fn set(&mut self, part: Part, seal: Option<Seal>) {
        match part {
            Part::Labels => self.labels = seal,
            Part::Extensions => self.extensions = seal,
            Part::Value => self.value = seal,
        }
    }

    /// Checks that this row, or its absence, agrees with the record's own row.
    ///
    /// # Errors
    ///
    /// `Corrupt` if it differs, is missing, or should not exist.
    pub(crate) fn check(&self, kind: &Kind, part: Part, value: Option<&[u8]>) -> Result<()> {
        let what = match (self.get(part), value) {
            (None, None) => return Ok(()),
            (Some(seal), Some(value)) if Seal::of(value) == Some(seal) => return Ok(()),
            (Some(_), Some(_)) => "not what its record knows",
            (Some(_), None) => "missing",
            (None, Some(_)) => "unknown to its record",
        };
        let noun_is = part.noun_is(kind);
        Err(Error::corrupt(format!("{noun_is} {what}")))
    }
}

/// The sealed row of the labels; `None` without labels.
pub(crate) fn seal_labels(key: &RecordKey, labels: &Labels) -> Result<Option<Vec<u8>>> {
    if labels.is_empty() {
        return Ok(None);
    }
    let bytes = labels
        .iter()
        .map(|(key, value)| key.len() + value.len() + 6);
    let suffix = Part::Labels.suffix();
    seal_with(seal::Key::new(key.own(), &suffix), bytes.sum(), |out| {
        encode_labels(labels, out)
    })
    .map(Some)
}

/// Appends the labels, in the order of their keys.
pub(crate) fn encode_labels(labels: &Labels, out: &mut Vec<u8>) -> Result<()> {
    encode_into(&(labels.len() as u64), out)?;
    labels.iter().try_for_each(|label| encode_into(&label, out))
}

/// The sealed row of the extensions; `None` without extensions.
pub(crate) fn seal_extensions(key: &RecordKey, extensions: &Extensions) -> Result<Option<Vec<u8>>> {
    if extensions.is_empty() {
        return Ok(None);
    }
    let bytes = extensions
        .iter()
        .map(|(name, any)| name.len() + any.type_url.len() + any.value.len() + 12);
    let suffix = Part::Extensions.suffix();
    seal_with(seal::Key::new(key.own(), &suffix), bytes.sum(), |out| {
        encode_extensions(extensions, out)
    })
    .map(Some)
}

/// Appends the extensions, in the order of their names.
pub(crate) fn encode_extensions(extensions: &Extensions, out: &mut Vec<u8>) -> Result<()> {
    encode_into(&(extensions.len() as u64), out)?;
    extensions
        .iter()
        .try_for_each(|(name, any)| encode_into(&(name, AnyContent::of(any)), out))
}

/// The sealed row of a spec or value.
pub(crate) fn seal_value(key: &RecordKey, value: &[u8]) -> Result<Vec<u8>> {
    seal_value_of(key.own(), value)
}

/// The sealed row of a spec or value, of the record with this key.
pub(crate) fn seal_value_of(own: &[u8], value: &[u8]) -> Result<Vec<u8>> {
    let suffix = Part::Value.suffix();
    seal_with(seal::Key::new(own, &suffix), value.len() + 1, |out| {
        pack_into(value, out);
        Ok(())
    })
}

/// The labels in the content of a row.
///
/// # Errors
///
/// `Corrupt` if they are out of order, or if there are none.
pub(crate) fn labels(content: &[u8]) -> Result<Vec<LabelRef<'_>>> {
    some(entries(content)?)
}

/// The labels in the content of a namespace's row, possibly none.
///
/// # Errors
///
/// `Corrupt` if they are out of order.
pub(crate) fn namespace_labels(content: &[u8]) -> Result<Vec<LabelRef<'_>>> {
    entries(content)
}

/// The extensions in the content of a row.
///
/// # Errors
///
/// `Corrupt` if they are out of order, or if there are none.
pub(crate) fn extensions(content: &[u8]) -> Result<Vec<ExtensionRef<'_>>> {
    some(entries(content)?)
}

/// The extensions in the content of a record's head, possibly none.
///
/// # Errors
///
/// `Corrupt` if they are out of order.
pub(crate) fn head_extensions(content: &[u8]) -> Result<Vec<ExtensionRef<'_>>> {
    entries(content)
}

/// Returns the entries of a record's row, which must have at least one.
fn some<T>(entries: Vec<T>) -> Result<Vec<T>> {
    if entries.is_empty() {
        return Err(Error::corrupt("a row of labels or extensions is empty"));
    }
    Ok(entries)
}

/// The entries of a map, whose keys must be in order.
fn entries<'a, V>(content: &'a [u8]) -> Result<Vec<(&'a str, V)>>
where
    (&'a str, V): BorrowDecode<'a, ()>,
{
    let (count, mut rest): (u64, _) = decode_some(content)?;
    // Every entry has at least two bytes, so a false count takes no memory.
    let most = rest.len() / 2;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count > most {
        return Err(Error::corrupt("a map counts more entries than it can have"));
    }
    let mut entries: Vec<(&str, V)> = Vec::with_capacity(count.min(ENTRIES_AT_ONCE));
    for _ in 0..count {
        let (entry, behind): ((&str, V), _) = decode_some(rest)?;
        if entries.last().is_some_and(|(last, _)| *last >= entry.0) {
            return Err(Error::corrupt("the entries of a map are out of order"));
        }
        entries.push(entry);
        rest = behind;
    }
    if rest.is_empty() {
        Ok(entries)
    } else {
        Err(Error::corrupt("a map has bytes left over"))
    }
}

/// Converts to owned labels.
pub(crate) fn to_labels(labels: &[LabelRef<'_>]) -> Labels {
    let owned = |(key, value): &LabelRef<'_>| ((*key).to_owned(), (*value).to_owned());
    labels.iter().map(owned).collect()
}

/// Converts to owned extensions.
pub(crate) fn to_extensions(extensions: &[ExtensionRef<'_>]) -> Extensions {
    let owned = |(name, any): &ExtensionRef<'_>| ((*name).to_owned(), any.to_any());
    extensions.iter().map(owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kind::{Kind, RecordId};
    use crate::records::seal::{seal, unseal};

    fn key() -> RecordKey {
        let id = RecordId::new("web").unwrap();
        RecordKey::new(&"n".parse().unwrap(), &Kind::CONTAINERS, &id)
    }

    fn content(sealed: &[u8], part: Part) -> &[u8] {
        unseal(key().part(part).as_slice(), sealed).unwrap()
    }

    #[test]
    fn maps_read_back_and_empty_ones_have_no_row() {
        let kept = Labels::from([
            ("a".into(), "1".into()),
            ("b\0".into(), String::new()),
            ("c".into(), "x".repeat(4000)),
        ]);
        let sealed = seal_labels(&key(), &kept).unwrap().unwrap();
        assert_eq!(
            to_labels(&labels(content(&sealed, Part::Labels)).unwrap()),
            kept
        );
        assert_eq!(seal_labels(&key(), &Labels::new()).unwrap(), None);

        let kept = Extensions::from([
            ("net".into(), Any::new("t", [0, 255])),
            ("state".into(), Any::default()),
        ]);
        let sealed = seal_extensions(&key(), &kept).unwrap().unwrap();
        let read = extensions(content(&sealed, Part::Extensions)).unwrap();
        assert_eq!(to_extensions(&read), kept);
        assert_eq!(seal_extensions(&key(), &Extensions::new()).unwrap(), None);
    }

    #[test]
    fn a_map_out_of_order_or_with_a_count_that_lies_is_damage() {
        let sealed = |content: &[&str]| {
            let mut out = vec![u8::try_from(content.len() / 2).unwrap()];
            content
                .iter()
                .for_each(|text| encode_into(text, &mut out).unwrap());
            out
        };
        assert!(labels(&sealed(&["a", "1", "b", "2"])).is_ok());
        for wrong in [["b", "1", "a", "2"], ["a", "1", "a", "2"]] {
            assert!(labels(&sealed(&wrong)).unwrap_err().is_corrupt());
        }
        let mut lying = sealed(&["a", "1", "b", "2"]);
        for count in [0, 1, 3, 200] {
            lying[0] = count;
            assert!(labels(&lying).unwrap_err().is_corrupt(), "{count}");
        }
        let huge = [&[253][..], &u64::MAX.to_le_bytes(), b"ab"].concat();
        assert!(labels(&huge).unwrap_err().is_corrupt());
    }

    #[test]
    fn a_row_without_entries_is_damage_but_for_a_namespace() {
        assert!(labels(&[0]).unwrap_err().is_corrupt());
        assert!(extensions(&[0]).unwrap_err().is_corrupt());
        assert!(namespace_labels(&[0]).unwrap().is_empty());
    }

    #[test]
    fn a_record_knows_its_rows() {
        let (one, other) = (seal(&b"k"[..], &1).unwrap(), seal(&b"k"[..], &2).unwrap());
        let mut seals = Seals::default();
        seals.set(Part::Labels, Seal::of(&one));
        seals.set(Part::Value, Seal::of(&one));
        let kind = Kind::CONTAINERS;
        seals.check(&kind, Part::Labels, Some(&one)).unwrap();
        seals.check(&kind, Part::Extensions, None).unwrap();
        for (part, row, text) in [
            (
                Part::Labels,
                Some(&other),
                "its labels are not what its record knows",
            ),
            (Part::Labels, None, "its labels are missing"),
            (Part::Value, None, "its spec is missing"),
            (
                Part::Extensions,
                Some(&one),
                "its extensions are unknown to its record",
            ),
        ] {
            let row = row.map(Vec::as_slice);
            let error = seals.check(&kind, part, row).unwrap_err();
            assert!(error.is_corrupt());
            assert_eq!(error.to_string(), text);
        }
        let images = Kind::new("images").unwrap();
        let error = seals.check(&images, Part::Value, None).unwrap_err();
        assert_eq!(error.to_string(), "its value is missing");
    }
}
