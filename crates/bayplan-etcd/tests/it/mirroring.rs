//! Copies of hosts' stores.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bayplan::{
    Any, Container, Db, Filters, Labels, ReadNamespaces, ReadStore, Record, Stored, Update,
};
use bayplan_etcd::{AnotherStore, Fleet, HostCopy, Mirror, Options};

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
    Mirror::replace(&other, &options, "node-1", true)
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

/// A store with one container of this id.
fn store_of(id: &str) -> Db {
    let db = Db::in_memory().unwrap();
    db.namespace("default")
        .unwrap()
        .create(container(id))
        .unwrap();
    db
}

#[test]
fn a_host_of_another_store_is_refused_and_its_mirror_goes_on() {
    let (server, prefix) = (shared(), fresh_prefix());
    let options = server.options().prefix(&prefix);
    let (db, other) = (store_of("web"), store_of("other"));
    let mut mirror = Mirror::open(&db, &options, "node-1", true).unwrap();
    mirror.catch_up().unwrap();
    let fleet = Fleet::open(&options).unwrap();
    becomes(&fleet, true);

    let error = Mirror::open(&other, &options, "node-1", true).unwrap_err();
    assert!(error.is_failed_precondition(), "{error:?}");
    let [id, other_id] = [&db, &other].map(|db| db.info().id.to_string());
    assert_eq!(
        format!("{error:#}"),
        format!(
            "the host \"node-1\" has the copy of another store: it is of the store {id}, and this one is {other_id}"
        )
    );
    let cause = std::error::Error::source(&error).unwrap();
    let cause = cause.downcast_ref::<AnotherStore>().unwrap();
    assert_eq!((&cause.copied_id, &cause.store_id), (&id, &other_id));
    change(&db, 4);
    assert!(mirror.catch_up().unwrap().changes_count > 0);
    let copy = fleet.copy("node-1").unwrap();
    assert_eq!(of_copy(&copy), of_store(&db));
    assert!(fleet.hosts().unwrap()[0].is_alive);

    let mut new = Mirror::replace(&other, &options, "node-1", true).unwrap();
    new.catch_up().unwrap();
    assert_eq!(of_copy(&copy), of_store(&other));
    change(&db, 8);
    let error = mirror.catch_up().unwrap_err();
    let told = format!("its copy is now of the store {other_id}, and this one is {id}");
    assert!(error.to_string().contains(&told), "{error}");

    // What cannot be read may be that of another store.
    server.put(&format!("{prefix}hosts/node-1"), b"damaged");
    let error = Mirror::open(&other, &options, "node-1", true).unwrap_err();
    assert!(
        error.is_corrupt() && error.to_string().contains("node-1"),
        "{error}"
    );
    Mirror::replace(&db, &options, "node-1", true)
        .unwrap()
        .catch_up()
        .unwrap();
    assert_eq!(of_copy(&copy), of_store(&db));
}

#[test]
fn of_two_stores_that_begin_as_one_host_at_once_one_is_refused() {
    for _ in 0..10 {
        let (_server, options) = (shared(), options());
        Fleet::open(&options).unwrap();
        let stores = [store_of("a"), store_of("b")];
        let begin = Barrier::new(2);
        let mirrored: Vec<bool> = std::thread::scope(|scope| {
            let mirror = |db| {
                begin.wait();
                let begun = Mirror::open(db, &options, "node-1", true);
                match begun.and_then(|mut mirror| mirror.catch_up()) {
                    Ok(_) => true,
                    Err(error) if error.is_failed_precondition() => false,
                    Err(error) => panic!("{error:?}"),
                }
            };
            let both = stores.each_ref().map(|db| scope.spawn(move || mirror(db)));
            both.map(|one| one.join().unwrap()).into()
        });
        assert!(mirrored[0] != mirrored[1], "{mirrored:?}");
        let kept = &stores[usize::from(mirrored[1])];
        let copy = Fleet::open(&options).unwrap().copy("node-1").unwrap();
        assert_eq!(of_copy(&copy), of_store(kept));
    }
}

#[test]
fn two_mirrors_of_one_store_at_once_take_over_from_each_other_and_harm_nothing() {
    let (_server, options) = (shared(), options());
    let db = Db::in_memory().unwrap();
    let taken = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for offset in [0, 1] {
            let (db, options, taken) = (&db, &options, &taken);
            scope.spawn(move || {
                for round in 0..10 {
                    let begun = Mirror::open(db, options, "node-1", true);
                    let mirrored = begun.and_then(|mut mirror| {
                        for step in 0..5 {
                            change(db, offset + round * 10 + step * 2);
                            mirror.catch_up()?;
                        }
                        mirror.end()
                    });
                    match mirrored {
                        Ok(()) => {}
                        Err(error) if error.is_failed_precondition() => {
                            taken.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => panic!("{error:?}"),
                    }
                }
            });
        }
    });
    assert!(taken.into_inner() > 0, "they never met");
    Mirror::open(&db, &options, "node-1", true)
        .unwrap()
        .catch_up()
        .unwrap();
    let copy = Fleet::open(&options).unwrap().copy("node-1").unwrap();
    assert_eq!(of_copy(&copy), of_store(&db));
}

/// Waits until the only host is alive, or is not.
#[track_caller]
fn becomes(fleet: &Fleet, alive: bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while fleet.hosts().unwrap()[0].is_alive != alive {
        assert!(Instant::now() < end, "it does not become {alive}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_host_is_alive_while_its_mirror_is() {
    let (_server, options) = (shared(), options());
    let db = Db::in_memory().unwrap();
    let fleet = Fleet::open(&options).unwrap();
    let host = || fleet.hosts().unwrap().remove(0);
    let mirror = Mirror::open(&db, &options, "node-1", true).unwrap();
    becomes(&fleet, true);
    drop(mirror);
    // At once, and not when the lease runs out.
    assert!(!host().is_alive && !host().has_ended);

    let mirror = Mirror::open(&db, &options, "node-1", true).unwrap();
    becomes(&fleet, true);
    let before = host().written_at;
    mirror.end().unwrap();
    assert!(!host().is_alive && host().has_ended && host().written_at > before);

    // The end of one that was replaced is not that of the host.
    let old = Mirror::open(&db, &options, "node-1", true).unwrap();
    becomes(&fleet, true);
    let _new = Mirror::open(&db, &options, "node-1", true).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert!(old.end().unwrap_err().is_failed_precondition());
    assert!(host().is_alive && !host().has_ended);
}

#[test]
fn a_mirror_follows_until_it_is_told_to_end() {
    let (_server, options) = (shared(), options());
    let db = Db::in_memory().unwrap();
    let mut mirror = Mirror::open(&db, &options, "node-1", true).unwrap();
    let is_ended = AtomicBool::new(false);
    let copy = Fleet::open(&options).unwrap().copy("node-1").unwrap();
    std::thread::scope(|scope| {
        let following = scope.spawn(|| mirror.follow_until(&is_ended));
        change(&db, 4);
        let end = Instant::now() + Duration::from_secs(60);
        while of_copy(&copy) != of_store(&db) {
            assert!(Instant::now() < end, "it does not follow");
            std::thread::sleep(Duration::from_millis(20));
        }
        is_ended.store(true, Ordering::Relaxed);
        following.join().unwrap().unwrap();
    });
    // Any time will do.
    assert_eq!(mirror.follow(Duration::ZERO).unwrap().commits_count, 0);
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
