//! The writer: its limits, and what is in the directory whatever happens.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use boltfile::{Error, KEY_MAX_BYTES, Reader, WriteOptions, Writer};

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    entries.map(|entry| name(entry.unwrap())).collect()
}

#[test]
fn a_file_has_its_name_once_it_is_complete() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.db");
    let mut writer = Writer::create(&path).unwrap();
    writer.open_bucket(b"b").unwrap();
    writer.close_bucket().unwrap();
    assert!(!path.exists());
    let [hidden] = &names(directory.path())[..] else {
        panic!("there is one file");
    };
    assert!(hidden.starts_with(".meta.db."), "{hidden}");
    writer.finish().unwrap();
    assert_eq!(names(directory.path()), ["meta.db"]);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(Reader::open(&path).unwrap().check().unwrap().buckets, 1);
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(directory.path().join("meta.db")).unwrap();
    writer.put(b"k", &[1; 1_000_000]).unwrap();
    drop(writer);
    assert!(names(directory.path()).is_empty());
}

#[test]
fn a_file_is_overwritten_only_if_asked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.db");
    fs::write(&path, "old").unwrap();
    assert!(matches!(Writer::create(&path), Err(Error::Exists { .. })));
    fs::remove_file(&path).unwrap();
    // It comes while the new one is written.
    let writer = Writer::create(&path).unwrap();
    fs::write(&path, "old").unwrap();
    let told = writer.finish().unwrap_err();
    assert_eq!(
        told.to_string(),
        format!("{} exists already", path.display())
    );
    assert_eq!(fs::read(&path).unwrap(), b"old");

    let mut options = WriteOptions::new();
    let writer = options.may_overwrite(true).create(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    writer.finish().unwrap();
    assert_eq!(names(directory.path()), ["meta.db"]);
    assert!(Reader::open(&path).is_ok());
}

#[test]
fn a_file_that_is_read_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.db");
    Writer::create(&path).unwrap().finish().unwrap();
    let reader = Reader::open(&path).unwrap();
    let replace = || {
        let mut options = WriteOptions::new();
        options.may_overwrite(true).create(&path).unwrap().finish()
    };
    assert!(matches!(replace(), Err(Error::Locked { .. })));
    drop(reader);
    replace().unwrap();
}

#[test]
fn a_refused_key_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.db");
    let mut writer = Writer::create(&path).unwrap();
    assert!(matches!(writer.close_bucket(), Err(Error::NoOpenBucket)));
    writer.open_bucket(b"b").unwrap();
    writer.put(b"k", b"1").unwrap();
    assert!(matches!(writer.put(b"", b""), Err(Error::EmptyKey)));
    let long = vec![b'l'; KEY_MAX_BYTES + 1];
    let told = writer.put(&long, b"").unwrap_err();
    assert_eq!(
        told.to_string(),
        "a key has 32769 bytes, more than the limit of 32768"
    );
    for key in [&b"k"[..], b"a"] {
        assert!(matches!(writer.put(key, b"2"), Err(Error::KeyOrder { .. })));
        assert!(matches!(
            writer.open_bucket(key),
            Err(Error::KeyOrder { .. })
        ));
    }
    let told = writer.put(b"a\n", b"").unwrap_err().to_string();
    assert_eq!(told, r#"key "a\n" does not follow "k""#);
    writer.put(&long[1..], b"3").unwrap();
    writer.close_bucket().unwrap();
    // The name of a bucket is a key of the bucket around it.
    assert!(matches!(writer.put(b"b", b""), Err(Error::KeyOrder { .. })));
    writer.finish().unwrap();
    let reader = Reader::open(&path).unwrap();
    let bucket = reader.root().bucket(b"b").unwrap().unwrap();
    assert_eq!(bucket.get(b"k").unwrap().unwrap(), b"1");
    assert_eq!(bucket.get(&long[1..]).unwrap().unwrap(), b"3");
    assert_eq!(bucket.iter().count(), 2);
}

#[test]
fn a_file_with_open_buckets_is_not_finished() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(directory.path().join("meta.db")).unwrap();
    writer.open_bucket(b"b").unwrap();
    let told = writer.finish().unwrap_err();
    assert!(matches!(told, Error::OpenBuckets { open: 1 }));
    assert!(names(directory.path()).is_empty());
}

#[test]
fn page_sizes_that_bolt_cannot_have_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    for page_bytes in [0, 512, 5000, 1 << 17] {
        let mut options = WriteOptions::new();
        let told = options
            .page_bytes(page_bytes)
            .create(directory.path().join("f"));
        assert!(matches!(told, Err(Error::PageSize { .. })));
    }
    assert!(names(directory.path()).is_empty());
}

#[test]
fn errors_and_readers_go_to_other_threads() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Error>();
    is_send_and_sync::<Reader>();
    is_send_and_sync::<Writer>();
    is_send_and_sync::<boltfile::Bucket<'_>>();
    assert!(size_of::<Error>() <= 96, "{}", size_of::<Error>());
}
