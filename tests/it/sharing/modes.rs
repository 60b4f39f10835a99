//! The file of a store says who may open it.

use std::fs::File;
use std::ops::Bound;
use std::path::Path;
use std::time::{Duration, Instant};

use bayplan::{
    Any, Container, Db, Detail, ErrorKind, FieldMask, Filters, Maintenance, Position, Runtime,
    Share,
};
use redb::StorageBackend;
use redb::backends::FileBackend;

fn container(id: &str) -> Container {
    Container::new(id, Runtime::new("runc"), Any::new("spec", b"{}"))
}

fn create(path: &Path, share: Share) -> Db {
    Db::builder().share(share).create(path).unwrap()
}

#[test]
fn the_file_says_who_may_open_it() {
    let directory = tempfile::tempdir().unwrap();
    for share in Share::ALL {
        let path = directory.path().join(share.as_str());
        assert_eq!(create(&path, share).info().share, share);
        assert_eq!(Db::open(&path).unwrap().info().share, share);
        assert_eq!(Db::open_read_only(&path).unwrap().info().share, share);
    }
}

#[test]
fn it_can_be_changed_by_who_has_the_store_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    create(&path, Share::Nobody)
        .namespace("a")
        .unwrap()
        .create(container("kept"))
        .unwrap();
    for from in Share::ALL {
        for to in Share::ALL {
            drop(Db::builder().share(from).open(&path).unwrap());
            let db = Db::builder().share(to).open(&path).unwrap();
            assert_eq!(db.info().share, to, "from {from}");
            assert!(db.namespace("a").unwrap().find("kept").unwrap().is_some());
            assert!(db.check().unwrap().is_healthy());
        }
    }
    let held = Db::builder().share(Share::Processes).open(&path).unwrap();
    let options = Db::builder().lock_timeout(Duration::ZERO);
    for to in [Share::Nobody, Share::Readers] {
        let error = options.clone().share(to).open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked, "{error:#}");
    }
    drop(held);
}

#[test]
fn handles_of_several_processes_see_what_each_committed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let one = create(&path, Share::Processes);
    let other = Db::open(&path).unwrap();
    let reader = Db::open_read_only(&path).unwrap();
    let mut last = None;
    for number in 0..20 {
        let (writes, reads) = match number % 2 {
            0 => (&one, &other),
            _ => (&other, &one),
        };
        let id = format!("c{number}");
        let label = ("round", number.to_string());
        let made = writes
            .namespace("a")
            .unwrap()
            .create(container(&id).label(label.0, &label.1))
            .unwrap();
        assert!(Some(made.revision) > last, "{number}");
        last = Some(made.revision);
        for db in [reads, &reader] {
            let store = db.namespace("a").unwrap();
            assert_eq!(store.get(&id).unwrap(), made);
            let filters = Filters::parse([format!("labels.round=={number}")]).unwrap();
            assert_eq!(store.query().filter(&filters).count().unwrap(), 1);
            assert_eq!(store.query().count().unwrap(), number + 1);
        }
    }
    let store = |db: &Db| db.namespace("a").unwrap();
    let stale = store(&one).get("c0").unwrap();
    let mask = FieldMask::parse(["labels"]).unwrap();
    let changed = stale.clone().label("by", "other");
    let first = store(&other)
        .update_if(stale.revision, changed.clone(), &mask)
        .unwrap();
    let error = store(&one)
        .update_if(stale.revision, changed, &mask)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    let again = store(&one).set_label("c0", "by", "one").unwrap();
    assert!(again.updated_at > first.updated_at && again.revision > first.revision);
    drop((one, other, reader));
    assert!(Db::open(&path).unwrap().check().unwrap().is_healthy());
}

#[test]
fn a_write_waits_for_its_turn_for_as_long_as_it_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let one = create(&path, Share::Processes);
    let wait = Duration::from_millis(50);
    let other = Db::builder().lock_timeout(wait).open(&path).unwrap();
    let txn = one.begin_write().unwrap();
    let began = Instant::now();
    let error = other
        .namespace("a")
        .unwrap()
        .create(container("late"))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error:#}");
    assert!(began.elapsed() >= wait);
    if cfg!(target_os = "linux") {
        let named = format!("for 50ms, now process {}", std::process::id());
        assert!(error.to_string().ends_with(&named), "{error:#}");
    }
    txn.commit().unwrap();
    other
        .namespace("a")
        .unwrap()
        .create(container("late"))
        .unwrap();
}

/// Compaction moves pages that others know.
#[test]
fn who_compacts_a_shared_store_has_it_alone() {
    let directory = tempfile::tempdir().unwrap();
    for share in Share::ALL {
        let path = directory.path().join(share.as_str());
        let db = create(&path, share);
        let home = db.namespace("a").unwrap();
        home.create(container("kept")).unwrap();
        let reader = (share != Share::Nobody).then(|| Db::open_read_only(&path).unwrap());
        let refused = || {
            let tools = Maintenance::new().lock_timeout(Duration::ZERO);
            let error = tools.compact(&path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Locked, "{share}: {error:#}");
        };
        refused();
        drop((home, db));
        if let Some(reader) = reader {
            refused();
            drop(reader);
        }
        Maintenance::new().compact(&path).unwrap();
        let db = Db::open(&path).unwrap();
        assert_eq!(db.info().share, share);
        assert!(db.namespace("a").unwrap().find("kept").unwrap().is_some());
    }
}

/// Readers that overlap would keep a writer out for good.
#[test]
fn readers_that_come_one_after_the_other_let_a_writer_in() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    drop(create(&path, Share::Nobody));
    let ends = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !ends.load(std::sync::atomic::Ordering::Relaxed) {
                    if let Ok(reader) = Db::open_read_only(&path) {
                        std::thread::sleep(Duration::from_millis(5));
                        drop(reader);
                    }
                }
            });
        }
        std::thread::sleep(Duration::from_millis(50));
        for _ in 0..5 {
            let options = Db::builder().lock_timeout(Duration::from_secs(20));
            let opened = options.open(&path);
            if opened.is_err() {
                ends.store(true, std::sync::atomic::Ordering::Relaxed);
            }
            opened.unwrap();
        }
        ends.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn opening_beside_a_long_transaction_ends_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let other = create(&path, Share::Processes);
    let txn = other.begin_write().unwrap();
    let begun = Instant::now();
    let brief = Db::builder().lock_timeout(Duration::from_millis(50));
    let error = brief.open(&path).unwrap_err();
    assert!(error.is_locked(), "{error:#}");
    assert!(begun.elapsed() < Duration::from_secs(20));
    drop(txn);
    drop(Db::open(&path).unwrap());
}

/// Two of them could each take itself for the first, and rewrite pages while the other writes.
#[test]
fn one_process_at_a_time_opens_a_store_to_write_it() {
    /// The byte that an opener holds; see docs/FORMAT.md, "Sharing".
    const JOINING: u64 = (1 << 62) + 898;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    for is_open in [false, true] {
        let _ = std::fs::remove_file(&path);
        let other = Some(create(&path, Share::Processes)).filter(|_| is_open);
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let opener = FileBackend::new(file).unwrap();
        let byte = (Bound::Included(JOINING), Bound::Included(JOINING));
        assert!(opener.try_lock_range(byte.0, byte.1).unwrap());
        let brief = Db::builder().lock_timeout(Duration::from_millis(50));
        let error = brief.open(&path).unwrap_err();
        assert!(error.is_locked(), "{error:#}");
        drop(opener);
        drop(Db::open(&path).unwrap());
        drop(other);
    }
}

#[test]
fn a_log_is_for_a_store_of_one_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    drop(create(&path, Share::Processes));
    let error = Db::builder().commit_log(true).open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    let options = Db::builder().commit_log(true).share(Share::Nobody);
    let db = options.open(&path).unwrap();
    db.namespace("a")
        .unwrap()
        .create(container("logged"))
        .unwrap();
    drop(db);
    drop(Db::builder().share(Share::Processes).open(&path).unwrap());
}

/// redb would wait for the end of a transaction without a limit, and a process that writes all the time leaves short gaps.
#[test]
fn an_opener_waits_no_longer_than_it_is_told_and_gets_its_turn() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let busy = create(&path, Share::Processes);
    let ends = std::sync::atomic::AtomicBool::new(false);
    let limit = Duration::from_secs(2);
    let mut opened = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ends.load(std::sync::atomic::Ordering::Relaxed) {
                let txn = busy.begin_write().unwrap();
                std::thread::sleep(Duration::from_millis(300));
                txn.abort().unwrap();
            }
        });
        for _ in 0..6 {
            let began = Instant::now();
            match Db::builder().lock_timeout(limit).open(&path) {
                Ok(_) => opened += 1,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Locked, "{error:#}");
                    assert!(
                        error.to_string().contains("have been writing for 2s"),
                        "{error:#}"
                    );
                }
            }
            let took = began.elapsed();
            assert!(took < 2 * limit, "{took:?}");
        }
        ends.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert!(opened >= 3, "{opened} of 6");
}

/// What another process wrote after the store was opened has been verified by nobody.
#[test]
fn a_check_verifies_what_others_have_written_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let daemon = create(&path, Share::Processes);
    assert!(daemon.check().unwrap().is_healthy());
    let other = Db::open(&path).unwrap();
    let marked = container("web").label("marker", "MARKER-OF-THE-OTHER");
    other.namespace("a").unwrap().create(marked).unwrap();
    drop(other);
    assert!(daemon.check().unwrap().is_healthy());
    let mut bytes = std::fs::read(&path).unwrap();
    let marker = b"MARKER-OF-THE-OTHER";
    let places: Vec<usize> = (0..bytes.len() - marker.len())
        .filter(|at| bytes[*at..].starts_with(marker))
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at] ^= 1;
    }
    std::fs::write(&path, &bytes).unwrap();
    let found = daemon.check();
    assert!(!found.is_ok_and(|report| report.is_healthy()));
}

/// In another file things go on that a follower would never hear of.
#[test]
fn a_follower_learns_that_its_file_was_replaced() {
    let directory = tempfile::tempdir().unwrap();
    for share in [Share::Readers, Share::Processes] {
        let path = directory.path().join(share.as_str());
        let home = create(&path, share);
        home.namespace("a")
            .unwrap()
            .create(container("web"))
            .unwrap();
        let reader = Db::open_read_only(&path).unwrap();
        let mut follower = reader.subscribe(Position::START, Detail::Id).unwrap();
        for _ in 0..2 {
            follower
                .recv_timeout(Duration::from_secs(5))
                .unwrap()
                .unwrap();
        }
        assert!(
            follower
                .recv_timeout(Duration::from_millis(100))
                .unwrap()
                .is_none()
        );
        std::fs::rename(&path, path.with_extension("old")).unwrap();
        drop(create(&path, share));
        let error = follower.recv_timeout(Duration::from_secs(5)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Gone, "{error:#}");
        // Its end is no failure of who only read.
        drop(follower);
        reader.close().unwrap();
    }
}
