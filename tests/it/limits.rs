//! Limits at their edge, through the whole store. Those of ids, labels, texts, names and counts are
//! laws of the conformance suite; those of filters are in `src/filter/tests`.

use bayplan::limits::{
    ANY_MAX_BYTES, EXTENSIONS_MAX_BYTES, FIELD_PATH_MAX_BYTES, FILTER_MAX_BYTES, LABEL_MAX_BYTES,
    LABELS_MAX_COUNT, PATTERN_CLASSES_MAX_COUNT, PATTERNS_MAX_COUNT,
};
use bayplan::{Any, Container, Db, ErrorKind, FieldMask, Filters, Record, Runtime};

use crate::sample::plain;
use crate::seed::Seed;

#[test]
fn values_of_the_largest_size_are_stored_read_back_checked_and_larger_ones_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let db = Db::create(&path).unwrap();
    let store = db.namespace("default").unwrap();
    let any = |size| Any::new("t", vec![0xa5; size]);
    let largest = || any(ANY_MAX_BYTES);
    let runtime = Runtime::new("runc").options(largest());
    let web = Container::new("web", runtime, largest()).extension("x", largest());
    let web = store.create(web).unwrap();
    for over in [
        plain("over").spec(any(ANY_MAX_BYTES + 1)),
        plain("over").extension("x", any(ANY_MAX_BYTES + 1)),
        Container::new(
            "over",
            Runtime::new("r").options(any(ANY_MAX_BYTES + 1)),
            any(0),
        ),
    ] {
        let error = store.create(over).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(
            error
                .to_string()
                .contains("16777217 bytes of at most 16777216"),
            "{error}"
        );
    }
    let over = Container::with_id("web").spec(any(ANY_MAX_BYTES + 1));
    let mask = FieldMask::parse(["spec"]).unwrap();
    assert!(store.update(over, &mask).unwrap_err().is_invalid_argument());
    drop((store, db));
    let db = Db::open(&path).unwrap();
    assert!(db.check().unwrap().is_healthy());
    assert!(db.namespace("default").unwrap().get("web").unwrap() == web);
}

/// The container with as many bytes of extensions as there may be.
fn all_extensions(mut container: Container) -> Container {
    let mut left = EXTENSIONS_MAX_BYTES;
    for number in 0.. {
        let name = number.to_string();
        let beside = name.len() + "t".len();
        let size = ANY_MAX_BYTES.min(left.saturating_sub(beside));
        if size == 0 {
            break;
        }
        left -= beside + size;
        let value = Any::new("t", vec![0xff; size]);
        container.extensions.insert(name, value);
    }
    assert_eq!(left, 0);
    container
}

/// Creates it, and reads it back from the file as it was.
#[track_caller]
fn is_stored(container: Container) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let db = Db::create(&path).unwrap();
    let created = db.namespace("default").unwrap().create(container).unwrap();
    drop(db);
    let db = Db::open(&path).unwrap();
    assert!(db.check().unwrap().is_healthy());
    let store = db.namespace("default").unwrap();
    assert!(store.get(&created.id).unwrap() == created);
    assert!(store.list(&Filters::all()).unwrap() == [created]);
}

#[test]
fn as_many_labels_as_there_may_be_are_stored_as_one_row() {
    let mut web = plain("web");
    for number in 0..LABELS_MAX_COUNT {
        web = web.label(format!("{number:0100}"), "v".repeat(100));
    }
    is_stored(web.clone());
    let store = Db::in_memory().unwrap().namespace("default").unwrap();
    let images = store.records("images").unwrap();
    let mut image = Record::new("image", Any::default());
    image.labels = web.labels;
    let image = images.create(image).unwrap();
    assert!(images.get("image").unwrap() == image);
    let last = Filters::parse([format!("labels.\"{:0100}\"", LABELS_MAX_COUNT - 1)]).unwrap();
    assert_eq!(images.query().filter(&last).count().unwrap(), 1);
    let error = images.set_label("image", "more", "x").unwrap_err();
    assert!(error.is_invalid_argument(), "{error:#}");
}

#[test]
fn a_spec_is_stored_whether_it_packs_well_or_not_at_all() {
    let noise = Seed::new(7).bytes(ANY_MAX_BYTES);
    for (id, value) in [
        ("nothing", Vec::new()),
        ("zeros", vec![0; ANY_MAX_BYTES]),
        ("noise", noise),
    ] {
        is_stored(plain(id).spec(Any::new("t", value)));
    }
}

#[test]
fn extensions_have_a_limit_to_what_they_are_together() {
    let at = all_extensions(plain("web"));
    let mut over = at.clone();
    is_stored(at);
    over.extensions.insert("x".into(), Any::default());
    let store = Db::in_memory().unwrap().namespace("default").unwrap();
    let error = store.create(over).unwrap_err();
    assert!(error.is_invalid_argument(), "{error:#}");
    let what = "67108865 bytes together, of at most 67108864";
    assert!(error.to_string().contains(what), "{error:#}");
}

#[test]
fn a_container_that_needs_too_long_a_line_is_backed_up_but_not_dumped() {
    let directory = tempfile::tempdir().unwrap();
    let db = Db::create(directory.path().join("meta.redb")).unwrap();
    let mut web = plain("web");
    // Four bytes for three: base64.
    let largest = || Any::new("t", vec![0xff; ANY_MAX_BYTES]);
    web.runtime.options = Some(largest());
    web.spec = Some(largest());
    web = all_extensions(web);
    db.namespace("default").unwrap().create(web).unwrap();
    let error = db.dump(std::io::sink(), |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition, "{error:#}");
    assert_eq!(error.id(), Some("web"));
    let report = db.backup(directory.path().join("backup.redb"), |_| {});
    assert_eq!(report.unwrap().containers_count, 1);
}

#[test]
fn a_field_path_has_its_limit_and_what_it_names_its_own() {
    let path = |size: usize| format!("labels.{}", "k".repeat(size - "labels.".len()));
    assert!(FieldMask::parse([path(FIELD_PATH_MAX_BYTES)]).is_ok());
    let error = FieldMask::parse([path(FIELD_PATH_MAX_BYTES + 1)]).unwrap_err();
    assert_eq!(error.position(), FIELD_PATH_MAX_BYTES);
    assert!(
        error.to_string().contains("8193 bytes of at most 8192"),
        "{error}"
    );

    let store = Db::in_memory().unwrap().namespace("default").unwrap();
    store.create(plain("web")).unwrap();
    let set = |size: usize| {
        let key = "k".repeat(size - 1);
        let mask = FieldMask::parse([format!("labels.{key}")]).unwrap();
        store.update(Container::with_id("web").label(key, "v"), &mask)
    };
    assert!(set(LABEL_MAX_BYTES).is_ok());
    assert!(set(LABEL_MAX_BYTES + 1).unwrap_err().is_invalid_argument());
}

#[test]
fn filters_at_their_limits_are_answered_and_beyond_them_refused() {
    let store = Db::in_memory().unwrap().namespace("default").unwrap();
    store.create(plain("web")).unwrap();
    let count = |texts: &[String]| {
        let filters = Filters::parse(texts)?;
        Ok::<_, bayplan::FilterError>(store.query().filter(&filters).count().unwrap())
    };
    let long = |size: usize| vec![format!("id!={}", "a".repeat(size - "id!=".len()))];
    assert_eq!(count(&long(FILTER_MAX_BYTES)), Ok(1));
    assert!(count(&long(FILTER_MAX_BYTES + 1)).is_err());
    let patterns = |count: usize| vec!["id~=b".to_owned(); count];
    assert_eq!(count(&patterns(PATTERNS_MAX_COUNT)), Ok(1));
    assert!(count(&patterns(PATTERNS_MAX_COUNT + 1)).is_err());
    let classes = |count: usize| vec![format!(r"id~=\pL{}", r"|\pL".repeat(count - 1))];
    assert_eq!(count(&classes(PATTERN_CLASSES_MAX_COUNT)), Ok(1));
    assert!(count(&classes(PATTERN_CLASSES_MAX_COUNT + 1)).is_err());
    let huge = vec![r"id~=(\pL|\pN|\pM|\pS|\pP){1000}".to_owned()];
    let error = count(&huge).unwrap_err();
    assert!(error.to_string().contains("too large"), "{error}");
}
