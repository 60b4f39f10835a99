//! An embedded, crash-safe store for the metadata of a host's containers.
//!
//! A [`Db`] is one file; a [`Namespace`] of it is a [`Store`] of [`Container`]s.
//!
//! ```
//! use bayplan::{Any, Container, Db, FieldMask, Filters, ReadStore, Runtime, Store};
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
//! let change = Container::with_id("web").label("tier", "front");
//! store.update(change, &FieldMask::parse(["labels.tier"])?)?;
//! let front = store.list(&Filters::parse(["labels.app==nginx,labels.tier"])?)?;
//! assert_eq!(front[0].id, "web");
//! # Ok(())
//! # }
//! ```
//!
//! It does for a runtime written in Rust what containerd's `containers.Store` over Bolt does for
//! one written in Go, with the same semantics: field paths, filters, namespaces, error classes.
//!
//! # What it does
//!
//! - Every write is durable when it returns, and atomic; a crash at any moment loses nothing that
//!   was acknowledged. Writes of many threads share one sync of the disk.
//! - Transactions over any namespaces ([`Db::write`]), and snapshots that block nobody
//!   ([`Db::read`]).
//! - containerd's [filters](Filters) and [field paths](FieldMask), with errors that show the
//!   place, and builders that escape.
//! - [Revisions](Revision), to update only what has not changed since it was read.
//! - Checksums over every value and its key, verified at every read. Damage is an error that
//!   names the container, never a panic and never other data. (redb may panic over pages that were
//!   not verified: that is caught, after the panic hook was called, and so not in a program that
//!   is built with `panic = "abort"`.)
//!
//! # What it does not do
//!
//! - Run, watch or clean up containers; hold images, snapshots or content.
//! - Serve several writing processes: one process writes to a file at a time.
//! - Replicate, or spread over several hosts.
//! - Interpret specs, options and extensions: they are bytes.
//!
//! # Features
//!
//! - `conformance`: the laws of [`Store`] as public functions, to test another implementation of
//!   it.

// The tests share helpers with those in `tests/it`, which know the crate by its name.
#[cfg(test)]
extern crate self as bayplan;

mod any;
mod borrowed;
mod commit;
#[cfg(feature = "conformance")]
pub mod conformance;
mod container;
mod db;
mod dump;
mod engine;
mod error;
mod excerpt;
mod field;
mod filter;
mod identifier;
mod implement;
mod info;
mod labels;
pub mod limits;
mod mask;
mod options;
mod pieces;
mod progress;
mod record;
mod revision;
mod schema;
mod stats;
mod store;
mod tools;
mod update;

pub use any::Any;
pub use borrowed::{AnyRef, ContainerRef};
pub use container::{Container, ContainerHeader, Extensions, Runtime};
pub use db::{Db, Namespace};
pub use engine::check::{CheckReport, Damage};
pub use engine::txn::{Containers, ReadNamespace, ReadTxn, WriteNamespace, WriteTxn};
pub use error::{Error, ErrorKind, Result};
pub use filter::{Filter, FilterError, FilterField, Filters, UnknownField};
pub use identifier::{ContainerId, NamespaceName};
pub use info::{StoreId, StoreInfo};
pub use labels::Labels;
pub use mask::{FieldMask, FieldMaskError, FieldPath};
pub use options::Builder;
pub use progress::Progress;
pub use revision::Revision;
pub use stats::{NamespaceStats, Stats, TableStats};
pub use store::{Damaged, Listing, Namespaces, Page, ReadNamespaces, ReadStore, Store};
pub use tools::backup::BackupReport;
pub use tools::compact::CompactReport;
pub use tools::dump::{Dump, DumpReport, LoadReport};
pub use tools::salvage::{LostContainer, SalvageReport, UncertainContainer};
pub use update::Rules;

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
