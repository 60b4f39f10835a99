//! Doing one history to both.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bayplan::{
    Builder, Container, ContainerHeader, Db, ErrorKind, FieldMask, Filters, Labels, Namespaces,
    Page, ReadNamespaces, ReadStore, ReadTxn, Result, Revision, Rules, Store, WriteTxn,
};
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tempfile::TempDir;

use super::filter;
use super::history::{End, Operation, Seen, Step};
use crate::btree::BTreeStore;
use crate::btree::fault::Fault;

type Verdict = Result<(), TestCaseError>;

/// Does the history to a store with these rules and to a model, which may have a fault.
pub(super) fn compare(rules: Rules, fault: Option<Fault>, history: &[Step]) -> Verdict {
    let mut run = Run::new(rules, fault);
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
    fn store(&self, name: &str) -> Result<Box<dyn Store + '_>>;
    fn namespaces(&self) -> &dyn Namespaces;
}

macro_rules! target {
    ($type:ty) => {
        impl Target for $type {
            fn store(&self, name: &str) -> Result<Box<dyn Store + '_>> {
                Ok(Box::new(self.namespace(name)?))
            }

            fn namespaces(&self) -> &dyn Namespaces {
                self
            }
        }
    };
}

target!(Db);
target!(WriteTxn);
target!(BTreeStore);

/// What came of an operation. Revisions are left out: their numbers may differ.
#[derive(Debug, PartialEq)]
enum Outcome {
    Nothing,
    Container(Box<Container>),
    Names(Vec<String>),
    Labels(Labels),
    Listed(Listed),
    Error(ErrorKind),
}

/// What every way to list gives.
#[derive(Debug, PartialEq)]
struct Listed {
    page: Vec<Container>,
    header_page: Vec<ContainerHeader>,
    all: Vec<Container>,
    ids: Vec<String>,
    count: u64,
}

struct Run {
    _directory: TempDir,
    path: PathBuf,
    now: Arc<AtomicI64>,
    /// There but while it is opened again.
    db: Option<Db>,
    model: BTreeStore,
    snapshots: VecDeque<(ReadTxn, BTreeStore)>,
    /// The latest revision of what was committed.
    latest: Revision,
}

impl Run {
    fn new(rules: Rules, fault: Option<Fault>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("meta.redb");
        let now = Arc::new(AtomicI64::new(1_700_000_000_000_000_000));
        let clock = Arc::clone(&now);
        let model = BTreeStore::new(rules, Rc::new(move || time(&clock)));
        Self {
            db: Some(with_clock(&now).rules(rules).create(&path).unwrap()),
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
        // Nobody else sees any of it yet.
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
            // What was never there has no revision that another state could not get.
            self.latest = latest;
        }
        same_content(&self.db().read().unwrap(), &self.model)
    }

    /// Does one operation to the store, or a transaction of it, and to the model.
    fn both(&mut self, operation: &Operation, db: &dyn Target, model: &dyn Target) -> Verdict {
        let expected = outcome(operation, model, None);
        let found = outcome(operation, db, Some(&mut self.latest));
        prop_assert_eq!(found?, expected?, "{:?}", operation);
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
        let containers: usize = content.values().map(Vec::len).sum();
        prop_assert_eq!(report.containers, containers as u64);
        prop_assert_eq!(report.namespaces, content.len() as u64);
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
        let found = snapshot
            .namespace(&name)
            .unwrap()
            .list(&Filters::all())
            .unwrap();
        prop_assert_eq!(unrevised(found), unrevised(expected), "in {:?}", &name);
        let labels = snapshot.namespace_labels(&name).unwrap();
        prop_assert_eq!(labels, model.namespace_labels(&name).unwrap());
    }
    Ok(())
}

fn unrevised(mut containers: Vec<Container>) -> Vec<Container> {
    for container in &mut containers {
        container.revision = Revision::NONE;
    }
    containers
}

/// Does one operation. With a `latest` revision, what is written must have a later one.
fn outcome(
    operation: &Operation,
    target: &dyn Target,
    latest: Option<&mut Revision>,
) -> Result<Outcome, TestCaseError> {
    match perform(operation, target) {
        Err(error) => Ok(Outcome::Error(error.kind())),
        Ok(Done::Wrote(name, container)) => {
            let stored = target.store(name).unwrap().get(&container.id).unwrap();
            prop_assert_eq!(&stored, &*container, "returned is not stored");
            if let Some(latest) = latest {
                prop_assert!(container.revision > *latest, "an older revision");
                *latest = container.revision;
            }
            let container = unrevised(vec![*container]).remove(0);
            Ok(Outcome::Container(Box::new(container)))
        }
        Ok(Done::Told(outcome)) => Ok(outcome),
    }
}

enum Done {
    Wrote(&'static str, Box<Container>),
    Told(Outcome),
}

fn perform(operation: &Operation, target: &dyn Target) -> Result<Done> {
    let namespaces = target.namespaces();
    let nothing = |()| Done::Told(Outcome::Nothing);
    match operation {
        Operation::Create(name, container) => {
            let created = target.store(name)?.create(container.clone())?;
            Ok(Done::Wrote(name, Box::new(created)))
        }
        Operation::Update(name, container, paths, seen) => {
            let store = target.store(name)?;
            let mask = FieldMask::deferred(paths);
            let stored = store.get(&container.id).map(|stored| stored.revision.get());
            let revision = match seen {
                Seen::Whatever => None,
                Seen::Current => Some(stored.unwrap_or(0)),
                Seen::Older => Some(stored.unwrap_or(0).saturating_sub(1)),
            };
            let updated = match revision {
                None => store.update(container.clone(), &mask),
                Some(number) => store.update_if(Revision::new(number), container.clone(), &mask),
            };
            Ok(Done::Wrote(name, Box::new(updated?)))
        }
        Operation::Delete(name, id) => target.store(name)?.delete(id).map(nothing),
        Operation::Get(name, id) => {
            let found = unrevised(vec![target.store(name)?.get(id)?]).remove(0);
            Ok(Done::Told(Outcome::Container(Box::new(found))))
        }
        Operation::List(name, filters, page) => {
            let listed = list(&*target.store(name)?, filters, page)?;
            Ok(Done::Told(Outcome::Listed(listed)))
        }
        Operation::CreateNamespace(name, labels) => namespaces
            .create_namespace(name, labels.clone())
            .map(nothing),
        Operation::SetLabel(name, key, value) => namespaces
            .set_namespace_label(name, key, value)
            .map(nothing),
        Operation::DeleteNamespace(name) => namespaces.delete_namespace(name).map(nothing),
        Operation::ListNamespaces => {
            let names = namespaces.list_namespaces()?;
            let names = names.into_iter().map(String::from).collect();
            Ok(Done::Told(Outcome::Names(names)))
        }
        Operation::Labels(name) => {
            let labels = namespaces.namespace_labels(name)?;
            Ok(Done::Told(Outcome::Labels(labels)))
        }
    }
}

/// Lists in every way, and against a meaning of the filters that is not the library's.
fn list(store: &dyn Store, any: &filter::Any, page: &Page) -> Result<Listed> {
    let filters = Filters::parse(filter::texts(any)).unwrap();
    let everything = store.list(&Filters::all())?;
    let passing = everything.iter().filter(|one| filter::passes(any, one));
    let passing: Vec<Container> = passing.cloned().collect();
    let all = store.list(&filters)?;
    assert_eq!(all, passing, "{filters:?}");
    assert_eq!(store.list_lenient(&filters)?.containers, all);
    let headers: Vec<ContainerHeader> = all.iter().cloned().map(Into::into).collect();
    assert_eq!(store.list_headers(&filters)?, headers);
    let mut header_page = Vec::new();
    store.visit_headers(page, &filters, &mut |mut header| {
        header.revision = Revision::NONE;
        header_page.push(header);
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(Listed {
        page: unrevised(store.list_page(page, &filters)?),
        header_page,
        all: unrevised(all),
        ids: store.list_ids(&filters)?,
        count: store.count(&filters)?,
    })
}
