//! Containers to store, and all that a store holds, to compare.

use std::collections::BTreeMap;

use bayplan::{
    Any, Change, Container, Db, Event, Filters, Found, Labels, Record, Result, Runtime, Subject,
};

use super::seed::Seed;

pub(crate) const RUNTIME: &str = "io.containerd.runc.v2";
pub(crate) const SPEC: &str = "types.containerd.io/opencontainers/runtime-spec/1/Spec";

/// A container without anything special.
pub(crate) fn plain(id: &str) -> Container {
    Container::new(id, Runtime::new(RUNTIME), Any::new(SPEC, b"{}"))
}

/// A container of which everything but the id follows from `mark`, which is one of its labels.
pub(crate) fn marked(id: &str, mark: u64, spec_max_bytes: usize) -> Container {
    let mut seed = Seed::new(mark);
    let spec_bytes = seed.below(spec_max_bytes + 1);
    let mut container = Container::new(
        id,
        Runtime::new(RUNTIME).options(Any::new("options", seed.bytes(16))),
        Any::new(SPEC, seed.bytes(spec_bytes)),
    )
    .image(format!("example.org/image-{}:latest", seed.below(9)))
    .snapshot("overlayfs", format!("{id}-rootfs"))
    .label("mark", mark.to_string());
    for number in 0..seed.below(5) {
        let value = format!("{:x}", seed.number());
        container = container.label(format!("label-{number}"), value);
    }
    for number in 0..seed.below(3) {
        let size = seed.below(200);
        container
            .extensions
            .insert(format!("ext-{number}"), Any::new("x", seed.bytes(size)));
    }
    container
}

/// The mark of a stored container.
pub(crate) fn mark_of(container: &Container) -> Option<u64> {
    container.labels.get("mark")?.parse().ok()
}

/// The same container as its caller made it: without what the store sets.
pub(crate) fn without_stamps(mut container: Container) -> Container {
    let bare = Container::with_id("");
    container.created_at = bare.created_at;
    container.updated_at = bare.updated_at;
    container.revision = bare.revision;
    container
}

/// Everything that a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) containers: BTreeMap<(String, String), Container>,
    /// By namespace, kind and id.
    pub(crate) records: BTreeMap<(String, String, String), Record>,
    pub(crate) namespaces: BTreeMap<String, Labels>,
}

impl Contents {
    /// Reads everything, each container in a listing and by its id.
    pub(crate) fn of(db: &Db) -> Result<Self> {
        let snapshot = db.read()?;
        let mut contents = Self::default();
        for name in snapshot.list_namespaces()? {
            let labels = snapshot.namespace_labels(name.as_str())?;
            let store = snapshot.namespace(name.as_str())?;
            for container in store.list(&Filters::all())? {
                assert_eq!(store.get(&container.id)?, container);
                let key = (name.to_string(), container.id.clone());
                contents.containers.insert(key, container);
            }
            for kind in snapshot.record_kinds(name.as_str())? {
                let records = store.records(&kind)?;
                for record in records.list(&Filters::all())? {
                    assert_eq!(records.get(&record.id)?, record);
                    let key = (name.to_string(), kind.clone(), record.id.clone());
                    contents.records.insert(key, record);
                }
            }
            contents.namespaces.insert(name.to_string(), labels);
        }
        Ok(contents)
    }
}

impl Contents {
    /// Does what the feed says. Nothing may be created that is known, or updated that is not.
    pub(crate) fn apply(&mut self, change: Change) -> Result<(), String> {
        let name = change.namespace.to_string();
        let told = format!("{change:?}");
        let is_right = match change.subject {
            Subject::Namespace(event) => follow(&mut self.namespaces, name, event),
            Subject::Container { id, event } => {
                follow(&mut self.containers, (name, id), whole(event))
            }
            Subject::Record { kind, id, event } => {
                follow(&mut self.records, (name, kind, id), whole(event))
            }
            #[allow(
                unreachable_patterns,
                reason = "the tests inside the crate know all of them"
            )]
            _ => false,
        };
        match is_right {
            true => Ok(()),
            false => Err(format!("it does not follow what was told before: {told}")),
        }
    }
}

fn whole<T: bayplan::Stored>(event: Event<Found<T>>) -> Event<T> {
    let item = |found| match found {
        Found::Whole(item) => item,
        _ => panic!("the whole was asked for"),
    };
    match event {
        Event::Created(found) => Event::Created(item(found)),
        Event::Updated(found) => Event::Updated(item(found)),
        _ => Event::Deleted,
    }
}

fn follow<K: Ord, T>(known: &mut BTreeMap<K, T>, key: K, event: Event<T>) -> bool {
    match event {
        Event::Created(item) => known.insert(key, item).is_none(),
        Event::Updated(item) => known.insert(key, item).is_some(),
        // What was created and deleted in between is reported only as deleted.
        _ => {
            known.remove(&key);
            true
        }
    }
}

/// A store with containers of all sizes in several namespaces, some updated, some deleted.
pub(crate) fn populate(db: &Db, seed: &mut Seed, count: usize) -> Result<()> {
    for (name, value) in [("k8s.io", "a"), ("default", "b"), ("moby", "c")] {
        db.create_namespace(name, Labels::from([("of".into(), value.into())]))?;
    }
    let names = ["k8s.io", "default", "moby", "archive"];
    for batch in 0..count.div_ceil(25) {
        db.write(|txn| {
            for number in 0..25 {
                let name = names[seed.below(names.len())];
                let id = format!("c{}-{batch}-{number}", seed.below(1000));
                let most = [0, 200, 2_000, 20_000][seed.below(4)];
                let containers = txn.namespace(name)?;
                containers.create(marked(&id, seed.number(), most))?;
                if seed.one_in(4) {
                    let kind = ["images", "leases"][seed.below(2)];
                    let mark = seed.number();
                    let value = Any::new("value", seed.bytes(most.min(3_000)));
                    let record = Record::new(format!("{id}:{mark}/x"), value);
                    let record = record.label("mark", mark.to_string());
                    containers.records(kind)?.create(record)?;
                }
            }
            Ok::<_, bayplan::Error>(())
        })?;
    }
    for name in names {
        let store = db.namespace(name)?;
        for id in store.query().ids()? {
            match seed.below(20) {
                0 => store.delete(&id)?,
                1 => {
                    let mask = bayplan::FieldMask::parse(["labels", "spec", "extensions"])?;
                    store.update(marked(&id, seed.number(), 3_000), &mask)?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}
