//! Every changed byte, and every length of a file: an error, or content; never a panic, and soon.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use boltfile::{Error, Reader, Result};

use crate::fixtures::{databases, directory};
use crate::image::Image;
use crate::listing::list;

/// Reading a small file takes far less, whatever is in it.
const LONGEST: Duration = Duration::from_secs(5);

/// Of the kept files every so many bytes are changed, unless [`at_length`].
const STRIDE: usize = 61;

/// The variable `BOLTFILE_FLIPS` is set: every byte is changed in several ways.
fn at_length() -> bool {
    std::env::var_os("BOLTFILE_FLIPS").is_some()
}

#[derive(Debug, Default)]
struct Sum {
    refused: usize,
    same: usize,
    other: usize,
}

/// Reads all, in both ways: each is to end, whatever the other finds.
fn read(path: &Path) -> Result<String> {
    let reader = Reader::open(path)?;
    let text = list(&reader);
    reader.check()?;
    text
}

impl Sum {
    fn count(&mut self, path: &Path, healthy: &str) {
        let begun = Instant::now();
        match read(path) {
            Ok(text) if text == healthy => self.same += 1,
            Ok(_) => self.other += 1,
            Err(Error::Damaged { .. } | Error::NotBolt { .. } | Error::ValueTooLong { .. }) => {
                self.refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
        assert!(begun.elapsed() < LONGEST);
    }
}

/// Changes each `stride`th byte.
fn flip(bytes: &[u8], stride: usize) -> Sum {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("flipped.db");
    fs::write(&path, bytes).unwrap();
    let healthy = read(&path).unwrap();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let mut sum = Sum::default();
    for (at, byte) in bytes.iter().enumerate().step_by(stride) {
        let ways = [0x01, 0x80, 0xff];
        let only = ways.get(at % ways.len()..).filter(|_| !at_length());
        for with in only.map_or(&ways[..], |ways| &ways[..1]) {
            file.write_all_at(&[*byte ^ *with], at as u64).unwrap();
            sum.count(&path, &healthy);
        }
        file.write_all_at(&[*byte], at as u64).unwrap();
    }
    assert_eq!(read(&path).unwrap(), healthy);
    sum
}

#[test]
fn a_changed_byte_is_an_error_or_content() {
    let sum = flip(&Image::sample().bytes, 1);
    // What is in no value and no gap is noticed, most of it.
    assert!(sum.refused > 1000 && sum.other > 200, "{sum:?}");
    eprintln!("flips of a file of the writer: {sum:?}");
}

#[test]
fn a_changed_byte_in_a_file_of_bbolt_is_an_error_or_content() {
    let mut refused = 0;
    for path in databases(&directory()) {
        let sum = flip(
            &fs::read(&path).unwrap(),
            if at_length() { 1 } else { STRIDE },
        );
        refused += sum.refused;
        eprintln!("flips of {}: {sum:?}", path.display());
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn a_file_of_any_length_is_an_error_or_content() {
    let image = Image::sample();
    let path = image.file();
    let healthy = read(&path).unwrap();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let mut sum = Sum::default();
    let step = if at_length() { 1 } else { 7 };
    for length in (0..image.bytes.len()).rev().step_by(step) {
        file.set_len(length as u64).unwrap();
        sum.count(&path, &healthy);
    }
    // Its last page is in use.
    assert_eq!((sum.same, sum.other), (0, 0));
}
