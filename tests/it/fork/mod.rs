//! A process that forks loses nothing, whatever its children do with the inherited store.
//!
//! A separate process, this binary again, plays a role: it opens a store, writes, forks, and continues. Its children
//! try everything, drop everything, or find a store in the middle of something. When all have ended, the file is
//! compared with what the process acknowledged.
//!
//! `BAYPLAN_FORKS` sets how often it forks while others write. Roles in a new PID namespace need root.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use bayplan::Db;

use crate::machine::skip;
use crate::sample::plain;
use crate::seed::{count_from_env, tell};

mod child;
mod holder;
mod roles;

/// The variables that make this binary a process that forks.
const FORK_FILE: &str = "BAYPLAN_TEST_FORK_FILE";
const FORK_ROLE: &str = "BAYPLAN_TEST_FORK_ROLE";
const FORK_COUNT: &str = "BAYPLAN_TEST_FORK_COUNT";

const NAMESPACE: &str = "default";

/// The report of a process that played its role.
struct Played {
    acknowledged: BTreeSet<String>,
    forks: usize,
    skipped: Option<String>,
}

/// Plays a role until it and all its children have ended.
fn play(role: &str, path: &Path, count: usize) -> Result<Played, String> {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fork::roles::is_played", "--nocapture"])
        .env(FORK_FILE, path)
        .env(FORK_ROLE, role)
        .env(FORK_COUNT, count.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = String::new();
    // Until the last process that can write to it has ended.
    let mut out = process.stdout.take().unwrap();
    out.read_to_string(&mut told).unwrap();
    let status = process.wait().unwrap();
    let mut played = Played {
        acknowledged: BTreeSet::new(),
        forks: 0,
        skipped: None,
    };
    for line in told.lines() {
        // The harness begins its line without ending it.
        let line = line.get(line.find('#').unwrap_or(line.len())..).unwrap();
        match line.split_once(' ').unwrap_or((line, "")) {
            ("#stored", id) => drop(played.acknowledged.insert(id.to_owned())),
            ("#forked", _) => played.forks += 1,
            ("#skipped", why) => played.skipped = Some(why.to_owned()),
            ("#failed", why) => return Err(format!("{role}: {why}")),
            _ => {}
        }
    }
    let was_killed = status.signal() == Some(9);
    match status.success() || (role == "is killed" && was_killed) {
        true => Ok(played),
        false => Err(format!("{role}: {status}: {told}")),
    }
}

/// Compares what was acknowledged with the file.
fn judge(path: &Path, acknowledged: &BTreeSet<String>) -> Result<(), String> {
    let db = Db::open(path).map_err(|error| format!("{error:#}"))?;
    let report = db.check().map_err(|error| format!("{error:#}"))?;
    if !report.is_healthy() {
        return Err(format!("{report:?}"));
    }
    let store = db.namespace(NAMESPACE).unwrap();
    let stored = store.query().ids();
    let stored: BTreeSet<_> = stored
        .map_err(|error| format!("{error:#}"))?
        .into_iter()
        .collect();
    match stored == *acknowledged {
        true => Ok(()),
        false => Err(format!("stored {stored:?}, acknowledged {acknowledged:?}")),
    }
}

#[test]
fn whatever_a_forked_child_does_nothing_is_lost() {
    let forks = count_from_env("BAYPLAN_FORKS", 40);
    let mut all = 0;
    let names = ["meta.redb", roles::WITH_LOG];
    for (role, name) in roles::ROLES
        .into_iter()
        .flat_map(|role| names.map(|name| (role, name)))
    {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        drop(Db::create(&path).unwrap());
        let played = play(role, &path, forks).unwrap();
        if let Some(why) = played.skipped {
            skip(&format!("forks: {role}"), why);
            continue;
        }
        assert!(played.forks > 0, "{role}");
        assert!(!played.acknowledged.is_empty(), "{role}");
        judge(&path, &played.acknowledged).unwrap_or_else(|why| panic!("{role}: {why}"));
        let names = fs::read_dir(directory.path()).unwrap();
        assert_eq!(names.count(), 1, "{role}: a child left a file");
        all += played.forks;
    }
    tell(format_args!("forks={all} lost=0"));
}

/// The canary: the suite must be able to fail.
#[test]
fn a_child_that_loses_something_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let db = Db::create(&path).unwrap();
    db.namespace(NAMESPACE).unwrap().create(plain("a")).unwrap();
    drop(db);
    let acknowledged = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    judge(&path, &acknowledged(&["a"])).unwrap();
    judge(&path, &acknowledged(&["a", "lost"])).unwrap_err();
    judge(&path, &acknowledged(&[])).unwrap_err();
    play("writes behind its parent's back", &path, 1).unwrap();
    judge(&path, &acknowledged(&["a"])).unwrap_err();
}
