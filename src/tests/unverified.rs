//! Files whose pages are not verified at opening: those that redb opens and closes them by are all the
//! same, and the others before the first write.

use bayplan::ErrorKind;

use super::disk::{Call, Disk, Fault, How};
use super::migration::TARGET;
use super::sample::{marked, plain};
use super::work::{self, settings};
use crate::api::db::Db;
use crate::redb_file::layout;
use crate::redb_file::page::{BRANCH, LEAF};

const PAGE_BYTES: usize = layout::PAGE_BYTES as usize;
const CONTAINERS: u64 = 300;

/// A store that was closed well, with branch pages and with pages that are free.
fn closed() -> Vec<u8> {
    let disk = Disk::default();
    let db = work::create(&disk, &settings(true, false)).unwrap();
    db.write(|txn| {
        let store = txn.namespace("ns")?;
        (0..CONTAINERS + 50)
            .try_for_each(|number| store.create(marked(&id(number), number, 600)).map(drop))
    })
    .unwrap();
    let store = db.namespace("ns").unwrap();
    for number in CONTAINERS..CONTAINERS + 50 {
        store.delete(&id(number)).unwrap();
    }
    drop((store, db));
    disk.bytes()
}

fn id(number: u64) -> String {
    format!("c{number}")
}

fn open(disk: &Disk) -> crate::Result<Db> {
    work::open(disk, &settings(false, false))
}

/// The file with a byte changed in each branch page of our tables.
fn with_a_damaged_branch(mut bytes: Vec<u8>) -> Vec<u8> {
    for page in bytes.chunks_mut(PAGE_BYTES).skip(1) {
        if page[0] == BRANCH && page.windows(3).any(|key| key == b"ns\0") {
            page[20] ^= 1;
        }
    }
    bytes
}

#[test]
fn damage_to_what_redb_keeps_of_free_pages_is_refused_at_opening_and_the_file_stays() {
    let bytes = closed();
    let (mut refused, mut opened) = (0, 0);
    for page in (PAGE_BYTES..bytes.len()).step_by(PAGE_BYTES) {
        for at in [page + 4, page + 60, page + 185] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x55;
            let disk = Disk::holding(damaged);
            let Err(error) = open(&disk) else {
                opened += 1;
                continue;
            };
            assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {at}: {error:#}");
            assert_eq!(disk.log_len(), 0, "byte {at}");
            refused += 1;
        }
    }
    assert!(refused >= 4 && opened > refused, "{refused} {opened}");
}

#[test]
fn every_write_is_refused_where_a_branch_is_damaged_and_reading_goes_on() {
    let disk = Disk::holding(with_a_damaged_branch(closed()));
    let db = open(&disk).unwrap();
    let store = db.namespace("ns").unwrap();
    let before = disk.log_len();
    for _ in 0..2 {
        let error = store.create(plain("new")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:#}");
        let text = error.to_string();
        assert!(text.contains("is not what was written there"), "{text}");
    }
    let read_bytes = disk.read_bytes();
    store.create(plain("new")).unwrap_err();
    assert_eq!(disk.read_bytes(), read_bytes, "what is damaged stays so");
    let error = db.checkpoint().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:#}");
    let text = error.to_string();
    assert!(text.starts_with("checkpoint store: "), "{text}");
    assert_eq!(disk.log_len(), before);
    // Only a checksum of what a branch leads to was hit, which reading does not look at.
    assert_eq!(store.query().count().unwrap(), CONTAINERS);
}

/// A file with two containers in one page, put back to when it held the first one only.
fn with_a_lost_write() -> Vec<u8> {
    let disk = Disk::default();
    let db = work::create(&disk, &settings(true, false)).unwrap();
    let store = db.namespace("ns").unwrap();
    store.create(plain("a")).unwrap();
    let old = disk.bytes();
    store.create(plain("b")).unwrap();
    drop((store, db));
    let new = disk.bytes();
    // The leaf that holds both, put back to one that holds the first.
    let holds = |bytes: &[u8], id: &[u8]| bytes.windows(id.len()).any(|part| part == id);
    let pages = |bytes: &[u8]| {
        bytes
            .chunks(PAGE_BYTES)
            .map(<[u8]>::to_vec)
            .collect::<Vec<_>>()
    };
    let is_leaf = |page: &&Vec<u8>| page[0] == LEAF && holds(page, b"ns\0containers\0a");
    let before = pages(&old).into_iter().find(|page| is_leaf(&page)).unwrap();
    let mut damaged = pages(&new);
    for page in damaged.iter_mut().filter(|page| is_leaf(&&**page)) {
        page.clone_from(&before);
    }
    damaged.concat()
}

#[test]
fn a_page_whose_last_write_was_lost_is_never_written_anew() {
    let disk = Disk::holding(with_a_lost_write());
    assert!(work::open(&disk, &settings(true, false)).is_err());
    let db = open(&disk).unwrap();
    let store = db.namespace("ns").unwrap();
    assert_eq!(
        store.query().count().unwrap(),
        1,
        "seen only by who verifies"
    );
    assert!(store.create(plain("c")).unwrap_err().is_corrupt());
    drop((store, db));
    assert!(
        work::open(&disk, &settings(true, false)).is_err(),
        "still told"
    );
}

#[test]
fn the_pages_are_verified_once_before_the_first_write_and_not_for_reading() {
    let disk = Disk::holding(closed());
    let db = open(&disk).unwrap();
    assert!(!db.info().pages_verified);
    let store = db.namespace("ns").unwrap();
    let read_by = |work: &dyn Fn()| {
        let before = disk.read_bytes();
        work();
        disk.read_bytes() - before
    };
    let get = read_by(&|| drop(store.get("c1").unwrap()));
    let first = read_by(&|| drop(store.create(plain("first")).unwrap()));
    let second = read_by(&|| drop(store.create(plain("second")).unwrap()));
    assert!(first > 200_000, "{first}");
    assert!(get < first / 4 && second < first / 4, "{get} {second}");
}

#[test]
fn a_failed_read_while_the_pages_are_verified_is_an_error_once() {
    let disk = Disk::holding(closed());
    let db = open(&disk).unwrap();
    let store = db.namespace("ns").unwrap();
    store.get("c1").unwrap();
    let fault = |nth| Fault {
        call: Call::Read,
        nth,
        times: 1,
        how: How::Device,
    };
    disk.fail(fault(3));
    let error = store.create(plain("new")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error:#}");
    assert_eq!(disk.failed(), 1);
    store.create(plain("new")).unwrap();
    drop((store, db));
    // While it is opened as well.
    let bytes = disk.bytes();
    for nth in 0..20 {
        let disk = Disk::holding(bytes.clone());
        disk.fail(fault(nth));
        if let Err(error) = open(&disk) {
            assert_eq!(error.kind(), ErrorKind::Io, "read {nth}: {error:#}");
        }
        open(&Disk::holding(disk.bytes()))
            .unwrap()
            .namespace("ns")
            .unwrap()
            .get("new")
            .unwrap();
    }
}

#[test]
fn a_file_that_redb_repaired_is_verified() {
    let disk = Disk::default();
    let db = work::create(&disk, &settings(true, false)).unwrap();
    db.namespace("ns").unwrap().create(plain("a")).unwrap();
    let crashed = Disk::holding(disk.bytes());
    assert!(open(&crashed).unwrap().info().pages_verified);
    db.checkpoint().unwrap();
    let crashed = Disk::holding(disk.bytes());
    assert!(!open(&crashed).unwrap().info().pages_verified);
}

#[test]
fn no_migration_begins_where_a_branch_is_damaged() {
    let disk = Disk::holding(closed());
    assert!(work::migrate(&disk, &settings(false, false), TARGET).is_ok());
    let disk = Disk::holding(with_a_damaged_branch(closed()));
    let error = work::migrate(&disk, &settings(false, false), TARGET).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:#}");
}

/// Does what reads a store, as far as its damage lets it.
fn read_all(db: &Db) {
    let store = db.namespace("ns").unwrap();
    let _ = store.get("c1");
    let _ = store.query().list();
    let _ = (db.check(), db.stats(), db.dump(std::io::sink(), |_| {}));
}

/// What a crash leaves behind two commits; the second of them can be in one phase.
fn crashed() -> Vec<u8> {
    let disk = Disk::default();
    let db = work::create(&disk, &settings(true, false)).unwrap();
    let store = db.namespace("ns").unwrap();
    store.create(plain("c1")).unwrap();
    store.create(plain("c2")).unwrap();
    disk.bytes()
}

#[test]
fn who_opens_and_closes_without_a_write_leaves_the_file_as_it_was() {
    let files = [
        ("closed", closed()),
        ("a damaged branch", with_a_damaged_branch(closed())),
        ("a lost write", with_a_lost_write()),
        ("crashed", crashed()),
    ];
    for (what, bytes) in files {
        for live_readers in [false, true] {
            if live_readers && what == "crashed" {
                // Others read the file: it is repaired for them.
                let disk = Disk::holding(bytes.clone());
                drop(work::open(&disk, &settings(false, true)).unwrap());
                assert!(disk.log_len() > 0);
                continue;
            }
            for is_told in [false, true] {
                let disk = Disk::holding(bytes.clone());
                let db = work::open(&disk, &settings(false, live_readers)).unwrap();
                read_all(&db);
                match is_told {
                    true => db.close().unwrap(),
                    false => drop(db),
                }
                assert_eq!(disk.log_len(), 0, "{what}");
                assert!(disk.bytes() == bytes, "{what}");
            }
        }
    }
}

#[test]
fn a_write_that_is_refused_for_damage_leaves_the_file_as_it_was() {
    for bytes in [with_a_damaged_branch(closed()), with_a_lost_write()] {
        let disk = Disk::holding(bytes.clone());
        let db = open(&disk).unwrap();
        let store = db.namespace("ns").unwrap();
        assert!(store.create(plain("new")).unwrap_err().is_corrupt());
        drop((store, db));
        assert_eq!(disk.log_len(), 0);
        assert!(disk.bytes() == bytes);
    }
}

#[test]
fn the_first_write_lets_the_repair_of_a_crash_reach_the_file_and_reading_goes_on() {
    for bytes in [closed(), crashed()] {
        let disk = Disk::holding(bytes);
        let db = open(&disk).unwrap();
        let store = db.namespace("ns").unwrap();
        let before = store.query().list().unwrap();
        assert_eq!(disk.log_len(), 0);
        let snapshot = db.read().unwrap();
        store.create(plain("new")).unwrap();
        assert!(disk.log_len() > 0);
        assert_eq!(
            snapshot.namespace("ns").unwrap().query().list().unwrap(),
            before
        );
        // Whether it is closed, or left by a crash.
        let crashed = Disk::holding(disk.bytes());
        drop((snapshot, store, db));
        for disk in [disk, crashed] {
            let db = work::open(&disk, &settings(true, false)).unwrap();
            let now = db.namespace("ns").unwrap().query().list().unwrap();
            assert_eq!(now.len(), before.len() + 1);
            assert!(before.iter().all(|container| now.contains(container)));
            assert!(db.check().unwrap().is_healthy());
        }
    }
}

#[test]
fn a_fault_while_the_first_write_lets_through_what_was_held_loses_nothing() {
    let bytes = [closed(), crashed()];
    let ids = |disk: &Disk| {
        let db = work::open(disk, &settings(true, false)).unwrap();
        assert!(db.check().unwrap().is_healthy());
        let store = db.namespace("ns").unwrap();
        store.query().ids().unwrap()
    };
    let mut failed = 0;
    for bytes in &bytes {
        let before = ids(&Disk::holding(bytes.clone()));
        for call in [Call::Write, Call::Sync, Call::SetLen] {
            for how in [How::Device, How::Half] {
                for nth in 0.. {
                    let disk = Disk::holding(bytes.clone());
                    let db = open(&disk).unwrap();
                    let store = db.namespace("ns").unwrap();
                    disk.fail(Fault {
                        call,
                        nth,
                        times: 1,
                        how,
                    });
                    let created = store.create(plain("new"));
                    if disk.failed() == 0 {
                        created.unwrap();
                        break;
                    }
                    failed += 1;
                    if let Err(error) = &created {
                        let kinds = [ErrorKind::Io, ErrorKind::CommitUncertain];
                        assert!(kinds.contains(&error.kind()), "{error:#}");
                        let error = store.create(plain("later")).unwrap_err();
                        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:#}");
                    }
                    drop((store, db));
                    let mut after = ids(&disk);
                    let is_new = after.len() > before.len();
                    assert!(is_new || created.is_err(), "{call:?} {nth}");
                    after.retain(|id| id != "new");
                    assert_eq!(after, before, "{call:?} {nth}");
                }
            }
        }
    }
    assert!(failed > 20, "{failed}");
}

#[test]
fn what_reads_a_whole_store_verifies_its_pages_first_and_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("backup.redb");
    let damaged_page = "is not what was written there";
    for access in 0..2 {
        let disk = Disk::holding(with_a_lost_write());
        let db = match access {
            0 => open(&disk),
            _ => work::inspect(&disk, &settings(false, false)),
        }
        .unwrap();
        let report = db.check().unwrap();
        assert!(!report.is_healthy() && !report.pages_verified);
        let told = report.damages.first().unwrap();
        assert_eq!((told.namespace.as_str(), &told.id), ("", &None));
        assert!(
            told.error.to_string().contains(damaged_page),
            "{}",
            told.error
        );
        let mut dump = Vec::new();
        for error in [
            db.stats().unwrap_err(),
            db.dump(&mut dump, |_| {}).unwrap_err(),
            db.backup(&path, |_| {}).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:#}");
            assert!(error.to_string().contains(damaged_page), "{error:#}");
        }
        assert!(dump.is_empty());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
    let disk = Disk::holding(closed());
    let db = open(&disk).unwrap();
    let report = db.check().unwrap();
    assert!(report.is_healthy() && report.pages_verified && db.info().pages_verified);
    let (before, reads) = (disk.read_bytes(), disk.bytes().len() / 2);
    db.stats().unwrap();
    db.namespace("ns").unwrap().create(plain("new")).unwrap();
    assert!(disk.read_bytes() - before < reads, "verified once");
}
