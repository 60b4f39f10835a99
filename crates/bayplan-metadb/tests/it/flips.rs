//! Every changed byte, and every length of a file: what comes, or an error; never a panic, and soon.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use bayplan::Db;
use bayplan_metadb::{Error, Result, dry_run};

use crate::image::Image;

/// Reading a small file takes far less, whatever is in it.
const LONGEST: Duration = Duration::from_secs(5);

fn sample() -> Image {
    let mut image = Image::with_web();
    image.put("v1/default/labels/team", b"infra");
    image.put("v1/default/images/nginx/target/digest", b"sha256:1");
    image.put("v1/default/snapshots/overlayfs/a/name", b"1");
    image.put("v1/default/content/blob/sha256:1/size", b"\x02");
    for number in 0..3 {
        image.container("k8s.io", &format!("c{number}"));
    }
    image.bucket("default/sandboxes");
    image
}

#[derive(Debug, Default)]
struct Sum {
    refused_as_a_whole: usize,
    refused_in_part: usize,
    read: usize,
}

impl Sum {
    fn count(&mut self, path: &Path, db: &Db) {
        let begun = Instant::now();
        match read(path, db) {
            Ok(0) => self.read += 1,
            Ok(_) => self.refused_in_part += 1,
            Err(
                Error::Bolt(boltfile::Error::Damaged { .. } | boltfile::Error::NotBolt { .. })
                | Error::NotContainerd { .. }
                | Error::Version { .. }
                | Error::VersionDamaged { .. },
            ) => self.refused_as_a_whole += 1,
            Err(error) => panic!("{error}"),
        }
        assert!(begun.elapsed() < LONGEST);
    }
}

fn read(path: &Path, db: &Db) -> Result<u64> {
    let meta = bayplan_metadb::MetaDb::open(path)?;
    dry_run(&meta, db, |_| {}).map(|report| report.refused_count)
}

#[test]
fn a_changed_byte_is_an_error_a_refusal_or_content() {
    let file = sample().file();
    let path = file.path();
    let db = Db::in_memory().unwrap();
    assert_eq!(read(&path, &db).unwrap(), 0);
    let bytes = fs::read(&path).unwrap();
    let written = OpenOptions::new().write(true).open(&path).unwrap();
    let mut sum = Sum::default();
    for (at, byte) in bytes.iter().enumerate() {
        let with = [0x01, 0x80, 0xff][at % 3];
        written.write_all_at(&[*byte ^ with], at as u64).unwrap();
        sum.count(&path, &db);
        written.write_all_at(&[*byte], at as u64).unwrap();
    }
    assert_eq!(read(&path, &db).unwrap(), 0);
    eprintln!("flips of a file of containerd: {sum:?}");
    assert!(
        sum.refused_as_a_whole > 500 && sum.refused_in_part > 200 && sum.read > 200,
        "{sum:?}"
    );
}

#[test]
fn a_file_that_is_cut_short_is_an_error() {
    let file = sample().file();
    let path = file.path();
    let db = Db::in_memory().unwrap();
    let written = OpenOptions::new().write(true).open(&path).unwrap();
    let mut sum = Sum::default();
    for length in (0..fs::metadata(&path).unwrap().len()).rev().step_by(13) {
        written.set_len(length).unwrap();
        sum.count(&path, &db);
    }
    // Its last page is in use.
    assert_eq!((sum.read, sum.refused_in_part), (0, 0));
}
