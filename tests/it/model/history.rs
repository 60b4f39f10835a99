//! What can happen to a store, from small alphabets, so that operations collide.

use bayplan::{Any, Container, Labels, Record, Runtime};
use chrono::{DateTime, Utc};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::filter;

/// One operation, as any implementation can do it.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Containers(&'static str, Work<Container>),
    /// In a namespace, of a kind.
    Records(&'static str, &'static str, Work<Record>),
    CreateNamespace(&'static str, Labels),
    SetLabel(&'static str, &'static str, &'static str),
    DeleteNamespace(&'static str),
    ListNamespaces,
    Labels(&'static str),
    RecordKinds(&'static str),
}

/// What is done in one store.
#[derive(Clone, Debug)]
pub(crate) enum Work<T> {
    Create(T),
    Import(T),
    Put(T, Seen),
    Update(T, Vec<&'static str>, Seen),
    Apply(&'static str, Vec<Change>, Seen),
    Delete(&'static str, Seen),
    Get(&'static str),
    List(filter::Any, Page),
}

/// A change that an update names.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    SetLabel(&'static str, &'static str),
    RemoveLabel(&'static str),
    Labels(Labels),
    /// Of a container's spec, or a record's value.
    Value(Any),
}

/// Where a page begins, and how many are on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    pub(crate) after: Option<&'static str>,
    pub(crate) limit: Option<usize>,
}

/// Which revision a write expects.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seen {
    Whatever,
    Current,
    Older,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Commit,
    Abort,
    Drop,
}

/// One step of a history.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    One(Box<Operation>),
    Transaction(Vec<Operation>, End),
    /// Takes a snapshot, to be compared later.
    Snapshot,
    /// Compares and releases the oldest snapshot.
    Release,
    /// Closes the file and opens it again.
    Reopen,
    /// Moves the clock, possibly back or not at all.
    Clock(i64),
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let end = prop_oneof![
        3 => Just(End::Commit),
        1 => Just(End::Abort),
        1 => Just(End::Drop),
    ];
    let step = prop_oneof![
        24 => operation().prop_map(|one| Step::One(Box::new(one))),
        4 => (vec(operation(), 0..6), end).prop_map(|(all, end)| Step::Transaction(all, end)),
        2 => Just(Step::Snapshot),
        2 => Just(Step::Release),
        1 => Just(Step::Reopen),
        4 => prop_oneof![Just(1), Just(0), -3..4_i64, Just(1_000_000_000)].prop_map(Step::Clock),
    ];
    vec(step, 1..40)
}

fn seen() -> impl Strategy<Value = Seen> {
    prop_oneof![
        4 => Just(Seen::Whatever),
        2 => Just(Seen::Current),
        1 => Just(Seen::Older),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let kind = prop_oneof![8 => select(&["r", "r-1"][..]), 1 => select(&["version", "a/b"][..])];
    let containers = work(container().boxed(), mask().boxed());
    let records = work(record().boxed(), record_mask().boxed());
    prop_oneof![
        20 => (namespace(), containers).prop_map(|(name, what)| Operation::Containers(name, what)),
        12 => (namespace(), kind, records)
            .prop_map(|(name, kind, what)| Operation::Records(name, kind, what)),
        1 => (namespace(), labels()).prop_map(|(name, new)| Operation::CreateNamespace(name, new)),
        2 => (namespace(), select(&["k", "l", ""][..]), select(&["", "1", "2"][..]))
            .prop_map(|(name, key, value)| Operation::SetLabel(name, key, value)),
        2 => namespace().prop_map(Operation::DeleteNamespace),
        1 => Just(Operation::ListNamespaces),
        1 => namespace().prop_map(Operation::Labels),
        1 => namespace().prop_map(Operation::RecordKinds),
    ]
}

fn work<T: Clone + std::fmt::Debug + 'static>(
    new: BoxedStrategy<T>,
    mask: BoxedStrategy<Vec<&'static str>>,
) -> impl Strategy<Value = Work<T>> {
    let change = prop_oneof![
        3 => (select(&["k", "k.x", "l", ""][..]), select(&["", "1", "2"][..]))
            .prop_map(|(key, value)| Change::SetLabel(key, value)),
        2 => select(&["k", "k.x", "l"][..]).prop_map(Change::RemoveLabel),
        1 => labels().prop_map(Change::Labels),
        2 => value().prop_map(Change::Value),
    ];
    prop_oneof![
        6 => new.clone().prop_map(Work::Create),
        2 => new.clone().prop_map(Work::Import),
        4 => (new.clone(), seen()).prop_map(|(new, seen)| Work::Put(new, seen)),
        6 => (new, mask, seen()).prop_map(|(new, mask, seen)| Work::Update(new, mask, seen)),
        3 => (id(), vec(change, 0..3), seen())
            .prop_map(|(id, changes, seen)| Work::Apply(id, changes, seen)),
        4 => (id(), seen()).prop_map(|(id, seen)| Work::Delete(id, seen)),
        2 => id().prop_map(Work::Get),
        4 => (filter::filters(), page()).prop_map(|(filters, page)| Work::List(filters, page)),
    ]
}

/// Mostly two names that begin alike.
fn namespace() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        8 => select(&["n", "n-1"][..]),
        1 => select(&["version", "a/b", ""][..]),
    ]
}

/// Mostly a few ids that begin alike.
fn id() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        12 => select(&["a", "a-1", "a.b", "b"][..]),
        1 => select(&["", "a-", "a\0"][..]),
    ]
}

fn page() -> impl Strategy<Value = Page> {
    let after = select(&["", "a", "a-1", "a0", "a\0", "b", "~"][..]);
    (option::of(after), option::of(0..4_usize)).prop_map(|(after, limit)| Page { after, limit })
}

fn mask() -> impl Strategy<Value = Vec<&'static str>> {
    let good = [
        "labels",
        "labels.k",
        "labels.k.x",
        "spec",
        "extensions",
        "extensions.e",
        "extensions.e.f",
    ];
    let path = prop_oneof![
        12 => select(good.to_vec()),
        2 => select(&["image", "snapshotkey"][..]),
        1 => select(&["id", "runtime", "nope", "labels.", "value"][..]),
    ];
    vec(path, 0..3)
}

fn record_mask() -> impl Strategy<Value = Vec<&'static str>> {
    let path = prop_oneof![
        12 => select(&["labels", "labels.k", "labels.k.x", "value"][..]),
        1 => select(&["id", "spec", "extensions", "nope", "labels."][..]),
    ];
    vec(path, 0..3)
}

/// Times for an import, sometimes in the wrong order.
fn times() -> impl Strategy<Value = (DateTime<Utc>, DateTime<Utc>)> {
    let time = || (0..4_i64).prop_map(|number| DateTime::from_timestamp_nanos(number - 1));
    let far = Just(DateTime::from_timestamp_nanos(1_700_000_001_000_000_000));
    (time(), prop_oneof![2 => time(), 3 => far])
}

fn record() -> impl Strategy<Value = Record> {
    (id(), value(), labels(), times()).prop_map(|(id, value, labels, times)| {
        let mut record = Record::new(id, value);
        record.labels = labels;
        (record.created_at, record.updated_at) = times;
        record
    })
}

fn labels() -> impl Strategy<Value = Labels> {
    let key = prop_oneof![20 => select(&["k", "k.x", "l"][..]), 1 => Just("")];
    btree_map(
        key.prop_map(str::to_owned),
        select(&["", "1", "2"][..]).prop_map(str::to_owned),
        0..4,
    )
}

fn value() -> impl Strategy<Value = Any> {
    let bytes = prop_oneof![
        6 => vec(any::<u8>(), 0..4),
        1 => (any::<u8>(), 3_000..9_000_usize).prop_map(|(byte, count)| vec![byte; count]),
    ];
    (select(&["", "t", "u"][..]), bytes).prop_map(|(kind, bytes)| Any::new(kind, bytes))
}

/// A text that is mostly the same, so that updates are mostly allowed.
fn mostly(often: &'static str, seldom: &'static str) -> impl Strategy<Value = &'static str> {
    prop_oneof![10 => Just(often), 1 => Just(seldom)]
}

fn container() -> impl Strategy<Value = Container> {
    let key = prop_oneof![20 => select(&["e", "e.f"][..]), 1 => Just("")];
    let extensions = btree_map(key.prop_map(str::to_owned), value(), 0..3);
    let spec = prop_oneof![10 => value().prop_map(Some), 1 => Just(None)];
    let options = prop_oneof![12 => Just(None), 1 => value().prop_map(Some)];
    let texts = (
        mostly("", "i"),
        prop_oneof![16 => Just("r"), 1 => Just("s"), 1 => Just("")],
        mostly("s", ""),
        mostly("", "i"),
        mostly("", "i"),
    );
    (id(), texts, spec, options, labels(), extensions, times()).prop_map(
        |(id, texts, spec, options, labels, extensions, times)| {
            let (image, runtime, snapshotter, snapshot_key, sandbox) = texts;
            let mut container = Container::with_id(id)
                .image(image)
                .snapshot(snapshotter, snapshot_key)
                .sandbox(sandbox);
            container.runtime = Runtime::new(runtime);
            container.runtime.options = options;
            container.spec = spec;
            container.labels = labels;
            container.extensions = extensions;
            (container.created_at, container.updated_at) = times;
            container
        },
    )
}
