//! Limits at their edge, through the whole store. Those of ids, labels, texts, names and counts are
//! laws of the conformance suite; those of filters are in `src/filter/tests`.

use bayplan::limits::{
    ANY_MAX_BYTES, DUMP_LINE_MAX_BYTES, FIELD_PATH_MAX_BYTES, FILTER_MAX_BYTES, LABEL_MAX_BYTES,
    PATTERN_CLASSES_MAX_COUNT, PATTERNS_MAX_COUNT,
};
use bayplan::{Any, Container, Db, ErrorKind, FieldMask, Filters, ReadStore, Runtime, Store};

use crate::sample::plain;

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

#[test]
fn a_container_that_needs_too_long_a_line_is_backed_up_but_not_dumped() {
    let directory = tempfile::tempdir().unwrap();
    let db = Db::create(directory.path().join("meta.redb")).unwrap();
    let mut web = plain("web");
    // Four bytes for three: base64.
    for number in 0..=DUMP_LINE_MAX_BYTES * 3 / 4 / ANY_MAX_BYTES {
        web = web.extension(number.to_string(), Any::new("t", vec![0xff; ANY_MAX_BYTES]));
    }
    db.namespace("default").unwrap().create(web).unwrap();
    let error = db.dump(std::io::sink(), |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition, "{error:#}");
    assert_eq!(error.container_id(), Some("web"));
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
        Ok::<_, bayplan::FilterError>(store.count(&filters).unwrap())
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
