//! `Dump`, `Db::dump` and `Maintenance::load`.

use std::io::{self, BufRead, Write};
use std::path::Path;

use serde::Serialize;

use crate::api::db::Db;
use crate::maintenance::Maintenance;
use crate::maintenance::bulk::Bulk;
use crate::maintenance::check::check_rows;
use crate::maintenance::dump::Item;
use crate::maintenance::dump::Reader;
use crate::maintenance::dump::Writer;
use crate::maintenance::dump::line::StoreLine;
use crate::maintenance::new_store::{NewStore, not_kept};
use crate::maintenance::tell;
use crate::model::container::Container;
use crate::model::error::{Error, Operation, Result};
use crate::model::identifier::NamespaceName;
use crate::model::info::StoreId;
use crate::model::kind::Kind;
use crate::model::progress::Progress;
use crate::model::record::Record;
use crate::model::revision::Revision;
use crate::query::{self, Scope};
use crate::records::keys::TableCode;
use crate::records::meta::Identity;
use crate::redb_file::fault::contained;
use crate::session::entity::Entity;
use crate::session::new_file::NewFile;
use crate::session::snapshot::revisions_below;
use crate::session::txn::ReadTxn;

/// A dump of a store, or of one of its namespaces.
///
/// [`Db::dump`] is a shortcut for a whole store and a stream.
///
/// # Examples
///
/// ```
/// use bayplan::{Any, Container, Db, Dump, Runtime};
///
/// # fn main() -> bayplan::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("k8s.ndjson");
/// let db = Db::in_memory()?;
/// let spec = Any::new("spec", b"{}");
/// db.namespace("k8s.io")?.create(Container::new("web", Runtime::new("runc"), spec))?;
///
/// let report = Dump::of(&db).namespace("k8s.io").write_file(&path, |_| {})?;
/// assert_eq!(report.namespaces_count, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is dumped before it is written"]
pub struct Dump<'a> {
    db: &'a Db,
    namespace: Option<&'a str>,
}

/// The result of a dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DumpReport {
    /// The id of the store.
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

/// The result of [`Maintenance::load`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LoadReport {
    /// The id of the new store, which is that of the dumped one.
    pub id: StoreId,
    /// How many namespaces were loaded.
    pub namespaces_count: u64,
    /// How many containers were loaded.
    pub containers_count: u64,
    /// How many records of other kinds were loaded.
    pub records_count: u64,
    /// The namespace, if the dump holds only one. Everything else of its store is not in the new file.
    pub only_namespace: Option<NamespaceName>,
    /// How many lines the dump had.
    pub lines_count: u64,
    /// The length of the new file.
    pub file_bytes: u64,
    /// Every revision in the store is below this one.
    pub revisions_below: Revision,
}

impl Db {
    /// Writes everything that is stored as lines of JSON, always in the same order.
    ///
    /// The dump is complete and exact: [`Maintenance::load`], even of another version of this library,
    /// turns it into the same store, and dumping that gives the same bytes. `docs/FORMAT.md` has its
    /// grammar. It is read from one snapshot, while others write, with a few containers in memory at a
    /// time. Unverified pages are verified first. Specs may hold secrets: consider who can read the output.
    ///
    /// `progress` counts containers and records.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt), naming the page, container or namespace, if something is damaged. The
    /// dump then lacks its last line; [`Maintenance::salvage`] saves the rest.
    /// [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition) if a container needs a line longer than
    /// [`DUMP_LINE_MAX_BYTES`](crate::limits::DUMP_LINE_MAX_BYTES). [`Io`](crate::ErrorKind::Io) if `out` fails.
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
        Dump::of(self).write(out, progress)
    }
}

impl<'a> Dump<'a> {
    /// Creates a dump of the whole store.
    pub fn of(db: &'a Db) -> Self {
        Self {
            db,
            namespace: None,
        }
    }

    /// Dumps only this namespace, which must exist.
    ///
    /// The first line says so. [`Maintenance::load`] accepts it, and creates a store with the id of this
    /// one and only that namespace ([`LoadReport::only_namespace`]).
    pub fn namespace(mut self, name: &'a str) -> Self {
        self.namespace = Some(name);
        self
    }

    /// Writes the dump into a stream; see [`Db::dump`].
    ///
    /// # Errors
    ///
    /// As [`Db::dump`], and [`NotFound`](crate::ErrorKind::NotFound) if there is no such namespace.
    pub fn write(&self, out: impl Write, progress: impl FnMut(Progress)) -> Result<DumpReport> {
        self.dump(out, progress)
            .map_err(|error| self.in_context(error))
    }

    /// Writes the dump into a new file; see [`Db::dump`].
    ///
    /// Afterwards there is a complete dump at `path`, or nothing. Only its owner can read and write it. If
    /// the file system supports it, the file has no name until it is complete, so that nothing is left even
    /// if the process is killed.
    ///
    /// # Errors
    ///
    /// As [`Dump::write`]; [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if something exists at `path`, which is
    /// left alone; [`NotFound`](crate::ErrorKind::NotFound) if its directory does not exist. Nothing new is left at
    /// `path`, unless only the sync of the name fails: then the complete dump is at `path`, and the error says so.
    pub fn write_file(
        &self,
        path: impl AsRef<Path>,
        progress: impl FnMut(Progress),
    ) -> Result<DumpReport> {
        let path = path.as_ref();
        let of_file = |error: Error| error.during(Operation::DumpTo).at(Some(path));
        let new = NewFile::begin(path).map_err(of_file)?;
        let mut out = Watched {
            out: new.file().map_err(of_file)?,
            has_failed: false,
        };
        match self.dump(&mut out, progress) {
            Err(error) if out.has_failed => Err(of_file(error)),
            Err(error) => Err(self.in_context(error)),
            Ok(report) => new.finish().map(|()| report).map_err(of_file),
        }
    }

    fn dump(&self, out: impl Write, progress: impl FnMut(Progress)) -> Result<DumpReport> {
        let only = self.namespace.map(NamespaceName::new).transpose()?;
        let snapshot = self.db.read_verified(Operation::Dump)?;
        dump(&snapshot, only, out, progress)
    }

    /// Adds the context to an error, unless it concerns the output.
    fn in_context(&self, error: Error) -> Error {
        let path = self.db.info().path;
        match self.namespace {
            Some(name) => error.within(Operation::DumpNamespace).in_namespace(name),
            None => error.within(Operation::Dump),
        }
        .at(path.as_deref())
    }
}

/// Remembers whether the output has failed.
struct Watched<W> {
    out: W,
    has_failed: bool,
}

impl<W> Watched<W> {
    fn watch<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        let is_error = |error: &io::Error| error.kind() != io::ErrorKind::Interrupted;
        self.has_failed |= done.as_ref().is_err_and(is_error);
        done
    }
}

impl<W: Write> Write for Watched<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = self.out.write(bytes);
        self.watch(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = self.out.flush();
        self.watch(done)
    }
}

fn dump(
    snapshot: &ReadTxn,
    only: Option<NamespaceName>,
    out: impl Write,
    mut progress: impl FnMut(Progress),
) -> Result<DumpReport> {
    if !snapshot.is_verified() {
        contained(|| check_rows(snapshot.contents()))?;
    }
    let store = store_line(snapshot)?;
    let (id, revisions_below) = (store.id, store.revisions_below);
    let all = snapshot.list_namespaces()?;
    refuse_strays(snapshot, &all)?;
    let names = match &only {
        None => all,
        Some(name) if all.contains(name) => vec![name.clone()],
        Some(_) => return Err(Error::not_found()),
    };
    let mut writer = Writer::begin(out, store, only)?;
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

/// Checks that all namespaces with records exist.
fn refuse_strays(snapshot: &ReadTxn, named: &[NamespaceName]) -> Result<()> {
    let used = contained(|| {
        let records = snapshot.contents().table(TableCode::Records)?;
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

/// Visits all records of a scope. Fails at a damaged one.
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
    for item in snapshot.traverse_stored::<E>(scope) {
        match item.map_err(in_context)? {
            Ok(item) => take(item)?,
            Err(damaged) => return Err(in_context(damaged.error)),
        }
    }
    Ok(())
}

fn store_line(snapshot: &ReadTxn) -> Result<StoreLine> {
    let identity = &snapshot.shared().identity;
    Ok(StoreLine {
        id: StoreId::from_bytes(identity.uuid),
        created_at: identity.created_at()?,
        rules: identity.policy()?.rules,
        keep_empty_labels: identity.policy()?.keep_empty_labels,
        revisions_below: Revision::new(contained(|| revisions_below(snapshot.contents()))?),
    })
}

impl Maintenance {
    /// Creates a new store from a dump: the same store, with its id, times, revisions and rules.
    /// [`Maintenance::rules`] does not change that.
    ///
    /// Every container is checked against all rules, and the order and the counts against the dump.
    /// Afterwards there is a complete store at `path`, or nothing. Only its owner can read and write it. It
    /// is verified before it gets its name. To load a dump that was edited, remove the member `crc32` from
    /// its last line, and correct the counts there.
    ///
    /// The store keeps its id: do not use it together with the one that was dumped.
    ///
    /// `progress` counts containers and records.
    ///
    /// # Errors
    ///
    /// In all cases, nothing new is left at `path`:
    ///
    /// - [`InvalidArgument`](crate::ErrorKind::InvalidArgument), naming the line: the dump is cut
    ///   short or was changed, or something in it breaks a rule.
    /// - [`IncompatibleFormat`](crate::ErrorKind::IncompatibleFormat): the dump is of another
    ///   version.
    /// - [`AlreadyExists`](crate::ErrorKind::AlreadyExists): something exists at `path`.
    /// - [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition): it is another store than
    ///   [`Maintenance::expect_id`] says.
    /// - [`Io`](crate::ErrorKind::Io): `input` or the system failed. If only the sync of the name fails, a complete
    ///   store is at `path`, and the error says so.
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
    let finished = new.finish(|_, found| {
        let expected = (reader.namespaces, reader.containers, reader.records);
        let found = (
            found.namespaces_count,
            found.containers_count,
            found.records_count,
        );
        if found == expected {
            Ok(())
        } else {
            Err(Error::corrupt(
                "the new file does not contain what was loaded",
            ))
        }
    });
    let (_, file_bytes) = finished.map_err(not_kept)?;
    progress(Progress::new(reader.done(), Some(reader.done())));
    Ok(LoadReport {
        id: store.id,
        namespaces_count: reader.namespaces,
        containers_count: reader.containers,
        records_count: reader.records,
        only_namespace: reader.only_namespace().cloned(),
        lines_count: reader.lines(),
        file_bytes,
        revisions_below: store.revisions_below,
    })
}
