//! What a value of the file is made of, and how it is known to be what was written.
//!
//! Every value is sealed: a checksum, one format byte, and what the value holds.
//!
//! ```text
//! CRC-32 (4 bytes, little endian) | 01 | content
//! ```
//!
//! The checksum begins with the length of the key and covers the key, the format byte and the
//! content, so that a value is also known to stand under its own key. The content is a bincode encoding (its standard
//! configuration: little endian, variable-length integers), or the bare bytes of a text.

use bincode::{BorrowDecode, Encode};
use chrono::{DateTime, Utc};

use crate::any::Any;
use crate::borrowed::{AnyRef, ContainerRef};
use crate::container::{Container, ContainerHeader, Runtime};
use crate::error::{Error, Result};
use crate::labels::Labels;
use crate::limits::ENCODED_MAX_BYTES;
use crate::revision::Revision;
use crate::update::Rules;

const FORMAT: u8 = 1;
const CHECKSUM_BYTES: usize = 4;

/// How much longer a sealed value is than its content.
pub(crate) const SEAL_BYTES: usize = CHECKSUM_BYTES + 1;

/// What stands before the content until the checksum is known.
const OPEN_SEAL: [u8; SEAL_BYTES] = [0, 0, 0, 0, FORMAT];

/// Enough for most records.
const USUAL_BYTES: usize = 512;

/// The single fields of a container, and what must be found beside them.
#[derive(Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub(crate) struct Record<'a> {
    image: &'a str,
    runtime_name: &'a str,
    runtime_options: Option<AnyContent<'a>>,
    snapshotter: &'a str,
    snapshot_key: &'a str,
    sandbox_id: &'a str,
    created_at: Stamp,
    updated_at: Stamp,
    revision: u64,
    /// How many labels the container has.
    pub(crate) labels: u32,
    /// How many extensions the container has.
    pub(crate) extensions: u32,
    pub(crate) spec: SpecHead<'a>,
}

/// What the record knows of the spec, whose value has rows of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub(crate) struct SpecHead<'a> {
    pub(crate) type_url: &'a str,
    /// How long the value is.
    pub(crate) bytes: u32,
    pub(crate) seals: SpecSeals,
}

/// The CRC-32 of the checksums of a spec's rows: which rows are the record's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, BorrowDecode)]
pub(crate) struct SpecSeals(u32);

/// An `Any`: an extension or the options of a runtime.
#[derive(Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub(crate) struct AnyContent<'a> {
    type_url: &'a str,
    value: &'a [u8],
}

/// A time: seconds since 1970 and nanoseconds.
#[derive(Debug, PartialEq, Eq, Encode, BorrowDecode)]
struct Stamp(i64, u32);

/// What tells one store from every other.
#[derive(Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub(crate) struct Identity {
    pub(crate) uuid: [u8; 16],
    created_at: Stamp,
    rules: u8,
}

impl<'a> Record<'a> {
    /// The record of a container whose spec has rows with these seals.
    pub(crate) fn of(container: &'a Container, spec: &'a Any, seals: SpecSeals) -> Result<Self> {
        Ok(Self {
            image: &container.image,
            runtime_name: &container.runtime.name,
            runtime_options: container.runtime.options.as_ref().map(AnyContent::of),
            snapshotter: &container.snapshotter,
            snapshot_key: &container.snapshot_key,
            sandbox_id: &container.sandbox_id,
            created_at: Stamp::of(container.created_at),
            updated_at: Stamp::of(container.updated_at),
            revision: container.revision.get(),
            labels: count(container.labels.len())?,
            extensions: count(container.extensions.len())?,
            spec: SpecHead {
                type_url: &spec.type_url,
                bytes: count(spec.value.len())?,
                seals,
            },
        })
    }

    pub(crate) fn decode(key: &[u8], value: &'a [u8]) -> Result<Self> {
        decode(unseal(key, value)?)
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn image(&self) -> &'a str {
        self.image
    }

    pub(crate) fn runtime_name(&self) -> &'a str {
        self.runtime_name
    }

    pub(crate) fn snapshotter(&self) -> &'a str {
        self.snapshotter
    }

    pub(crate) fn snapshot_key(&self) -> &'a str {
        self.snapshot_key
    }

    pub(crate) fn sandbox_id(&self) -> &'a str {
        self.sandbox_id
    }

    /// The container `id` with these parts, in the file's own bytes.
    pub(crate) fn to_ref<'b>(
        &'b self,
        id: &'b str,
        labels: Vec<(&'b str, &'b str)>,
        extensions: Vec<(&'b str, AnyRef<'b>)>,
        spec: &'b [u8],
    ) -> Result<ContainerRef<'b>> {
        Ok(ContainerRef {
            id,
            image: self.image,
            runtime_name: self.runtime_name,
            runtime_options: self.runtime_options.as_ref().map(|options| AnyRef {
                type_url: options.type_url,
                value: options.value,
            }),
            snapshotter: self.snapshotter,
            snapshot_key: self.snapshot_key,
            sandbox_id: self.sandbox_id,
            created_at: self.created_at.to_time()?,
            updated_at: self.updated_at.to_time()?,
            revision: Revision::new(self.revision),
            labels,
            extensions,
            spec: AnyRef {
                type_url: self.spec.type_url,
                value: spec,
            },
        })
    }

    /// The header of the container `id`, with these labels.
    pub(crate) fn to_header(&self, id: String, labels: Labels) -> Result<ContainerHeader> {
        Ok(ContainerHeader {
            id,
            labels,
            image: self.image.to_owned(),
            runtime: Runtime {
                name: self.runtime_name.to_owned(),
                options: self.runtime_options.as_ref().map(AnyContent::to_any),
            },
            snapshotter: self.snapshotter.to_owned(),
            snapshot_key: self.snapshot_key.to_owned(),
            sandbox_id: self.sandbox_id.to_owned(),
            created_at: self.created_at.to_time()?,
            updated_at: self.updated_at.to_time()?,
            revision: Revision::new(self.revision),
        })
    }
}

impl<'a> AnyContent<'a> {
    pub(crate) fn of(any: &'a Any) -> Self {
        Self {
            type_url: &any.type_url,
            value: &any.value,
        }
    }

    pub(crate) fn decode(key: &[u8], value: &'a [u8]) -> Result<Self> {
        decode(unseal(key, value)?)
    }

    pub(crate) fn type_url(&self) -> &'a str {
        self.type_url
    }

    pub(crate) fn to_any(&self) -> Any {
        Any::new(self.type_url, self.value)
    }
}

impl<'a> From<AnyContent<'a>> for AnyRef<'a> {
    fn from(content: AnyContent<'a>) -> Self {
        let AnyContent { type_url, value } = content;
        Self { type_url, value }
    }
}

impl SpecHead<'_> {
    /// Whether the spec can have more rows than one.
    pub(crate) fn is_cut(&self) -> bool {
        const UNCUT_BYTES: u32 = 3 * 1024; // Less than a page and what is around a piece in it.
        self.bytes > UNCUT_BYTES
    }
}

impl SpecSeals {
    /// Adds the next row, by its sealed value.
    pub(crate) fn add(&mut self, sealed: &[u8]) {
        let seal = sealed.get(..CHECKSUM_BYTES).unwrap_or(sealed);
        let mut hasher = crc32fast::Hasher::new_with_initial(self.0);
        hasher.update(seal);
        self.0 = hasher.finalize();
    }
}

impl Stamp {
    fn of(time: DateTime<Utc>) -> Self {
        Self(time.timestamp(), time.timestamp_subsec_nanos())
    }

    fn to_time(&self) -> Result<DateTime<Utc>> {
        DateTime::from_timestamp(self.0, self.1)
            .ok_or_else(|| Error::corrupt("a time in the record is out of range"))
    }
}

impl Identity {
    pub(crate) fn new(uuid: [u8; 16], created_at: DateTime<Utc>, rules: Rules) -> Self {
        let rules = match rules {
            Rules::Strict => 0,
            Rules::Containerd2 => 1,
        };
        Self {
            uuid,
            created_at: Stamp::of(created_at),
            rules,
        }
    }

    pub(crate) fn created_at(&self) -> Result<DateTime<Utc>> {
        self.created_at.to_time()
    }

    pub(crate) fn rules(&self) -> Result<Rules> {
        match self.rules {
            0 => Ok(Rules::Strict),
            1 => Ok(Rules::Containerd2),
            other => Err(Error::corrupt(format!("unknown rule set {other}"))),
        }
    }

    pub(crate) fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        decode(unseal(key, value)?)
    }
}

/// Seals what bincode makes of `content`.
pub(crate) fn seal(key: &[u8], content: &impl Encode) -> Result<Vec<u8>> {
    seal_about(key, content, USUAL_BYTES)
}

/// Seals an `Any`.
pub(crate) fn seal_any(key: &[u8], any: &Any) -> Result<Vec<u8>> {
    let bytes = USUAL_BYTES + any.type_url.len() + any.value.len();
    seal_about(key, &AnyContent::of(any), bytes)
}

/// Seals what bincode makes of `content`, which is about so many bytes.
fn seal_about(key: &[u8], content: &impl Encode, bytes: usize) -> Result<Vec<u8>> {
    let mut sealed = Vec::with_capacity(bytes);
    sealed.extend_from_slice(&OPEN_SEAL);
    bincode::encode_into_std_write(content, &mut sealed, bincode::config::standard())
        .map_err(|error| Error::invalid("the value cannot be encoded").caused_by(error))?;
    Ok(close(key, sealed))
}

/// Seals bare bytes.
pub(crate) fn seal_bytes(key: &[u8], content: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(OPEN_SEAL.len() + content.len());
    sealed.extend_from_slice(&OPEN_SEAL);
    sealed.extend_from_slice(content);
    close(key, sealed)
}

/// The content of a sealed value, if it is what was written under this key.
pub(crate) fn unseal<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8]> {
    let Some((stored, sealed)) = value.split_first_chunk::<CHECKSUM_BYTES>() else {
        return Err(Error::corrupt("a value is cut short"));
    };
    if *stored != checksum(key, sealed) {
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

/// A text under this key.
pub(crate) fn unseal_text<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a str> {
    text(unseal(key, value)?)
}

/// A number under this key.
pub(crate) fn unseal_number(key: &[u8], value: &[u8]) -> Result<u64> {
    decode(unseal(key, value)?)
}

/// Bytes of the file that are to be a text.
pub(crate) fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes)
        .map_err(|error| Error::corrupt("a text is not UTF-8").caused_by(error))
}

/// Puts the checksum into its place, before the format byte and the content.
fn close(key: &[u8], mut sealed: Vec<u8>) -> Vec<u8> {
    if let Some((slot, rest)) = sealed.split_first_chunk_mut::<CHECKSUM_BYTES>() {
        *slot = checksum(key, rest);
    }
    sealed
}

fn checksum(key: &[u8], sealed: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let mut hasher = crc32fast::Hasher::new_with_initial(length);
    hasher.update(key);
    hasher.update(sealed);
    hasher.finalize().to_le_bytes()
}

/// Decodes all of `content`: bytes left over are an error.
fn decode<'a, T: BorrowDecode<'a, ()>>(content: &'a [u8]) -> Result<T> {
    let config = bincode::config::standard().with_limit::<ENCODED_MAX_BYTES>();
    let (value, used) = bincode::borrow_decode_from_slice(content, config)
        .map_err(|error| Error::corrupt("a value does not decode").caused_by(error))?;
    if used == content.len() {
        Ok(value)
    } else {
        Err(Error::corrupt("a value has bytes left over"))
    }
}

fn count(number: usize) -> Result<u32> {
    u32::try_from(number).map_err(|_| Error::invalid(format!("{number} is too many to count")))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn sealed(container: &Container) -> Vec<u8> {
        let spec = container.spec.as_ref().unwrap();
        let record = Record::of(container, spec, SpecSeals(17)).unwrap();
        seal(b"key", &record).unwrap()
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let container = container();
        let sealed = sealed(&container);
        let record = Record::decode(b"key", &sealed).unwrap();
        let spec = record.spec;
        assert_eq!(
            (record.labels, record.extensions, spec.type_url, spec.bytes),
            (1, 0, "spec", 3000)
        );
        assert_eq!(spec.seals, SpecSeals(17));
        let header = record
            .to_header("web".into(), container.labels.clone())
            .unwrap();
        assert_eq!(header, ContainerHeader::from(container));
    }

    #[test]
    fn every_flipped_bit_is_seen_wherever_it_is() {
        let container = container();
        let sealed = sealed(&container);
        for byte in 0..sealed.len() {
            for bit in 0..8 {
                let mut flipped = sealed.clone();
                flipped[byte] ^= 1 << bit;
                let error = Record::decode(b"key", &flipped).unwrap_err();
                assert!(error.is_corrupt(), "byte {byte}, bit {bit}");
            }
        }
        for cut in 0..sealed.len() {
            assert!(
                Record::decode(b"key", &sealed[..cut])
                    .unwrap_err()
                    .is_corrupt()
            );
        }
        let longer = [&sealed[..], &[0]].concat();
        assert!(Record::decode(b"key", &longer).unwrap_err().is_corrupt());
    }

    #[test]
    fn a_value_under_another_key_is_damage() {
        let sealed = seal_bytes(b"ns\0web\0\x01a", b"1");
        assert_eq!(unseal_text(b"ns\0web\0\x01a", &sealed).unwrap(), "1");
        assert!(
            unseal_text(b"ns\0web\0\x01b", &sealed)
                .unwrap_err()
                .is_corrupt()
        );
    }

    #[test]
    fn a_value_of_another_format_is_told_apart_from_damage() {
        let mut sealed = seal_bytes(b"k", b"1");
        sealed[4] = 2;
        let sealed = close(b"k", sealed);
        let error = unseal(b"k", &sealed).unwrap_err();
        assert_eq!(error.to_string(), "a value has the unknown format 2");
    }

    #[test]
    fn bytes_left_over_and_huge_lengths_are_refused() {
        let sealed = seal_bytes(b"k", &[1, 0]);
        assert!(
            unseal_number(b"k", &sealed)
                .unwrap_err()
                .to_string()
                .contains("left over")
        );
        let huge = [&[253u8][..], &u64::MAX.to_le_bytes()].concat();
        let sealed = seal_bytes(b"k", &huge);
        assert!(AnyContent::decode(b"k", &sealed).unwrap_err().is_corrupt());
    }

    #[test]
    fn an_identity_reads_back() {
        for rules in [Rules::Strict, Rules::Containerd2] {
            let now = DateTime::from_timestamp(5, 6).unwrap();
            let sealed = seal(b"identity", &Identity::new([9; 16], now, rules)).unwrap();
            let identity = Identity::decode(b"identity", &sealed).unwrap();
            assert_eq!(identity.uuid, [9; 16]);
            assert_eq!(identity.created_at().unwrap(), now);
            assert_eq!(identity.rules().unwrap(), rules);
        }
    }
}
