//! Pins and holders, compared with a few lines that look at every container and record.

use bayplan::{
    Any, Container, Db, Filters, Labels, Pin, PinSource, ReadNamespace, Record, Resource, Result,
    Runtime, Sink, Store,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use redb::TableDefinition;

const CONTENT: &str = "containerd.io/gc.ref.content";

/// What each label means, with what it names.
fn meaning(key: &str, value: &str) -> Option<(bool, Resource)> {
    let name = || value.to_owned();
    let snapshot = |snapshotter: &str| Resource::Snapshot {
        snapshotter: snapshotter.to_owned(),
        key: name(),
    };
    let other = |kind: &str| Resource::Other {
        kind: kind.to_owned(),
        name: name(),
    };
    Some(match key {
        CONTENT | "containerd.io/gc.ref.content.0" | "containerd.io/gc.ref.content/0" => {
            (true, Resource::Content { digest: name() })
        }
        "containerd.io/gc.ref.image.base" => (true, Resource::Image { name: name() }),
        "containerd.io/gc.ref.snapshot.o" => (true, snapshot("o")),
        "containerd.io/gc.ref.snapshot.o.p/1" => (true, snapshot("o.p")),
        "containerd.io/gc.ref.mount" => (true, other("mount")),
        "containerd.io/gc.bref.content" => (false, Resource::Content { digest: name() }),
        "containerd.io/gc.bref.image/a.b" => (false, Resource::Image { name: name() }),
        "containerd.io/gc.bref.snapshot.o" => (false, snapshot("o")),
        "containerd.io/gc.bref.container.1" => (false, Resource::Container { id: name() }),
        _ => return None,
    })
}

const KEYS: [&str; 15] = [
    CONTENT,
    "containerd.io/gc.ref.content.0",
    "containerd.io/gc.ref.content/0",
    "containerd.io/gc.ref.image.base",
    "containerd.io/gc.ref.snapshot.o",
    "containerd.io/gc.ref.snapshot.o.p/1",
    "containerd.io/gc.ref.mount",
    "containerd.io/gc.bref.content",
    "containerd.io/gc.bref.image/a.b",
    "containerd.io/gc.bref.snapshot.o",
    "containerd.io/gc.bref.container.1",
    "containerd.io/gc.ref.snapshot",
    "containerd.io/gc.root",
    "containerd.io/gc.ref.",
    "app",
];

const NAMES: [&str; 3] = ["a", "b", "c"];

fn pins_of_labels(own: &Resource, labels: &Labels) -> Vec<Pin> {
    let pin = |(key, value): (&String, &String)| {
        let (holds, named) = meaning(key, value)?;
        let by = PinSource::Label(key.clone());
        Some(match holds {
            true => pin(named, own.clone(), by),
            false => pin(own.clone(), named, by),
        })
    };
    labels.iter().filter_map(pin).collect()
}

/// The type has no public constructor.
fn pin(held: Resource, holder: Resource, by: PinSource) -> Pin {
    let db = Db::in_memory().unwrap();
    let store = db.namespace("n").unwrap();
    store.create(container("x").image("x")).unwrap();
    let mut pin = store.pins().unwrap().next().unwrap().unwrap();
    (pin.held, pin.holder, pin.by) = (held, holder, by);
    pin
}

fn pins_of_container(container: &Container) -> Vec<Pin> {
    let own = Resource::Container {
        id: container.id.clone(),
    };
    let mut pins = Vec::new();
    if !container.image.is_empty() {
        let image = Resource::Image {
            name: container.image.clone(),
        };
        pins.push(pin(image, own.clone(), PinSource::Image));
    }
    if !container.snapshot_key.is_empty() {
        let snapshot = Resource::Snapshot {
            snapshotter: container.snapshotter.clone(),
            key: container.snapshot_key.clone(),
        };
        pins.push(pin(snapshot, own.clone(), PinSource::Snapshot));
    }
    pins.extend(pins_of_labels(&own, &container.labels));
    pins
}

/// All pins, by looking at everything.
fn expected(store: &ReadNamespace<'_>) -> Vec<Pin> {
    let containers = store.list(&Filters::all()).unwrap();
    let mut pins: Vec<Pin> = containers.iter().flat_map(pins_of_container).collect();
    for kind in ["images", "leases"] {
        for record in store.records(kind).unwrap().list(&Filters::all()).unwrap() {
            let own = Resource::Record {
                kind: kind.to_owned(),
                id: record.id,
            };
            pins.extend(pins_of_labels(&own, &record.labels));
        }
    }
    pins
}

fn container(id: &str) -> Container {
    Container::new(id, Runtime::new("runc"), Any::new("spec", b"{}"))
}

#[derive(Clone, Debug)]
enum Change {
    Container(Container),
    Record(&'static str, Record),
    Delete(&'static str),
    DeleteRecord(&'static str, &'static str),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let labels = || btree_map(select(&KEYS[..]), select(&NAMES[..]), 0..5);
    let name = || select(&NAMES[..]);
    let kind = || select(&["images", "leases"][..]);
    let text = || select(&["", "a", "b"][..]);
    let new = (name(), text(), text(), labels()).prop_map(|(id, image, key, labels)| {
        let container = container(id).image(image).labels(labels);
        Change::Container(match key {
            "" => container,
            key => container.snapshot("o", key),
        })
    });
    let record = (kind(), name(), labels()).prop_map(|(kind, id, labels)| {
        let record = Record::new(id, Any::new("t", b"")).labels(labels);
        Change::Record(kind, record)
    });
    let change = prop_oneof![
        4 => new,
        3 => record,
        1 => name().prop_map(Change::Delete),
        1 => (kind(), name()).prop_map(|(kind, id)| Change::DeleteRecord(kind, id)),
    ];
    vec(change, 1..12)
}

fn make<S: Sink + Clone>(store: &bayplan::Collection<S>, change: Change) {
    // What is not there cannot be deleted, and a container keeps its image.
    let _: Result<()> = match change {
        Change::Container(container) => Store::put(store, container).map(drop),
        Change::Record(kind, record) => store.records(kind).unwrap().put(record).map(drop),
        Change::Delete(id) => store.delete(id),
        Change::DeleteRecord(kind, id) => store.records(kind).unwrap().delete(id),
    };
}

/// Everything whose holders may be asked for.
fn resources(pins: &[Pin]) -> Vec<Resource> {
    let mut all: Vec<Resource> = pins
        .iter()
        .flat_map(|pin| [pin.held.clone(), pin.holder.clone()])
        .collect();
    all.push(Resource::Image {
        name: "nobody's".to_owned(),
    });
    all.sort_unstable();
    all.dedup();
    all
}

macro_rules! same_pins {
    ($store:expr, $expected:expr) => {{
        let found = $store.pins().unwrap().collect::<Result<Vec<Pin>>>();
        prop_assert_eq!(&found.unwrap(), $expected);
        for resource in resources($expected) {
            let found = $store.holders_of(&resource).unwrap();
            let found = found.collect::<Result<Vec<Pin>>>().unwrap();
            let of_it = $expected.iter().filter(|pin| pin.held == resource);
            prop_assert_eq!(found, of_it.cloned().collect::<Vec<_>>(), "{}", resource);
        }
    }};
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pins_are_what_looking_at_everything_finds(
        before in changes(),
        after in changes(),
        uncommitted in changes(),
        memory_bytes in select(vec![0, 1 << 20]),
    ) {
        let db = Db::builder().memory_bytes(memory_bytes).in_memory().unwrap();
        let store = db.namespace("n").unwrap();
        // Of another namespace, with a name that begins alike.
        db.namespace("n-1").unwrap().create(container("z").image("a")).unwrap();
        for change in before {
            make(&store, change);
        }
        for _ in 0..3 {
            store.list(&Filters::all()).unwrap();
        }
        let early = db.read().unwrap();
        let early = early.namespace("n").unwrap();
        let first = expected(&early);
        same_pins!(early, &first);
        for change in after {
            make(&store, change);
        }
        same_pins!(early, &first);
        let late = db.read().unwrap();
        let second = expected(&late.namespace("n").unwrap());
        same_pins!(store, &second);

        let txn = db.begin_write().unwrap();
        let within = txn.namespace("n").unwrap();
        for change in uncommitted {
            make(&within, change);
        }
        let seen = within.pins().unwrap().collect::<Result<Vec<Pin>>>().unwrap();
        same_pins!(within, &seen);
        same_pins!(store, &second);
        drop(within);
        txn.commit().unwrap();
        let last = db.read().unwrap();
        prop_assert_eq!(seen, expected(&last.namespace("n").unwrap()));
    }
}

#[test]
fn the_pins_of_nothing_are_none() {
    let db = Db::in_memory().unwrap();
    let store = db.namespace("nowhere").unwrap();
    assert_eq!(store.pins().unwrap().count(), 0);
}

#[test]
fn an_empty_label_names_nothing_where_it_is_kept() {
    let builder = Db::builder().keep_empty_labels(true);
    let store = builder.in_memory().unwrap().namespace("n").unwrap();
    store.create(container("web").label(CONTENT, "")).unwrap();
    assert_eq!(store.pins().unwrap().count(), 0);
}

#[test]
fn the_holder_of_many_is_found_without_looking_at_all() {
    let db = Db::in_memory().unwrap();
    let store = db.namespace("n").unwrap();
    db.write(|txn| -> Result<()> {
        let store = txn.namespace("n")?;
        for number in 0..500 {
            let id = format!("c{number}");
            let content = format!("sha256:{number}");
            store.create(container(&id).snapshot("o", &id).label(CONTENT, content))?;
        }
        Ok(())
    })
    .unwrap();
    for _ in 0..3 {
        store.list(&Filters::all()).unwrap();
    }
    for resource in [
        Resource::Snapshot {
            snapshotter: "o".to_owned(),
            key: "c77".to_owned(),
        },
        Resource::Content {
            digest: "sha256:77".to_owned(),
        },
    ] {
        let pins: Vec<Pin> = store
            .holders_of(&resource)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let [pin] = pins.as_slice() else {
            panic!("{pins:?}");
        };
        assert_eq!(pin.holder, Resource::Container { id: "c77".into() });
    }
}

#[test]
fn a_damaged_record_ends_the_pins_and_the_holders_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let db = Db::create(&path).unwrap();
    let store = db.namespace("n").unwrap();
    store.create(container("a").image("nginx")).unwrap();
    let marked = Record::new("b", Any::new("t", b"")).label(CONTENT, "sha256:1");
    store.records("images").unwrap().create(marked).unwrap();
    drop((store, db));
    // A row that does not hold, in a page that does.
    let plain = redb::Database::open(&path).unwrap();
    let txn = plain.begin_write().unwrap();
    let records = TableDefinition::<&[u8], &[u8]>::new("records");
    let mut table = txn.open_table(records).unwrap();
    table.insert(&b"n\0images\0b"[..], &b"spoilt"[..]).unwrap();
    drop(table);
    txn.commit().unwrap();
    drop(plain);

    let db = Db::open(&path).unwrap();
    let snapshot = db.read().unwrap();
    let store = snapshot.namespace("n").unwrap();
    let mut pins = store.pins().unwrap();
    assert!(pins.next().unwrap().is_ok());
    let error = pins.next().unwrap().unwrap_err();
    assert!(error.is_corrupt());
    assert_eq!(error.record_kind(), Some("images"));
    let text = "read the pins of records \"b\" of kind \"images\" in namespace \"n\": ";
    assert!(error.to_string().starts_with(text), "{error}");
    assert!(pins.next().is_none());

    let nginx = Resource::Image {
        name: "nginx".to_owned(),
    };
    let found: Vec<Result<Pin>> = store.holders_of(&nginx).unwrap().collect();
    assert!(matches!(&found[..], [Ok(_), Err(error)] if error.is_corrupt()));
}
