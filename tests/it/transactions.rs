//! Transactions: all or nothing, one view, one writer, any number of readers.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use bayplan::{
    Any, Container, Db, Error, ErrorKind, FieldMask, Filters, Labels, Result, Revision, Runtime,
};

use crate::quiet::quietly;

const HOME: &str = "home";

fn sample(id: &str) -> Container {
    Container::new(id, Runtime::new("runc"), Any::new("spec", b"{}"))
}

fn on_a_file() -> (tempfile::TempDir, Db) {
    let directory = tempfile::tempdir().unwrap();
    let db = Db::create(directory.path().join("meta.redb")).unwrap();
    (directory, db)
}

#[track_caller]
fn fails<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error:#}");
    error
}

#[track_caller]
fn holds(db: &Db, namespace: &str, ids: &[&str]) {
    let found = db.namespace(namespace).unwrap();
    assert_eq!(found.query().ids().unwrap(), ids);
}

#[track_caller]
fn healthy(db: &Db, containers: u64) {
    let report = db.check().unwrap();
    assert!(report.is_healthy(), "{report:?}");
    assert_eq!(report.containers_count, containers);
}

#[test]
fn a_snapshot_does_not_see_what_is_committed_later() {
    let db = Db::in_memory().unwrap();
    let home = db.namespace(HOME).unwrap();
    let stays = home.create(sample("stays").label("a", "1")).unwrap();
    let goes = home.create(sample("goes")).unwrap();
    let snapshot = db.read().unwrap();

    home.update(sample("stays"), &FieldMask::full()).unwrap();
    home.delete("goes").unwrap();
    home.create(sample("comes")).unwrap();
    db.create_namespace("later", Labels::new()).unwrap();
    db.set_namespace_label(HOME, "owner", "me").unwrap();

    let seen = snapshot.namespace(HOME).unwrap();
    assert_eq!(seen.list(&Filters::all()).unwrap(), [goes.clone(), stays]);
    assert_eq!(seen.get("goes").unwrap(), goes);
    fails(seen.get("comes"), ErrorKind::NotFound);
    assert_eq!(
        seen.query()
            .filter(&Filters::parse(["labels.a"]).unwrap())
            .ids()
            .unwrap(),
        ["stays"]
    );
    assert_eq!(snapshot.list_namespaces().unwrap(), [HOME]);
    assert!(snapshot.namespace_labels(HOME).unwrap().is_empty());
    holds(&db, HOME, &["comes", "stays"]);
}

#[test]
fn an_iterator_keeps_its_snapshot_when_the_transaction_is_gone() {
    let db = Db::in_memory().unwrap();
    let home = db.namespace(HOME).unwrap();
    let ids: Vec<String> = (100..300).map(|number| format!("c{number}")).collect();
    for id in &ids {
        home.create(sample(id)).unwrap();
    }
    let mut iterator = home.query().iter().unwrap();
    assert_eq!(iterator.next().unwrap().unwrap().id, "c100");
    for id in &ids {
        home.delete(id).unwrap();
    }
    let rest: Vec<String> = iterator.map(|item| item.unwrap().id).collect();
    assert_eq!(rest, ids[1..]);
}

#[test]
fn a_write_transaction_over_several_namespaces_is_committed_as_one() {
    let db = Db::in_memory().unwrap();
    db.namespace(HOME).unwrap().create(sample("web")).unwrap();
    let before = db.read().unwrap();
    db.write(|txn| {
        let web = txn.namespace(HOME)?.get("web")?;
        txn.namespace("archive")?.create(web)?;
        txn.namespace(HOME)?.delete("web")?;
        txn.create_namespace("empty", Labels::from([("a".into(), "1".into())]))
    })
    .unwrap();
    holds(&db, HOME, &[]);
    holds(&db, "archive", &["web"]);
    assert_eq!(db.namespace_labels("empty").unwrap()["a"], "1");
    assert_eq!(before.list_namespaces().unwrap().len(), 1);
    healthy(&db, 1);
}

#[test]
fn a_transaction_sees_what_it_did_and_nobody_else_does_before_the_commit() {
    let db = Db::in_memory().unwrap();
    let home = db.namespace(HOME).unwrap();
    home.create(sample("old").label("a", "1")).unwrap();
    let txn = db.begin_write().unwrap();
    let inside = txn.namespace(HOME).unwrap();
    let made = inside.create(sample("new").label("a", "1")).unwrap();
    inside.delete("old").unwrap();
    let labelled = Filters::parse(["labels.a==1"]).unwrap();
    assert_eq!(inside.list(&labelled).unwrap(), [made]);
    assert_eq!(inside.query().count().unwrap(), 1);
    assert_eq!(
        inside
            .query()
            .filter(&labelled)
            .limit(9)
            .list()
            .unwrap()
            .len(),
        1
    );
    holds(&db, HOME, &["old"]);
    assert_eq!(home.query().filter(&labelled).count().unwrap(), 1);
    txn.commit().unwrap();
    holds(&db, HOME, &["new"]);
    healthy(&db, 1);
}

#[test]
fn a_failing_operation_leaves_the_transaction_usable_and_unchanged() {
    let db = Db::in_memory().unwrap();
    let txn = db.begin_write().unwrap();
    let home = txn.namespace(HOME).unwrap();
    let web = home.create(sample("web").label("a", "1")).unwrap();

    fails(home.create(sample("web")), ErrorKind::AlreadyExists);
    fails(home.create(sample("web--1")), ErrorKind::InvalidArgument);
    fails(
        home.create(sample("x").label("", "")),
        ErrorKind::InvalidArgument,
    );
    fails(home.get("db"), ErrorKind::NotFound);
    fails(home.delete("db"), ErrorKind::NotFound);
    fails(
        home.update(sample("db"), &FieldMask::full()),
        ErrorKind::NotFound,
    );
    let bad = FieldMask::deferred(["labels", "nope"]);
    fails(home.update(sample("web"), &bad), ErrorKind::InvalidArgument);
    let stale = home.update_if(Revision::NONE, sample("web"), &FieldMask::full());
    fails(stale, ErrorKind::FailedPrecondition);
    fails(
        txn.create_namespace(HOME, Labels::new()),
        ErrorKind::AlreadyExists,
    );
    fails(txn.delete_namespace(HOME), ErrorKind::FailedPrecondition);
    fails(txn.delete_namespace("away"), ErrorKind::NotFound);
    fails(
        txn.set_namespace_label("a/b", "k", "v"),
        ErrorKind::InvalidArgument,
    );

    assert_eq!(
        home.list(&Filters::all()).unwrap(),
        std::slice::from_ref(&web)
    );
    assert_eq!(txn.list_namespaces().unwrap().len(), 1);
    home.create(sample("db")).unwrap();
    txn.commit().unwrap();
    holds(&db, HOME, &["db", "web"]);
    assert_eq!(db.namespace(HOME).unwrap().get("web").unwrap(), web);
    healthy(&db, 2);
}

#[test]
fn a_transaction_that_is_dropped_or_aborted_leaves_nothing() {
    let db = Db::in_memory().unwrap();
    let home = db.namespace(HOME).unwrap();
    let web = home.create(sample("web")).unwrap();
    let work = |txn: &bayplan::WriteTxn| {
        txn.namespace(HOME)?.delete("web")?;
        txn.namespace("away")?.create(sample("db"))?;
        txn.set_namespace_label(HOME, "a", "1")
    };
    let txn = db.begin_write().unwrap();
    work(&txn).unwrap();
    drop(txn);
    let txn = db.begin_write().unwrap();
    work(&txn).unwrap();
    txn.abort().unwrap();
    let refused: Result<()> = db.write(|txn| {
        work(txn)?;
        txn.namespace(HOME)?.delete("nobody")
    });
    fails(refused, ErrorKind::NotFound);

    assert_eq!(home.list(&Filters::all()).unwrap(), [web]);
    assert_eq!(db.list_namespaces().unwrap().len(), 1);
    assert!(db.namespace_labels(HOME).unwrap().is_empty());
    healthy(&db, 1);
}

#[test]
fn a_transaction_that_panics_leaves_nothing_and_the_store_usable() {
    let db = Db::in_memory().unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        db.write(|txn| -> Result<()> {
            txn.namespace(HOME)?.create(sample("web"))?;
            std::panic::resume_unwind(Box::new("in the middle"))
        })
    }));
    assert!(panicked.is_err());
    assert!(db.list_namespaces().unwrap().is_empty());
    db.namespace(HOME).unwrap().create(sample("web")).unwrap();
    healthy(&db, 1);
}

#[test]
fn a_visitor_may_write_through_the_transaction_that_it_reads() {
    let db = Db::in_memory().unwrap();
    db.write(|txn| {
        let home = txn.namespace(HOME)?;
        for number in 100..300 {
            home.create(sample(&format!("c{number}")))?;
        }
        let mut seen = 0;
        home.query().visit(|container| {
            seen += 1;
            home.delete(&container.id)?;
            Ok::<_, Error>(ControlFlow::Continue(()))
        })?;
        assert_eq!(seen, 200);
        Ok::<_, Error>(())
    })
    .unwrap();
    holds(&db, HOME, &[]);
    healthy(&db, 0);
}

#[test]
fn a_visitor_may_write_to_the_store_and_goes_on_in_its_snapshot() {
    let db = Db::in_memory().unwrap();
    let home = db.namespace(HOME).unwrap();
    for number in 100..200 {
        home.create(sample(&format!("c{number}"))).unwrap();
    }
    let mut seen = Vec::new();
    for header in home.query().iter_headers().unwrap() {
        let id = header.unwrap().id;
        home.delete(&id).unwrap();
        home.create(sample(&format!("z-{id}"))).unwrap();
        seen.push(id);
    }
    assert_eq!(seen.len(), 100);
    assert!(seen.iter().all(|id| id.starts_with('c')));
    assert_eq!(home.query().count().unwrap(), 100);
    healthy(&db, 100);
}

#[test]
fn a_revision_that_was_rolled_back_is_not_given_to_another_state() {
    let db = Db::in_memory().unwrap();
    let home = db.namespace(HOME).unwrap();
    let txn = db.begin_write().unwrap();
    let inside = txn.namespace(HOME).unwrap();
    let lost = inside.create(sample("web")).unwrap().revision;
    drop(txn);
    let kept = home.create(sample("web").label("a", "1")).unwrap().revision;
    assert!(kept > lost, "{kept} is not later than {lost}");
    let stale = home.update_if(lost, sample("web"), &FieldMask::full());
    fails(stale, ErrorKind::FailedPrecondition);
}

#[test]
fn revisions_go_on_after_the_file_is_opened_again() {
    let (directory, db) = on_a_file();
    let home = db.namespace(HOME).unwrap();
    let first = home.create(sample("a")).unwrap().revision;
    drop((home, db));
    let db = Db::open(directory.path().join("meta.redb")).unwrap();
    let home = db.namespace(HOME).unwrap();
    assert_eq!(home.get("a").unwrap().revision, first);
    assert!(home.create(sample("b")).unwrap().revision > first);
}

#[test]
fn a_transaction_that_changes_nothing_may_be_committed() {
    let db = Db::in_memory().unwrap();
    db.begin_write().unwrap().commit().unwrap();
    db.write(|txn| txn.namespace(HOME)?.query().count())
        .unwrap();
    assert!(db.list_namespaces().unwrap().is_empty());
}

#[test]
fn a_write_within_a_write_transaction_of_the_same_thread_is_an_error_and_not_a_hang() {
    let db = Db::in_memory().unwrap();
    let home = db.namespace(HOME).unwrap();
    let txn = db.begin_write().unwrap();
    let error = fails(db.begin_write(), ErrorKind::FailedPrecondition);
    assert_eq!(
        error.to_string(),
        "begin a write transaction: this thread has a write transaction open already: use that \
         one, or end it first"
    );
    fails(home.create(sample("web")), ErrorKind::FailedPrecondition);
    fails(
        home.update(sample("web"), &FieldMask::full()),
        ErrorKind::FailedPrecondition,
    );
    fails(home.delete("web"), ErrorKind::FailedPrecondition);
    fails(
        db.create_namespace(HOME, Labels::new()),
        ErrorKind::FailedPrecondition,
    );
    fails(
        db.set_namespace_label(HOME, "a", "1"),
        ErrorKind::FailedPrecondition,
    );
    fails(db.delete_namespace(HOME), ErrorKind::FailedPrecondition);
    fails(home.get("web"), ErrorKind::NotFound);
    txn.namespace(HOME).unwrap().create(sample("web")).unwrap();
    txn.commit().unwrap();
    home.create(sample("db")).unwrap();
    healthy(&db, 2);
}

#[test]
fn the_write_transaction_of_another_store_is_no_obstacle() {
    let (one, other) = (Db::in_memory().unwrap(), Db::in_memory().unwrap());
    let txn = one.begin_write().unwrap();
    other
        .namespace(HOME)
        .unwrap()
        .create(sample("web"))
        .unwrap();
    txn.commit().unwrap();
    healthy(&other, 1);
}

#[test]
fn a_read_only_store_refuses_every_write_and_reads_on() {
    let (directory, db) = on_a_file();
    let web = db.namespace(HOME).unwrap().create(sample("web")).unwrap();
    drop(db);
    let path = directory.path().join("meta.redb");
    let bytes = std::fs::read(&path).unwrap();
    let db = Db::open_read_only(&path).unwrap();
    let home = db.namespace(HOME).unwrap();
    assert!(db.info().read_only);
    fails(home.create(sample("db")), ErrorKind::FailedPrecondition);
    fails(
        home.update(sample("web"), &FieldMask::full()),
        ErrorKind::FailedPrecondition,
    );
    fails(home.delete("web"), ErrorKind::FailedPrecondition);
    fails(
        db.create_namespace("away", Labels::new()),
        ErrorKind::FailedPrecondition,
    );
    fails(
        db.set_namespace_label(HOME, "a", "1"),
        ErrorKind::FailedPrecondition,
    );
    fails(db.delete_namespace(HOME), ErrorKind::FailedPrecondition);
    fails(db.begin_write(), ErrorKind::FailedPrecondition);
    assert_eq!(home.list(&Filters::all()).unwrap(), [web]);
    healthy(&db, 1);
    drop((home, db));
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

/// What the threads in `work` return.
fn in_parallel<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(count);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|number| {
                let (start, work) = (&start, &work);
                scope.spawn(move || {
                    start.wait();
                    work(number)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

#[test]
fn writes_of_32_threads_all_arrive_once_with_strictly_increasing_revisions() {
    const THREADS: usize = 32;
    const EACH: usize = 12;
    let (directory, db) = on_a_file();
    let home = db.namespace(HOME).unwrap();
    let written = in_parallel(THREADS, |thread| {
        let mut written = Vec::new();
        for turn in 0..EACH {
            let created = home.create(sample(&format!("c-{thread}-{turn}"))).unwrap();
            fails(home.create(sample(&created.id)), ErrorKind::AlreadyExists);
            written.push(created);
        }
        written
    });
    for own in &written {
        assert!(own.is_sorted_by(|a, b| a.revision < b.revision));
    }
    let mut expected: Vec<Container> = written.into_iter().flatten().collect();
    let revisions: BTreeSet<Revision> = expected.iter().map(|one| one.revision).collect();
    assert_eq!(revisions.len(), THREADS * EACH);
    expected.sort_by(|a, b| a.id.cmp(&b.id));
    drop((home, db));
    let db = Db::open(directory.path().join("meta.redb")).unwrap();
    let found = db.namespace(HOME).unwrap().list(&Filters::all()).unwrap();
    assert_eq!(found, expected);
    healthy(&db, (THREADS * EACH) as u64);
}

#[test]
fn one_of_many_threads_that_create_the_same_id_succeeds() {
    let db = Db::in_memory().unwrap();
    let home = db.namespace(HOME).unwrap();
    for round in 0..20 {
        let id = format!("c{round}");
        let results = in_parallel(8, |number| {
            home.create(sample(&id).label("thread", number.to_string()))
        });
        let created: Vec<Container> = results
            .into_iter()
            .filter_map(|result| match result {
                Ok(created) => Some(created),
                Err(error) => {
                    assert!(error.is_already_exists(), "{error}");
                    None
                }
            })
            .collect();
        assert_eq!(created, [home.get(&id).unwrap()]);
    }
    healthy(&db, 20);
}

#[test]
fn increments_by_update_if_count_exactly_those_that_succeeded() {
    const THREADS: usize = 8;
    const TRIES: usize = 40;
    let db = Db::in_memory().unwrap();
    let home = db.namespace(HOME).unwrap();
    home.create(sample("counter").label("n", "0")).unwrap();
    let mask = FieldMask::parse(["labels.n"]).unwrap();
    let successes = in_parallel(THREADS, |_| {
        let mut successes = 0;
        for _ in 0..TRIES {
            let seen = home.get("counter").unwrap();
            let next = seen.labels["n"].parse::<usize>().unwrap() + 1;
            let change = Container::with_id("counter").label("n", next.to_string());
            match home.update_if(seen.revision, change, &mask) {
                Ok(_) => successes += 1,
                Err(error) => assert!(error.is_failed_precondition(), "{error}"),
            }
        }
        successes
    });
    let total: usize = successes.iter().sum();
    assert!(total >= TRIES);
    assert_eq!(home.get("counter").unwrap().labels["n"], total.to_string());
}

#[test]
fn readers_see_each_transaction_completely_or_not_at_all() {
    const ROUNDS: usize = 60;
    let (_directory, db) = on_a_file();
    let pair = |round: usize| {
        ["left", "right"].map(|id| Container::with_id(id).label("round", round.to_string()))
    };
    db.write(|txn| {
        txn.namespace(HOME)?
            .create(sample("left").label("round", "0"))?;
        txn.namespace("away")?
            .create(sample("right").label("round", "0"))
    })
    .unwrap();
    let done = AtomicBool::new(false);
    let seen = Mutex::new(BTreeSet::new());
    let mask = FieldMask::parse(["labels.round"]).unwrap();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let snapshot = db.read().unwrap();
                    let round = |namespace, id| -> usize {
                        let container = snapshot.namespace(namespace).unwrap().get(id).unwrap();
                        container.labels["round"].parse().unwrap()
                    };
                    let (left, right) = (round(HOME, "left"), round("away", "right"));
                    assert_eq!(left, right, "half a transaction");
                    assert!(left >= last, "a snapshot older than the one before");
                    last = left;
                    seen.lock().unwrap().insert(left);
                }
            });
        }
        for round in 1..=ROUNDS {
            let [left, right] = pair(round);
            db.write(|txn| {
                txn.namespace(HOME)?.update(left, &mask)?;
                txn.namespace("away")?.update(right, &mask)
            })
            .unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(!seen.into_inner().unwrap().is_empty());
    healthy(&db, 2);
}

#[test]
fn a_listing_of_many_batches_is_of_one_moment_while_others_write() {
    const COUNT: usize = 200;
    let db = Db::in_memory().unwrap();
    let home = db.namespace(HOME).unwrap();
    for number in 0..COUNT {
        home.create(sample(&format!("c{number}"))).unwrap();
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // One goes and another comes in the same transaction: their number stays.
            for number in 0..100 {
                db.write(|txn| {
                    let inside = txn.namespace(HOME)?;
                    inside.delete(&format!("c{number}"))?;
                    inside.create(sample(&format!("z{number}")))
                })
                .unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        while !done.load(Ordering::Relaxed) {
            assert_eq!(home.query().headers().unwrap().len(), COUNT);
            assert_eq!(home.query().count().unwrap(), COUNT as u64);
        }
    });
    healthy(&db, COUNT as u64);
}

#[test]
fn single_writes_wait_for_a_transaction_of_another_thread_and_then_happen() {
    let db = Db::in_memory().unwrap();
    let home = db.namespace(HOME).unwrap();
    let begun = Barrier::new(2);
    thread::scope(|scope| {
        let txn = db.begin_write().unwrap();
        let waiting = scope.spawn(|| {
            begun.wait();
            home.create(sample("second")).unwrap().revision
        });
        begun.wait();
        let first = txn
            .namespace(HOME)
            .unwrap()
            .create(sample("first"))
            .unwrap();
        txn.commit().unwrap();
        assert!(waiting.join().unwrap() != first.revision);
    });
    holds(&db, HOME, &["first", "second"]);
    healthy(&db, 2);
}

#[test]
fn a_visitor_may_break_or_fail_and_its_panic_is_its_own() {
    let db = Db::in_memory().unwrap();
    let store = db.namespace("a").unwrap();
    for id in ["a", "b", "c"] {
        store.create(sample(id)).unwrap();
    }
    let snapshot = db.read().unwrap();
    let store = snapshot.namespace("a").unwrap();
    let mut seen = Vec::new();
    let visited = store.query().visit(|container| {
        seen.push(container.id);
        let is_last = seen.len() == 2;
        let goes_on = ControlFlow::Continue(());
        Ok::<_, Error>(if is_last {
            ControlFlow::Break(())
        } else {
            goes_on
        })
    });
    visited.unwrap();
    assert_eq!(seen, ["a", "b"]);
    #[derive(Debug, PartialEq)]
    enum Mine {
        Enough(String),
        Of(ErrorKind),
    }
    impl From<Error> for Mine {
        fn from(error: Error) -> Self {
            Self::Of(error.kind())
        }
    }
    let visited = store
        .query()
        .visit(|container| match container.id.as_str() {
            "b" => Err(Mine::Enough(container.id)),
            _ => Ok(ControlFlow::Continue(())),
        });
    assert_eq!(visited, Err(Mine::Enough("b".into())));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let visit = |_| -> Result<ControlFlow<()>> { std::panic::resume_unwind(Box::new("mine")) };
        store.query().visit(visit)
    }));
    assert_eq!(panicked.unwrap_err().downcast_ref::<&str>(), Some(&"mine"));
    assert_eq!(store.query().count().unwrap(), 3);
}

#[test]
fn a_clock_that_panics_is_no_damage_of_the_file() {
    let broken = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&broken);
    let db = Db::builder()
        .clock(move || {
            assert!(!seen.load(Ordering::SeqCst), "the clock is broken");
            chrono::Utc::now()
        })
        .in_memory()
        .unwrap();
    let home = db.namespace(HOME).unwrap();
    broken.store(true, Ordering::SeqCst);
    let panic = quietly(|| home.create(sample("web"))).unwrap_err();
    assert!(panic.contains("the clock is broken"), "{panic}");
    broken.store(false, Ordering::SeqCst);
    home.create(sample("web")).unwrap();
}
