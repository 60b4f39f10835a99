//! An embedded, crash-safe store for the metadata of a host's containers.
//!
//! A [`Db`] is one file. Each [`Namespace`] in it is a [`Store`] of [`Container`]s.
//!
//! ```
//! use bayplan::{Any, Container, Db, Filters, Runtime, Update};
//!
//! # fn main() -> bayplan::Result<()> {
//! # let directory = tempfile::tempdir().unwrap();
//! # let path = directory.path().join("meta.redb");
//! let db = Db::create(path)?;
//! let store = db.namespace("k8s.io")?;
//! let spec = Any::new("types.containerd.io/opencontainers/runtime-spec/1/Spec", b"{}");
//! store.create(Container::new("web", Runtime::new("io.containerd.runc.v2"), spec)
//!     .label("app", "nginx"))?;
//!
//! store.apply(Update::new("web").set_label("tier", "front"))?;
//! let front = store.list(&Filters::parse(["labels.app==nginx,labels.tier"])?)?;
//! assert_eq!(front[0].id, "web");
//! # Ok(())
//! # }
//! ```
//!
//! It does for runtimes in Rust what containerd's `containers.Store` on top of Bolt does for runtimes in Go, with the
//! same semantics: field paths, filters, namespaces, error classes.
//!
//! # What it does
//!
//! - Every write is atomic, and durable when it returns. A crash at any moment loses nothing that was
//!   acknowledged. Concurrent writes share one sync of the disk.
//! - Transactions across namespaces ([`Db::write`]), and snapshots that do not block writers ([`Db::read`]).
//! - containerd's [filters](Filters) and [field paths](FieldMask), with errors that show the position, and
//!   builders that quote.
//! - A store can belong to one process, or be read by others, or be read and written by any number of processes
//!   ([`Builder::share`]).
//! - [Revisions](Revision), to update something only if it has not changed since you read it.
//! - A [change feed](Db::subscribe): what was created, updated and deleted since a position, and then each change as it
//!   happens.
//! - Checksums of every value and its key, verified whenever a value is read from the file. Damage is an error that
//!   names the container, never a panic and never wrong data. (redb may panic on unverified pages. The panic is caught
//!   after the panic hook has run, except in a program built with `panic = "abort"`.)
//!
//! # What it does not do
//!
//! - Run, watch or clean up containers; store image layers, snapshots or content.
//! - Replicate, or span several hosts.
//! - Interpret specs, options and extensions. They are bytes to it.
//!
//! # Features
//!
//! None is on by default.
//!
//! - `tokio`: `AsyncDb`, the operations as async functions and the listings as streams.
//! - `prost`: [`Any`], [`FieldMask`] and times from and to protobuf's.
//! - `oci-spec`: a spec as `oci_spec::runtime::Spec`.
//! - `tonic`: [`Error`] as `tonic::Status`, and back.
//!
//! # Another implementation
//!
//! The crate `bayplan-conformance` tests any implementation of [`Store`] and [`Namespaces`] for the laws of these
//! traits. [`implementing`] has the rules and the encoding, for stores that are not a file. `bayplan-etcd` is such a
//! store, on etcd.

// Unit tests share helpers with `tests/it`, which use the crate by its name.
#[cfg(test)]
extern crate self as bayplan;

mod api;
mod filter;
mod maintenance;
mod model;
mod query;
mod records;
mod redb_file;
mod session;
#[cfg(test)]
mod tests;
mod update;

#[cfg(feature = "tokio")]
pub use api::asynchronous::{
    AsyncCollection, AsyncDb, AsyncItems, AsyncNamespace, AsyncQuery, AsyncRecords, AsyncSnapshot,
    AsyncSubscription,
};
pub use api::builder::Builder;
pub use api::changes::{Change, Changes, Event, Subject, Subscription};
pub use api::collection::{
    Collection, Namespace, ReadNamespace, ReadRecords, Records, WriteNamespace, WriteRecords,
};
#[cfg(feature = "prost")]
pub use api::convert::{from_prost_timestamp, to_prost_timestamp};
pub use api::db::Db;
pub use api::implementing;
pub use api::query::{Listing, Query};
pub use api::selection::{Detail, Found, Selection, Traversal};
pub use api::source::{Sink, Source};
pub use api::store::{Namespaces, ReadNamespaces, ReadStore, Store};
pub use api::stored::Stored;
pub use api::update::Update;
pub use filter::{Filter, FilterError, FilterField, Filters, UnknownField};
pub use maintenance::Maintenance;
pub use maintenance::backup::BackupReport;
pub use maintenance::check::{CheckReport, Damage};
pub use maintenance::compact::CompactReport;
pub use maintenance::dump::run::{Dump, DumpReport, LoadReport};
pub use maintenance::salvage::{LostRecord, SalvageReport, UncertainRecord};
pub use model::any::Any;
pub use model::container::{Container, ContainerHeader, Extensions, Runtime};
pub use model::error::{Error, ErrorKind, Result};
pub use model::identifier::{ContainerId, NamespaceName};
pub use model::info::{StoreId, StoreInfo};
pub use model::kind::RecordId;
pub use model::labels::Labels;
pub use model::limits;
pub use model::pin::{Pin, PinSource, Resource};
pub use model::policy::{Rules, Share};
pub use model::position::Position;
pub use model::progress::Progress;
pub use model::record::{Record, RecordHeader};
pub use model::revision::Revision;
pub use model::stats::{NamespaceStats, Stats, TableStats};
pub use query::Damaged;
pub use session::txn::{ReadTxn, WriteTxn};
pub use update::mask::{FieldMask, FieldMaskError, FieldPath};

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// And those of the guides, of which some are async.
#[cfg(all(doctest, feature = "tokio"))]
mod guides {
    #[doc = include_str!("../docs/COOKBOOK.md")]
    struct Cookbook;

    #[doc = include_str!("../docs/FROM_STATE_JSON.md")]
    struct FromStateJson;

    #[doc = include_str!("../docs/FROM_SQLITE.md")]
    struct FromSqlite;
}
