//! Whole files: whatever a file contains, opening it and reading from it works or fails with an error. It never panics
//! and never hangs. With its pages verified, a file holds what was stored.

use std::path::Path;
use std::sync::Arc;

use bayplan::{Any, Builder, Container, Db, Filters, Maintenance, Record, Runtime, Share};
use chrono::DateTime;

use super::Canary;
use super::input::Input;
use super::sample::{Item, Place, contents, load_dump};

const PAGE_BYTES: usize = 4096;

// The first byte of an input that is no file itself.
const IMAGES: u8 = 0x03;
const CHECKS: u8 = 0x04;
const LIVE: u8 = 0x08;
const READS: u8 = 0x10;
const SALVAGES: u8 = 0x20;

type Contents = Vec<(String, Item)>;

/// A healthy file, its content, and its content one commit before.
struct Image {
    bytes: Vec<u8>,
    /// Its pages with something in them.
    pages: Vec<usize>,
    allowed: [Contents; 2],
}

thread_local! {
    static IMAGES_MADE: (Place, Vec<Image>) = {
        let place = Place::new();
        let images = [(false, true), (false, false), (true, true), (true, false)];
        let images = images.map(|(live, is_closed)| Image::make(&place, live, is_closed));
        (place, images.into())
    };
}

/// Whether others may read the file while it is open.
fn shared(live: bool) -> Share {
    if live { Share::Readers } else { Share::Nobody }
}

impl Image {
    fn make(place: &Place, live: bool, is_closed: bool) -> Self {
        let path = place.free("image.redb");
        load_dump(&path);
        let clock = || DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let db = Db::builder()
            .share(shared(live))
            .clock(clock)
            .open(&path)
            .unwrap();
        let store = db.namespace("k8s.io").unwrap();
        db.write(|txn| {
            let store = txn.namespace("k8s.io")?;
            for number in 0..70usize {
                let spec = Any::new("spec", noise(number));
                let container = Container::new(format!("p{number}"), Runtime::new("runc"), spec);
                store.create(container.label("number", number.to_string()))?;
                let image = Record::new(format!("i/{number}"), Any::new("image", b"{}"));
                store.records("images")?.create(image)?;
            }
            Ok::<_, bayplan::Error>(())
        })
        .unwrap();
        let before = contents(&db).unwrap();
        store.delete("p7").unwrap();
        let after = contents(&db).unwrap();
        drop(store);
        let db = (!is_closed).then_some(db);
        let bytes = std::fs::read(&path).unwrap();
        drop(db);
        let is_used = |page: &usize| {
            let bytes = bytes.get(page * PAGE_BYTES..(page + 1) * PAGE_BYTES);
            bytes.is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0))
        };
        Self {
            pages: (0..bytes.len() / PAGE_BYTES).filter(is_used).collect(),
            allowed: [after, before],
            bytes,
        }
    }

    /// The file with the changes of the input.
    fn changed(&self, mut input: Input<'_>) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        while !input.is_empty() {
            let kind = input.byte() % 6;
            let page = self.page(&mut input);
            let at = page + input.number() % PAGE_BYTES;
            match kind {
                0 => {
                    let with = input.byte();
                    bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= with);
                }
                1 | 2 => {
                    let count = usize::from(input.byte());
                    let places = bytes.iter_mut().skip(at);
                    places
                        .zip(input.bytes(count))
                        .for_each(|(to, byte)| *to = *byte);
                }
                3 => {
                    let from = self.page(&mut input);
                    if page.max(from) + PAGE_BYTES <= bytes.len() {
                        bytes.copy_within(from..from + PAGE_BYTES, page);
                    }
                }
                4 => bytes
                    .iter_mut()
                    .skip(page)
                    .take(PAGE_BYTES)
                    .for_each(|byte| *byte = 0),
                _ => bytes.truncate(at),
            }
        }
        bytes
    }

    /// Where a page begins that has something in it.
    fn page(&self, input: &mut Input<'_>) -> usize {
        PAGE_BYTES * self.pages[usize::from(input.byte()) % self.pages.len()]
    }
}

/// Bytes of a spec that nothing packs: so the file has pages of many kinds.
fn noise(number: usize) -> Vec<u8> {
    let mut state = number as u64 + 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next)
        .take(number * number * 3)
        .collect()
}

/// The input is a file, if it begins as one of redb's, or else how to open which of the images,
/// and what to change in it.
pub(crate) fn run(data: &[u8], canary: Canary) {
    IMAGES_MADE.with(|(place, images)| {
        let path = place.free("store.redb");
        let (how, bytes, allowed) = if data.starts_with(b"redb") {
            let how = data.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte));
            (how & !CHECKS, data.to_vec(), None)
        } else {
            let mut input = Input::new(data);
            let how = input.byte();
            let image = &images[usize::from(how & IMAGES)];
            (how, image.changed(input), Some(&image.allowed))
        };
        std::fs::write(&path, &bytes).unwrap();
        if how & SALVAGES != 0 {
            let saved = place.free("saved.redb");
            if Maintenance::new().salvage(&path, &saved, |_| {}).is_ok() {
                assert!(Db::open(&saved).unwrap().check().unwrap().is_healthy());
            }
            assert!(std::fs::read(&path).unwrap() == bytes, "salvage wrote");
            return;
        }
        let checks = how & CHECKS != 0;
        let options = Db::builder()
            .check_integrity(checks)
            .share(shared(how & LIVE != 0));
        let found = opens(options, &path, how & READS != 0, !checks, canary);
        if how & READS != 0 {
            assert!(std::fs::read(&path).unwrap() == bytes, "reading wrote");
        }
        if let (Some(found), Some(allowed), true) = (found, allowed, checks) {
            assert!(allowed.contains(&found), "other data");
        }
    });
}

/// What the file holds, if all of it can be read.
fn opens(
    options: Builder,
    path: &Path,
    reads: bool,
    writes: bool,
    canary: Canary,
) -> Option<Contents> {
    let clock = Arc::new(|| DateTime::from_timestamp(1_900_000_000, 0).unwrap());
    let options = options.clock(move || clock()).cache_bytes(1 << 20);
    let opened = match reads {
        true => options.open_read_only(path),
        false => options.open(path),
    };
    let db = match opened {
        Ok(db) => db,
        Err(error) => {
            assert!(!format!("{error:#}").is_empty());
            return None;
        }
    };
    for name in db.list_namespaces().unwrap_or_default() {
        let store = db.namespace(name.as_str()).unwrap();
        let _ = store.query().lenient();
        let _ = store.query().iter().map(|all| all.count());
        for kind in db.record_kinds(name.as_str()).unwrap_or_default() {
            if let Ok(records) = store.records(&kind) {
                let _ = records.list(&Filters::all());
                let _ = records.query().lenient_headers();
            }
        }
        let _ = store.get("p3");
    }
    let _ = db.check();
    let _ = db.stats();
    let _ = db.dump(std::io::sink(), |_| {});
    let found = contents(&db).ok();
    if writes && !reads {
        let store = db.namespace("k8s.io").unwrap();
        let _ = store.delete("p9");
        let _ = store.create(Container::new("new", Runtime::new("runc"), Any::default()));
        let images = store.records("images").unwrap();
        let _ = images.delete("i/9");
        let _ = images.put(Record::new("i/10", Any::default()));
    }
    found.map(|mut found| {
        if canary == Canary::Planted {
            found.pop();
        }
        found
    })
}
