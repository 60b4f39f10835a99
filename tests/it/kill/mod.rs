//! A process that is killed at any moment loses nothing that it acknowledged.
//!
//! A child, this binary again, works on a store with several threads and reports each operation twice: before and after
//! it. Other threads take snapshots, and sometimes another process reads the file. The child is killed, its reports are
//! compared with the file, and the next child continues with the same file.
//!
//! `BAYPLAN_KILLS` sets how often, `BAYPLAN_SEED` repeats a run (as far as the scheduler does).

use std::path::PathBuf;
use std::time::Duration;

use bayplan::{Db, Detail, FieldMask, Position};

use crate::sample::{Contents, marked};
use crate::seed::{Progress, Seed, count_from_env, tell};
use child::options;
use model::Model;
use running::{Delay, Running, random_delay};
use told::Told;

mod calls;
mod child;
mod log_calls;
mod model;
mod running;
mod told;
mod tools;

const SPEC_MAX_BYTES: usize = 3_000;
const NAMESPACES: [&str; 2] = ["default", "k8s.io"];

/// The variables that make this binary a child.
const CHILD_FILE: &str = "BAYPLAN_TEST_CHILD_FILE";
const CHILD_SEED: &str = "BAYPLAN_TEST_CHILD_SEED";
const CHILD_ROLE: &str = "BAYPLAN_TEST_CHILD_ROLE";

#[test]
fn kill_at_any_moment_keeps_every_acknowledged_container() {
    let kills = count_from_env("BAYPLAN_KILLS", 100);
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    drop(Db::create(&path).unwrap());
    let mut model = Model::default();
    let mut followed = Contents::default();
    let mut position = Position::START;
    let mut progress = Progress::new("kills");
    let (mut in_flight, mut readers) = (0, 0);
    for kill in 0..kills {
        let delay = random_delay(&mut seed);
        let beside = seed
            .one_in(3)
            .then(|| Running::start(&path, seed.number(), "reads"));
        readers += usize::from(beside.is_some());
        Running::start(&path, seed.number(), "works").kill_after(delay, &mut model);
        in_flight += model.in_flight.len();
        if let Some(beside) = beside {
            // It may look at what the other has left.
            let delay = Duration::from_micros(seed.below(20_000) as u64);
            beside.kill_after(Delay::FromStart(delay), &mut model);
        }
        let reading = Db::open_read_only(&path).and_then(|db| Contents::of(&db));
        let db = options(&mut seed).open(&path).unwrap();
        let report = db.check().unwrap();
        assert!(report.is_healthy(), "seed {first_seed}: {report:?}");
        let contents = Contents::of(&db).unwrap();
        assert_eq!(reading.unwrap(), contents, "seed {first_seed}");
        // A follower continues from its position before the kill.
        let mut changes = db.changes_since(position, Detail::Whole).unwrap();
        for change in &mut changes {
            followed.apply(change.unwrap()).unwrap();
        }
        position = changes.position();
        drop(changes);
        assert_eq!(followed, contents, "seed {first_seed}");
        if let Err(difference) = model.settle(&contents) {
            panic!("kill {kill}, seed {first_seed}: {difference}");
        }
        progress.at(kill, kills);
    }
    tell(format_args!(
        "kills={kills} acknowledged={} in-flight={in_flight} snapshots={} readers={readers} lost=0 \
         panics=0 silent=0 seed={first_seed}",
        model.acknowledged, model.snapshots
    ));
    assert!(model.acknowledged > kills as u64);
    assert!(model.snapshots > 0);
}

#[test]
fn kill_while_creating_leaves_a_whole_store_or_no_file() {
    let kills = count_from_env("BAYPLAN_KILLS", 100).div_ceil(4);
    let mut seed = Seed::from_env();
    let directory = tempfile::tempdir().unwrap();
    let mut whole = 0;
    for number in 0..kills {
        let path = directory.path().join(format!("{number}.redb"));
        // It takes a few milliseconds, and longer on a busy machine.
        let longest = [5_000, 25_000][seed.below(2)];
        let delay = Duration::from_micros(seed.below(longest) as u64);
        let mut model = Model::default();
        let was_ready = Running::start(&path, seed.number(), "creates")
            .kill_after(Delay::FromStart(delay), &mut model);
        match Db::open(&path) {
            Ok(db) => {
                whole += 1;
                assert!(db.check().unwrap().is_healthy());
                assert!(db.list_namespaces().unwrap().len() <= 1);
            }
            Err(error) => {
                assert!(error.is_not_found(), "{error:#}");
                assert!(!was_ready, "a store that was created is gone");
                assert!(!path.exists());
            }
        }
    }
    let left = tools::left_behind(directory.path());
    tell(format_args!(
        "kills-while-creating={kills} whole={whole} left-behind={left} lost=0"
    ));
    assert!(left == 0 || !tools::can_be_unnamed(directory.path()));
}

/// The canary: the suite must be able to fail.
#[test]
fn the_comparison_notices_what_is_lost_changed_or_left_over() {
    let directory = tempfile::tempdir().unwrap();
    let db = Db::create(PathBuf::from(directory.path()).join("meta.redb")).unwrap();
    let store = db.namespace("default").unwrap();
    let key = |id: &str| ("default".to_owned(), id.to_owned());
    for id in ["t0-1", "t0-2"] {
        store.create(marked(id, 7, SPEC_MAX_BYTES)).unwrap();
    }
    let settle = |told: Vec<Told>| {
        let mut model = Model::default();
        told.into_iter().for_each(|told| model.hear(told));
        model.settle(&Contents::of(&db).unwrap())
    };
    let both = || vec![(key("t0-1"), Some(7)), (key("t0-2"), Some(7))];
    let told = |changes| vec![Told::Begin(0, changes), Told::Done(0)];
    assert_eq!(settle(told(both())), Ok(()));
    assert_eq!(settle(vec![Told::Begin(0, both())]), Ok(()));

    let lost = [both(), vec![(key("t1-1"), Some(7))]].concat();
    assert!(settle(told(lost.clone())).is_err());
    assert!(
        settle(vec![Told::Begin(0, lost)]).is_err(),
        "half of a transaction"
    );
    assert!(
        settle(told(vec![(key("t0-1"), Some(7))])).is_err(),
        "a deleted one is back"
    );
    assert!(settle(told(vec![(key("t0-1"), Some(8)), (key("t0-2"), Some(7))])).is_err());
    assert!(settle(vec![]).is_err());

    let mask = FieldMask::parse(["labels.label-x"]).unwrap();
    let more = bayplan::Container::with_id("t0-1").label("label-x", "1");
    store.update(more, &mask).unwrap();
    assert!(
        settle(told(both())).is_err(),
        "a container that is not whole"
    );
}
