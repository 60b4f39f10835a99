//! The surface: auto traits, texts of errors, forms of values.

use std::error::Error as _;

use bayplan::{
    Any, CheckReport, Container, ContainerHeader, ContainerId, Db, Error, FieldMask,
    FieldMaskError, FieldPath, Filter, FilterError, Filters, Labels, Namespace, NamespaceName,
    Namespaces, Query, ReadNamespaces, ReadStore, ReadTxn, Record, Records, Result, Revision,
    Rules, Runtime, Store, Stored as _,
};
use proptest::prelude::*;

fn sample(id: &str) -> Container {
    Container::new(id, Runtime::new("runc"), Any::new("spec", b"{}"))
}

fn store() -> Namespace {
    Db::in_memory().unwrap().namespace("k8s.io").unwrap()
}

#[test]
fn handles_and_values_cross_threads() {
    fn crosses<T: Send + Sync + 'static>() {}
    crosses::<Db>();
    crosses::<Namespace>();
    crosses::<ReadTxn>();
    crosses::<Records>();
    crosses::<Record>();
    crosses::<Error>();
    crosses::<Container>();
    crosses::<ContainerHeader>();
    crosses::<Filters>();
    crosses::<FieldMask>();
    crosses::<CheckReport>();
}

#[test]
fn handles_and_values_can_be_cloned() {
    fn clones<T: Clone>() {}
    clones::<Db>();
    clones::<Namespace>();
    clones::<Error>();
    clones::<Container>();
    clones::<Filters>();
    clones::<FieldMask>();
    clones::<Records>();
    clones::<Record>();
}

#[test]
fn the_traits_are_object_safe() {
    let db = Db::in_memory().unwrap();
    let store: Box<dyn Store> = Box::new(db.namespace("k8s.io").unwrap());
    let namespaces: Box<dyn Namespaces> = Box::new(db);
    store.create(sample("web")).unwrap();
    let reader: &dyn ReadStore = &*store;
    assert_eq!(reader.query().count().unwrap(), 1);
    assert_eq!(store.query().ids().unwrap(), ["web"]);
    fn count<S: ReadStore + ?Sized>(store: &S) -> u64 {
        let query: Query<'_> = store.query();
        query.count().unwrap()
    }
    assert_eq!((count(&*store), count(reader)), (1, 1));
    let reader: &dyn ReadNamespaces = &*namespaces;
    assert_eq!(reader.list_namespaces().unwrap().len(), 1);
}

#[test]
fn an_error_fits_into_a_boxed_one_and_an_io_result() {
    fn boxed() -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
        store().get("web")?;
        Ok(())
    }
    assert!(
        boxed()
            .unwrap_err()
            .downcast_ref::<Error>()
            .unwrap()
            .is_not_found()
    );
}

#[track_caller]
fn says<T: std::fmt::Debug>(result: Result<T>, text: &str) {
    assert_eq!(format!("{:#}", result.unwrap_err()), text);
}

#[test]
fn the_errors_of_the_operations_on_containers_tell_what_failed_and_why() {
    let store = store();
    store.create(sample("web")).unwrap();
    says(
        store.get("db"),
        r#"get container "db" in namespace "k8s.io": not found"#,
    );
    says(
        store.delete("db"),
        r#"delete container "db" in namespace "k8s.io": not found"#,
    );
    says(
        store.update(sample("db"), &FieldMask::full()),
        r#"update container "db" in namespace "k8s.io": not found"#,
    );
    says(
        store.create(sample("web")),
        r#"create container "web" in namespace "k8s.io": already exists"#,
    );
    says(
        store.create(sample("web--1")),
        r#"create container "web--1" in namespace "k8s.io": the container id "web--1" is not an identifier: it must be runs of ASCII letters and digits joined by single '.', '_' or '-', 1 to 76 bytes"#,
    );
    says(
        store.create(sample("db").label("key", "v".repeat(4094))),
        r#"create container "db" in namespace "k8s.io": the label "key" is too large: key and value have 4097 bytes of at most 4096"#,
    );
    says(
        store.update(Container::with_id(""), &FieldMask::full()),
        r#"update container "" in namespace "k8s.io": the id is empty"#,
    );
    says(
        store.update(sample("web").image("x").sandbox("y"), &FieldMask::full()),
        r#"update container "web" in namespace "k8s.io": immutable, but differs from what is stored: `image`, `sandbox_id`"#,
    );
    says(
        store.update(sample("web"), &FieldMask::of([FieldPath::Image])),
        r#"update container "web" in namespace "k8s.io": the field path "image" names a field that is immutable under the strict rules"#,
    );
    let revision = store.get("web").unwrap().revision;
    says(
        store.update_if(Revision::new(999), sample("web"), &FieldMask::full()),
        &format!(
            r#"update container "web" in namespace "k8s.io": it has revision {revision}, not 999 any more"#
        ),
    );
}

#[test]
fn the_errors_of_the_operations_on_records_tell_what_failed_and_why() {
    let images = store().records("images").unwrap();
    let image = || Record::new("nginx:1.29", Any::new("t", b"{}"));
    images.create(image()).unwrap();
    says(
        images.get("x/y"),
        r#"get record "x/y" of kind "images" in namespace "k8s.io": not found"#,
    );
    says(
        images.create(image()),
        r#"create record "nginx:1.29" of kind "images" in namespace "k8s.io": already exists"#,
    );
    says(
        images.put(image().label("", "x")),
        r#"put record "nginx:1.29" of kind "images" in namespace "k8s.io": a label has an empty key"#,
    );
    says(
        images.update(image(), &FieldMask::of([FieldPath::Spec])),
        r#"update record "nginx:1.29" of kind "images" in namespace "k8s.io": the field path "spec" names a field of a container; a record has `labels`, `labels.KEY` and `value`"#,
    );
    let error = images.delete("x/y").unwrap_err();
    assert_eq!(error.record_kind(), Some("images"));
    assert_eq!(
        (error.id(), error.namespace()),
        (Some("x/y"), Some("k8s.io"))
    );
    assert_eq!(store().get("web").unwrap_err().record_kind(), None);
    says(
        store().records("containers"),
        r#"use namespace "k8s.io": the kind "containers" is reserved: give the collection another name"#,
    );
}

#[test]
fn a_bad_path_that_was_deferred_is_told_with_its_caret_by_the_update() {
    let store = store();
    store.create(sample("web")).unwrap();
    says(
        store.update(sample("web"), &FieldMask::deferred(["spec", "lables.app"])),
        "update container \"web\" in namespace \"k8s.io\": invalid field path \"lables.app\": \
         field path \"lables.app\": expected one of labels, labels.KEY, spec, extensions, \
         extensions.NAME, image, snapshotkey, or value of a record\n  lables.app\n  ^",
    );
}

#[test]
fn the_errors_of_the_operations_on_namespaces_tell_what_failed_and_why() {
    let db = Db::in_memory().unwrap();
    db.create_namespace("k8s.io", Labels::new()).unwrap();
    says(
        db.create_namespace("k8s.io", Labels::new()),
        r#"create namespace "k8s.io": already exists"#,
    );
    says(
        db.delete_namespace("moby"),
        r#"delete namespace "moby": not found"#,
    );
    says(
        db.namespace("a/b"),
        r#"use namespace "a/b": the namespace name "a/b" is not an identifier: it must be runs of ASCII letters and digits joined by single '.', '_' or '-', 1 to 76 bytes"#,
    );
    let store = db.namespace("k8s.io").unwrap();
    store.create(sample("web")).unwrap();
    says(
        db.delete_namespace("k8s.io"),
        r#"delete namespace "k8s.io": it still holds 1 container: "web""#,
    );
    for id in ["a", "b", "c"] {
        store.create(sample(id)).unwrap();
    }
    says(
        db.delete_namespace("k8s.io"),
        r#"delete namespace "k8s.io": it still holds 4 containers: "a", "b", "c", ..."#,
    );
}

#[test]
fn an_error_has_its_parts_as_values() {
    let error = store().get("web").unwrap_err();
    assert_eq!(error.operation(), Some("get container"));
    assert_eq!(error.id(), Some("web"));
    assert_eq!(error.namespace(), Some("k8s.io"));
    assert_eq!(error.path(), None);
    assert!(error.source().is_none());
}

#[test]
fn a_filter_that_does_not_parse_is_an_invalid_argument_that_shows_the_place() {
    let error = Filters::parse(["", "labels.app=nginx"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "filter 2: unknown operator `=`; expected `==`, `!=` or `~=`\n  labels.app=nginx\n            ^"
    );
    let error = Error::from(error);
    assert!(error.is_invalid_argument());
    assert!(error.source().unwrap().is::<FilterError>());
    assert!(error.source().unwrap().source().is_none());
}

#[test]
fn what_is_no_filter_does_not_parse() {
    for text in [
        "labels.app==",
        "labels.app===nginx",
        "labels.app=nginx",
        "labels.app~nginx",
        "labels.app==nginx,",
        "labels.",
        ".labels",
        ",",
        " ",
        "labels.app==/nginx/",
        "labels./app/",
        "labels.app==.x",
        "labels.app==\"x",
        "labels.app==\"x\ny\"",
        "labels.app==x y",
        "labels.app==\0",
        "labels.app==\u{fffd}",
        "labels.app~=\"(\"",
        "labels.app~=(?=x)",
        r#"labels.app~="(a)\\1""#,
        "labels.a/b==x",
        "labels.é==x",
    ] {
        assert!(Filter::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn what_is_a_filter_parses_and_prints_as_an_equal_one() {
    for text in [
        "",
        "id",
        "labels.0a.9==x",
        "labels._",
        "a==b=c",
        "a==b.c/d|e:f@g~h!i\"j",
        r#""labels"."a b"=="""#,
        r#"id~="a\\.b""#,
        "id~=/a b/",
        "id~=|a,b|",
        "  id  !=  x,  image",
        r#"x=="\a\b\f\n\r\t\v\\\"\101\x41\u00e9\U0001f600""#,
    ] {
        let filter = Filter::parse(text).unwrap();
        let printed = filter.to_string();
        assert_eq!(
            Filter::parse(&printed).unwrap(),
            filter,
            "{text:?} as {printed:?}"
        );
    }
}

#[track_caller]
fn refuses_path(path: &str, text: &str) {
    assert_eq!(path.parse::<FieldPath>().unwrap_err().to_string(), text);
    let error: FieldMaskError = FieldMask::parse(["spec", path]).unwrap_err();
    assert_eq!(error.to_string(), text);
    assert_eq!(error.path(), path);
    assert!(Error::from(error).is_invalid_argument());
}

#[test]
fn a_bad_field_path_is_shown_with_a_caret_under_the_place() {
    refuses_path("id", "field path \"id\": `id` cannot be updated\n  id\n  ^");
    refuses_path(
        "runtime.name",
        "field path \"runtime.name\": `runtime` cannot be updated\n  runtime.name\n  ^",
    );
    refuses_path(
        "createdat",
        "field path \"createdat\": `createdat` cannot be updated\n  createdat\n  ^",
    );
    refuses_path(
        "labels.",
        "field path \"labels.\": expected a key of `labels`\n  labels.\n         ^",
    );
    refuses_path(
        "spec.value",
        "field path \"spec.value\": `spec` has no fields that can be updated one by one\n  \
         spec.value\n      ^",
    );
    refuses_path(
        "",
        "field path \"\": expected one of labels, labels.KEY, spec, extensions, extensions.NAME, \
         image, snapshotkey, or value of a record\n  \n  ^",
    );
    let long = format!("labels.{}", "k".repeat(8 * 1024));
    let error = long.parse::<FieldPath>().unwrap_err();
    assert_eq!(error.message(), "too long: 8199 bytes of at most 8192");
}

#[track_caller]
fn parses_to(text: &str, path: FieldPath) {
    assert_eq!(text.parse::<FieldPath>().unwrap(), path);
    assert_eq!(path.to_string(), text);
}

#[test]
fn a_field_path_takes_every_dot_behind_the_first_into_the_key() {
    parses_to("labels", FieldPath::Labels);
    parses_to("spec", FieldPath::Spec);
    parses_to("extensions", FieldPath::Extensions);
    parses_to("image", FieldPath::Image);
    parses_to("snapshotkey", FieldPath::SnapshotKey);
    parses_to("labels.app", FieldPath::Label("app".into()));
    parses_to("labels.a.b.c", FieldPath::Label("a.b.c".into()));
    parses_to("labels..", FieldPath::Label(".".into()));
    parses_to("extensions.a.b", FieldPath::Extension("a.b".into()));
    parses_to("labels.é x\n", FieldPath::Label("é x\n".into()));
}

#[test]
fn a_mask_of_no_path_is_full_and_one_of_a_bad_path_is_not() {
    assert!(FieldMask::full().is_full());
    assert!(FieldMask::parse::<[&str; 0]>([]).unwrap().is_full());
    assert!(!FieldMask::deferred(["nope"]).is_full());
    let web = Container::with_id("web").label("a", "1");
    assert!(web.check_mask(&web, &FieldMask::full()).is_ok());
    for path in ["nope", "labels.\"a\""] {
        let refused = web.check_mask(&web, &FieldMask::deferred([path]));
        assert!(refused.unwrap_err().is_invalid_argument());
    }
}

fn any_value() -> impl Strategy<Value = Any> {
    let bytes = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..12),
        Just(br#"{"a":[1,null]}"#.to_vec()),
        Just(b" { } ".to_vec()),
    ];
    (".{0,8}", bytes).prop_map(|(type_url, value)| Any::new(type_url, value))
}

fn any_container() -> impl Strategy<Value = Container> {
    let text = || "[ -~é]{0,8}";
    let texts = (text(), text(), text(), text(), text());
    let times = (any::<i64>(), any::<i64>(), any::<u64>());
    (
        texts,
        times,
        proptest::option::of(any_value()),
        proptest::option::of(any_value()),
        proptest::collection::btree_map(".{0,6}", ".{0,6}", 0..4),
        proptest::collection::btree_map(".{0,6}", any_value(), 0..4),
    )
        .prop_map(|(texts, times, options, spec, labels, extensions)| {
            let mut container = Container::with_id(texts.0);
            container.image = texts.1;
            container.runtime = Runtime::new(texts.2);
            container.runtime.options = options;
            container.snapshotter = texts.3;
            container.sandbox_id = texts.4.clone();
            container.snapshot_key = texts.4;
            container.spec = spec;
            container.labels = labels;
            container.extensions = extensions;
            container.created_at = chrono::DateTime::from_timestamp_nanos(times.0);
            container.updated_at = chrono::DateTime::from_timestamp_nanos(times.1);
            container.revision = Revision::new(times.2);
            container
        })
}

proptest! {
    #[test]
    fn a_container_reads_back_from_its_json(container in any_container()) {
        let compact = serde_json::to_string(&container).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Container>(&compact).unwrap(), &container);
        let pretty = serde_json::to_string_pretty(&container).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Container>(&pretty).unwrap(), &container);
    }

    #[test]
    fn a_field_path_reads_back_from_its_text(key in "(?s).{1,40}", kind in 0..2) {
        let path = match kind {
            0 => FieldPath::Label(key),
            _ => FieldPath::Extension(key),
        };
        prop_assert_eq!(path.to_string().parse::<FieldPath>().unwrap(), path);
    }

    #[test]
    fn what_parses_as_a_field_path_prints_as_it_was(text in "(labels|extensions|spec|image|id)?(\\.[a-z.]{0,5})?") {
        if let Ok(path) = text.parse::<FieldPath>() {
            prop_assert_eq!(path.to_string(), text);
        }
    }
}

#[test]
fn a_stored_container_reads_back_from_its_json() {
    let web = store()
        .create(
            sample("web")
                .image("nginx")
                .snapshot("overlayfs", "rootfs")
                .label("app", "nginx")
                .extension("x", Any::new("t", [0xff])),
        )
        .unwrap();
    let text = serde_json::to_string(&web).unwrap();
    assert_eq!(serde_json::from_str::<Container>(&text).unwrap(), web);
    let header = ContainerHeader::from(web);
    let text = serde_json::to_string(&header).unwrap();
    assert_eq!(
        serde_json::from_str::<ContainerHeader>(&text).unwrap(),
        header
    );
}

#[test]
fn the_rules_are_named_in_lower_case() {
    for (rules, text) in [
        (Rules::Strict, "\"strict\""),
        (Rules::Containerd2, "\"containerd2\""),
    ] {
        assert_eq!(serde_json::to_string(&rules).unwrap(), text);
        assert_eq!(serde_json::from_str::<Rules>(text).unwrap(), rules);
    }
}

#[test]
fn an_identifier_is_checked_when_it_is_read_from_json() {
    assert!(serde_json::from_str::<ContainerId>("\"web\"").is_ok());
    assert!(serde_json::from_str::<ContainerId>("\"a/b\"").is_err());
    assert!(serde_json::from_str::<NamespaceName>("\"\"").is_err());
}

#[test]
fn debug_output_shows_no_bytes_of_values() {
    let secret = sample("web").spec(Any::new("spec", b"secret-token"));
    let shown = format!("{secret:?}");
    assert!(!shown.contains("secret-token"), "{shown}");
    assert!(shown.contains("12 bytes"), "{shown}");
}
