//! Whichever unsynced writes survive a power cut, the last acknowledged state survives.
//!
//! A workload (single operations, transactions, commits that threads share, checkpoints, closing, compacting),
//! sometimes through a log, is recorded, and cut off at any of its writes. What was written since the last sync may
//! have reached the disk or not: completely, in part, in any order, torn. Each such image is opened as a store, and
//! must hold what was acknowledged last, or one commit more. The opening also writes, and is cut off in the same way.
//!
//! `BAYPLAN_IMAGES` sets how many images, `BAYPLAN_SEED` repeats a run.

use std::sync::Arc;

use bayplan::{Db, Error, ErrorKind, Position};

use super::disk::{Disk, Event, Image, LogEvent};
use super::sample::plain;
use super::seed::{Progress, Seed, count_from_env, tell};
use super::survival::{SURVIVALS, Survival, after_a_power_cut};
use super::work::{self, Model, settings, with_log};
use crate::records::keys::TOMBSTONES;
use crate::session::file::REDB_MAGIC;
use crate::session::settings::Settings;

const STEPS: usize = 60;
const DEPTH_MAX: usize = 3;

/// How a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Plain,
    LiveReaders,
    Log,
}

impl Mode {
    pub(super) const ALL: [Self; 3] = [Self::Log, Self::Plain, Self::LiveReaders];

    pub(super) fn settings(self, check_integrity: bool) -> Settings {
        match self {
            Self::Plain => settings(check_integrity, false),
            Self::LiveReaders => settings(check_integrity, true),
            Self::Log => with_log(settings(check_integrity, false)),
        }
    }
}

/// What may be in the file between one acknowledgement and the next.
#[derive(Clone)]
pub(super) struct Period {
    /// How much of the log there was at the beginning.
    begins: usize,
    allowed: Arc<Allowed>,
}

/// What a file may hold.
pub(super) struct Allowed {
    /// What was acknowledged last, and what may be there before the next acknowledgement.
    models: Vec<Model>,
    /// The position of a follower that knows what was acknowledged.
    position: Position,
}

/// What was done to a disk, and what its file may hold at each moment.
pub(super) struct Recording {
    pub(super) start: Image,
    pub(super) log: Vec<Event>,
    /// Empty as long as no store is required.
    pub(super) periods: Vec<Period>,
}

impl Recording {
    /// Creates a store, works on it, closes it, and sometimes compacts it. With checkpoints beside commits, the order of
    /// what happens to both files differs from run to run.
    fn of_a_workload(mode: Mode, checkpoints_beside: bool, seed: &mut Seed) -> Self {
        let disk = Disk::default();
        let mut settings = mode.settings(true);
        // With a small cache, pages of a commit reach the disk long before its sync.
        settings.cache_bytes = [0, 1 << 16, 1 << 20][seed.below(3)];
        settings.checkpoints_beside = checkpoints_beside;
        let db = work::create(&disk, &settings).unwrap();
        let mut recorder = Recorder::new(Model::default(), Position::START, disk.log_len());
        let mut db = Some(db);
        for number in 0..STEPS {
            recorder.step(db.as_ref().unwrap(), &disk, seed);
            if number % 20 == 19 {
                match seed.one_in(2) {
                    true => work::compact(db.take().unwrap()).unwrap(),
                    false => drop(db.take()),
                }
                db = Some(work::open(&disk, &settings).unwrap());
            }
        }
        drop(db);
        Self {
            start: Image::default(),
            log: disk.log(),
            periods: recorder.finish(),
        }
    }

    /// Returns what may be in the file when the log is cut off here; `None` if nothing is required.
    fn allowed_at(&self, cut: usize) -> Option<Arc<Allowed>> {
        let period = self.periods.iter().rfind(|period| period.begins <= cut)?;
        Some(Arc::clone(&period.allowed))
    }
}

/// Notes what may be in the file while a store is in use.
struct Recorder {
    now: Model,
    position: Position,
    begins: usize,
    periods: Vec<Period>,
}

impl Recorder {
    fn new(now: Model, position: Position, begins: usize) -> Self {
        Self {
            now,
            position,
            begins,
            periods: Vec::new(),
        }
    }

    fn step(&mut self, db: &Db, disk: &Disk, seed: &mut Seed) {
        let done = work::step(db, &self.now, seed);
        done.outcome.unwrap();
        assert_eq!(Model::of(db).unwrap(), done.after);
        let mut allowed = vec![self.now.clone(), done.after.clone()];
        allowed.extend(done.possible);
        self.end_period(allowed, disk.log_len());
        self.now = done.after;
        self.position = work::position(db);
    }

    fn end_period(&mut self, models: Vec<Model>, next_begins: usize) {
        self.periods.push(Period {
            begins: self.begins,
            allowed: Arc::new(Allowed {
                models,
                position: self.position,
            }),
        });
        self.begins = next_begins;
    }

    fn finish(mut self) -> Vec<Period> {
        let last = vec![self.now.clone()];
        self.end_period(last, usize::MAX);
        self.periods
    }
}

/// The disk after a power cut.
pub(super) fn image(
    recording: &Recording,
    cut: usize,
    survivals: [Survival; 2],
    seed: &mut Seed,
) -> Image {
    after_a_power_cut(&recording.start, &recording.log[..cut], survivals, seed)
}

/// The results of all images.
#[derive(Default)]
struct Tally {
    images: usize,
    deep: usize,
    unborn: usize,
    newer: usize,
    logs: usize,
    followed: usize,
    lagged: usize,
}

/// Opens an image, judges it, continues with it, and cuts that off too.
fn survives(
    image: Image,
    allowed: &Option<Arc<Allowed>>,
    depth: usize,
    seed: &mut Seed,
    tally: &mut Tally,
) -> Result<(), String> {
    tally.images += 1;
    tally.deep += usize::from(depth > 1);
    tally.logs += usize::from(image.log.is_some());
    let mode = Mode::ALL[seed.below(Mode::ALL.len())];
    let settings = mode.settings(!seed.one_in(3));
    let disk = Disk::of(image.clone());
    let Some(allowed) = allowed else {
        // Cut off during creation: the file has no name yet.
        tally.unborn += 1;
        if !image.file.starts_with(&REDB_MAGIC) {
            return Ok(()); // Opening a path gets no further than this.
        }
        return match work::open(&disk, &settings).and_then(|db| Model::of(&db)) {
            Ok(model) if model == Model::default() => Ok(()),
            Ok(_) => Err("a store that was never there".to_owned()),
            Err(error) if is_refusal(&error) => Ok(()),
            Err(error) => Err(format!("an unborn store: {error:#}")),
        };
    };
    if seed.one_in(8) {
        let seen = work::inspect(&disk, &settings).and_then(|db| Model::of(&db));
        let seen = seen.map_err(|error| format!("inspect: {error:#}"))?;
        if !allowed.models.contains(&seen) || disk.log_len() > 0 {
            return Err("inspect: other data, or it was written".to_owned());
        }
    }
    let db = work::open(&disk, &settings).map_err(|error| format!("{error:#}"))?;
    let opened_at = disk.log_len();
    let model = Model::of(&db).map_err(|error| format!("{error:#}"))?;
    let found = allowed.models.iter().position(|allowed| *allowed == model);
    let Some(found) = found else {
        return Err(format!("other data: {model:#?}"));
    };
    tally.newer += usize::from(found > 0);
    // A follower that knew what was acknowledged gets from there to what is found.
    match allowed.models[0].followed(&db, allowed.position)? {
        Some(followed) if followed != model => return Err(format!("followed to: {followed:#?}")),
        Some(_) => tally.followed += 1,
        None => tally.lagged += 1,
    }
    let mut recorder = Recorder::new(model, work::position(&db), opened_at);
    for _ in 0..seed.below(3) {
        recorder.step(&db, &disk, seed);
    }
    drop(db);
    if depth >= DEPTH_MAX || !seed.one_in(3) {
        return Ok(());
    }
    // During the opening, everything that was allowed before is still allowed.
    let mut periods = vec![Period {
        begins: 0,
        allowed: Arc::clone(allowed),
    }];
    periods.extend(recorder.finish());
    let recording = Recording {
        start: image,
        log: disk.log(),
        periods,
    };
    let cut = if seed.one_in(2) {
        seed.below(opened_at + 1)
    } else {
        seed.below(recording.log.len() + 1)
    };
    let survivals = [(); 2].map(|()| SURVIVALS[seed.below(SURVIVALS.len())]);
    let next = self::image(&recording, cut, survivals, seed);
    let result = survives(next, &recording.allowed_at(cut), depth + 1, seed, tally);
    result.map_err(|why| format!("again at {cut} ({mode:?}, {survivals:?}): {why}"))
}

fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NotAStore)
}

#[test]
fn a_power_cut_at_any_write_keeps_what_was_acknowledged() {
    let count = count_from_env("BAYPLAN_IMAGES", 10_000);
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    let mut tally = Tally::default();
    let mut progress = Progress::new("images");
    let mut round = 0;
    while tally.images < count {
        let mode = Mode::ALL[round % Mode::ALL.len()];
        let is_beside = seed.one_in(2);
        let recording = Recording::of_a_workload(mode, is_beside, &mut seed);
        // Each round goes through its log once, with different survivals at each place.
        for cut in 0..=recording.log.len() {
            for turn in 0..3 {
                let survival = SURVIVALS[(cut + 3 * round + 4 * turn) % SURVIVALS.len()];
                let of_log = SURVIVALS[seed.below(SURVIVALS.len())];
                let image = image(&recording, cut, [survival, of_log], &mut seed);
                let allowed = recording.allowed_at(cut);
                if let Err(why) = survives(image, &allowed, 1, &mut seed, &mut tally) {
                    let log = &recording.log[cut.saturating_sub(12)..cut];
                    panic!(
                        "seed {first_seed}, round {round} ({mode:?}), cut at {cut} ({survival:?}, {of_log:?}): \
                         {why}\n{log:?}"
                    );
                }
            }
            progress.at(tally.images, count);
            if tally.images >= count {
                break;
            }
        }
        round += 1;
    }
    tell(format_args!(
        "images={} logs={} deep={} newer={} unborn={} followed={} lagged={} rounds={round} lost=0 panics=0 silent=0 \
         seed={first_seed}",
        tally.images,
        tally.logs,
        tally.deep,
        tally.newer,
        tally.unborn,
        tally.followed,
        tally.lagged
    ));
    assert!(tally.lagged < tally.followed);
}

/// The canary: the suite must be able to fail.
#[test]
fn a_disk_that_forgets_the_syncs_of_the_last_commit_is_noticed() {
    for mode in [Mode::Plain, Mode::Log] {
        let mut seed = Seed::new(1);
        let recording = Recording::of_a_workload(mode, false, &mut seed);
        let mut noticed = 0;
        for (before, period) in recording.periods.iter().zip(&recording.periods[1..]) {
            // Not the last sync alone: of two, the first one may have made the commit durable.
            let image = image(&recording, before.begins, [Survival::None; 2], &mut seed);
            noticed += usize::from(is_noticed(image, before, period, &mut seed));
        }
        assert!(noticed > STEPS / 2, "{mode:?}: {noticed}");
    }
}

/// As if a deletion left no tombstone.
#[test]
fn a_deletion_without_a_tombstone_is_noticed() {
    let disk = Disk::default();
    let settings = settings(true, false);
    let db = work::create(&disk, &settings).unwrap();
    let home = db.namespace("default").unwrap();
    home.create(plain("a")).unwrap();
    let (known, position) = (Model::of(&db).unwrap(), work::position(&db));
    home.delete("a").unwrap();
    let followed = known.followed(&db, position).unwrap().unwrap();
    assert_eq!(followed, Model::of(&db).unwrap());
    drop((home, db));
    let plain_redb = redb::Database::builder()
        .create_with_backend(disk.clone())
        .unwrap();
    let txn = plain_redb.begin_write().unwrap();
    let removed = txn
        .open_table(TOMBSTONES)
        .unwrap()
        .pop_last()
        .unwrap()
        .is_some();
    txn.commit().unwrap();
    drop(plain_redb);
    assert!(removed);
    let db = work::open(&disk, &settings).unwrap();
    let followed = known.followed(&db, position).unwrap().unwrap();
    assert_ne!(followed, Model::of(&db).unwrap());
}

/// As if applying what is in the log forgot the last frame.
#[test]
fn a_recovery_that_forgets_a_frame_is_noticed() {
    let mut seed = Seed::new(1);
    let recording = Recording::of_a_workload(Mode::Log, false, &mut seed);
    let mut noticed = 0;
    for (before, period) in recording.periods.iter().zip(&recording.periods[1..]) {
        let acknowledged = period.begins.min(recording.log.len());
        let events = &recording.log[..acknowledged];
        let Some(Event::Log(LogEvent::Write(at, frame))) = events.iter().rev().nth(1) else {
            continue; // The frame was not acknowledged.
        };
        let mut image = image(&recording, acknowledged, [Survival::All; 2], &mut seed);
        let start = usize::try_from(*at).unwrap();
        image.log.as_mut().unwrap()[start..start + frame.len()].fill(0);
        noticed += usize::from(is_noticed(image, before, period, &mut seed));
    }
    assert!(noticed > STEPS / 4, "{noticed}");
}

/// Whether the suite notices that an image holds less than was acknowledged. It must, unless that is allowed.
fn is_noticed(image: Image, before: &Period, period: &Period, seed: &mut Seed) -> bool {
    let allowed = Some(Arc::clone(&period.allowed));
    let judged = survives(image, &allowed, DEPTH_MAX, seed, &mut Tally::default());
    // The next step may happen to undo what was forgotten.
    let is_allowed = period.allowed.models.contains(&before.allowed.models[0]);
    assert_eq!(judged.is_err(), !is_allowed);
    judged.is_err()
}
