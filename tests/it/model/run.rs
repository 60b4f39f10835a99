//! Applies one history to the store and to the model.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bayplan::{
    Builder, Container, Db, Error, ErrorKind, FieldMask, Filters, Labels, NamespaceName,
    Namespaces, ReadNamespaces, ReadTxn, Record, Result, Revision, Rules, Store, Stored, Update,
    WriteTxn,
};
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tempfile::TempDir;

use super::filter;
use super::filter::Fields;
use super::history::{Change, End, Operation, Page, Seen, Step, Work};
use crate::btree::fault::Fault;
use crate::btree::{BTreeStore, Content, Kept};

type Verdict = Result<(), TestCaseError>;

/// Does the history to a store with these rules and to a model, which may have a fault.
pub(super) fn compare(
    rules: Rules,
    keep_empty_labels: bool,
    fault: Option<Fault>,
    history: &[Step],
) -> Verdict {
    let mut run = Run::new(rules, keep_empty_labels, fault);
    for step in history {
        run.step(step)?;
    }
    run.release_all()?;
    run.compare_content()?;
    run.reopen()?;
    run.compare_content()
}

/// What operations are done to.
trait Target {
    fn containers(&self, name: &str) -> Result<Box<dyn Store + '_>>;
    fn records(&self, name: &str, kind: &str) -> Result<Box<dyn Store<Record> + '_>>;
    fn namespaces(&self) -> &dyn Namespaces;
}

macro_rules! target {
    ($type:ty) => {
        impl Target for $type {
            fn containers(&self, name: &str) -> Result<Box<dyn Store + '_>> {
                Ok(Box::new(self.namespace(name)?))
            }

            fn records(&self, name: &str, kind: &str) -> Result<Box<dyn Store<Record> + '_>> {
                Ok(Box::new(self.namespace(name)?.records(kind)?))
            }

            fn namespaces(&self) -> &dyn Namespaces {
                self
            }
        }
    };
}

target!(Db);
target!(WriteTxn);

impl Target for BTreeStore {
    fn containers(&self, name: &str) -> Result<Box<dyn Store + '_>> {
        Ok(Box::new(self.namespace(name)?))
    }

    fn records(&self, name: &str, kind: &str) -> Result<Box<dyn Store<Record> + '_>> {
        Ok(Box::new(BTreeStore::records(self, name, kind)?))
    }

    fn namespaces(&self) -> &dyn Namespaces {
        self
    }
}

/// A container or a record.
trait Item: Stored<Header: std::fmt::Debug + PartialEq> + Kept + Fields {
    fn change(update: Update<Self>, change: &Change) -> Update<Self>;
}

impl Item for Container {
    fn change(update: Update<Self>, change: &Change) -> Update<Self> {
        match change {
            Change::Value(value) => update.spec(value.clone()),
            change => of_labels(update, change),
        }
    }
}

impl Item for Record {
    fn change(update: Update<Self>, change: &Change) -> Update<Self> {
        match change {
            Change::Value(value) => update.value(value.clone()),
            change => of_labels(update, change),
        }
    }
}

fn of_labels<T: Item>(update: Update<T>, change: &Change) -> Update<T> {
    match change {
        Change::SetLabel(key, value) => update.set_label(*key, *value),
        Change::RemoveLabel(key) => update.remove_label(*key),
        Change::Labels(labels) => update.labels(labels.clone()),
        Change::Value(_) => unreachable!("it is no change of labels"),
    }
}

/// What came of work in one store. Revisions are left out: their numbers may differ.
#[derive(Debug, PartialEq)]
enum Outcome<T: Stored<Header: std::fmt::Debug + PartialEq>> {
    Nothing,
    Item(Box<T>),
    Listed(Listed<T>),
    Failed(Failure),
}

/// How something failed.
#[derive(Debug, PartialEq)]
struct Failure {
    kind: ErrorKind,
    is_of_immutable_field: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            kind: error.kind(),
            is_of_immutable_field: error.is_immutable_field(),
        }
    }
}

/// The results of every way to list.
#[derive(Debug, PartialEq)]
struct Listed<T: Stored<Header: std::fmt::Debug + PartialEq>> {
    page: Vec<T>,
    page_count: u64,
    page_ids: Vec<String>,
    all: Vec<T>,
    ids: Vec<String>,
    count: u64,
}

/// What was asked or done of namespaces.
#[derive(Debug, PartialEq)]
enum Told {
    Nothing,
    Names(Vec<String>),
    Labels(Labels),
}

struct Run {
    _directory: TempDir,
    path: PathBuf,
    now: Arc<AtomicI64>,
    /// `None` only while the store is reopened.
    db: Option<Db>,
    model: BTreeStore,
    snapshots: VecDeque<(ReadTxn, BTreeStore)>,
    /// The latest committed revision.
    latest: Revision,
}

impl Run {
    fn new(rules: Rules, keep: bool, fault: Option<Fault>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("meta.redb");
        let now = Arc::new(AtomicI64::new(1_700_000_000_000_000_000));
        let clock = Arc::clone(&now);
        let model = BTreeStore::new(rules, Rc::new(move || time(&clock)));
        let model = model.keeping_empty_labels(keep);
        let options = with_clock(&now).rules(rules).keep_empty_labels(keep);
        Self {
            db: Some(options.create(&path).unwrap()),
            _directory: directory,
            path,
            now,
            model: match fault {
                Some(fault) => model.with_fault(fault),
                None => model,
            },
            snapshots: VecDeque::new(),
            latest: Revision::NONE,
        }
    }

    fn db(&self) -> &Db {
        self.db.as_ref().unwrap()
    }

    fn step(&mut self, step: &Step) -> Verdict {
        match step {
            Step::One(operation) => {
                let db = self.db().clone();
                let model = self.model.clone();
                self.both(operation, &db, &model)?;
                self.model = model;
                Ok(())
            }
            Step::Transaction(operations, end) => self.transaction(operations, *end),
            Step::Snapshot => {
                let snapshot = self.db().read().unwrap();
                self.snapshots.push_back((snapshot, self.model.clone()));
                Ok(())
            }
            Step::Release => match self.snapshots.pop_front() {
                Some((snapshot, model)) => same_content(&snapshot, &model),
                None => Ok(()),
            },
            Step::Reopen => self.reopen(),
            Step::Clock(nanoseconds) => {
                self.now.fetch_add(*nanoseconds, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    fn transaction(&mut self, operations: &[Operation], end: End) -> Verdict {
        let txn = self.db().begin_write().unwrap();
        let model = self.model.clone();
        let latest = self.latest;
        for operation in operations {
            self.both(operation, &txn, &model)?;
        }
        // No other reader sees any of it yet.
        same_content(&self.db().read().unwrap(), &self.model)?;
        match end {
            End::Commit => {
                txn.commit().unwrap();
                self.model = model;
            }
            End::Abort => txn.abort().unwrap(),
            End::Drop => drop(txn),
        }
        if !matches!(end, End::Commit) {
            // Revisions of what was rolled back may be handed out again.
            self.latest = latest;
        }
        same_content(&self.db().read().unwrap(), &self.model)
    }

    /// Does one operation to the store, or a transaction of it, and to the model.
    fn both(&mut self, operation: &Operation, db: &dyn Target, model: &dyn Target) -> Verdict {
        match operation {
            Operation::Containers(name, work) => {
                let open = |target: &'_ dyn Target| target.containers(name).map(drop);
                if opens(open, db, model)? {
                    let (db, model) = (db.containers(name), model.containers(name));
                    self.both_work(work, &*db.unwrap(), &*model.unwrap())?;
                }
            }
            Operation::Records(name, kind, work) => {
                let open = |target: &'_ dyn Target| target.records(name, kind).map(drop);
                if opens(open, db, model)? {
                    let (db, model) = (db.records(name, kind), model.records(name, kind));
                    self.both_work(work, &*db.unwrap(), &*model.unwrap())?;
                }
            }
            of_namespaces => {
                let told = |target: &dyn Target| {
                    tell(of_namespaces, target.namespaces()).map_err(Failure::from)
                };
                prop_assert_eq!(told(db), told(model), "{:?}", operation);
            }
        }
        Ok(())
    }

    fn both_work<T: Item>(
        &mut self,
        work: &Work<T>,
        db: &dyn Store<T>,
        model: &dyn Store<T>,
    ) -> Verdict {
        let expected = outcome(work, model, None)?;
        let found = outcome(work, db, Some(&mut self.latest))?;
        prop_assert_eq!(found, expected, "{:?}", work);
        Ok(())
    }

    fn release_all(&mut self) -> Verdict {
        for (snapshot, model) in std::mem::take(&mut self.snapshots) {
            same_content(&snapshot, &model)?;
        }
        Ok(())
    }

    fn reopen(&mut self) -> Verdict {
        self.release_all()?;
        self.db = None;
        self.db = Some(with_clock(&self.now).open(&self.path).unwrap());
        Ok(())
    }

    fn compare_content(&self) -> Verdict {
        same_content(&self.db().read().unwrap(), &self.model)?;
        let report = self.db().check().unwrap();
        prop_assert!(report.is_healthy(), "{report:?}");
        let content = self.model.content();
        let containers: usize = content.values().map(|all| all.containers.len()).sum();
        prop_assert_eq!(report.containers_count, containers as u64);
        let records = content.values().flat_map(|all| all.records.values());
        prop_assert_eq!(
            report.records_count,
            records.map(Vec::len).sum::<usize>() as u64
        );
        prop_assert_eq!(report.namespaces_count, content.len() as u64);
        Ok(())
    }
}

fn time(now: &AtomicI64) -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(now.load(Ordering::Relaxed))
}

fn with_clock(now: &Arc<AtomicI64>) -> Builder {
    let now = Arc::clone(now);
    Db::builder().clock(move || time(&now))
}

/// A snapshot holds what the model held.
fn same_content(snapshot: &ReadTxn, model: &BTreeStore) -> Verdict {
    let names: Vec<String> = snapshot
        .list_namespaces()
        .unwrap()
        .into_iter()
        .map(String::from)
        .collect();
    let content = model.content();
    prop_assert_eq!(&names, &content.keys().cloned().collect::<Vec<_>>());
    for (name, expected) in content {
        let containers = snapshot.namespace(&name).unwrap();
        let mut found = Content {
            containers: unrevised(containers.list(&Filters::all()).unwrap()),
            records: [].into(),
        };
        for kind in snapshot.record_kinds(&name).unwrap() {
            let records = containers.records(&kind).unwrap();
            let records = unrevised(records.list(&Filters::all()).unwrap());
            found.records.insert(kind, records);
        }
        let expected = Content {
            containers: unrevised(expected.containers),
            records: expected
                .records
                .into_iter()
                .map(|(kind, records)| (kind, unrevised(records)))
                .collect(),
        };
        prop_assert_eq!(found, expected, "in {:?}", &name);
        let labels = snapshot.namespace_labels(&name).unwrap();
        prop_assert_eq!(labels, model.namespace_labels(&name).unwrap());
    }
    Ok(())
}

fn unrevised<T: Item>(mut items: Vec<T>) -> Vec<T> {
    for item in &mut items {
        item.stamp(item.times(), Revision::NONE);
    }
    items
}

fn without_revision<T: Item>(mut item: T) -> Box<T> {
    item.stamp(item.times(), Revision::NONE);
    Box::new(item)
}

/// Whether a store opens, in both the same way.
fn opens(
    open: impl Fn(&dyn Target) -> Result<()>,
    db: &dyn Target,
    model: &dyn Target,
) -> Result<bool, TestCaseError> {
    let failure = |target| open(target).err().map(Failure::from);
    let (found, expected) = (failure(db), failure(model));
    prop_assert_eq!(&found, &expected);
    Ok(found.is_none())
}

/// Does one piece of work. If `latest` is given, everything written must have a later revision.
fn outcome<T: Item>(
    work: &Work<T>,
    store: &dyn Store<T>,
    latest: Option<&mut Revision>,
) -> Result<Outcome<T>, TestCaseError> {
    match perform(work, store) {
        Err(error) => Ok(Outcome::Failed(error.into())),
        Ok(Done::Wrote(item)) => {
            let stored = store.get(item.id()).unwrap();
            prop_assert_eq!(&stored, &*item, "returned is not stored");
            if let Some(latest) = latest {
                prop_assert!(item.revision() > *latest, "an older revision");
                *latest = item.revision();
            }
            Ok(Outcome::Item(without_revision(*item)))
        }
        Ok(Done::Told(outcome)) => Ok(outcome),
    }
}

enum Done<T: Item> {
    Wrote(Box<T>),
    Told(Outcome<T>),
}

fn perform<T: Item>(work: &Work<T>, store: &dyn Store<T>) -> Result<Done<T>> {
    let revision = |id: &str, seen: &Seen| {
        let stored = store.get(id).map_or(0, |stored| stored.revision().get());
        match seen {
            Seen::Whatever => None,
            Seen::Current => Some(Revision::new(stored)),
            Seen::Older => Some(Revision::new(stored.saturating_sub(1))),
        }
    };
    let wrote = |item| Ok(Done::Wrote(Box::new(item)));
    match work {
        Work::Create(new) => wrote(store.create(new.clone())?),
        Work::Import(new) => wrote(store.import(new.clone())?),
        Work::Put(item, seen) => wrote(match revision(item.id(), seen) {
            None => store.put(item.clone())?,
            Some(revision) => store.put_if(revision, item.clone())?,
        }),
        Work::Update(input, paths, seen) => {
            let mask = FieldMask::deferred(paths);
            wrote(match revision(input.id(), seen) {
                None => store.update(input.clone(), &mask)?,
                Some(revision) => store.update_if(revision, input.clone(), &mask)?,
            })
        }
        Work::Apply(id, changes, seen) => {
            let update = changes.iter().fold(Update::new(*id), T::change);
            wrote(store.apply(match revision(id, seen) {
                None => update,
                Some(revision) => update.if_revision(revision),
            })?)
        }
        Work::Delete(id, seen) => {
            match revision(id, seen) {
                None => store.delete(id)?,
                Some(revision) => store.delete_if(revision, id)?,
            }
            Ok(Done::Told(Outcome::Nothing))
        }
        Work::Get(id) => {
            let found = store.get(id);
            assert_eq!(store.find(id).unwrap().as_ref(), found.as_ref().ok());
            Ok(Done::Told(Outcome::Item(without_revision(found?))))
        }
        Work::List(filters, page) => Ok(Done::Told(Outcome::Listed(list(store, filters, page)?))),
    }
}

/// Does work that is not about one collection.
fn tell(operation: &Operation, namespaces: &dyn Namespaces) -> Result<Told> {
    let nothing = |()| Told::Nothing;
    match operation {
        Operation::Containers(..) | Operation::Records(..) => Ok(Told::Nothing),
        Operation::CreateNamespace(name, labels) => namespaces
            .create_namespace(name, labels.clone())
            .map(nothing),
        Operation::SetLabel(name, key, value) => namespaces
            .set_namespace_label(name, key, value)
            .map(nothing),
        Operation::DeleteNamespace(name) => namespaces.delete_namespace(name).map(nothing),
        Operation::ListNamespaces => {
            let names = namespaces.list_namespaces()?;
            Ok(Told::Names(
                names.into_iter().map(NamespaceName::into).collect(),
            ))
        }
        Operation::Labels(name) => namespaces.namespace_labels(name).map(Told::Labels),
        Operation::RecordKinds(name) => namespaces.record_kinds(name).map(Told::Names),
    }
}

/// Lists in every way, and against a meaning of the filters that is not the library's.
fn list<T: Item>(store: &dyn Store<T>, any: &filter::Any, page: &Page) -> Result<Listed<T>> {
    let filters = Filters::parse(filter::texts(any)).unwrap();
    let everything = store.list(&Filters::all())?;
    let passing = everything.iter().filter(|one| filter::passes(any, *one));
    let passing: Vec<T> = passing.cloned().collect();
    let query = || store.query().filter(&filters);
    let all = store.list(&filters)?;
    assert_eq!(all, passing, "{filters:?}");
    assert_eq!(query().lenient()?.items, all);
    let headers = |items: &[T]| -> Vec<T::Header> {
        let items = items.iter().cloned();
        items.map(|one| one.into_header(&[])).collect()
    };
    assert_eq!(query().headers()?, headers(&all));
    let on_page = || {
        let mut query = query();
        if let Some(after) = page.after {
            query = query.after(after);
        }
        if let Some(limit) = page.limit {
            query = query.limit(limit);
        }
        query
    };
    let page = on_page().list()?;
    assert_eq!(on_page().headers()?, headers(&page));
    Ok(Listed {
        page_ids: on_page().ids()?,
        page: unrevised(page),
        page_count: on_page().count()?,
        all: unrevised(all),
        ids: query().ids()?,
        count: query().count()?,
    })
}
