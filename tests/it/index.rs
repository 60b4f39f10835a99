//! The index in memory finds what a scan finds, whatever happens meanwhile.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use bayplan::{Any, Container, Db, FieldMask, Filters, Namespace, Runtime, Store};
use proptest::prelude::*;

fn container(id: &str) -> Container {
    Container::new(id, Runtime::new("runc"), Any::new("spec", b"{}"))
}

fn filters(texts: &[&str]) -> Filters {
    Filters::parse(texts).unwrap()
}

/// What a snapshot's index finds, and what reading everything finds: a write transaction has no
/// index.
#[track_caller]
fn assert_found_alike(db: &Db, namespace: &str, texts: &[&str]) -> usize {
    let filters = filters(texts);
    let by_index = db
        .read()
        .unwrap()
        .namespace(namespace)
        .unwrap()
        .query()
        .filter(&filters)
        .ids()
        .unwrap();
    let txn = db.begin_write().unwrap();
    let by_scan = txn
        .namespace(namespace)
        .unwrap()
        .query()
        .filter(&filters)
        .ids()
        .unwrap();
    assert_eq!(by_index, by_scan, "{texts:?}");
    by_scan.len()
}

fn fill(store: &Namespace, count: usize) {
    for number in 0..count {
        let container = container(&format!("c{number:04}"))
            .label("shard", (number % 50).to_string())
            .label("all", "yes")
            .image(format!("image-{}", number % 40))
            .sandbox(format!("pod-{}", number / 2));
        store.create(container).unwrap();
    }
}

#[test]
fn every_kind_of_question_gets_the_answer_of_a_scan() {
    let db = Db::in_memory().unwrap();
    fill(&db.namespace("a").unwrap(), 200);
    fill(&db.namespace("b").unwrap(), 100);
    for (texts, count) in [
        (&["labels.shard==7"][..], 4),
        (&["labels.shard==7", "labels.shard==8"], 8),
        (&["labels.shard==7,image==image-7"], 1),
        (&["labels.shard==7,image!=image-7"], 3),
        (&["sandboxid==pod-3"], 2),
        (&["sandboxid==pod-3", "id==c0190"], 3),
        (&["labels.all==yes"], 200),
        (&["labels.all"], 200),
        (&["labels.none"], 0),
        (&["labels.shard==none"], 0),
        (&["labels.shard==7", "labels.shard!=7"], 200),
        (&["runtime.name==runc,labels.shard==3"], 4),
        (&["labels.shard~=^7$"], 4),
        (&["labels.shard~=^[78]$"], 8),
        (&["labels.shard~=7,labels.all"], 20),
        (&["labels.shard~=7,image~=^image-7$"], 5),
        (&["image~=-7$", "sandboxid~=\"^pod-3$\""], 6),
        (&["labels.shard~=x*"], 200),
        (&[""], 200),
        (&["labels.shard==\"\""], 0),
    ] {
        assert_eq!(assert_found_alike(&db, "a", texts), count, "{texts:?}");
    }
    assert_eq!(assert_found_alike(&db, "b", &["labels.shard==7"]), 2);
    assert_eq!(assert_found_alike(&db, "nowhere", &["labels.shard==7"]), 0);
}

#[test]
fn an_old_snapshot_finds_what_was_there_when_it_was_taken() {
    let db = Db::in_memory().unwrap();
    let store = db.namespace("a").unwrap();
    fill(&store, 100);
    let filters = filters(&["labels.shard==7"]);
    let before = db.read().unwrap();
    assert_eq!(
        before
            .namespace("a")
            .unwrap()
            .query()
            .filter(&filters)
            .ids()
            .unwrap(),
        ["c0007", "c0057"]
    );
    store.delete("c0007").unwrap();
    let mask = FieldMask::parse(["labels.shard"]).unwrap();
    store
        .update(Container::with_id("c0001").label("shard", "7"), &mask)
        .unwrap();
    assert_eq!(
        before
            .namespace("a")
            .unwrap()
            .query()
            .filter(&filters)
            .ids()
            .unwrap(),
        ["c0007", "c0057"]
    );
    assert_eq!(
        store.query().filter(&filters).ids().unwrap(),
        ["c0001", "c0057"]
    );
}

#[test]
fn a_transaction_that_is_rolled_back_leaves_the_index_alone() {
    let db = Db::in_memory().unwrap();
    fill(&db.namespace("a").unwrap(), 100);
    assert_found_alike(&db, "a", &["labels.shard==7"]);
    let txn = db.begin_write().unwrap();
    txn.namespace("a").unwrap().delete("c0007").unwrap();
    txn.namespace("a")
        .unwrap()
        .create(container("new").label("shard", "7"))
        .unwrap();
    drop(txn);
    assert_eq!(assert_found_alike(&db, "a", &["labels.shard==7"]), 2);
}

#[test]
fn an_index_that_is_too_large_or_switched_off_changes_no_answer() {
    for bytes in [0, 1, 10_000] {
        let db = Db::builder().index_bytes(bytes).in_memory().unwrap();
        fill(&db.namespace("a").unwrap(), 100);
        assert_eq!(assert_found_alike(&db, "a", &["labels.shard==7"]), 2);
        fill(&db.namespace("b").unwrap(), 100);
        assert_eq!(assert_found_alike(&db, "a", &["labels.shard==7"]), 2);
    }
}

#[test]
fn a_large_transaction_changes_no_answer() {
    let db = Db::in_memory().unwrap();
    fill(&db.namespace("a").unwrap(), 100);
    assert_found_alike(&db, "a", &["labels.shard==7"]);
    db.write(|txn| -> bayplan::Result<()> {
        let store = txn.namespace("b")?;
        for number in 0..17_000 {
            store.create(container(&format!("c{number}")).label("shard", number.to_string()))?;
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(assert_found_alike(&db, "b", &["labels.shard==7"]), 1);
    assert_eq!(assert_found_alike(&db, "a", &["labels.shard==7"]), 2);
}

#[test]
fn the_index_is_right_in_every_snapshot_while_writers_run() {
    const IDS: usize = 60;
    const ROUNDS: usize = 400;
    let directory = tempfile::tempdir().unwrap();
    let db = Db::create(directory.path().join("meta.redb")).unwrap();
    let store = db.namespace("a").unwrap();
    fill(&store, IDS);
    let done = AtomicBool::new(false);
    let found = AtomicUsize::new(0);
    let wanted = filters(&["labels.shard==7"]);
    thread::scope(|scope| {
        for writer in 0..2 {
            let (store, done) = (&store, &done);
            scope.spawn(move || {
                let mask = FieldMask::parse(["labels.shard"]).unwrap();
                for round in 0..ROUNDS {
                    let id = format!("c{:04}", (round * 7 + writer * 31) % IDS);
                    let shard = ((round + writer) % 8).to_string();
                    let change = Container::with_id(id.as_str()).label("shard", shard.as_str());
                    if round % 5 == 4 {
                        let _ = store.delete(&id);
                    } else if store.update(change, &mask).is_err() {
                        let _ = store.create(container(&id).label("shard", shard));
                    }
                }
                done.store(true, Ordering::Release);
            });
        }
        for _ in 0..2 {
            let (db, done, found, wanted) = (&db, &done, &found, &wanted);
            scope.spawn(move || {
                while !done.load(Ordering::Acquire) {
                    let snapshot = db.read().unwrap();
                    let store = snapshot.namespace("a").unwrap();
                    let by_index = store.query().filter(wanted).ids().unwrap();
                    let all = store.query().headers().unwrap();
                    let by_scan: Vec<String> = all
                        .into_iter()
                        .filter(|header| header.labels.get("shard").is_some_and(|it| it == "7"))
                        .map(|header| header.id)
                        .collect();
                    assert_eq!(by_index, by_scan);
                    found.fetch_add(by_index.len(), Ordering::Relaxed);
                }
            });
        }
    });
    assert!(found.load(Ordering::Relaxed) > 0);
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, u8, u8),
    Delete(u8),
    RolledBack(u8, u8),
    Ask(u8, u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..24u8, 0..6u8, 0..4u8).prop_map(|(id, shard, image)| Step::Put(id, shard, image)),
        (0..24u8).prop_map(Step::Delete),
        (0..24u8, 0..6u8).prop_map(|(id, shard)| Step::RolledBack(id, shard)),
        (0..6u8, 0..4u8).prop_map(|(shard, image)| Step::Ask(shard, image)),
    ];
    proptest::collection::vec(step, 1..60)
}

fn put(store: &dyn Store, id: u8, shard: u8, image: u8) {
    let new = container(&format!("c{id}"))
        .label("shard", shard.to_string())
        .image(format!("image-{image}"));
    let _ = store.delete(&new.id);
    store.create(new).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn index_and_scan_agree_after_any_history(steps in steps()) {
        let db = Db::in_memory().unwrap();
        let store = db.namespace("a").unwrap();
        for step in steps {
            match step {
                Step::Put(id, shard, image) => put(&store, id, shard, image),
                Step::Delete(id) => { let _ = store.delete(&format!("c{id}")); }
                Step::RolledBack(id, shard) => {
                    let txn = db.begin_write().unwrap();
                    put(&txn.namespace("a").unwrap(), id, shard, 0);
                    txn.abort().unwrap();
                }
                Step::Ask(shard, image) => {
                    let shard = format!("labels.shard=={shard}");
                    let image = format!("image==image-{image}");
                    assert_found_alike(&db, "a", &[&shard]);
                    assert_found_alike(&db, "a", &[&shard, &image]);
                    assert_found_alike(&db, "a", &[&format!("{shard},{image}")]);
                    assert_found_alike(&db, "a", &["labels.shard", &image]);
                    assert_found_alike(&db, "a", &["labels.shard~=^[12]$", "image~=-3$"]);
                }
            }
        }
    }
}

#[test]
fn commits_of_transactions_and_of_single_operations_reach_the_index_in_their_order() {
    const THREADS: usize = 8;
    let db = Db::in_memory().unwrap();
    let store = db.namespace("a").unwrap();
    fill(&store, 100);
    let mask = FieldMask::parse(["labels.shard"]).unwrap();
    let change = |shard: usize| Container::with_id("c0001").label("shard", shard.to_string());
    for _ in 0..200 {
        thread::scope(|scope| {
            for shard in 0..THREADS {
                let (db, store, mask) = (&db, &store, &mask);
                scope.spawn(move || {
                    for _ in 0..5 {
                        let change = change(shard);
                        if shard % 2 == 0 {
                            store.update(change, mask).unwrap();
                        } else {
                            db.write(|txn| txn.namespace("a")?.update(change, mask))
                                .unwrap();
                        }
                    }
                });
            }
        });
        for shard in 0..THREADS {
            assert_found_alike(&db, "a", &[&format!("labels.shard=={shard}")]);
        }
    }
}
