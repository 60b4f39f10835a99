//! Reads a fleet: its hosts, and the copy of each.

use std::fmt;
use std::sync::Arc;

use bayplan::implementing::{Action, Place, Policy};
use bayplan::{Detail, Error, Labels, NamespaceName, Position, Record, Result, Revision};
use chrono::{DateTime, Utc};
use etcd_client::{DeleteOptions, Txn, TxnOp};

use crate::connection::{Connection, repeated};
use crate::feed::Subscription;
use crate::fleet::row::{Row, check_host};
use crate::format::{self, Content};
use crate::keys::{CONTAINERS, Keys, behind_prefix};
use crate::namespaces::read_namespaces;
use crate::options::{DEFAULT_FLEET_PREFIX, Options};
use crate::reader::Reader;
use crate::shared::{At, Shared, told};
use crate::store::{SnapshotStore, checked_kind};

/// How many hosts are read at a time.
const PAGE: i64 = 256;

/// Copies of the stores of many hosts in one etcd, each kept by a [`Mirror`](crate::Mirror).
#[derive(Clone)]
pub struct Fleet {
    pub(crate) shared: Arc<Shared>,
    prefix: Arc<str>,
}

/// What is known about a host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Whether its mirror was heard of within [`LEASE_SECONDS`](crate::LEASE_SECONDS), and has not ended since.
    pub is_alive: bool,
    /// The id of its store.
    pub store_id: String,
    /// The position in the store's feed up to which the copy has everything; `None` if the copy is still incomplete.
    pub position: Option<Position>,
    /// Whether the copy has specs, extensions and the values of records.
    pub has_specs: bool,
    /// When its mirror last wrote. It writes every five minutes at least, and when it ends.
    pub written_at: DateTime<Utc>,
    /// Whether its mirror ended by itself then, by [`Mirror::end`](crate::Mirror::end).
    pub has_ended: bool,
}

impl Fleet {
    /// Opens the fleet below the prefix; it is created if there is none.
    ///
    /// # Errors
    ///
    /// As [`Etcd::open`](crate::Etcd::open); [`NotAStore`](bayplan::ErrorKind::NotAStore) if the prefix holds a store.
    pub fn open(options: &Options) -> Result<Self> {
        Self::opened(options, true)
            .map_err(|error| error.in_action(Action::OpenStore, Place::default()))
    }

    /// Opens the fleet below the prefix, which must exist.
    ///
    /// # Errors
    ///
    /// As [`Fleet::open`]; [`NotAStore`](bayplan::ErrorKind::NotAStore) if there is none.
    pub fn open_existing(options: &Options) -> Result<Self> {
        Self::opened(options, false)
            .map_err(|error| error.in_action(Action::OpenStore, Place::default()))
    }

    fn opened(options: &Options, may_create: bool) -> Result<Self> {
        let prefix = options.prefix_or(DEFAULT_FLEET_PREFIX)?;
        let keys = Keys::new(prefix.as_str());
        let connection = Arc::new(Connection::open(options)?);
        let policy = Policy::default();
        let (_, row) = format::open(
            &connection,
            &keys,
            Content::Fleet,
            may_create.then_some(policy),
        )?;
        Ok(Self {
            shared: Arc::new(Shared {
                connection,
                keys,
                policy,
                format: row,
            }),
            prefix: prefix.into(),
        })
    }

    pub(crate) fn row_key(&self, host: &str) -> Vec<u8> {
        format!("{}hosts/{host}", self.prefix).into_bytes()
    }

    pub(crate) fn alive_key(&self, host: &str) -> Vec<u8> {
        format!("{}alive/{host}", self.prefix).into_bytes()
    }

    pub(crate) fn keys_of(&self, host: &str) -> Keys {
        Keys::new(format!("{}of/{host}/", self.prefix))
    }

    /// Returns all hosts, in the order of their names.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](bayplan::ErrorKind::Corrupt), [`Io`](bayplan::ErrorKind::Io).
    pub fn hosts(&self) -> Result<Vec<Host>> {
        let first = self.row_key("");
        let end = behind_prefix(&first);
        let mut start = first.clone();
        let mut hosts = Vec::new();
        loop {
            let options = At::Now
                .options()
                .with_range(end.as_slice())
                .with_limit(PAGE);
            let (page, _) = self
                .shared
                .range(&start, options)
                .map_err(|fault| fault.error)?;
            for pair in page.kvs() {
                let name = pair
                    .key()
                    .strip_prefix(first.as_slice())
                    .unwrap_or_default();
                let name = String::from_utf8_lossy(name).into_owned();
                let row = Row::open(pair.key(), pair.value()).map_err(in_host(&name))?;
                hosts.push(self.host_of(name, row)?);
            }
            match page.kvs().last().filter(|_| page.more()) {
                Some(last) => start = [last.key(), &[0]].concat(),
                None => return Ok(hosts),
            }
        }
    }

    fn host_of(&self, name: String, row: Row) -> Result<Host> {
        let alive = self.alive_key(&name);
        let [alive] = self
            .shared
            .get(At::Now, [&alive])
            .map_err(|fault| fault.error)?;
        Ok(Host {
            name,
            is_alive: alive.is_some(),
            store_id: row.store,
            position: row.position,
            has_specs: row.has_specs,
            written_at: row.written_at,
            has_ended: row.has_ended,
        })
    }

    /// Removes the copy of a host and what is known about it. A mirror that still runs fails when it next writes.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](bayplan::ErrorKind::InvalidArgument) if the name has not the form of an identifier;
    /// [`Io`](bayplan::ErrorKind::Io), and then it may have been removed or not.
    pub fn forget(&self, host: &str) -> Result<()> {
        check_host(host)?;
        let (start, end) = self.keys_of(host).everything();
        let all = DeleteOptions::new().with_range(end);
        let txn = Txn::new().and_then([
            TxnOp::delete(self.row_key(host), None),
            TxnOp::delete(self.alive_key(host), None),
            TxnOp::delete(start, Some(all)),
        ]);
        // To remove it twice is no harm.
        let connection = &self.shared.connection;
        let sent = repeated(connection.attempts(), || connection.txn(txn.clone()));
        sent.map(drop).map_err(|fault| fault.error)
    }

    /// Returns the copy of a host, which need not exist: then it is empty.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](bayplan::ErrorKind::InvalidArgument) if the name has not the form of an identifier.
    pub fn copy(&self, host: &str) -> Result<HostCopy> {
        check_host(host)?;
        Ok(HostCopy {
            shared: Arc::new(self.shared.with_keys(self.keys_of(host))),
        })
    }
}

/// Names the host in an error about what is known of it.
pub(crate) fn in_host(name: &str) -> impl Fn(Error) -> Error {
    let name = name.to_owned();
    move |error| {
        let text = format!("what is known about the host {name:?} cannot be read");
        Error::of_kind(error.kind(), text).caused_by(error)
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// The copy of a host's store, for reading; from [`Fleet::copy`].
///
/// Items have the times and the revisions of the host's store. Without specs in the copy, containers have neither spec
/// nor extensions, and records have empty values.
#[derive(Clone)]
pub struct HostCopy {
    shared: Arc<Shared>,
}

impl HostCopy {
    /// Returns the containers of a namespace, which need not exist.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](bayplan::ErrorKind::InvalidArgument) if `name` is not a valid name.
    pub fn namespace(&self, name: &str) -> Result<SnapshotStore> {
        let mut reader = Reader::new(&self.shared, name, CONTAINERS, At::Now)?;
        reader.is_copy = true;
        Ok(SnapshotStore(reader))
    }

    /// Returns the records of another kind in a namespace.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](bayplan::ErrorKind::InvalidArgument) if `name` is not a valid name, or `kind` is not an
    /// identifier, or is reserved.
    pub fn records(&self, name: &str, kind: &str) -> Result<SnapshotStore<Record>> {
        let kind = checked_kind(name, kind)?;
        let mut reader = Reader::new(&self.shared, name, kind, At::Now)?;
        reader.is_copy = true;
        Ok(SnapshotStore(reader))
    }
}

impl HostCopy {
    /// Returns the last revision of etcd, from which to follow the copy.
    ///
    /// # Errors
    ///
    /// [`Io`](bayplan::ErrorKind::Io).
    pub fn revision(&self) -> Result<Revision> {
        self.shared.revision()
    }

    /// Follows the copy; see [`Etcd::subscribe`](crate::Etcd::subscribe). Its changes have etcd's revisions, and its items
    /// those of the host's store.
    ///
    /// # Errors
    ///
    /// [`Io`](bayplan::ErrorKind::Io).
    pub fn subscribe(&self, from: Revision, detail: Detail) -> Result<Subscription> {
        Subscription::new(&self.shared, from, detail, true)
    }
}

read_namespaces!(HostCopy, |_: &HostCopy| At::Now);

impl fmt::Debug for HostCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostCopy").finish_non_exhaustive()
    }
}
