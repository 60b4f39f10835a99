//! Copies of hosts' stores.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bayplan::{
    Any, Container, Db, Filters, Labels, ReadNamespaces, ReadStore, Record, Stored, Update,
};
use bayplan_etcd::{Fleet, HostCopy, Mirror, Options};

use crate::server::{fresh_prefix, shared};
use crate::stores::container;

/// Everything in a store, or in a copy of it.
#[derive(Debug, Default, PartialEq)]
struct Content {
    namespaces: BTreeMap<String, Labels>,
    containers: Vec<(String, Container)>,
    records: Vec<(String, String, Record)>,
}

fn of_store(db: &Db) -> Content {
    let txn = db.read().unwrap();
    let containers = |name: &str| txn.namespace(name).unwrap();
    content(&txn, containers, |name, kind| {
        containers(name).records(kind).unwrap()
    })
}

fn of_copy(copy: &HostCopy) -> Content {
    content(
        copy,
        |name| copy.namespace(name).unwrap(),
        |name, kind| copy.records(name, kind).unwrap(),
    )
}

fn content<C: ReadStore, R: ReadStore<Record>>(
    namespaces: &dyn ReadNamespaces,
    containers: impl Fn(&str) -> C,
    records: impl Fn(&str, &str) -> R,
) -> Content {
    let mut content = Content::default();
    for name in namespaces.list_namespaces().unwrap() {
        let name = name.as_str();
        let labels = namespaces.namespace_labels(name).unwrap();
        content.namespaces.insert(name.to_owned(), labels);
        for container in containers(name).list(&Filters::all()).unwrap() {
            content.containers.push((name.to_owned(), container));
        }
        for kind in namespaces.record_kinds(name).unwrap() {
            for record in records(name, &kind).list(&Filters::all()).unwrap() {
                content
                    .records
                    .push((name.to_owned(), kind.clone(), record));
            }
        }
    }
    content
}

/// Changes a store, by a number.
fn change(db: &Db, number: u32) {
    let store = db
        .namespace(if number.is_multiple_of(5) {
            "other"
        } else {
            "default"
        })
        .unwrap();
    let id = format!("c{}", number % 17);
    match number % 4 {
        0 => drop(store.put(container(&id).label("n", number.to_string()))),
        1 => drop(store.delete(&id)),
        2 => drop(store.apply(Update::new(&id).set_label("m", number.to_string()))),
        _ => {
            let record = Record::new(
                format!("r{}", number % 7),
                Any::new("t", number.to_string()),
            );
            let records = store.records("images").unwrap();
            match number % 3 {
                0 => drop(records.delete(&record.id)),
                _ => drop(records.put(record)),
            }
        }
    }
}

fn options() -> Options {
    shared().options().prefix(fresh_prefix())
}

#[test]
fn a_copy_has_what_its_store_has_and_follows_it() {
    let (_server, options) = (shared(), options());
    let db = Db::in_memory().unwrap();
    (0..100).for_each(|number| change(&db, number));
    let mut mirror = Mirror::open(&db, &options, "node-1", true).unwrap();
    mirror.catch_up().unwrap();
    let fleet = Fleet::open(&options).unwrap();
    let copy = fleet.copy("node-1").unwrap();
    assert_eq!(of_copy(&copy), of_store(&db));
    (100..200).for_each(|number| change(&db, number));
    let progress = mirror.catch_up().unwrap();
    assert!(progress.changes_count > 0 && progress.pruned_count == 0);
    assert_eq!(of_copy(&copy), of_store(&db));
    assert_eq!(
        mirror.catch_up().unwrap().commits_count,
        0,
        "there is nothing to do"
    );

    let hosts = fleet.hosts().unwrap();
    assert_eq!((hosts.len(), hosts[0].name.as_str()), (1, "node-1"));
    assert_eq!(hosts[0].position, mirror.position());
    assert!(hosts[0].has_specs);
}

#[test]
fn a_copy_without_specs_has_no_secrets_and_is_found_by_filters() {
    let (_server, options) = (shared(), options());
    let db = Db::in_memory().unwrap();
    let web = container("web")
        .spec(Any::new("spec", b"{\"env\":[\"PASSWORD=topsecret\"]}"))
        .extension("state", Any::new("t", b"topsecret"))
        .label("app", "nginx");
    let web = db.namespace("default").unwrap().create(web).unwrap();
    let images = db.namespace("default").unwrap().records("images").unwrap();
    images
        .put(Record::new("nginx", Any::new("image", b"topsecret")))
        .unwrap();
    Mirror::open(&db, &options, "node-1", false)
        .unwrap()
        .catch_up()
        .unwrap();
    let copy = Fleet::open(&options).unwrap().copy("node-1").unwrap();
    let store = copy.namespace("default").unwrap();
    let filter = Filters::parse(["labels.app==nginx"]).unwrap();
    let found = store.list(&filter).unwrap();
    assert_eq!(
        found[0].clone().into_header(&[]),
        web.clone().into_header(&[])
    );
    assert_eq!(
        (found[0].spec.clone(), found[0].extensions.len()),
        (None, 0)
    );
    let image = copy
        .records("default", "images")
        .unwrap()
        .get("nginx")
        .unwrap();
    assert_eq!(image.value, Any::new("image", b""));

    // With specs, the copy is made anew.
    Mirror::open(&db, &options, "node-1", true)
        .unwrap()
        .catch_up()
        .unwrap();
    assert_eq!(store.get("web").unwrap(), web);
}

#[test]
fn a_store_that_forgot_deletions_and_one_that_was_replaced_are_compared() {
    let (_server, options) = (shared(), options());
    let db = Db::builder().tombstones_max_count(2).in_memory().unwrap();
    let store = db.namespace("default").unwrap();
    (0..30).for_each(|number| drop(store.create(container(&format!("c{number}"))).unwrap()));
    Mirror::open(&db, &options, "node-1", true)
        .unwrap()
        .catch_up()
        .unwrap();
    (0..20).for_each(|number| store.delete(&format!("c{number}")).unwrap());
    let progress = Mirror::open(&db, &options, "node-1", true)
        .unwrap()
        .catch_up()
        .unwrap();
    assert_eq!(progress.pruned_count, 20);
    let copy = Fleet::open(&options).unwrap().copy("node-1").unwrap();
    assert_eq!(of_copy(&copy), of_store(&db));

    let other = Db::in_memory().unwrap();
    other
        .namespace("new")
        .unwrap()
        .create(container("web"))
        .unwrap();
    Mirror::open(&other, &options, "node-1", true)
        .unwrap()
        .catch_up()
        .unwrap();
    assert_eq!(of_copy(&copy), of_store(&other));
}

#[test]
fn a_mirror_that_was_replaced_writes_no_more() {
    let (_server, options) = (shared(), options());
    let db = Db::in_memory().unwrap();
    let mut old = Mirror::open(&db, &options, "node-1", true).unwrap();
    old.catch_up().unwrap();
    let mut new = Mirror::open(&db, &options, "node-1", true).unwrap();
    change(&db, 0);
    let error = old.catch_up().unwrap_err();
    assert!(
        error.is_failed_precondition() && error.to_string().contains("node-1"),
        "{error}"
    );
    assert_eq!(new.catch_up().unwrap().changes_count, 2);

    let fleet = Fleet::open(&options).unwrap();
    let other = Db::in_memory().unwrap();
    other
        .namespace("default")
        .unwrap()
        .create(container("web"))
        .unwrap();
    Mirror::open(&other, &options, "node-10", true)
        .unwrap()
        .catch_up()
        .unwrap();
    fleet.forget("node-1").unwrap();
    assert_eq!(fleet.hosts().unwrap()[0].name, "node-10");
    assert_eq!(of_copy(&fleet.copy("node-1").unwrap()), Content::default());
    assert_eq!(of_copy(&fleet.copy("node-10").unwrap()), of_store(&other));
    change(&db, 4);
    assert!(new.catch_up().unwrap_err().is_failed_precondition());
    for name in ["", "a/b", "-a"] {
        assert!(
            Mirror::open(&db, &options, name, true)
                .unwrap_err()
                .is_invalid_argument()
        );
    }
}

#[test]
fn a_host_is_alive_while_its_mirror_is() {
    let (_server, options) = (shared(), options());
    let db = Db::in_memory().unwrap();
    let mirror = Mirror::open(&db, &options, "node-1", true).unwrap();
    let fleet = Fleet::open(&options).unwrap();
    let becomes = |alive: bool| {
        let end = Instant::now() + Duration::from_secs(60);
        while fleet.hosts().unwrap()[0].is_alive != alive {
            assert!(Instant::now() < end, "it does not become {alive}");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    becomes(true);
    drop(mirror);
    becomes(false);
}

#[test]
fn a_mirror_that_is_killed_again_and_again_under_load_ends_equal_to_its_store() {
    let (server, prefix) = (shared(), fresh_prefix());
    let options = server.options().prefix(&prefix);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let db = Db::builder()
        .share(bayplan::Share::Readers)
        .create(&path)
        .unwrap();
    let is_done = AtomicBool::new(false);
    let mirror = |once: bool| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_bayplan-etcd"));
        command.arg("mirror").arg("--db").arg(&path);
        command.args(["--to", server.endpoint(), "--host", "node-1", "--specs"]);
        command.args(["--prefix", &prefix]);
        command.args(once.then_some("--once"));
        command.spawn().unwrap()
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !is_done.load(Ordering::Relaxed) {
                change(&db, number);
                number += 1;
                std::thread::sleep(Duration::from_millis(1));
            }
            assert!(number > 100);
        });
        for round in 0..20_u64 {
            let mut running = mirror(false);
            std::thread::sleep(Duration::from_millis(60 + round * 37 % 400));
            running.kill().unwrap();
            running.wait().unwrap();
        }
        is_done.store(true, Ordering::Relaxed);
    });
    assert!(mirror(true).wait().unwrap().success());
    let copy = Fleet::open(&options).unwrap().copy("node-1").unwrap();
    let content = of_store(&db);
    assert!(content.containers.len() > 5);
    assert_eq!(of_copy(&copy), content);
}
