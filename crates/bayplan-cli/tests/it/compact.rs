use std::fs;

use bayplan::{Any, Container, Db, Runtime, Share};

use crate::util::{Place, summary};

/// Bytes that do not pack.
fn noise(number: u64) -> Vec<u8> {
    let mut state = number;
    let step = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(step).take(10_000).collect()
}

/// A store of which most was deleted.
fn hollow() -> Place {
    let place = Place::new();
    let db = Db::open(place.db()).unwrap();
    db.write(|txn| -> bayplan::Result<()> {
        let store = txn.namespace("default")?;
        for number in 0..500 {
            let spec = Any::new("spec", noise(number));
            let id = format!("container-{number}");
            store.create(Container::new(id, Runtime::new("runc"), spec))?;
        }
        Ok(())
    })
    .unwrap();
    db.write(|txn| {
        let store = txn.namespace("default")?;
        (1..499).try_for_each(|number| store.delete(&format!("container-{number}")))
    })
    .unwrap();
    drop(db);
    place
}

fn length(place: &Place) -> u64 {
    place.db().metadata().unwrap().len()
}

#[test]
fn the_file_becomes_shorter_and_holds_the_same() {
    let place = hollow();
    let (dump, before) = (place.prints(&["dump"]), length(&place));
    let out = place.prints(&["compact"]);
    let names = ["file", "before", "after", "freed"];
    let told = summary(&out, &names);
    assert_eq!(told[0], "DIR/meta.redb");
    assert!(told[1].ends_with(" MiB"), "{out}");
    assert!(!told[2].contains("about"), "{out}");
    assert!(length(&place) < before / 2);
    assert_eq!(place.prints(&["dump"]), dump);
}

#[test]
fn a_dry_run_estimates_and_changes_nothing() {
    let place = hollow();
    let before = fs::read(place.db()).unwrap();
    let out = place.prints(&["compact", "--dry-run"]);
    let told = summary(&out, &["after", "freed"]);
    assert!(told[0].starts_with("about "), "{out}");
    assert!(told[1].ends_with(" MiB"), "{out}");
    assert_eq!(fs::read(place.db()).unwrap(), before);
    // Also while another process writes.
    let _daemon = Db::builder()
        .share(Share::Readers)
        .open(place.db())
        .unwrap();
    place.prints(&["compact", "--dry-run"]);
    assert_eq!(place.run(&["compact"]).code, 3);
}

#[test]
fn a_damaged_file_is_left_as_it_is() {
    let place = Place::new();
    let spec = r#"{"ociVersion":"1.0.2","hostname":"MARKER"}"#;
    place.run_with(&["create", "web", "--spec", "-"], spec, &[]);
    place.damage("MARKER");
    let before = fs::read(place.db()).unwrap();
    for args in [&["compact"][..], &["compact", "--dry-run"]] {
        let run = place.run(args);
        assert_eq!((run.code, run.out.as_str()), (2, ""));
        assert!(run.err.contains("`bayplan salvage` saves"), "{}", run.err);
        assert_eq!(fs::read(place.db()).unwrap(), before);
    }
}

#[test]
fn there_must_be_a_database() {
    let place = Place::bare();
    for args in [&["compact"][..], &["compact", "--dry-run"], &["stats"]] {
        place.fails(
            args,
            1,
            "bayplan: there is no database DIR/meta.redb: `bayplan init` creates one\n",
        );
    }
    assert!(place.files().is_empty());
}

#[test]
fn a_shared_store_that_others_have_open_is_not_compacted() {
    for share in [Share::Readers, Share::Processes] {
        let place = hollow();
        let held = Db::builder().share(share).open(place.db()).unwrap();
        let text = format!(
            "bayplan: open store DIR/meta.redb: the file is in use by process {}\n  \
             to wait for it: --timeout SECONDS\n",
            std::process::id()
        );
        place.fails(&["compact", "--timeout", "0"], 3, &text);
        drop(held);
        let before = length(&place);
        place.prints(&["compact"]);
        assert!(length(&place) < before / 2);
    }
}
