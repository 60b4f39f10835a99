//! A tool that is killed at each of its system calls that write, or for which each of them fails.
//!
//! It needs strace, which can say at exactly which call. Unlike the faults below redb, these also reach
//! the call that names the file and the syncs after it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::tools::{Place, can_be_unnamed, judge, left_behind};
use super::{CHILD_FILE, CHILD_ROLE, CHILD_SEED};
use crate::machine::skip;
use crate::sample::Contents;
use crate::seed::{Seed, count_from_env, tell};

const ROLES: [&str; 4] = ["create", "restore", "load", "salvage"];
const CALLS: [&str; 5] = ["pwrite64", "ftruncate", "fdatasync", "fsync", "linkat"];
pub(super) const ENDS: [&str; 2] = ["signal=SIGKILL", "error=EIO"];

/// What became of a child.
pub(super) struct Outcome {
    /// Whether there were as many calls.
    pub(super) was_met: bool,
    was_done: bool,
    pub(super) told: String,
}

/// Whether strace runs; the suite is skipped otherwise.
#[track_caller]
pub(super) fn has_strace(directory: &Path) -> bool {
    let log = directory.join("calls.log");
    let strace = Command::new("strace")
        .args(["-qq", "-o"])
        .arg(log)
        .arg("true")
        .stderr(Stdio::null())
        .status();
    let runs = strace.is_ok_and(|status| status.success());
    if !runs {
        skip("calls", "strace does not run");
    }
    runs
}

/// Runs a tool whose `nth` call of one kind ends as said.
fn run(place: &Place, role: &str, call: &str, end: &str, nth: usize) -> Outcome {
    let _ = fs::remove_file(place.target());
    traced(place.path(), &format!("{role} once"), call, end, nth)
}

/// Runs a child in a directory, whose `nth` call of one kind ends as said.
pub(super) fn traced(directory: &Path, role: &str, call: &str, end: &str, nth: usize) -> Outcome {
    let log = directory.join("calls.log");
    let output = Command::new("strace")
        .args(["-f", "-qq", "-o"])
        .arg(&log)
        .args(["-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:{end}:when={nth}")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "kill::child::works_until_it_is_killed"])
        .arg("--nocapture")
        .env(CHILD_FILE, directory)
        .env(CHILD_SEED, "0")
        .env(CHILD_ROLE, role)
        .output()
        .unwrap();
    let log = fs::read_to_string(log).unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    Outcome {
        was_met: log.contains("INJECTED") || log.contains("killed by SIGKILL"),
        was_done: told.contains("#done"),
        told,
    }
}

#[test]
fn a_tool_that_is_killed_or_fails_at_any_call_leaves_a_whole_store_or_nothing() {
    let kills = count_from_env("BAYPLAN_KILLS", 100);
    let stride = (700 / kills.max(1)).clamp(1, 7);
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    let directory = tempfile::tempdir().unwrap();
    if !has_strace(directory.path()) {
        return;
    }
    let place = Place::new(directory.path());
    let expected = place.fill(&mut seed, 25);
    let source = fs::read(place.store()).unwrap();
    let nothing = Contents {
        containers: [].into(),
        records: [].into(),
        namespaces: [].into(),
    };
    let (mut met, mut whole, mut named) = (0, 0, 0);
    for role in ROLES {
        let expected = if role == "create" {
            &nothing
        } else {
            &expected
        };
        for (call, end) in CALLS.iter().flat_map(|call| ENDS.map(|end| (*call, end))) {
            // There are few of the last ones, and they matter most.
            let stride = if ["fsync", "linkat"].contains(&call) {
                1
            } else {
                stride
            };
            for nth in (1 + seed.below(stride)..).step_by(stride) {
                let outcome = run(&place, role, call, end, nth);
                if !outcome.was_met {
                    break;
                }
                met += 1;
                let what = format!("{role}, {call} {nth}, {end}, seed {first_seed}");
                let is_whole = judge(&place, expected, outcome.was_done)
                    .unwrap_or_else(|why| panic!("{what}: {why}"));
                whole += usize::from(is_whole);
                if is_whole && end == "error=EIO" && role != "create" {
                    // Only when it was named already.
                    assert!(outcome.told.contains("the file is whole"), "{what}");
                    named += 1;
                }
                assert!(fs::read(place.store()).unwrap() == source, "{what}");
            }
        }
    }
    let left = left_behind(directory.path());
    tell(format_args!(
        "kills-at-calls={met} whole={whole} named={named} left-behind={left} lost=0 panics=0 \
         silent=0 seed={first_seed}"
    ));
    assert!(0 < whole && whole < met);
    assert!(left == 0 || !can_be_unnamed(directory.path()));
}

/// The canary: the suite must be able to fail.
#[test]
fn a_copy_in_place_that_is_killed_at_a_write_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    if !has_strace(directory.path()) {
        return;
    }
    let place = Place::new(directory.path());
    let expected = place.fill(&mut Seed::new(1), 25);
    let outcome = run(&place, "copy in place", "write", "signal=SIGKILL", 20);
    assert!(outcome.was_met && !outcome.was_done && place.target().exists());
    judge(&place, &expected, false).unwrap_err();
}
