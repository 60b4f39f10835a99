//! `Db::dump` and `Builder::load`.

use std::io::{BufRead, Write};
use std::path::Path;

use serde::Serialize;

use crate::db::Db;
use crate::dump::line::StoreLine;
use crate::dump::{Item, Reader, Writer};
use crate::engine::bulk::Bulk;
use crate::engine::fault::contained;
use crate::engine::new_store::{NewStore, not_kept};
use crate::engine::txn::ReadTxn;
use crate::error::{Error, Operation, Result};
use crate::filter::Filters;
use crate::info::StoreId;
use crate::options::Builder;
use crate::progress::Progress;
use crate::record::Identity;
use crate::revision::Revision;
use crate::store::ReadNamespaces;

/// How many containers are done between two calls of a progress callback.
const PROGRESS_EVERY_COUNT: u64 = 64;

/// What [`Db::dump`] wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DumpReport {
    /// Which store it is.
    pub id: StoreId,
    /// How many namespaces were written.
    pub namespaces_count: u64,
    /// How many containers were written.
    pub containers_count: u64,
    /// The length of the dump.
    pub dump_bytes: u64,
    /// Every revision in the dump is below this one.
    pub revisions_below: Revision,
}

/// What [`Builder::load`] made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LoadReport {
    /// Which store it is: the one that was dumped.
    pub id: StoreId,
    /// How many namespaces were loaded.
    pub namespaces_count: u64,
    /// How many containers were loaded.
    pub containers_count: u64,
    /// How many lines the dump had.
    pub lines_count: u64,
    /// The length of the new file.
    pub file_bytes: u64,
    /// Every revision in the store is below this one.
    pub revisions_below: Revision,
}

impl Db {
    /// Writes everything that is stored as lines of JSON, in an order that is always the same.
    ///
    /// The dump is complete and exact: [`Builder::load`] makes the same store of it, also another
    /// version of this library, and dumping that store gives the same bytes. `docs/FORMAT.md` has
    /// its grammar. It is read from one snapshot, while others write, with a few containers in
    /// memory at a time. Pages that nobody has verified are verified first. Specs may hold secrets: mind who can read what `out` writes to.
    ///
    /// `progress` counts containers.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt), naming the page, container or namespace, if something is
    /// damaged: a dump is whole or it has no last line ([`Builder::salvage`] saves the rest).
    /// [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition) if a container needs a line
    /// longer than [`DUMP_LINE_MAX_BYTES`](crate::limits::DUMP_LINE_MAX_BYTES).
    /// [`Io`](crate::ErrorKind::Io) if `out` fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{Any, Container, Db, Runtime, Store};
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("meta.redb");
    /// # let copy = directory.path().join("copy.redb");
    /// let db = Db::create(path)?;
    /// let spec = Any::new("spec", b"{}");
    /// db.namespace("k8s.io")?.create(Container::new("web", Runtime::new("runc"), spec))?;
    ///
    /// let mut dump = Vec::new();
    /// let report = db.dump(&mut dump, |_| {})?;
    /// assert_eq!(report.containers_count, 1);
    ///
    /// Db::builder().load(&copy, &dump[..], |_| {})?;
    /// let mut again = Vec::new();
    /// Db::open(&copy)?.dump(&mut again, |_| {})?;
    /// assert_eq!(again, dump);
    /// # Ok(())
    /// # }
    /// ```
    pub fn dump(&self, out: impl Write, progress: impl FnMut(Progress)) -> Result<DumpReport> {
        let snapshot = self.read_verified(Operation::Dump)?;
        dump(&snapshot, out, progress)
            .map_err(|error| error.within(Operation::Dump).at(snapshot.shared().path()))
    }
}

fn dump(
    snapshot: &ReadTxn,
    out: impl Write,
    mut progress: impl FnMut(Progress),
) -> Result<DumpReport> {
    snapshot.check_rows()?;
    let store = store_line(snapshot)?;
    let (id, revisions_below) = (store.id, store.revisions_below);
    let names = snapshot.list_namespaces()?;
    if let Some(stray) = snapshot.stray_namespace(&names)? {
        return Err(Error::corrupt("it holds containers but does not exist").in_namespace(stray));
    }
    let mut writer = Writer::begin(out, store)?;
    for name in &names {
        writer.namespace(name, &snapshot.namespace_labels(name.as_str())?)?;
        for container in snapshot.namespace(name.as_str())?.iter(&Filters::all()) {
            writer.container(name, &container?)?;
            if writer.containers % PROGRESS_EVERY_COUNT == 0 {
                progress(Progress::new(writer.containers, None));
            }
        }
    }
    writer.end()?;
    progress(Progress::new(writer.containers, Some(writer.containers)));
    Ok(DumpReport {
        id,
        namespaces_count: writer.namespaces,
        containers_count: writer.containers,
        dump_bytes: writer.bytes,
        revisions_below,
    })
}

fn store_line(snapshot: &ReadTxn) -> Result<StoreLine> {
    let identity = &snapshot.shared().identity;
    Ok(StoreLine {
        id: StoreId::from_bytes(identity.uuid),
        created_at: identity.created_at()?,
        rules: identity.rules()?,
        revisions_below: snapshot.revisions_below()?,
    })
}

impl Builder {
    /// Makes a new store of a dump: the same store, with its id, times, revisions and rules.
    ///
    /// Everything is checked that a stored container must be, in the order and number that the
    /// dump says. There is a whole store at `path` afterwards, or nothing; like a created one it
    /// can be read and written by its owner only. It is verified before it gets its name. A dump
    /// that was edited loads if the member `crc32` is removed from its last line and the counts
    /// there are right.
    ///
    /// Since the store keeps its id, do not use it beside the one that was dumped.
    ///
    /// `progress` counts containers.
    ///
    /// # Errors
    ///
    /// In all cases nothing is left at `path` that was not there:
    ///
    /// - [`InvalidArgument`](crate::ErrorKind::InvalidArgument), naming the line: the dump is cut
    ///   short or was changed, or something in it breaks a rule.
    /// - [`IncompatibleFormat`](crate::ErrorKind::IncompatibleFormat): the dump is of another
    ///   version.
    /// - [`AlreadyExists`](crate::ErrorKind::AlreadyExists): there is anything at `path`.
    /// - [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition): it is another store than
    ///   [`Builder::expect_id`] says.
    /// - [`Io`](crate::ErrorKind::Io): `input` or the system failed. If only the sync of the name
    ///   does, a whole store is there, and the error says so.
    pub fn load(
        self,
        path: impl AsRef<Path>,
        input: impl BufRead,
        progress: impl FnMut(Progress),
    ) -> Result<LoadReport> {
        let path = path.as_ref();
        load(&self, path, input, progress)
            .map_err(|error| error.during(Operation::Load).at(Some(path)))
    }
}

fn load(
    builder: &Builder,
    path: &Path,
    input: impl BufRead,
    mut progress: impl FnMut(Progress),
) -> Result<LoadReport> {
    let settings = builder.settings();
    let mut reader = Reader::begin(input)?;
    let store = reader.store().clone();
    settings.check_expected(store.id.to_bytes())?;
    let new = NewStore::begin(path, settings)?;
    let identity = Identity::new(store.id.to_bytes(), store.created_at, store.rules);
    new.initialize(&identity, store.revisions_below.get())?;
    let mut bulk = Bulk::new(new.db());
    while let Some(item) = reader.next()? {
        let stored = contained(|| match &item {
            Item::Namespace(name, labels) => bulk.namespace(name, labels),
            Item::Container(name, container) => bulk.container(name, container),
        });
        stored.map_err(|error| reader.fault(error))?;
        if matches!(item, Item::Container(..)) && reader.containers % PROGRESS_EVERY_COUNT == 0 {
            progress(Progress::new(reader.containers, None));
        }
    }
    contained(|| bulk.finish())?;
    let finished = new.finish(|_, found| {
        if (found.namespaces, found.containers) == (reader.namespaces, reader.containers) {
            Ok(())
        } else {
            Err(Error::corrupt("the new file does not hold what was loaded"))
        }
    });
    let (_, file_bytes) = finished.map_err(not_kept)?;
    progress(Progress::new(reader.containers, Some(reader.containers)));
    Ok(LoadReport {
        id: store.id,
        namespaces_count: reader.namespaces,
        containers_count: reader.containers,
        lines_count: reader.lines(),
        file_bytes,
        revisions_below: store.revisions_below,
    })
}
