//! If opening verifies no pages, damage in a value is found when that value is read.

use std::collections::BTreeMap;

use bayplan::{Any, Db, ErrorKind, Filters, Labels, Record, Result, Share};

use super::{Image, place};
use crate::pages::open_unverified;
use crate::quiet::{panics_inside, quietly};
use crate::sample::{Contents, plain};
use crate::seed::{Progress, Seed, count_from_env, tell};

/// Flips a byte of each copy of `marker` in the file; how many there were.
fn flip_marker(bytes: &mut [u8], marker: &[u8]) -> usize {
    let found: Vec<usize> = (0..bytes.len().saturating_sub(marker.len()))
        .filter(|at| bytes[*at..].starts_with(marker))
        .collect();
    for at in &found {
        bytes[at + marker.len() / 2] ^= 0x10;
    }
    found.len()
}

#[test]
fn without_the_check_a_flip_in_a_value_names_what_is_damaged_and_spares_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let db = Db::create(&path).unwrap();
    let store = db.namespace("default").unwrap();
    let records = store.records("images").unwrap();
    for number in 0..20 {
        let id = format!("c{number}");
        let mut container = plain(&id)
            .image(format!("image-of-{id}-"))
            .label("l", format!("label-of-{id}-"));
        let extension = Any::new("x", format!("extension-of-{id}-"));
        container.extensions.insert("e".into(), extension);
        container.spec = Some(Any::new("t", noise_of("spec", &id, 900 * number)));
        store.create(container).unwrap();
        let value = Any::new("t", noise_of("value", &id, 900 * number));
        let record = Record::new(&id, value).label("l", format!("mark-of-{id}-"));
        records.create(record).unwrap();
    }
    let contents = Contents::of(&db).unwrap();
    drop((store, records, db));
    let healthy = std::fs::read(&path).unwrap();
    let mut flips = 0;
    for number in 0..20 {
        for part in ["image", "spec", "label", "extension", "value", "mark"] {
            let id = format!("c{number}");
            let mut bytes = healthy.clone();
            let marker = match part {
                "spec" | "value" => noise_of(part, &id, 0),
                _ => format!("{part}-of-{id}-").into_bytes(),
            };
            assert!(flip_marker(&mut bytes, &marker) > 0, "{part} of {id}");
            let is_of_record = ["value", "mark"].contains(&part);
            std::fs::write(&path, &bytes).unwrap();
            for is_reading in [true, false] {
                let db = open_unverified(&path, is_reading).unwrap();
                match is_of_record {
                    true => names_the_damaged_record(&db, &id, &contents),
                    false => names_the_damaged(&db, &id, &contents),
                }
                flips += 1;
            }
            let error = Db::open(&path).map(|_| ()).unwrap_err();
            assert!(error.is_corrupt(), "{error:#}");
        }
    }
    tell(format_args!(
        "value-flips={flips} named={flips} lost=0 panics=0 silent=0"
    ));
}

/// Bytes that cannot be compressed: 24 that occur nowhere else, and more.
fn noise_of(part: &str, id: &str, more: usize) -> Vec<u8> {
    let number: u64 = id[1..].parse().unwrap();
    let mut seed = Seed::new(number + if part == "spec" { 1_000 } else { 2_000 });
    seed.bytes(24 + more)
}

/// Returns the ids that a lenient listing reports. A store opened for reading only verifies no page, and finds only the
/// damaged value.
fn told<'i>(db: &Db, id: &'i str) -> Vec<&'i str> {
    match db.info().read_only {
        true => vec![id],
        false => vec![id, ""],
    }
}

fn names_the_damaged_record(db: &Db, id: &str, contents: &Contents) {
    let containers = db.namespace("default").unwrap();
    let records = containers.records("images").unwrap();
    let error = records.get(id).unwrap_err();
    assert!(error.is_corrupt(), "{error:#}");
    assert_eq!(
        (error.id(), error.record_kind()),
        (Some(id), Some("images"))
    );
    let error = records.list(&Filters::all()).unwrap_err();
    assert!(error.is_corrupt(), "{error:#}");
    assert_eq!(error.record_kind(), Some("images"));
    assert_eq!(
        error.id().is_some(),
        db.info().read_only,
        "the page is told"
    );
    let listing = records.query().lenient().unwrap();
    let damaged: Vec<_> = listing.damaged.iter().map(|found| &found.id).collect();
    assert_eq!(damaged, told(db, id), "the record, and the page");
    let mut others = contents.records.clone();
    others.remove(&("default".to_owned(), "images".to_owned(), id.to_owned()));
    assert_eq!(listing.items, others.into_values().collect::<Vec<_>>());
    let all = contents.containers.values().cloned().collect::<Vec<_>>();
    assert_eq!(containers.query().lenient().unwrap().items, all);
    let report = db.check().unwrap();
    // The page is reported first.
    let [page, record] = report.damages.as_slice() else {
        panic!("{:?}", report.damages);
    };
    assert_eq!(page.id, None);
    assert_eq!(record.id.as_deref(), Some(id));
    assert_eq!(record.kind.as_deref(), Some("images"));
}

fn names_the_damaged(db: &Db, id: &str, contents: &Contents) {
    let store = db.namespace("default").unwrap();
    let error = store.get(id).unwrap_err();
    assert!(error.is_corrupt(), "{error:#}");
    assert_eq!(error.id(), Some(id));
    assert_eq!(error.namespace(), Some("default"));
    // It reports the page, since the page may hide anything else.
    let error = store.list(&Filters::all()).unwrap_err();
    assert!(error.is_corrupt(), "{error:#}");
    let is_of_page = error.to_string().contains("the page at byte");
    assert_eq!(is_of_page, !db.info().read_only, "{error:#}");

    let listing = store.query().lenient().unwrap();
    let damaged: Vec<_> = listing.damaged.iter().map(|found| &found.id).collect();
    assert_eq!(damaged, told(db, id), "the container, and the page");
    let mut others = contents.containers.clone();
    others.remove(&("default".to_owned(), id.to_owned()));
    assert_eq!(listing.items, others.into_values().collect::<Vec<_>>());

    let report = db.check().unwrap();
    let [page, container] = report.damages.as_slice() else {
        panic!("{report:?}");
    };
    assert_eq!((page.namespace.as_str(), &page.id), ("", &None));
    assert_eq!(container.id.as_deref(), Some(id));
    assert_eq!(container.namespace, "default");
}

#[test]
fn without_the_check_a_flip_in_a_namespace_label_is_corrupt() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let db = Db::create(&path).unwrap();
    db.create_namespace("ns", Labels::from([("a".into(), "label-marker".into())]))
        .unwrap();
    drop(db);
    let mut bytes = std::fs::read(&path).unwrap();
    assert!(flip_marker(&mut bytes, b"label-marker") > 0);
    std::fs::write(&path, &bytes).unwrap();
    let db = Db::builder().check_integrity(false).open(&path).unwrap();
    let error = db.namespace_labels("ns").unwrap_err();
    assert!(error.is_corrupt());
    assert_eq!(error.namespace(), Some("ns"));
    // The page of the file comes first.
    assert_eq!(db.check().unwrap().damages[1].namespace, "ns");
}

/// Tries every operation, whatever fails; returns the errors.
fn does_everything(db: &Db, contents: &Contents) -> Vec<bayplan::Error> {
    let mut errors = Vec::new();
    let mut note = |result: Result<()>| errors.extend(result.err());
    note(db.list_namespaces().map(|_| ()));
    for name in contents.namespaces.keys() {
        let store = db.namespace(name).unwrap();
        note(db.namespace_labels(name).map(|_| ()));
        note(store.list(&Filters::all()).map(|_| ()));
        note(store.query().headers().map(|_| ()));
        note(store.query().lenient().map(|_| ()));
        let kinds = db.record_kinds(name);
        for kind in kinds.as_deref().unwrap_or_default() {
            let records = store.records(kind).unwrap();
            note(records.list(&Filters::all()).map(|_| ()));
        }
        note(kinds.map(|_| ()));
        match store.query().iter() {
            Ok(containers) => containers.for_each(|item| note(item.map(|_| ()))),
            Err(error) => note(Err(error)),
        }
    }
    note(db.check().map(|_| ()));
    for (number, (name, id)) in contents.containers.keys().enumerate() {
        let store = db.namespace(name).unwrap();
        note(store.get(id).map(|_| ()));
        if number % 40 == 7 {
            note(store.delete(id));
            note(store.create(plain(&format!("new-{id}"))).map(|_| ()));
        }
    }
    note(db.write(|txn| {
        txn.namespace("default")?.create(plain("new-1"))?;
        txn.create_namespace("another", Labels::new())
    }));
    errors
}

#[test]
fn without_the_check_no_panic_reaches_the_caller() {
    let flips = count_from_env("BAYPLAN_FLIPS", 2_000) / 8;
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    let images = [
        Image::make("closed", &mut seed, Db::builder(), true),
        Image::make(
            "closed, live readers",
            &mut seed,
            Db::builder().share(Share::Readers),
            true,
        ),
    ];
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("damaged.redb");
    let mut progress = Progress::new("unchecked flips");
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for number in 0..flips {
        let image = &images[number % images.len()];
        let mut bytes = image.bytes.clone();
        let at = place(image, &mut seed);
        for at in at..(at + 1 + seed.below(8)).min(bytes.len()) {
            bytes[at] ^= 1 + u8::try_from(seed.below(255)).unwrap();
        }
        let live = seed.one_in(2);
        for is_reading in [true, false] {
            std::fs::write(&path, &bytes).unwrap();
            let done = quietly(|| {
                let options = Db::builder().check_integrity(false);
                let db = match is_reading {
                    true => options.open_read_only(&path),
                    false => options
                        .share(if live { Share::Readers } else { Share::Nobody })
                        .open(&path),
                };
                db.map_or_else(
                    |error| vec![error],
                    |db| does_everything(&db, &image.contents),
                )
            });
            let what = format!("byte {at}, reading {is_reading}, seed {first_seed}");
            let errors = done.unwrap_or_else(|panic| panic!("{what}: {panic}"));
            // The first error reports the damage; later ones may refer to it.
            let first = errors.first().map(bayplan::Error::kind);
            assert_ne!(first, Some(ErrorKind::Unavailable), "{what}: {errors:#?}");
            for error in errors {
                *kinds.entry(error.kind().to_string()).or_default() += 1;
            }
        }
        progress.at(number, flips);
    }
    tell(format_args!(
        "unchecked-flips={flips} errors={kinds:?} panics=0 (caught inside {}) seed={first_seed}",
        panics_inside()
    ));
}
