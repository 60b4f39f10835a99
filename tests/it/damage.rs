//! Damage is an error that names what is damaged: never a panic, never other data.
//!
//! `BAYPLAN_FLIPS` sets how many bytes are flipped, `BAYPLAN_SEED` repeats a run.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use bayplan::{Any, Builder, Db, ErrorKind, Filters, Labels, Record, Result};
use redb::{Database, MultimapTableDefinition, TableDefinition};
use tempfile::TempDir;

use crate::pages::open_unverified;
use crate::quiet::{panics_inside, quietly};
use crate::sample::{Contents, plain, populate};
use crate::seed::{Progress, Seed, count_from_env, tell};

const META: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("meta");
const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

// redb's header (its design document, "Database header").
const PAGE_BYTES: usize = 4096;
const HEADER_BYTES: usize = 64 + 2 * SLOT_BYTES;
const SLOT_BYTES: usize = 128;
const FLAGS_AT: usize = 9;
const FLAG_SECOND_SLOT: u8 = 1;
const FLAG_UNCLEAN: u8 = 2;
const FLAG_TWO_PHASES: u8 = 4;
/// The first byte of a page.
const LEAF: u8 = 1;
const BRANCH: u8 = 2;

/// A healthy file, what it holds, and what it held one commit before.
struct Image {
    name: &'static str,
    bytes: Vec<u8>,
    contents: Contents,
    bytes_before: Vec<u8>,
    contents_before: Contents,
}

impl Image {
    fn make(name: &'static str, seed: &mut Seed, options: Builder, is_closed: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("meta.redb");
        let db = options.create(&path).unwrap();
        populate(&db, seed, 200).unwrap();
        let contents_before = Contents::of(&db).unwrap();
        let bytes_before = std::fs::read(&path).unwrap();
        let last = plain("last");
        db.namespace("default").unwrap().create(last).unwrap();
        let contents = Contents::of(&db).unwrap();
        let db = (!is_closed).then_some(db);
        let bytes = std::fs::read(&path).unwrap();
        drop(db);
        assert_eq!(bytes[FLAGS_AT] & FLAG_UNCLEAN == 0, is_closed);
        Self {
            name,
            bytes,
            contents,
            bytes_before,
            contents_before,
        }
    }

    fn all(seed: &mut Seed) -> [Self; 4] {
        let live = || Db::builder().live_readers(true);
        [
            Self::make("closed", seed, Db::builder(), true),
            Self::make("crashed", seed, Db::builder(), false),
            Self::make("closed, live readers", seed, live(), true),
            Self::make("crashed, live readers", seed, live(), false),
        ]
    }

    /// Whether redb may go back to the commit before when these bytes are damaged.
    ///
    /// A file that was not closed cleanly may have been left in the middle of a commit, unless
    /// that was made in two phases: then redb takes the newest commit whose checksums hold, and
    /// damage in the newest commit slot, or in a page that only the newest commit has, looks as
    /// if that one had not reached the disk. The flags, one byte without a checksum, say which
    /// slot is the newest and whether that is so.
    fn may_go_back(&self, damaged: &[usize]) -> bool {
        let flags = self.bytes[FLAGS_AT];
        let newest = 64 + SLOT_BYTES * usize::from(flags & FLAG_SECOND_SLOT != 0);
        let trusts_the_newest = flags & FLAG_UNCLEAN == 0 || flags & FLAG_TWO_PHASES != 0;
        let is_new = |at: usize| {
            let page = at / PAGE_BYTES * PAGE_BYTES..(at / PAGE_BYTES + 1) * PAGE_BYTES;
            self.bytes_before.get(page.clone()) != self.bytes.get(page)
        };
        damaged.iter().any(|&at| {
            let is_in_newest_commit = if at < PAGE_BYTES {
                (newest..newest + SLOT_BYTES).contains(&at)
            } else {
                is_new(at)
            };
            at == FLAGS_AT || (!trusts_the_newest && is_in_newest_commit)
        })
    }
}

/// What became of a damaged file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Refused(String),
    Healthy,
    WentBack,
}

#[derive(Default)]
struct Fates(BTreeMap<(&'static str, &'static str, Fate), usize>);

impl Fates {
    fn count(&self, wanted: impl Fn(&Fate) -> bool) -> usize {
        let counts = self.0.iter();
        counts
            .filter(|((_, _, fate), _)| wanted(fate))
            .map(|(_, count)| count)
            .sum()
    }
}

impl fmt::Display for Fates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((image, way, fate), count) in &self.0 {
            writeln!(f, "  {image:22} {way:10} {count:5} {fate:?}")?;
        }
        Ok(())
    }
}

/// Opens damaged files, and judges.
struct Judge {
    directory: TempDir,
    fates: Fates,
    seed: Seed,
}

impl Judge {
    fn new(seed: &Seed) -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            fates: Fates::default(),
            seed: seed.clone(),
        }
    }

    /// Opens the file for reading and for writing; panics at whatever must not be.
    fn judge(&mut self, image: &Image, bytes: &[u8], damaged: &[usize], what: &str) {
        let path = self.directory.path().join("damaged.redb");
        std::fs::write(&path, bytes).unwrap();
        let reading = fate(image, damaged, what, || {
            let db = Db::open_read_only(&path)?;
            Contents::of(&db)
        });
        assert!(std::fs::read(&path).unwrap() == bytes, "{what}: written");
        let writes = self.seed.one_in(4);
        let writing = fate(image, damaged, what, || {
            let db = Db::open(&path)?;
            let contents = Contents::of(&db)?;
            let report = db.check()?;
            assert!(report.is_healthy(), "{report:?}");
            if writes {
                goes_on(db, &path)?;
            }
            Ok(contents)
        });
        if matches!(writing, Fate::Refused(_)) {
            assert!(std::fs::read(&path).unwrap() == bytes, "{what}: written");
        }
        for (way, fate) in [("reading", reading), ("writing", writing)] {
            *self.fates.0.entry((image.name, way, fate)).or_default() += 1;
        }
    }

    fn tell(&self, what: &str, count: usize, seed: u64) {
        print!("{}", self.fates);
        tell(format_args!(
            "{what}={count} refused={} healthy={} went-back={} lost=0 panics=0 \
             (caught inside {}) silent=0 seed={seed}",
            self.fates.count(|fate| matches!(fate, Fate::Refused(_))),
            self.fates.count(|fate| *fate == Fate::Healthy),
            self.fates.count(|fate| *fate == Fate::WentBack),
            panics_inside(),
        ));
    }
}

/// A file that was accepted takes writes, and opens again.
fn goes_on(db: Db, path: &Path) -> Result<()> {
    db.namespace("default")?.create(plain("new"))?;
    drop(db);
    let db = Db::open(path)?;
    assert!(db.check()?.is_healthy());
    db.namespace("default")?.get("new").map(|_| ())
}

fn fate(
    image: &Image,
    damaged: &[usize],
    what: &str,
    open: impl FnOnce() -> Result<Contents>,
) -> Fate {
    let name = image.name;
    match quietly(open) {
        Err(panic) => panic!("{name}, {what}: a panic reached the caller: {panic}"),
        Ok(Ok(contents)) if contents == image.contents => Fate::Healthy,
        Ok(Ok(contents)) if contents == image.contents_before => {
            assert!(image.may_go_back(damaged), "{name}, {what}: went back");
            Fate::WentBack
        }
        Ok(Ok(_)) => panic!("{name}, {what}: other data"),
        Ok(Err(error)) => {
            let expected = matches!(
                error.kind(),
                ErrorKind::Corrupt | ErrorKind::NotAStore | ErrorKind::IncompatibleFormat
            );
            assert!(expected, "{name}, {what}: {error:#}");
            Fate::Refused(error.kind().to_string())
        }
    }
}

/// A place to damage: all kinds of pages get their share, however few there are of them.
fn place(image: &Image, seed: &mut Seed) -> usize {
    let pages = image.bytes.len() / PAGE_BYTES;
    let kind = match seed.below(8) {
        0 | 1 => return seed.below(HEADER_BYTES),
        2 | 3 => Some(BRANCH),
        4 | 5 => Some(LEAF),
        _ => None, // values over several pages, what allocates, and free space
    };
    loop {
        let page = seed.below(pages) * PAGE_BYTES;
        let bytes = &image.bytes[page..page + PAGE_BYTES];
        if kind.is_none_or(|kind| bytes[0] == kind) {
            let is_used = |at: &usize| bytes[*at] != 0;
            let at = (0..4).map(|_| seed.below(PAGE_BYTES)).find(is_used);
            return page + at.unwrap_or(0);
        }
    }
}

#[test]
fn a_flipped_byte_anywhere_is_refused_or_harmless() {
    let flips = count_from_env("BAYPLAN_FLIPS", 2_000);
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    let images = Image::all(&mut seed);
    let mut judge = Judge::new(&seed);
    let mut progress = Progress::new("flips");
    for number in 0..flips {
        let image = &images[number % images.len()];
        let at = place(image, &mut seed);
        let pattern = match seed.below(3) {
            0 => 0xff,
            1 => 1 + u8::try_from(seed.below(255)).unwrap(),
            _ => 1 << seed.below(8),
        };
        let mut bytes = image.bytes.clone();
        bytes[at] ^= pattern;
        let what = format!("byte {at} ^ {pattern:#x}, seed {first_seed}");
        judge.judge(image, &bytes, &[at], &what);
        progress.at(number, flips);
    }
    judge.tell("flips", flips, first_seed);
}

#[test]
fn every_byte_of_the_header_is_refused_or_harmless() {
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    let images = Image::all(&mut seed);
    let mut judge = Judge::new(&seed);
    for at in 0..HEADER_BYTES {
        let image = &images[seed.below(images.len())];
        let mut bytes = image.bytes.clone();
        bytes[at] ^= 1 << seed.below(8);
        judge.judge(
            image,
            &bytes,
            &[at],
            &format!("byte {at}, seed {first_seed}"),
        );
    }
    for image in &images {
        for bit in 0..8 {
            let mut bytes = image.bytes.clone();
            bytes[FLAGS_AT] ^= 1 << bit;
            let what = format!("flag {bit}, seed {first_seed}");
            judge.judge(image, &bytes, &[FLAGS_AT], &what);
        }
    }
    judge.tell("header-flips", HEADER_BYTES + 32, first_seed);
}

#[test]
fn pages_that_are_cut_off_zeroed_filled_or_swapped_are_refused_or_harmless() {
    let count = count_from_env("BAYPLAN_FLIPS", 2_000) / 10;
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    let images = Image::all(&mut seed);
    let mut judge = Judge::new(&seed);
    let mut progress = Progress::new("damaged pages");
    for number in 0..count {
        let image = &images[number % images.len()];
        let mut bytes = image.bytes.clone();
        let pages = bytes.len() / PAGE_BYTES;
        let page = match seed.below(3) {
            0 => place(image, &mut seed) / PAGE_BYTES * PAGE_BYTES,
            _ => seed.below(pages) * PAGE_BYTES,
        };
        let mut damaged: Vec<usize> = (page..page + PAGE_BYTES).collect();
        let what = match seed.below(6) {
            0 => {
                let len = match seed.below(3) {
                    0 => seed.below(HEADER_BYTES + 1),
                    1 => page,
                    _ => seed.below(bytes.len()),
                };
                bytes.truncate(len);
                damaged = (len..image.bytes.len()).collect();
                format!("cut to {len}")
            }
            1 => {
                let more = [1, PAGE_BYTES, seed.below(100_000)][seed.below(3)];
                bytes.extend(seed.bytes(more));
                damaged.clear();
                format!("{more} bytes longer")
            }
            2 => {
                bytes[page..page + PAGE_BYTES].fill(0);
                format!("page at {page} zeroed")
            }
            3 => {
                bytes[page..page + PAGE_BYTES].fill(0xff);
                format!("page at {page} filled with 0xff")
            }
            kind => {
                let other = seed.below(pages) * PAGE_BYTES;
                let there = bytes[other..other + PAGE_BYTES].to_vec();
                let mut what = format!("page at {other} over {page}");
                if kind == 4 {
                    bytes.copy_within(page..page + PAGE_BYTES, other);
                    damaged.extend(other..other + PAGE_BYTES);
                    what.push_str(", and the other way round");
                }
                bytes[page..page + PAGE_BYTES].copy_from_slice(&there);
                what
            }
        };
        judge.judge(
            image,
            &bytes,
            &damaged,
            &format!("{what}, seed {first_seed}"),
        );
        progress.at(number, count);
    }
    judge.tell("pages", count, first_seed);
}

/// Flips a byte of each copy of `marker` in the file; how many there were.
fn flip_marker(bytes: &mut [u8], marker: &[u8]) -> usize {
    let found: Vec<usize> = (0..bytes.len().saturating_sub(marker.len()))
        .filter(|at| bytes[*at..].starts_with(marker))
        .collect();
    for at in &found {
        bytes[at + marker.len() / 2] ^= 0x10;
    }
    found.len()
}

#[test]
fn without_the_check_a_flip_in_a_value_names_what_is_damaged_and_spares_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let db = Db::create(&path).unwrap();
    let store = db.namespace("default").unwrap();
    let records = store.records("images").unwrap();
    for number in 0..20 {
        let id = format!("c{number}");
        let mut container = plain(&id)
            .image(format!("image-of-{id}-"))
            .label("l", format!("label-of-{id}-"));
        let extension = Any::new("x", format!("extension-of-{id}-"));
        container.extensions.insert("e".into(), extension);
        container.spec = Some(Any::new("t", noise_of("spec", &id, 900 * number)));
        store.create(container).unwrap();
        let value = Any::new("t", noise_of("value", &id, 900 * number));
        let record = Record::new(&id, value).label("l", format!("mark-of-{id}-"));
        records.create(record).unwrap();
    }
    let contents = Contents::of(&db).unwrap();
    drop((store, records, db));
    let healthy = std::fs::read(&path).unwrap();
    let mut flips = 0;
    for number in 0..20 {
        for part in ["image", "spec", "label", "extension", "value", "mark"] {
            let id = format!("c{number}");
            let mut bytes = healthy.clone();
            let marker = match part {
                "spec" | "value" => noise_of(part, &id, 0),
                _ => format!("{part}-of-{id}-").into_bytes(),
            };
            assert!(flip_marker(&mut bytes, &marker) > 0, "{part} of {id}");
            let is_of_record = ["value", "mark"].contains(&part);
            std::fs::write(&path, &bytes).unwrap();
            for is_reading in [true, false] {
                let db = open_unverified(&path, is_reading).unwrap();
                match is_of_record {
                    true => names_the_damaged_record(&db, &id, &contents),
                    false => names_the_damaged(&db, &id, &contents),
                }
                flips += 1;
            }
            let error = Db::open(&path).map(|_| ()).unwrap_err();
            assert!(error.is_corrupt(), "{error:#}");
        }
    }
    tell(format_args!(
        "value-flips={flips} named={flips} lost=0 panics=0 silent=0"
    ));
}

/// Bytes that no packing makes shorter: 24 that are found nowhere else, and more.
fn noise_of(part: &str, id: &str, more: usize) -> Vec<u8> {
    let number: u64 = id[1..].parse().unwrap();
    let mut seed = Seed::new(number + if part == "spec" { 1_000 } else { 2_000 });
    seed.bytes(24 + more)
}

fn names_the_damaged_record(db: &Db, id: &str, contents: &Contents) {
    let containers = db.namespace("default").unwrap();
    let records = containers.records("images").unwrap();
    for error in [
        records.get(id).unwrap_err(),
        records.list(&Filters::all()).unwrap_err(),
    ] {
        assert!(error.is_corrupt(), "{error:#}");
        assert_eq!(
            (error.id(), error.record_kind()),
            (Some(id), Some("images"))
        );
    }
    let listing = records.query().lenient().unwrap();
    let damaged: Vec<_> = listing.damaged.iter().map(|found| &found.id).collect();
    assert_eq!(damaged, [id]);
    let mut others = contents.records.clone();
    others.remove(&("default".to_owned(), "images".to_owned(), id.to_owned()));
    assert_eq!(listing.items, others.into_values().collect::<Vec<_>>());
    let all = contents.containers.values().cloned().collect::<Vec<_>>();
    assert_eq!(containers.list(&Filters::all()).unwrap(), all);
    let report = db.check().unwrap();
    // The page is told first.
    let [page, record] = report.damages.as_slice() else {
        panic!("{:?}", report.damages);
    };
    assert_eq!(page.id, None);
    assert_eq!(record.id.as_deref(), Some(id));
    assert_eq!(record.kind.as_deref(), Some("images"));
}

fn names_the_damaged(db: &Db, id: &str, contents: &Contents) {
    let store = db.namespace("default").unwrap();
    let error = store.get(id).unwrap_err();
    assert!(error.is_corrupt(), "{error:#}");
    assert_eq!(error.id(), Some(id));
    assert_eq!(error.namespace(), Some("default"));
    let error = store.list(&Filters::all()).unwrap_err();
    assert!(error.is_corrupt(), "{error:#}");
    assert_eq!(error.id(), Some(id), "{error:#}");

    let listing = store.query().lenient().unwrap();
    let damaged: Vec<_> = listing.damaged.iter().map(|found| &found.id).collect();
    assert_eq!(damaged, [id]);
    let mut others = contents.containers.clone();
    others.remove(&("default".to_owned(), id.to_owned()));
    assert_eq!(listing.items, others.into_values().collect::<Vec<_>>());

    let report = db.check().unwrap();
    let [page, container] = report.damages.as_slice() else {
        panic!("{report:?}");
    };
    assert_eq!((page.namespace.as_str(), &page.id), ("", &None));
    assert_eq!(container.id.as_deref(), Some(id));
    assert_eq!(container.namespace, "default");
}

#[test]
fn without_the_check_a_flip_in_a_namespace_label_is_corrupt() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let db = Db::create(&path).unwrap();
    db.create_namespace("ns", Labels::from([("a".into(), "label-marker".into())]))
        .unwrap();
    drop(db);
    let mut bytes = std::fs::read(&path).unwrap();
    assert!(flip_marker(&mut bytes, b"label-marker") > 0);
    std::fs::write(&path, &bytes).unwrap();
    let db = Db::builder().check_integrity(false).open(&path).unwrap();
    let error = db.namespace_labels("ns").unwrap_err();
    assert!(error.is_corrupt());
    assert_eq!(error.namespace(), Some("ns"));
    // The page of the file comes first.
    assert_eq!(db.check().unwrap().damages[1].namespace, "ns");
}

/// Does everything there is to do, whatever fails; the errors that there were.
fn does_everything(db: &Db, contents: &Contents) -> Vec<bayplan::Error> {
    let mut errors = Vec::new();
    let mut note = |result: Result<()>| errors.extend(result.err());
    note(db.list_namespaces().map(|_| ()));
    for name in contents.namespaces.keys() {
        let store = db.namespace(name).unwrap();
        note(db.namespace_labels(name).map(|_| ()));
        note(store.list(&Filters::all()).map(|_| ()));
        note(store.query().headers().map(|_| ()));
        note(store.query().lenient().map(|_| ()));
        let kinds = db.record_kinds(name);
        for kind in kinds.as_deref().unwrap_or_default() {
            let records = store.records(kind).unwrap();
            note(records.list(&Filters::all()).map(|_| ()));
        }
        note(kinds.map(|_| ()));
        match store.query().iter() {
            Ok(containers) => containers.for_each(|item| note(item.map(|_| ()))),
            Err(error) => note(Err(error)),
        }
    }
    note(db.check().map(|_| ()));
    for (number, (name, id)) in contents.containers.keys().enumerate() {
        let store = db.namespace(name).unwrap();
        note(store.get(id).map(|_| ()));
        if number % 40 == 7 {
            note(store.delete(id));
            note(store.create(plain(&format!("new-{id}"))).map(|_| ()));
        }
    }
    note(db.write(|txn| {
        txn.namespace("default")?.create(plain("new-1"))?;
        txn.create_namespace("another", Labels::new())
    }));
    errors
}

#[test]
fn without_the_check_no_panic_reaches_the_caller() {
    let flips = count_from_env("BAYPLAN_FLIPS", 2_000) / 8;
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    let images = [
        Image::make("closed", &mut seed, Db::builder(), true),
        Image::make(
            "closed, live readers",
            &mut seed,
            Db::builder().live_readers(true),
            true,
        ),
    ];
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("damaged.redb");
    let mut progress = Progress::new("unchecked flips");
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for number in 0..flips {
        let image = &images[number % images.len()];
        let mut bytes = image.bytes.clone();
        let at = place(image, &mut seed);
        for at in at..(at + 1 + seed.below(8)).min(bytes.len()) {
            bytes[at] ^= 1 + u8::try_from(seed.below(255)).unwrap();
        }
        let live = seed.one_in(2);
        for is_reading in [true, false] {
            std::fs::write(&path, &bytes).unwrap();
            let done = quietly(|| {
                let options = Db::builder().check_integrity(false);
                let db = match is_reading {
                    true => options.open_read_only(&path),
                    false => options.live_readers(live).open(&path),
                };
                db.map_or_else(
                    |error| vec![error],
                    |db| does_everything(&db, &image.contents),
                )
            });
            let what = format!("byte {at}, reading {is_reading}, seed {first_seed}");
            let errors = done.unwrap_or_else(|panic| panic!("{what}: {panic}"));
            // The first error tells of the damage; later ones may tell that there was one.
            let first = errors.first().map(bayplan::Error::kind);
            assert_ne!(first, Some(ErrorKind::Unavailable), "{what}: {errors:#?}");
            for error in errors {
                *kinds.entry(error.kind().to_string()).or_default() += 1;
            }
        }
        progress.at(number, flips);
    }
    tell(format_args!(
        "unchecked-flips={flips} errors={kinds:?} panics=0 (caught inside {}) seed={first_seed}",
        panics_inside()
    ));
}

/// Every way to open, and what each says; the file must stay as it is.
#[track_caller]
fn assert_refused(path: &Path, kind: ErrorKind) {
    let bytes = path.is_file().then(|| std::fs::read(path).unwrap());
    let options = || Db::builder().check_integrity(false);
    for opened in [
        Db::open(path),
        Db::open_read_only(path),
        options().open(path),
        options().open_read_only(path),
        options().live_readers(true).open(path),
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

/// Rows that no listing comes by are told as well.
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
            // With the version back where it was, the rest of it is fine.
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
    for slot in [64, 64 + SLOT_BYTES] {
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
            let options = Db::builder().live_readers(live_readers);
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
