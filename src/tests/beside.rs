//! Checkpoints beside commits: what readers see meanwhile, and what a failed one leaves.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bayplan::{Db, ErrorKind, Filters, Update};

use super::disk::{Call, Disk, Fault, How};
use super::sample::plain;
use super::work::{self, settings, with_log};

const WRITERS: usize = 2;
const READERS: usize = 4;
const CONTAINERS: usize = 40;

fn store(memory_bytes: usize) -> (Disk, Db) {
    let disk = Disk::default();
    let mut settings = with_log(settings(true, false));
    settings.checkpoints_beside = true;
    settings.memory_bytes = memory_bytes;
    let db = work::create(&disk, &settings).unwrap();
    db.checkpoint().unwrap(); // The first commit makes no log.
    (disk, db)
}

/// Each writer counts up the labels of all its containers, one after the other; so in any snapshot the numbers of one
/// writer fall from the first container to the last, by one at most.
fn count_up(db: &Db, writer: usize, rounds: usize) {
    let store = db.namespace("default").unwrap();
    for round in 1..=rounds {
        for number in 0..CONTAINERS {
            let update = Update::new(format!("w{writer}-{number:02}"));
            store
                .apply(update.set_label("round", round.to_string()))
                .unwrap();
        }
        // Something that is gone again by the next round.
        let passing = format!("x{writer}-{round}");
        store.create(plain(&passing)).unwrap();
        store.delete(&passing).unwrap();
    }
}

fn rounds(db: &Db) -> BTreeMap<String, usize> {
    let snapshot = db.read().unwrap();
    let store = snapshot.namespace("default").unwrap();
    let listed = store.list(&Filters::all()).unwrap();
    let rounds = listed
        .iter()
        .filter(|container| container.id.starts_with('w'));
    let rounds: BTreeMap<String, usize> = rounds
        .map(|container| {
            assert_eq!(store.get(&container.id).unwrap(), *container);
            let round = container.labels.get("round").map_or("0", String::as_str);
            (container.id.clone(), round.parse().unwrap())
        })
        .collect();
    assert_eq!(rounds.len(), WRITERS * CONTAINERS);
    assert_eq!(store.query().count().unwrap(), listed.len() as u64);
    rounds
}

#[test]
fn every_snapshot_shows_one_moment_while_checkpoints_run() {
    for memory_bytes in [0, 1 << 20] {
        let (disk, db) = store(memory_bytes);
        let store = db.namespace("default").unwrap();
        for writer in 0..WRITERS {
            for number in 0..CONTAINERS {
                store
                    .create(plain(&format!("w{writer}-{number:02}")))
                    .unwrap();
            }
        }
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..READERS {
                scope.spawn(|| {
                    let mut before = rounds(&db);
                    while !is_done.load(Ordering::Acquire) {
                        let now = rounds(&db);
                        assert!(now.iter().all(|(id, round)| *round >= before[id]));
                        for writer in 0..WRITERS {
                            let of = |number: usize| now[&format!("w{writer}-{number:02}")];
                            let (first, last) = (of(0), of(CONTAINERS - 1));
                            assert!(first <= last + 1);
                            assert!((1..CONTAINERS).all(|at| of(at - 1) >= of(at)));
                        }
                        before = now;
                    }
                });
            }
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    let db = &db;
                    scope.spawn(move || count_up(db, writer, 12))
                })
                .collect();
            let ended: Vec<_> = writers
                .into_iter()
                .map(thread::ScopedJoinHandle::join)
                .collect();
            is_done.store(true, Ordering::Release);
            ended.into_iter().for_each(Result::unwrap);
        });
        assert!(rounds(&db).values().all(|round| *round == 12));
        assert!(db.check().unwrap().is_healthy());
        drop((store, db));
        let again = work::open(&disk, &settings(true, false)).unwrap();
        assert!(rounds(&again).values().all(|round| *round == 12));
        assert!(again.check().unwrap().is_healthy());
    }
}

#[test]
fn a_snapshot_that_is_held_stays_as_it_was_through_many_checkpoints() {
    let (_disk, db) = store(0);
    let store = db.namespace("default").unwrap();
    let mut held = Vec::new();
    for number in 0..120 {
        store.create(plain(&format!("c{number}"))).unwrap();
        if number > 2 {
            store.delete(&format!("c{}", number - 3)).unwrap();
        }
        if number % 9 == 0 {
            held.push((db.read().unwrap(), store.query().ids().unwrap()));
        }
    }
    for (snapshot, ids) in &held {
        let store = snapshot.namespace("default").unwrap();
        assert_eq!(store.query().ids().unwrap(), *ids);
    }
}

/// A checkpoint that fails loses nothing: the log has it.
#[test]
fn a_failed_checkpoint_is_told_to_the_next_writer_and_what_was_acknowledged_is_there() {
    for call in [Call::Write, Call::Sync] {
        let (disk, db) = store(1 << 20);
        let store = db.namespace("default").unwrap();
        store.create(plain("c0")).unwrap();
        let fault = Fault {
            call,
            nth: 0,
            times: usize::MAX,
            how: How::Device,
        };
        disk.fail_file(fault);
        let refused = (1..1_000_u64).find_map(|number| {
            let error = store.create(plain(&format!("c{number}"))).err()?;
            Some((number, error))
        });
        let (count, error) = refused.expect("a checkpoint is due");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:#}");
        let text = format!("{error:#}");
        assert!(
            text.contains("a checkpoint failed: nothing of the transaction is stored"),
            "{text}"
        );
        assert_eq!(store.query().count().unwrap(), count);
        let after = store.create(plain("later")).unwrap_err();
        assert_eq!(after.kind(), ErrorKind::Unavailable, "{after:#}");
        assert!(std::error::Error::source(&after).is_some());
        drop((store, db));
        let again = work::open(&Disk::of(disk.image()), &settings(true, false)).unwrap();
        let store = again.namespace("default").unwrap();
        assert_eq!(store.query().count().unwrap(), count);
    }
}
