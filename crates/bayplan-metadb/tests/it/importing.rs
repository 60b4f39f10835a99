use bayplan::{Any, Container, Db, Runtime};
use bayplan_metadb::{Error, ExportEvent, MetaDb, export};
use chrono::{DateTime, Utc};

use crate::image::{Image, LATER, TIME};
use crate::told::{content, import, imported};

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn every_field_of_a_container_comes() {
    let mut image = Image::with_web();
    image.put("v1/default/labels/team", b"infra");
    let (told, db) = imported(&image);
    assert_eq!(told.imported, ["default/web"]);
    assert_eq!((told.refused.len(), told.changed.len()), (0, 0));
    let mut web = db.namespace("default").unwrap().get("web").unwrap();
    let options = Any::new("o", b"");
    let runtime = Runtime::new("io.containerd.runc.v2").options(options);
    let mut expected = Container::new("web", runtime, Any::new("t", b"v"))
        .image("docker.io/library/nginx:1")
        .snapshot("overlayfs", "web-rootfs")
        .sandbox("pod")
        .label("app", "nginx")
        .extension("blob", Any::new("", b"\x00\xff\x01"));
    expected.created_at = time("2026-11-28T11:27:36.255540403Z");
    expected.updated_at = time("2026-11-28T11:27:37.255540403Z");
    web.revision = expected.revision;
    assert_eq!(web, expected);
    assert_eq!(db.namespace_labels("default").unwrap()["team"], "infra");
}

#[test]
fn keys_that_are_missing_are_what_containerd_takes_them_for() {
    let mut image = Image::new();
    image.put("v1/default/containers/bare/runtime/name", b"runc");
    image.put("v1/default/containers/bare/spec", b"");
    image.bucket("v1/empty");
    let (told, db) = imported(&image);
    assert_eq!(told.imported, ["default/bare"]);
    assert_eq!(told.report.namespaces_count, 2);
    let bare = db.namespace("default").unwrap().get("bare").unwrap();
    assert_eq!(bare.created_at, time("0001-01-01T00:00:00Z"));
    assert_eq!(bare.updated_at, bare.created_at);
    assert_eq!(bare.spec, Some(Any::new("", b"")));
    assert_eq!(bare.image, "");
}

#[test]
fn files_of_every_version_are_read_and_later_ones_refused() {
    for version in [&b""[..], b"\x02", b"\x04", b"\x06", b"\x08"] {
        let mut image = Image::with_web();
        match version {
            b"" => image.remove("v1/version"),
            version => image.put("v1/version", version),
        }
        assert_eq!(imported(&image).0.imported, ["default/web"]);
    }
    for (version, text) in [
        (
            &b"\x0a"[..],
            "has version 5 of containerd's schema, expected at most 4",
        ),
        (
            b"\x01",
            "has version -1 of containerd's schema, expected at most 4",
        ),
        (
            b"\x80",
            "does not tell the version of its schema: the key v1/version is damaged",
        ),
    ] {
        let mut image = Image::with_web();
        image.put("v1/version", version);
        let file = image.file();
        let error = MetaDb::open(file.path()).unwrap_err();
        assert!(error.to_string().ends_with(text), "{error}");
    }
}

#[test]
fn a_bolt_file_of_something_else_is_refused() {
    let file = Image::new().file();
    let path = file.directory.path().join("other.db");
    let mut writer = boltfile::Writer::create(&path).unwrap();
    writer.open_bucket(b"snapshots").unwrap();
    writer.close_bucket().unwrap();
    writer.finish().unwrap();
    let error = MetaDb::open(&path).unwrap_err();
    assert!(matches!(error, Error::NotContainerd { .. }), "{error}");
}

/// What is told about a container whose key is changed.
#[track_caller]
fn refused(change: impl FnOnce(&mut Image), text: &str) {
    let mut image = Image::with_web();
    image.container("default", "db");
    change(&mut image);
    let (told, _) = imported(&image);
    assert_eq!(told.refused, [text]);
    // The others come.
    assert_eq!(told.imported, ["default/db"]);
}

/// The same, of a key whose value is wrong.
#[track_caller]
fn refused_value(key: &str, value: &[u8], text: &str) {
    let path = format!("v1/default/containers/web/{key}");
    let text =
        format!("default/web: container \"web\" in namespace \"default\": the key {key}: {text}");
    refused(|image| image.put(&path, value), &text);
}

#[test]
fn a_damaged_or_unknown_key_is_named_and_the_other_containers_come() {
    refused_value(
        "createdat",
        b"",
        "a time of 0 bytes, expected 15 in version 1 and 16 in version 2",
    );
    refused_value(
        "updatedat",
        &[7; 15],
        "a time of version 7, expected 1 or 2",
    );
    refused_value("updatedat", &[1; 100], "100 bytes, expected at most 64");
    refused_value("image", b"\xff", "not UTF-8");
    refused_value("labels/app", b"\xc3", "not UTF-8");
    refused_value("labels", b"", "a value, expected a bucket");
    refused_value("runtime", b"runc", "a value, expected a bucket");
    refused_value("runtime/extensions", b"", "unknown");
    refused_value("spec", b"\x0a\x05t", "an Any that is cut short");
    refused_value(
        "runtime/options",
        b"\x1a\x00",
        "an Any with the tag 0x1a, expected 0xa and 0x12, each at most once",
    );
    refused_value("extensions/blob", b"\x80", "an Any that is cut short");
    refused_value("future", b"", "unknown");
    refused_value(
        "snapshotKey",
        &[b'k'; 65_537],
        "65537 bytes, expected at most 65536",
    );
    refused_value(
        "labels/app",
        &[b'v'; 4094],
        "4094 bytes, expected at most 4093",
    );
    refused(
        |image| image.bucket("v1/default/containers/web/image"),
        "default/web: container \"web\" in namespace \"default\": the key image: a bucket, \
         expected a value",
    );
    refused(
        |image| image.put("v1/default/containers/web", b""),
        "default/web: container \"web\" in namespace \"default\": the key web: a value, expected \
         a bucket",
    );
}

#[test]
fn more_labels_or_extensions_than_a_store_can_hold_are_refused() {
    let many = |kind: &str, count: usize, value: &[u8]| {
        let (kind, value) = (kind.to_owned(), value.to_vec());
        move |image: &mut Image| {
            for number in 0..count {
                let key = format!("v1/default/containers/web/{kind}/{number}");
                image.put(key, &value);
            }
        }
    };
    let text = "default/web: container \"web\" in namespace \"default\": the key ";
    refused(
        many("labels", 16_384, b"v"),
        &format!("{text}labels: more than 16384 labels"),
    );
    refused(
        many("extensions", 4096, b""),
        &format!("{text}extensions: more than 4096 extensions of 64 MiB together"),
    );
}

#[test]
fn what_the_rules_of_a_store_refuse_is_told_by_the_store() {
    refused(
        |image| image.remove("v1/default/containers/web/spec"),
        "default/web: import container \"web\" in namespace \"default\": `spec` is required",
    );
    refused(
        |image| image.put("v1/default/containers/web/runtime/name", b""),
        "default/web: import container \"web\" in namespace \"default\": `runtime.name` is required",
    );
    let mut image = Image::new();
    image.container("default", &"x".repeat(77));
    image.container("default", "a--b");
    image.container("default", "web");
    let (told, _) = imported(&image);
    assert_eq!(told.imported, ["default/web"]);
    assert_eq!(told.refused.len(), 2);
    assert!(told.refused[1].contains("77"), "{}", told.refused[1]);
    assert!(!told.report.is_damaged);
}

#[test]
fn a_namespace_that_cannot_be_is_told_and_the_others_come() {
    let mut image = Image::with_web();
    image.container("-bad", "web");
    image.put(b"v1/\xff/containers/web/image", b"");
    image.put("v1/labels/labels/big", &[b'v'; 4096]);
    image.container("labels", "kept");
    image.put("v1/values/containers", b"");
    let (told, db) = imported(&image);
    assert_eq!(told.imported, ["default/web", "labels/kept"]);
    let beginnings: Vec<_> = told
        .refused
        .iter()
        .map(|text| text.split_once(": ").unwrap().0)
        .collect();
    assert_eq!(beginnings, ["-bad", "labels", "values", "\\xff"]);
    assert!(db.namespace_labels("labels").unwrap().is_empty());
}

#[test]
fn labels_without_values_are_dropped_and_told_unless_the_store_keeps_them() {
    let mut image = Image::with_web();
    image.put("v1/default/labels/gone", b"");
    image.put("v1/default/containers/web/labels/none", b"");
    let (told, db) = imported(&image);
    assert_eq!(told.changed, ["default: gone", "default/web: none"]);
    assert!(db.namespace_labels("default").unwrap().is_empty());

    let file = image.file();
    let keeping = Db::builder().keep_empty_labels(true).in_memory().unwrap();
    let told = import(&MetaDb::open(file.path()).unwrap(), &keeping).unwrap();
    assert!(told.changed.is_empty());
    assert_eq!(keeping.namespace_labels("default").unwrap()["gone"], "");
    let web = keeping.namespace("default").unwrap().get("web").unwrap();
    assert_eq!(web.labels["none"], "");
}

#[test]
fn a_container_that_was_updated_before_it_was_created_comes_with_one_time() {
    let mut image = Image::with_web();
    image.put("v1/default/containers/web/createdat", LATER);
    image.put("v1/default/containers/web/updatedat", TIME);
    let (told, db) = imported(&image);
    assert_eq!(told.changed, ["default/web: UpdatedAt"]);
    let web = db.namespace("default").unwrap().get("web").unwrap();
    assert_eq!(web.created_at, time("2026-11-28T11:27:37.255540403Z"));
    assert_eq!(web.updated_at, web.created_at);
}

#[test]
fn objects_of_other_kinds_are_counted_in_their_namespaces() {
    let mut image = Image::with_web();
    for path in [
        "v1/default/images/nginx/target/digest",
        "v1/default/images/redis/target/digest",
        "v1/default/content/blob/sha256:1/size",
        "v1/default/content/ingests/layer/ref",
        "v1/default/snapshots/overlayfs/a/name",
        "v1/default/snapshots/native/b/name",
        "v1/default/snapshots/native/c/name",
        "v1/default/leases/l/createdat",
        "v1/other/sandboxes/pod/createdat",
        // Where containerd 1.7 kept them.
        "default/sandboxes/pod/createdat",
    ] {
        image.put(path, b"x");
    }
    image.bucket("v1/other/leases");
    let (told, _) = imported(&image);
    assert_eq!(
        told.left_behind,
        [
            "default/content: 1",
            "default/images: 2",
            "default/ingests: 1",
            "default/leases: 1",
            "default/snapshots: 3",
            "other/sandboxes: 1",
            "default/sandboxes: 1",
        ]
    );
}

#[test]
fn what_is_there_already_stays_and_a_second_run_brings_the_rest() {
    let mut image = Image::new();
    for number in 0..1500 {
        image.container("default", &format!("c{number:04}"));
    }
    image.put("v1/default/labels/team", b"infra");
    let file = image.file();
    let meta = MetaDb::open(file.path()).unwrap();
    let db = Db::in_memory().unwrap();
    // As after a crash behind a transaction with 512 containers.
    let store = db.namespace("default").unwrap();
    let mut first = image.clone();
    for number in 512..1500 {
        first.remove(&format!("v1/default/containers/c{number:04}"));
    }
    let part = first.file();
    import(&MetaDb::open(part.path()).unwrap(), &db).unwrap();
    store.set_label("c0000", "app", "changed").unwrap();

    let told = import(&meta, &db).unwrap();
    assert_eq!(told.imported.len(), 1500 - 512);
    assert_eq!(told.refused.len(), 512);
    assert!(
        told.refused[0].contains("already exists"),
        "{:?}",
        told.refused[0]
    );
    assert_eq!(store.get("c0000").unwrap().labels["app"], "changed");

    // The labels of the namespace differ: they stay, and that is told.
    db.set_namespace_label("default", "team", "other").unwrap();
    let before = content(&db);
    let told = import(&meta, &db).unwrap();
    assert_eq!((told.imported.len(), told.refused.len()), (0, 1501));
    assert_eq!(content(&db), before);
}

#[test]
fn a_file_that_is_held_by_its_writer_is_locked() {
    let file = Image::with_web().file();
    let held = std::fs::File::open(file.path()).unwrap();
    held.lock().unwrap();
    let error = MetaDb::open(file.path()).unwrap_err();
    assert!(
        matches!(error, Error::Bolt(boltfile::Error::Locked { .. })),
        "{error}"
    );
    drop(held);
    assert!(MetaDb::open(file.path()).is_ok());
}

#[test]
fn a_namespace_that_containerd_cannot_have_ends_an_export_before_it_begins() {
    let db = Db::in_memory().unwrap();
    db.create_namespace("version", [].into()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.db");
    let error = export(&db.read().unwrap(), &path, |_| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        "containerd cannot have a namespace named \"version\": its file has another key there"
    );
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn an_export_counts_records_of_other_kinds_and_overwrites_nothing() {
    let db = Db::in_memory().unwrap();
    let store = db.namespace("default").unwrap();
    let leases = store.records("leases").unwrap();
    for id in ["a", "b"] {
        leases
            .create(bayplan::Record::new(id, Any::new("t", b"")))
            .unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.db");
    let snapshot = db.read().unwrap();
    let mut left = Vec::new();
    let report = export(&snapshot, &path, |event| {
        if let ExportEvent::LeftBehind {
            namespace,
            kind,
            count,
        } = event
        {
            left.push(format!("{namespace}/{kind}: {count}"));
        }
    });
    assert_eq!(report.unwrap().records_left_count, 2);
    assert_eq!(left, ["default/leases: 2"]);
    let error = export(&snapshot, &path, |_| {}).unwrap_err();
    assert!(
        matches!(error, Error::Bolt(boltfile::Error::Exists { .. })),
        "{error}"
    );
}

#[test]
fn the_type_of_errors_is_small_and_can_go_anywhere() {
    fn goes<T: Send + Sync + 'static>() {}
    goes::<Error>();
    assert!(size_of::<Error>() <= 128, "{}", size_of::<Error>());
}
