//! A full disk: errors that say so, nothing lost, and a way out of it.
//!
//! The disk is a small tmpfs. Mounting one needs root.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;

use bayplan::{Any, Container, Db, Error, ErrorKind, Filters, Maintenance, Result, Share};

use crate::machine::Tmpfs;
use crate::sample::{Contents, plain};
use crate::seed::{Seed, tell};

/// What docs/FORMAT.md says to free before deleting.
const BALLAST_BYTES: usize = 1024 * 1024;

struct Disk(Tmpfs);

impl Disk {
    fn mount(size: &str) -> Option<Self> {
        Tmpfs::mount("full-disk", size).map(Self)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn names(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    /// Takes all free space.
    fn fill(&self) {
        let mut file = File::create(self.path("filler")).unwrap();
        while file.write(&[1; 4096]).is_ok_and(|count| count > 0) {}
        assert_eq!(file.write(&[1]).unwrap_err().raw_os_error(), Some(28));
    }
}

fn sized(id: &str, bytes: usize) -> Container {
    // Data that compresses well would not fill a disk.
    let mut noise = Seed::new(crc32fast::hash(id.as_bytes()).into());
    plain(id).spec(Any::new("t", noise.bytes(bytes)))
}

#[track_caller]
fn assert_full(error: &Error) {
    assert!(error.is_storage_full(), "{error:#}");
    let kinds = [ErrorKind::Io, ErrorKind::CommitUncertain];
    assert!(kinds.contains(&error.kind()), "{error:#}");
    assert!(
        format!("{error:#}").contains("the disk is full"),
        "{error:#}"
    );
}

/// How a disk is filled.
#[derive(Clone, Copy, Debug)]
struct Case {
    live_readers: bool,
    threads: usize,
    spec_bytes: usize,
    /// Whether something else takes the space, not the store itself.
    by_others: bool,
}

/// What was acknowledged, and what was refused when the disk was full.
#[derive(Default)]
struct Outcome {
    acknowledged: BTreeSet<String>,
    uncertain: BTreeSet<String>,
}

impl Outcome {
    fn assert_holds(&self, found: &BTreeSet<String>, case: Case) {
        let lost: Vec<_> = self.acknowledged.difference(found).collect();
        assert!(lost.is_empty(), "{case:?}: lost {lost:?}");
        let mut more = found.difference(&self.acknowledged);
        assert!(more.all(|id| self.uncertain.contains(id)), "{case:?}");
    }
}

fn ids(db: &Db) -> Result<BTreeSet<String>> {
    assert!(db.check()?.is_healthy());
    let store = db.namespace("default")?;
    let containers = store.list(&Filters::all())?;
    Ok(containers
        .into_iter()
        .map(|container| container.id)
        .collect())
}

/// Creates containers until the disk is full.
fn fill_up(db: &Db, case: Case, outcome: &mut Outcome) {
    let store = &db.namespace("default").unwrap();
    let done = thread::scope(|scope| {
        let work = move |thread: usize| {
            let mut acknowledged = Vec::new();
            for number in 0.. {
                let id = format!("t{thread}-{number}");
                match store.create(sized(&id, case.spec_bytes)) {
                    Ok(_) => acknowledged.push(id),
                    Err(error) => return (acknowledged, id, error),
                }
            }
            unreachable!("the disk is small")
        };
        let threads: Vec<_> = (0..case.threads)
            .map(|thread| scope.spawn(move || work(thread)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect::<Vec<_>>()
    });
    assert!(
        done.iter().any(|(_, _, error)| error.is_storage_full()),
        "{case:?}"
    );
    for (acknowledged, failed, error) in done {
        // Later writes report that an earlier one failed.
        if error.kind() != ErrorKind::Unavailable {
            assert_full(&error);
        }
        if error.kind() == ErrorKind::CommitUncertain {
            outcome.uncertain.insert(failed);
        }
        outcome.acknowledged.extend(acknowledged);
    }
}

/// Deletes `count` containers, one commit each.
fn delete(db: &Db, count: usize, outcome: &mut Outcome) -> Result<()> {
    let store = db.namespace("default")?;
    for _ in 0..count {
        let id = outcome.acknowledged.pop_first().expect("there is one");
        if let Err(error) = store.delete(&id) {
            // It may or may not be there.
            outcome.uncertain.insert(id);
            return Err(error);
        }
    }
    Ok(())
}

/// Whether a deletion succeeded while the disk was full.
fn survives(disk: &Disk, case: Case) -> bool {
    let path = disk.path("meta.redb");
    fs::write(disk.path("ballast"), vec![1; BALLAST_BYTES]).unwrap();
    let open = || {
        Db::builder()
            .share(if case.live_readers {
                Share::Readers
            } else {
                Share::Nobody
            })
            .open(&path)
    };
    drop(Db::create(&path).unwrap());
    let db = open().unwrap();
    let mut outcome = Outcome::default();
    for number in 0..12 {
        let id = format!("first-{number}");
        let store = db.namespace("default").unwrap();
        store.create(sized(&id, case.spec_bytes)).unwrap();
        outcome.acknowledged.insert(id);
    }
    if case.by_others {
        disk.fill();
    }
    fill_up(&db, case, &mut outcome);

    // Writes are refused until the store is reopened. Reads work, except with live readers.
    let error = db
        .namespace("default")
        .unwrap()
        .delete("first-0")
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{case:?}: {error:#}");
    assert!(format!("{error:#}").contains("open it again"), "{error:#}");
    match ids(&db) {
        Ok(found) => outcome.assert_holds(&found, case),
        Err(error) => {
            assert!(case.live_readers, "{case:?}: {error:#}");
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:#}");
        }
    }
    drop(db);

    // Still full: it opens, and has everything acknowledged.
    let reading = Db::open_read_only(&path).unwrap();
    outcome.assert_holds(&ids(&reading).unwrap(), case);
    drop(reading);
    let db = open().unwrap();
    outcome.assert_holds(&ids(&db).unwrap(), case);
    let deleted = delete(&db, 1, &mut outcome);
    if let Err(error) = &deleted {
        assert_full(error);
    }
    drop(db);

    // With some space: open, delete, compact, work.
    fs::remove_file(disk.path("ballast")).unwrap();
    let db = open().unwrap();
    outcome.assert_holds(&ids(&db).unwrap(), case);
    let count = outcome.acknowledged.len() / 2;
    delete(&db, count, &mut outcome).unwrap_or_else(|error| panic!("{case:?}: {error:#}"));
    drop(db);
    let report = Maintenance::new().compact(&path).unwrap();
    assert!(
        report.after_bytes <= report.before_bytes,
        "{case:?}: {report:?}"
    );
    let db = open().unwrap();
    outcome.assert_holds(&ids(&db).unwrap(), case);
    db.namespace("default")
        .unwrap()
        .create(plain("again"))
        .unwrap();
    drop(db);
    assert!(
        Db::open(&path)
            .unwrap()
            .namespace("default")
            .unwrap()
            .get("again")
            .is_ok()
    );
    deleted.is_ok()
}

#[test]
fn a_full_disk_loses_nothing_and_is_worked_on_again_with_some_space() {
    let (mut cases, mut deleted) = (0, 0);
    for spec_bytes in [100, 3_000, 60_000] {
        for (live_readers, threads) in [(false, 1), (false, 4), (true, 1)] {
            for by_others in [false, true] {
                let case = Case {
                    live_readers,
                    threads,
                    spec_bytes,
                    by_others,
                };
                let Some(disk) = Disk::mount("5m") else {
                    return;
                };
                cases += 1;
                deleted += usize::from(survives(&disk, case));
            }
        }
    }
    tell(format_args!(
        "full-disks={cases} deleted-while-full={deleted} lost=0 panics=0 silent=0"
    ));
}

/// A store that does not fit on the small disk, and its file.
fn large(directory: &Path) -> (Contents, PathBuf) {
    let path = directory.join("large.redb");
    let db = Db::create(&path).unwrap();
    let store = db.namespace("default").unwrap();
    for number in 0..30 {
        store.create(sized(&format!("c{number}"), 100_000)).unwrap();
    }
    (Contents::of(&db).unwrap(), path)
}

#[test]
fn what_makes_a_new_file_on_a_full_disk_says_so_and_leaves_nothing() {
    let Some(disk) = Disk::mount("1m") else {
        return;
    };
    let elsewhere = tempfile::tempdir().unwrap();
    let (contents, source) = large(elsewhere.path());
    let bytes = fs::read(&source).unwrap();
    let db = Db::open_read_only(&source).unwrap();
    let mut dump = Vec::new();
    db.dump(&mut dump, |_| {}).unwrap();
    let to = disk.path("new.redb");
    for is_filled in [false, true] {
        if is_filled {
            disk.fill();
        }
        let names = disk.names();
        let results = [
            ("backup", db.backup(&to, |_| {}).map(|_| ())),
            (
                "restore",
                Maintenance::new().restore(&source, &to, |_| {}).map(|_| ()),
            ),
            (
                "salvage",
                Maintenance::new().salvage(&source, &to, |_| {}).map(|_| ()),
            ),
            (
                "load",
                Maintenance::new().load(&to, &dump[..], |_| {}).map(|_| ()),
            ),
        ];
        for (what, result) in results {
            let error = result.expect_err(what);
            assert_full(&error);
            assert_eq!(error.path(), Some(to.as_path()), "{what}");
        }
        assert_eq!(disk.names(), names, "left behind");
        let out = File::create(disk.path("dump"));
        assert!(db.dump(out.unwrap(), |_| {}).unwrap_err().is_storage_full());
        fs::remove_file(disk.path("dump")).unwrap();
    }
    assert_full(&Db::create(&to).map(|_| ()).unwrap_err());
    assert_eq!(disk.names(), BTreeSet::from(["filler".to_owned()]));
    drop(db);
    assert!(
        fs::read(&source).unwrap() == bytes,
        "the source was written"
    );
    assert_eq!(Contents::of(&Db::open(&source).unwrap()).unwrap(), contents);
}

#[test]
fn a_compaction_on_a_full_disk_succeeds_or_says_so_and_loses_nothing() {
    let (mut compacted, mut refused) = (0, 0);
    for spec_bytes in [100, 3_000, 30_000] {
        let Some(disk) = Disk::mount("8m") else {
            return;
        };
        let path = disk.path("meta.redb");
        let db = Db::create(&path).unwrap();
        let store = db.namespace("default").unwrap();
        for number in 0..60 {
            store
                .create(sized(&format!("c{number}"), spec_bytes))
                .unwrap();
        }
        for number in 0..50 {
            store.delete(&format!("c{number}")).unwrap();
        }
        let contents = Contents::of(&db).unwrap();
        drop((store, db));
        disk.fill();
        match Maintenance::new().compact(&path) {
            Ok(report) => {
                compacted += 1;
                assert!(report.after_bytes <= report.before_bytes);
            }
            Err(error) => {
                refused += 1;
                assert_full(&error);
            }
        }
        assert_eq!(Contents::of(&Db::open(&path).unwrap()).unwrap(), contents);
    }
    tell(format_args!(
        "full-compactions={compacted} refused={refused} lost=0"
    ));
}

/// A store with a log on a small disk, filled until nothing goes any more: what was acknowledged can be read, and with
/// some space all of it is recovered.
#[test]
fn a_full_disk_loses_nothing_that_only_the_log_has() {
    for spec_bytes in [100, 3_000, 60_000] {
        let Some(disk) = Disk::mount("16m") else {
            return;
        };
        let case = Case {
            live_readers: false,
            threads: 1,
            spec_bytes,
            by_others: false,
        };
        // As much again as the log.
        fs::write(disk.path("ballast"), vec![1; 4 * BALLAST_BYTES]).unwrap();
        let path = disk.path("meta.redb");
        let db = Db::builder().commit_log(true).create(&path).unwrap();
        let mut outcome = Outcome::default();
        fill_up(&db, case, &mut outcome);
        drop(db);
        let seen = ids(&Db::open_read_only(&path).unwrap()).unwrap();
        outcome.assert_holds(&seen, case);
        // Moving the log into the file may need space that the disk lacks.
        if let Err(error) = Db::open(&path) {
            assert_full(&error);
        }
        fs::remove_file(disk.path("ballast")).unwrap();
        let db = Db::open(&path).unwrap();
        assert_eq!(ids(&db).unwrap(), seen, "{case:?}");
        drop(db);
        assert_eq!(disk.names(), BTreeSet::from(["meta.redb".to_owned()]));
    }
}

#[test]
fn a_log_that_cannot_be_made_on_a_full_disk_refuses_the_write_and_nothing_else() {
    let Some(disk) = Disk::mount("8m") else {
        return;
    };
    let path = disk.path("meta.redb");
    drop(Db::create(&path).unwrap());
    let db = Db::builder().commit_log(true).open(&path).unwrap();
    db.checkpoint().unwrap(); // The first commit makes no log.
    disk.fill();
    let store = db.namespace("default").unwrap();
    for _ in 0..2 {
        let error = store.create(plain("a")).unwrap_err();
        assert_full(&error);
        assert_eq!(error.kind(), ErrorKind::Io, "{error:#}");
    }
    fs::remove_file(disk.path("filler")).unwrap();
    assert_eq!(disk.names(), BTreeSet::from(["meta.redb".to_owned()]));
    store.create(plain("a")).unwrap();
    assert!(store.get("a").is_ok());
}

/// Records in memory can still be read as they were acknowledged, in every mode.
#[test]
fn records_in_memory_are_read_on_a_full_disk() {
    for (live_readers, commit_log) in [(false, false), (true, false), (false, true)] {
        let Some(disk) = Disk::mount("8m") else {
            return;
        };
        let case = Case {
            live_readers,
            threads: 4,
            spec_bytes: 20_000,
            by_others: false,
        };
        let path = disk.path("meta.redb");
        drop(Db::create(&path).unwrap());
        let builder = Db::builder().share(if live_readers {
            Share::Readers
        } else {
            Share::Nobody
        });
        let db = builder.commit_log(commit_log).open(&path).unwrap();
        let mut outcome = Outcome::default();
        let store = db.namespace("default").unwrap();
        for number in 0..12 {
            let id = format!("first-{number}");
            store.create(sized(&id, case.spec_bytes)).unwrap();
            outcome.acknowledged.insert(id);
        }
        while db.stats().unwrap().memory_bytes == 0 {
            store.list(&Filters::all()).unwrap();
        }
        fill_up(&db, case, &mut outcome);
        assert_eq!(
            store.create(plain("later")).unwrap_err().kind(),
            ErrorKind::Unavailable
        );
        let found = store.list(&Filters::all()).unwrap();
        let ids: BTreeSet<String> = found.iter().map(|found| found.id.clone()).collect();
        assert_eq!(ids, outcome.acknowledged, "{case:?}");
        for container in found {
            let stored = sized(&container.id, case.spec_bytes);
            assert_eq!(container.spec, stored.spec, "{case:?}");
            assert_eq!(store.get(&container.id).unwrap(), container, "{case:?}");
        }
        drop((store, db));
        let seen = self::ids(&Db::open_read_only(&path).unwrap()).unwrap();
        outcome.assert_holds(&seen, case);
    }
}
