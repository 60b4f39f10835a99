//! Files whose pages are not verified at opening: those that redb opens and closes them by are all the
//! same, and the others before the first write.

use bayplan::ErrorKind;

use super::disk::{Call, Disk, Fault, How};
use super::migration::TARGET;
use super::sample::{marked, plain};
use super::work::{self, settings};
use crate::api::db::Db;
use crate::engine::page::{BRANCH, LEAF};

const PAGE_BYTES: usize = 4096;
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

#[test]
fn a_page_whose_last_write_was_lost_is_never_written_anew() {
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
    let is_leaf = |page: &&Vec<u8>| page[0] == LEAF && holds(page, b"ns\0a");
    let before = pages(&old).into_iter().find(|page| is_leaf(&page)).unwrap();
    let mut damaged = pages(&new);
    for page in damaged.iter_mut().filter(|page| is_leaf(&&**page)) {
        page.clone_from(&before);
    }
    let disk = Disk::holding(damaged.concat());
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
