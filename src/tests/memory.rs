//! The records in memory are those in the file, in every snapshot, whatever happens meanwhile.

use std::fmt::Debug;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use bayplan::{
    Any, Container, FieldMask, Filter, Filters, Namespace, Record, Result, Runtime, Store,
};
use proptest::prelude::*;
use redb::{ReadableTable, TableDefinition};

use crate::api::db::Db;
use crate::model::identifier::NamespaceName;
use crate::model::kind::Kind;
use crate::query::{Scope, Shape};
use crate::session::txn::ReadTxn;

fn container(id: &str) -> Container {
    Container::new(id, Runtime::new("runc"), Any::new("spec", b"{}"))
}

fn filters(texts: &[&str]) -> Filters {
    Filters::parse(texts).unwrap()
}

/// Lists until everything is kept in memory.
#[track_caller]
fn load(db: &Db) {
    for _ in 0..3 {
        for name in db.list_namespaces().unwrap() {
            db.namespace(name.as_str()).unwrap().query().ids().unwrap();
        }
    }
    assert!(is_kept(db));
}

fn is_kept(db: &Db) -> bool {
    db.stats().unwrap().memory_bytes > 0
}

/// Finds what the file has in a snapshot, by looking at every record.
fn in_file<T: Shape + 'static>(
    txn: &ReadTxn,
    name: &NamespaceName,
    kind: &Kind,
    filters: &Filters,
) -> Vec<T> {
    let scope = Scope {
        filters: filters.clone(),
        ..Scope::all(name, kind)
    };
    let found = txn.traverse_stored(scope);
    found.map(|item| item.unwrap().unwrap()).collect()
}

/// Checks that a snapshot and a transaction find what the file has. Returns how much that is.
#[track_caller]
fn assert_found_alike(db: &Db, namespace: &str, texts: &[&str]) -> usize {
    let filters = filters(texts);
    let txn = db.read().unwrap();
    let name = NamespaceName::new(namespace).unwrap();
    let expected: Vec<Container> = in_file(&txn, &name, &Kind::CONTAINERS, &filters);
    let ids: Vec<&str> = expected.iter().map(|found| found.id.as_str()).collect();
    let store = txn.namespace(namespace).unwrap();
    let query = || store.query().filter(&filters);
    assert_eq!(query().list().unwrap(), expected, "{texts:?}");
    assert_eq!(query().ids().unwrap(), ids, "{texts:?}");
    assert_eq!(query().count().unwrap(), ids.len() as u64, "{texts:?}");
    let mut paged: Vec<String> = Vec::new();
    loop {
        let after = paged.last().cloned().unwrap_or_default();
        let page = query().after(after).limit(7).ids().unwrap();
        let is_last = page.len() < 7;
        paged.extend(page);
        if is_last {
            break;
        }
    }
    assert_eq!(paged, ids, "{texts:?}");
    let txn = db.begin_write().unwrap();
    let store = txn.namespace(namespace).unwrap();
    assert_eq!(
        store.query().filter(&filters).list().unwrap(),
        expected,
        "{texts:?}"
    );
    expected.len()
}

/// Checks that a snapshot returns every record of the file, listed and looked up.
#[track_caller]
fn assert_delivers_the_file(txn: &ReadTxn) {
    for name in txn.namespaces().unwrap() {
        let store = txn.namespace(name.as_str()).unwrap();
        for kind in txn.kinds(&name).unwrap() {
            if let Some(collection) = kind.of_collection() {
                let all: Vec<Record> = in_file(txn, &name, &kind, &Filters::all());
                let records = store.records(collection).unwrap();
                assert_eq!(records.query().list().unwrap(), all);
                for record in all {
                    assert_eq!(records.get(&record.id).unwrap(), record);
                }
            } else {
                let all: Vec<Container> = in_file(txn, &name, &kind, &Filters::all());
                assert_eq!(store.query().list().unwrap(), all);
                for container in all {
                    assert_eq!(store.get(&container.id).unwrap(), container);
                }
            }
        }
    }
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
    let records = db.namespace("a").unwrap().records("images").unwrap();
    for number in 0..100 {
        let image = Record::new(
            format!("i{number}"),
            Any::new(format!("t{}", number % 50), b""),
        );
        records.create(image.label("shard", "7")).unwrap();
    }
    load(&db);
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
    let of_type = records
        .query()
        .filter(&filters(&["type==t7"]))
        .ids()
        .unwrap();
    assert_eq!(of_type, ["i57", "i7"]);
    assert_delivers_the_file(&db.read().unwrap());
}

/// Such an id names nothing, and is the beginning of others.
#[test]
fn a_filter_on_an_id_that_none_can_be_repeats_and_misses_nothing() {
    let db = Db::in_memory().unwrap();
    let store = db.namespace("a").unwrap();
    for number in 0..2_000 {
        let container = container(&format!("c{number:04}"));
        let tenth = if number % 10 == 0 { "yes" } else { "no" };
        store.create(container.label("tenth", tenth)).unwrap();
    }
    load(&db);
    for id in ["zz\0a", "zz\0c0315", "c0315\0", "\0", ""] {
        let filters = Filters::any([Filter::label("tenth").eq("yes"), Filter::id().eq(id)]);
        let found = store.query().filter(&filters).ids().unwrap();
        assert_eq!(found.len(), 200, "{id:?}");
        assert!(found.is_sorted());
    }
}

#[test]
fn presence_and_regular_expressions_are_answered_page_by_page_as_at_once() {
    let db = Db::in_memory().unwrap();
    let store = db.namespace("a").unwrap();
    for number in 0..4_000 {
        let mut container = container(&format!("c{number:04}")).label("all", number.to_string());
        if number % 9 == 0 {
            container = container.label("some", number.to_string());
        }
        store.create(container).unwrap();
    }
    load(&db);
    for (text, count) in [
        ("labels.some", 445),
        ("labels.some~=7$", 45),
        ("labels.all~=^77", 11),
        ("labels.some,labels.all~=^3", 123),
    ] {
        assert_eq!(assert_found_alike(&db, "a", &[text]), count, "{text}");
    }
}

const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

/// Returns what users see of a store, damaged or not. Writes at the end.
fn seen(db: &Db) -> Vec<String> {
    fn shown<T: Debug>(seen: &mut Vec<String>, result: Result<T>) {
        seen.push(match result {
            Ok(found) => format!("{found:?}"),
            Err(error) => format!("{error:#}"),
        });
    }
    let mut seen = Vec::new();
    let store = db.namespace("a").unwrap();
    let records = store.records("images").unwrap();
    for _ in 0..3 {
        shown(&mut seen, store.query().ids());
        shown(&mut seen, store.query().headers());
        shown(&mut seen, store.query().list());
        shown(&mut seen, store.query().lenient());
        shown(&mut seen, store.query().lenient_headers());
        shown(&mut seen, records.query().list());
        for text in [
            "labels.shard==5",
            "labels.shard",
            "labels.shard~=5$",
            "id==c0005",
            "id!=x",
        ] {
            shown(&mut seen, store.query().filter(&filters(&[text])).ids());
        }
        for number in 4..7 {
            shown(&mut seen, store.get(&format!("c{number:04}")));
        }
        shown(&mut seen, records.get("i5"));
    }
    seen
}

/// Returns the results of writes to one container, and what is seen after each.
fn written(db: &Db) -> Vec<String> {
    let store = db.namespace("a").unwrap();
    let outcome =
        |result: Result<()>| result.map_or_else(|error| format!("{error:#}"), |()| "done".into());
    let label = Container::with_id("c0005").label("new", "1");
    let mask = FieldMask::parse(["labels.new"]).unwrap();
    let mut all = vec![outcome(store.create(container("c0005")).map(drop))];
    all.push(outcome(store.update(label, &mask).map(drop)));
    all.push(outcome(store.put(container("c0005")).map(drop)));
    all.push(outcome(store.delete("c0005")));
    all.push(format!(
        "{:?}",
        store
            .query()
            .lenient_headers()
            .map(|found| found.damaged.len())
    ));
    all.push(outcome(store.create(container("c0005")).map(drop)));
    all.push(format!("{:?}", store.query().ids()));
    all
}

/// Damage is reported as if nothing were kept in memory. Damage of one record affects no other.
#[test]
fn a_damaged_store_is_the_same_from_memory_and_from_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let base = directory.path().join("base.redb");
    let clock = || chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let db = Db::builder().clock(clock).create(&base).unwrap();
    fill(&db.namespace("a").unwrap(), 40);
    fill(&db.namespace("b").unwrap(), 3);
    let images = db.namespace("a").unwrap().records("images").unwrap();
    for number in 0..9 {
        let image = Record::new(format!("i{number}"), Any::new("t", b"{}"));
        images.create(image.label("a", "b")).unwrap();
    }
    drop(images);
    db.close().unwrap();
    let flip = |key: &'static [u8]| (key, None);
    for (key, value) in [
        (&b"a"[..], Some(&b"stray"[..])),
        (b"a\0containers", Some(b"stray")),
        (b"a\0containers\0c0005\0q", Some(b"unknown part")),
        (
            b"a\0containers\0c0005x\0l",
            Some(b"without a row of its own"),
        ),
        (b"a\0containers\0\xff\xff", Some(b"no id")),
        flip(b"a\0containers\0c0005"),
        flip(b"a\0containers\0c0005\0l"),
        flip(b"a\0containers\0c0005\0s"),
        flip(b"a\0images\0i5"),
        flip(b"a\0images\0i5\0s"),
    ] {
        let path = directory.path().join("meta.redb");
        let damaged = || {
            std::fs::copy(&base, &path).unwrap();
            let db = redb::Database::open(&path).unwrap();
            let txn = db.begin_write().unwrap();
            {
                let mut table = txn.open_table(RECORDS).unwrap();
                let mut new = match value {
                    Some(value) => value.to_vec(),
                    None => table.get(key).unwrap().unwrap().value().to_vec(),
                };
                if let (None, Some(last)) = (value, new.last_mut()) {
                    *last ^= 1;
                }
                table.insert(key, new.as_slice()).unwrap();
            }
            txn.commit().unwrap();
        };
        let open = |bytes| {
            Db::builder()
                .clock(clock)
                .memory_bytes(bytes)
                .open(&path)
                .unwrap()
        };
        damaged();
        let db = open(0);
        let (from_file, writes_of_file) = (seen(&db), written(&db));
        drop(db);
        damaged();
        let db = open(1 << 20);
        let what = String::from_utf8_lossy(key);
        assert_eq!(seen(&db), from_file, "{what}");
        assert!(db.read().unwrap().shared().memory_bytes() > 0, "{what}");
        assert_eq!(seen(&db), from_file, "{what}");
        assert_eq!(written(&db), writes_of_file, "{what}");
    }
}

#[test]
fn what_is_read_once_is_not_kept_and_what_is_read_again_is() {
    let db = Db::in_memory().unwrap();
    let store = db.namespace("a").unwrap();
    fill(&store, 100);
    assert_eq!(store.query().count().unwrap(), 100);
    assert!(
        !is_kept(&db),
        "a process that lists once need not pay for it"
    );
    assert_eq!(store.query().count().unwrap(), 100);
    assert_eq!(store.query().count().unwrap(), 100);
    assert!(is_kept(&db));
}

#[test]
fn an_old_snapshot_finds_what_was_there_when_it_was_taken() {
    let db = Db::in_memory().unwrap();
    let store = db.namespace("a").unwrap();
    fill(&store, 100);
    load(&db);
    let wanted = filters(&["labels.shard==7"]);
    let before = db.read().unwrap();
    let then = before.namespace("a").unwrap();
    store.delete("c0007").unwrap();
    let mask = FieldMask::parse(["labels.shard"]).unwrap();
    let moved = Container::with_id("c0001").label("shard", "7");
    store.update(moved, &mask).unwrap();
    assert_eq!(
        then.query().filter(&wanted).ids().unwrap(),
        ["c0007", "c0057"]
    );
    assert_eq!(
        store.query().filter(&wanted).ids().unwrap(),
        ["c0001", "c0057"]
    );
    assert!(then.find("c0007").unwrap().is_some());
    assert!(store.find("c0007").unwrap().is_none());
    assert_delivers_the_file(&before);
    assert_delivers_the_file(&db.read().unwrap());
}

#[test]
fn a_transaction_sees_what_it_did_and_nobody_else_does_before_its_commit() {
    let db = Db::in_memory().unwrap();
    fill(&db.namespace("a").unwrap(), 100);
    load(&db);
    let wanted = filters(&["labels.shard==7"]);
    for commits in [false, true] {
        let txn = db.begin_write().unwrap();
        let store = txn.namespace("a").unwrap();
        store.delete("c0007").unwrap();
        store.create(container("new").label("shard", "7")).unwrap();
        assert_eq!(
            store.query().filter(&wanted).ids().unwrap(),
            ["c0057", "new"]
        );
        assert!(store.find("c0007").unwrap().is_none());
        let outside = db.namespace("a").unwrap();
        assert_eq!(
            outside.query().filter(&wanted).ids().unwrap(),
            ["c0007", "c0057"]
        );
        drop(store);
        if commits {
            txn.commit().unwrap();
            assert_eq!(
                outside.query().filter(&wanted).ids().unwrap(),
                ["c0057", "new"]
            );
        } else {
            drop(txn);
            assert_eq!(
                outside.query().filter(&wanted).ids().unwrap(),
                ["c0007", "c0057"]
            );
        }
        assert_delivers_the_file(&db.read().unwrap());
    }
}

#[test]
fn more_than_may_be_kept_is_read_from_the_file() {
    for bytes in [0, 1, 100_000] {
        let db = Db::builder().memory_bytes(bytes).in_memory().unwrap();
        let store = db.namespace("a").unwrap();
        fill(&store, 60);
        for _ in 0..30 {
            assert_eq!(assert_found_alike(&db, "a", &["labels.shard==7"]), 2);
        }
        assert_eq!(is_kept(&db), bytes == 100_000);
        // The memory outgrows its limit while it is in use.
        fill(&db.namespace("b").unwrap(), 200);
        for _ in 0..30 {
            assert_eq!(assert_found_alike(&db, "a", &["labels.shard==7"]), 2);
        }
        assert!(!is_kept(&db));
        for number in 0..200 {
            db.namespace("b")
                .unwrap()
                .delete(&format!("c{number:04}"))
                .unwrap();
        }
        for _ in 0..30 {
            assert_eq!(assert_found_alike(&db, "a", &["labels.shard==7"]), 2);
        }
        assert_eq!(is_kept(&db), bytes == 100_000, "it fits again");
    }
}

#[test]
fn a_transaction_that_outgrows_the_bound_is_committed_all_the_same() {
    let db = Db::builder().memory_bytes(1 << 20).in_memory().unwrap();
    fill(&db.namespace("a").unwrap(), 100);
    load(&db);
    db.write(|txn| -> Result<()> {
        let store = txn.namespace("b")?;
        for number in 0..17_000 {
            store.create(container(&format!("c{number}")).label("shard", number.to_string()))?;
        }
        assert_eq!(store.query().count()?, 17_000);
        Ok(())
    })
    .unwrap();
    assert_eq!(assert_found_alike(&db, "b", &["labels.shard==7"]), 1);
    assert_eq!(assert_found_alike(&db, "a", &["labels.shard==7"]), 2);
    assert!(!is_kept(&db));
}

/// Every snapshot shows one moment, even while records are loaded again and again.
#[test]
fn snapshots_are_consistent_while_records_are_loaded_and_written() {
    const IDS: usize = 60;
    const ROUNDS: usize = 150;
    const READERS: usize = 8;
    let mut kept = 0;
    let found = AtomicUsize::new(0);
    for _ in 0..8 {
        let db = Db::in_memory().unwrap();
        let store = db.namespace("a").unwrap();
        fill(&store, IDS);
        let done = AtomicBool::new(false);
        let wanted = filters(&["labels.shard==7"]);
        let start = Barrier::new(READERS + 2);
        thread::scope(|scope| {
            for writer in 0..2 {
                let (store, done, start) = (&store, &done, &start);
                scope.spawn(move || {
                    start.wait();
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
            for _ in 0..READERS {
                let (db, done, found, wanted, start) = (&db, &done, &found, &wanted, &start);
                scope.spawn(move || {
                    start.wait();
                    while !done.load(Ordering::Acquire) {
                        let snapshot = db.read().unwrap();
                        let store = snapshot.namespace("a").unwrap();
                        let by_terms = store.query().filter(wanted).ids().unwrap();
                        let all = store.query().headers().unwrap();
                        let by_scan: Vec<String> = all
                            .into_iter()
                            .filter(|header| header.labels.get("shard").is_some_and(|it| it == "7"))
                            .map(|header| header.id)
                            .collect();
                        assert_eq!(by_terms, by_scan);
                        assert_delivers_the_file(&snapshot);
                        found.fetch_add(by_terms.len(), Ordering::Relaxed);
                    }
                });
            }
        });
        kept += usize::from(is_kept(&db));
        load(&db);
        assert_delivers_the_file(&db.read().unwrap());
    }
    assert!(found.load(Ordering::Relaxed) > 0, "nothing was ever found");
    assert!(kept > 0, "nothing was loaded beside writers");
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
    fn memory_and_file_agree_after_any_history(steps in steps()) {
        let db = Db::in_memory().unwrap();
        let store = db.namespace("a").unwrap();
        fill(&store, 24);
        load(&db);
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
fn commits_of_transactions_and_of_single_operations_are_shown_in_their_order() {
    const THREADS: usize = 8;
    let db = Db::in_memory().unwrap();
    let store = db.namespace("a").unwrap();
    fill(&store, 100);
    load(&db);
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
