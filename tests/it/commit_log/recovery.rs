//! Opening a store whose process was killed finds what is in its log.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bayplan::{Db, Maintenance, Share};

use super::{holding, ids, killed, with_log};
use crate::sample::{Contents, plain};

#[test]
fn every_opener_recovers_whatever_its_options() {
    let builders = [
        Db::builder(),
        Db::builder().check_integrity(false),
        Db::builder().share(Share::Readers),
        Db::builder().share(Share::Readers).check_integrity(false),
        with_log(),
        with_log().check_integrity(false),
    ];
    for builder in builders {
        let (place, contents) = killed();
        let db = builder.open(place.store()).unwrap();
        assert_eq!(Contents::of(&db).unwrap(), contents, "{builder:?}");
        assert!(db.check().unwrap().is_healthy());
        db.namespace("default")
            .unwrap()
            .create(plain("new"))
            .unwrap();
        let contents = Contents::of(&db).unwrap();
        let killed = place.as_after_a_kill();
        drop(db);
        assert_eq!(place.names(), ["meta.redb"], "{builder:?}");
        for place in [place, killed] {
            let db = Db::open(place.store()).unwrap();
            assert_eq!(Contents::of(&db).unwrap(), contents, "{builder:?}");
        }
    }
}

#[test]
fn a_killed_store_with_a_log_needs_no_walk_of_its_file() {
    let (place, contents) = killed();
    let is_walked = Arc::new(AtomicBool::new(false));
    let walked = Arc::clone(&is_walked);
    let unchecked = Db::builder().check_integrity(false);
    let unchecked = unchecked.on_repair(move |_| walked.store(true, Ordering::SeqCst));
    let db = unchecked.open(place.store()).unwrap();
    assert_eq!(Contents::of(&db).unwrap(), contents);
    assert!(!is_walked.load(Ordering::SeqCst));
}

#[test]
fn without_the_check_the_log_stays_until_the_first_write() {
    let (place, contents) = killed();
    let before = place.bytes();
    let unchecked = Db::builder().check_integrity(false);
    for _ in 0..2 {
        let db = unchecked.open(place.store()).unwrap();
        assert_eq!(Contents::of(&db).unwrap(), contents);
        assert_eq!(db.check().unwrap().log_commits, Some(9));
        drop(db);
        assert!(place.bytes() == before);
    }
    let db = unchecked.open(place.store()).unwrap();
    db.namespace("default")
        .unwrap()
        .create(plain("new"))
        .unwrap();
    assert_eq!(place.names(), ["meta.redb"]);
    drop(db);
    assert_eq!(ids(&unchecked, &place.store()).len(), 11);
}

#[test]
fn who_only_reads_applies_the_log_in_memory() {
    let (place, contents) = killed();
    let before = place.bytes();
    for check in [true, false] {
        let db = Db::builder()
            .check_integrity(check)
            .open_read_only(place.store());
        let db = db.unwrap();
        assert_eq!(Contents::of(&db).unwrap(), contents);
        let report = db.check().unwrap();
        assert!(report.is_healthy() && report.pages_verified);
        assert_eq!(report.log_commits, Some(9));
        db.stats().unwrap();
        drop(db);
        assert!(place.bytes() == before);
    }
}

#[test]
fn every_tool_finds_what_is_in_the_log() {
    let (place, contents) = killed();
    let before = place.bytes();
    let tools = Maintenance::new();
    let read_only = Db::open_read_only(place.store()).unwrap();
    read_only.backup(place.path("backup"), |_| {}).unwrap();
    let mut dump = Vec::new();
    read_only.dump(&mut dump, |_| {}).unwrap();
    drop(read_only);
    tools
        .clone()
        .load(place.path("loaded"), dump.as_slice(), |_| {})
        .unwrap();
    tools
        .clone()
        .restore(place.store(), place.path("restored"), |_| {})
        .unwrap();
    let report = tools
        .clone()
        .salvage(place.store(), place.path("salvaged"), |_| {});
    let report = report.unwrap();
    assert!(
        report.is_complete && report.log_damage.is_none(),
        "{report:?}"
    );
    assert!(place.bytes() == before);
    tools.clone().compact(place.store()).unwrap();
    assert!(!place.log().exists());
    for name in ["backup", "loaded", "restored", "salvaged", "meta.redb"] {
        let db = Db::open(place.path(name)).unwrap();
        assert_eq!(Contents::of(&db).unwrap(), contents, "{name}");
        assert!(!place.path(&format!("{name}-log")).exists());
    }
}

#[test]
fn tools_work_on_a_store_whose_log_is_in_use() {
    let (place, db, store) = holding(&["a", "b", "c"]);
    let contents = Contents::of(&db).unwrap();
    db.backup(place.path("backup"), |_| {}).unwrap();
    let copy = Db::open(place.path("backup")).unwrap();
    assert_eq!(Contents::of(&copy).unwrap(), contents);
    assert!(db.check().unwrap().is_healthy());
    drop((store, db));
    assert_eq!(ids(&Db::builder(), &place.store()), ["a", "b", "c"]);
}

#[test]
fn a_log_that_closing_could_not_remove_is_removed_by_the_next_one() {
    let (place, db, store) = holding(&["a", "b"]);
    let left = fs::read(place.log()).unwrap();
    drop((store, db));
    fs::write(place.log(), &left).unwrap();
    assert_eq!(ids(&Db::builder(), &place.store()), ["a", "b"]);
    assert_eq!(place.names(), ["meta.redb"]);

    fs::write(place.log(), &left).unwrap();
    let db = with_log()
        .check_integrity(false)
        .open(place.store())
        .unwrap();
    let store = db.namespace("default").unwrap();
    store.create(plain("c")).unwrap();
    assert_eq!(place.names(), ["meta.redb"]);
    store.create(plain("d")).unwrap();
    assert_eq!(place.names(), ["meta.redb", "meta.redb-log"]);
    drop((store, db));
    assert_eq!(place.names(), ["meta.redb"]);
    assert_eq!(ids(&Db::builder(), &place.store()), ["a", "b", "c", "d"]);
}

#[test]
fn the_log_of_a_store_that_was_moved_away_is_kept_beside_its_backup() {
    let (place, contents) = killed();
    let db = Db::open_read_only(place.store()).unwrap();
    db.backup(place.path("backup"), |_| {}).unwrap();
    drop(db);
    let log = fs::read(place.log()).unwrap();
    fs::rename(place.store(), place.path("moved")).unwrap();
    let tools = Maintenance::new();
    tools
        .restore(place.path("backup"), place.store(), |_| {})
        .unwrap();
    let db = Db::open(place.store()).unwrap();
    db.namespace("default")
        .unwrap()
        .create(plain("new"))
        .unwrap();
    drop(db);
    let db = with_log().open(place.store()).unwrap();
    let store = db.namespace("default").unwrap();
    db.checkpoint().unwrap(); // The first commit makes no log.
    assert!(
        store
            .create(plain("other"))
            .unwrap_err()
            .is_failed_precondition()
    );
    assert!(fs::read(place.log()).unwrap() == log);
    fs::rename(place.log(), place.path("moved-log")).unwrap();
    store.create(plain("other")).unwrap();
    let moved = Db::open(place.path("moved")).unwrap();
    assert_eq!(Contents::of(&moved).unwrap(), contents);
}
