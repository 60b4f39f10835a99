//! What can go wrong, and where.

use std::path::PathBuf;

use crate::keys::VERSION_MAX;

/// The result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be read, imported or exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The Bolt file cannot be read or written, or its pages are damaged.
    #[error(transparent)]
    Bolt(#[from] boltfile::Error),
    /// The store refuses something, or fails.
    #[error(transparent)]
    Store(#[from] bayplan::Error),
    /// A Bolt file, but not one of containerd.
    #[error("{} is no metadata database of containerd: it has no bucket v1", path.display())]
    NotContainerd {
        /// The file.
        path: PathBuf,
    },
    /// The version of the schema cannot be read.
    #[error("{} does not tell the version of its schema: the key v1/version is damaged", path.display())]
    VersionDamaged {
        /// The file.
        path: PathBuf,
    },
    /// The file is of a newer containerd, with a schema that this crate does not know.
    #[error("{} has version {found} of containerd's schema, expected at most {VERSION_MAX}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version that it has.
        found: i64,
    },
    /// A key of a namespace or a container has something that containerd would not write.
    #[error("{}: the key {key}: {fault}", subject(namespace, id.as_deref()))]
    Schema {
        /// The namespace. Bytes that are not printable ASCII are escaped, here and below.
        namespace: String,
        /// The container; `None` if the key is in the namespace itself.
        id: Option<String>,
        /// The key in it, with the buckets on the way: `labels/app`.
        key: String,
        /// What is wrong.
        fault: Fault,
    },
    /// The store holds something that containerd cannot.
    #[error(
        "containerd cannot have a namespace named {namespace:?}: its file has another key there"
    )]
    NamespaceName {
        /// The namespace.
        namespace: String,
    },
}

/// How a message names a namespace or a container.
fn subject(namespace: &str, id: Option<&str>) -> String {
    match id {
        Some(id) => format!("container \"{id}\" in namespace \"{namespace}\""),
        None => format!("namespace \"{namespace}\""),
    }
}

impl Error {
    /// Whether it is about one namespace or container, and the others can be imported.
    pub(crate) fn is_about_one(&self) -> bool {
        match self {
            Self::Schema { .. } => true,
            Self::Store(error) => error.is_invalid_argument() || error.is_already_exists(),
            _ => false,
        }
    }

    /// Whether the file is damaged: its pages, or what containerd keeps in it. A file that does not even begin as one of
    /// Bolt ([`NotBolt`](boltfile::Error::NotBolt)) may be anything.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Schema { .. } | Self::VersionDamaged { .. } => true,
            Self::Bolt(error) => matches!(error, boltfile::Error::Damaged { .. }),
            Self::Store(error) => error.is_corrupt(),
            _ => false,
        }
    }
}

/// What is wrong with a key or what it has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A value where a bucket should be.
    #[error("a value, expected a bucket")]
    NoBucket,
    /// A bucket where a value should be.
    #[error("a bucket, expected a value")]
    NoValue,
    /// A key that this crate does not know: it would be lost.
    #[error("unknown")]
    UnknownKey,
    /// A text, or the key itself, is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// A value is longer than a store can hold.
    #[error("{length} bytes, expected at most {limit}")]
    TooLong {
        /// Its length in bytes.
        length: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// There are more labels or extensions than a store can hold, or they are larger.
    #[error("more than {limit}")]
    TooMuch {
        /// The limit, with its unit.
        limit: &'static str,
    },
    /// A time has the wrong length.
    #[error("a time of {length} bytes, expected 15 in version 1 and 16 in version 2")]
    TimeLength {
        /// Its length in bytes.
        length: u64,
    },
    /// A time in an unknown form.
    #[error("a time of version {found}, expected 1 or 2")]
    TimeVersion {
        /// What is there.
        found: u8,
    },
    /// A time with too many nanoseconds.
    #[error("a time with {found} nanoseconds, expected less than a second")]
    TimeNanoseconds {
        /// What is there.
        found: u32,
    },
    /// A time that a store cannot hold.
    #[error("a time {seconds} seconds after the year 1, which is out of range")]
    TimeRange {
        /// What is there.
        seconds: i64,
    },
    /// An `Any` ends in the middle of a field.
    #[error("an Any that is cut short")]
    AnyCut,
    /// An `Any` has a field that it should not have, or has one twice.
    #[error("an Any with the tag {tag:#x}, expected 0xa and 0x12, each at most once")]
    AnyField {
        /// The number and the kind of the field, as protobuf writes them.
        tag: u64,
    },
}
