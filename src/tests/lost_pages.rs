//! A sync fails, and the system considers the pages that it could not write clean.
//!
//! The disk has a cache in front of it ([`Cached`]), for the file and the log beside it. The store is opened again on
//! that cache and used, and then the power is cut: everything acknowledged must be there. Openings and checkpoints also
//! meet such failures.
//!
//! `BAYPLAN_IMAGES` sets how many rounds (a tenth of it), `BAYPLAN_SEED` repeats a run.

use bayplan::{Db, ErrorKind};

use super::cached::{Cached, Dropping};
use super::images::Mode;
use super::seed::{Progress, Seed, count_from_env, tell};
use super::work::{self, Model, settings};
use crate::session::settings::Settings;

/// Works until a sync fails, if one does. Returns what may be there then.
fn work_until_it_fails(db: Db, disk: &Cached, mut model: Model, seed: &mut Seed) -> Vec<Model> {
    let failed = disk.failed();
    for _ in 0..10 {
        let done = work::step(&db, &model, seed);
        match done.outcome {
            Ok(()) => model = done.after,
            Err(error) => {
                assert!(disk.failed() > failed, "{error:#}");
                let mut allowed = vec![model];
                allowed.extend(done.possible);
                if error.kind() == ErrorKind::CommitUncertain {
                    allowed.push(done.after);
                }
                return allowed;
            }
        }
    }
    vec![model]
}

/// Opens the store, and retries while a sync fails.
fn open_again(disk: &Cached, settings: &Settings) -> std::result::Result<Db, String> {
    for _ in 0..3 {
        let failed = disk.failed();
        match disk.open(settings) {
            Ok(db) => return Ok(db),
            Err(_) if disk.failed() > failed => {}
            Err(error) => return Err(format!("opening again: {error:#}")),
        }
    }
    Err("it fails without an end".to_owned())
}

/// Returns how the store is opened this time: usually as it was created.
fn opened_as(mode: Mode, seed: &mut Seed) -> Settings {
    let mode = match seed.one_in(3) {
        true => Mode::ALL[seed.below(Mode::ALL.len())],
        false => mode,
    };
    mode.settings(!seed.one_in(3))
}

/// Returns the disk at the end, or what was lost.
fn round(mode: Mode, dropping: Dropping, seed: &mut Seed) -> std::result::Result<Cached, String> {
    let disk = Cached::new(dropping, Seed::new(seed.number()));
    let db = disk.create(&mode.settings(true)).unwrap();
    let mut db = Some(db);
    let mut allowed = vec![Model::default()];
    for _ in 0..1 + seed.below(3) {
        let opened = match db.take() {
            Some(db) => db,
            None => open_again(&disk, &opened_as(mode, seed))?,
        };
        let found = Model::of(&opened).map_err(|error| format!("{error:#}"))?;
        if !allowed.contains(&found) {
            return Err(format!("other data: {found:#?}"));
        }
        disk.fail_at(Some(seed.below(12)));
        allowed = work_until_it_fails(opened, &disk, found, seed);
        if !seed.one_in(4) {
            disk.fail_at(None);
        }
        if seed.one_in(3) {
            let seen = disk.inspect(&opened_as(mode, seed));
            let seen = seen.and_then(|db| Model::of(&db));
            let seen = seen.map_err(|error| format!("inspect: {error:#}"))?;
            if !allowed.contains(&seen) {
                return Err(format!("inspect: other data: {seen:#?}"));
            }
        }
    }
    disk.fail_at(None);
    let db = open_again(&disk, &opened_as(mode, seed))?;
    let mut model = Model::of(&db).map_err(|error| format!("{error:#}"))?;
    if !allowed.contains(&model) {
        return Err(format!("other data: {model:#?}"));
    }
    // What was only read survives too.
    for _ in 0..seed.below(5) {
        let done = work::step(&db, &model, seed);
        done.outcome.map_err(|error| format!("{error:#}"))?;
        model = done.after;
    }
    let cut = disk.after_a_power_cut();
    let survived = work::open(&cut, &opened_as(mode, seed)).and_then(|db| Model::of(&db));
    let survived = survived.map_err(|error| format!("after a power cut: {error:#}"))?;
    match survived == model {
        true => Ok(disk),
        false => Err(format!("after a power cut: {survived:#?}")),
    }
}

#[test]
fn what_is_acknowledged_after_a_sync_that_lost_pages_survives_a_power_cut() {
    let count = count_from_env("BAYPLAN_IMAGES", 10_000) / 10;
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    let mut progress = Progress::new("lost pages");
    let (mut failed, mut of_log) = (0, 0);
    for number in 0..count {
        let dropping = [Dropping::All, Dropping::Some][number % 2];
        let mode = Mode::ALL[number / 2 % Mode::ALL.len()];
        let now = seed.get();
        let disk = round(mode, dropping, &mut seed)
            .unwrap_or_else(|why| panic!("{mode:?}, {dropping:?}, seed {now}: {why}"));
        failed += disk.failed();
        of_log += disk.failed_of_log();
        progress.at(number, count);
    }
    tell(format_args!(
        "lost-pages={count} failed-syncs={failed} of-logs={of_log} lost=0 panics=0 silent=0 seed={first_seed}"
    ));
    assert!(failed >= count / 2 && of_log >= count / 20);
}

/// The canary: the suite must be able to fail.
#[test]
fn where_lost_pages_stay_in_the_cache_a_loss_is_noticed() {
    for mode in [Mode::Plain, Mode::Log] {
        let mut seed = Seed::new(1);
        let lost = (0..200).filter(|_| round(mode, Dropping::Nothing, &mut seed).is_err());
        assert!(lost.count() > 0, "{mode:?}");
    }
}

/// A file that was closed cleanly is read from the cache.
#[test]
fn a_file_that_was_closed_well_is_neither_dropped_from_the_cache_nor_written_anew() {
    let settings = settings(true, false);
    let disk = Cached::new(Dropping::Some, Seed::new(1));
    drop(disk.create(&settings).unwrap());
    drop(disk.open(&settings).unwrap());
    assert!(!disk.has_kept_pages());
    let db = disk.open(&settings).unwrap();
    std::mem::forget(db);
    drop(disk.open(&settings).unwrap());
    assert!(disk.has_kept_pages());
}
