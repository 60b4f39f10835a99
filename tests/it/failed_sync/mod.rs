//! A sync fails, the store is opened again, and the power is cut: what was acknowledged is there.
//!
//! The disk is a real file system on a real device, which fails to write data and works again
//! ([`device`]). The system takes the pages that it could not write for clean, and shows them to
//! whoever opens the file. It takes root, loop devices, e2fsprogs and Python.
//!
//! `BAYPLAN_FAILED_SYNCS` sets how many rounds, `BAYPLAN_SEED` repeats a run.

mod device;

use std::collections::BTreeSet;
use std::error::Error as _;
use std::path::Path;
use std::process::{Command, Stdio};

use bayplan::{Any, Container, Db, Error, ErrorKind, Filters, Result, Share};

use self::device::{Device, Mapped};
use crate::machine::skip;
use crate::sample::plain;
use crate::seed::{Seed, count_from_env, tell};

const CHILD_FILE: &str = "BAYPLAN_FAILED_SYNC_FILE";
const CHILD_SEED: &str = "BAYPLAN_FAILED_SYNC_SEED";

/// How the store is used after the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// The process goes on with a new handle.
    SameProcess,
    /// The process that failed has ended.
    OtherProcess,
    /// Another program has the file mapped, so that its pages stay in the system's cache.
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
    let db = Db::open(path).unwrap();
    let mut outcome = Outcome::default();
    create_until_it_fails(&db, &mut seed, &mut outcome);
    for id in outcome.acknowledged {
        println!("acknowledged {id}");
    }
    for id in outcome.uncertain {
        println!("uncertain {id}");
    }
    std::process::exit(0);
}

fn fail_in_a_child(path: &Path, seed: &mut Seed, outcome: &mut Outcome) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "failed_sync::works_until_the_disk_fails"])
        .arg("--nocapture")
        .env(CHILD_FILE, path)
        .env(CHILD_SEED, seed.number().to_string())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8(child.stdout).unwrap();
    for line in told.lines() {
        match line.split_once(' ') {
            Some(("acknowledged", id)) => outcome.acknowledged.insert(id.to_owned()),
            Some(("uncertain", id)) => outcome.uncertain.insert(id.to_owned()),
            _ => false,
        };
    }
    assert!(!outcome.uncertain.is_empty(), "{told}");
}

/// A store on a disk, after a sync that failed; the disk works again.
fn with_a_failed_sync(
    device: &Device,
    live_readers: bool,
    in_a_child: bool,
    seed: &mut Seed,
) -> Outcome {
    let path = device.path("meta.redb");
    let open = || {
        Db::builder()
            .share(if live_readers {
                Share::Readers
            } else {
                Share::Nobody
            })
            .open(&path)
    };
    let mut outcome = Outcome::default();
    drop(Db::create(&path).unwrap());
    let db = open().unwrap();
    create(&db, "before", 1 + seed.below(8), seed, &mut outcome);
    if in_a_child {
        drop(db);
        device.fail();
        fail_in_a_child(&path, seed, &mut outcome);
    } else {
        device.fail();
        let error = create_until_it_fails(&db, seed, &mut outcome);
        refuses_writes_and_reads_on(db, &error, &outcome);
    }
    device.heal();
    outcome
}

/// What a machine finds that is switched off now.
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

fn round(device: &Device, then: Then, live_readers: bool, seed: &mut Seed) -> Result<(), String> {
    let path = device.path("meta.redb");
    let in_a_child = then == Then::OtherProcess;
    let mut outcome = with_a_failed_sync(device, live_readers, in_a_child, seed);
    let _mapped = match then {
        Then::Mapped => Some(Mapped::of(&path)),
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
    let open = || {
        Db::builder()
            .share(if live_readers {
                Share::Readers
            } else {
                Share::Nobody
            })
            .open(&path)
    };
    let db = open().map_err(|error| format!("opening again: {error:#}"))?;
    outcome.check(&ids(&db).unwrap())?;
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
        let live_readers = number / THENS.len() % 2 == 1 && then != Then::OtherProcess;
        let now = seed.get();
        round(&device, then, live_readers, &mut seed).unwrap_or_else(|why| {
            panic!("{then:?}, live_readers {live_readers}, seed {now}: {why}")
        });
    }
    tell(format_args!(
        "failed-syncs={count} lost=0 panics=0 silent=0 seed={first_seed}"
    ));
}

/// A test that cannot fail proves nothing: redb by itself reads what the cache shows.
#[test]
fn without_dropping_the_cache_a_failed_sync_loses_what_is_acknowledged_later() {
    const TABLE: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("canary");
    let mut seed = Seed::new(1);
    let mut lost = 0;
    for _ in 0..3 {
        let Some(device) = device() else {
            return;
        };
        let outcome = with_a_failed_sync(&device, false, false, &mut seed);
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
