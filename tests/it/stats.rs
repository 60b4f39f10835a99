//! The statistics of a store.

use bayplan::{Any, Container, Db, Record, Runtime};

use crate::seed::Seed;

fn container(id: &str, spec_bytes: usize) -> Container {
    Container::new(
        id,
        Runtime::new("runc"),
        Any::new("spec", Seed::new(7).bytes(spec_bytes)),
    )
}

#[test]
fn stats_count_containers_and_records_by_namespace_and_bytes_by_table() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let db = Db::create(&path).unwrap();
    for (namespace, ids) in [("a", &["1", "2"][..]), ("b", &["3"])] {
        let store = db.namespace(namespace).unwrap();
        for id in ids {
            store.create(container(id, 10_000).label("l", "v")).unwrap();
        }
    }
    db.create_namespace("empty", [].into()).unwrap();
    let b = db.namespace("b").unwrap();
    for (kind, id) in [("images", "x"), ("images", "y"), ("leases", "x")] {
        let record = Record::new(id, Any::default());
        b.records(kind).unwrap().create(record).unwrap();
    }
    drop(b);
    let stats = db.stats().unwrap();
    let counts: Vec<_> = stats
        .namespaces
        .iter()
        .map(|namespace| (namespace.name.as_str(), namespace.containers_count))
        .collect();
    assert_eq!(counts, [("a", 2), ("b", 1), ("empty", 0)]);
    assert_eq!((stats.containers_count, stats.records_count), (3, 3));
    let counts = [("images".to_owned(), 2), ("leases".to_owned(), 1)];
    assert_eq!(stats.namespaces[1].records_counts, counts.into());
    assert!(stats.namespaces[0].records_counts.is_empty());
    assert_eq!(stats.id, db.info().id);
    let tables: Vec<_> = stats
        .tables
        .iter()
        .map(|table| (table.name.as_str(), table.keys_count))
        .collect();
    // Each has its own row. The container also has labels and a spec, and the record a value.
    assert_eq!(
        tables,
        [
            ("meta", 4),
            ("namespaces", 3),
            ("records", 9 + 6),
            ("tombstones", 0)
        ]
    );
    assert!(stats.stored_bytes > 30_000);
    assert_eq!(stats.file_bytes, Some(path.metadata().unwrap().len()));
    assert_eq!(
        stats.file_bytes.unwrap(),
        stats.used_bytes() + stats.free_bytes.unwrap()
    );
    assert!(stats.revisions_below.get() > 3);

    drop(db);
    let read_only = Db::open_read_only(&path).unwrap().stats().unwrap();
    assert_eq!(read_only.tables, stats.tables);
    assert_eq!(read_only.namespaces, stats.namespaces);
}

#[test]
fn what_is_deleted_becomes_free() {
    let directory = tempfile::tempdir().unwrap();
    let db = Db::create(directory.path().join("meta.redb")).unwrap();
    let store = db.namespace("a").unwrap();
    store.create(container("large", 4_000_000)).unwrap();
    let before = db.stats().unwrap();
    store.delete("large").unwrap();
    let after = db.stats().unwrap();
    assert!(after.stored_bytes + 4_000_000 <= before.stored_bytes);
    assert!(after.free_bytes.unwrap() >= 4_000_000);
}

#[test]
fn a_store_in_memory_has_no_file_to_measure() {
    let stats = Db::in_memory().unwrap().stats().unwrap();
    assert_eq!((stats.file_bytes, stats.free_bytes), (None, None));
    let text = serde_json::to_string(&stats).unwrap();
    assert!(text.contains("\"containers_count\":0"), "{text}");
}

#[test]
fn stats_tell_for_how_long_an_old_snapshot_is_held() {
    let db = Db::in_memory().unwrap();
    let store = db.namespace("a").unwrap();
    assert_eq!(db.stats().unwrap().oldest_snapshot_ms, None);
    let first = db.read().unwrap();
    // It is that of the last commit, which all readers share.
    assert_eq!(db.stats().unwrap().oldest_snapshot_ms, None);
    store.create(container("1", 10)).unwrap();
    let second = db.read().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    store.create(container("2", 10)).unwrap();
    let both = db.stats().unwrap().oldest_snapshot_ms.unwrap();
    assert!(both >= 20);
    drop(first);
    assert!(db.stats().unwrap().oldest_snapshot_ms.is_some());
    drop(second);
    assert_eq!(db.stats().unwrap().oldest_snapshot_ms, None);
}
