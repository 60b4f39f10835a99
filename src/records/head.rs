//! A record's own row: its single fields, and the seals of its other rows.
//!
//! The fields of all kinds come first, so that the revision and times of a record can be read without
//! knowing its kind. The fields of a container follow.

use bincode::{BorrowDecode, Encode};
use chrono::{DateTime, Utc};

use super::parts::{AnyContent, Seals};
use super::seal::{decode_some, encode_into, seal_with};
use crate::model::container::{Container, ContainerHeader, Extensions, Runtime};
use crate::model::error::{Error, Result};
use crate::model::kind::Kind;
use crate::model::labels::Labels;
use crate::model::record::Record;
use crate::model::revision::Revision;

/// Enough for most rows.
const USUAL_BYTES: usize = 384;

/// The fields of every record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub(crate) struct Head<'a> {
    created_at: Stamp,
    updated_at: Stamp,
    revision: u64,
    /// How many revisions before it the record was created.
    age: u64,
    /// The type URL of the spec or value.
    pub(crate) type_url: &'a str,
    pub(crate) seals: Seals,
}

/// The further fields of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub(crate) struct Fields<'a> {
    pub(crate) image: &'a str,
    pub(crate) runtime_name: &'a str,
    runtime_options: Option<AnyContent<'a>>,
    pub(crate) snapshotter: &'a str,
    pub(crate) snapshot_key: &'a str,
    pub(crate) sandbox_id: &'a str,
}

/// A time: seconds since 1970 and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub(crate) struct Stamp(i64, u32);

impl Stamp {
    pub(crate) fn of(time: DateTime<Utc>) -> Self {
        Self(time.timestamp(), time.timestamp_subsec_nanos())
    }

    pub(crate) fn to_time(self) -> Result<DateTime<Utc>> {
        DateTime::from_timestamp(self.0, self.1)
            .ok_or_else(|| Error::corrupt("a time in the record is out of range"))
    }
}

/// The own row of a record of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OwnRow<'a> {
    pub(crate) head: Head<'a>,
    /// Present for a container.
    fields: Option<Fields<'a>>,
}

impl<'a> OwnRow<'a> {
    /// Makes the own row of a container that was created at this revision.
    pub(crate) fn of_container(container: &'a Container, created: Revision, seals: Seals) -> Self {
        let spec = container.spec.as_ref();
        Self {
            head: Head {
                created_at: Stamp::of(container.created_at),
                updated_at: Stamp::of(container.updated_at),
                revision: container.revision.get(),
                age: age(container.revision, created),
                type_url: spec.map_or("", |spec| spec.type_url.as_str()),
                seals,
            },
            fields: Some(Fields {
                image: &container.image,
                runtime_name: &container.runtime.name,
                runtime_options: container.runtime.options.as_ref().map(AnyContent::of),
                snapshotter: &container.snapshotter,
                snapshot_key: &container.snapshot_key,
                sandbox_id: &container.sandbox_id,
            }),
        }
    }

    /// Makes the own row of a record that was created at this revision.
    pub(crate) fn of_record(record: &'a Record, created: Revision, seals: Seals) -> Self {
        Self {
            head: Head {
                created_at: Stamp::of(record.created_at),
                updated_at: Stamp::of(record.updated_at),
                revision: record.revision.get(),
                age: age(record.revision, created),
                type_url: &record.value.type_url,
                seals,
            },
            fields: None,
        }
    }

    pub(crate) fn seal(&self, key: &[u8]) -> Result<Vec<u8>> {
        seal_with(key, USUAL_BYTES, |out| self.encode_into(out))
    }

    /// Appends the content of the row.
    pub(super) fn encode_into(&self, out: &mut Vec<u8>) -> Result<()> {
        encode_into(&self.head, out)?;
        match &self.fields {
            Some(fields) => encode_into(fields, out),
            None => Ok(()),
        }
    }

    /// Decodes a row at the beginning of `content`, and returns the rest.
    ///
    /// # Errors
    ///
    /// `Corrupt`.
    pub(super) fn decode_some(is_container: bool, content: &'a [u8]) -> Result<(Self, &'a [u8])> {
        let (head, rest) = decode_some(content)?;
        let (fields, rest) = match is_container {
            true => decode_some(rest).map(|(fields, rest)| (Some(fields), rest))?,
            false => (None, rest),
        };
        Ok((Self { head, fields }, rest))
    }

    /// Decodes the content of a row.
    ///
    /// # Errors
    ///
    /// `Corrupt`.
    pub(crate) fn decode(kind: &Kind, content: &'a [u8]) -> Result<Self> {
        match Self::decode_some(kind.is_containers(), content)? {
            (row, []) => Ok(row),
            _ => Err(Error::corrupt("a value has bytes left over")),
        }
    }

    /// The fields of a container.
    ///
    /// # Errors
    ///
    /// `Corrupt` if it is not a container.
    pub(crate) fn fields(&self) -> Result<&Fields<'a>> {
        let fields = self.fields.as_ref();
        fields.ok_or_else(|| Error::corrupt("the record is not a container"))
    }

    /// The fields of a container, if it is one.
    pub(crate) fn fields_if_any(&self) -> Option<&Fields<'a>> {
        self.fields.as_ref()
    }

    /// The header of the container `id`, with these labels.
    pub(crate) fn to_header(self, id: String, labels: Labels) -> Result<ContainerHeader> {
        let fields = self.fields()?;
        Ok(ContainerHeader {
            id,
            labels,
            image: fields.image.to_owned(),
            runtime: Runtime {
                name: fields.runtime_name.to_owned(),
                options: fields.runtime_options.map(AnyContent::to_any),
            },
            snapshotter: fields.snapshotter.to_owned(),
            snapshot_key: fields.snapshot_key.to_owned(),
            sandbox_id: fields.sandbox_id.to_owned(),
            created_at: self.head.created_at()?,
            updated_at: self.head.updated_at()?,
            revision: self.head.revision(),
            extensions: Extensions::new(),
        })
    }
}

impl Head<'_> {
    pub(crate) fn revision(&self) -> Revision {
        Revision::new(self.revision)
    }

    /// Returns the revision at which the record was created.
    pub(crate) fn created(&self) -> Result<Revision> {
        created(self.revision, self.age)
    }

    pub(crate) fn created_at(&self) -> Result<DateTime<Utc>> {
        self.created_at.to_time()
    }

    pub(crate) fn updated_at(&self) -> Result<DateTime<Utc>> {
        self.updated_at.to_time()
    }
}

/// Returns how many revisions lie between an item's creation and its latest revision. A small number takes few bytes in
/// the file.
pub(super) fn age(revision: Revision, created: Revision) -> u64 {
    revision.get().saturating_sub(created.get())
}

/// Returns the revision at which an item was created.
///
/// # Errors
///
/// `Corrupt` if there is none.
pub(super) fn created(revision: u64, age: u64) -> Result<Revision> {
    let created = revision.checked_sub(age);
    created
        .map(Revision::new)
        .ok_or_else(|| Error::corrupt("it was created before the first revision"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::any::Any;
    use crate::records::seal::unseal;

    fn container() -> Container {
        let mut container = Container::new(
            "web",
            Runtime::new("runc").options(Any::new("options", b"{}")),
            Any::new("spec", vec![7; 3000]),
        )
        .image("nginx")
        .snapshot("overlayfs", "rootfs")
        .sandbox("pod")
        .label("a", "1");
        container.created_at = DateTime::from_timestamp(1_700_000_000, 999_999_999).unwrap();
        container.updated_at = DateTime::<Utc>::MAX_UTC;
        container.revision = Revision::new(u64::MAX);
        container
    }

    #[test]
    fn the_row_of_a_container_reads_back_as_it_was_written() {
        let container = container();
        let sealed = OwnRow::of_container(&container, Revision::new(7), Seals::default())
            .seal(b"key")
            .unwrap();
        let row = OwnRow::decode(&Kind::CONTAINERS, unseal(&b"key"[..], &sealed).unwrap()).unwrap();
        assert_eq!(row.head.type_url, "spec");
        assert_eq!(row.head.created().unwrap(), Revision::new(7));
        let header = row.to_header("web".into(), container.labels.clone());
        assert_eq!(header.unwrap(), ContainerHeader::from(container));
    }

    #[test]
    fn the_row_of_a_record_is_not_taken_for_a_containers_nor_the_other_way_round() {
        let images = Kind::new("images").unwrap();
        let record = Record::new("nginx", Any::new("image", b"{}"));
        let sealed = OwnRow::of_record(&record, record.revision, Seals::default())
            .seal(b"k")
            .unwrap();
        let content = unseal(&b"k"[..], &sealed).unwrap();
        let row = OwnRow::decode(&images, content).unwrap();
        assert_eq!(row.head.type_url, "image");
        assert!(row.fields().unwrap_err().is_corrupt());
        let taken = OwnRow::decode(&Kind::CONTAINERS, content);
        assert!(taken.unwrap_err().is_corrupt());
        let container = container();
        let sealed = OwnRow::of_container(&container, Revision::new(7), Seals::default());
        let sealed = sealed.seal(b"k").unwrap();
        let taken = OwnRow::decode(&images, unseal(&b"k"[..], &sealed).unwrap());
        assert!(taken.unwrap_err().is_corrupt());
    }
}
