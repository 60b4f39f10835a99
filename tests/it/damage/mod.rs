//! Damage is an error that names what is damaged, never a panic and never wrong data.
//!
//! `BAYPLAN_FLIPS` sets how many bytes are flipped, `BAYPLAN_SEED` repeats a run.

mod unverified;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use bayplan::{Builder, Db, ErrorKind, Result, Share};
use tempfile::TempDir;

use crate::quiet::{panics_inside, quietly};
use crate::redb_format::{
    BRANCH, FLAG_SECOND_SLOT, FLAG_TWO_PHASES, FLAG_UNCLEAN, FLAGS_AT, HEADER_BYTES, LEAF,
    PAGE_BYTES, SLOT_BYTES, SLOTS_AT,
};
use crate::sample::{Contents, plain, populate};
use crate::seed::{Progress, Seed, count_from_env, tell};

/// A healthy file, its content, and its content one commit before.
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
        let live = || Db::builder().share(Share::Readers);
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
        let newest = SLOTS_AT + SLOT_BYTES * usize::from(flags & FLAG_SECOND_SLOT != 0);
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

    /// Opens the file for reading and for writing. Panics at any result that must not happen.
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

/// A place to damage. All kinds of pages get their share, however few there are.
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

/// Healthy files, and the judge of what became of them.
struct Suite {
    first_seed: u64,
    seed: Seed,
    images: [Image; 4],
    judge: Judge,
}

impl Suite {
    fn new() -> Self {
        let mut seed = Seed::from_env();
        let first_seed = seed.get();
        let images = Image::all(&mut seed);
        let judge = Judge::new(&seed);
        Self {
            first_seed,
            seed,
            images,
            judge,
        }
    }

    /// Flips the bits of a pattern in one byte.
    fn flip(&mut self, image: usize, at: usize, pattern: u8) {
        let image = &self.images[image];
        let mut bytes = image.bytes.clone();
        bytes[at] ^= pattern;
        let what = format!("byte {at} ^ {pattern:#x}, seed {}", self.first_seed);
        self.judge.judge(image, &bytes, &[at], &what);
    }
}

#[test]
fn a_flipped_byte_anywhere_is_refused_or_harmless() {
    let flips = count_from_env("BAYPLAN_FLIPS", 2_000);
    let mut suite = Suite::new();
    let mut progress = Progress::new("flips");
    for number in 0..flips {
        let image = number % suite.images.len();
        let at = place(&suite.images[image], &mut suite.seed);
        let pattern = match suite.seed.below(3) {
            0 => 0xff,
            1 => 1 + u8::try_from(suite.seed.below(255)).unwrap(),
            _ => 1 << suite.seed.below(8),
        };
        suite.flip(image, at, pattern);
        progress.at(number, flips);
    }
    suite.judge.tell("flips", flips, suite.first_seed);
}

#[test]
fn every_byte_of_the_header_is_refused_or_harmless() {
    let mut suite = Suite::new();
    for at in 0..HEADER_BYTES {
        let image = suite.seed.below(suite.images.len());
        let pattern = 1 << suite.seed.below(8);
        suite.flip(image, at, pattern);
    }
    for image in 0..suite.images.len() {
        for bit in 0..8 {
            suite.flip(image, FLAGS_AT, 1 << bit);
        }
    }
    let flips = HEADER_BYTES + 8 * suite.images.len();
    suite.judge.tell("header-flips", flips, suite.first_seed);
}

#[test]
fn pages_that_are_cut_off_zeroed_filled_or_swapped_are_refused_or_harmless() {
    let count = count_from_env("BAYPLAN_FLIPS", 2_000) / 10;
    let Suite {
        first_seed,
        mut seed,
        images,
        mut judge,
    } = Suite::new();
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
