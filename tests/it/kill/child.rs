//! What a child does until it is killed.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bayplan::{Builder, Db, FieldMask, Result, Share, Store};

use super::log_calls;
use super::model::{self, Marks};
use super::told::{Change, Told};
use super::tools;
use super::{CHILD_FILE, CHILD_ROLE, CHILD_SEED, NAMESPACES, SPEC_MAX_BYTES};
use crate::sample::{Contents, marked};
use crate::seed::Seed;

const THREADS: usize = 4;
const READERS: usize = 2;
const IDS_PER_THREAD: usize = 12;

/// How long a file may be held by a reader that comes first.
const LOCK_TIMEOUT: Duration = Duration::from_secs(20);

/// Options that differ from child to child.
pub(super) fn options(seed: &mut Seed) -> Builder {
    let live_readers = seed.one_in(4);
    Db::builder()
        .share(if live_readers {
            Share::Readers
        } else {
            Share::Nobody
        })
        .commit_log(!live_readers && !seed.one_in(3))
        .check_integrity(!seed.one_in(4))
        .cache_bytes([1 << 16, 32 << 20][seed.below(2)])
        .lock_timeout(LOCK_TIMEOUT)
}

#[test]
fn works_until_it_is_killed() {
    let Ok(path) = std::env::var(CHILD_FILE) else {
        return; // Only the tests of the parent run this.
    };
    std::panic::set_hook(Box::new(|panic| {
        Told::Failed(panic.to_string()).tell();
        std::process::exit(1);
    }));
    let mut seed = Seed::new(std::env::var(CHILD_SEED).unwrap().parse().unwrap());
    match std::env::var(CHILD_ROLE).unwrap().as_str() {
        "creates" => {
            let db = Db::create(&path).unwrap();
            Told::Ready.tell();
            db.create_namespace("made", bayplan::Labels::new()).unwrap();
            thread::sleep(Duration::from_secs(10));
        }
        "reads" => read_beside(&path, &mut seed),
        "works" => match options(&mut seed).open(&path) {
            Ok(db) => {
                Told::Ready.tell();
                work(&db, &mut seed);
            }
            Err(error) => Told::Failed(format!("{error:#}")).tell(),
        },
        "works with a log" => log_calls::work(path.as_ref()),
        "recovers" => log_calls::recover(path.as_ref()),
        tool => tools::work(tool, path.as_ref()),
    }
}

/// Opens the file again and again while others write it or have left it, if they allow that.
fn read_beside(path: &str, seed: &mut Seed) {
    loop {
        let options = Db::builder().check_integrity(seed.one_in(2));
        match options.open_read_only(path) {
            Ok(db) => {
                for _ in 0..1 + seed.below(8) {
                    let contents = Contents::of(&db);
                    match contents
                        .map_err(|error| format!("{error:#}"))
                        .and_then(|contents| model::found(&contents))
                    {
                        Ok(_) => Told::Read.tell(),
                        Err(why) => Told::Failed(format!("a reader beside: {why}")).tell(),
                    }
                }
            }
            Err(error) if error.is_locked() => {}
            Err(error) => Told::Failed(format!("a reader beside: {error:#}")).tell(),
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// The states that a writing thread's containers have been in; the last ones are perhaps to come.
struct History(Mutex<(Vec<Marks>, usize)>);

impl History {
    fn new(now: Marks) -> Self {
        Self(Mutex::new((vec![now], 1)))
    }

    fn begin(&self, changes: &[Change]) {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = states.0.last().cloned().unwrap_or_default();
        model::apply(&mut next, changes);
        states.0.push(next);
    }

    fn done(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 += 1;
    }

    /// How many of the states have been there for certain.
    fn certain(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    fn had_since(&self, certain: usize, seen: &Marks) -> bool {
        let states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        states.0.iter().skip(certain - 1).any(|state| state == seen)
    }
}

fn work(db: &Db, seed: &mut Seed) {
    let before = model::found(&Contents::of(db).unwrap()).unwrap();
    let histories: Vec<History> = (0..THREADS)
        .map(|thread| History::new(model::of_thread(&before, thread)))
        .collect();
    thread::scope(|scope| {
        for (number, history) in histories.iter().enumerate() {
            let mut seed = Seed::new(seed.number());
            scope.spawn(move || {
                if let Err(error) = work_alone(db, number, history, &mut seed) {
                    Told::Failed(format!("{error:#}")).tell();
                }
            });
        }
        for _ in 0..READERS {
            let histories = &histories;
            scope.spawn(move || {
                loop {
                    match watch(db, histories) {
                        Ok(()) => Told::Read.tell(),
                        Err(why) => Told::Failed(format!("a snapshot: {why}")).tell(),
                    }
                    thread::sleep(Duration::from_millis(1));
                }
            });
        }
    });
}

/// Takes a snapshot and checks it. For each thread it has a state that existed while the snapshot was taken: complete
/// transactions, and nothing older than what had been acknowledged.
fn watch(db: &Db, histories: &[History]) -> Result<(), String> {
    let certain: Vec<usize> = histories.iter().map(History::certain).collect();
    let contents = Contents::of(db).map_err(|error| format!("{error:#}"))?;
    let found = model::found(&contents)?;
    for (thread, (history, certain)) in histories.iter().zip(certain).enumerate() {
        let seen = model::of_thread(&found, thread);
        if !history.had_since(certain, &seen) {
            return Err(format!("of thread {thread} never was {seen:?}"));
        }
    }
    Ok(())
}

/// The containers that belong to a thread.
fn keys(thread: usize) -> Vec<(String, String)> {
    let all = (0..IDS_PER_THREAD)
        .flat_map(|number| NAMESPACES.map(|name| (name.to_owned(), format!("t{thread}-{number}"))));
    all.collect()
}

fn work_alone(db: &Db, thread: usize, history: &History, seed: &mut Seed) -> Result<()> {
    let keys = keys(thread);
    let mut here = BTreeMap::new();
    for key in &keys {
        let is_here = match db.namespace(&key.0)?.get(&key.1) {
            Ok(_) => true,
            Err(error) if error.is_not_found() => false,
            Err(error) => return Err(error),
        };
        here.insert(key.clone(), is_here);
    }
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
        history.begin(&changes);
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
        history.done();
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

/// The canary: the suite must be able to fail.
#[test]
fn a_snapshot_older_than_what_was_acknowledged_or_torn_is_noticed() {
    let key = |id: &str| ("default".to_owned(), id.to_owned());
    let both = vec![(key("t0-1"), Some(1)), (key("t0-2"), Some(2))];
    let history = History::new(Marks::new());
    history.begin(&both);
    let nothing = Marks::new();
    let all = Marks::from([(key("t0-1"), 1), (key("t0-2"), 2)]);
    let half = Marks::from([(key("t0-1"), 1)]);
    let seen = |marks| history.had_since(history.certain(), marks);
    assert_eq!([&nothing, &all, &half].map(seen), [true, true, false]);
    history.done();
    assert_eq!([&nothing, &all, &half].map(seen), [false, true, false]);
}
