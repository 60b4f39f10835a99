//! Commit logs: whatever a log contains, opening its store fails, or finds what the intact frames before the first
//! changed one held. Salvage finds nothing that no frame held. Nothing panics, not even inside.

use std::path::{Path, PathBuf};

use bayplan::{Any, Container, Db, FieldMask, Maintenance, Record, Runtime};
use chrono::DateTime;

use super::Canary;
use super::input::Input;
use super::sample::{Item, Place, contents, without_panics_inside};

const BLOCK_BYTES: usize = 4096;
/// The offset of the first frame of an odd epoch: after two heads.
const FRAMES_START: usize = 2 * BLOCK_BYTES;
const FRAME_HEAD_BYTES: usize = 32;

// The first byte of an input that is no log itself.
const IMAGES: u8 = 0x01;
const CHECKS: u8 = 0x02;
const READS: u8 = 0x04;
const SALVAGES: u8 = 0x08;

type Contents = Vec<(String, Item)>;

/// What a kill left of a store with a log.
struct Image {
    file: Vec<u8>,
    log: Vec<u8>,
    /// Where the frames begin that are not in the file, and where the last one ends.
    places: Vec<usize>,
    /// What the store held before the first of these frames, and after each.
    states: Vec<Contents>,
    /// All that it ever held.
    ever: Contents,
}

thread_local! {
    static IMAGES_MADE: (Place, Vec<Image>) = {
        let place = Place::new();
        let images = [false, true].map(|is_used_anew| Image::make(&place, is_used_anew));
        (place, images.into())
    };
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-log");
    name.into()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn container(id: &str, spec_bytes: usize) -> Container {
    // Bytes that nothing packs.
    let mut state = spec_bytes as u32 + 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    let spec: Vec<u8> = std::iter::repeat_with(next).take(spec_bytes).collect();
    Container::new(id, Runtime::new("runc"), Any::new("spec", spec))
}

/// One commit after the other.
fn commit(db: &Db, number: usize) -> bayplan::Result<()> {
    let store = db.namespace("default")?;
    match number % 7 {
        0 => store
            .create(container(&format!("c{number}"), 100))
            .map(drop),
        1 => store
            .create(container(&format!("c{number}"), 9_000))
            .map(drop),
        2 => {
            let labelled = Container::with_id(format!("c{}", number - 2)).label("n", "1");
            store
                .update(labelled, &FieldMask::parse(["labels.n"])?)
                .map(drop)
        }
        3 => store.delete(&format!("c{}", number - 2)),
        4 => db.set_namespace_label("default", "n", &number.to_string()),
        5 => {
            let image = Record::new(format!("i/{number}"), Any::new("image", b"{}"));
            db.namespace("k8s.io")?
                .records("images")?
                .create(image)
                .map(drop)
        }
        _ => db.write(|txn| {
            let store = txn.namespace("default")?;
            store.delete(&format!("c{}", number - 6))?;
            store
                .create(container(&format!("c{number}"), 300))
                .map(drop)
        }),
    }
}

impl Image {
    /// A log in its first epoch, or one in its third, with frames of the first after those that count.
    fn make(place: &Place, is_used_anew: bool) -> Self {
        let path = place.free("image.redb");
        let clock = || DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let builder = Db::builder().commit_log(true).clock(clock);
        let db = builder.create(&path).unwrap();
        db.checkpoint().unwrap(); // The first commit makes no log.
        let mut ever = Contents::new();
        let mut states = Vec::new();
        for number in 0..if is_used_anew { 35 } else { 14 } {
            commit(&db, number).unwrap();
            let now = contents(&db).unwrap();
            ever.extend(
                now.iter()
                    .filter(|item| !ever.contains(item))
                    .cloned()
                    .collect::<Vec<_>>(),
            );
            // The third epoch has the place of the first one.
            if is_used_anew && [14, 27].contains(&number) {
                db.checkpoint().unwrap();
                states.clear();
            }
            states.push(now);
        }
        let [file, log] = [path.clone(), beside(&path)].map(|path| std::fs::read(path).unwrap());
        drop(db);
        let mut places = vec![FRAMES_START];
        for at in 0..states.len() - 1 {
            let start = places[at];
            assert!(log[start..].starts_with(b"bplf"));
            let bytes = FRAME_HEAD_BYTES + u32_at(&log, start + 28) as usize;
            places.push(start + bytes.next_multiple_of(BLOCK_BYTES));
        }
        assert_eq!(
            log[places[states.len() - 1]..].starts_with(b"bplf"),
            is_used_anew
        );
        Self {
            file,
            log,
            places,
            states,
            ever,
        }
    }

    /// The log with the changes of the input, and whether one of them is a new frame.
    fn changed(&self, mut input: Input<'_>) -> (Vec<u8>, bool) {
        let mut log = self.log.clone();
        let mut is_forged = false;
        while !input.is_empty() {
            let kind = input.byte() % 8;
            let block = self.block(&mut input);
            let at = block + input.number() % BLOCK_BYTES;
            let is_here = block + BLOCK_BYTES <= log.len();
            match kind {
                0 => {
                    let with = input.byte();
                    log.get_mut(at).into_iter().for_each(|byte| *byte ^= with);
                }
                1 | 2 => {
                    let count = usize::from(input.byte());
                    let places = log.iter_mut().skip(at);
                    places
                        .zip(input.bytes(count))
                        .for_each(|(to, byte)| *to = *byte);
                }
                3 => {
                    let from = self.block(&mut input);
                    if is_here && from + BLOCK_BYTES <= log.len() {
                        log.copy_within(from..from + BLOCK_BYTES, block);
                    }
                }
                4 if is_here => log[block..block + BLOCK_BYTES].fill(0),
                5 => log.truncate(at),
                6 => log.resize(log.len() + at, 0),
                _ => {
                    let count = input.number();
                    is_forged |= self.append(&mut log, input.bytes(count));
                }
            }
        }
        (log, is_forged)
    }

    /// Returns the beginning of a block that was written, or of the block after them.
    fn block(&self, input: &mut Input<'_>) -> usize {
        let written = self.places[self.places.len() - 1] / BLOCK_BYTES + 4;
        BLOCK_BYTES * (usize::from(input.byte()) % written)
    }

    /// Appends a frame that holds, with any bytes for rows; see docs/FORMAT.md.
    fn append(&self, log: &mut [u8], rows: &[u8]) -> bool {
        let [before, at] = [2, 1].map(|back| self.places[self.places.len() - back]);
        let used = FRAME_HEAD_BYTES + rows.len();
        let end = at + used.next_multiple_of(BLOCK_BYTES);
        if end > log.len() {
            return false;
        }
        let number = u64::from_le_bytes(self.log[before + 16..before + 24].try_into().unwrap());
        let frame = &mut log[at..end];
        frame.fill(0);
        frame[..4].copy_from_slice(b"bplf");
        frame[8..16].copy_from_slice(&self.log[before + 8..before + 16]);
        frame[16..24].copy_from_slice(&(number + 1).to_le_bytes());
        frame[24..28].copy_from_slice(&self.log[before + 4..before + 8]);
        frame[28..32].copy_from_slice(&(rows.len() as u32).to_le_bytes());
        frame[FRAME_HEAD_BYTES..used].copy_from_slice(rows);
        let owner = crc32fast::hash(&self.log[16..48]);
        let mut hasher = crc32fast::Hasher::new_with_initial(owner);
        hasher.update(&frame[8..]);
        frame[4..8].copy_from_slice(&hasher.finalize().to_le_bytes());
        true
    }

    /// How many of the frames are as they were, up to the first that is not.
    fn intact_count(&self, log: &[u8]) -> usize {
        let frames = self.places.windows(2);
        let is_intact =
            |frame: &&[usize]| log.get(frame[0]..frame[1]) == Some(&self.log[frame[0]..frame[1]]);
        frames.take_while(is_intact).count()
    }
}

/// The input is a log, if it begins as one, or else which of the images to take, how to read it, and what to change.
pub(crate) fn run(data: &[u8], canary: Canary) {
    IMAGES_MADE.with(|(place, images)| {
        let (how, image, (log, is_forged)) = if data.starts_with(b"bayplan\0") {
            let how = data.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte));
            let mut log = data.to_vec();
            log.resize(images[0].log.len(), 0);
            (how, &images[0], (log, false))
        } else {
            let mut input = Input::new(data);
            let how = input.byte();
            let image = &images[usize::from(how & IMAGES)];
            (how, image, image.changed(input))
        };
        let path = place.free("store.redb");
        std::fs::write(&path, &image.file).unwrap();
        std::fs::write(beside(&path), &log).unwrap();
        let case = Case {
            place,
            image,
            log,
            is_forged,
            path,
        };
        without_panics_inside(|| match how & SALVAGES != 0 {
            true => case.is_salvaged(canary),
            false => case.is_opened(how & CHECKS != 0, how & READS != 0, canary),
        });
        let _ = std::fs::remove_file(beside(&case.path));
    });
}

/// A store, and its changed log beside it.
struct Case<'a> {
    place: &'a Place,
    image: &'a Image,
    log: Vec<u8>,
    /// Whether it has a frame with content that was never stored.
    is_forged: bool,
    path: PathBuf,
}

impl Case<'_> {
    fn assert_unchanged(&self) {
        self.assert_log_unchanged();
        let file = std::fs::read(&self.path).unwrap();
        assert!(file == self.image.file, "the file was written");
    }

    fn assert_log_unchanged(&self) {
        let log = std::fs::read(beside(&self.path)).unwrap();
        assert!(log == self.log, "the log was written");
    }

    fn is_opened(&self, checks: bool, reads: bool, canary: Canary) {
        let options = Db::builder().check_integrity(checks);
        let open = || match reads {
            true => options.open_read_only(&self.path),
            false => options.open(&self.path),
        };
        let db = match open() {
            Ok(db) => db,
            Err(error) => {
                assert!(self.is_forged || error.is_corrupt(), "{error:#}");
                assert!(format!("{error:#}").contains("store.redb"), "{error:#}");
                match (reads, self.is_forged) {
                    (true, _) => self.assert_unchanged(),
                    // redb's own repair of the file may have been written.
                    (false, false) => self.assert_log_unchanged(),
                    (false, true) => {}
                }
                return;
            }
        };
        let _ = db.check();
        let _ = db.dump(std::io::sink(), |_| {});
        let found = contents(&db);
        if reads {
            self.assert_unchanged();
        }
        if self.is_forged {
            return;
        }
        let mut found = found.unwrap();
        if canary == Canary::Planted {
            found.pop();
        }
        let intact = self.image.intact_count(&self.log);
        assert!(
            found == self.image.states[intact],
            "not what {intact} frames held"
        );
        assert_eq!(
            db.check().unwrap().log_commits,
            (!checks || reads).then_some(intact as u64)
        );
        drop(db);
        // What was read stays.
        let db = Db::open(&self.path).unwrap();
        assert!(
            contents(&db).unwrap() == found,
            "opened again, it holds other data"
        );
        drop(db);
        assert!(!beside(&self.path).exists());
    }

    fn is_salvaged(&self, canary: Canary) {
        let saved = self.place.free("saved.redb");
        let report = Maintenance::new().salvage(&self.path, &saved, |_| {});
        self.assert_unchanged();
        let report = match report {
            Ok(report) => report,
            Err(error) => {
                assert!(self.is_forged, "{error:#}");
                return;
            }
        };
        let db = Db::open(&saved).unwrap();
        assert!(db.check().unwrap().is_healthy());
        if self.is_forged {
            return;
        }
        let found = contents(&db).unwrap();
        assert!(
            found.iter().all(|item| self.image.ever.contains(item)),
            "nobody stored this"
        );
        let intact = &self.image.states[self.image.intact_count(&self.log)];
        if report.log_damage.is_none() || canary == Canary::Planted {
            assert!(
                found == *intact,
                "nothing was told, and it holds other data"
            );
        }
    }
}
