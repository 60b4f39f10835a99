//! A store whose commits go through a log: when the log exists, which operations recover it, and the errors for a log
//! that is missing, damaged or the wrong one. The suites of crashes, faults and kills also run with a log.

use std::fs;
use std::path::{Path, PathBuf};

use bayplan::{Builder, Db, Error, Namespace};
use tempfile::TempDir;

use crate::sample::{Contents, plain};

mod flips;
#[cfg(target_os = "linux")]
mod places;
mod recovery;
mod states;
mod use_of;

const BLOCK_BYTES: usize = 4096;
const HEADS_BYTES: usize = 2 * BLOCK_BYTES;
const LOG_BYTES: u64 = 4 << 20;
/// Where the frames of even epochs begin.
const SECOND_HALF: usize = (LOG_BYTES as usize + HEADS_BYTES) / 2;

/// A directory with a store.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn store(&self) -> PathBuf {
        self.path("meta.redb")
    }

    fn log(&self) -> PathBuf {
        self.path("meta.redb-log")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// Both files, byte by byte.
    fn bytes(&self) -> [Option<Vec<u8>>; 2] {
        [self.store(), self.log()].map(|path| fs::read(path).ok())
    }

    /// Copies what a kill would leave now to another place.
    fn as_after_a_kill(&self) -> Self {
        let copy = Self::new();
        for (from, to) in [(self.store(), copy.store()), (self.log(), copy.log())] {
            if from.exists() {
                fs::copy(from, to).unwrap();
            }
        }
        copy
    }

    /// Changes the bytes of the log.
    fn change_log(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.log()).unwrap();
        change(&mut bytes);
        fs::write(self.log(), bytes).unwrap();
    }
}

fn with_log() -> Builder {
    Db::builder().commit_log(true)
}

/// An open store with a log, and these containers. The first of them made the log; each of the others is a frame of one
/// block.
fn holding(ids: &[&str]) -> (Place, Db, Namespace) {
    let place = Place::new();
    let db = with_log().create(place.store()).unwrap();
    let store = db.namespace("default").unwrap();
    db.checkpoint().unwrap(); // The first commit makes no log.
    for id in ids {
        store.create(plain(id)).unwrap();
    }
    (place, db, store)
}

/// A store that was killed with nine frames in its log: those of `c1` to `c9`.
fn killed() -> (Place, Contents) {
    let (place, db, _) = holding(&["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"]);
    (place.as_after_a_kill(), Contents::of(&db).unwrap())
}

/// The ids of the containers of a store that opens.
fn ids(builder: &Builder, path: &Path) -> Vec<String> {
    let db = builder.open(path).unwrap();
    assert!(db.check().unwrap().is_healthy());
    db.namespace("default").unwrap().query().ids().unwrap()
}

#[track_caller]
fn assert_says(error: &Error, words: &[&str]) {
    let text = format!("{error:#}");
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
}
