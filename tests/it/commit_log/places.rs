//! A log that would be somewhere else, or cannot be made or removed: a link, a directory, another file system, a
//! directory that takes no files.
//!
//! Some of it needs mounts, and so root.

use std::fs;
use std::os::unix::fs::symlink;

use bayplan::{Db, ErrorKind, Maintenance};

use super::{Place, assert_says, ids, killed, with_log};
use crate::machine::{Bound, Tmpfs};
use crate::sample::{Contents, plain};

/// Asserts that a write that is to create the log creates none, changes nothing, and reports what is at that path; and
/// that a write without the option succeeds.
#[track_caller]
fn makes_no_log(place: &Place) {
    let names = place.names();
    let db = with_log().open(place.store()).unwrap();
    let store = db.namespace("default").unwrap();
    db.checkpoint().unwrap(); // The first commit makes no log.
    for _ in 0..2 {
        let error = store.create(plain("a")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FailedPrecondition, "{error:#}");
        assert_says(
            &error,
            &["something else is at", "meta.redb-log", "move it away"],
        );
    }
    assert_eq!(store.query().count().unwrap(), 0);
    drop((store, db));
    let db = Db::open(place.store()).unwrap();
    let store = db.namespace("default").unwrap();
    store.create(plain("a")).unwrap();
    drop((store, db));
    assert_eq!(ids(&Db::builder(), &place.store()), ["a"]);
    assert_eq!(place.names(), names);
}

#[test]
fn a_link_or_a_directory_at_the_place_of_the_log_is_left_alone() {
    let links: [&dyn Fn(&Place); 4] = [
        &|place| symlink("nowhere", place.log()).unwrap(),
        &|place| {
            fs::write(place.path("target"), "of somebody else").unwrap();
            symlink("target", place.log()).unwrap();
        },
        &|place| {
            fs::create_dir(place.path("target")).unwrap();
            symlink("target", place.log()).unwrap();
        },
        &|place| fs::create_dir(place.log()).unwrap(),
    ];
    for link in links {
        let place = Place::new();
        drop(Db::create(place.store()).unwrap());
        link(&place);
        makes_no_log(&place);
        if place.path("target").is_file() {
            let target = fs::read(place.path("target")).unwrap();
            assert_eq!(target, b"of somebody else");
        }
    }
}

#[test]
fn a_log_that_was_moved_behind_a_link_is_read_and_only_the_link_is_removed() {
    let (place, contents) = killed();
    fs::rename(place.log(), place.path("moved")).unwrap();
    symlink("moved", place.log()).unwrap();
    let moved = fs::read(place.path("moved")).unwrap();
    let db = Db::open_read_only(place.store()).unwrap();
    assert_eq!(Contents::of(&db).unwrap(), contents);
    drop(db);
    let db = with_log().open(place.store()).unwrap();
    assert_eq!(Contents::of(&db).unwrap(), contents);
    db.checkpoint().unwrap(); // The first commit makes no log.
    db.namespace("default")
        .unwrap()
        .create(plain("new"))
        .unwrap();
    assert!(place.log().symlink_metadata().unwrap().is_file());
    assert!(fs::read(place.path("moved")).unwrap() == moved);
}

/// What is said of something, and how to put it in place of the log.
type Replacement<'f> = (&'static str, &'f dyn Fn(&Place));

#[test]
fn a_store_with_something_else_in_place_of_its_log_is_damaged_and_can_be_salvaged() {
    let replacements: [Replacement<'_>; 3] = [
        ("which does not exist", &|place| {
            symlink("nowhere", place.log()).unwrap()
        }),
        ("it is not a regular file", &|place| {
            fs::create_dir(place.log()).unwrap()
        }),
        ("it is not a regular file", &|place| {
            symlink("/dev/null", place.log()).unwrap()
        }),
    ];
    for (said, replace) in replacements {
        let (place, contents) = killed();
        fs::rename(place.log(), place.path("away")).unwrap();
        replace(&place);
        let names = place.names();
        for builder in [
            Db::builder(),
            with_log(),
            Db::builder().check_integrity(false),
        ] {
            for error in [
                builder.open(place.store()).unwrap_err(),
                builder.open_read_only(place.store()).unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:#}");
                assert_says(&error, &["its log", "meta.redb-log", said, "put it back"]);
            }
        }
        let tools = Maintenance::new();
        let report = tools.salvage(place.store(), place.path("saved"), |_| {});
        let report = report.unwrap();
        assert!(report.log_damage.unwrap().contains(said));
        assert_eq!(ids(&Db::builder(), &place.path("saved")), ["c0"]);
        fs::remove_file(place.path("saved")).unwrap();
        assert_eq!(place.names(), names);
        match place.log().is_dir() {
            true => fs::remove_dir(place.log()).unwrap(),
            false => fs::remove_file(place.log()).unwrap(),
        }
        fs::rename(place.path("away"), place.log()).unwrap();
        let db = Db::open(place.store()).unwrap();
        assert_eq!(Contents::of(&db).unwrap(), contents);
    }
}

/// A file that is mounted at the place of the log, from another file system.
#[test]
fn a_log_on_another_file_system_is_read_and_none_is_made_there() {
    let Some(disk) = Tmpfs::mount("log-places", "4m") else {
        return;
    };
    let elsewhere = disk.path().join("log");
    let place = Place::new();
    drop(Db::create(place.store()).unwrap());
    fs::write(&elsewhere, "of somebody else").unwrap();
    fs::write(place.log(), "").unwrap();
    let bound = Bound::at(&elsewhere, &place.log());
    makes_no_log(&place);
    drop(bound);
    assert_eq!(fs::read(&elsewhere).unwrap(), b"of somebody else");

    let (place, contents) = killed();
    fs::copy(place.log(), &elsewhere).unwrap();
    fs::write(place.log(), "").unwrap();
    let bound = Bound::at(&elsewhere, &place.log());
    for _ in 0..2 {
        // It cannot be removed, and is not taken for one in use.
        let db = Db::open(place.store()).unwrap();
        assert_eq!(Contents::of(&db).unwrap(), contents);
        drop(db);
        assert!(place.log().exists());
    }
    let db = with_log().open(place.store()).unwrap();
    db.checkpoint().unwrap(); // The first commit makes no log.
    let error = db
        .namespace("default")
        .unwrap()
        .create(plain("new"))
        .unwrap_err();
    assert_says(&error, &["something else is at", "move it away"]);
    drop(db);
    drop(bound);
    fs::remove_file(place.log()).unwrap();
    let db = with_log().open(place.store()).unwrap();
    db.checkpoint().unwrap(); // The first commit makes no log.
    let store = db.namespace("default").unwrap();
    store.create(plain("new")).unwrap();
    assert!(place.log().exists());
}

/// The file can be written, and its directory takes no new files and gives none up.
#[test]
fn in_a_directory_that_cannot_be_written_no_log_is_made_and_one_that_is_there_is_read() {
    let Some(disk) = Tmpfs::mount("log-places", "16m") else {
        return;
    };
    let path = disk.path().join("meta.redb");
    let log = disk.path().join("meta.redb-log");
    let read_only = |with: &dyn Fn()| {
        let bound = Bound::at(&path, &path);
        disk.remount("ro,bind");
        with();
        disk.remount("rw,bind");
        drop(bound);
    };
    drop(Db::create(&path).unwrap());
    read_only(&|| {
        let db = with_log().open(&path).unwrap();
        let store = db.namespace("default").unwrap();
        db.checkpoint().unwrap(); // The first commit makes no log.
        for _ in 0..2 {
            let error = store.create(plain("a")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io, "{error:#}");
            assert_says(
                &error,
                &["its log", "meta.redb-log", "ead-only file system"],
            );
        }
        drop((store, db));
        let db = Db::open(&path).unwrap();
        db.namespace("default").unwrap().create(plain("a")).unwrap();
    });
    assert_eq!(ids(&Db::builder(), &path), ["a"]);

    let (killed, contents) = killed();
    fs::copy(killed.store(), &path).unwrap();
    fs::copy(killed.log(), &log).unwrap();
    read_only(&|| {
        // The log cannot be written either, which recovery may need.
        let error = Db::open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{error:#}");
        assert_says(
            &error,
            &["its log", "meta.redb-log", "ead-only file system"],
        );
        let db = Db::open_read_only(&path).unwrap();
        assert_eq!(Contents::of(&db).unwrap(), contents);
    });
    let bound = Bound::at(&log, &log);
    read_only(&|| {
        for _ in 0..2 {
            let db = Db::open(&path).unwrap();
            assert_eq!(Contents::of(&db).unwrap(), contents);
            assert!(db.check().unwrap().is_healthy());
        }
        assert!(log.exists());
    });
    drop(bound);
    drop(Db::open(&path).unwrap());
    assert!(!log.exists());
}
