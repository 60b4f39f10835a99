//! Laws of records of other kinds, and of their independence from containers.

use bayplan::{Any, Container, ErrorKind, FieldMask, Filters, Record, Revision};

use crate::expect::{equal, fails, finds, holds, lists, namespaces_are, stored, tells, written};
use crate::sample::{AWAY, HOME, NO_IDENTIFIERS, any, bare};
use crate::{Fixture, Law, Subject, Verdict, law_list};

/// The laws of this module.
pub const LAWS: &[Law] = law_list![
    [.of_records()]
    a_kind_of_records_is_an_identifier_and_not_reserved,
    the_id_of_a_record_is_free_text,
    ids_of_records_are_ordered_bytewise,
    a_record_and_a_container_of_the_same_id_do_not_know_each_other,
    records_of_two_kinds_do_not_know_each_other,
    revisions_are_one_sequence_over_containers_and_records,
    a_full_update_of_a_record_replaces_labels_and_value,
    the_value_of_a_record_may_be_empty_and_is_kept_byte_for_byte,
    filters_of_records_know_the_type_of_the_value,
    filters_of_records_know_no_field_of_containers,
    record_kinds_tells_what_a_namespace_holds,
    delete_namespace_that_holds_records_fails_and_counts_them_by_kind,
    a_namespace_stays_when_its_last_record_goes,
];

/// The error names the kind.
pub fn a_kind_of_records_is_an_identifier_and_not_reserved(fixture: &dyn Fixture) -> Verdict {
    for kind in NO_IDENTIFIERS.iter().chain(&["containers", "version"]) {
        let store = fixture
            .records(HOME, kind)
            .map(|store| store.name().clone());
        let what = format!("a store of the kind {kind:?}");
        let error = fails(&what, store, ErrorKind::InvalidArgument)?;
        tells(&error, &["kind"])?;
    }
    let kinds = ["a", "a-b", "a.b", "labels", "namespaces", "v1"];
    let longest = "k".repeat(bayplan::limits::IDENTIFIER_MAX_BYTES);
    for kind in kinds.into_iter().chain([longest.as_str()]) {
        let store = fixture.records(HOME, kind)?;
        equal("the namespace", &store.name().as_str(), &HOME)?;
        stored(&*store, &store.create(Record::bare(kind))?)?;
        lists(&*store, &Filters::all(), &[kind])?;
    }
    let over = fixture.records(HOME, &format!("{longest}k"));
    let over = over.map(|store| store.name().clone());
    fails("a store of a long kind", over, ErrorKind::InvalidArgument)?;
    Ok(())
}

/// An id may be any text, such as the name of an image, except that it has no byte 00.
pub fn the_id_of_a_record_is_free_text(fixture: &dyn Fixture) -> Verdict {
    let store = Record::store(fixture, HOME)?;
    let ids = [
        "docker.io/library/nginx:1.29",
        "example.org/a@sha256:0123456789abcdef",
        " ",
        ".",
        "a/b",
        "-",
        "é日本\u{10ffff}",
        "\n\u{1}\u{7f}",
        "\"'\\",
        "x",
    ];
    for id in ids {
        let created = store.create(Record::complete(id))?;
        written(&created, &Record::complete(id))?;
        stored(&*store, &created)?;
        finds(&*store, &format!("id=={}", quoted(id)), &[id])?;
        let updated = store.update(renamed(Record::other(), id), &FieldMask::full())?;
        stored(&*store, &updated)?;
    }
    for id in ids {
        store.delete(id)?;
        fails("get", store.get(id), ErrorKind::NotFound)?;
    }
    lists(&*store, &Filters::all(), &[])
}

fn renamed(mut record: Record, id: &str) -> Record {
    record.id = id.to_owned();
    record
}

/// A text as a filter has it.
fn quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for byte in text.bytes() {
        quoted.push_str(&format!("\\x{byte:02x}"));
    }
    quoted.push('"');
    quoted
}

/// Also if one id begins with another, and for characters beyond those of an identifier.
pub fn ids_of_records_are_ordered_bytewise(fixture: &dyn Fixture) -> Verdict {
    let store = Record::store(fixture, HOME)?;
    let ordered = [
        "\u{1}", " ", "a", "a\u{1}", "a b", "a-", "a.b", "a/b", "a/b/c", "a:b", "aa", "~", "é",
        "日",
    ];
    for id in ordered.iter().rev() {
        store.create(Record::bare(id))?;
    }
    lists(&*store, &Filters::all(), &ordered)?;
    for (number, id) in ordered.iter().enumerate() {
        let rest = ordered.get(number + 1..).unwrap_or_default();
        let page = store.query().after(*id).ids()?;
        equal("the ids of the rest", &page, rest)?;
    }
    Ok(())
}

/// No write to one affects the other.
pub fn a_record_and_a_container_of_the_same_id_do_not_know_each_other(
    fixture: &dyn Fixture,
) -> Verdict {
    let containers = fixture.store(HOME)?;
    let records = Record::store(fixture, HOME)?;
    let container = containers.create(Container::complete("web"))?;
    fails("get", records.get("web"), ErrorKind::NotFound)?;
    let record = records.create(Record::complete("web"))?;
    stored(&*containers, &container)?;
    stored(&*records, &record)?;
    for filter in ["", "id==web", "labels.app==nginx"] {
        finds(&*containers, filter, &["web"])?;
        finds(&*records, filter, &["web"])?;
    }
    let container = containers.put(Container::complete("web").label("of", "container"))?;
    stored(&*records, &record)?;
    records.delete("web")?;
    stored(&*containers, &container)?;
    let record = records.create(Record::bare("web"))?;
    written(&record, &Record::bare("web"))?;
    containers.delete("web")?;
    stored(&*records, &record)?;
    fails("get", containers.get("web"), ErrorKind::NotFound)?;
    Ok(())
}

/// Kinds that begin alike are kept apart, as namespaces are.
pub fn records_of_two_kinds_do_not_know_each_other(fixture: &dyn Fixture) -> Verdict {
    let kinds = ["a", "a-b", "a.b", "ab"];
    let mut created = Vec::new();
    for kind in kinds {
        let store = fixture.records(HOME, kind)?;
        fails("get", store.get("web"), ErrorKind::NotFound)?;
        created.push(store.create(Record::bare("web").label("kind", kind))?);
        lists(&*store, &Filters::all(), &["web"])?;
    }
    fixture.records(HOME, "a")?.delete("web")?;
    for (kind, record) in kinds.iter().zip(&created).skip(1) {
        stored(&*fixture.records(HOME, kind)?, record)?;
    }
    fails(
        "get in another namespace",
        fixture.records(AWAY, "ab")?.get("web"),
        ErrorKind::NotFound,
    )?;
    Ok(())
}

/// A revision identifies one state of one item.
pub fn revisions_are_one_sequence_over_containers_and_records(fixture: &dyn Fixture) -> Verdict {
    let containers = fixture.store(HOME)?;
    let records = Record::store(fixture, HOME)?;
    let others = fixture.records(AWAY, "others")?;
    let mut last = Revision::NONE;
    for round in 0..3 {
        let label = |record: Record| record.label("round", round.to_string());
        for revision in [
            containers.put(bare("web"))?.revision,
            records.put(label(Record::bare("web")))?.revision,
            others.put(label(Record::bare("web")))?.revision,
            records.put(Record::bare("web"))?.revision,
        ] {
            holds("a revision later than the last", revision > last)?;
            last = revision;
        }
    }
    Ok(())
}

/// Only the id of a record is immutable.
pub fn a_full_update_of_a_record_replaces_labels_and_value(fixture: &dyn Fixture) -> Verdict {
    let store = Record::store(fixture, HOME)?;
    store.create(Record::complete("web"))?;
    for input in [Record::other(), Record::new("web", Any::default())] {
        let updated = store.update(input.clone(), &FieldMask::full())?;
        written(&updated, &input)?;
        stored(&*store, &updated)?;
    }
    Ok(())
}

/// Values are bytes that are never interpreted.
pub fn the_value_of_a_record_may_be_empty_and_is_kept_byte_for_byte(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = Record::store(fixture, HOME)?;
    let bytes: Vec<u8> = (0..=255).rev().collect();
    for value in [
        Any::new("/odd URL\n\0é", bytes),
        Any::default(),
        Any::new("t", b""),
        Any::new("", vec![0; 10_000]),
    ] {
        let record = store.put(Record::new("web", value.clone()))?;
        let is_kept = record.value == value && store.get("web")?.value == value;
        holds("the value to be kept", is_kept)?;
    }
    Ok(())
}

/// A value whose type is empty has none.
pub fn filters_of_records_know_the_type_of_the_value(fixture: &dyn Fixture) -> Verdict {
    let store = Record::store(fixture, HOME)?;
    store.create(Record::new("a", any("image")))?;
    store.create(Record::new("b", any("lease")))?;
    store.create(Record::new("c", Any::new("", b"x")))?;
    finds(&*store, "type==example.com/image", &["a"])?;
    finds(&*store, "type!=example.com/image", &["b", "c"])?;
    finds(&*store, "type~=^example", &["a", "b"])?;
    finds(&*store, "type", &["a", "b"])?;
    store.update(Record::new("a", any("lease")), &Record::value_mask())?;
    finds(&*store, "type==example.com/image", &[])?;
    finds(&*store, "type==example.com/lease", &["a", "b"])
}

/// Such fields are absent, which is no error.
pub fn filters_of_records_know_no_field_of_containers(fixture: &dyn Fixture) -> Verdict {
    let store = Record::store(fixture, HOME)?;
    store.create(Record::complete("web"))?;
    for field in [
        "image",
        "runtime.name",
        "snapshotter",
        "snapshotkey",
        "sandboxid",
        "extensions.first",
        "value",
        "nope",
    ] {
        finds(&*store, field, &[])?;
        finds(&*store, &format!("{field}!=x"), &["web"])?;
    }
    let containers = fixture.store(HOME)?;
    containers.create(bare("web"))?;
    finds(&*containers, "type", &[])
}

/// In order, and without the kind of the containers.
pub fn record_kinds_tells_what_a_namespace_holds(fixture: &dyn Fixture) -> Verdict {
    let namespaces = fixture.namespaces();
    let are = |namespace: &str, kinds: &[&str]| {
        let found = namespaces.record_kinds(namespace)?;
        equal("the kinds", &found, kinds)
    };
    are(HOME, &[])?;
    are("no/identifier", &[])?;
    fixture.store(HOME)?.create(bare("web"))?;
    are(HOME, &[])?;
    for kind in ["sandboxes", "images", "a", "a.b", "a-b", "zebras"] {
        fixture.records(HOME, kind)?.create(Record::bare("x"))?;
    }
    fixture.records(AWAY, "leases")?.create(Record::bare("x"))?;
    are(HOME, &["a", "a-b", "a.b", "images", "sandboxes", "zebras"])?;
    are(AWAY, &["leases"])?;
    fixture.records(HOME, "images")?.delete("x")?;
    are(HOME, &["a", "a-b", "a.b", "sandboxes", "zebras"])
}

/// Of every kind: how many, and which.
pub fn delete_namespace_that_holds_records_fails_and_counts_them_by_kind(
    fixture: &dyn Fixture,
) -> Verdict {
    let namespaces = fixture.namespaces();
    let leases = fixture.records(HOME, "leases")?;
    leases.create(Record::bare("nightly"))?;
    let result = namespaces.delete_namespace(HOME);
    let error = fails("delete_namespace", result, ErrorKind::FailedPrecondition)?;
    tells(&error, &[HOME, "1", "leases", "nightly"])?;
    for id in ["nginx:1", "nginx:2", "nginx:3"] {
        fixture.records(HOME, "images")?.create(Record::bare(id))?;
    }
    fixture.store(HOME)?.create(bare("web"))?;
    let result = namespaces.delete_namespace(HOME);
    let error = fails("delete_namespace", result, ErrorKind::FailedPrecondition)?;
    tells(
        &error,
        &[
            "1 container",
            "web",
            "1 record",
            "leases",
            "3 records",
            "images",
            "nginx:1",
        ],
    )?;
    namespaces_are(fixture, &[HOME])?;
    lists(&*leases, &Filters::all(), &["nightly"])
}

/// A namespace created by its first record is one like any other.
pub fn a_namespace_stays_when_its_last_record_goes(fixture: &dyn Fixture) -> Verdict {
    let store = Record::store(fixture, HOME)?;
    store.create(Record::bare("x"))?;
    store.delete("x")?;
    namespaces_are(fixture, &[HOME])?;
    fixture.namespaces().delete_namespace(HOME)?;
    namespaces_are(fixture, &[])
}
