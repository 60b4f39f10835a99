//! The laws of the traits, tried on every implementation in this repository, and on faulty ones, to prove that they can
//! be broken.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bayplan::{
    Builder, Db, FieldMask, NamespaceName, Namespaces, ReadStore, Record, Result, Revision, Rules,
    Selection, Store, Stored, Traversal, WriteTxn,
};
use bayplan_conformance::{self as conformance, Fixture, Law};
use chrono::DateTime;
use tempfile::TempDir;

use crate::btree::BTreeStore;
use crate::btree::fault::{FAULTS, Fault};

/// What a store is created with.
#[derive(Clone, Copy, Debug, Default)]
struct Kind {
    rules: Rules,
    keep_empty_labels: bool,
}

impl Kind {
    fn all() -> impl Iterator<Item = Self> {
        let of = |rules| [false, true].map(|keep| Self::new(rules, keep));
        [Rules::Strict, Rules::Containerd2].into_iter().flat_map(of)
    }

    fn new(rules: Rules, keep_empty_labels: bool) -> Self {
        Self {
            rules,
            keep_empty_labels,
        }
    }

    /// One that a law binds.
    fn bound_by(law: &Law) -> Self {
        Self::new(
            law.rules.unwrap_or_default(),
            law.keep_empty_labels.unwrap_or_default(),
        )
    }

    fn builder(self) -> Builder {
        let builder = Db::builder().rules(self.rules);
        builder.keep_empty_labels(self.keep_empty_labels)
    }
}

/// A new store for each law, checked completely when the law is done.
struct OfDb {
    db: Db,
    _directory: Option<TempDir>,
}

impl OfDb {
    fn in_memory(kind: Kind) -> Self {
        Self {
            db: kind.builder().in_memory().unwrap(),
            _directory: None,
        }
    }

    fn on_a_file(kind: Kind) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("meta.redb");
        Self {
            db: kind.builder().create(path).unwrap(),
            _directory: Some(directory),
        }
    }

    fn with_a_log(kind: Kind) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("meta.redb");
        Self {
            db: kind.builder().commit_log(true).create(path).unwrap(),
            _directory: Some(directory),
        }
    }
}

impl Fixture for OfDb {
    fn store(&self, namespace: &str) -> Result<Box<dyn Store + '_>> {
        Ok(Box::new(self.db.namespace(namespace)?))
    }

    fn records(&self, namespace: &str, kind: &str) -> Result<Box<dyn Store<Record> + '_>> {
        Ok(Box::new(self.db.namespace(namespace)?.records(kind)?))
    }

    fn namespaces(&self) -> &dyn Namespaces {
        &self.db
    }

    fn rules(&self) -> Rules {
        self.db.info().rules
    }

    fn keep_empty_labels(&self) -> bool {
        self.db.info().keep_empty_labels
    }
}

impl Drop for OfDb {
    fn drop(&mut self) {
        healthy(&self.db);
    }
}

#[track_caller]
fn healthy(db: &Db) {
    let report = db.check().unwrap();
    assert!(report.is_healthy(), "{report:?}");
}

/// A write transaction, which ends when the law is done.
struct OfTxn {
    txn: Option<WriteTxn>,
    db: Db,
    end: End,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Commit,
    Drop,
}

impl OfTxn {
    fn new(kind: Kind, end: End) -> Self {
        let db = kind.builder().in_memory().unwrap();
        let txn = Some(db.begin_write().unwrap());
        Self { txn, db, end }
    }

    fn txn(&self) -> &WriteTxn {
        self.txn.as_ref().unwrap()
    }
}

impl Fixture for OfTxn {
    fn store(&self, namespace: &str) -> Result<Box<dyn Store + '_>> {
        Ok(Box::new(self.txn().namespace(namespace)?))
    }

    fn records(&self, namespace: &str, kind: &str) -> Result<Box<dyn Store<Record> + '_>> {
        Ok(Box::new(self.txn().namespace(namespace)?.records(kind)?))
    }

    fn namespaces(&self) -> &dyn Namespaces {
        self.txn()
    }

    fn rules(&self) -> Rules {
        self.db.info().rules
    }

    fn keep_empty_labels(&self) -> bool {
        self.db.info().keep_empty_labels
    }
}

impl Drop for OfTxn {
    fn drop(&mut self) {
        let txn = self.txn.take().unwrap();
        let inside = txn.list_namespaces().unwrap();
        match self.end {
            End::Commit => txn.commit().unwrap(),
            End::Drop => drop(txn),
        }
        let expected = match self.end {
            End::Commit => inside,
            End::Drop => Vec::new(),
        };
        assert_eq!(self.db.list_namespaces().unwrap(), expected);
        healthy(&self.db);
    }
}

struct OfBTree(BTreeStore);

impl OfBTree {
    fn new(kind: Kind) -> Self {
        let clock = Rc::new(|| DateTime::from_timestamp_nanos(1));
        let store = BTreeStore::new(kind.rules, clock);
        Self(store.keeping_empty_labels(kind.keep_empty_labels))
    }

    fn faulty(kind: Kind, fault: Fault) -> Self {
        Self(Self::new(kind).0.with_fault(fault))
    }
}

impl Fixture for OfBTree {
    fn store(&self, namespace: &str) -> Result<Box<dyn Store + '_>> {
        Ok(Box::new(self.0.namespace(namespace)?))
    }

    fn records(&self, namespace: &str, kind: &str) -> Result<Box<dyn Store<Record> + '_>> {
        Ok(Box::new(self.0.records(namespace, kind)?))
    }

    fn namespaces(&self) -> &dyn Namespaces {
        &self.0
    }

    fn rules(&self) -> Rules {
        self.0.rules()
    }

    fn keep_empty_labels(&self) -> bool {
        self.0.keeps_empty_labels()
    }
}

/// A store with only the methods that an implementation must have.
struct Bare<S>(S);

impl<T: Stored, S: Store<T>> ReadStore<T> for Bare<S> {
    fn name(&self) -> &NamespaceName {
        self.0.name()
    }

    fn get(&self, id: &str) -> Result<T> {
        self.0.get(id)
    }

    fn traverse(&self, selection: &Selection) -> Result<Traversal<'_, T>> {
        self.0.traverse(selection)
    }
}

impl<T: Stored, S: Store<T>> Store<T> for Bare<S> {
    fn create(&self, new: T) -> Result<T> {
        self.0.create(new)
    }

    fn update_when(&self, expected: Option<Revision>, input: T, mask: &FieldMask) -> Result<T> {
        self.0.update_when(expected, input, mask)
    }

    fn delete_when(&self, expected: Option<Revision>, id: &str) -> Result<()> {
        self.0.delete_when(expected, id)
    }
}

/// A fixture of bare stores, which therefore cannot import.
struct OfBare<F>(F);

impl Fixture for OfBare<OfDb> {
    fn store(&self, namespace: &str) -> Result<Box<dyn Store + '_>> {
        Ok(Box::new(Bare(self.0.db.namespace(namespace)?)))
    }

    fn records(&self, namespace: &str, kind: &str) -> Result<Box<dyn Store<Record> + '_>> {
        let records = self.0.db.namespace(namespace)?.records(kind)?;
        Ok(Box::new(Bare(records)))
    }

    fn namespaces(&self) -> &dyn Namespaces {
        self.0.namespaces()
    }

    fn rules(&self) -> Rules {
        self.0.rules()
    }

    fn keep_empty_labels(&self) -> bool {
        self.0.keep_empty_labels()
    }

    fn can_import(&self) -> bool {
        false
    }
}

#[track_caller]
fn keeps_all_laws<F: Fixture>(new: impl Fn(Kind) -> F) {
    for kind in Kind::all() {
        let report = conformance::run(|| new(kind));
        assert!(report.is_clean(), "{kind:?}: {report}");
        let fixture = new(kind);
        let binding = conformance::laws().filter(|law| law.binds(&fixture));
        assert_eq!(report.tried(), binding.count());
    }
}

#[test]
fn a_store_with_no_more_than_the_required_methods_keeps_all_laws() {
    keeps_all_laws(|kind| OfBare(OfDb::in_memory(kind)));
}

#[test]
fn a_db_in_memory_keeps_all_laws() {
    keeps_all_laws(OfDb::in_memory);
}

#[test]
fn a_db_on_a_file_keeps_all_laws() {
    keeps_all_laws(OfDb::on_a_file);
}

#[test]
fn a_db_with_a_commit_log_keeps_all_laws() {
    keeps_all_laws(OfDb::with_a_log);
}

#[test]
fn a_write_transaction_that_is_committed_keeps_all_laws() {
    keeps_all_laws(|kind| OfTxn::new(kind, End::Commit));
}

#[test]
fn a_write_transaction_that_is_dropped_keeps_all_laws_and_leaves_nothing() {
    keeps_all_laws(|kind| OfTxn::new(kind, End::Drop));
}

#[test]
fn a_store_over_a_btreemap_keeps_all_laws() {
    keeps_all_laws(OfBTree::new);
}

/// The laws that a fault breaks, in a store that the first law it should break binds.
fn broken_by(fault: Fault, meant: &[&str]) -> BTreeSet<&'static str> {
    let law = conformance::laws().find(|law| law.name == meant[0]);
    let kind = Kind::bound_by(law.expect("a law of this name"));
    let report = conformance::run(|| OfBTree::faulty(kind, fault));
    report.breaches().iter().map(|breach| breach.law).collect()
}

#[test]
fn every_fault_is_named_by_its_law_and_every_law_names_some_fault() {
    let mut unseen: BTreeMap<&str, usize> = conformance::laws().map(|law| (law.name, 0)).collect();
    let mut missed = Vec::new();
    for (fault, meant) in FAULTS {
        let broken = broken_by(*fault, meant);
        for law in *meant {
            if !broken.contains(law) {
                missed.push(format!("{fault:?} does not break {law}"));
            }
        }
        for law in broken {
            unseen.remove(law);
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
    let unseen: Vec<&str> = unseen.into_keys().collect();
    assert!(unseen.is_empty(), "no fault breaks {unseen:#?}");
}

#[test]
fn a_report_lists_every_broken_law_with_what_was_expected_and_what_was_found() {
    let report = conformance::run(|| OfBTree::faulty(Kind::default(), Fault::EmptySpecIsNone));
    assert_eq!(
        report.to_string(),
        format!(
            "1 of {} laws are broken\n\
             create_accepts_a_spec_that_is_present_but_empty: expected success, found the error \
             containers \"web\" in namespace \"home\": spec is required",
            report.tried()
        )
    );
}

#[test]
fn a_law_in_which_the_implementation_panics_is_broken() {
    struct Panics;
    impl Fixture for Panics {
        fn store(&self, _: &str) -> Result<Box<dyn Store + '_>> {
            std::panic::resume_unwind(Box::new("no store"));
        }
        fn records(&self, _: &str, _: &str) -> Result<Box<dyn Store<Record> + '_>> {
            std::panic::resume_unwind(Box::new("no records"));
        }
        fn namespaces(&self) -> &dyn Namespaces {
            std::panic::resume_unwind(Box::new("no namespaces"));
        }
        fn rules(&self) -> Rules {
            Rules::Strict
        }
    }
    let report = conformance::run(|| Panics);
    assert_eq!(report.breaches().len(), report.tried());
    assert_eq!(
        report.breaches()[0].to_string(),
        "create_then_get_gives_what_create_returned: expected no panic, found a panic: no store"
    );
}

/// A law that is in no list is never tried.
#[test]
fn every_public_function_that_checks_a_fixture_is_listed_as_a_law_once() {
    let directory = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/crates/bayplan-conformance/src"
    );
    let mut written = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let source = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let words: Vec<&str> = source.split_whitespace().collect();
        let source = words.join(" ");
        for function in source.split("pub fn ").skip(1) {
            let (head, rest) = function.split_once('(').unwrap();
            let name = head.split('<').next().unwrap();
            if rest.trim_start().starts_with("fixture: &dyn Fixture") {
                written.push(name.to_owned());
            }
        }
    }
    written.sort();
    // Laws that are also tried on records are listed again, after those of containers.
    let listed = conformance::laws().filter(|law| !law.name.ends_with(" (records)"));
    let mut listed: Vec<String> = listed.map(|law| law.name.to_owned()).collect();
    listed.sort();
    assert_eq!(written, listed);
}
