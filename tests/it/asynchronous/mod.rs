//! The store in async code: the same laws, and what only async code can do to it.

mod adapter;

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bayplan::{
    Any, AsyncDb, AsyncNamespace, Container, Db, Detail, Error, ErrorKind, Filters, Position,
    Resource, Result, Rules, Runtime, Subject,
};
use bayplan_conformance as conformance;
use tokio::runtime::Runtime as Tokio;

use self::adapter::OfAsync;

fn container(id: &str) -> Container {
    Container::new(id, Runtime::new("runc"), Any::new("spec", b"{}"))
}

/// A runtime with so many threads for blocking work.
fn tokio_with(blocking_threads: usize) -> Tokio {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(blocking_threads)
        .enable_time()
        .build()
        .unwrap()
}

#[test]
fn the_async_operations_keep_all_laws() {
    for rules in [Rules::Strict, Rules::Containerd2] {
        for keep_empty_labels in [false, true] {
            let builder = Db::builder()
                .rules(rules)
                .keep_empty_labels(keep_empty_labels);
            let report = conformance::run(|| OfAsync::new(builder.in_memory().unwrap()));
            assert!(report.is_clean(), "{report}");
            assert!(report.tried() > 100);
        }
    }
}

#[test]
fn a_write_that_is_cancelled_at_any_moment_is_done_as_a_whole_or_not_at_all() {
    const WRITES: usize = 400;
    let directory = tempfile::tempdir().unwrap();
    let db = Db::create(directory.path().join("meta.redb")).unwrap();
    // Few threads, so that some writes are cancelled before they begin.
    let tokio = tokio_with(4);
    let acknowledged: BTreeSet<usize> = tokio.block_on(async {
        let db = AsyncDb::from(db.clone());
        let mut tasks = Vec::new();
        for number in 0..WRITES {
            let db = db.clone();
            tasks.push(tokio::spawn(async move {
                let pair = db.write(move |txn| -> Result<()> {
                    let store = txn.namespace("n")?;
                    store.create(container(&format!("a{number}")))?;
                    std::thread::yield_now();
                    store.create(container(&format!("b{number}")))?;
                    Ok(())
                });
                // A spread of patience, from none to enough.
                let patience = Duration::from_micros((number * number * 7 % 60_000) as u64);
                match tokio::time::timeout(patience, pair).await {
                    Ok(done) => done.map(|()| Some(number)),
                    Err(_) => Ok(None),
                }
            }));
        }
        let mut acknowledged = BTreeSet::new();
        for task in tasks {
            acknowledged.extend(task.await.unwrap().unwrap());
        }
        acknowledged
    });
    drop(tokio);
    let store = db.namespace("n").unwrap();
    let ids = store.query().ids().unwrap();
    let of = |letter: &str| -> BTreeSet<usize> {
        let numbers = ids.iter().filter_map(|id| id.strip_prefix(letter));
        numbers.map(|number| number.parse().unwrap()).collect()
    };
    assert_eq!(of("a"), of("b"));
    assert!(of("a").is_superset(&acknowledged));
    assert!(!acknowledged.is_empty());
    assert!(of("a").len() < WRITES, "nothing was cancelled in time");
    assert!(db.check().unwrap().is_healthy());
}

#[test]
fn a_write_that_nobody_awaits_any_more_runs_to_its_end() {
    let db = Db::in_memory().unwrap();
    let tokio = tokio_with(1);
    let (started, is_started) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    tokio.block_on(async {
        let db = AsyncDb::from(db.clone());
        let writing = tokio::spawn(async move {
            db.write(move |txn| -> Result<()> {
                started.send(()).unwrap();
                may_go.recv().unwrap();
                txn.namespace("n")?.create(container("web")).map(drop)
            })
            .await
        });
        tokio::task::spawn_blocking(|| ()).abort();
        is_started.recv().unwrap();
        writing.abort();
        assert!(writing.await.unwrap_err().is_cancelled());
    });
    go.send(()).unwrap();
    drop(tokio);
    assert!(db.namespace("n").unwrap().find("web").unwrap().is_some());
}

/// What a future comes to by one poll.
fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_runtime_that_is_shut_down_cancels_what_has_not_begun_and_ends_what_has() {
    let db = Db::in_memory().unwrap();
    let store = AsyncDb::from(db.clone()).namespace("n").unwrap();
    let tokio = tokio_with(1);
    let (started, is_started) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let (ended, is_ended) = mpsc::channel();
    let running = AsyncDb::from(db.clone());
    tokio.spawn(async move {
        running
            .write(move |txn| -> Result<()> {
                started.send(()).unwrap();
                may_go.recv().unwrap();
                txn.namespace("n")?.create(container("begun"))?;
                ended.send(()).unwrap();
                Ok(())
            })
            .await
    });
    is_started.recv().unwrap();
    // It waits for the one thread, which may run it or not after what it is running.
    let mut waiting = pin!(store.create(container("waiting")));
    {
        let _inside = tokio.enter();
        assert!(poll_once(waiting.as_mut()).is_pending());
    }
    let after_its_end = tokio.handle().clone();
    tokio.shutdown_background();
    let late = {
        let _inside = after_its_end.enter();
        poll_once(pin!(store.create(container("late"))))
    };
    go.send(()).unwrap();
    is_ended.recv().unwrap();
    let Poll::Ready(Err(error)) = late else {
        panic!("a runtime that was shut down ran {late:?}");
    };
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(
        error.to_string(),
        "create container \"late\" in namespace \"n\": the tokio runtime was shut down before it \
         began: nothing was done"
    );
    assert!(std::error::Error::source(&error).is_some());
    let is_waiting_done = match tokio_with(1).block_on(waiting) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Cancelled);
            false
        }
    };
    // The next writer waits for the commit of the one that was running.
    let blocking = db.namespace("n").unwrap();
    blocking.create(container("after")).unwrap();
    let mut expected = vec!["after", "begun"];
    expected.extend(is_waiting_done.then_some("waiting"));
    assert_eq!(blocking.query().ids().unwrap(), expected);
}

#[test]
fn outside_of_a_runtime_every_operation_is_an_error() {
    let store = AsyncDb::from(Db::in_memory().unwrap())
        .namespace("n")
        .unwrap();
    let error = match poll_once(pin!(store.get("web"))) {
        Poll::Ready(found) => found.unwrap_err(),
        Poll::Pending => panic!("it waits for nobody"),
    };
    assert!(error.is_failed_precondition());
    assert_eq!(
        error.to_string(),
        "get container \"web\" in namespace \"n\": this thread is not in a tokio runtime"
    );
}

#[tokio::test]
async fn a_closure_that_panics_does_so_where_it_is_awaited_and_is_rolled_back() {
    let db = AsyncDb::from(Db::in_memory().unwrap());
    let within = db.clone();
    let task = tokio::spawn(async move {
        within
            .write(|txn| -> Result<()> {
                txn.namespace("n")?.create(container("web"))?;
                panic!("of the caller");
            })
            .await
    });
    let panic = task.await.unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref(), Some(&"of the caller"));
    let store = db.namespace("n").unwrap();
    assert!(store.find("web").await.unwrap().is_none());
    store.create(container("web")).await.unwrap();
}

#[tokio::test]
async fn an_error_keeps_its_context_and_the_callers_own_type() {
    #[derive(Debug)]
    enum Own {
        OfStore(Error),
        Mine,
    }
    impl From<Error> for Own {
        fn from(error: Error) -> Self {
            Self::OfStore(error)
        }
    }
    let db = AsyncDb::from(Db::in_memory().unwrap());
    let mine = db.write(|_| Err::<(), _>(Own::Mine)).await;
    assert!(matches!(mine, Err(Own::Mine)));
    let missing = db.read(|txn| -> Result<Container, Own> { Ok(txn.namespace("n")?.get("web")?) });
    let Err(Own::OfStore(error)) = missing.await else {
        panic!("it is missing");
    };
    assert!(error.is_not_found());
    assert_eq!(error.id(), Some("web"));
}

/// So many containers whose specs have so many bytes.
async fn filled(store: &AsyncNamespace, count: usize, spec_bytes: usize) {
    for number in 0..count {
        let mut new = container(&format!("c{number:04}"));
        new.spec = Some(Any::new("spec", vec![b'x'; spec_bytes]));
        store.create(new).await.unwrap();
    }
}

#[test]
fn a_stream_that_waits_for_its_reader_takes_no_thread_and_goes_on_from_the_newest_snapshot() {
    tokio_with(1).block_on(async {
        let db = AsyncDb::from(Db::in_memory().unwrap());
        let store = db.namespace("n").unwrap();
        filled(&store, 40, 64 * 1024).await;
        let snapshot = db.snapshot().await.unwrap();
        let mut newest = store.query().stream();
        let mut fixed = snapshot.namespace("n").unwrap().query().stream();
        for stream in [&mut newest, &mut fixed] {
            assert_eq!(stream.next().await.unwrap().unwrap().id, "c0000");
        }
        // Both have read a page. Everything else still runs, on the only thread.
        store.set_label("c0039", "seen", "1").await.unwrap();
        store.delete("c0038").await.unwrap();
        store.create(container("c0040")).await.unwrap();
        let last = |all: Vec<Container>| -> Vec<(String, usize)> {
            let last = all.into_iter().filter(|one| *one.id > *"c0037");
            last.map(|one| (one.id, one.labels.len())).collect()
        };
        let newest = newest.collect().await.unwrap();
        assert_eq!(last(newest), [("c0039".into(), 1), ("c0040".into(), 0)]);
        let fixed = fixed.collect().await.unwrap();
        assert_eq!(fixed.len(), 39);
        assert_eq!(last(fixed), [("c0038".into(), 0), ("c0039".into(), 0)]);
    });
}

#[test]
fn a_stream_finds_what_a_listing_finds_whatever_the_page() {
    tokio_with(2).block_on(async {
        let db = AsyncDb::from(Db::in_memory().unwrap());
        let store = db.namespace("n").unwrap();
        db.write(|txn| -> Result<()> {
            let store = txn.namespace("n")?;
            for number in 0..600 {
                let new = container(&format!("c{number:04}"));
                store.create(new.label("odd", (number % 2).to_string()))?;
            }
            Ok(())
        })
        .await
        .unwrap();
        let odd = Filters::parse(["labels.odd==1"]).unwrap();
        for (after, limit) in [
            (None, None),
            (Some("c0255"), None),
            (Some("c0598"), None),
            (Some("c0599"), None),
            (None, Some(0)),
            (None, Some(255)),
            (None, Some(256)),
            (None, Some(257)),
            (Some("c0010"), Some(512)),
        ] {
            for filters in [&Filters::all(), &odd] {
                let query = || {
                    let mut query = store.query().filter(filters);
                    if let Some(after) = after {
                        query = query.after(after);
                    }
                    match limit {
                        Some(limit) => query.limit(limit),
                        None => query,
                    }
                };
                let listed = query().list().await.unwrap();
                let ids: Vec<String> = listed.iter().map(|one| one.id.clone()).collect();
                assert_eq!(query().stream().collect().await.unwrap(), listed);
                assert_eq!(query().stream_ids().collect().await.unwrap(), ids);
                assert_eq!(
                    query().stream_headers().collect().await.unwrap(),
                    query().headers().await.unwrap()
                );
            }
        }
    });
}

#[test]
fn dropping_a_stream_or_a_read_of_it_loses_nothing() {
    tokio_with(1).block_on(async {
        let db = AsyncDb::from(Db::in_memory().unwrap());
        let store = db.namespace("n").unwrap();
        filled(&store, 10, 64 * 1024).await;
        let mut ids = Vec::new();
        let mut stream = store.query().stream();
        loop {
            // Most of these are dropped before they are ready.
            let next = tokio::time::timeout(Duration::from_micros(20), stream.next());
            match next.await {
                Ok(Some(item)) => ids.push(item.unwrap().id),
                Ok(None) => break,
                Err(_) => tokio::task::yield_now().await,
            }
        }
        assert_eq!(ids, store.query().ids().await.unwrap());
        // A page may still be read for it: the next operation waits for the one thread.
        let mut stream = store.query().stream();
        assert!(poll_once(pin!(stream.next())).is_pending());
        drop(stream);
        assert_eq!(store.query().count().await.unwrap(), 10);
    });
}

#[tokio::test]
async fn many_tasks_write_at_the_same_time() {
    let directory = tempfile::tempdir().unwrap();
    let db = AsyncDb::create(directory.path().join("meta.redb"))
        .await
        .unwrap();
    let store = db.namespace("n").unwrap();
    let first = store.create(container("first")).await.unwrap().revision;
    let tasks: Vec<_> = (0..64)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.create(container(&format!("c{number}"))).await })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap().unwrap().revision > first);
    }
    assert_eq!(store.query().count().await.unwrap(), 65);
    drop(store);
    db.close().await.unwrap();
}

#[tokio::test]
async fn pins_namespaces_and_everything_else_can_be_awaited() {
    let db = AsyncDb::from(Db::in_memory().unwrap());
    let store = db.namespace("n").unwrap();
    store.create(container("web").image("nginx")).await.unwrap();
    let nginx = Resource::Image {
        name: "nginx".into(),
    };
    let pins = store.pins().await.unwrap();
    assert_eq!(pins, store.holders_of(&nginx).await.unwrap());
    assert_eq!(pins.len(), 1);
    let value = Any::new("state", b"{}");
    let web = store.set_extension("web", "state", value).await.unwrap();
    assert_eq!(web.extensions.len(), 1);
    let headers = store.query().with_extensions(["state"]);
    let headers = headers.stream_headers().collect().await.unwrap();
    assert_eq!(headers[0].extensions.len(), 1);
    db.checkpoint().await.unwrap();
    assert!(db.run(|db| db.check()).await.unwrap().is_healthy());
    assert_eq!(db.info().id, db.db().info().id);
}

#[test]
fn changes_are_awaited_and_none_is_lost_when_a_future_is_dropped() {
    const COUNT: usize = 200;
    let tokio = tokio_with(8);
    tokio.block_on(async {
        let db = AsyncDb::from(Db::in_memory().unwrap());
        let mut changes = db.subscribe(Position::START, Detail::Id).await.unwrap();
        let writer = tokio::spawn({
            let db = db.clone();
            async move {
                let store = db.namespace("n").unwrap();
                for number in 0..COUNT {
                    store
                        .create(container(&format!("c{number:03}")))
                        .await
                        .unwrap();
                }
            }
        });
        let mut told = Vec::new();
        while told.len() < COUNT {
            // Often too short for a change.
            let time = Duration::from_micros(told.len() as u64 % 7 * 300);
            let Ok(change) = tokio::time::timeout(time, changes.next()).await else {
                continue;
            };
            let change = change.unwrap().unwrap();
            assert_eq!(changes.position(), change.position);
            if let Subject::Container { id, .. } = change.subject {
                told.push(id);
            }
        }
        writer.await.unwrap();
        assert!(told.is_sorted() && told.len() == COUNT);
        db.close().await.unwrap();
        assert!(changes.next().await.unwrap().unwrap_err().is_unavailable());
        assert!(changes.next().await.is_none());
    });
}

#[test]
fn a_runtime_shuts_down_though_somebody_waits_for_a_change() {
    let tokio = tokio_with(4);
    let db = AsyncDb::from(Db::in_memory().unwrap());
    let mut changes = tokio
        .block_on(db.subscribe(Position::START, Detail::Id))
        .unwrap();
    tokio.block_on(async {
        let waiting = tokio::time::timeout(Duration::from_millis(20), changes.next());
        assert!(waiting.await.is_err());
    });
    drop(tokio);
    assert!(
        db.db()
            .namespace("n")
            .unwrap()
            .create(container("a"))
            .is_ok()
    );
}
