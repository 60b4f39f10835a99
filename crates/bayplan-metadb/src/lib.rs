//! Moves containers between containerd's metadata database and a [`bayplan`] store.
//!
//! [`MetaDb`] opens containerd's file `meta.db`, [`import`] brings it into a store, [`export()`] writes a new one.
//!
//! ```
//! use bayplan::{Any, Container, Db, Runtime};
//! use bayplan_metadb::{MetaDb, export, import};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("meta.db");
//! let db = Db::in_memory()?;
//! let web = Container::new("web", Runtime::new("io.containerd.runc.v2"), Any::new("spec", b"{}"));
//! let web = db.namespace("default")?.create(web)?;
//! export(&db.read()?, &path, |_| {})?;
//!
//! let other = Db::in_memory()?;
//! let report = import(&MetaDb::open(&path)?, &other, |_| {})?;
//! assert_eq!((report.containers_count, report.refused_count), (1, 0));
//! let same = other.namespace("default")?.get("web")?;
//! assert_eq!((same.spec, same.created_at), (web.spec, web.created_at));
//! # Ok(())
//! # }
//! ```
//!
//! # What it does
//!
//! - Reads files of containerd 1.x and 2.x, with and without a freelist, one container at a time.
//! - Carries namespaces with their labels, and containers with all their fields. Times are kept to the nanosecond,
//!   specs, options and extensions byte for byte.
//! - Says what it cannot carry: each container that is refused, each change, and how many objects of other kinds stay.
//!
//! # What it does not do
//!
//! - Carry images, content, snapshots, leases or sandboxes: a store does not know what they mean.
//! - Change a file of containerd. It writes new ones.
//! - Read a file that containerd has open.
//!
//! Whatever is in a file, an operation ends with a result or an [`Error`], and does not panic.

#![forbid(unsafe_code)]

mod any;
mod container;
mod error;
mod export;
mod import;
mod keys;
mod read;
mod time;
mod varint;

pub use crate::error::{Error, Fault, Result};
pub use crate::export::{ExportEvent, ExportReport, export};
pub use crate::import::{Change, Event, ImportReport, dry_run, import};
pub use crate::read::MetaDb;
