//! A [`bayplan`] store on etcd: the same records, rules and filters, for a cluster instead of a file.
//!
//! ```no_run
//! use bayplan::{Any, Container, Filters, ReadStore, Runtime, Store};
//! use bayplan_etcd::{Etcd, Options};
//!
//! # fn main() -> bayplan::Result<()> {
//! let etcd = Etcd::open(&Options::new(["10.0.0.1:2379", "10.0.0.2:2379", "10.0.0.3:2379"]))?;
//! let store = etcd.namespace("k8s.io")?;
//! let spec = Any::new("types.containerd.io/opencontainers/runtime-spec/1/Spec", b"{}");
//! store.create(Container::new("web", Runtime::new("io.containerd.runc.v2"), spec))?;
//! assert_eq!(store.list(&Filters::parse(["runtime.name~=runc"])?)?[0].id, "web");
//! # Ok(())
//! # }
//! ```
//!
//! [`Etcd`] is the store. Its [`EtcdStore`]s implement [`bayplan::Store`], and it implements [`bayplan::Namespaces`],
//! by the laws that `bayplan-conformance` tests.
//!
//! # What it does
//!
//! - Revisions are etcd's own. An update compares the revision that it has read, so it needs no lock.
//! - [Transactions](Etcd::write) over several records, [snapshots](Etcd::snapshot), and a [feed](Etcd::subscribe).
//! - A write whose answer is lost is found out about, never done twice.
//! - Checksums over every key and value, as in a file.
//!
//! # What it does not do
//!
//! - Run etcd, or compact its history.
//! - Keep a record that is larger than etcd's requests (1.5 MiB, unless its `--max-request-bytes` is raised).
//! - Filter in etcd: a listing with filters reads the heads of a whole namespace.
//!
//! The document `docs/ETCD.md` describes the keys, and says when to use this and when not.

#![forbid(unsafe_code)]

mod connection;
mod draft;
mod etcd;
mod events;
mod fault;
mod feed;
mod fleet;
mod format;
mod keys;
mod namespaces;
mod operations;
mod options;
mod reader;
mod scan;
mod shared;
mod store;
mod txn;

pub use etcd::{Etcd, EtcdInfo, Snapshot};
pub use events::Change;
pub use feed::Subscription;
pub use fleet::alive::LEASE_SECONDS;
pub use fleet::claim::AnotherStore;
pub use fleet::copy::{Fleet, Host, HostCopy};
pub use fleet::mirror::{Mirror, Progress};
pub use format::FORMAT_VERSION;
pub use options::{DEFAULT_FLEET_PREFIX, DEFAULT_STORE_PREFIX, Options, PREFIX_MAX_BYTES};
pub use store::{EtcdStore, SnapshotStore};
pub use txn::WriteTxn;
