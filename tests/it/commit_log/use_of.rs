//! What a store does with its log while it is open, and what is left afterwards.

use std::fs;
use std::thread;

use bayplan::{Any, Container, Db, ErrorKind, Runtime, Share};

use super::{LOG_BYTES, Place, assert_says, holding, ids, killed, with_log};
use crate::sample::{Contents, plain};
use crate::seed::Seed;

fn large(id: &str, bytes: usize) -> Container {
    let spec = Any::new("spec", Seed::new(bytes as u64).bytes(bytes));
    Container::new(id, Runtime::new("runc"), spec)
}

#[test]
fn without_the_option_nothing_of_a_log_is_made() {
    let place = Place::new();
    let db = Db::create(place.store()).unwrap();
    let store = db.namespace("default").unwrap();
    store.create(plain("a")).unwrap();
    db.checkpoint().unwrap();
    assert_eq!(db.check().unwrap().log_commits, None);
    assert_eq!(place.names(), ["meta.redb"]);
}

#[test]
fn the_second_commit_makes_the_log_and_closing_removes_it() {
    for is_closed in [true, false] {
        let place = Place::new();
        let db = with_log().create(place.store()).unwrap();
        assert_eq!(place.names(), ["meta.redb"]);
        let store = db.namespace("default").unwrap();
        store.create(plain("a")).unwrap();
        assert_eq!(place.names(), ["meta.redb"]);
        store.create(plain("b")).unwrap();
        assert_eq!(place.names(), ["meta.redb", "meta.redb-log"]);
        assert_eq!(fs::metadata(place.log()).unwrap().len(), LOG_BYTES);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(place.log()).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        store.create(plain("c")).unwrap();
        drop(store);
        match is_closed {
            true => db.close().unwrap(),
            false => drop(db),
        }
        assert_eq!(place.names(), ["meta.redb"]);
        assert_eq!(ids(&Db::builder(), &place.store()), ["a", "b", "c"]);
    }
}

#[test]
fn a_store_that_is_not_written_to_makes_no_log() {
    let place = Place::new();
    drop(Db::create(place.store()).unwrap());
    let db = with_log().open(place.store()).unwrap();
    drop(db.begin_write().unwrap());
    assert_eq!(place.names(), ["meta.redb"]);
}

#[test]
fn a_log_that_is_full_begins_anew_and_a_transaction_that_is_longer_than_it_needs_none() {
    let (place, db, store) = holding(&[]);
    let open = db.clone();
    for number in 0..60 {
        store.create(large(&format!("c{number}"), 150_000)).unwrap();
        if number % 7 == 0 {
            let killed = place.as_after_a_kill();
            let db = Db::open(killed.store()).unwrap();
            assert_eq!(Contents::of(&db).unwrap(), Contents::of(&open).unwrap());
        }
    }
    store.create(large("huge", 6 << 20)).unwrap();
    store.create(plain("last")).unwrap();
    assert_eq!(db.check().unwrap().log_commits, Some(1));
    assert_eq!(fs::metadata(place.log()).unwrap().len(), LOG_BYTES);
    let killed = place.as_after_a_kill();
    let recovered = Db::open(killed.store()).unwrap();
    assert_eq!(
        Contents::of(&recovered).unwrap(),
        Contents::of(&db).unwrap()
    );
}

#[test]
fn a_checkpoint_brings_all_of_the_log_into_the_file() {
    let (place, db, _) = holding(&["a", "b", "c"]);
    assert_eq!(db.check().unwrap().log_commits, Some(2));
    db.checkpoint().unwrap();
    assert_eq!(db.check().unwrap().log_commits, Some(0));
    let killed = place.as_after_a_kill();
    let db = Db::open_read_only(killed.store()).unwrap();
    assert_eq!(db.check().unwrap().log_commits, Some(0));
    assert_eq!(Contents::of(&db).unwrap().containers.len(), 3);
}

#[test]
fn threads_share_frames_and_a_kill_loses_none_of_theirs() {
    let (place, db, store) = holding(&[]);
    thread::scope(|scope| {
        for thread in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..40 {
                    store.create(plain(&format!("t{thread}-{number}"))).unwrap();
                }
            });
        }
    });
    let commits = db.check().unwrap().log_commits.unwrap();
    assert!(commits < 320, "{commits}");
    let killed = place.as_after_a_kill();
    assert_eq!(ids(&Db::builder(), &killed.store()).len(), 320);
}

#[test]
fn a_log_and_live_readers_do_not_go_together() {
    let place = Place::new();
    let both = with_log().share(Share::Readers);
    let error = both.create(place.store()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    drop(Db::create(place.store()).unwrap());
    let error = both.open(place.store()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn a_store_in_memory_has_no_log() {
    let db = with_log().in_memory().unwrap();
    db.namespace("default").unwrap().create(plain("a")).unwrap();
    assert_eq!(db.check().unwrap().log_commits, None);
}

#[test]
fn what_else_is_at_the_place_of_the_log_is_left_alone_and_told() {
    let place = Place::new();
    fs::write(place.log(), "of somebody else").unwrap();
    let db = with_log().create(place.store()).unwrap();
    let store = db.namespace("default").unwrap();
    db.checkpoint().unwrap(); // The first commit makes no log.
    let error = store.create(plain("a")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    assert_says(
        &error,
        &["something else is at", "meta.redb-log", "move it away"],
    );
    assert_eq!(fs::read(place.log()).unwrap(), b"of somebody else");
    // Nothing was stored, and the next one may succeed.
    fs::remove_file(place.log()).unwrap();
    store.create(plain("a")).unwrap();
    drop((store, db));
    fs::create_dir(place.log()).unwrap();
    assert_eq!(ids(&Db::builder(), &place.store()), ["a"]);
    assert!(place.log().is_dir());
}

/// A way to lose a log: its name, and how to do it.
type Loss<'f> = (&'static str, &'f dyn Fn(&Place));

#[test]
fn a_log_that_is_removed_or_replaced_while_it_is_open_is_gone_and_closing_saves_what_is_in_it() {
    let other = killed().0;
    let losses: [Loss<'_>; 3] = [
        ("removed", &|at| fs::remove_file(at.log()).unwrap()),
        ("renamed", &|at| {
            fs::rename(at.log(), at.path("away")).unwrap()
        }),
        ("replaced", &|at| {
            fs::copy(other.log(), at.path("new")).unwrap();
            fs::rename(at.path("new"), at.log()).unwrap();
        }),
    ];
    for (what, lose) in losses {
        let (place, db, store) = holding(&["a", "b"]);
        lose(&place);
        for error in [
            store.create(plain("c")).unwrap_err(),
            db.checkpoint().unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Gone, "{what}");
            assert_says(
                &error,
                &["the store's log is no longer at", "meta.redb-log"],
            );
        }
        assert!(store.get("b").is_ok());
        drop(store);
        db.close().unwrap();
        assert_eq!(place.log().exists(), what == "replaced");
        assert_eq!(ids(&Db::builder(), &place.store()), ["a", "b"], "{what}");
    }
}

#[cfg(unix)]
#[test]
fn the_log_is_beside_the_file_and_not_beside_a_link_to_it() {
    let place = Place::new();
    fs::create_dir(place.path("in")).unwrap();
    let path = place.path("in/meta.redb");
    drop(Db::create(&path).unwrap());
    std::os::unix::fs::symlink(&path, place.path("link")).unwrap();
    let db = with_log().open(place.path("link")).unwrap();
    db.namespace("default").unwrap().create(plain("a")).unwrap();
    db.namespace("default").unwrap().create(plain("b")).unwrap();
    assert!(place.path("in/meta.redb-log").exists());
    let crashed = place.path("crashed");
    fs::copy(&path, &crashed).unwrap();
    fs::copy(place.path("in/meta.redb-log"), place.path("crashed-log")).unwrap();
    std::os::unix::fs::symlink(&crashed, place.path("other-link")).unwrap();
    assert_eq!(ids(&Db::builder(), &place.path("other-link")), ["a", "b"]);
}
