//! A tool that is killed at any moment leaves a whole new store at its place or nothing, and its
//! source as it was; a store that is compacted holds what it held.
//!
//! `BAYPLAN_KILLS` sets how often, as for the suite above.

use std::fs;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use bayplan::{Db, FieldMask, Maintenance};

use super::model::Model;
use super::running::{Delay, Running};
use super::told::Told;
use crate::sample::{Contents, marked, populate, without_stamps};
use crate::seed::{Progress, Seed, count_from_env, tell};

const ROLES: [&str; 5] = ["backup", "restore", "load", "salvage", "compact"];

/// The containers that a backup's source writes meanwhile, in one transaction.
const BEATS: [(&str, &str); 2] = [("default", "beat"), ("moby", "beat")];

/// A directory with a source for each tool.
pub(super) struct Place(PathBuf);

impl Place {
    pub(super) fn new(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn store(&self) -> PathBuf {
        self.0.join("source.redb")
    }

    fn dump(&self) -> PathBuf {
        self.0.join("source.dump")
    }

    /// What is compacted: a copy of the source, made for each kill.
    fn copy(&self) -> PathBuf {
        self.0.join("copy.redb")
    }

    pub(super) fn target(&self) -> PathBuf {
        self.0.join("target.redb")
    }

    /// Creates the sources; returns their content, apart from the beats.
    pub(super) fn fill(&self, seed: &mut Seed, count: usize) -> Contents {
        let db = Db::create(self.store()).unwrap();
        populate(&db, seed, count).unwrap();
        for (name, id) in BEATS {
            db.namespace(name)
                .unwrap()
                .create(marked(id, 0, 0))
                .unwrap();
        }
        // So that there is something to compact.
        let store = db.namespace("archive").unwrap();
        for id in store.query().ids().unwrap() {
            store.delete(&id).unwrap();
        }
        let mut dump = fs::File::create(self.dump()).unwrap();
        db.dump(&mut dump, |_| {}).unwrap();
        dump.flush().unwrap();
        without_beats(Contents::of(&db).unwrap()).unwrap()
    }
}

/// What a child does: it reports when it begins and when it is done, and then waits to be killed, unless it is to work
/// once.
pub(super) fn work(role: &str, directory: &Path) {
    match role.strip_suffix(" once") {
        Some(role) => work_once(role, directory),
        None => {
            work_once(role, directory);
            thread::sleep(Duration::from_secs(30));
        }
    }
}

fn work_once(role: &str, directory: &Path) {
    let place = Place::new(directory);
    let tools = Maintenance::new();
    let begin = || {
        Told::Ready.tell();
        Told::Begin(0, Vec::new()).tell();
    };
    match role {
        "backup" => {
            let source = Db::open(place.store()).unwrap();
            let beating = source.clone();
            thread::spawn(move || {
                for mark in 1.. {
                    beat(&beating, mark);
                }
            });
            begin();
            source.backup(place.target(), |_| {}).unwrap();
        }
        "create" => drop(Db::create(place.target()).unwrap()),
        "restore" => {
            begin();
            tools
                .restore(place.store(), place.target(), |_| {})
                .unwrap();
        }
        "load" => {
            begin();
            let dump = BufReader::new(fs::File::open(place.dump()).unwrap());
            tools.load(place.target(), dump, |_| {}).unwrap();
        }
        "salvage" => {
            begin();
            tools
                .salvage(place.store(), place.target(), |_| {})
                .unwrap();
        }
        "compact" => {
            begin();
            tools.compact(place.copy()).unwrap();
        }
        "copy in place" => {
            let bytes = fs::read(place.store()).unwrap();
            let mut target = fs::File::create(place.target()).unwrap();
            begin();
            for part in bytes.chunks(4096) {
                target.write_all(part).unwrap();
                thread::sleep(Duration::from_millis(1));
            }
        }
        other => panic!("{other} is no tool"),
    }
    Told::Done(0).tell();
}

fn beat(db: &Db, mark: u64) {
    let mask = FieldMask::parse(["labels", "spec", "extensions"]).unwrap();
    db.write(|txn| -> bayplan::Result<()> {
        for (name, id) in BEATS {
            txn.namespace(name)?.update(marked(id, mark, 0), &mask)?;
        }
        Ok(())
    })
    .unwrap();
}

/// What a whole store holds; an error if it is not whole.
fn read(path: &Path) -> Result<Contents, String> {
    let db = Db::open_read_only(path).map_err(|error| format!("{error:#}"))?;
    let report = db.check().map_err(|error| format!("{error:#}"))?;
    if !report.is_healthy() {
        return Err(format!("{report:?}"));
    }
    assert!(db.list_namespaces().is_ok());
    Contents::of(&db).map_err(|error| format!("{error:#}"))
}

/// Removes what was written meanwhile, after checking that it is of one moment.
fn without_beats(mut contents: Contents) -> Result<Contents, String> {
    if contents.namespaces.is_empty() {
        return Ok(contents); // A new store.
    }
    let beats = BEATS.map(|(name, id)| {
        let key = (name.to_owned(), id.to_owned());
        contents.containers.remove(&key).map(without_stamps)
    });
    let [Some(one), Some(other)] = beats else {
        return Err("a container is lost".to_owned());
    };
    match one.labels == other.labels && one.spec == other.spec {
        true => Ok(contents),
        false => Err("half of a transaction".to_owned()),
    }
}

/// Whether there is a new store, when the child is dead; an error if anything is not as it must be.
pub(super) fn judge(place: &Place, expected: &Contents, was_done: bool) -> Result<bool, String> {
    let is_same = |path: &Path| match without_beats(read(path)?)? == *expected {
        true => Ok(()),
        false => Err("other data".to_owned()),
    };
    if place.copy().exists() {
        is_same(&place.copy()).map_err(|why| format!("what was compacted: {why}"))?;
        return Ok(was_done);
    }
    if !place.target().exists() {
        return match was_done {
            true => Err("a new store that was acknowledged is not there".to_owned()),
            false => Ok(false),
        };
    }
    is_same(&place.target()).map_err(|why| format!("the new store: {why}"))?;
    Ok(true)
}

/// The unwanted files that a killed process left.
pub(super) fn left_behind(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(".bayplan-")).count()
}

/// Whether a new file needs no name in this directory.
pub(super) fn can_be_unnamed(directory: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{Mode, OFlags, open};
        open(directory, OFlags::TMPFILE | OFlags::RDWR, Mode::RUSR).is_ok()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = directory;
        false
    }
}

/// Runs a tool until it is killed; whether it was done, and how long it took to the end.
fn kill(place: &Place, role: &str, after: Duration) -> bool {
    for path in [place.target(), place.copy()] {
        let _ = fs::remove_file(path);
    }
    if role == "compact" {
        fs::copy(place.store(), place.copy()).unwrap();
    }
    let mut model = Model::default();
    Running::start(&place.0, 0, role).kill_after(Delay::FromReady(after), &mut model);
    model.acknowledged == 1
}

/// How long a tool takes here: the shortest time after which it was done.
fn duration(place: &Place, role: &str) -> Duration {
    let begun = Instant::now();
    let mut time = Duration::from_millis(4);
    while !kill(place, role, time) {
        time = time * 6 / 5;
        assert!(begun.elapsed() < Duration::from_secs(120), "{role}");
    }
    time
}

#[test]
fn a_tool_that_is_killed_leaves_a_whole_store_or_nothing_and_its_source_unharmed() {
    let kills = count_from_env("BAYPLAN_KILLS", 100).div_ceil(2);
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    let directory = tempfile::tempdir().unwrap();
    let place = Place::new(directory.path());
    let expected = place.fill(&mut seed, 400);
    let durations = ROLES.map(|role| duration(&place, role));
    let mut progress = Progress::new("kills of tools");
    let (mut whole, mut done) = (0, 0);
    for number in 0..kills {
        let role = ROLES[number % ROLES.len()];
        let longest = durations[number % ROLES.len()].as_micros() as usize;
        // The file gets its name at the end: that is where most of them die.
        let micros = match seed.one_in(3) {
            true => seed.below(longest),
            false => longest / 2 + seed.below(longest * 3 / 5),
        };
        let source = (role != "backup").then(|| fs::read(place.store()).unwrap());
        let was_done = kill(&place, role, Duration::from_micros(micros as u64));
        if let Some(source) = source {
            let now = fs::read(place.store()).unwrap();
            assert!(
                now == source,
                "kill {number} of {role}: the source is changed"
            );
        }
        let unharmed = read(&place.store()).and_then(without_beats).unwrap();
        assert!(unharmed == expected, "kill {number} of {role}: the source");
        match judge(&place, &expected, was_done) {
            Ok(is_whole) => whole += usize::from(is_whole),
            Err(why) => panic!("kill {number} of {role}, seed {first_seed}: {why}"),
        }
        done += usize::from(was_done);
        progress.at(number, kills);
    }
    let left = left_behind(directory.path());
    tell(format_args!(
        "kills-of-tools={kills} whole={whole} acknowledged={done} left-behind={left} lost=0 \
         panics=0 silent=0 seed={first_seed}"
    ));
    assert!(0 < done && done < kills, "nothing was killed in its work");
    assert!(left == 0 || !can_be_unnamed(directory.path()));
}

/// The canary: the suite must be able to fail.
#[test]
fn a_copy_that_is_written_at_its_place_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::new(directory.path());
    let expected = place.fill(&mut Seed::new(1), 400);
    let was_done = kill(&place, "copy in place", Duration::from_millis(20));
    assert!(!was_done);
    judge(&place, &expected, was_done).unwrap_err();

    // Nothing at all, though it was acknowledged; and other data.
    fs::remove_file(place.target()).unwrap();
    assert_eq!(judge(&place, &expected, false), Ok(false));
    judge(&place, &expected, true).unwrap_err();
    fs::copy(place.store(), place.target()).unwrap();
    assert_eq!(judge(&place, &expected, true), Ok(true));
    let db = Db::open(place.target()).unwrap();
    db.namespace("default").unwrap().delete("beat").unwrap();
    drop(db);
    judge(&place, &expected, true).unwrap_err();
}
