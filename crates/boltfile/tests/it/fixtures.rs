//! Files that bbolt wrote, kept in `tests/fixtures`: reading them needs no Go.
//!
//! `tests/go/main.go` makes them. `BOLTFILE_WRITE_FIXTURES=1` writes them again.

use std::fs;
use std::path::{Path, PathBuf};

use boltfile::{Item, Reader};

use crate::listing::list;

/// All of them are small.
const TOTAL_MAX_BYTES: u64 = 200_000;

pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The files of a directory that end with `.db`, by name.
pub(crate) fn databases(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "db"))
        .collect();
    paths.sort();
    paths
}

/// Compares what is read with what bbolt listed.
#[track_caller]
pub(crate) fn reads_as_bbolt_listed_it(path: &Path) {
    let expected = fs::read_to_string(path.with_extension("txt")).unwrap();
    let reader = Reader::open(path).unwrap();
    assert!(list(&reader).unwrap() == expected, "{}", path.display());

    let summary = reader.check().unwrap();
    assert_eq!(summary.lost_pages, 0, "{}", path.display());
    let pages = summary.used_pages + summary.free_pages;
    assert_eq!(pages, reader.meta().high_water);
    let lines = |word: &str| expected.matches(word).count() as u64;
    assert_eq!(summary.buckets, lines(" bucket "));
    assert_eq!(summary.values, lines(" value "));
}

#[test]
fn every_kept_file_reads_as_bbolt_listed_it() {
    let paths = databases(&directory());
    assert!(paths.len() >= 8);
    for path in &paths {
        reads_as_bbolt_listed_it(path);
    }
    let bytes: u64 = fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(bytes < TOTAL_MAX_BYTES, "{bytes}");
}

#[test]
fn the_kept_files_are_of_every_kind() {
    let open = |name: &str| Reader::open(directory().join(name)).unwrap();
    assert_eq!(open("empty.db").meta().page_bytes, 4096);
    assert_eq!(open("page8k.db").meta().page_bytes, 8192);
    assert_eq!(open("nofreelist.db").meta().freelist, None);
    assert!(open("deleted.db").meta().freelist.is_some());
    assert!(open("deleted.db").check().unwrap().free_pages > 10);
    assert!(open("nofreelist.db").check().unwrap().free_pages > 5);
}

#[test]
fn a_sequence_and_an_empty_value_are_read() {
    let reader = Reader::open(directory().join("nested.db")).unwrap();
    let v1 = reader.root().bucket(b"v1").unwrap().unwrap();
    assert_eq!(v1.sequence(), 7);
    assert_eq!(v1.get(b"nothing").unwrap(), Some(Vec::new()));
    assert_eq!(v1.get(b"nowhere").unwrap(), None);
    // A key has a value or a bucket.
    assert_eq!(v1.get(b"namespace 1").unwrap(), None);
    assert!(v1.bucket(b"nothing").unwrap().is_none());
    assert!(matches!(v1.find(b"namespace 1"), Ok(Some(Item::Bucket(_)))));
}
