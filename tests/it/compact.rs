//! Giving free pages back to the file system.

use std::fs;
use std::path::Path;

use bayplan::{Db, ErrorKind, Maintenance};

use crate::redb_format::PAGE_BYTES;
use crate::tools::{container, dump, fill};

/// A closed store that once held much more than it does.
fn sparse(path: &Path) -> Vec<u8> {
    let db = Db::create(path).unwrap();
    fill(&db, 20, 100);
    db.write(|txn| -> bayplan::Result<()> {
        for n in 0..500 {
            txn.namespace("big")?
                .create(container(&format!("b{n}"), 10_000))?;
        }
        Ok(())
    })
    .unwrap();
    db.write(|txn| -> bayplan::Result<()> {
        (0..500).try_for_each(|n| txn.namespace("big")?.delete(&format!("b{n}")))
    })
    .unwrap();
    dump(&db)
}

#[test]
fn a_compacted_file_is_shorter_and_holds_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let content = sparse(&path);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    }
    let before = fs::read(&path).unwrap();
    let estimate = Maintenance::new().estimate_compact(&path).unwrap();
    assert!(estimate.is_estimate);
    assert!(
        fs::read(&path).unwrap() == before,
        "an estimate changes nothing"
    );

    let report = Maintenance::new().compact(&path).unwrap();
    assert!(!report.is_estimate);
    assert_eq!(report.before_bytes, before.len() as u64);
    assert_eq!(report.after_bytes, path.metadata().unwrap().len());
    assert!(report.after_bytes * 4 < report.before_bytes, "{report:?}");
    assert!(
        estimate.after_bytes.abs_diff(report.after_bytes) < 256 * 1024,
        "{estimate:?} {report:?}"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    }
    let db = Db::open(&path).unwrap();
    assert!(db.check().unwrap().is_healthy());
    assert_eq!(dump(&db), content);
    drop(db);
    let again = Maintenance::new().compact(&path).unwrap();
    assert!(again.after_bytes <= again.before_bytes, "{again:?}");
}

#[test]
fn a_store_in_use_is_not_compacted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let db = Db::create(&path).unwrap();
    let error = Maintenance::new().compact(&path).unwrap_err();
    assert!(error.is_locked(), "{error}");
    drop(db);
    Maintenance::new().compact(&path).unwrap();
    let missing = Maintenance::new().compact(directory.path().join("missing"));
    assert!(missing.unwrap_err().is_not_found());
}

#[test]
fn a_damaged_store_is_not_compacted_and_not_changed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    sparse(&path);
    let mut bytes = fs::read(&path).unwrap();
    // In a page that is in use: one that a flip of makes the store unreadable.
    let places = (0..bytes.len()).step_by(PAGE_BYTES).map(|page| page + 40);
    let mut refused = 0;
    for place in places.collect::<Vec<_>>() {
        bytes[place] ^= 1;
        fs::write(&path, &bytes).unwrap();
        if let Err(error) = Db::open(&path).map(drop) {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            let error = Maintenance::new().compact(&path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            assert!(fs::read(&path).unwrap() == bytes);
            refused += 1;
        }
        bytes[place] ^= 1;
        if refused == 5 {
            return;
        }
    }
    panic!("only {refused} places were in use");
}

#[test]
fn a_file_that_is_no_store_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes");
    fs::write(&path, "hello").unwrap();
    let error = Maintenance::new().compact(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotAStore);
    assert_eq!(fs::read(&path).unwrap(), b"hello");
}
