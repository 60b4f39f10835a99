//! `Db::dump` and `Maintenance::load`.

use std::io::{BufRead, Write};
use std::path::Path;

use serde::Serialize;

use crate::api::db::Db;
use crate::container::Container;
use crate::dump::line::StoreLine;
use crate::dump::{Item, Reader, Writer};
use crate::engine::bulk::Bulk;
use crate::engine::check::check_rows;
use crate::engine::entity::Entity;
use crate::engine::fault::{OrFault, contained};
use crate::engine::new_store::NewStore;
use crate::engine::snapshot::revisions_below;
use crate::engine::txn::ReadTxn;
use crate::error::{Error, Operation, Result};
use crate::identifier::NamespaceName;
use crate::info::StoreId;
use crate::kind::Kind;
use crate::model::record::Record;
use crate::progress::Progress;
use crate::query::{self, Scope};
use crate::records::keys;
use crate::records::meta::Identity;
use crate::revision::Revision;
use crate::tools::Maintenance;

/// How many records are done between two calls of a progress callback.
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
    /// How many records of other kinds were written.
    pub records_count: u64,
    /// The length of the dump.
    pub dump_bytes: u64,
    /// Every revision in the dump is below this one.
    pub revisions_below: Revision,
}

/// What [`Maintenance::load`] made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LoadReport {
    /// Which store it is: the one that was dumped.
    pub id: StoreId,
    /// How many namespaces were loaded.
    pub namespaces_count: u64,
    /// How many containers were loaded.
    pub containers_count: u64,
    /// How many records of other kinds were loaded.
    pub records_count: u64,
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
    /// The dump is complete and exact: [`Maintenance::load`] makes the same store of it, also another
    /// version of this library, and dumping that store gives the same bytes. `docs/FORMAT.md` has
    /// its grammar. It is read from one snapshot, while others write, with a few containers in
    /// memory at a time. Specs may hold secrets: mind who can read what `out` writes to.
    ///
    /// `progress` counts containers and records.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt), naming the container or namespace, if something is
    /// damaged: a dump is whole or it has no last line ([`Maintenance::salvage`] saves the rest).
    /// [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition) if a container needs a line
    /// longer than [`DUMP_LINE_MAX_BYTES`](crate::limits::DUMP_LINE_MAX_BYTES).
    /// [`Io`](crate::ErrorKind::Io) if `out` fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{Any, Container, Db, Maintenance, Runtime};
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
    /// Maintenance::new().load(&copy, &dump[..], |_| {})?;
    /// let mut again = Vec::new();
    /// Db::open(&copy)?.dump(&mut again, |_| {})?;
    /// assert_eq!(again, dump);
    /// # Ok(())
    /// # }
    /// ```
    pub fn dump(&self, out: impl Write, progress: impl FnMut(Progress)) -> Result<DumpReport> {
        let snapshot = self.read()?;
        dump(&snapshot, out, progress)
            .map_err(|error| error.during(Operation::Dump).at(snapshot.shared().path()))
    }
}

fn dump(
    snapshot: &ReadTxn,
    out: impl Write,
    mut progress: impl FnMut(Progress),
) -> Result<DumpReport> {
    if !snapshot.shared().pages_verified {
        contained(|| check_rows(snapshot.snapshot()))?;
    }
    let store = store_line(snapshot)?;
    let (id, revisions_below) = (store.id, store.revisions_below);
    let names = snapshot.list_namespaces()?;
    refuse_strays(snapshot, &names)?;
    let mut writer = Writer::begin(out, store)?;
    for name in &names {
        writer.namespace(name, &snapshot.labels_of(name)?.unwrap_or_default())?;
        for kind in snapshot.kinds(name)? {
            let scope = Scope::all(name, &kind);
            if kind.is_containers() {
                each::<Container>(snapshot, scope, &mut |container| {
                    writer.container(name, &container)?;
                    tell(&mut progress, writer.done());
                    Ok(())
                })?;
            } else {
                each::<Record>(snapshot, scope, &mut |record| {
                    writer.record(name, &kind, &record)?;
                    tell(&mut progress, writer.done());
                    Ok(())
                })?;
            }
        }
    }
    writer.end()?;
    progress(Progress::new(writer.done(), Some(writer.done())));
    Ok(DumpReport {
        id,
        namespaces_count: writer.namespaces,
        containers_count: writer.containers,
        records_count: writer.records,
        dump_bytes: writer.bytes,
        revisions_below,
    })
}

/// Whether all namespaces that hold records are among those that exist.
fn refuse_strays(snapshot: &ReadTxn, named: &[NamespaceName]) -> Result<()> {
    let used = contained(|| {
        let records = snapshot.snapshot().open_table(keys::RECORDS).or_fault()?;
        query::used_namespaces(&records)
    })?;
    let mut used = used.iter().map(|name| String::from_utf8_lossy(name));
    match used.find(|used| !named.iter().any(|name| name.as_str() == used)) {
        Some(stray) => {
            Err(Error::corrupt("it holds records but does not exist").in_namespace(stray))
        }
        None => Ok(()),
    }
}

/// Passes on all records of a scope; a damaged one is an error.
fn each<E: Entity + 'static>(
    snapshot: &ReadTxn,
    scope: Scope,
    take: &mut dyn FnMut(E) -> Result<()>,
) -> Result<()> {
    let (name, kind) = (scope.namespace.clone(), scope.kind.clone());
    let in_context = |error: Error| {
        error
            .of_record_kind(kind.of_collection())
            .in_namespace(&name)
    };
    for item in snapshot.traverse::<E>(scope, None, usize::MAX) {
        match item.map_err(in_context)? {
            Ok(item) => take(item)?,
            Err(damaged) => return Err(in_context(damaged.error)),
        }
    }
    Ok(())
}

fn tell(progress: &mut impl FnMut(Progress), done: u64) {
    if done.is_multiple_of(PROGRESS_EVERY_COUNT) {
        progress(Progress::new(done, None));
    }
}

fn store_line(snapshot: &ReadTxn) -> Result<StoreLine> {
    let identity = &snapshot.shared().identity;
    Ok(StoreLine {
        id: StoreId::from_bytes(identity.uuid),
        created_at: identity.created_at()?,
        rules: identity.policy()?.rules,
        keep_empty_labels: identity.policy()?.keep_empty_labels,
        revisions_below: Revision::new(contained(|| revisions_below(snapshot.snapshot()))?),
    })
}

impl Maintenance {
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
    /// `progress` counts containers and records.
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
    ///   [`Maintenance::expect_id`] says.
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
    tools: &Maintenance,
    path: &Path,
    input: impl BufRead,
    mut progress: impl FnMut(Progress),
) -> Result<LoadReport> {
    let settings = tools.settings();
    let mut reader = Reader::begin(input)?;
    let store = reader.store().clone();
    settings.check_expected(store.id.to_bytes())?;
    let new = NewStore::begin(path, settings)?;
    let identity = Identity::new(store.id.to_bytes(), store.created_at, store.policy());
    new.initialize(&identity, store.revisions_below.get())?;
    let mut bulk = Bulk::new(new.db());
    while let Some(item) = reader.next()? {
        let stored = contained(|| match &item {
            Item::Namespace(name, labels) => bulk.namespace(name, labels),
            Item::Container(name, container) => {
                bulk.record(name, &Kind::CONTAINERS, container.as_ref())
            }
            Item::Record(name, kind, record) => bulk.record(name, kind, record.as_ref()),
        });
        stored.map_err(|error| reader.fault(error))?;
        if !matches!(item, Item::Namespace(..)) {
            tell(&mut progress, reader.done());
        }
    }
    contained(|| bulk.finish())?;
    let (_, file_bytes) = new.finish(|_, found| {
        let expected = (reader.namespaces, reader.containers, reader.records);
        if (found.namespaces, found.containers, found.records) == expected {
            Ok(())
        } else {
            Err(Error::corrupt("the new file does not hold what was loaded"))
        }
    })?;
    progress(Progress::new(reader.done(), Some(reader.done())));
    Ok(LoadReport {
        id: store.id,
        namespaces_count: reader.namespaces,
        containers_count: reader.containers,
        records_count: reader.records,
        lines_count: reader.lines(),
        file_bytes,
        revisions_below: store.revisions_below,
    })
}
