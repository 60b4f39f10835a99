//! Rows: any values under any keys, with valid checksums, are reported as damage, or form a store that can be read,
//! dumped and loaded. There is never a panic, not even one that the library catches.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;

use bayplan::{
    ContainerId, Damaged, Db, Error, ErrorKind, Filter, Filters, Maintenance, ReadStore, RecordId,
    Stored,
};
use redb::{Database, ReadableTable as _, Table as OpenTable, TableDefinition};

use super::Canary;
use super::input::Input;
use super::sample::{Place, load_dump, without_panics_inside};

type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

const RECORDS: Table = Table::new("records");
const NAMESPACES: Table = Table::new("namespaces");
const META: Table = Table::new("meta");

// The first byte of a row: two bits for its table, two for its place there, and these.
const FITS: u8 = 0x10;
const ANY_KEY: u8 = 0x20;
const OTHER_FORMAT: u8 = 0x40;
const REMOVED: u8 = 0x80;

/// What the keys of a record's other rows add to its own key, in the order of their seals in it.
const PARTS: [&[u8]; 3] = [b"\0l", b"\0x", b"\0s"];

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
    let mut fitting = Vec::new();
    while !input.is_empty() {
        let kind = input.byte();
        let key = key(kind, &mut input);
        let count = input.number();
        let content = input.bytes(count);
        let table = [RECORDS, RECORDS, NAMESPACES, META][usize::from(kind & 3)];
        let mut table = txn.open_table(table).unwrap();
        if kind & REMOVED != 0 {
            table.remove(&key[..]).unwrap();
        } else if kind & FITS != 0 {
            fitting.push((key, content));
        } else {
            let value = sealed(&key, kind & OTHER_FORMAT != 0, content);
            table.insert(&key[..], &value[..]).unwrap();
        }
    }
    let mut records = txn.open_table(RECORDS).unwrap();
    for (key, content) in fitting {
        let value = sealed(&key, false, &with_seals(&records, &key, content));
        records.insert(&key[..], &value[..]).unwrap();
    }
    drop(records);
    txn.commit().unwrap();
}

/// The content of a record's own row that agrees with its other rows: the first byte says where the seals of the others
/// go. So the content of those rows is always read.
fn with_seals(records: &OpenTable<'_, &[u8], &[u8]>, own: &[u8], content: &[u8]) -> Vec<u8> {
    let mut content = Input::new(content);
    let before = usize::from(content.byte());
    let mut whole = content.bytes(before).to_vec();
    for part in PARTS {
        let row = records.get([own, part].concat().as_slice()).unwrap();
        match row.as_ref().and_then(|row| row.value().first_chunk::<4>()) {
            Some(seal) => whole.extend([&[1][..], seal].concat()),
            None => whole.push(0),
        }
    }
    whole.extend_from_slice(content.bytes(usize::MAX));
    whole
}

/// A key as the store has them, of one of a few containers; or any.
fn key(kind: u8, input: &mut Input<'_>) -> Vec<u8> {
    if kind & ANY_KEY != 0 {
        let count = usize::from(input.byte());
        return input.bytes(count).to_vec();
    }
    let number = input.byte();
    let name = ["default", "k8s.io", "new"][usize::from(number >> 4) % 3];
    let id = format!("c{}", number % 4);
    let record = ["r0", "r1", "a/b:1", "\u{e9} "][usize::from(number % 4)];
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
        (1, 0) => of("images", record, &[]),
        (1, 1) => of("images", record, b"\0l"),
        (1, 2) => of("images", record, b"\0s"),
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
    let (mut listed, mut listed_records) = (0, 0);
    let names = db.list_namespaces().unwrap_or_else(|error| {
        errors.push(error);
        Vec::new()
    });
    for name in names {
        errors.extend(db.namespace_labels(name.as_str()).err());
        let store = db.namespace(name.as_str()).unwrap();
        listed += reads(&store, |id| ContainerId::new(id).is_ok(), &mut errors);
        let kinds = db.record_kinds(name.as_str());
        for kind in kinds.as_deref().unwrap_or_default() {
            let Ok(records) = store.records(kind) else {
                // A kind that no collection can have: damage that the check reports.
                assert!(!is_healthy, "{kind:?}");
                continue;
            };
            // Text that is not UTF-8 is shown with replacements.
            let is_id = |id: &str| RecordId::new(id).is_ok() && !id.contains('\u{fffd}');
            listed_records += reads(&records, is_id, &mut errors);
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
            assert_eq!((report.containers_count, report.records_count), counts);
            assert_eq!((dumped.containers_count, dumped.records_count), counts);
            assert_eq!(
                keys_count(db),
                keys_count(&loads(place, &dump)),
                "keys that nobody saw"
            );
        }
        Ok(_) => {}
        Err(error) => {
            assert!(!is_healthy, "{error:#}");
        }
    }
}

/// Reads all of one kind in every way; how many there are that are not damaged.
fn reads<T: Stored + PartialEq + Debug>(
    store: &impl ReadStore<T>,
    is_id: impl Fn(&str) -> bool,
    errors: &mut Vec<Error>,
) -> u64
where
    T::Header: Debug,
{
    let listing = store.query().lenient().unwrap();
    for item in &listing.items {
        assert_eq!(store.get(item.id()).unwrap(), *item);
    }
    let damaged = ids(&listing.damaged);
    for id in &damaged {
        let error = store.get(id).unwrap_err();
        assert!(is_id(id) || error.is_not_found(), "{error:#}");
        errors.extend(is_id(id).then_some(error));
    }
    let strict = store.list(&Filters::all());
    assert_eq!(strict.is_ok(), damaged.is_empty());
    errors.extend(strict.err());
    errors.extend(store.query().headers().err());
    let nginx = Filters::any([Filter::label("app").eq("nginx")]);
    errors.extend(store.query().filter(&nginx).count().err());
    let headers = store.query().lenient_headers().unwrap();
    assert!(ids(&headers.damaged).is_subset(&damaged), "{headers:?}");
    let told = listing.damaged.into_iter().chain(headers.damaged);
    errors.extend(told.map(|found| found.error));
    listing.items.len() as u64
}

fn ids(damaged: &[Damaged]) -> BTreeSet<String> {
    damaged.iter().map(|found| found.id.clone()).collect()
}

/// How many keys there are of records, and of namespaces.
fn keys_count(db: &Db) -> [u64; 2] {
    let tables = db.stats().unwrap().tables;
    ["records", "namespaces"].map(|name| {
        let table = tables.iter().find(|table| table.name == name);
        table.unwrap().keys_count
    })
}

fn loads(place: &Place, dump: &[u8]) -> Db {
    let path = place.free("loaded.redb");
    Maintenance::new().load(&path, dump, |_| {}).unwrap();
    let mut again = Vec::new();
    let db = Db::open(&path).unwrap();
    db.dump(&mut again, |_| {}).unwrap();
    assert!(again == dump, "the dump of what was loaded differs");
    db
}
