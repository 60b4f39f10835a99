//! Stores that were exported and imported again.

use bayplan::{Any, Container, Db, Runtime};
use bayplan_metadb::{MetaDb, export};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::string::string_regex;

use crate::go;
use crate::told::{content, import};

fn name() -> impl Strategy<Value = String> {
    string_regex("[a-w][a-z0-9]{0,6}(-[0-9A-Z]{1,9})?").unwrap()
}

fn any_value() -> impl Strategy<Value = Any> {
    let length = prop_oneof![8 => 0..40_usize, 1 => 3000..20_000_usize];
    let value = length.prop_flat_map(|length| vec(any::<u8>(), length));
    ("\\PC{0,20}", value).prop_map(|(url, value)| Any::new(url, value))
}

/// Between the years -200,000 and 200,000.
fn time() -> impl Strategy<Value = DateTime<Utc>> {
    const FAR: i64 = 6_000_000_000_000;
    let seconds = prop_oneof![1 => -FAR..FAR, 3 => 0..4_000_000_000_i64];
    (seconds, 0..1_000_000_000_u32)
        .prop_map(|(seconds, nanos)| DateTime::from_timestamp(seconds, nanos).unwrap())
}

fn containers() -> impl Strategy<Value = Container> {
    let texts = ("\\PC{0,12}", "\\PC{1,12}", "\\PC{0,12}", "\\PC{0,12}");
    let maps = (
        btree_map("\\PC{1,12}", "\\PC{1,12}", 0..5),
        btree_map("\\PC{1,12}", any_value(), 0..4),
    );
    let times = (time(), 0..1_000_000_000_000_i64);
    let anys = (any_value(), option::of(any_value()));
    (texts, maps, times, anys).prop_map(|(texts, (labels, extensions), times, (spec, options))| {
        let (image, runtime, key, sandbox) = texts;
        let mut runtime = Runtime::new(runtime);
        if let Some(options) = options {
            runtime = runtime.options(options);
        }
        let mut container = Container::new("", runtime, spec)
            .image(image)
            .snapshot("overlayfs", key)
            .sandbox(sandbox)
            .labels(labels);
        container.extensions = extensions;
        container.created_at = times.0;
        container.updated_at = times.0 + TimeDelta::nanoseconds(times.1);
        container
    })
}

type Namespace = (
    std::collections::BTreeMap<String, String>,
    Vec<(String, Container)>,
);

fn store() -> impl Strategy<Value = Vec<(String, Namespace)>> {
    let labels = btree_map("\\PC{1,12}", "\\PC{1,12}", 0..4);
    let named = btree_map(name(), containers(), 0..12);
    let named = named.prop_map(|named| named.into_iter().collect::<Vec<_>>());
    // "version" stands in the middle of these names, as the key of that name does in the file.
    let name = prop_oneof![name(), string_regex("v(er|z)[a-z]{0,3}").unwrap()];
    btree_map(name, (labels, named), 0..5).prop_map(|spaces| spaces.into_iter().collect())
}

fn fill(spaces: &[(String, Namespace)]) -> Db {
    let db = Db::in_memory().unwrap();
    for (name, (labels, containers)) in spaces {
        db.create_namespace(name, labels.clone()).unwrap();
        for (id, container) in containers {
            let mut container = container.clone();
            container.id.clone_from(id);
            db.namespace(name).unwrap().import(container).unwrap();
        }
    }
    db
}

#[test]
fn what_was_exported_and_imported_is_the_same_and_so_is_its_file() {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 40;
    }
    config.failure_persistence = None;
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let done = runner.run(&store(), |spaces| {
        let db = fill(&spaces);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("meta.db");
        export(&db.read().unwrap(), &path, |_| {}).unwrap();
        go::check(&path);
        let again = Db::in_memory().unwrap();
        let told = import(&MetaDb::open(&path).unwrap(), &again).unwrap();
        assert!(told.refused.is_empty(), "{told:?}");
        assert!(told.changed.is_empty() && told.left_behind.is_empty());
        assert_eq!(content(&again), content(&db));
        let copy = directory.path().join("copy.db");
        export(&again.read().unwrap(), &copy, |_| {}).unwrap();
        assert!(std::fs::read(&copy).unwrap() == std::fs::read(&path).unwrap());
        Ok(())
    });
    done.unwrap();
}

#[test]
fn a_file_without_a_freelist_reads_as_the_same() {
    let mut image = crate::image::Image::with_web();
    for number in 0..200 {
        image.container("k8s.io", &format!("c{number}"));
    }
    let file = image.file();
    let read = || {
        let db = Db::in_memory().unwrap();
        import(&MetaDb::open(file.path()).unwrap(), &db).unwrap();
        content(&db)
    };
    let before = read();
    if go::drop_freelist(&file.path()) {
        let reader = boltfile::Reader::open(file.path()).unwrap();
        assert_eq!(reader.meta().freelist, None);
        drop(reader);
        assert_eq!(read(), before);
    }
}
