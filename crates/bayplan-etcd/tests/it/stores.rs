//! What the laws do not show: formats, snapshots, transactions, writers at the same time, damage.

use std::sync::atomic::{AtomicU64, Ordering};

use bayplan::{
    Any, Container, ErrorKind, Filters, Labels, Namespaces, ReadNamespaces, ReadStore, Record,
    Revision, Rules, Runtime, Store, Update,
};
use bayplan_etcd::{Etcd, Fleet};

use crate::server::{fresh, fresh_prefix, shared};

pub(crate) fn container(id: &str) -> Container {
    Container::new(id, Runtime::new("runc"), Any::new("spec", b"{}"))
}

#[test]
fn a_store_keeps_the_rules_that_it_was_created_with() {
    let server = shared();
    let options = server.options().prefix(fresh_prefix());
    let error = Etcd::open_existing(&options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotAStore, "{error}");
    let created = Etcd::open(&options.clone().rules(Rules::Containerd2))
        .unwrap()
        .info();
    assert_eq!(created.rules, Rules::Containerd2);
    assert_eq!(Etcd::open(&options).unwrap().info(), created);
    assert_eq!(Etcd::open_existing(&options).unwrap().info(), created);
    let error = Fleet::open(&options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotAStore, "{error}");
}

#[test]
fn another_version_and_a_damaged_format_are_refused() {
    use bayplan::implementing::seal_bytes;
    let server = shared();
    let prefix = fresh_prefix();
    let options = server.options().prefix(&prefix);
    Etcd::open(&options).unwrap();
    let key = format!("{prefix}format");
    let newer = seal_bytes(key.as_bytes(), br#"{"version":2,"of":"the future"}"#).unwrap();
    server.put(&key, &newer);
    let error = Etcd::open(&options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IncompatibleFormat, "{error}");
    server.put(&key, b"something else");
    assert!(Etcd::open(&options).unwrap_err().is_corrupt());
}

#[test]
fn a_store_that_was_removed_is_not_written_by_who_had_it_open() {
    let server = shared();
    let prefix = fresh_prefix();
    let etcd = Etcd::open(&server.options().prefix(&prefix)).unwrap();
    let store = etcd.namespace("default").unwrap();
    store.create(container("web")).unwrap();
    server.etcdctl(&["del", "--prefix", &prefix]);
    let error = store.create(container("db")).unwrap_err();
    assert!(error.is_gone(), "{error}");
    assert_eq!(server.etcdctl(&["get", "--prefix", &prefix]), "");
}

#[test]
fn a_snapshot_does_not_change() {
    let (_server, etcd) = fresh();
    let store = etcd.namespace("default").unwrap();
    let web = store.create(container("web")).unwrap();
    let images = store.records("images").unwrap();
    images
        .put(Record::new("nginx", Any::new("image", b"1")))
        .unwrap();
    let snapshot = etcd.snapshot().unwrap();
    store.apply(Update::new("web").set_label("a", "1")).unwrap();
    store.create(container("db")).unwrap();
    images.delete("nginx").unwrap();
    etcd.create_namespace("new", Labels::new()).unwrap();

    let then = snapshot.namespace("default").unwrap();
    assert_eq!(then.list(&Filters::all()).unwrap(), [web]);
    assert_eq!(then.records("images").unwrap().query().count().unwrap(), 1);
    assert_eq!(snapshot.list_namespaces().unwrap().len(), 1);
    assert_eq!(snapshot.record_kinds("default").unwrap(), ["images"]);
    assert_eq!(store.query().ids().unwrap(), ["db", "web"]);
    assert!(etcd.record_kinds("default").unwrap().is_empty());
}

#[test]
fn a_transaction_writes_everything_or_nothing() {
    let (_server, etcd) = fresh();
    let (made, revision) = etcd
        .write(|txn| {
            txn.put_record("a", "sandboxes", Record::new("pod", Any::new("pod", b"1")))?;
            txn.create("a", container("web").sandbox("pod"))?;
            txn.apply("a", Update::new("web").set_label("tier", "front"))?;
            txn.create("b", container("db"))
        })
        .unwrap();
    assert_eq!(made.id, "db");
    let web = etcd.namespace("a").unwrap().get("web").unwrap();
    assert_eq!(
        (web.revision, web.labels["tier"].as_str()),
        (revision, "front")
    );
    assert_eq!(
        etcd.namespace("b").unwrap().get("db").unwrap().revision,
        revision
    );

    let failed = etcd.write(|txn| {
        txn.delete("a", "web", Some(revision))?;
        txn.create("b", container("db"))
    });
    let error = failed.unwrap_err();
    assert!(error.is_already_exists());
    assert_eq!(
        error.to_string(),
        "create container \"db\" in namespace \"b\": already exists"
    );
    assert!(etcd.namespace("a").unwrap().find("web").unwrap().is_some());

    let many = etcd.write(|txn| {
        for number in 0..200 {
            txn.create("many", container(&number.to_string()))?;
        }
        Ok(())
    });
    let error = many.unwrap_err();
    assert!(
        error.is_invalid_argument() && error.to_string().contains("max-txn-ops"),
        "{error}"
    );
    assert_eq!(etcd.list_namespaces().unwrap().len(), 2);
}

#[test]
fn writers_at_the_same_time_lose_no_update_and_time_moves_strictly_forward() {
    let (server, etcd) = fresh();
    let store = etcd.namespace("default").unwrap();
    store.create(container("web")).unwrap();
    let conflicts = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (store, conflicts) = (&store, &conflicts);
            scope.spawn(move || {
                for number in 0..25 {
                    let label = format!("{writer}-{number}");
                    loop {
                        let seen = store.get("web").unwrap();
                        let update = Update::new("web").set_label(&label, "1");
                        match store.apply(update.if_revision(seen.revision)) {
                            Ok(done) => {
                                assert!(done.updated_at > seen.updated_at);
                                assert!(done.revision > seen.revision);
                                break;
                            }
                            Err(error) if error.is_failed_precondition() => {
                                conflicts.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(error) => panic!("{error}"),
                        }
                    }
                    store
                        .apply(Update::new("web").set_label(format!("u{label}"), "1"))
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(store.get("web").unwrap().labels.len(), 200);
    assert!(conflicts.into_inner() > 0, "the writers never met");
    drop(server);
}

#[test]
fn a_namespace_is_not_deleted_below_a_container_that_is_being_created() {
    let (_server, etcd) = fresh();
    std::thread::scope(|scope| {
        let deleter = scope.spawn(|| {
            for _ in 0..200 {
                let _ = etcd.delete_namespace("default");
            }
        });
        let store = etcd.namespace("default").unwrap();
        while !deleter.is_finished() {
            store.create(container("web")).unwrap();
            assert_eq!(
                etcd.list_namespaces().unwrap().len(),
                1,
                "it holds a container"
            );
            store.delete("web").unwrap();
        }
    });
}

#[test]
fn damage_is_found_and_named() {
    let server = shared();
    let prefix = fresh_prefix();
    let etcd = Etcd::open(&server.options().prefix(&prefix)).unwrap();
    let store = etcd.namespace("default").unwrap();
    for id in ["a", "b", "c"] {
        store.create(container(id).label("app", id)).unwrap();
    }
    let head = |id: &str| format!("{prefix}r/default\0containers\0{id}");
    let value = |id: &str| format!("{prefix}v/default\0containers\0{id}");
    // A head of another container is intact, but not this one's.
    server.put(&head("b"), &server.get(&head("a")));
    let error = store.get("b").unwrap_err();
    assert!(error.is_corrupt());
    assert_eq!(
        error.to_string(),
        "get container \"b\" in namespace \"default\": a checksum does not match"
    );
    let error = store.list(&Filters::all()).unwrap_err();
    assert!(error.is_corrupt() && error.id() == Some("b"), "{error}");
    server.delete(&value("c"));
    let listing = store.query().lenient().unwrap();
    let damaged: Vec<&str> = listing
        .damaged
        .iter()
        .map(|damaged| damaged.id.as_str())
        .collect();
    assert_eq!((listing.items.len(), damaged), (1, vec!["b", "c"]));
    let error = store
        .update(container("b"), &bayplan::FieldMask::full())
        .unwrap_err();
    assert!(error.is_corrupt(), "{error}");
    store.delete("b").unwrap();
    store.delete("c").unwrap();
    assert_eq!(store.query().ids().unwrap(), ["a"]);
}

#[test]
fn many_records_are_listed_in_pages_of_one_state() {
    let (_server, etcd) = fresh();
    let store = etcd.namespace("default").unwrap();
    for number in 0..700 {
        let spec = Any::new("spec", vec![7; 5_000]);
        let parity = ["even", "odd"][number % 2];
        let new = container(&format!("c{number:04}"))
            .spec(spec)
            .label("parity", parity);
        store.create(new).unwrap();
    }
    let mut seen = 0;
    for found in store.query().iter().unwrap() {
        if seen == 10 {
            store.delete("c0650").unwrap();
            store.create(container("c0650x")).unwrap();
        }
        assert_eq!(found.unwrap().id, format!("c{seen:04}"));
        seen += 1;
    }
    assert_eq!(seen, 700);
    let odd = Filters::parse(["labels.parity==odd"]).unwrap();
    assert_eq!(store.query().filter(&odd).count().unwrap(), 350);
    assert_eq!(
        store.query().filter(&odd).limit(70).list().unwrap().len(),
        70
    );
    let page = store.query().filter(&odd).after("c0690").ids().unwrap();
    assert_eq!(page, ["c0691", "c0693", "c0695", "c0697", "c0699"]);
    assert!(
        store
            .query()
            .headers()
            .unwrap()
            .iter()
            .all(|one| one.revision > Revision::NONE)
    );
}
