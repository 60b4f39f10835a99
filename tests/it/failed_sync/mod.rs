//! A sync fails, the store is opened again, and the power is cut: everything acknowledged must be there.
//!
//! The disk is a real file system on a real device, which fails to write data and works again ([`device`]). The system
//! considers the pages that it could not write clean, and shows them to any process that opens the file or its log. The
//! suite needs root, loop devices, e2fsprogs and Python.
//!
//! `BAYPLAN_FAILED_SYNCS` sets how many rounds, `BAYPLAN_SEED` repeats a run.

mod device;

use std::collections::BTreeSet;
use std::error::Error as _;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use bayplan::{Any, Builder, Container, Db, Error, ErrorKind, Filters, Result, Share};

use self::device::{Device, Mapped};
use crate::machine::skip;
use crate::sample::plain;
use crate::seed::{Seed, count_from_env, tell};

const CHILD_FILE: &str = "BAYPLAN_FAILED_SYNC_FILE";
const CHILD_SEED: &str = "BAYPLAN_FAILED_SYNC_SEED";
const CHILD_MODE: &str = "BAYPLAN_FAILED_SYNC_MODE";

/// How a store is opened, and what of it the disk fails to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Plain,
    LiveReaders,
    /// A frame of the log.
    Log,
    /// The file, in a checkpoint. All blocks of the log were written before, so the disk takes its frames.
    Checkpoint,
}

const MODES: [Mode; 4] = [Mode::Plain, Mode::Log, Mode::LiveReaders, Mode::Checkpoint];

impl Mode {
    fn has_log(self) -> bool {
        matches!(self, Self::Log | Self::Checkpoint)
    }

    fn builder(self) -> Builder {
        Db::builder()
            .share(if self == Self::LiveReaders {
                Share::Readers
            } else {
                Share::Nobody
            })
            .commit_log(self.has_log())
    }
}

/// How long a log is, and the frames that fill it before.
const LOG_BYTES: usize = 1 << 20;
const FILLING_BYTES: usize = 100_000;

/// How the store is used after the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// The process continues with a new handle.
    SameProcess,
    /// The process that failed has ended.
    OtherProcess,
    /// Another program has the file and the log mapped, so that their pages stay in the system's cache.
    Mapped,
    /// It is looked into, and backed up.
    ReadOnly,
}

const THENS: [Then; 4] = [
    Then::SameProcess,
    Then::OtherProcess,
    Then::Mapped,
    Then::ReadOnly,
];

/// The acknowledged containers, and the uncertain ones.
#[derive(Debug, Default)]
struct Outcome {
    acknowledged: BTreeSet<String>,
    uncertain: BTreeSet<String>,
}

impl Outcome {
    fn check(&self, found: &BTreeSet<String>) -> Result<(), String> {
        let mut lost = self.acknowledged.difference(found).peekable();
        if lost.peek().is_some() {
            return Err(format!("lost {:?}", lost.collect::<Vec<_>>()));
        }
        let mut more = found.difference(&self.acknowledged);
        match more.all(|id| self.uncertain.contains(id)) {
            true => Ok(()),
            false => Err(format!("more than there was: {found:?}")),
        }
    }
}

/// `None` if the suite is skipped because the machine cannot have one.
#[track_caller]
fn device() -> Option<Device> {
    Device::new().map_err(|why| skip("failed-syncs", why)).ok()
}

fn sized(id: &str, seed: &mut Seed, most: usize) -> Container {
    let count = most / 2 + seed.below(most / 2);
    plain(id).spec(Any::new("t", seed.bytes(count)))
}

fn ids(db: &Db) -> Result<BTreeSet<String>> {
    let report = db.check()?;
    assert!(report.is_healthy(), "{report:?}");
    let containers = db.namespace("default")?.list(&Filters::all())?;
    Ok(containers.into_iter().map(|c| c.id).collect())
}

/// Writes, each write acknowledged.
fn create(db: &Db, prefix: &str, count: usize, seed: &mut Seed, outcome: &mut Outcome) {
    let store = db.namespace("default").unwrap();
    for number in 0..count {
        let id = format!("{prefix}-{number}");
        store.create(sized(&id, seed, 2_000)).unwrap();
        outcome.acknowledged.insert(id);
    }
}

/// Writes until the disk fails.
fn create_until_it_fails(db: &Db, seed: &mut Seed, outcome: &mut Outcome) -> Error {
    let store = db.namespace("default").unwrap();
    for number in 0..100 {
        let id = format!("failing-{number}");
        let most = [20_000, 60_000, 200_000][seed.below(3)];
        match store.create(sized(&id, seed, most)) {
            Ok(_) => outcome.acknowledged.insert(id),
            Err(error) => {
                outcome.uncertain.insert(id);
                return error;
            }
        };
    }
    panic!("the disk did not fail");
}

/// A failed commit says so, all later ones say why, and reads show what was acknowledged.
fn refuses_writes_and_reads_on(db: Db, error: &Error, outcome: &Outcome) {
    assert_eq!(error.kind(), ErrorKind::CommitUncertain, "{error:#}");
    let store = db.namespace("default").unwrap();
    let refused = store.create(plain("later")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused:#}");
    let why = error.source().unwrap().to_string();
    assert!(format!("{refused:#}").contains(&why), "{refused:#}: {why}");
    match ids(&db) {
        Ok(found) => assert_eq!(found, outcome.acknowledged),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:#}"),
    }
    drop(store);
    let closed = db.close().unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::Unavailable, "{closed:#}");
    let text = format!("{closed:#}");
    assert!(text.contains("open it again"), "{text}");
    assert!(!text.contains("close the store"), "{text}");
    assert!(text.contains(&why), "{text}");
}

/// The child: works until the disk fails, and reports what was acknowledged.
#[test]
fn works_until_the_disk_fails() {
    let Ok(path) = std::env::var(CHILD_FILE) else {
        return; // Only the tests of the parent run this.
    };
    let mut seed = Seed::new(std::env::var(CHILD_SEED).unwrap().parse().unwrap());
    let number: usize = std::env::var(CHILD_MODE).unwrap().parse().unwrap();
    let mode = MODES[number];
    let db = mode.builder().open(path).unwrap();
    let mut outcome = Outcome::default();
    begin(&db, mode, &mut seed, &mut outcome);
    println!("\nready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    create_until_it_fails(&db, &mut seed, &mut outcome);
    for id in outcome.acknowledged {
        println!("acknowledged {id}");
    }
    for id in outcome.uncertain {
        println!("uncertain {id}");
    }
    std::process::exit(0);
}

fn fail_in_a_child(device: &Device, mode: Mode, seed: &mut Seed, outcome: &mut Outcome) {
    let number = MODES.iter().position(|one| *one == mode).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "failed_sync::works_until_the_disk_fails"])
        .arg("--nocapture")
        .env(CHILD_FILE, device.path("meta.redb"))
        .env(CHILD_SEED, seed.number().to_string())
        .env(CHILD_MODE, number.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(told.any(|line| line.unwrap() == "ready"));
    device.fail();
    child.stdin.take().unwrap().write_all(b"go on\n").unwrap();
    for line in told {
        match line.unwrap().split_once(' ') {
            Some(("acknowledged", id)) => outcome.acknowledged.insert(id.to_owned()),
            Some(("uncertain", id)) => outcome.uncertain.insert(id.to_owned()),
            _ => false,
        };
    }
    child.wait().unwrap();
    assert!(!outcome.uncertain.is_empty());
}

/// Writes while the disk takes it. With a log, the second commit makes it.
fn begin(db: &Db, mode: Mode, seed: &mut Seed, outcome: &mut Outcome) {
    let count = 2 + seed.below(8);
    create(db, "before", count, seed, outcome);
    if mode != Mode::Checkpoint {
        return;
    }
    // Zeros are no blocks to this disk: every block of the log gets something else.
    let store = db.namespace("default").unwrap();
    for number in 0..LOG_BYTES / FILLING_BYTES {
        let id = format!("filling-{number}");
        let spec = Any::new("t", seed.bytes(FILLING_BYTES - 2_000));
        store.create(plain(&id).spec(spec)).unwrap();
        outcome.acknowledged.insert(id);
    }
    db.checkpoint().unwrap();
}

/// A store on a disk, after a sync that failed; the disk works again.
fn with_a_failed_sync(device: &Device, mode: Mode, in_a_child: bool, seed: &mut Seed) -> Outcome {
    let path = device.path("meta.redb");
    let mut outcome = Outcome::default();
    drop(Db::create(&path).unwrap());
    if in_a_child {
        fail_in_a_child(device, mode, seed, &mut outcome);
    } else {
        let db = mode.builder().open(&path).unwrap();
        begin(&db, mode, seed, &mut outcome);
        device.fail();
        let error = create_until_it_fails(&db, seed, &mut outcome);
        refuses_writes_and_reads_on(db, &error, &outcome);
    }
    assert_eq!(device.path("meta.redb-log").exists(), mode.has_log());
    device.heal();
    outcome
}

/// Returns what a machine finds after it is switched off now.
fn after_a_power_cut(device: &Device, outcome: &Outcome) -> Result<BTreeSet<String>, String> {
    let disk = device.after_a_power_cut();
    let text = |error: Error| format!("{error:#}");
    let db = Db::open(disk.path("meta.redb")).map_err(text)?;
    let found = ids(&db).map_err(text)?;
    outcome.check(&found)?;
    let store = db.namespace("default").map_err(text)?;
    store.create(plain("afterwards")).map_err(text)?;
    Ok(found)
}

fn round(device: &Device, then: Then, mode: Mode, seed: &mut Seed) -> Result<(), String> {
    let path = device.path("meta.redb");
    let in_a_child = then == Then::OtherProcess;
    let mut outcome = with_a_failed_sync(device, mode, in_a_child, seed);
    let log = Some(device.path("meta.redb-log")).filter(|log| log.exists());
    let _mapped = match then {
        Then::Mapped => Some((Mapped::of(&path), log.as_deref().map(Mapped::of))),
        _ => None,
    };
    if then == Then::ReadOnly {
        let elsewhere = tempfile::tempdir().unwrap();
        let copy = elsewhere.path().join("copy.redb");
        let db = Db::open_read_only(&path).unwrap();
        let seen = ids(&db).unwrap();
        outcome.check(&seen)?;
        db.backup(&copy, |_| {}).unwrap();
        assert_eq!(ids(&Db::open(&copy).unwrap()).unwrap(), seen);
        let found = after_a_power_cut(device, &outcome)?;
        assert_eq!(found, seen, "what was read is not what the disk has");
        return Ok(());
    }
    // The next opening may be without the option for a log, and without verification.
    let builder = match seed.one_in(3) {
        true => Db::builder(),
        false => mode.builder(),
    };
    let db = builder.check_integrity(!seed.one_in(3)).open(&path);
    let db = db.map_err(|error| format!("opening again: {error:#}"))?;
    let found = ids(&db).unwrap();
    outcome.check(&found)?;
    if seed.one_in(4) {
        let survived = after_a_power_cut(device, &outcome)?;
        assert_eq!(survived, found, "what was read is not what the disk has");
    }
    create(&db, "after", 1 + seed.below(5), seed, &mut outcome);
    if seed.one_in(2) {
        db.close().unwrap();
    } else {
        after_a_power_cut(device, &outcome)?;
        drop(db);
    }
    after_a_power_cut(device, &outcome).map(|_| ())
}

#[test]
fn after_a_failed_sync_a_store_that_is_opened_again_holds_what_it_acknowledges() {
    let count = count_from_env("BAYPLAN_FAILED_SYNCS", 16);
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    for number in 0..count {
        let Some(device) = device() else {
            return;
        };
        let then = THENS[number % THENS.len()];
        let mode = MODES[number / THENS.len() % MODES.len()];
        let now = seed.get();
        round(&device, then, mode, &mut seed)
            .unwrap_or_else(|why| panic!("{then:?}, {mode:?}, seed {now}: {why}"));
    }
    tell(format_args!(
        "failed-syncs={count} lost=0 panics=0 silent=0 seed={first_seed}"
    ));
}

/// The canary: redb by itself reads what the cache shows.
#[test]
fn without_dropping_the_cache_a_failed_sync_loses_what_is_acknowledged_later() {
    const TABLE: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("canary");
    let mut seed = Seed::new(1);
    let mut lost = 0;
    for _ in 0..3 {
        let Some(device) = device() else {
            return;
        };
        let outcome = with_a_failed_sync(&device, Mode::Plain, false, &mut seed);
        let db = redb::Database::open(device.path("meta.redb")).unwrap();
        for number in 0..3 {
            let txn = db.begin_write().unwrap();
            txn.open_table(TABLE).unwrap().insert("n", number).unwrap();
            txn.commit().unwrap();
        }
        lost += usize::from(after_a_power_cut(&device, &outcome).is_err());
    }
    tell(format_args!("failed-syncs-without-care=3 lost={lost}"));
    assert!(lost > 0);
}
