//! A log that is missing, torn, damaged, truncated, or not the one that the file names.

use std::fs;

use bayplan::{Any, Container, Db, Error, ErrorKind, FieldMask, Maintenance, Share};

use super::{
    BLOCK_BYTES, HEADS_BYTES, LOG_BYTES, Place, SECOND_HALF, assert_says, holding, ids, killed,
    with_log,
};
use crate::sample::plain;

/// Asserts that every way to open the store is refused, and changes nothing. Returns the error.
#[track_caller]
fn refused(place: &Place) -> Error {
    let before = place.bytes();
    let openers = [
        Db::builder(),
        with_log(),
        Db::builder().create_if_missing(true),
        Db::builder().share(Share::Readers),
        Db::builder().check_integrity(false),
    ];
    let mut errors = Vec::new();
    for builder in openers {
        errors.push(builder.open(place.store()).unwrap_err());
        errors.push(builder.open_read_only(place.store()).unwrap_err());
    }
    let tools = Maintenance::new();
    errors.push(tools.clone().compact(place.store()).unwrap_err());
    errors.push(
        tools
            .restore(place.store(), place.path("to"), |_| {})
            .unwrap_err(),
    );
    for error in &errors {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:#}");
        assert_says(error, &["its log", "meta.redb-log", "meta.redb"]);
    }
    assert!(!place.path("to").exists());
    // What redb repairs in the file is not tested here.
    assert!(place.bytes()[1] == before[1]);
    errors.remove(0)
}

/// What salvage saves, and what it says of the log.
#[track_caller]
fn salvaged(place: &Place) -> (Vec<String>, String) {
    let tools = Maintenance::new();
    let report = tools
        .salvage(place.store(), place.path("saved"), |_| {})
        .unwrap();
    assert!(!report.is_complete);
    assert!(
        report.uncertain.is_empty() && report.lost.is_empty(),
        "{report:?}"
    );
    (
        ids(&Db::builder(), &place.path("saved")),
        report.log_damage.unwrap(),
    )
}

#[test]
fn a_log_that_is_missing_is_named_with_what_is_lost_and_what_to_do() {
    let (place, _) = killed();
    fs::remove_file(place.log()).unwrap();
    let error = refused(&place);
    assert_says(
        &error,
        &[
            "is not there",
            "Commits that were acknowledged",
            "put it back",
            "salvage",
        ],
    );
    assert!(!place.log().exists());
    let (saved, said) = salvaged(&place);
    assert_eq!(saved, ["c0"]);
    assert!(said.contains("is not there"), "{said}");
}

#[test]
fn a_log_that_comes_back_is_taken() {
    let (place, contents) = killed();
    fs::rename(place.log(), place.path("away")).unwrap();
    refused(&place);
    fs::rename(place.path("away"), place.log()).unwrap();
    assert_eq!(
        ids(&Db::builder(), &place.store()).len(),
        contents.containers.len()
    );
}

#[test]
fn a_torn_last_frame_is_the_end() {
    for (at, bytes) in [(0, 512), (64, 64), (0, BLOCK_BYTES)] {
        let (place, _) = killed();
        place.change_log(|log| {
            let start = HEADS_BYTES + 8 * BLOCK_BYTES + at;
            log[start..start + bytes].fill(0);
        });
        assert_eq!(ids(&Db::builder(), &place.store()).len(), 9);
        assert_eq!(place.names(), ["meta.redb"]);
    }
}

#[test]
fn a_damaged_frame_with_others_behind_it_is_damage() {
    let (place, _) = killed();
    place.change_log(|log| log[HEADS_BYTES + 4 * BLOCK_BYTES + 100] ^= 1);
    let error = refused(&place);
    assert_says(
        &error,
        &["frame 5 does not hold, and frame 6 behind it does"],
    );
    let (saved, said) = salvaged(&place);
    let all_but_the_damaged = ["c0", "c1", "c2", "c3", "c4", "c6", "c7", "c8", "c9"];
    assert_eq!(saved, all_but_the_damaged);
    assert!(said.contains("frame 5 does not hold"), "{said}");
    assert!(
        said.contains("4 commits behind the damage were applied"),
        "{said}"
    );
}

/// A store of containers `a` to `e` that was killed after each of `changes` had made a frame, of which the first is
/// damaged.
fn killed_behind_damage(changes: &[&dyn Fn(&Db)]) -> Place {
    let (place, db, _) = holding(&["a", "b", "c", "d", "e"]);
    db.checkpoint().unwrap();
    for change in changes {
        change(&db);
    }
    let killed = place.as_after_a_kill();
    killed.change_log(|log| log[SECOND_HALF + 100] ^= 1);
    assert_says(&refused(&killed), &["frame 5 does not hold"]);
    killed
}

/// Labels a container of a store.
fn label(db: &Db, id: &str, value: &str) {
    let labelled = Container::with_id(id).label("new", value);
    let mask = FieldMask::parse(["labels.new"]).unwrap();
    let store = db.namespace("default").unwrap();
    store.update(labelled, &mask).unwrap();
}

#[test]
fn what_is_behind_damage_is_saved_where_its_rows_fit_and_is_named_where_they_do_not() {
    let killed = killed_behind_damage(&[
        // Lost: labels, a spec, two new containers, a deletion, a namespace.
        &|db| {
            db.write(|txn| {
                let store = txn.namespace("default")?;
                let labels = Container::with_id("a").label("new", "lost");
                store.update(labels, &FieldMask::parse(["labels.new"])?)?;
                let spec = Container::with_id("b").spec(Any::new("t", b"lost"));
                store.update(spec, &FieldMask::parse(["spec"])?)?;
                store.create(plain("new"))?;
                store.create(plain("half"))?;
                store.delete("e")?;
                txn.namespace("other")?.create(plain("new"))?;
                Ok::<_, Error>(())
            })
            .unwrap();
        },
        &|db| label(db, "a", "saved"),
        &|db| label(db, "b", "its spec is lost"),
        &|db| label(db, "half", "its spec is lost"),
        &|db| label(db, "c", "saved"),
        &|db| db.namespace("default").unwrap().delete("d").unwrap(),
        &|db| drop(db.namespace("default").unwrap().create(plain("e")).unwrap()),
        &|db| {
            drop(
                db.namespace("other")
                    .unwrap()
                    .create(plain("saved"))
                    .unwrap(),
            )
        },
    ]);
    let before = killed.bytes();
    let report = Maintenance::new()
        .salvage(killed.store(), killed.path("saved"), |_| {})
        .unwrap();
    assert!(killed.bytes() == before);
    assert!(!report.is_complete);
    let said = report.log_damage.unwrap();
    assert!(
        said.contains("7 commits behind the damage were applied"),
        "{said}"
    );
    let uncertain: Vec<_> = report.uncertain.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(uncertain, ["b"]);
    let lost: Vec<_> = report.lost.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(lost, ["half"]);

    let db = Db::open(killed.path("saved")).unwrap();
    assert!(db.check().unwrap().is_healthy());
    let store = db.namespace("default").unwrap();
    assert_eq!(store.query().ids().unwrap(), ["a", "b", "c", "e"]);
    let labels = |id: &str| store.get(id).unwrap().labels.get("new").cloned();
    assert_eq!(labels("a").as_deref(), Some("saved"));
    assert_eq!(labels("b"), None);
    assert_eq!(labels("c").as_deref(), Some("saved"));
    let other = db.namespace("other").unwrap();
    assert_eq!(other.query().ids().unwrap(), ["saved"]);
}

#[test]
fn a_log_of_another_store_or_another_log_of_this_one_is_told() {
    let (place, _) = killed();
    let (other, _) = killed();
    fs::copy(other.log(), place.log()).unwrap();
    assert_says(&refused(&place), &["that of another store"]);
    assert_eq!(salvaged(&place).0, ["c0"]);

    let place = Place::new();
    let mut older = None;
    for round in 0..2 {
        let db = with_log()
            .create_if_missing(true)
            .open(place.store())
            .unwrap();
        let store = db.namespace("default").unwrap();
        store.create(plain(&format!("a{round}"))).unwrap();
        store.create(plain(&format!("b{round}"))).unwrap();
        let killed = place.as_after_a_kill();
        if let Some(older) = older.replace(killed.bytes()[1].clone().unwrap()) {
            fs::write(killed.log(), older).unwrap();
            assert_says(&refused(&killed), &["another one of this store"]);
        }
    }
}

#[test]
fn a_log_that_is_older_or_newer_than_the_file_is_told() {
    let (place, db, store) = holding(&["a"]);
    let old = place.as_after_a_kill();
    for id in ["b", "c", "d"] {
        store.create(plain(id)).unwrap();
        db.checkpoint().unwrap();
    }
    store.create(plain("e")).unwrap();
    let new = place.as_after_a_kill();

    let swapped = new.as_after_a_kill();
    fs::copy(old.log(), swapped.log()).unwrap();
    assert_says(&refused(&swapped), &["the log is older than the file"]);
    assert_eq!(salvaged(&swapped).0, ["a", "b", "c", "d"]);

    let swapped = new.as_after_a_kill();
    fs::copy(old.store(), swapped.store()).unwrap();
    assert_says(&refused(&swapped), &["the file is older than its log"]);
    assert_eq!(salvaged(&swapped).0, ["a"]);

    assert_eq!(ids(&Db::builder(), &new.store()), ["a", "b", "c", "d", "e"]);
}

#[test]
fn a_log_that_is_cut_empty_or_no_log_is_told() {
    for (length, said) in [
        (0, "it has no head"),
        (BLOCK_BYTES, "it has no head"),
        (HEADS_BYTES, "has been cut"),
        (HEADS_BYTES + 20 * BLOCK_BYTES, "has been cut"),
    ] {
        let (place, _) = killed();
        place.change_log(|log| log.truncate(length));
        assert_says(&refused(&place), &[said]);
    }
    let (place, _) = killed();
    fs::write(place.log(), vec![7; 1 << 16]).unwrap();
    assert_says(&refused(&place), &["it has no head"]);
    let (place, _) = killed();
    place.change_log(|log| log.resize(65 << 20, 0));
    assert_says(&refused(&place), &["no log has more than"]);
}

#[test]
fn a_log_that_is_damaged_while_it_is_open_is_found_by_the_check() {
    let (place, db, store) = holding(&["a", "b", "c"]);
    for at in [0, 1] {
        assert!(db.check().unwrap().is_healthy());
        let damaged = |log: &mut Vec<u8>| log[HEADS_BYTES + at * BLOCK_BYTES + 40] ^= 1;
        let bytes = fs::read(place.log()).unwrap();
        let mut changed = bytes.clone();
        damaged(&mut changed);
        write_in_place(&place, &changed);
        let report = db.check().unwrap();
        assert_says(&report.damages[0].error, &["its log", "does not hold"]);
        write_in_place(&place, &bytes);
    }
    // What is in memory is not damaged: a checkpoint needs nothing of the log.
    write_in_place(&place, &vec![0; usize::try_from(LOG_BYTES).unwrap()]);
    db.checkpoint().unwrap();
    assert_eq!(store.query().count().unwrap(), 3);
    drop((store, db));
    assert_eq!(ids(&Db::builder(), &place.store()), ["a", "b", "c"]);
}

/// Overwrites the log in place.
fn write_in_place(place: &Place, bytes: &[u8]) {
    use std::io::Write;

    let mut file = fs::OpenOptions::new()
        .write(true)
        .open(place.log())
        .unwrap();
    file.write_all(bytes).unwrap();
}
