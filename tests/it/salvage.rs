//! Saving what can be saved of a damaged file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bayplan::{
    Any, Container, Db, ErrorKind, FieldMask, Maintenance, Namespace, Record, SalvageReport,
};

use crate::redb_format::{BRANCH, LEAF, PAGE_BYTES, count};
use crate::tools::{Numbers, assert_private, container, content, dump, files, fill};

/// A closed store that was damaged, and its content before.
struct Broken {
    directory: tempfile::TempDir,
    before: BTreeMap<(String, String), Container>,
    bytes: Vec<u8>,
}

impl Broken {
    /// What `make` leaves in a new store; not damaged yet.
    fn of(make: impl FnOnce(&Db)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("old.redb");
        let db = Db::create(&path).unwrap();
        make(&db);
        let before = containers(&db);
        drop(db);
        let bytes = fs::read(&path).unwrap();
        Self {
            directory,
            before,
            bytes,
        }
    }

    /// What `make` leaves where closing has not overwritten a container with this filler of 9,000 bytes, which is
    /// of no container any more: neither its spec nor the rows beside the record. That depends on which
    /// pages redb finds free, and so on how many others there are.
    fn with_remains(filler: u8, make: impl Fn(&Namespace)) -> Self {
        let make = |others| {
            Self::of(|db| {
                let store = db.namespace("default").unwrap();
                let ids: Vec<_> = (0..20 + others)
                    .map(|number| format!("c{number:02}"))
                    .collect();
                for id in &ids {
                    store.create(container(id, 3000)).unwrap();
                }
                for id in &ids[..20] {
                    store.delete(id).unwrap();
                }
                make(&store);
            })
        };
        let mut all = (0..80).map(make);
        let is_whole = |it: &Self| {
            let is_there = |bytes: &[u8]| !it.find_any(bytes).is_empty();
            is_there(&noise(filler, 9000)) && is_there(mark(filler).as_bytes())
        };
        all.find(is_whole).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Salvages the bytes as they are now. What is new is healthy, private, and the only new file;
    /// the old one is as it was.
    #[track_caller]
    fn salvage(&self) -> (SalvageReport, BTreeMap<(String, String), Container>) {
        let (old, new) = (self.path("old.redb"), self.path("new.redb"));
        fs::write(&old, &self.bytes).unwrap();
        let _ = fs::remove_file(&new);
        let mut calls = 0;
        let report = Maintenance::new()
            .salvage(&old, &new, |_| calls += 1)
            .unwrap();
        assert!(calls > 0);
        assert!(
            fs::read(&old).unwrap() == self.bytes,
            "the damaged file was changed"
        );
        assert_private(&new);
        assert_eq!(files(self.directory.path()), ["new.redb", "old.redb"]);
        let db = Db::open(&new).unwrap();
        let check = db.check().unwrap();
        assert!(check.is_healthy(), "{check:?}");
        let after = containers(&db);
        assert_eq!(report.containers_count, after.len() as u64);
        // Whatever is not reported as uncertain is exactly as before.
        let uncertain = |(namespace, id): &(String, String)| {
            report
                .uncertain
                .iter()
                .any(|it| &it.namespace == namespace && &it.id == id)
        };
        for (name, container) in &after {
            if !uncertain(name) {
                assert_eq!(Some(container), self.before.get(name), "{name:?}");
            }
        }
        (report, after)
    }

    /// Where these bytes are.
    #[track_caller]
    fn find(&self, needle: &[u8]) -> Vec<usize> {
        let found = self.find_any(needle);
        assert!(!found.is_empty());
        found
    }

    fn find_any(&self, needle: &[u8]) -> Vec<usize> {
        let windows = self.bytes.windows(needle.len()).enumerate();
        let found = windows.filter(|(_, window)| *window == needle);
        found.map(|(at, _)| at).collect()
    }

    /// Where the branch pages of redb's trees seem to be: with some keys.
    fn branches(&self) -> Vec<usize> {
        (PAGE_BYTES..self.bytes.len())
            .step_by(PAGE_BYTES)
            .filter(|at| self.bytes[*at] == BRANCH && count(&self.bytes[*at..]) > 0)
            .collect()
    }
}

fn containers(db: &Db) -> BTreeMap<(String, String), Container> {
    content(db)
        .into_iter()
        .flat_map(|(name, _, all)| {
            all.into_iter()
                .map(move |it| ((name.clone(), it.id.clone()), it))
        })
        .collect()
}

fn key(namespace: &str, id: &str) -> (String, String) {
    (namespace.to_owned(), id.to_owned())
}

fn with_spec(id: &str, filler: u8, bytes: usize) -> Container {
    let mut it = container(id, 0);
    it.spec = Some(Any::new("spec", noise(filler, bytes)));
    it.label("filler", mark(filler))
}

/// Bytes that no packing makes shorter.
fn noise(filler: u8, bytes: usize) -> Vec<u8> {
    let mut numbers = Numbers::new(filler.into());
    (0..bytes).map(|_| numbers.below(256) as u8).collect()
}

/// What the row of labels has beside such a spec.
fn mark(filler: u8) -> String {
    format!("filled-with-{filler}")
}

#[test]
fn of_a_healthy_file_everything_is_copied() {
    let broken = Broken::of(|db| {
        fill(db, 100, 400);
        let store = db.namespace("default").unwrap();
        store.delete("c00007").unwrap();
        fill_images(&store);
    });
    let (report, after) = broken.salvage();
    assert_eq!(after, broken.before);
    assert_eq!(report.records_count, 30);
    assert!(report.is_id_kept && report.uncertain.is_empty() && report.lost.is_empty());
    let old = Db::open(broken.path("old.redb")).unwrap();
    let new = Db::open(broken.path("new.redb")).unwrap();
    assert_eq!(dump(&new), dump(&old));
}

#[test]
fn a_flipped_byte_in_a_spec_costs_no_other_container() {
    let mut broken = Broken::of(|db| {
        fill(db, 50, 100);
        db.namespace("default")
            .unwrap()
            .create(with_spec("hit", 0xaa, 9000))
            .unwrap();
    });
    let place = broken.find(&noise(0xaa, 8000))[0];
    broken.bytes[place + 5000] ^= 1;
    let (report, after) = broken.salvage();
    assert_eq!(report.lost.len(), 1, "{report:?}");
    assert_eq!(
        (
            report.lost[0].namespace.as_str(),
            report.lost[0].id.as_str()
        ),
        ("default", "hit")
    );
    assert!(!report.lost[0].is_possibly_deleted);
    assert!(
        report.lost[0]
            .reason
            .contains("its spec is damaged or gone"),
        "{report:?}"
    );
    assert!(report.uncertain.is_empty());
    assert_eq!(after.len(), broken.before.len() - 1);
}

/// 30 records, each with noise in its value, of the filler of its number.
fn fill_images(store: &Namespace) {
    let images = store.records("images").unwrap();
    for number in 0..30 {
        let value = Any::new("image", noise(number, 500));
        let image = Record::new(format!("registry/image:{number}"), value);
        images
            .create(image.label("number", number.to_string()))
            .unwrap();
    }
}

#[test]
fn a_flipped_byte_in_a_record_costs_nothing_else() {
    let mut broken = Broken::of(|db| {
        fill(db, 50, 100);
        fill_images(&db.namespace("default").unwrap());
    });
    for place in broken.find(&noise(7, 500)) {
        broken.bytes[place + 250] ^= 1;
    }
    let (report, after) = broken.salvage();
    assert_eq!(after, broken.before);
    assert_eq!(report.records_count, 29);
    let lost = &report.lost[..];
    assert_eq!(lost.len(), 1, "{report:?}");
    assert_eq!(
        (lost[0].kind.as_str(), lost[0].id.as_str()),
        ("images", "registry/image:7")
    );
    let db = Db::open(broken.path("new.redb")).unwrap();
    let images = db.namespace("default").unwrap().records("images").unwrap();
    assert!(images.get("registry/image:7").unwrap_err().is_not_found());
    let image = images.get("registry/image:8").unwrap();
    assert_eq!(image.value.value, noise(8, 500));
}

#[test]
fn an_older_complete_version_is_taken_where_the_newest_is_damaged() {
    let mut broken = Broken::with_remains(0xaa, |store| {
        store.create(with_spec("hit", 0xaa, 9000)).unwrap();
        let change = with_spec("hit", 0xbb, 9001);
        store
            .update(change, &FieldMask::parse(["spec", "labels"]).unwrap())
            .unwrap();
    });
    let place = broken.find(&noise(0xbb, 8000))[0];
    broken.bytes[place + 5000] ^= 1;
    let (report, after) = broken.salvage();
    assert_eq!(after.len(), broken.before.len());
    let old = &after[&key("default", "hit")];
    assert_eq!(old.spec.as_ref().unwrap().value, noise(0xaa, 9000));
    let newest = &broken.before[&key("default", "hit")];
    assert!(old.revision < newest.revision);
    assert_eq!(report.uncertain.len(), 1, "{report:?}");
    let reason = &report.uncertain[0].reason;
    assert!(
        reason.contains("what was stored last is damaged"),
        "{reason}"
    );
    assert!(
        reason.contains(&format!("it is of revision {}", old.revision)),
        "{reason}"
    );
    assert!(!report.uncertain[0].is_possibly_deleted);
}

#[test]
fn without_its_header_a_file_gives_all_that_it_held() {
    let mut broken = Broken::of(|db| fill(db, 100, 400));
    let id = Db::open(broken.path("old.redb")).unwrap().info().id;
    for destroyed in [9, 512, 4096] {
        broken.bytes[..destroyed].fill(0);
        let (report, after) = broken.salvage();
        assert_eq!(after, broken.before, "{destroyed}");
        assert!(report.is_id_kept && report.id == id);
        assert!(report.lost.is_empty(), "{report:?}");
        assert_eq!(report.uncertain.len(), after.len());
        assert!(report.uncertain.iter().all(|it| it.is_possibly_deleted));
        let new = Db::open(broken.path("new.redb")).unwrap();
        let labels: Vec<_> = content(&new)
            .into_iter()
            .map(|(name, labels, _)| (name, labels))
            .collect();
        assert_eq!(labels[1].0, "empty");
        assert_eq!(labels[1].1["team"], "infra");
    }
}

#[test]
fn a_zeroed_branch_page_costs_nothing_that_has_a_leaf() {
    let broken = Broken::of(|db| fill(db, 300, 400));
    let branches = broken.branches();
    assert!(branches.len() >= 2);
    let (mut fewest, mut most) = (usize::MAX, 0);
    for at in branches {
        let mut broken = Broken {
            directory: tempfile::tempdir().unwrap(),
            before: broken.before.clone(),
            bytes: broken.bytes.clone(),
        };
        broken.bytes[at..at + PAGE_BYTES].fill(0);
        let (report, after) = broken.salvage();
        assert_eq!(after, broken.before, "{at}");
        assert!(report.lost.is_empty());
        fewest = fewest.min(report.uncertain.len());
        most = most.max(report.uncertain.len());
    }
    // All of them below the root; those of one stretch below another branch.
    assert!(fewest < most && most <= 600, "{fewest} {most}");
}

#[test]
fn of_half_a_file_comes_what_was_in_that_half() {
    let mut broken = Broken::of(|db| fill(db, 300, 400));
    let len = broken.bytes.len();
    broken.bytes.truncate(len / 2 + 100);
    let (report, after) = broken.salvage();
    assert!(after.len() > 100, "{}", after.len());
    for (name, container) in &after {
        assert_eq!(container, &broken.before[name]);
    }
    for lost in &report.lost {
        assert!(!after.contains_key(&key(&lost.namespace, &lost.id)));
    }
}

#[test]
fn deleted_containers_come_back_only_where_nobody_can_tell() {
    let make = || {
        Broken::with_remains(0xcc, |store| {
            store.create(with_spec("gone", 0xcc, 9000)).unwrap();
            store.create(with_spec("hit", 0xaa, 9000)).unwrap();
            store.delete("gone").unwrap();
        })
    };
    // The structure can be followed: it is known to be deleted.
    let mut broken = make();
    let place = broken.find(&noise(0xaa, 8000))[0];
    broken.bytes[place + 5000] ^= 1;
    let (report, after) = broken.salvage();
    assert!(!after.contains_key(&key("default", "gone")));
    assert!(!report.lost.iter().any(|it| it.id == "gone"));
    // It cannot: it may be back, and is named.
    let mut broken = make();
    broken.bytes[..PAGE_BYTES].fill(0);
    let (report, after) = broken.salvage();
    assert_eq!(
        after.len() - usize::from(after.contains_key(&key("default", "gone"))),
        broken.before.len()
    );
    let named = report.uncertain.iter().filter(|it| it.id == "gone").count()
        + report.lost.iter().filter(|it| it.id == "gone").count();
    assert_eq!(named, 1, "{report:?}");
}

#[test]
fn garbage_is_refused_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (directory.path().join("old"), directory.path().join("new"));
    let mut numbers = Numbers::new(3);
    let noise: Vec<u8> = (0..100_000).map(|_| numbers.below(256) as u8).collect();
    let mut leaves = noise.clone();
    leaves
        .chunks_mut(PAGE_BYTES)
        .for_each(|page| page[0] = LEAF);
    for bytes in [
        Vec::new(),
        b"hello".to_vec(),
        vec![0; 50_000],
        noise,
        leaves,
    ] {
        fs::write(&old, &bytes).unwrap();
        let error = Maintenance::new().salvage(&old, &new, |_| {}).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotAStore, "{error}");
        assert_eq!(files(directory.path()), ["old"]);
    }
    let salvage = |from: &Path| Maintenance::new().salvage(from, &new, |_| {}).unwrap_err();
    assert_eq!(salvage(directory.path()).kind(), ErrorKind::NotAStore);
    assert!(salvage(&directory.path().join("missing")).is_not_found());
}

#[test]
fn nothing_is_overwritten_and_no_store_in_use_is_salvaged() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (directory.path().join("old"), directory.path().join("new"));
    let db = Db::create(&old).unwrap();
    db.create_namespace("a", [].into()).unwrap();
    let error = Maintenance::new().salvage(&old, &new, |_| {}).unwrap_err();
    assert!(error.is_locked(), "{error}");
    drop(db);
    fs::write(&new, "mine").unwrap();
    let error = Maintenance::new().salvage(&old, &new, |_| {}).unwrap_err();
    assert!(error.is_already_exists(), "{error}");
    assert_eq!(fs::read(&new).unwrap(), b"mine");
    let error = Maintenance::new().salvage(&old, &old, |_| {}).unwrap_err();
    assert!(error.is_already_exists(), "{error}");
    let other = Db::in_memory().unwrap().info().id;
    let third = directory.path().join("third");
    let error = Maintenance::new()
        .expect_id(other)
        .salvage(&old, &third, |_| {})
        .unwrap_err();
    assert!(error.is_failed_precondition(), "{error}");
    assert_eq!(files(directory.path()), ["new", "old"]);
}

#[test]
fn whatever_is_flipped_what_is_certain_is_true() {
    let broken = Broken::of(|db| {
        fill(db, 40, 300);
        let store = db.namespace("default").unwrap();
        for n in (0..40).step_by(3) {
            let id = format!("c{n:05}");
            store
                .update(with_spec(&id, 7, 300), &FieldMask::parse(["spec"]).unwrap())
                .unwrap();
        }
        store.delete("c00002").unwrap();
    });
    let mut numbers = Numbers::new(11);
    let (mut lost, mut uncertain, mut unnamed) = (0, 0, 0);
    for round in 0..30 {
        let mut broken = Broken {
            directory: tempfile::tempdir().unwrap(),
            before: broken.before.clone(),
            bytes: broken.bytes.clone(),
        };
        for _ in 0..=round % 8 {
            let at = numbers.below(broken.bytes.len());
            broken.bytes[at] ^= 1 << numbers.below(8);
        }
        let (report, after) = broken.salvage();
        let named = |name: &(String, String)| {
            report
                .lost
                .iter()
                .any(|it| it.namespace == name.0 && it.id == name.1)
        };
        for name in broken.before.keys() {
            // Of a page whose head is damaged nothing can be named: then the report says that it is not complete.
            assert!(
                after.contains_key(name) || named(name) || !report.is_complete,
                "{name:?} is gone without a word"
            );
            unnamed += usize::from(!after.contains_key(name) && !named(name));
        }
        lost += report.lost.len();
        uncertain += report.uncertain.len();
    }
    assert!(lost + uncertain > 0, "30 damaged files lost nothing");
    assert!(unnamed < 30 * 81 / 10, "{unnamed} are gone without a name");
}

#[test]
fn what_a_page_holds_whose_last_write_was_lost_is_not_certain() {
    let leaf_of = |page: &&[u8]| {
        page[0] == LEAF
            && page
                .windows(21)
                .any(|key| key == b"default\0containers\0c1")
    };
    let mut old = Vec::new();
    let mut broken = Broken::of(|db| {
        let store = db.namespace("default").unwrap();
        for id in ["c1", "c2", "c3"] {
            store.create(container(id, 10).label("v", "old")).unwrap();
        }
        let path = db.info().path.unwrap();
        let bytes = fs::read(path).unwrap();
        old = bytes.chunks(PAGE_BYTES).rfind(leaf_of).unwrap().to_vec();
        let mask = FieldMask::parse(["labels.v"]).unwrap();
        for value in ["new", "newer", "newest"] {
            for id in ["c1", "c2", "c3"] {
                let change = Container::with_id(id).label("v", value);
                store.update(change, &mask).unwrap();
            }
        }
    });
    let mut uncertain = 0;
    let pages: Vec<usize> = (0..broken.bytes.len()).step_by(PAGE_BYTES).collect();
    for at in pages {
        let page = at..at + PAGE_BYTES;
        if !leaf_of(&&broken.bytes[page.clone()]) {
            continue;
        }
        let healthy = broken.bytes[page.clone()].to_vec();
        broken.bytes[page.clone()].copy_from_slice(&old);
        // It asserts that everything certain is as before.
        let (report, after) = broken.salvage();
        assert_eq!(after.len(), 3);
        uncertain += report.uncertain.len();
        broken.bytes[page].copy_from_slice(&healthy);
    }
    assert_eq!(uncertain, 3, "one of the pages is in use");
}
