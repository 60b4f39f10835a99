//! Files in which each page is verified when it is first read: which damage is reported, what is written, and what can
//! still be read. The pages with which redb opens and closes a file are verified at opening.

use std::sync::mpsc::channel;
use std::thread;

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

/// A store that was closed cleanly, with branch pages and free pages.
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

/// Returns the file with one byte changed in each branch page of our tables.
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
fn where_a_branch_is_damaged_nothing_below_it_is_trusted_and_every_write_is_refused() {
    let bytes = with_a_damaged_branch(closed());
    let disk = Disk::holding(bytes.clone());
    let db = open(&disk).unwrap();
    let store = db.namespace("ns").unwrap();
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
    for error in [
        store.get(&id(1)).unwrap_err(),
        store.get("none").unwrap_err(),
        store.query().count().unwrap_err(),
        db.list_namespaces().unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:#}");
    }
    // Only a checksum of the branch's children was hit.
    let listing = store.query().lenient().unwrap();
    assert_eq!(listing.items.len() as u64, CONTAINERS);
    let [damaged] = listing.damaged.as_slice() else {
        panic!("{:?}", listing.damaged);
    };
    assert_eq!(damaged.id, "");
    assert!(damaged.error.is_corrupt());
    drop(store);
    db.close().unwrap();
    assert_eq!(disk.log_len(), 0);
    assert!(disk.bytes() == bytes);
}

/// Returns the file with one byte changed in each leaf that holds the spec of this container, and nowhere else.
fn with_a_damaged_leaf(mut bytes: Vec<u8>, id: &str) -> Vec<u8> {
    let key = format!("ns\0containers\0{id}\0");
    let mut hit = 0;
    for page in bytes.chunks_mut(PAGE_BYTES).skip(1) {
        let has_key = page.windows(key.len()).any(|part| part == key.as_bytes());
        if page[0] == LEAF && has_key {
            // The last value ends with the page's last byte in use.
            let last = page.iter().rposition(|byte| *byte != 0).unwrap();
            page[last] ^= 0x40;
            hit += 1;
        }
    }
    assert!(hit > 0);
    bytes
}

#[test]
fn where_a_leaf_is_damaged_what_is_elsewhere_is_read_and_written_until_the_leaf_is() {
    let disk = Disk::holding(with_a_damaged_leaf(closed(), &id(250)));
    let db = open(&disk).unwrap();
    let store = db.namespace("ns").unwrap();
    let intact = id(10);
    store.get(&intact).unwrap();
    assert!(store.get("c100.none").unwrap_err().is_not_found());
    store.create(plain("c100.new")).unwrap();
    assert!(!db.info().pages_verified);
    let error = store.get(&id(250)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:#}");
    // Now that the damage is known, no read says that something does not exist.
    assert!(store.get("c100.none").unwrap_err().is_corrupt());
    assert!(store.query().ids().unwrap_err().is_corrupt());
    assert!(store.get(&intact).is_ok() && store.get("c100.new").is_ok());
    let log_len = disk.log_len();
    for error in [
        store.create(plain("c100.none")).unwrap_err(),
        store.delete(&intact).unwrap_err(),
        store.delete("none").unwrap_err(),
        db.begin_write().unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:#}");
    }
    assert_eq!(disk.log_len(), log_len);
    drop(store);
    db.close().unwrap();
    // It is closed cleanly: the next opening can read it.
    let db = open(&disk).unwrap();
    let store = db.namespace("ns").unwrap();
    assert!(store.get(&intact).is_ok() && store.get("c100.new").is_ok());
    assert!(store.get(&id(250)).unwrap_err().is_corrupt());
}

#[test]
fn damage_that_a_reader_finds_during_a_write_transaction_keeps_it_from_being_committed() {
    let disk = Disk::holding(with_a_damaged_leaf(closed(), &id(250)));
    let db = open(&disk).unwrap();
    let txn = db.begin_write().unwrap();
    txn.namespace("ns")
        .unwrap()
        .create(plain("c100.new"))
        .unwrap();
    thread::scope(|scope| {
        let reader = scope.spawn(|| db.namespace("ns").unwrap().get(&id(250)).unwrap_err());
        assert!(reader.join().unwrap().is_corrupt());
    });
    let in_txn = txn.namespace("ns").unwrap().get("none").unwrap_err();
    assert!(in_txn.is_corrupt(), "{in_txn:#}");
    let error = txn.commit().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:#}");
    assert_eq!(disk.log_len(), 0);
    let store = db.namespace("ns").unwrap();
    assert!(store.get(&id(10)).is_ok());
    assert!(store.get("c100.new").unwrap_err().is_corrupt());
}

/// Returns how many answers of a store with this damage are silently wrong; `None` if the store does not open.
fn silent(damaged: Vec<u8>, intact: &[crate::Container], trust: bool) -> Option<usize> {
    let disk = Disk::holding(damaged);
    let db = open(&disk).ok()?;
    if trust {
        db.shared().file.trust_all_pages();
    }
    let store = db.namespace("ns").unwrap();
    let is_wrong = |got: crate::Result<bool>| match got {
        Ok(is_right) => !is_right,
        Err(error) => !error.is_corrupt(),
    };
    let mut wrong = 0;
    for container in intact.iter().step_by(7) {
        let got = store.get(&container.id);
        wrong += usize::from(is_wrong(got.map(|got| got == *container)));
    }
    let listed = store.query().list();
    wrong += usize::from(is_wrong(listed.map(|all| all == intact)));
    let counted = store.query().count();
    wrong += usize::from(is_wrong(counted.map(|count| count == CONTAINERS)));
    let named = db.list_namespaces();
    wrong += usize::from(is_wrong(named.map(|names| names.len() == 1)));
    let created = store.create(plain("new")).map(|_| true);
    wrong += usize::from(is_wrong(created));
    Some(wrong)
}

#[test]
fn no_flip_hides_anything_silently_and_without_verification_some_do() {
    let bytes = closed();
    let intact = {
        let db = open(&Disk::holding(bytes.clone())).unwrap();
        db.namespace("ns").unwrap().query().list().unwrap()
    };
    let (mut refused, mut asked, mut wrong_if_trusted) = (0, 0, 0);
    for page in (PAGE_BYTES..bytes.len()).step_by(PAGE_BYTES) {
        for (nth, at) in [0, 2, 4, 21, 60, 185, 700].into_iter().enumerate() {
            let mut damaged = bytes.clone();
            damaged[page + at] ^= 1 << ((nth + page / PAGE_BYTES) % 8);
            match silent(damaged.clone(), &intact, false) {
                None => refused += 1,
                Some(wrong) => {
                    assert_eq!(wrong, 0, "byte {at} of the page at {page}");
                    asked += 1;
                }
            }
            if nth == 4 {
                wrong_if_trusted += silent(damaged, &intact, true).unwrap_or(0);
            }
        }
    }
    assert!(refused > 4 && asked > 100, "{refused} {asked}");
    assert!(wrong_if_trusted > 0, "this suite cannot fail");
}

#[test]
fn no_false_alarm_is_raised_while_many_read_and_write_and_verify() {
    let bytes = closed();
    for _ in 0..4 {
        let disk = Disk::holding(bytes.clone());
        // Pages are read repeatedly.
        let settings = crate::session::settings::Settings {
            cache_bytes: 64 << 10,
            memory_bytes: 0,
            ..settings(false, false)
        };
        let db = work::open(&disk, &settings).unwrap();
        let (done, is_done) = channel::<()>();
        thread::scope(|scope| {
            let db = &db;
            for reader in 0..2 {
                scope.spawn(move || {
                    let store = db.namespace("ns").unwrap();
                    for number in 0..CONTAINERS {
                        store.get(&id((number * 7 + reader) % CONTAINERS)).unwrap();
                    }
                    store.query().count().unwrap();
                });
            }
            scope.spawn(move || {
                let store = db.namespace("ns").unwrap();
                for number in 0..60 {
                    store
                        .create(marked(&format!("new{number}"), number, 600))
                        .unwrap();
                    store.delete(&format!("new{number}")).unwrap();
                }
                drop(done);
            });
            scope.spawn(move || {
                while is_done.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                    assert!(db.check().unwrap().is_healthy());
                }
            });
        });
        assert!(db.info().pages_verified);
        drop(db);
        assert!(work::open(&disk, &work::settings(true, false)).is_ok());
    }
}

/// Returns a file with two containers in one page, which is put back to when it held only the first one.
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
fn a_page_whose_last_write_was_lost_is_noticed_by_a_read_and_never_written_anew() {
    let bytes = with_a_lost_write();
    assert!(work::open(&Disk::holding(bytes.clone()), &settings(true, false)).is_err());
    for writes_first in [true, false] {
        let disk = Disk::holding(bytes.clone());
        let db = open(&disk).unwrap();
        let store = db.namespace("ns").unwrap();
        if writes_first {
            assert!(store.create(plain("c")).unwrap_err().is_corrupt());
        }
        // The page holds a sealed container, which may be an old version.
        for id in ["a", "b", "c"] {
            let error = store.get(id).unwrap_err();
            assert!(error.is_corrupt(), "{id}: {error:#}");
        }
        assert!(store.query().count().unwrap_err().is_corrupt());
        assert!(store.create(plain("c")).unwrap_err().is_corrupt());
        let listing = store.query().lenient().unwrap();
        assert_eq!((listing.items.len(), listing.damaged.len()), (1, 1));
        drop((store, db));
        assert!(disk.bytes() == bytes, "still told");
    }
}

#[test]
fn opening_and_one_create_read_a_few_pages_and_check_reads_each_other_one_once() {
    let disk = Disk::default();
    let db = work::create(&disk, &settings(true, false)).unwrap();
    db.write(|txn| {
        let store = txn.namespace("ns")?;
        (0..3_000).try_for_each(|number| store.create(marked(&id(number), number, 300)).map(drop))
    })
    .unwrap();
    drop(db);
    let disk = Disk::holding(disk.bytes());
    let file_bytes = disk.bytes().len();
    let settings = crate::session::settings::Settings {
        cache_bytes: 16 << 20,
        ..settings(false, false)
    };
    let db = work::open(&disk, &settings).unwrap();
    let store = db.namespace("ns").unwrap();
    store.create(plain("new")).unwrap();
    let pages = disk.read_bytes() / PAGE_BYTES;
    assert!(
        pages < 60 && file_bytes / PAGE_BYTES > 600,
        "{pages} of {file_bytes} bytes"
    );
    assert!(!db.info().pages_verified);
    assert!(db.check().unwrap().is_healthy() && db.info().pages_verified);
    let before = disk.read_bytes();
    db.check().unwrap();
    assert!(
        disk.read_bytes() - before < file_bytes / 10,
        "verified once"
    );
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
    let error = db.check().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error:#}");
    assert_eq!(disk.failed(), 1);
    assert!(db.check().unwrap().is_healthy());
    store.create(plain("new")).unwrap();
    drop((store, db));
    // Also while it is opened.
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

/// Runs everything that reads a store, as far as its damage allows.
fn read_all(db: &Db) {
    let store = db.namespace("ns").unwrap();
    let _ = store.get("c1");
    let _ = store.query().list();
    let _ = (db.check(), db.stats(), db.dump(std::io::sink(), |_| {}));
}

/// Returns what a crash leaves after two commits. The second can be in one phase.
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
        // Whether it is closed cleanly, or left by a crash.
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
