//! Records in memory, and damage to the file below them: what was loaded stays right, and operations that read the file
//! report the damage.
//!
//! `BAYPLAN_FLIPS` sets how many bytes are flipped (a tenth of it), `BAYPLAN_SEED` repeats a run.

use std::fmt::Debug;

use bayplan::{Container, ErrorKind, Filters, Result};

use super::disk::Disk;
use super::sample::{marked, plain};
use super::seed::{Seed, count_from_env, tell};
use super::work::{self, settings};
use crate::api::db::Db;
use crate::session::settings::Settings;

const CONTAINERS: u64 = 60;
const PAGE_BYTES: usize = 4096;

fn id(number: u64) -> String {
    format!("c{number}")
}

/// A store that was closed cleanly.
fn closed() -> Vec<u8> {
    let disk = Disk::default();
    let db = work::create(&disk, &settings(true, false)).unwrap();
    db.write(|txn| {
        let store = txn.namespace("ns")?;
        (0..CONTAINERS).try_for_each(|number| {
            let container = marked(&id(number), number, 2_000);
            store
                .create(container.label("shard", (number % 9).to_string()))
                .map(drop)
        })
    })
    .unwrap();
    drop(db);
    disk.bytes()
}

/// Without a page cache, everything that is not in memory is read from the disk.
fn uncached(check_integrity: bool, memory_bytes: usize) -> Settings {
    Settings {
        cache_bytes: 0,
        memory_bytes,
        ..settings(check_integrity, false)
    }
}

fn is_loaded(db: &Db) -> bool {
    db.read().unwrap().shared().memory_bytes() > 0
}

/// Opens a store with its records in memory. Returns it and the records.
fn loaded(bytes: Vec<u8>) -> (Disk, Db, Vec<Container>) {
    let disk = Disk::holding(bytes);
    let db = work::open(&disk, &uncached(true, 16 << 20)).unwrap();
    let store = db.namespace("ns").unwrap();
    let mut all = Vec::new();
    for _ in 0..3 {
        all = store.query().list().unwrap();
    }
    assert!(is_loaded(&db));
    drop(store);
    (disk, db, all)
}

/// Asks everything that memory answers.
#[track_caller]
fn assert_reads_what_was_loaded(db: &Db, all: &[Container]) {
    let store = db.namespace("ns").unwrap();
    assert!(store.query().list().unwrap() == all);
    assert!(store.query().lenient().unwrap().items == all);
    assert_eq!(store.query().count().unwrap(), all.len() as u64);
    for container in all.iter().step_by(17) {
        assert!(store.get(&container.id).unwrap() == *container);
        let shard = Filters::parse(&[format!("labels.shard=={}", container.labels["shard"])]);
        let found = store.query().filter(&shard.unwrap()).list().unwrap();
        assert!(found.contains(container));
    }
}

#[test]
fn damage_to_the_file_after_loading_changes_no_answer_and_is_reported_by_who_reads_the_file() {
    let bytes = closed();
    let (disk, db, all) = loaded(bytes.clone());
    let wanted = &all[all.len() / 2];
    let spec = &wanted.spec.as_ref().unwrap().value;
    let middle = &spec[spec.len() / 2..][..16];
    let mut hit = 0;
    disk.damage(|bytes| {
        while let Some(at) = bytes.windows(16).position(|part| part == middle) {
            bytes[at] ^= 1;
            hit += 1;
        }
    });
    assert!(hit > 0, "the spec is packed: choose one that is not");
    assert_reads_what_was_loaded(&db, &all);

    let report = db.check().unwrap();
    let told: Vec<_> = report
        .damages
        .iter()
        .map(|damage| damage.id.as_deref())
        .collect();
    assert_eq!(told, [Some(wanted.id.as_str())]);
    let error = db.dump(std::io::sink(), |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:#}");
    assert!(format!("{error:#}").contains(&wanted.id), "{error:#}");
    let directory = tempfile::tempdir().unwrap();
    let error = db
        .backup(directory.path().join("copy"), |_| {})
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:#}");

    // Other records can be written, and what was loaded stays in memory.
    let store = db.namespace("ns").unwrap();
    store.create(plain("new")).unwrap();
    assert!(is_loaded(&db));
    assert!(store.get(&wanted.id).unwrap() == *wanted);
    // The next opening reads the file.
    drop((store, db));
    let others = work::open(&disk, &uncached(false, 16 << 20)).unwrap();
    let others = others.namespace("ns").unwrap();
    assert!(others.get(&wanted.id).unwrap_err().is_corrupt());
    assert!(others.get("new").is_ok());
}

#[test]
fn a_flip_anywhere_in_the_file_after_loading_changes_no_answer() {
    let bytes = closed();
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    let flips = count_from_env("BAYPLAN_FLIPS", 2_000) / 10;
    let (mut told, mut unseen, mut refused) = (0, 0, 0);
    for _ in 0..flips {
        let mut is_refused = false;
        let (disk, db, all) = loaded(bytes.clone());
        let at = seed.below(bytes.len());
        let with = 1 << seed.below(8);
        disk.damage(|bytes| bytes[at] ^= with);
        let what = format!("byte {at}, seed {first_seed}");
        assert_reads_what_was_loaded(&db, &all);
        match db.check() {
            Ok(report) if report.is_healthy() => unseen += 1,
            Ok(_) => told += 1,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error:#}");
                told += 1;
            }
        }
        // A write that meets the damage is refused. Memory may or may not show it.
        let store = db.namespace("ns").unwrap();
        match store.create(plain("new")) {
            Ok(_) => assert!(store.get("new").is_ok(), "{what}"),
            Err(error) => {
                // The check may have met it first: after a failed read redb does nothing more.
                let kinds = [
                    ErrorKind::Corrupt,
                    ErrorKind::CommitUncertain,
                    ErrorKind::Unavailable,
                ];
                assert!(kinds.contains(&error.kind()), "{what}: {error:#}");
                is_refused = true;
                refused += 1;
            }
        }
        for container in all.iter().step_by(29) {
            match store.get(&container.id) {
                Ok(found) => assert!(found == *container, "{what}"),
                Err(error) => assert!(
                    is_refused && error.kind() == ErrorKind::Unavailable,
                    "{what}: {error:#}"
                ),
            }
        }
    }
    tell(format_args!(
        "flips-after-loading={flips} told={told} unseen={unseen} refused={refused} wrong=0 panics=0 seed={first_seed}"
    ));
    assert!(told > 0 && unseen > 0);
}

fn shown<T: Debug>(result: Result<T>) -> String {
    match result {
        Ok(found) => format!("{found:?}"),
        Err(error) => format!("{error:#}"),
    }
}

/// Asks each kind of question three times.
fn answers(db: &Db) -> Vec<String> {
    let store = db.namespace("ns").unwrap();
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(shown(store.query().list()));
        all.push(shown(store.query().headers()));
        all.push(shown(store.query().lenient()));
        all.push(shown(store.query().count()));
        for number in (0..CONTAINERS).step_by(23) {
            all.push(shown(store.get(&id(number))));
        }
    }
    all
}

/// Nothing verifies the pages: loading is the first to meet the damage.
#[test]
fn damage_to_a_page_that_loading_meets_gives_the_errors_of_the_file_and_leaves_the_store_usable() {
    let bytes = closed();
    let open = |bytes: &[u8], memory_bytes| {
        let disk = Disk::holding(bytes.to_vec());
        work::open(&disk, &uncached(false, memory_bytes))
    };
    let intact = answers(&open(&bytes, 0).unwrap());
    let (mut ended, mut kept) = (0, 0);
    for page in 1..bytes.len() / PAGE_BYTES {
        for at in [0, 2, 4, 20, 60, 700] {
            let at = page * PAGE_BYTES + at;
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x11;
            let (Ok(of_file), Ok(of_memory)) = (open(&damaged, 0), open(&damaged, 16 << 20)) else {
                continue; // redb opens it by this page.
            };
            let expected = answers(&of_file);
            let found = answers(&of_memory);
            if is_loaded(&of_memory) {
                kept += 1;
                let answers = found.iter().zip(expected.iter().zip(&intact));
                for (found, (expected, intact)) in answers {
                    assert!(found == expected || found == intact, "byte {at}: {found}");
                }
                continue;
            }
            assert!(found == expected, "byte {at}");
            if found == intact {
                continue;
            }
            ended += 1;
            assert!(
                found.iter().any(|answer| answer.contains("damaged")),
                "byte {at}"
            );
            // What is in other pages can still be read, and nothing is written.
            let store = of_memory.namespace("ns").unwrap();
            assert!(
                store.create(plain("new")).unwrap_err().is_corrupt(),
                "byte {at}"
            );
            assert!(answers(&of_memory) == expected, "byte {at}");
        }
    }
    tell(format_args!(
        "loads-of-damaged-pages={} ended={ended} kept={kept} wrong=0",
        ended + kept
    ));
    assert!(ended > 10 && kept > 10);
}
