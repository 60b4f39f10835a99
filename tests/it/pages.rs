//! Damage to pages that opening does not verify: it is reported as damage, no read loops, and nothing is written over
//! it.

use std::path::Path;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use bayplan::{Container, Db, ErrorKind, FieldMask, Filters, Result, Share};

use crate::quiet::quietly;
use crate::redb_format::{
    BRANCH, BRANCH_HEAD_BYTES, CHECKSUM_BYTES, END_BYTES, LEAF, LEAF_HEAD_BYTES, PAGE_BYTES,
    PAGE_NUMBER_BYTES, count,
};
use crate::sample::{marked, plain};

/// How long all that is done to one damaged file may take at the very most.
const PATIENCE: Duration = Duration::from_secs(60);

/// Opens a file for reading only, or for writing too, without verifying its pages.
pub(crate) fn open_unverified(path: &Path, is_reading: bool) -> Result<Db> {
    let options = Db::builder().check_integrity(false);
    match is_reading {
        true => options.open_read_only(path),
        false => options.open(path),
    }
}

/// A store with several namespaces of containers on many pages, as a file.
fn file() -> Vec<u8> {
    file_with_specs(400)
}

fn file_with_specs(spec_bytes: usize) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let db = Db::create(&path).unwrap();
    db.write(|txn| {
        for number in 0..400u64 {
            let store = txn.namespace(&format!("ns{}", number % 5))?;
            store.create(marked(&format!("c{number}"), number, spec_bytes))?;
        }
        Ok::<_, bayplan::Error>(())
    })
    .unwrap();
    drop(db);
    std::fs::read(path).unwrap()
}

/// Where the pages of a kind are, with the number that stands in their head.
fn pages(bytes: &[u8], kind: u8) -> Vec<(usize, usize)> {
    let starts = (PAGE_BYTES..bytes.len()).step_by(PAGE_BYTES);
    let is_kind = |at: &usize| bytes[*at] == kind;
    starts
        .filter(is_kind)
        .map(|at| (at, count(&bytes[at..])))
        .filter(|(_, count)| (1..200).contains(count))
        .collect()
}

/// Returns the kind of each error of operations that read a whole file without verifying its pages. The first one says
/// what is wrong.
fn errors(path: &Path) -> Vec<ErrorKind> {
    let (path, (sender, receiver)) = (path.to_owned(), channel());
    thread::spawn(move || sender.send(read_all(&path)));
    receiver
        .recv_timeout(PATIENCE)
        .expect("it comes to an end and does not panic")
}

fn read_all(path: &Path) -> Vec<ErrorKind> {
    let db = match open_unverified(path, true) {
        Ok(db) => db,
        Err(error) => return vec![error.kind()],
    };
    let mut errors = Vec::new();
    let mut note = |result: Result<()>| errors.extend(result.err().map(|error| error.kind()));
    for name in ["ns0", "ns1", "ns2", "ns3", "ns4"] {
        let store = db.namespace(name).unwrap();
        note(store.list(&Filters::all()).map(|_| ()));
        note(store.query().count().map(|_| ()));
    }
    note(db.list_namespaces().map(|_| ()));
    note(db.check().map(|_| ()));
    note(db.stats().map(|_| ()));
    note(db.dump(std::io::sink(), |_| {}).map(|_| ()));
    let backup = path.with_extension("backup");
    note(db.backup(&backup, |_| {}).map(|_| ()));
    let _ = std::fs::remove_file(backup);
    drop(db);
    errors.extend(write_some(path).0);
    errors
}

/// The kinds of the errors of writes to a damaged store, and how many more containers it holds since.
fn write_some(path: &Path) -> (Vec<ErrorKind>, i64) {
    let db = match open_unverified(path, false) {
        Ok(db) => db,
        Err(error) => return (vec![error.kind()], 0),
    };
    let (mut errors, mut more) = (Vec::new(), 0);
    for number in 0..100u64 {
        let store = db.namespace(&format!("ns{}", number % 5)).unwrap();
        let mut note = |result: Result<()>, count: i64| match result {
            Ok(()) => more += count,
            Err(error) => errors.push(error.kind()),
        };
        let id = format!("c{}", number * 7);
        match number % 3 {
            0 => note(store.delete(&id), -1),
            1 => note(
                store
                    .create(marked(&format!("new{number}"), number, 5_000))
                    .map(drop),
                1,
            ),
            _ => {
                let change = Container::with_id(id).label("new", "x");
                let mask = FieldMask::parse(["labels.new"]).unwrap();
                note(store.update(change, &mask).map(drop), 0);
            }
        }
    }
    errors.retain(|kind| *kind != ErrorKind::NotFound);
    (errors, more)
}

#[test]
fn keys_that_are_out_of_order_lead_nobody_in_circles() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("damaged.redb");
    let healthy = file();
    let mut damaged = 0;
    for (page, count) in pages(&healthy, LEAF) {
        let key = page + LEAF_HEAD_BYTES + 2 * END_BYTES * count;
        if !healthy[key..].starts_with(b"ns") {
            continue;
        }
        for with in [b'a', b'z'] {
            let mut bytes = healthy.clone();
            bytes[key] = with;
            std::fs::write(&path, &bytes).unwrap();
            let errors = errors(&path);
            assert!(errors.contains(&ErrorKind::Corrupt), "page {page}");
            damaged += 1;
        }
    }
    assert!(damaged > 20, "{damaged}");
}

/// Where the number of each child of each branch page is, with the place of its page.
fn child_numbers(bytes: &[u8]) -> Vec<(usize, usize)> {
    let of_page = |(page, count): (usize, usize)| {
        let numbers = page + BRANCH_HEAD_BYTES + CHECKSUM_BYTES * (count + 1);
        (0..=count).map(move |child| (page, numbers + PAGE_NUMBER_BYTES * child))
    };
    let branches = pages(bytes, BRANCH);
    branches.into_iter().flat_map(of_page).collect()
}

/// Changes where each branch leads, one child at a time. In a free page this has no effect. Otherwise the first error
/// must report damage.
fn damaged_children_are_told(healthy: &[u8], damage: impl Fn(&mut [u8], usize, usize)) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("damaged.redb");
    let mut damaged = 0;
    for (page, number_at) in child_numbers(healthy) {
        let mut bytes = healthy.to_vec();
        damage(&mut bytes, page, number_at);
        std::fs::write(&path, &bytes).unwrap();
        if let Some(first) = errors(&path).first() {
            assert_eq!(
                *first,
                ErrorKind::Corrupt,
                "page {page}, number at {number_at}"
            );
            damaged += 1;
        }
    }
    assert!(damaged > 20, "{damaged}");
}

#[test]
fn nothing_is_written_where_a_branch_leads_to_a_page_that_is_free() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("damaged.redb");
    let healthy = file();
    let mut damaged = 0;
    for (nth, (page, number_at)) in child_numbers(&healthy).into_iter().enumerate() {
        let number = number_at..number_at + 2;
        // The lowest pages are taken first when something is written.
        let low = u16::try_from(nth % 20).unwrap().to_le_bytes();
        if healthy[number.clone()] == low {
            continue;
        }
        let mut bytes = healthy.clone();
        bytes[number.clone()].copy_from_slice(&low);
        std::fs::write(&path, &bytes).unwrap();
        let (errors, more) = write_some(&path);
        let is_corrupt = |kind: &ErrorKind| *kind == ErrorKind::Corrupt;
        let what = format!("page {page}, at {number_at} to {low:?}");
        assert!(
            !errors.is_empty() && errors.iter().all(is_corrupt),
            "{what}: {errors:?}"
        );
        // Repaired, the file has all that it had before, and what was written until the damage was found.
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[number.clone()].copy_from_slice(&healthy[number]);
        std::fs::write(&path, &bytes).unwrap();
        let report = Db::open(&path).unwrap().check().unwrap();
        assert!(report.is_healthy(), "{what}: {report:?}");
        assert_eq!(
            i64::try_from(report.containers_count).unwrap(),
            400 + more,
            "{what}"
        );
        damaged += 1;
    }
    assert!(damaged > 20, "{damaged}");
}

#[test]
fn a_page_number_beyond_the_file_is_told_as_damage_first() {
    damaged_children_are_told(&file(), |bytes, _, number_at| {
        // The second of the bytes that say which page of its region it is.
        bytes[number_at + 1] = 0x7f;
    });
}

#[test]
fn a_page_that_leads_to_itself_ends_no_process() {
    // Some pages hold nothing but a spec, which a count does not look at; all are of the smallest size.
    let healthy = file_with_specs(3_000);
    // The lowest bytes of a page's number count pages, from some page on.
    let index = |at: usize| usize::from(u16::from_le_bytes([healthy[at], healthy[at + 1]]));
    let is_first = |first: &usize| {
        child_numbers(&healthy).into_iter().all(|(_, number_at)| {
            let at = (index(number_at) + first) * PAGE_BYTES;
            matches!(healthy.get(at), Some(&LEAF | &BRANCH))
        })
    };
    let first = (0..100).find(is_first).unwrap();
    damaged_children_are_told(&healthy, |bytes, page, number_at| {
        let own = u16::try_from(page / PAGE_BYTES - first).unwrap();
        bytes[number_at..number_at + 2].copy_from_slice(&own.to_le_bytes());
    });
}

#[test]
fn no_byte_of_what_opening_reads_makes_it_panic() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    drop(Db::create(&path).unwrap());
    let healthy = std::fs::read(&path).unwrap();
    let is_meta = |page: &&[u8]| page[0] == LEAF && page.windows(8).any(|key| key == b"identity");
    let used = |page: &[u8]| page.iter().rposition(|byte| *byte != 0).unwrap_or(0) + 1;
    let mut flips = 0;
    for (number, page) in healthy.chunks(PAGE_BYTES).enumerate() {
        if !is_meta(&page) {
            continue;
        }
        for at in 0..used(page) {
            for pattern in [0x01, 0x10, 0xff] {
                let mut bytes = healthy.clone();
                bytes[number * PAGE_BYTES + at] ^= pattern;
                std::fs::write(&path, &bytes).unwrap();
                for is_reading in [true, false] {
                    let opened = quietly(|| open_unverified(&path, is_reading).map(drop));
                    assert!(opened.is_ok(), "byte {at} ^ {pattern:#x}, {is_reading}");
                    flips += 1;
                }
            }
        }
    }
    assert!(flips > 500, "{flips}");
}

#[test]
fn what_a_damaged_key_hides_is_noticed_by_check_dump_and_stats() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let db = Db::create(&path).unwrap();
    db.write(|txn| {
        let store = txn.namespace("ns1")?;
        (0..60).try_for_each(|number| store.create(plain(&format!("c{number:03}"))).map(drop))
    })
    .unwrap();
    drop(db);
    let healthy = std::fs::read(&path).unwrap();
    let key = b"ns1\0containers\0c030";
    let places: Vec<_> = healthy
        .windows(key.len())
        .enumerate()
        .filter_map(|(at, part)| (part == key).then_some(at))
        .collect();
    let mut bytes = healthy;
    for at in &places {
        bytes[at + 2] = b'3';
    }
    std::fs::write(&path, &bytes).unwrap();
    for is_reading in [true, false] {
        let db = open_unverified(&path, is_reading).unwrap();
        let report = db.check();
        let is_told = report.map_or_else(|error| error.is_corrupt(), |report| !report.is_healthy());
        assert!(is_told);
        assert!(db.dump(std::io::sink(), |_| {}).unwrap_err().is_corrupt());
        assert!(db.stats().unwrap_err().is_corrupt());
    }
}

/// redb refuses all work after one failed read.
#[test]
fn a_page_beyond_the_file_takes_no_other_container_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("damaged.redb");
    let healthy = file();
    let (mut damaged, mut mixed) = (0, 0);
    for (_, number_at) in child_numbers(&healthy) {
        let mut bytes = healthy.clone();
        bytes[number_at + 1] = 0x7f;
        std::fs::write(&path, &bytes).unwrap();
        for is_reading in [true, false] {
            let Ok(db) = quietly(|| open_unverified(&path, is_reading)).unwrap() else {
                continue;
            };
            let (mut whole, mut lost) = (0, 0);
            for number in 0..400u64 {
                let store = db.namespace(&format!("ns{}", number % 5)).unwrap();
                match quietly(|| store.get(&format!("c{number}"))).unwrap() {
                    Ok(_) => whole += 1,
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:#}");
                        let text = format!("{error:#}");
                        assert!(!text.contains("unreachable"), "{text}");
                        assert!(
                            text.contains("salvage") || text.contains("page at byte"),
                            "{text}"
                        );
                        lost += 1;
                    }
                }
            }
            damaged += u32::from(lost > 0);
            mixed += u32::from(lost > 0 && whole > 0);
            quietly(|| drop(db)).unwrap();
            assert!(std::fs::read(&path).unwrap() == bytes, "written");
        }
    }
    assert!(damaged > 20 && mixed > 20, "{damaged} {mixed}");
}

#[test]
fn beside_a_writer_the_pages_of_a_snapshot_are_verified_before_all_of_it_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let path = at("meta.redb");
    std::fs::write(&path, file()).unwrap();
    let live = || Db::builder().share(Share::Readers);
    let writer = live().open(&path).unwrap();
    let is_done = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let store = writer.namespace("ns1").unwrap();
            for number in 0..40 {
                store.create(plain(&format!("new{number}"))).unwrap();
                store.delete(&format!("c{}", 1 + 5 * number)).unwrap();
            }
            is_done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        while !is_done.load(std::sync::atomic::Ordering::Relaxed) {
            let reader = Db::open_read_only(&path).unwrap();
            let report = reader.check().unwrap();
            assert!(report.is_healthy() && report.pages_verified, "{report:?}");
        }
    });
    let reader = Db::open_read_only(&path).unwrap();
    assert!(!reader.info().pages_verified);
    // A leaf of a snapshot, put out of order before anything has read it.
    let mut bytes = std::fs::read(&path).unwrap();
    let key = b"ns3\0containers\0c203";
    let places = bytes.windows(key.len()).enumerate();
    let places: Vec<_> = places
        .filter_map(|(place, part)| (part == key).then_some(place))
        .collect();
    for place in places {
        bytes[place + key.len() - 4] = b'b';
    }
    std::fs::write(&path, &bytes).unwrap();
    let report = reader.check().unwrap();
    assert!(!report.is_healthy() && !report.pages_verified);
    let mut dump = Vec::new();
    for error in [
        reader.stats().unwrap_err(),
        reader.dump(&mut dump, |_| {}).unwrap_err(),
        reader.backup(at("backup.redb"), |_| {}).unwrap_err(),
    ] {
        assert!(error.is_corrupt(), "{error:#}");
        let text = error.to_string();
        assert!(text.contains("the page at byte "), "{text}");
        assert!(text.contains("meta.redb"), "{text}");
    }
    assert!(dump.is_empty() && !at("backup.redb").exists());
}
