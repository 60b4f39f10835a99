//! Files that are not stores, or stores of another version: each is refused with the right error, and stays
//! unchanged.

use std::path::{Path, PathBuf};

use bayplan::{Db, ErrorKind, Labels, Share};
use redb::{Database, MultimapTableDefinition, TableDefinition};
use tempfile::TempDir;

use crate::redb_format::{FLAG_UNCLEAN, FLAGS_AT, SLOT_BYTES, SLOTS_AT};
use crate::sample::{Contents, populate};
use crate::seed::Seed;

const META: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("meta");
const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

/// Every way to open the file is refused, and the file stays unchanged.
#[track_caller]
fn assert_refused(path: &Path, kind: ErrorKind) {
    let bytes = path.is_file().then(|| std::fs::read(path).unwrap());
    let options = || Db::builder().check_integrity(false);
    for opened in [
        Db::open(path),
        Db::open_read_only(path),
        options().open(path),
        options().open_read_only(path),
        options().share(Share::Readers).open(path),
    ] {
        let error = opened.map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), kind, "{error:#}");
        assert_eq!(error.path(), Some(path));
    }
    if let Some(bytes) = bytes {
        assert!(std::fs::read(path).unwrap() == bytes, "it was written");
    }
}

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// A file made by redb: closed, and as a crash leaves it.
    fn made_by_redb(&self, make: impl Fn(&Database)) -> [PathBuf; 2] {
        self.changed_by_redb(None, make)
    }

    fn changed_by_redb(&self, from: Option<&Path>, change: impl Fn(&Database)) -> [PathBuf; 2] {
        let [closed, crashed] = ["closed.redb", "crashed.redb"].map(|name| self.path(name));
        let _ = std::fs::remove_file(&closed);
        if let Some(from) = from {
            std::fs::copy(from, &closed).unwrap();
        }
        let db = Database::create(&closed).unwrap();
        change(&db);
        std::fs::copy(&closed, &crashed).unwrap();
        drop(db);
        assert_ne!(std::fs::read(&crashed).unwrap()[FLAGS_AT] & FLAG_UNCLEAN, 0);
        [closed, crashed]
    }
}

#[test]
fn what_is_no_file_of_redb_is_not_a_store() {
    let place = Place::new();
    let mut sqlite = b"SQLite format 3\0".to_vec();
    sqlite.resize(8192, 0);
    for (name, bytes) in [
        ("empty", &b""[..]),
        ("one byte", b"r"),
        ("almost", b"redb\x1a\x0a\xa9\x0d"),
        ("text", b"{\"containers\": []}\n"),
        ("sqlite", &sqlite),
        ("zeros", &[0; 10_000]),
        ("random", &Seed::new(1).bytes(100_000)),
    ] {
        assert_refused(&place.write(name, bytes), ErrorKind::NotAStore);
    }
    assert_refused(place.0.path(), ErrorKind::NotAStore);
}

#[test]
fn the_magic_number_alone_is_corrupt() {
    let place = Place::new();
    let path = place.write("magic", b"redb\x1a\x0a\xa9\x0d\x0a");
    assert_refused(&path, ErrorKind::Corrupt);
}

#[cfg(unix)]
#[test]
fn a_fifo_or_a_device_is_not_a_store_and_does_not_hang() {
    let place = Place::new();
    let path = place.path("fifo");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    assert_refused(&path, ErrorKind::NotAStore);
    assert_refused(Path::new("/dev/null"), ErrorKind::NotAStore);
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_leads_to_its_store() {
    let place = Place::new();
    Db::create(place.path("meta.redb")).unwrap();
    std::os::unix::fs::symlink("meta.redb", place.path("link")).unwrap();
    Db::open_read_only(place.path("link")).unwrap();
    Db::open(place.path("link")).unwrap();
    std::os::unix::fs::symlink("nothing", place.path("dangling")).unwrap();
    assert_refused(&place.path("dangling"), ErrorKind::NotFound);
    assert!(!place.path("nothing").exists());
}

#[test]
fn a_file_of_redb_with_other_tables_is_not_a_store_and_stays_as_it_is() {
    const WORDS: TableDefinition<'_, &str, u64> = TableDefinition::new("words");
    let place = Place::new();
    let files = place.made_by_redb(|db| {
        let txn = db.begin_write().unwrap();
        txn.open_table(WORDS).unwrap().insert("one", 1).unwrap();
        txn.commit().unwrap();
    });
    for path in files {
        assert_refused(&path, ErrorKind::NotAStore);
    }
    const NUMBERS: MultimapTableDefinition<'_, u64, &str> = MultimapTableDefinition::new("numbers");
    let files = place.made_by_redb(|db| {
        let txn = db.begin_write().unwrap();
        let mut table = txn.open_multimap_table(NUMBERS).unwrap();
        for number in 0..2_000 {
            table
                .insert(number % 3, number.to_string().as_str())
                .unwrap();
        }
        drop(table);
        txn.commit().unwrap();
    });
    for path in files {
        assert_refused(&path, ErrorKind::NotAStore);
    }
    let files = place.made_by_redb(|_| ());
    assert_refused(&files[0], ErrorKind::NotAStore);
}

#[test]
fn a_file_of_redb_with_our_names_for_other_tables_is_not_a_store() {
    const OTHER_META: TableDefinition<'_, u64, &str> = TableDefinition::new("meta");
    let place = Place::new();
    let files = place.made_by_redb(|db| {
        let txn = db.begin_write().unwrap();
        txn.open_table(OTHER_META).unwrap().insert(1, "x").unwrap();
        txn.commit().unwrap();
    });
    for path in files {
        assert_refused(&path, ErrorKind::NotAStore);
    }
    let files = place.made_by_redb(|db| {
        let txn = db.begin_write().unwrap();
        let (key, value): (&[u8], &[u8]) = (b"version", b"7");
        txn.open_table(META).unwrap().insert(key, value).unwrap();
        txn.commit().unwrap();
    });
    for path in files {
        assert_refused(&path, ErrorKind::NotAStore);
    }
}

#[test]
fn a_store_whose_records_are_another_kind_of_table_is_corrupt() {
    const OTHER: TableDefinition<'_, u64, u64> = TableDefinition::new("records");
    let place = Place::new();
    drop(Db::create(place.path("meta.redb")).unwrap());
    let files = place.changed_by_redb(Some(&place.path("meta.redb")), |db| {
        let txn = db.begin_write().unwrap();
        txn.delete_table(RECORDS).unwrap();
        txn.open_table(OTHER).unwrap().insert(1, 1).unwrap();
        txn.commit().unwrap();
    });
    for path in files {
        let error = Db::open(&path)
            .and_then(|db| Contents::of(&db))
            .unwrap_err();
        assert!(error.is_corrupt(), "{error:#}");
    }
}

/// Rows that no listing reaches are reported as well.
#[test]
fn a_key_of_no_record_is_told_by_the_check() {
    let place = Place::new();
    let path = place.path("meta.redb");
    let db = Db::create(&path).unwrap();
    db.create_namespace("n", Labels::new()).unwrap();
    drop(db);
    for key in [
        &b"n"[..],
        b"n\0",
        b"n\0images",
        b"n\0containers",
        b"n\0\0id",
        b"n\0images\0",
        b"n\0a/b\0id",
        b"n\0version\0id",
        b"n\0images\0id\0y",
    ] {
        let files = place.changed_by_redb(Some(&path), |db| {
            let txn = db.begin_write().unwrap();
            let value = sealed(key, b"");
            let mut records = txn.open_table(RECORDS).unwrap();
            records.insert(key, value.as_slice()).unwrap();
            drop(records);
            txn.commit().unwrap();
        });
        for path in files {
            let report = Db::open(&path).unwrap().check().unwrap();
            let told = report.damages.iter().any(|damage| damage.namespace == "n");
            assert!(told, "{:?}: {report:?}", key.escape_ascii().to_string());
        }
    }
}

/// A value as docs/FORMAT.md describes it.
fn sealed(key: &[u8], content: &[u8]) -> Vec<u8> {
    let sealed = [&[2], content].concat();
    let mut hasher = crc32fast::Hasher::new_with_initial(u32::try_from(key.len()).unwrap());
    hasher.update(key);
    hasher.update(&sealed);
    [&hasher.finalize().to_le_bytes()[..], &sealed].concat()
}

fn set_version(db: &Database, value: &[u8]) {
    let txn = db.begin_write().unwrap();
    let key: &[u8] = b"format";
    txn.open_table(META).unwrap().insert(key, value).unwrap();
    txn.commit().unwrap();
}

#[test]
fn a_newer_store_is_refused_and_stays_as_it_is_byte_for_byte() {
    let place = Place::new();
    drop(Db::create(place.path("meta.redb")).unwrap());
    for content in [&[3][..], &[250], &[253, 1, 1, 1, 1, 1, 1, 1, 1]] {
        let files = place.changed_by_redb(Some(&place.path("meta.redb")), |db| {
            set_version(db, &sealed(b"format", content));
        });
        for path in files {
            assert_refused(&path, ErrorKind::IncompatibleFormat);
            // With the version restored, the rest is fine.
            set_version(&Database::open(&path).unwrap(), &sealed(b"format", &[2]));
            assert!(Db::open(&path).unwrap().check().unwrap().is_healthy());
        }
    }
}

#[test]
fn a_version_that_never_was_or_does_not_check_out_is_corrupt() {
    let place = Place::new();
    drop(Db::create(place.path("meta.redb")).unwrap());
    for value in [
        sealed(b"format", &[0]),
        sealed(b"another key", &[2]),
        sealed(b"format", &[2, 2]),
        vec![1, 0, 0, 0, 0, 2],
        vec![],
    ] {
        let files = place.changed_by_redb(Some(&place.path("meta.redb")), |db| {
            set_version(db, &value);
        });
        for path in files {
            assert_refused(&path, ErrorKind::Corrupt);
        }
    }
}

#[test]
fn an_old_format_of_redb_is_refused_as_incompatible() {
    let place = Place::new();
    drop(Db::create(place.path("meta.redb")).unwrap());
    let mut bytes = std::fs::read(place.path("meta.redb")).unwrap();
    for slot in [SLOTS_AT, SLOTS_AT + SLOT_BYTES] {
        bytes[slot] = 1;
    }
    assert_refused(&place.write("old", &bytes), ErrorKind::IncompatibleFormat);
}

#[test]
fn a_file_that_was_cut_short_while_it_was_open_is_not_healthy() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    for live_readers in [false, true] {
        for kept_bytes in [0, 100, 4096, 8192] {
            let options = Db::builder().share(if live_readers {
                Share::Readers
            } else {
                Share::Nobody
            });
            let db = options.create(&path).unwrap();
            let mut seed = Seed::new(7);
            populate(&db, &mut seed, 200).unwrap();
            assert!(db.check().unwrap().is_healthy());
            let reader = live_readers.then(|| Db::open_read_only(&path).unwrap());
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            file.set_len(kept_bytes).unwrap();
            for db in [Some(&db), reader.as_ref()].into_iter().flatten() {
                let corrupt = match db.check() {
                    Ok(report) => report.damages.into_iter().next().map(|it| it.error),
                    Err(error) => Some(error),
                };
                assert!(corrupt.unwrap().is_corrupt(), "{kept_bytes}");
            }
            // What it still knows must not be written over the rest.
            std::mem::forget((db, reader));
            std::fs::remove_file(&path).unwrap();
        }
    }
}
