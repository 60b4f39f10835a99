//! Rows: whatever stands under whatever keys, with checksums that hold, is damage that is told, or
//! a store that reads, dumps and loads; never a panic, not even one that the library catches.

use std::collections::BTreeSet;
use std::path::Path;

use bayplan::{ContainerId, Db, ErrorKind, Filters, Maintenance};
use redb::{Database, TableDefinition};

use super::Canary;
use super::input::Input;
use super::sample::{Place, load_dump, without_panics_inside};

type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

const RECORDS: Table = Table::new("records");
const NAMESPACES: Table = Table::new("namespaces");
const META: Table = Table::new("meta");

thread_local! {
    static PLACE: (Place, Vec<u8>) = {
        let place = Place::new();
        let path = place.free("store.redb");
        load_dump(&path);
        let bytes = std::fs::read(&path).unwrap();
        (place, bytes)
    };
}

/// The input is rows, to put into the store of the samples.
pub(crate) fn run(data: &[u8], canary: Canary) {
    without_panics_inside(|| PLACE.with(|(place, bytes)| tells(data, place, bytes, canary)));
}

fn tells(data: &[u8], place: &Place, bytes: &[u8], canary: Canary) {
    let path = place.free("store.redb");
    std::fs::write(&path, bytes).unwrap();
    put(&path, Input::new(data));
    match Db::builder().check_integrity(false).open(&path) {
        Ok(db) => tells_or_reads(&db, place, canary),
        Err(error) => {
            let kinds = [
                ErrorKind::Corrupt,
                ErrorKind::IncompatibleFormat,
                ErrorKind::NotAStore,
            ];
            assert!(kinds.contains(&error.kind()), "{error:#}");
        }
    }
}

fn put(path: &Path, mut input: Input<'_>) {
    let db = Database::open(path).unwrap();
    let mut txn = db.begin_write().unwrap();
    txn.set_durability(redb::Durability::Immediate).unwrap();
    while !input.is_empty() {
        let kind = input.byte();
        let key = key(kind, &mut input);
        let count = input.number();
        let content = input.bytes(count);
        let table = [RECORDS, RECORDS, NAMESPACES, META][usize::from(kind & 3)];
        let mut table = txn.open_table(table).unwrap();
        if kind & 0x80 != 0 {
            table.remove(&key[..]).unwrap();
        } else {
            let value = sealed(&key, kind & 0x40 != 0, content);
            table.insert(&key[..], &value[..]).unwrap();
        }
    }
    txn.commit().unwrap();
}

/// A key as the store has them, of one of a few containers; or any.
fn key(kind: u8, input: &mut Input<'_>) -> Vec<u8> {
    if kind & 0x20 != 0 {
        let count = usize::from(input.byte());
        return input.bytes(count).to_vec();
    }
    let number = input.byte();
    let name = ["default", "k8s.io", "new"][usize::from(number >> 4) % 3];
    let id = format!("c{}", number % 4);
    let mut part = || {
        let count = usize::from(input.byte());
        input.bytes(count)
    };
    let of = |collection: &str, id: &str, part: &[u8]| {
        [
            name.as_bytes(),
            &[0],
            collection.as_bytes(),
            &[0],
            id.as_bytes(),
            part,
        ]
        .concat()
    };
    let container = |part: &[u8]| of("containers", &id, part);
    match (kind & 3, kind >> 2 & 3) {
        (0, 0) => container(&[]),
        (0, 1) => container(b"\0l"),
        (0, 2) => container(b"\0x"),
        (0, _) => container(b"\0s"),
        (1, 0) => of("images", "r0", &[]),
        (1, 1) => of("images", "r0", b"\0l"),
        (1, 2) => of("images", "r0", b"\0s"),
        (1, _) => [&of("images", "", &[])[..], part()].concat(),
        (2, 0) => name.as_bytes().to_vec(),
        (2, _) => [name.as_bytes(), &[0], part()].concat(),
        (_, kind) => {
            [&b"format"[..], b"identity", b"revision", b"more"][usize::from(kind)].to_vec()
        }
    }
}

/// A value as docs/FORMAT.md describes it; perhaps of another format.
fn sealed(key: &[u8], is_of_another_format: bool, content: &[u8]) -> Vec<u8> {
    let sealed = [&[2 + u8::from(is_of_another_format)], content].concat();
    let mut hasher = crc32fast::Hasher::new_with_initial(u32::try_from(key.len()).unwrap());
    hasher.update(key);
    hasher.update(&sealed);
    [&hasher.finalize().to_le_bytes()[..], &sealed].concat()
}

fn tells_or_reads(db: &Db, place: &Place, canary: Canary) {
    let report = db.check().unwrap_or_else(|error| panic!("{error:#}"));
    let is_healthy = report.is_healthy() || canary == Canary::Planted;
    let mut errors = Vec::new();
    let (mut listed, mut listed_records, mut damaged) = (0, 0, BTreeSet::new());
    let names = db.list_namespaces().unwrap_or_else(|error| {
        errors.push(error);
        Vec::new()
    });
    for name in names {
        errors.extend(db.namespace_labels(name.as_str()).err());
        let store = db.namespace(name.as_str()).unwrap();
        let listing = store.query().lenient().unwrap();
        for container in &listing.items {
            assert_eq!(store.get(&container.id).unwrap(), *container);
        }
        for found in listing.damaged {
            let error = store.get(&found.id).unwrap_err();
            let is_id = ContainerId::new(found.id.as_str()).is_ok();
            assert!(is_id || error.is_not_found(), "{error:#}");
            errors.extend(is_id.then_some(error));
            errors.push(found.error);
            damaged.insert(found.id);
        }
        let strict = store.list(&Filters::all());
        assert_eq!(strict.is_ok(), damaged.is_empty());
        errors.extend(strict.err());
        errors.extend(store.query().headers().err());
        errors.extend(
            store
                .query()
                .filter(&Filters::any([bayplan::Filter::label("app").eq("nginx")]))
                .count()
                .err(),
        );
        listed += listing.items.len() as u64;
        damaged.clear();
        let kinds = db.record_kinds(name.as_str());
        for kind in kinds.as_deref().unwrap_or_default() {
            let records = store.records(kind);
            let Ok(records) = records else {
                // A kind that no collection can have: damage that the check tells.
                assert!(!is_healthy, "{kind:?}");
                continue;
            };
            let listing = records.query().lenient().unwrap();
            listed_records += listing.items.len() as u64;
            errors.extend(listing.damaged.into_iter().map(|found| found.error));
            errors.extend(records.list(&Filters::all()).err());
        }
        errors.extend(kinds.err());
    }
    for error in &errors {
        assert!(error.is_corrupt(), "{error:#}");
    }
    assert!(
        errors.is_empty() || !is_healthy,
        "the check saw nothing: {errors:?}"
    );
    let mut dump = Vec::new();
    match db.dump(&mut dump, |_| {}) {
        Ok(dumped) if is_healthy => {
            let counts = (listed, listed_records);
            assert_eq!((report.containers, report.records), counts);
            assert_eq!((dumped.containers_count, dumped.records_count), counts);
            loads(place, &dump);
        }
        Ok(_) => {}
        Err(error) => {
            assert!(!is_healthy, "{error:#}");
        }
    }
}

fn loads(place: &Place, dump: &[u8]) {
    let path = place.free("loaded.redb");
    Maintenance::new().load(&path, dump, |_| {}).unwrap();
    let mut again = Vec::new();
    Db::open(&path).unwrap().dump(&mut again, |_| {}).unwrap();
    assert!(again == dump, "the dump of what was loaded differs");
}
