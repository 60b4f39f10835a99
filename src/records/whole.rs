//! A record in two sealed values, for a store that is not a file of redb.
//!
//! ```text
//! head     the content of its own row | length, labels | length, extensions | mark
//! value    its spec or value, packed
//! ```
//!
//! The head is sealed with its key. The value is sealed with the key of the head and the suffix of the part in a file.
//! The head holds the seal of the value, so that neither can be taken for that of another state. The mark is a number of
//! the store's own.

use bincode::{BorrowDecode, Encode};

use super::head::OwnRow;
use super::keys::Part;
use super::parts::{
    Seals, encode_extensions, encode_labels, head_extensions, namespace_labels, seal_value_of,
    to_extensions, to_labels,
};
use super::seal::{Key, Seal, decode, encode_into, seal_with, unseal};
use super::value::unpack;
use crate::model::container::{Container, Extensions};
use crate::model::error::{Error, Result};
use crate::model::labels::Labels;
use crate::model::record::Record;

/// What follows the row in a head.
#[derive(Encode, BorrowDecode)]
struct Rest<'a> {
    labels: &'a [u8],
    extensions: &'a [u8],
    mark: u64,
}

/// A head, verified and decoded.
pub(crate) struct Head<'a> {
    row: OwnRow<'a>,
    rest: Rest<'a>,
}

/// Returns the sealed head of a container.
pub(crate) fn seal_container(
    key: &[u8],
    container: &Container,
    value: Option<&[u8]>,
    mark: u64,
) -> Result<Vec<u8>> {
    let row = OwnRow::of_container(container, container.revision, seals_of(value));
    seal_head(key, &row, &container.labels, &container.extensions, mark)
}

/// Returns the sealed head of a record.
pub(crate) fn seal_record(
    key: &[u8],
    record: &Record,
    value: Option<&[u8]>,
    mark: u64,
) -> Result<Vec<u8>> {
    let row = OwnRow::of_record(record, record.revision, seals_of(value));
    seal_head(key, &row, &record.labels, &Extensions::new(), mark)
}

fn seals_of(value: Option<&[u8]>) -> Seals {
    let mut seals = Seals::default();
    seals.set(Part::Value, value.and_then(Seal::of));
    seals
}

fn seal_head(
    key: &[u8],
    row: &OwnRow<'_>,
    labels: &Labels,
    extensions: &Extensions,
    mark: u64,
) -> Result<Vec<u8>> {
    let (mut encoded_labels, mut encoded_extensions) = (Vec::new(), Vec::new());
    encode_labels(labels, &mut encoded_labels)?;
    encode_extensions(extensions, &mut encoded_extensions)?;
    let bytes = encoded_labels.len() + encoded_extensions.len() + 128;
    seal_with(key, bytes, |out| {
        row.encode_into(out)?;
        let rest = Rest {
            labels: &encoded_labels,
            extensions: &encoded_extensions,
            mark,
        };
        encode_into(&rest, out)
    })
}

/// Returns the sealed spec or value of the record whose head has this key.
pub(crate) fn seal_value(key: &[u8], value: &[u8]) -> Result<Vec<u8>> {
    seal_value_of(key, value)
}

/// Returns the spec or value of the record whose head has this key.
///
/// # Errors
///
/// `Corrupt`.
pub(crate) fn open_value(key: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
    let suffix = Part::Value.suffix();
    let content = unseal(Key::new(key, &suffix), sealed)?;
    Ok(unpack(content)?.into_owned())
}

impl<'a> Head<'a> {
    /// Verifies and decodes the head under a key.
    ///
    /// # Errors
    ///
    /// `Corrupt`.
    pub(crate) fn open(is_container: bool, key: &[u8], sealed: &'a [u8]) -> Result<Self> {
        let (row, rest) = OwnRow::decode_some(is_container, unseal(key, sealed)?)?;
        Ok(Self {
            row,
            rest: decode(rest)?,
        })
    }

    pub(crate) fn mark(&self) -> u64 {
        self.rest.mark
    }

    pub(crate) fn type_url(&self) -> &'a str {
        self.row.head.type_url
    }

    /// Returns the seal of its value, if it has one.
    pub(crate) fn value(&self) -> Option<Seal> {
        self.row.head.seals.get(Part::Value)
    }

    /// Returns the container, without its spec.
    pub(crate) fn to_container(&self, id: String) -> Result<Container> {
        let labels = to_labels(&namespace_labels(self.rest.labels)?);
        let extensions = to_extensions(&head_extensions(self.rest.extensions)?);
        let header = self.row.to_header(id, labels)?;
        Ok(Container::of_parts(header, None, extensions))
    }

    /// Returns the record, with an empty value.
    pub(crate) fn to_record(&self, id: String) -> Result<Record> {
        if !head_extensions(self.rest.extensions)?.is_empty() {
            return Err(Error::corrupt("a record has extensions"));
        }
        let mut record = Record::with_id(id);
        record.labels = to_labels(&namespace_labels(self.rest.labels)?);
        record.value.type_url = self.type_url().to_owned();
        record.created_at = self.row.head.created_at()?;
        record.updated_at = self.row.head.updated_at()?;
        record.revision = self.row.head.revision();
        Ok(record)
    }
}

/// Returns sealed labels, of a namespace.
pub(crate) fn seal_labels(key: &[u8], labels: &Labels, mark: u64) -> Result<Vec<u8>> {
    seal_with(key, 64, |out| {
        encode_into(&mark, out)?;
        encode_labels(labels, out)
    })
}

/// Returns the mark and the labels of a namespace.
///
/// # Errors
///
/// `Corrupt`.
pub(crate) fn open_labels(key: &[u8], sealed: &[u8]) -> Result<(u64, Labels)> {
    let (mark, content) = super::seal::decode_some(unseal(key, sealed)?)?;
    Ok((mark, to_labels(&namespace_labels(content)?)))
}

/// Returns sealed bytes.
pub(crate) fn seal_bytes(key: &[u8], content: &[u8]) -> Result<Vec<u8>> {
    seal_with(key, content.len(), |out| {
        out.extend_from_slice(content);
        Ok(())
    })
}
