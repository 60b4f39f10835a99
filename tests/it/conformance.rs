//! The laws of the traits, held against every implementation that there is here, and against
//! faulty ones, to prove that they can be broken.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bayplan::conformance::{self, Fixture};
use bayplan::{Db, Namespaces, ReadNamespaces, Result, Rules, Store, WriteTxn};
use chrono::DateTime;
use tempfile::TempDir;

use crate::btree::BTreeStore;
use crate::btree::fault::{FAULTS, Fault};

const BOTH: [Rules; 2] = [Rules::Strict, Rules::Containerd2];

/// A store of its own, checked as a whole when the law is done.
struct OfDb {
    db: Db,
    _directory: Option<TempDir>,
}

impl OfDb {
    fn in_memory(rules: Rules) -> Self {
        Self {
            db: Db::builder().rules(rules).in_memory().unwrap(),
            _directory: None,
        }
    }

    fn on_a_file(rules: Rules) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("meta.redb");
        Self {
            db: Db::builder().rules(rules).create(path).unwrap(),
            _directory: Some(directory),
        }
    }
}

impl Fixture for OfDb {
    fn store(&self, namespace: &str) -> Result<Box<dyn Store + '_>> {
        Ok(Box::new(self.db.namespace(namespace)?))
    }

    fn namespaces(&self) -> &dyn Namespaces {
        &self.db
    }

    fn rules(&self) -> Rules {
        self.db.info().rules
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
    fn new(rules: Rules, end: End) -> Self {
        let db = Db::builder().rules(rules).in_memory().unwrap();
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

    fn namespaces(&self) -> &dyn Namespaces {
        self.txn()
    }

    fn rules(&self) -> Rules {
        self.db.info().rules
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
    fn new(rules: Rules) -> Self {
        Self(BTreeStore::new(
            rules,
            Rc::new(|| DateTime::from_timestamp_nanos(1)),
        ))
    }

    fn faulty(rules: Rules, fault: Fault) -> Self {
        Self(Self::new(rules).0.with_fault(fault))
    }
}

impl Fixture for OfBTree {
    fn store(&self, namespace: &str) -> Result<Box<dyn Store + '_>> {
        Ok(Box::new(self.0.namespace(namespace)?))
    }

    fn namespaces(&self) -> &dyn Namespaces {
        &self.0
    }

    fn rules(&self) -> Rules {
        self.0.rules()
    }
}

#[track_caller]
fn keeps_all_laws<F: Fixture>(new: impl Fn(Rules) -> F) {
    for rules in BOTH {
        let report = conformance::run(|| new(rules));
        assert!(report.is_clean(), "{rules:?}: {report}");
        let binding = conformance::laws().filter(|law| law.binds(rules));
        assert_eq!(report.tried(), binding.count());
    }
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
fn a_write_transaction_that_is_committed_keeps_all_laws() {
    keeps_all_laws(|rules| OfTxn::new(rules, End::Commit));
}

#[test]
fn a_write_transaction_that_is_dropped_keeps_all_laws_and_leaves_nothing() {
    keeps_all_laws(|rules| OfTxn::new(rules, End::Drop));
}

#[test]
fn a_store_over_a_btreemap_keeps_all_laws() {
    keeps_all_laws(OfBTree::new);
}

/// The laws that a fault breaks, under the rules under which the first law it should break holds.
fn broken_by(fault: Fault, meant: &[&str]) -> BTreeSet<&'static str> {
    let law = conformance::laws().find(|law| law.name == meant[0]);
    let rules = law.expect("a law of this name").rules.unwrap_or_default();
    let report = conformance::run(|| OfBTree::faulty(rules, fault));
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
    let report = conformance::run(|| OfBTree::faulty(Rules::Strict, Fault::EmptySpecIsNone));
    assert_eq!(
        report.to_string(),
        format!(
            "1 of {} laws are broken\n\
             create_accepts_a_spec_that_is_present_but_empty: expected success, found the error \
             container \"web\" in namespace \"home\": spec is required",
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

/// A law that stands in no list is never tried.
#[test]
fn every_public_function_that_checks_a_fixture_is_listed_as_a_law_once() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/conformance");
    let mut written = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let source = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let words: Vec<&str> = source.split_whitespace().collect();
        let source = words.join(" ");
        for function in source.split("pub fn ").skip(1) {
            let (name, rest) = function.split_once('(').unwrap();
            if rest.trim_start().starts_with("fixture: &dyn Fixture") {
                written.push(name.to_owned());
            }
        }
    }
    written.sort();
    let mut listed: Vec<String> = conformance::laws().map(|law| law.name.to_owned()).collect();
    listed.sort();
    assert_eq!(written, listed);
}
