//! Several processes write one store, and are killed at any moment: nothing that one of them acknowledged is lost, no
//! revision is handed out twice, and no process waits for a dead one.
//!
//! A follower in this process gets each change once, in order, and in the end knows what the store holds.
//!
//! Children, this binary again, create and delete containers of their own, and count in containers that all of them
//! share, by compare-and-set. Each reports an operation before and after it. `BAYPLAN_KILLS` sets how many are
//! killed.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use bayplan::{
    Any, Change, Container, Db, Detail, ErrorKind, Event, FieldMask, Found, Position, Result,
    Revision, Runtime, Share, Subject, Subscription,
};

use crate::seed::{Seed, count_from_env, tell};

const WRITERS: usize = 4;
const COUNTERS: usize = 3;
const CHILD_FILE: &str = "BAYPLAN_TEST_SHARING_FILE";
const CHILD_NAME: &str = "BAYPLAN_TEST_SHARING_NAME";
const CHILD_SEED: &str = "BAYPLAN_TEST_SHARING_SEED";
/// What a line begins with that a child reports.
const MARK: &str = "@bayplan ";

fn container(id: &str) -> Container {
    let spec = Any::new("spec", vec![b'x'; 500]);
    Container::new(id, Runtime::new("runc"), spec)
}

fn counter(number: usize) -> String {
    format!("counter-{number}")
}

/// A store that processes share, with counters at 0.
fn create_with_counters(path: &Path) {
    let db = Db::builder().share(Share::Processes).create(path).unwrap();
    let store = db.namespace("shared").unwrap();
    for number in 0..COUNTERS {
        let counter = container(&counter(number)).label("count", "0");
        store.create(counter).unwrap();
    }
}

fn count_of(container: &Container) -> u64 {
    container.labels["count"].parse().unwrap()
}

#[test]
fn works_among_others_until_it_is_killed() {
    let Ok(path) = std::env::var(CHILD_FILE) else {
        return; // Only the test below runs this.
    };
    let name = std::env::var(CHILD_NAME).unwrap();
    let mut seed = Seed::new(std::env::var(CHILD_SEED).unwrap().parse().unwrap());
    let worked = match name.chars().next() {
        Some('r') => read(Path::new(&path), &mut seed),
        Some('v') => create_one(Path::new(&path), &name, &mut seed),
        _ => write(Path::new(&path), &name, &mut seed),
    };
    if let Err(error) = worked {
        println!("{MARK}failed {error:#}");
    }
}

fn open(path: &Path, seed: &mut Seed) -> Result<Db> {
    Db::builder()
        .check_integrity(!seed.one_in(3))
        .lock_timeout(Duration::from_secs(60))
        .open(path)
}

/// As a program does that is started for one command.
fn create_one(path: &Path, name: &str, seed: &mut Seed) -> Result<()> {
    let db = open(path, seed)?;
    println!("{MARK}creating {name}");
    let made = db.namespace("shared")?.create(container(name))?;
    println!("{MARK}created {name} {}", made.revision);
    db.close()
}

fn write(path: &Path, name: &str, seed: &mut Seed) -> Result<()> {
    let mask = FieldMask::parse(["labels"]).unwrap();
    for number in 0.. {
        // As a program would that is started for each command.
        let db = open(path, seed)?;
        let store = db.namespace("shared")?;
        for step in 0..1 + seed.below(20) {
            let id = format!("{name}-{number}-{step}");
            match seed.below(3) {
                0 => {
                    println!("{MARK}creating {id}");
                    let made = store.create(container(&id))?;
                    println!("{MARK}created {id} {}", made.revision);
                    if seed.one_in(2) {
                        println!("{MARK}deleting {id}");
                        store.delete(&id)?;
                        println!("{MARK}deleted {id}");
                    }
                }
                _ => {
                    let counter = counter(seed.below(COUNTERS));
                    println!("{MARK}counting {counter}");
                    loop {
                        let found = store.get(&counter)?;
                        let count = (count_of(&found) + 1).to_string();
                        let revision = found.revision;
                        match store.update_if(revision, found.label("count", &count), &mask) {
                            Ok(now) => {
                                let time = now.updated_at.timestamp_nanos_opt().unwrap();
                                println!("{MARK}counted {counter} {count} {} {time}", now.revision);
                                break;
                            }
                            // Another one was faster.
                            Err(error) if error.kind() == ErrorKind::FailedPrecondition => {}
                            Err(error) => return Err(error),
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

fn read(path: &Path, seed: &mut Seed) -> Result<()> {
    let mut last = BTreeMap::new();
    loop {
        let db = Db::builder()
            .check_integrity(seed.one_in(3))
            .lock_timeout(Duration::from_secs(60))
            .open_read_only(path)?;
        for _ in 0..1 + seed.below(20) {
            let snapshot = db.read()?;
            let all = snapshot.namespace("shared")?.query().list()?;
            for found in all
                .into_iter()
                .filter(|found| found.id.starts_with("counter"))
            {
                let now = (count_of(&found), found.revision, found.updated_at);
                if let Some(before) = last.insert(found.id.clone(), now)
                    && (before.0 > now.0 || before.1 > now.1 || before.2 > now.2)
                {
                    println!("{MARK}failed {} went back", found.id);
                }
            }
            println!("{MARK}read");
        }
    }
}

/// A child that works, and what it reports.
struct Running {
    child: Child,
    name: String,
    listening: Option<thread::JoinHandle<()>>,
}

impl Running {
    fn start(path: &Path, name: String, seed: u64, told: &Sender<(String, String)>) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "sharing::processes::works_among_others_until_it_is_killed",
            ])
            .arg("--nocapture")
            .env(CHILD_FILE, path)
            .env(CHILD_NAME, &name)
            .env(CHILD_SEED, seed.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (told, of) = (told.clone(), name.clone());
        let listening = thread::spawn(move || {
            for line in lines.map_while(std::io::Result::ok) {
                // The test harness prints on the same line before the first.
                if let Some(at) = line.find(MARK) {
                    let line = line[at + MARK.len()..].to_owned();
                    told.send((of.clone(), line)).unwrap();
                }
            }
        });
        let listening = Some(listening);
        Self {
            child,
            name,
            listening,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
    }
}

/// What the children have reported.
#[derive(Default)]
struct Reports {
    /// Containers that must be there, and those that may be.
    created: BTreeSet<String>,
    perhaps: BTreeSet<String>,
    /// How often each counter was acknowledged, and how often perhaps not.
    counted: BTreeMap<String, BTreeMap<u64, (u64, i64)>>,
    revisions: BTreeSet<u64>,
    /// What each child is doing.
    doing: BTreeMap<String, String>,
    acknowledged: u64,
    reads: u64,
}

impl Reports {
    fn hear_all(&mut self, told: &Receiver<(String, String)>) {
        for (name, line) in told.try_iter() {
            self.hear(name, &line);
        }
    }

    fn hear(&mut self, name: String, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let mut is_done = |revision: Option<&str>| {
            self.acknowledged += 1;
            if let Some(revision) = revision {
                let revision = revision.parse().unwrap();
                assert!(self.revisions.insert(revision), "revision {revision} twice");
            }
        };
        match *words.as_slice() {
            ["creating" | "deleting" | "counting", _] => {
                self.doing.insert(name, line.to_owned());
                return;
            }
            ["created", id, revision] => {
                is_done(Some(revision));
                self.created.insert(id.to_owned());
            }
            ["deleted", id] => {
                is_done(None);
                self.created.remove(id);
            }
            ["counted", counter, count, revision, time] => {
                is_done(Some(revision));
                let [count, revision] = [count, revision].map(|text| text.parse().unwrap());
                let of_counter = self.counted.entry(counter.to_owned()).or_default();
                let before = of_counter.insert(count, (revision, time.parse().unwrap()));
                assert!(before.is_none(), "{counter} reached {count} twice");
            }
            ["read"] => self.reads += 1,
            _ => panic!("{name}: {line}"),
        }
        self.doing.remove(&name);
    }

    /// A child is dead: what it was doing is done or not.
    fn buried(&mut self, name: &str) {
        if let Some(line) = self.doing.remove(name)
            && let Some((_, id)) = line.split_once(' ')
            && !line.starts_with("counting")
        {
            self.created.remove(id);
            self.perhaps.insert(id.to_owned());
        }
    }

    fn settle(&self, db: &Db, killed: u64) {
        let store = db.namespace("shared").unwrap();
        let found: BTreeSet<String> = store.query().ids().unwrap().into_iter().collect();
        for id in &self.created {
            assert!(found.contains(id), "{id} is lost");
        }
        for id in found.iter().filter(|id| !id.starts_with("counter")) {
            let is_known = self.created.contains(id) || self.perhaps.contains(id);
            assert!(is_known, "{id} came back");
        }
        for number in 0..COUNTERS {
            let counter = counter(number);
            let now = count_of(&store.get(&counter).unwrap());
            let counted = self.counted.get(&counter).cloned().unwrap_or_default();
            let acknowledged = counted.len() as u64;
            assert!(
                (acknowledged..=acknowledged + killed).contains(&now),
                "{counter} is {now} after {acknowledged}"
            );
            // In the order of the counts, revisions and times rise.
            let mut moments = counted.values();
            let mut before = moments.next();
            for moment in moments {
                assert!(before.is_some_and(|before| before.0 < moment.0 && before.1 < moment.1));
                before = Some(moment);
            }
        }
    }
}

/// Follows the store from time to time, sometimes with a new handle.
#[derive(Default)]
struct Follower {
    open: Option<(Db, Subscription)>,
    position: Position,
    known: BTreeMap<String, Revision>,
    changes: u64,
}

impl Follower {
    fn follow(&mut self, path: &Path, time: Duration) {
        let (_, subscription) = self.open.get_or_insert_with(|| {
            let builder = Db::builder().check_integrity(false);
            let builder = builder.lock_timeout(Duration::from_secs(60));
            let db = builder
                .poll_interval(Duration::from_millis(1))
                .open_read_only(path);
            let db = db.unwrap();
            let subscription = db.subscribe(self.position, Detail::Header(vec![]));
            (db, subscription.unwrap())
        });
        let begun = Instant::now();
        while begun.elapsed() < time {
            let Some(change) = subscription.recv_timeout(time).unwrap() else {
                break;
            };
            let before = self.position;
            assert!(
                change.revision > before.revision(),
                "{change:?} after {before}"
            );
            self.position = change.position;
            self.changes += 1;
            take(&mut self.known, change);
        }
    }

    fn settle(&mut self, path: &Path, db: &Db) {
        self.follow(path, Duration::from_secs(3));
        assert_eq!(self.known, revisions(db));
    }
}

/// Applies a reported change to what is known.
fn take(known: &mut BTreeMap<String, Revision>, change: Change) {
    let Subject::Container { id, event } = change.subject else {
        return;
    };
    let is_known = known.contains_key(&id);
    match event {
        Event::Created(Found::Header(header)) if !is_known => known.insert(id, header.revision),
        Event::Updated(Found::Header(header)) if is_known => known.insert(id, header.revision),
        Event::Deleted if is_known => known.remove(&id),
        // It came and went before anybody looked.
        Event::Deleted => None,
        event => panic!("{id}: {event:?}, and known: {is_known}"),
    };
}

fn revisions(db: &Db) -> BTreeMap<String, Revision> {
    let headers = db.namespace("shared").unwrap().query().headers().unwrap();
    headers
        .into_iter()
        .map(|found| (found.id, found.revision))
        .collect()
}

#[test]
fn processes_that_are_killed_lose_nothing_and_stop_nobody() {
    let kills = count_from_env("BAYPLAN_KILLS", 100).div_ceil(2);
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    create_with_counters(&path);
    let (tells, told) = mpsc::channel();
    let mut reports = Reports::default();
    let mut follower = Follower::default();
    let started = Cell::new(0);
    let start = |is_reader: bool, seed: &mut Seed| {
        started.set(started.get() + 1);
        let started = started.get();
        let letter = if is_reader { 'r' } else { 'w' };
        Running::start(&path, format!("{letter}{started}"), seed.number(), &tells)
    };
    let mut running: Vec<Running> = (0..=WRITERS)
        .map(|number| start(number == WRITERS, &mut seed))
        .collect();
    for _ in 0..kills {
        thread::sleep(Duration::from_micros(seed.below(60_000) as u64));
        let at = seed.below(running.len());
        let dead = running.swap_remove(at);
        let name = dead.name.clone();
        drop(dead);
        reports.hear_all(&told);
        reports.buried(&name);
        running.push(start(name.starts_with('r'), &mut seed));
        if seed.one_in(2) {
            follower.follow(&path, Duration::from_millis(seed.below(30) as u64));
        }
        if seed.one_in(5) {
            follower.open = None;
        }
        if seed.one_in(10) {
            // A moment after a crash at which no process has the store open.
            follower.open = None;
            for dead in running.drain(..) {
                let name = dead.name.clone();
                drop(dead);
                reports.hear_all(&told);
                reports.buried(&name);
            }
            let db = open(&path, &mut seed).unwrap();
            assert!(db.check().unwrap().is_healthy(), "seed {first_seed}");
            reports.settle(&db, started.get());
            follower.settle(&path, &db);
            follower.open = None;
            drop(db);
            running.extend((0..=WRITERS).map(|number| start(number == WRITERS, &mut seed)));
        }
    }
    // The processes that are left continue.
    let before = reports.acknowledged;
    thread::sleep(Duration::from_secs(1));
    for dead in running {
        let name = dead.name.clone();
        drop(dead);
        reports.hear_all(&told);
        reports.buried(&name);
    }
    assert!(
        reports.acknowledged > before,
        "the others wait for the dead"
    );
    let db = Db::open(&path).unwrap();
    assert!(db.check().unwrap().is_healthy(), "seed {first_seed}");
    reports.settle(&db, started.get());
    follower.settle(&path, &db);
    tell(format_args!(
        "processes-killed={kills} acknowledged={} snapshots={} followed={} lost=0 panics=0 silent=0 seed={first_seed}",
        reports.acknowledged, reports.reads, follower.changes
    ));
    assert!(reports.acknowledged > kills as u64 && reports.reads > 0);
}

/// These processes mostly open and close the store: often none has it open, or the one that has it open is killed while
/// others open it.
#[test]
fn processes_that_are_started_for_one_operation_and_killed_lose_nothing() {
    const AT_ONCE: usize = 4;
    let starts = 4 * count_from_env("BAYPLAN_KILLS", 100);
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    create_with_counters(&path);
    let (tells, told) = mpsc::channel();
    let mut reports = Reports::default();
    let mut running: Vec<(Running, Option<Instant>)> = Vec::new();
    let (mut started, mut killed) = (0, 0);
    while started < starts || !running.is_empty() {
        while running.len() < AT_ONCE && started < starts {
            let child = Running::start(&path, format!("v{started}"), seed.number(), &tells);
            let ends = Duration::from_micros(seed.below(60_000) as u64);
            let ends = (started % 2 == 1).then(|| Instant::now() + ends);
            running.push((child, ends));
            started += 1;
        }
        running.retain_mut(|(child, ends)| {
            if ends.is_some_and(|ends| Instant::now() >= ends) {
                *ends = None;
                killed += u64::from(child.child.kill().is_ok());
            }
            let is_over = child.child.try_wait().unwrap().is_some();
            if is_over {
                let listening = child.listening.take();
                listening.into_iter().for_each(|it| it.join().unwrap());
                reports.hear_all(&told);
                reports.buried(&child.name);
            }
            !is_over
        });
        thread::sleep(Duration::from_micros(200));
    }
    let db = Db::open(&path).unwrap();
    let report = db.check().unwrap();
    assert!(report.is_healthy(), "seed {first_seed}: {report:?}");
    reports.settle(&db, killed);
    tell(format_args!(
        "processes-started={starts} killed={killed} acknowledged={} lost=0 panics=0 silent=0 seed={first_seed}",
        reports.acknowledged
    ));
    assert!(reports.acknowledged >= starts as u64 / 4);
}

/// The canary: the suite must be able to fail.
#[test]
fn the_comparison_notices_what_is_lost_or_counted_twice() {
    let db = Db::in_memory().unwrap();
    let store = db.namespace("shared").unwrap();
    for number in 0..COUNTERS {
        store
            .create(container(&counter(number)).label("count", "1"))
            .unwrap();
    }
    let hear = |lines: &[&str]| {
        let mut reports = Reports::default();
        for line in lines {
            reports.hear("w".to_owned(), line);
        }
        reports.settle(&db, 1);
    };
    hear(&["counted counter-0 1 5 1"]);
    for lines in [
        &["created c1 4"][..],
        &["counted counter-0 1 5 1", "counted counter-0 2 6 2"],
        &["counted counter-0 1 5 1", "counted counter-1 1 5 1"],
        &["counted counter-0 1 5 1", "counted counter-0 1 6 2"],
    ] {
        let heard = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| hear(lines)));
        assert!(heard.is_err(), "{lines:?}");
    }
    store.create(container("stray")).unwrap();
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| hear(&[]))).is_err());
}
