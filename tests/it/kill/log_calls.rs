//! A store with a log, killed at each of its system calls that write, sync, name or remove a file, or for which each of
//! them fails: while the log is made, used, emptied and removed, and while it is recovered.
//!
//! It needs strace, as the suite of [`calls`](super::calls) does.

use std::fs;
use std::path::{Path, PathBuf};

use bayplan::{Builder, Db};

use super::SPEC_MAX_BYTES;
use super::calls::{ENDS, has_strace, traced};
use super::model::Model;
use super::told::{Change, Told};
use super::tools::{can_be_unnamed, left_behind};
use crate::sample::{Contents, marked};
use crate::seed::{Seed, count_from_env, tell};

const ROLES: [&str; 2] = ["works with a log", "recovers"];
const CALLS: [&str; 6] = [
    "pwrite64",
    "ftruncate",
    "fdatasync",
    "fsync",
    "linkat",
    "unlink",
];

/// How many containers the child creates before the checkpoint, and after it.
const CREATED: [u64; 2] = [5, 3];

fn store_in(directory: &Path) -> PathBuf {
    directory.join("meta.redb")
}

fn log_in(directory: &Path) -> PathBuf {
    directory.join("meta.redb-log")
}

fn with_log() -> Builder {
    Db::builder().commit_log(true)
}

/// Makes the log, fills it, empties it, uses it again, and closes the store. An error ends the work.
pub(super) fn work(directory: &Path) {
    let Ok(db) = with_log().open(store_in(directory)) else {
        return;
    };
    let mut mark = 0;
    for count in CREATED {
        for _ in 0..count {
            mark += 1;
            Told::Begin(0, vec![created(mark)]).tell();
            let store = db.namespace("default").unwrap();
            let container = marked(&format!("t0-{mark}"), mark, SPEC_MAX_BYTES);
            if store.create(container).is_err() {
                return;
            }
            Told::Done(0).tell();
        }
        if db.checkpoint().is_err() {
            return;
        }
    }
    let _ = db.close();
}

/// Opens the store that another process left with its log, and closes it.
pub(super) fn recover(directory: &Path) {
    if let Ok(db) = Db::open(store_in(directory)) {
        let contents = Contents::of(&db).unwrap();
        assert_eq!(contents.containers.len() as u64, CREATED[0]);
        let _ = db.close();
    }
}

/// Puts a store in the directory: an empty one, or one that was killed with commits in its log.
fn prepare(directory: &Path, role: &str, killed: &[Vec<u8>; 2]) {
    for path in [store_in(directory), log_in(directory)] {
        let _ = fs::remove_file(path);
    }
    if role == "recovers" {
        fs::write(store_in(directory), &killed[0]).unwrap();
        fs::write(log_in(directory), &killed[1]).unwrap();
    } else {
        drop(Db::create(store_in(directory)).unwrap());
    }
}

/// The two files of a store that was killed with `t0-1` and so on in it, mostly in its log.
fn killed(directory: &Path) -> [Vec<u8>; 2] {
    let db = with_log().create(store_in(directory)).unwrap();
    let store = db.namespace("default").unwrap();
    for mark in 1..=CREATED[0] {
        let container = marked(&format!("t0-{mark}"), mark, SPEC_MAX_BYTES);
        store.create(container).unwrap();
    }
    [store_in(directory), log_in(directory)].map(|path| fs::read(path).unwrap())
}

/// What was acknowledged when a child of this role begins.
fn model_before(role: &str) -> Model {
    let mut model = Model::default();
    let count = if role == "recovers" { CREATED[0] } else { 0 };
    for mark in 1..=count {
        model.hear(Told::Begin(0, vec![created(mark)]));
        model.hear(Told::Done(0));
    }
    model
}

fn created(mark: u64) -> Change {
    let key = ("default".to_owned(), format!("t0-{mark}"));
    (key, Some(mark))
}

/// Opens what is left, and compares it with what was acknowledged.
fn settle(directory: &Path, model: &mut Model) -> Result<(), String> {
    let text = |error: bayplan::Error| format!("{error:#}");
    let reading = Db::open_read_only(store_in(directory));
    let seen = reading.and_then(|db| Contents::of(&db)).map_err(text)?;
    let db = with_log().open(store_in(directory)).map_err(text)?;
    let report = db.check().map_err(text)?;
    if !report.is_healthy() {
        return Err(format!("{report:?}"));
    }
    let contents = Contents::of(&db).map_err(text)?;
    if seen != contents {
        return Err("who reads and who writes see different data".to_owned());
    }
    model.settle(&contents)?;
    db.close().map_err(text)?;
    match log_in(directory).exists() {
        true => Err("the log was not removed".to_owned()),
        false => Ok(()),
    }
}

#[test]
fn a_store_with_a_log_that_is_killed_or_fails_at_any_call_loses_nothing() {
    let kills = count_from_env("BAYPLAN_KILLS", 100);
    let stride = (700 / kills.max(1)).clamp(1, 7);
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    let directory = tempfile::tempdir().unwrap();
    if !has_strace(directory.path()) {
        return;
    }
    let at = directory.path();
    let files = killed(at);
    let (mut met, mut acknowledged, mut in_flight) = (0, 0, 0);
    for role in ROLES {
        for (call, end) in CALLS.iter().flat_map(|call| ENDS.map(|end| (*call, end))) {
            // There are few of the others.
            let stride = if call == "pwrite64" { stride } else { 1 };
            let mut met_here = 0;
            for nth in (1 + seed.below(stride)..).step_by(stride) {
                prepare(at, role, &files);
                let mut model = model_before(role);
                let outcome = traced(at, role, call, end, nth);
                if !outcome.was_met {
                    break;
                }
                met_here += 1;
                let told = outcome.told.lines().filter_map(Told::parse);
                told.for_each(|told| model.hear(told));
                if role != "recovers" {
                    acknowledged += model.acknowledged;
                }
                in_flight += model.in_flight.len();
                settle(at, &mut model).unwrap_or_else(|why| {
                    panic!("{role}, {call} {nth}, {end}, seed {first_seed}: {why}")
                });
            }
            met += met_here;
        }
    }
    let left = left_behind(at);
    tell(format_args!(
        "kills-at-calls-of-logs={met} acknowledged={acknowledged} in-flight={in_flight} left-behind={left} \
         lost=0 panics=0 silent=0 seed={first_seed}"
    ));
    assert!(acknowledged > met / 2 && in_flight > 0);
    assert!(left == 0 || !can_be_unnamed(at));
}

/// The canary: the suite must be able to fail.
#[test]
fn a_frame_that_is_lost_after_a_kill_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    if !has_strace(at) {
        return;
    }
    for nth in 1.. {
        prepare(at, ROLES[0], &[Vec::new(), Vec::new()]);
        let outcome = traced(at, ROLES[0], "fdatasync", ENDS[0], nth);
        assert!(outcome.was_met, "it makes no frame");
        let mut model = Model::default();
        outcome
            .told
            .lines()
            .filter_map(Told::parse)
            .for_each(|told| model.hear(told));
        if model.acknowledged < 3 {
            continue;
        }
        let mut log = fs::read(log_in(at)).unwrap();
        // The frame that was being synced, and the one before it, which was acknowledged.
        for _ in 0..2 {
            let last = log.windows(4).rposition(|magic| magic == b"bplf").unwrap();
            log[last..].fill(0);
        }
        fs::write(log_in(at), log).unwrap();
        settle(at, &mut model).unwrap_err();
        return;
    }
}
