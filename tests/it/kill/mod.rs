//! A process that is killed at any moment loses nothing that it acknowledged.
//!
//! A child, this binary once more, works on a store with several threads and tells each operation
//! twice: what it is about to do, and that it is done. It is killed; what it told is compared with
//! the file; and the next child goes on with the same file.
//!
//! `BAYPLAN_KILLS` sets how often, `BAYPLAN_SEED` repeats a run (as far as the scheduler does).

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use bayplan::{Builder, Db, FieldMask, Namespaces, ReadNamespaces, ReadStore, Result, Store};

use crate::sample::{Contents, mark_of, marked, without_stamps};
use crate::seed::{Progress, Seed, count_from_env, tell};

const THREADS: usize = 4;
const IDS_PER_THREAD: usize = 12;
const SPEC_MAX_BYTES: usize = 3_000;
const NAMESPACES: [&str; 2] = ["default", "k8s.io"];

/// The variables that make this binary a child.
const CHILD_FILE: &str = "BAYPLAN_TEST_CHILD_FILE";
const CHILD_SEED: &str = "BAYPLAN_TEST_CHILD_SEED";
const CHILD_CREATES: &str = "BAYPLAN_TEST_CHILD_CREATES";

/// What one operation makes of one container: its namespace and id, and the new mark, or none if
/// it is gone.
type Change = ((String, String), Option<u64>);

/// What the child tells.
#[derive(Debug, PartialEq)]
enum Told {
    /// The store is open.
    Ready,
    /// A thread is about to do this.
    Begin(usize, Vec<Change>),
    /// The thread's operation has returned.
    Done(usize),
    /// Something failed that must not.
    Failed(String),
}

impl Told {
    fn line(&self) -> String {
        match self {
            Self::Ready => "#ready\n".to_owned(),
            Self::Begin(thread, changes) => {
                let mut line = format!("#begin {thread}");
                for ((name, id), mark) in changes {
                    let mark = mark.map_or("-".to_owned(), |mark| mark.to_string());
                    line += &format!(" {name}/{id}={mark}");
                }
                line + "\n"
            }
            Self::Done(thread) => format!("#done {thread}\n"),
            Self::Failed(why) => format!("#failed {}\n", why.replace('\n', " ")),
        }
    }

    /// What a line says; none for lines of the test harness.
    fn parse(line: &str) -> Option<Self> {
        // The harness begins its line without ending it: `test kill::child ... #ready`.
        let mut words = line.get(line.find('#')?..)?.split(' ');
        Some(match words.next()? {
            "#ready" => Self::Ready,
            "#done" => Self::Done(words.next()?.parse().ok()?),
            "#failed" => Self::Failed(words.collect::<Vec<_>>().join(" ")),
            "#begin" => {
                let thread = words.next()?.parse().ok()?;
                let changes = words.map(|word| {
                    let (key, mark) = word.split_once('=')?;
                    let (name, id) = key.split_once('/')?;
                    let mark = match mark {
                        "-" => None,
                        mark => Some(mark.parse().ok()?),
                    };
                    Some(((name.to_owned(), id.to_owned()), mark))
                });
                Self::Begin(thread, changes.collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }

    fn tell(&self) {
        // One write for a line, so that lines of several threads do not mix.
        let mut out = std::io::stdout().lock();
        let line = self.line();
        if out
            .write_all(line.as_bytes())
            .and_then(|()| out.flush())
            .is_err()
        {
            std::process::exit(0);
        }
    }
}

/// Options that differ from child to child.
fn options(seed: &mut Seed) -> Builder {
    Db::builder()
        .live_readers(seed.one_in(3))
        .check_integrity(!seed.one_in(4))
        .cache_bytes([1 << 16, 32 << 20][seed.below(2)])
}

#[test]
fn works_until_it_is_killed() {
    let Ok(path) = std::env::var(CHILD_FILE) else {
        return; // Only the tests below run this.
    };
    std::panic::set_hook(Box::new(|panic| {
        Told::Failed(panic.to_string()).tell();
        std::process::exit(1);
    }));
    let mut seed = Seed::new(std::env::var(CHILD_SEED).unwrap().parse().unwrap());
    if std::env::var(CHILD_CREATES).is_ok() {
        let db = Db::create(&path).unwrap();
        Told::Ready.tell();
        db.create_namespace("made", bayplan::Labels::new()).unwrap();
        thread::sleep(Duration::from_secs(10));
        return;
    }
    match options(&mut seed).open(&path) {
        Ok(db) => {
            Told::Ready.tell();
            work(&db, &mut seed);
        }
        Err(error) => Told::Failed(format!("{error:#}")).tell(),
    }
}

fn work(db: &Db, seed: &mut Seed) {
    thread::scope(|scope| {
        for number in 0..THREADS {
            let mut seed = Seed::new(seed.number());
            scope.spawn(move || {
                let here = known(db, number).unwrap();
                if let Err(error) = work_alone(db, number, here, &mut seed) {
                    Told::Failed(format!("{error:#}")).tell();
                }
            });
        }
    });
}

/// The containers that belong to a thread.
fn keys(thread: usize) -> Vec<(String, String)> {
    let all = (0..IDS_PER_THREAD)
        .flat_map(|number| NAMESPACES.map(|name| (name.to_owned(), format!("t{thread}-{number}"))));
    all.collect()
}

/// Which of them there are.
fn known(db: &Db, thread: usize) -> Result<HashMap<(String, String), bool>> {
    let mut known = HashMap::new();
    for (name, id) in keys(thread) {
        let there = match db.namespace(&name)?.get(&id) {
            Ok(_) => true,
            Err(error) if error.is_not_found() => false,
            Err(error) => return Err(error),
        };
        known.insert((name, id), there);
    }
    Ok(known)
}

fn work_alone(
    db: &Db,
    thread: usize,
    mut here: HashMap<(String, String), bool>,
    seed: &mut Seed,
) -> Result<()> {
    let keys = keys(thread);
    loop {
        let count = if seed.one_in(4) { 1 + seed.below(6) } else { 1 };
        let mut changes: BTreeMap<(String, String), Option<u64>> = BTreeMap::new();
        for _ in 0..count {
            let key = keys[seed.below(keys.len())].clone();
            let is_deleted = here[&key] && seed.one_in(3);
            changes.insert(key, (!is_deleted).then(|| seed.number()));
        }
        let changes: Vec<Change> = changes.into_iter().collect();
        Told::Begin(thread, changes.clone()).tell();
        if let [(key, mark)] = &changes[..] {
            change(&db.namespace(&key.0)?, &key.1, *mark, here[key])?;
        } else {
            db.write(|txn| {
                for (key, mark) in &changes {
                    change(&txn.namespace(&key.0)?, &key.1, *mark, here[key])?;
                }
                Ok::<_, bayplan::Error>(())
            })?;
        }
        Told::Done(thread).tell();
        for (key, mark) in changes {
            here.insert(key, mark.is_some());
        }
    }
}

fn change(store: &dyn Store, id: &str, mark: Option<u64>, is_there: bool) -> Result<()> {
    let Some(mark) = mark else {
        return store.delete(id);
    };
    let container = marked(id, mark, SPEC_MAX_BYTES);
    if is_there {
        let mask = FieldMask::parse(["labels", "spec", "extensions"])?;
        store.update(container, &mask).map(|_| ())
    } else {
        store.create(container).map(|_| ())
    }
}

/// What must be in the file, as far as the children have told.
#[derive(Default)]
struct Model {
    containers: BTreeMap<(String, String), u64>,
    /// What each thread had begun and not done.
    in_flight: BTreeMap<usize, Vec<Change>>,
    acknowledged: u64,
}

impl Model {
    fn hear(&mut self, told: Told) {
        match told {
            Told::Ready => {}
            Told::Begin(thread, changes) => {
                assert!(self.in_flight.insert(thread, changes).is_none());
            }
            Told::Done(thread) => {
                let changes = self.in_flight.remove(&thread).expect("it was begun");
                apply(&mut self.containers, &changes);
                self.acknowledged += 1;
            }
            Told::Failed(why) => panic!("a child failed: {why}"),
        }
    }

    /// Compares with what is in the file, where each operation in flight is done or not, and
    /// remembers which.
    fn settle(&mut self, contents: &Contents) -> Result<(), String> {
        let found = found(contents)?;
        let mut expected = std::mem::take(&mut self.containers);
        for (thread, changes) in std::mem::take(&mut self.in_flight) {
            let mut done = expected.clone();
            apply(&mut done, &changes);
            let of_thread = |all: &BTreeMap<(String, String), u64>| {
                let mut all = all.clone();
                all.retain(|(_, id), _| id.starts_with(&format!("t{thread}-")));
                all
            };
            if of_thread(&found) == of_thread(&done) {
                expected = done;
            }
        }
        let is_same = found == expected;
        let difference = difference(&expected, &found);
        self.containers = expected;
        if is_same { Ok(()) } else { Err(difference) }
    }
}

fn apply(containers: &mut BTreeMap<(String, String), u64>, changes: &[Change]) {
    for (key, mark) in changes {
        match mark {
            Some(mark) => containers.insert(key.clone(), *mark),
            None => containers.remove(key),
        };
    }
}

/// The marks of what is stored, after a look whether every container is whole.
fn found(contents: &Contents) -> Result<BTreeMap<(String, String), u64>, String> {
    let mut found = BTreeMap::new();
    for (key, container) in &contents.containers {
        let mark = mark_of(container).ok_or(format!("{key:?} has no mark"))?;
        let whole = marked(&key.1, mark, SPEC_MAX_BYTES);
        let stored = without_stamps(container.clone());
        // What an update does not take from its input stays as the first create made it.
        let same = stored.spec == whole.spec
            && stored.labels == whole.labels
            && stored.extensions == whole.extensions
            && stored.snapshot_key == whole.snapshot_key;
        if !same {
            return Err(format!("{key:?} is not what was stored: {stored:?}"));
        }
        found.insert(key.clone(), mark);
    }
    Ok(found)
}

fn difference(
    expected: &BTreeMap<(String, String), u64>,
    found: &BTreeMap<(String, String), u64>,
) -> String {
    let lost = expected
        .iter()
        .filter(|(key, mark)| found.get(*key) != Some(mark));
    let extra = found
        .iter()
        .filter(|(key, mark)| expected.get(*key) != Some(mark));
    format!(
        "lost {:?}, too much {:?}",
        lost.collect::<Vec<_>>(),
        extra.collect::<Vec<_>>()
    )
}

/// A child and what it tells.
struct Running {
    child: Child,
    told: Receiver<Told>,
}

impl Running {
    fn start(path: &Path, seed: u64, creates: bool) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "kill::works_until_it_is_killed", "--nocapture"])
            .env(CHILD_FILE, path)
            .env(CHILD_SEED, seed.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if creates {
            command.env(CHILD_CREATES, "1");
        }
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, told) = channel();
        thread::spawn(move || {
            for line in lines.map_while(|line| line.ok()) {
                if let Some(told) = Told::parse(&line) {
                    let _ = sender.send(told);
                }
            }
        });
        Self { child, told }
    }

    /// Listens until the time is over, kills, and listens to the end; whether it was ready.
    fn kill_after(mut self, delay: Delay, model: &mut Model) -> bool {
        let mut was_ready = false;
        let mut deadline = Instant::now()
            + match delay {
                Delay::FromStart(delay) => delay,
                Delay::FromReady(_) => Duration::from_secs(30),
            };
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.told.recv_timeout(left) {
                Ok(told) => {
                    if told == Told::Ready {
                        was_ready = true;
                        if let Delay::FromReady(delay) = delay {
                            deadline = Instant::now() + delay;
                        }
                    }
                    model.hear(told);
                }
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => panic!("the child ended by itself"),
            }
        }
        self.child.kill().unwrap(); // SIGKILL
        self.child.wait().unwrap();
        for told in self.told {
            was_ready |= told == Told::Ready;
            model.hear(told);
        }
        was_ready
    }
}

#[derive(Clone, Copy)]
enum Delay {
    /// Also in the middle of opening and repairing.
    FromStart(Duration),
    FromReady(Duration),
}

fn random_delay(seed: &mut Seed) -> Delay {
    let micros = |count: usize| Duration::from_micros(count as u64);
    if seed.one_in(4) {
        Delay::FromStart(micros(seed.below(40_000)))
    } else {
        Delay::FromReady(micros(1_000 + seed.below(50_000)))
    }
}

#[test]
fn kill_at_any_moment_keeps_every_acknowledged_container() {
    let kills = count_from_env("BAYPLAN_KILLS", 100);
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    drop(Db::create(&path).unwrap());
    let mut model = Model::default();
    let mut progress = Progress::new("kills");
    let mut in_flight = 0;
    for kill in 0..kills {
        let delay = random_delay(&mut seed);
        Running::start(&path, seed.number(), false).kill_after(delay, &mut model);
        in_flight += model.in_flight.len();
        let reading = Db::open_read_only(&path).and_then(|db| Contents::of(&db));
        let db = options(&mut seed).open(&path).unwrap();
        let report = db.check().unwrap();
        assert!(report.is_healthy(), "seed {first_seed}: {report:?}");
        let contents = Contents::of(&db).unwrap();
        assert_eq!(reading.unwrap(), contents, "seed {first_seed}");
        if let Err(difference) = model.settle(&contents) {
            panic!("kill {kill}, seed {first_seed}: {difference}");
        }
        progress.at(kill, kills);
    }
    tell(format_args!(
        "kills={kills} acknowledged={} in-flight={in_flight} lost=0 panics=0 silent=0 \
         seed={first_seed}",
        model.acknowledged
    ));
    assert!(model.acknowledged > kills as u64);
}

#[test]
fn kill_while_creating_leaves_a_whole_store_or_no_file() {
    let kills = count_from_env("BAYPLAN_KILLS", 100).div_ceil(4);
    let mut seed = Seed::from_env();
    let directory = tempfile::tempdir().unwrap();
    let mut whole = 0;
    for number in 0..kills {
        let path = directory.path().join(format!("{number}.redb"));
        let delay = Duration::from_micros(seed.below(25_000) as u64);
        let mut model = Model::default();
        let was_ready = Running::start(&path, seed.number(), true)
            .kill_after(Delay::FromStart(delay), &mut model);
        match Db::open(&path) {
            Ok(db) => {
                whole += 1;
                assert!(db.check().unwrap().is_healthy());
                assert!(db.list_namespaces().unwrap().len() <= 1);
            }
            Err(error) => {
                assert!(error.is_not_found(), "{error:#}");
                assert!(!was_ready, "a store that was created is gone");
                assert!(!path.exists());
            }
        }
    }
    tell(format_args!(
        "kills-while-creating={kills} whole={whole} lost=0"
    ));
}

/// A test that cannot fail proves nothing.
#[test]
fn the_comparison_notices_what_is_lost_changed_or_left_over() {
    let directory = tempfile::tempdir().unwrap();
    let db = Db::create(PathBuf::from(directory.path()).join("meta.redb")).unwrap();
    let store = db.namespace("default").unwrap();
    let key = |id: &str| ("default".to_owned(), id.to_owned());
    for id in ["t0-1", "t0-2"] {
        store.create(marked(id, 7, SPEC_MAX_BYTES)).unwrap();
    }
    let settle = |told: Vec<Told>| {
        let mut model = Model::default();
        told.into_iter().for_each(|told| model.hear(told));
        model.settle(&Contents::of(&db).unwrap())
    };
    let both = || vec![(key("t0-1"), Some(7)), (key("t0-2"), Some(7))];
    let told = |changes| vec![Told::Begin(0, changes), Told::Done(0)];
    assert_eq!(settle(told(both())), Ok(()));
    assert_eq!(settle(vec![Told::Begin(0, both())]), Ok(()));

    let lost = [both(), vec![(key("t1-1"), Some(7))]].concat();
    assert!(settle(told(lost.clone())).is_err());
    assert!(
        settle(vec![Told::Begin(0, lost)]).is_err(),
        "half of a transaction"
    );
    assert!(
        settle(told(vec![(key("t0-1"), Some(7))])).is_err(),
        "a deleted one is back"
    );
    assert!(settle(told(vec![(key("t0-1"), Some(8)), (key("t0-2"), Some(7))])).is_err());
    assert!(settle(vec![]).is_err());

    let mask = FieldMask::parse(["labels.label-x"]).unwrap();
    let more = bayplan::Container::with_id("t0-1").label("label-x", "1");
    store.update(more, &mask).unwrap();
    assert!(
        settle(told(both())).is_err(),
        "a container that is not whole"
    );
}
