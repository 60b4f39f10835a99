//! A store in etcd, and a snapshot of it.

use std::fmt;
use std::sync::Arc;

use bayplan::implementing::{Action, Place};
use bayplan::{Error, Labels, NamespaceName, Namespaces, Record, Result, Revision, Rules};
use chrono::{DateTime, Utc};

use crate::connection::Connection;
use crate::draft::Draft;
use crate::format::{self, Content, FORMAT_VERSION, Format};
use crate::keys::{CONTAINERS, Keys};
use crate::namespaces::{self, read_namespaces};
use crate::options::{DEFAULT_STORE_PREFIX, Options};
use crate::reader::Reader;
use crate::shared::{At, Shared, told};
use crate::store::{EtcdStore, SnapshotStore, checked_kind};

/// A store of containers and records in etcd.
///
/// Clones are cheap and share the connection. Every call blocks its thread until etcd has answered; in an async
/// program, call it where blocking is allowed.
#[derive(Clone)]
pub struct Etcd {
    pub(crate) shared: Arc<Shared>,
    id: Arc<str>,
    created_at: DateTime<Utc>,
}

/// What is known about an opened store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EtcdInfo {
    /// Identifies the store: a UUID.
    pub id: String,
    /// When the store was created.
    pub created_at: DateTime<Utc>,
    /// The version of the layout of the keys.
    pub format_version: u32,
    /// Which fields may change.
    pub rules: Rules,
    /// Whether labels with an empty value are kept.
    pub keep_empty_labels: bool,
}

impl Etcd {
    /// Opens the store below the prefix. If there is none, it is created, with the rules of the options.
    ///
    /// # Errors
    ///
    /// [`NotAStore`](bayplan::ErrorKind::NotAStore) if the prefix holds a fleet;
    /// [`IncompatibleFormat`](bayplan::ErrorKind::IncompatibleFormat) if another version wrote it;
    /// [`Corrupt`](bayplan::ErrorKind::Corrupt); [`InvalidArgument`](bayplan::ErrorKind::InvalidArgument) if the
    /// options are not valid; [`FailedPrecondition`](bayplan::ErrorKind::FailedPrecondition) if etcd does not accept the
    /// user; [`Io`](bayplan::ErrorKind::Io).
    pub fn open(options: &Options) -> Result<Self> {
        Self::opened(options, true).map_err(in_open)
    }

    /// Opens the store below the prefix, which must exist.
    ///
    /// # Errors
    ///
    /// As [`Etcd::open`]; [`NotAStore`](bayplan::ErrorKind::NotAStore) if there is none.
    pub fn open_existing(options: &Options) -> Result<Self> {
        Self::opened(options, false).map_err(in_open)
    }

    fn opened(options: &Options, may_create: bool) -> Result<Self> {
        let keys = Keys::new(options.prefix_or(DEFAULT_STORE_PREFIX)?);
        let connection = Arc::new(Connection::open(options)?);
        let policy = may_create.then_some(options.policy);
        let (format, row) = format::open(&connection, &keys, Content::Store, policy)?;
        let policy = format.policy();
        let Format { id, created_at, .. } = format;
        Ok(Self {
            shared: Arc::new(Shared {
                connection,
                keys,
                policy,
                format: row,
            }),
            id: id.into(),
            created_at,
        })
    }

    /// Returns what is known about the store.
    #[must_use]
    pub fn info(&self) -> EtcdInfo {
        EtcdInfo {
            id: self.id.to_string(),
            created_at: self.created_at,
            format_version: FORMAT_VERSION,
            rules: self.shared.policy.rules,
            keep_empty_labels: self.shared.policy.keep_empty_labels,
        }
    }

    /// Returns the containers of a namespace, which need not exist.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](bayplan::ErrorKind::InvalidArgument) if `name` is not a valid name.
    pub fn namespace(&self, name: &str) -> Result<EtcdStore> {
        EtcdStore::new(&self.shared, name)
    }

    /// Returns a snapshot of the last commit. It reads that state until etcd compacts it away; then its reads fail with
    /// [`FailedPrecondition`](bayplan::ErrorKind::FailedPrecondition).
    ///
    /// # Errors
    ///
    /// [`Io`](bayplan::ErrorKind::Io).
    pub fn snapshot(&self) -> Result<Snapshot> {
        let revision = self.shared.revision()?;
        Ok(Snapshot {
            shared: Arc::clone(&self.shared),
            revision,
        })
    }
}

fn in_open(error: Error) -> Error {
    error.in_action(Action::OpenStore, Place::default())
}

impl fmt::Debug for Etcd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Etcd")
            .field("info", &self.info())
            .finish_non_exhaustive()
    }
}

/// One state of a store, for reading; from [`Etcd::snapshot`].
#[derive(Clone)]
pub struct Snapshot {
    pub(crate) shared: Arc<Shared>,
    pub(crate) revision: Revision,
}

impl Snapshot {
    /// Returns the revision of etcd that it reads. Changes after it are those of a later
    /// [`subscribe`](Etcd::subscribe) from here.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Returns the containers of a namespace, which need not exist.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](bayplan::ErrorKind::InvalidArgument) if `name` is not a valid name.
    pub fn namespace(&self, name: &str) -> Result<SnapshotStore> {
        Reader::new(&self.shared, name, CONTAINERS, At::Revision(self.revision)).map(SnapshotStore)
    }

    /// Returns the records of another kind in a namespace.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](bayplan::ErrorKind::InvalidArgument) if `name` is not a valid name, or `kind` is not an
    /// identifier, or is reserved.
    pub fn records(&self, name: &str, kind: &str) -> Result<SnapshotStore<Record>> {
        let kind = checked_kind(name, kind)?;
        Reader::new(&self.shared, name, kind, At::Revision(self.revision)).map(SnapshotStore)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

read_namespaces!(Etcd, |_: &Etcd| At::Now);
read_namespaces!(Snapshot, |snapshot: &Snapshot| At::Revision(
    snapshot.revision
));

impl Etcd {
    fn write_namespace(
        &self,
        action: Action,
        name: &str,
        work: impl Fn(&Shared, &mut Draft<'_>) -> Result<()>,
    ) -> Result<()> {
        let written = self.shared.write(|draft| work(&self.shared, draft));
        written
            .map(drop)
            .map_err(told(action, name, CONTAINERS, None))
    }
}

impl Namespaces for Etcd {
    fn create_namespace(&self, name: &str, labels: Labels) -> Result<()> {
        self.write_namespace(Action::CreateNamespace, name, |shared, draft| {
            NamespaceName::new(name)?;
            namespaces::create(shared, draft, name, &labels)
        })
    }

    fn set_namespace_label(&self, name: &str, key: &str, value: &str) -> Result<()> {
        self.write_namespace(Action::SetNamespaceLabel, name, |shared, draft| {
            NamespaceName::new(name)?;
            namespaces::set_label(shared, draft, name, (key, value))
        })
    }

    fn delete_namespace(&self, name: &str) -> Result<()> {
        self.write_namespace(Action::DeleteNamespace, name, |shared, draft| {
            NamespaceName::new(name).map_err(|_| crate::operations::not_found())?;
            namespaces::delete(shared, draft, name)
        })
    }
}
