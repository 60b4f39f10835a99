//! Backing up a store in use, and restoring it.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use bayplan::{Any, Db, ErrorKind, Maintenance};
use redb::{ReadableTable, TableDefinition};

use crate::sample::{Contents, populate};
use crate::seed::Seed;
use crate::tools::{assert_private, container, content, dump, files, fill, filler};

#[test]
fn records_of_every_kind_are_backed_up_and_restored() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let db = Db::create(at("meta.redb")).unwrap();
    populate(&db, &mut Seed::new(6), 100).unwrap();
    let contents = Contents::of(&db).unwrap();
    let records = contents.records.len() as u64;
    let report = db.backup(at("backup.redb"), |_| {}).unwrap();
    assert_eq!(report.records_count, records);
    let tools = Maintenance::new();
    let report = tools.restore(at("backup.redb"), at("new.redb"), |_| {});
    assert_eq!(report.unwrap().records_count, records);
    for name in ["backup.redb", "new.redb"] {
        let copy = Db::open(at(name)).unwrap();
        assert_eq!(Contents::of(&copy).unwrap(), contents);
    }
}

const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

#[test]
fn a_backup_is_the_same_store() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let db = Db::create(at("old.redb")).unwrap();
    fill(&db, 200, 500);
    let mut calls = Vec::new();
    let report = db
        .backup(at("backup.redb"), |progress| calls.push(progress))
        .unwrap();
    assert_private(&at("backup.redb"));
    assert_eq!(files(directory.path()), ["backup.redb", "old.redb"]);
    assert_eq!((report.namespaces_count, report.containers_count), (3, 400));
    let last = calls.last().unwrap();
    assert_eq!(
        (last.done, last.total),
        (report.keys_count, Some(report.keys_count))
    );
    assert_eq!(
        report.file_bytes,
        at("backup.redb").metadata().unwrap().len()
    );

    let backup = Db::open(at("backup.redb")).unwrap();
    assert_eq!(
        dump(&backup),
        dump(&db),
        "the same id, rules, times and revisions"
    );
    let (old, new) = (db.stats().unwrap(), backup.stats().unwrap());
    assert_eq!(new.stored_bytes, old.stored_bytes);
    // The row with the history is not copied: `history`, and a sealed number.
    assert_eq!(report.stored_bytes, old.stored_bytes - 7 - 14);
    assert!(new.used_bytes() <= old.used_bytes(), "a backup is packed");
    let late = backup
        .namespace("default")
        .unwrap()
        .create(container("late", 1))
        .unwrap();
    assert!(late.revision >= report.revisions_below);
}

#[test]
fn a_hot_backup_is_one_snapshot_while_writers_run() {
    let directory = tempfile::tempdir().unwrap();
    let db = Db::create(directory.path().join("old.redb")).unwrap();
    fill(&db, 50, 100);
    // Each transaction creates one container in each of two namespaces.
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                n += 1;
                db.write(|txn| -> bayplan::Result<()> {
                    for name in ["left", "right"] {
                        txn.namespace(name)?
                            .create(container(&format!("{n}"), 20))?;
                    }
                    Ok(())
                })
                .unwrap();
            }
        });
        for round in 0..5 {
            let path = directory.path().join(format!("{round}.redb"));
            db.backup(&path, |_| {}).unwrap();
            let backup = Db::open(&path).unwrap();
            let ids = |name: &str| {
                let store = backup.namespace(name).unwrap();
                store.query().ids().unwrap()
            };
            assert_eq!(ids("left"), ids("right"), "half of a transaction");
            assert_eq!(ids("default").len(), 50);
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn what_is_written_during_a_backup_is_not_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let db = Db::create(directory.path().join("old.redb")).unwrap();
    fill(&db, 10, 100);
    let before = content(&db);
    let path = directory.path().join("backup.redb");
    let mut calls = 0;
    db.backup(&path, |_| {
        calls += 1;
        let store = db.namespace("default").unwrap();
        store.create(container(&format!("late{calls}"), 1)).unwrap();
        store.delete(&format!("c{calls:05}")).unwrap();
    })
    .unwrap();
    assert!(calls > 0);
    assert_eq!(content(&Db::open(&path).unwrap()), before);
}

#[test]
fn a_store_in_memory_and_a_read_only_one_can_be_backed_up() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let db = Db::in_memory().unwrap();
    fill(&db, 5, 10);
    db.backup(at("a"), |_| {}).unwrap();
    Db::open_read_only(at("a"))
        .unwrap()
        .backup(at("b"), |_| {})
        .unwrap();
    assert_eq!(dump(&Db::open(at("b")).unwrap()), dump(&db));
}

#[test]
fn nothing_is_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("file"), "mine").unwrap();
    let db = Db::create(at("old.redb")).unwrap();
    let error = db.backup(at("file"), |_| {}).unwrap_err();
    assert!(error.is_already_exists(), "{error}");
    assert!(
        db.backup(at("old.redb"), |_| {})
            .unwrap_err()
            .is_already_exists()
    );
    assert!(db.backup(at("no/file"), |_| {}).unwrap_err().is_not_found());
    db.backup(at("backup.redb"), |_| {}).unwrap();
    let error = Maintenance::new()
        .restore(at("backup.redb"), at("file"), |_| {})
        .unwrap_err();
    assert!(error.is_already_exists(), "{error}");
    assert_eq!(fs::read(at("file")).unwrap(), b"mine");
    assert_eq!(files(directory.path()), ["backup.redb", "file", "old.redb"]);
}

#[test]
fn a_restored_store_is_the_one_that_was_backed_up_and_the_backup_is_untouched() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let db = Db::create(at("old.redb")).unwrap();
    fill(&db, 20, 100);
    db.backup(at("backup.redb"), |_| {}).unwrap();
    let bytes = fs::read(at("backup.redb")).unwrap();
    let mut calls = 0;
    let report = Maintenance::new()
        .expect_id(db.info().id)
        .restore(at("backup.redb"), at("new.redb"), |_| calls += 1)
        .unwrap();
    assert!(calls > 0);
    assert_eq!(report.containers_count, 40);
    assert_private(&at("new.redb"));
    assert_eq!(dump(&Db::open(at("new.redb")).unwrap()), dump(&db));
    assert_eq!(fs::read(at("backup.redb")).unwrap(), bytes);

    let other = Db::in_memory().unwrap().info().id;
    let wrong = Maintenance::new()
        .expect_id(other)
        .restore(at("backup.redb"), at("x"), |_| {});
    assert!(wrong.unwrap_err().is_failed_precondition());
}

#[test]
fn a_backup_of_a_store_with_a_damaged_page_names_page_and_source_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let db = Db::create(at("old.redb")).unwrap();
    let mut hit = container("hit", 0);
    let filler = filler("hit", 9000);
    hit.spec = Some(Any::new("spec", filler.as_str()));
    fill(&db, 20, 100);
    db.namespace("default").unwrap().create(hit).unwrap();
    drop(db);
    let mut bytes = fs::read(at("old.redb")).unwrap();
    let place = bytes
        .windows(8000)
        .position(|window| window == &filler.as_bytes()[..8000])
        .unwrap();
    bytes[place + 100] ^= 1;
    fs::write(at("old.redb"), bytes).unwrap();
    let db = Db::builder()
        .check_integrity(false)
        .open(at("old.redb"))
        .unwrap();
    let (mut out, old) = (Vec::new(), at("old.redb"));
    for (error, what) in [
        (
            db.backup(at("backup.redb"), |_| {}).unwrap_err(),
            "back up store",
        ),
        (db.dump(&mut out, |_| {}).unwrap_err(), "dump store"),
    ] {
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let begin = format!(
            "{what} {}: the file is damaged: the page at byte ",
            old.display()
        );
        assert!(error.to_string().starts_with(&begin), "{error}");
    }
    assert!(out.is_empty());
    assert_eq!(files(directory.path()), ["old.redb"]);
    let report = db.check().unwrap();
    let damaged = report
        .damages
        .iter()
        .filter_map(|damage| damage.id.as_deref());
    assert_eq!(damaged.collect::<Vec<_>>(), ["hit"]);
}

/// A value written by another program: its page is valid, its seal is not.
#[test]
fn a_damaged_record_is_said_to_be_one_of_the_source() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let db = Db::create(at("old.redb")).unwrap();
    fill(&db, 20, 100);
    drop(db);
    let key = b"default\0containers\0c00007";
    let database = redb::Database::open(at("old.redb")).unwrap();
    let txn = database.begin_write().unwrap();
    {
        let mut table = txn.open_table(RECORDS).unwrap();
        let mut value = table.get(&key[..]).unwrap().unwrap().value().to_vec();
        *value.last_mut().unwrap() ^= 1;
        table.insert(&key[..], value.as_slice()).unwrap();
    }
    txn.commit().unwrap();
    drop(database);
    let old = at("old.redb").display().to_string();
    let of_it = format!("{old}: container \"c00007\" in namespace \"default\": a checksum");
    let db = Db::open(at("old.redb")).unwrap();
    let backup = db.backup(at("new.redb"), |_| {}).unwrap_err();
    let dump = db.dump(Vec::new(), |_| {}).unwrap_err();
    drop(db);
    let restore = Maintenance::new()
        .restore(at("old.redb"), at("new.redb"), |_| {})
        .unwrap_err();
    let compact = Maintenance::new().compact(at("old.redb")).unwrap_err();
    for (error, what) in [
        (backup, "back up store"),
        (dump, "dump store"),
        (restore, "restore from"),
        (compact, "compact store"),
    ] {
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert_eq!(error.operation(), Some(what));
        let text = error.to_string();
        assert!(text.starts_with(&format!("{what} {of_it}")), "{text}");
        assert_eq!(
            (error.namespace(), error.id()),
            (Some("default"), Some("c00007"))
        );
    }
    assert_eq!(files(directory.path()), ["old.redb"]);
}

/// How much longer a copy may be than its source: a few pages of redb's own.
const SLACK_BYTES: u64 = 32 * 1024;

#[test]
fn a_copy_is_no_longer_than_its_source() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let length = |name: &str| at(name).metadata().unwrap().len();
    for (nth, (count, spec_bytes)) in [(0, 0), (20, 100), (400, 500), (400, 9_000), (1_000, 700)]
        .into_iter()
        .enumerate()
    {
        let [fresh, compact] = ["fresh", "compact"].map(|name| format!("{nth}-{name}"));
        let db = Db::create(at(&fresh)).unwrap();
        fill(&db, count, spec_bytes);
        drop(db);
        fs::copy(at(&fresh), at(&compact)).unwrap();
        Maintenance::new().compact(at(&compact)).unwrap();
        for source in [fresh, compact] {
            let [backup, restored, loaded] =
                ["backup", "restored", "loaded"].map(|name| format!("{source}-{name}"));
            let db = Db::open_read_only(at(&source)).unwrap();
            db.backup(at(&backup), |_| {}).unwrap();
            Maintenance::new()
                .restore(at(&backup), at(&restored), |_| {})
                .unwrap();
            Maintenance::new()
                .load(at(&loaded), &dump(&db)[..], |_| {})
                .unwrap();
            for copy in [backup, restored, loaded] {
                println!("{copy}: {} of {}", length(&copy), length(&source));
                assert!(
                    length(&copy) <= length(&source) + SLACK_BYTES,
                    "{copy}: {} of {}",
                    length(&copy),
                    length(&source)
                );
            }
        }
    }
}

#[test]
fn a_damaged_backup_is_not_restored_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let db = Db::in_memory().unwrap();
    fill(&db, 20, 2000);
    db.backup(at("backup.redb"), |_| {}).unwrap();
    let bytes = fs::read(at("backup.redb")).unwrap();
    let filler = filler("c00003", 64);
    let filler = bytes
        .windows(64)
        .position(|window| window == filler.as_bytes())
        .unwrap();
    for place in [0, 100, filler] {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x40;
        fs::write(at("damaged.redb"), &damaged).unwrap();
        match Maintenance::new().restore(at("damaged.redb"), at("new.redb"), |_| {}) {
            Ok(_) => {
                // A commit slot that is not in use.
                assert_eq!(place, 100);
                fs::remove_file(at("new.redb")).unwrap();
            }
            Err(error) => assert!(
                matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NotAStore),
                "{error}"
            ),
        }
        assert_eq!(files(directory.path()), ["backup.redb", "damaged.redb"]);
        assert_eq!(fs::read(at("damaged.redb")).unwrap(), damaged);
    }
}
