//! If any call of the disk fails, the error says so, nothing that was acknowledged is lost, and opening the store again
//! helps.
//!
//! `BAYPLAN_SEED` repeats a run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bayplan::{Db, Error, ErrorKind, Result};

use super::disk::{Call, Disk, Fault, How, Image};
use super::images::Mode;
use super::sample::plain;
use super::seed::{Seed, tell};
use super::survival::{Survival, after_a_power_cut};
use super::work::{self, Model, settings};

const STEPS: usize = 10;
const CALLS: [Call; 4] = [Call::Read, Call::Write, Call::Sync, Call::SetLen];
const TIMES: [usize; 2] = [1, usize::MAX];

/// A store with some content, and that content.
fn stored(mode: Mode, seed: &mut Seed) -> (Image, Model) {
    let disk = Disk::default();
    let db = work::create(&disk, &mode.settings(true)).unwrap();
    let mut model = Model::default();
    for _ in 0..12 {
        model = work::step(&db, &model, seed).after;
    }
    drop(db);
    (disk.image(), model)
}

fn hows(call: Call) -> Vec<How> {
    match call {
        Call::Read | Call::Sync => vec![How::Device],
        Call::SetLen => vec![How::Device, How::Full],
        Call::Write => vec![How::Device, How::Full, How::Half],
    }
}

/// Every kind of fault for the `nth` call.
fn faults(nth: usize) -> impl Iterator<Item = Fault> {
    CALLS.into_iter().flat_map(move |call| {
        hows(call).into_iter().flat_map(move |how| {
            TIMES.map(|times| Fault {
                call,
                nth,
                times,
                how,
            })
        })
    })
}

/// The kinds of the errors.
#[derive(Default)]
struct Tally {
    faults: usize,
    uncertain: usize,
    kinds: BTreeMap<String, usize>,
}

impl Tally {
    #[track_caller]
    fn note(&mut self, error: &Error, fault: Fault) {
        let expected = matches!(
            error.kind(),
            ErrorKind::Io | ErrorKind::CommitUncertain | ErrorKind::Unavailable
        );
        assert!(expected, "{fault:?}: {error:#}");
        *self.kinds.entry(error.kind().to_string()).or_default() += 1;
    }

    fn tell(&self, what: &str, seed: u64) {
        tell(format_args!(
            "{what}={} uncertain={} kinds={:?} lost=0 panics=0 silent=0 seed={seed}",
            self.faults, self.uncertain, self.kinds
        ));
    }
}

/// What the store may hold when it is opened again, in memory or after a power cut.
fn reopens(image: Image, allowed: &[Model], seed: &mut Seed, fault: Fault) {
    let settings = Mode::ALL[seed.below(Mode::ALL.len())].settings(!seed.one_in(3));
    let survivor = Disk::of(image);
    let db = work::open(&survivor, &settings)
        .unwrap_or_else(|error| panic!("{fault:?}: opening again: {error:#}"));
    let found = Model::of(&db).unwrap();
    assert!(allowed.contains(&found), "{fault:?}: {found:#?}");
    db.namespace("again").unwrap().create(plain("new")).unwrap();
    drop(db);
    let db = work::open(&survivor, &settings).unwrap();
    db.namespace("again").unwrap().get("new").unwrap();
}

/// Returns the disk as if nothing written after the last syncs had reached it.
fn cut_off(start: &Image, disk: &Disk) -> Image {
    let survivals = [Survival::None; 2];
    after_a_power_cut(start, &disk.log(), survivals, &mut Seed::new(0))
}

/// Works until the fault occurs, then checks the rest. Returns false if it did not occur.
fn work_with(fault: Fault, mode: Mode, seed: &Seed, tally: &mut Tally) -> bool {
    let mut seed = seed.clone();
    let (start, mut model) = stored(mode, &mut seed);
    let disk = Disk::of(start.clone());
    let mut settings = mode.settings(true);
    settings.cache_bytes = 0; // So that there is something to read.
    let db = work::open(&disk, &settings).unwrap();
    disk.fail(fault);
    let mut allowed = vec![model.clone()];
    for _ in 0..STEPS {
        let done = work::step(&db, &model, &mut seed);
        let Err(error) = done.outcome else {
            model = done.after;
            allowed = vec![model.clone()];
            continue;
        };
        assert!(disk.failed() > 0, "{fault:?}: {error:#}");
        tally.note(&error, fault);
        allowed.extend(done.possible);
        if error.kind() == ErrorKind::CommitUncertain {
            tally.uncertain += 1;
            allowed.push(done.after);
            refuses_writes(&db);
        }
        break;
    }
    let met = disk.failed() > 0;
    let _ = Model::of_unchecked(&db); // Reading may fail, and must not panic.
    drop(db); // Closing writes, and may meet the fault as well.
    let met = met || disk.failed() > 0;
    if met {
        tally.faults += 1;
        reopens(disk.image(), &allowed, &mut seed, fault);
        reopens(cut_off(&start, &disk), &allowed, &mut seed, fault);
    }
    met
}

fn refuses_writes(db: &Db) {
    let store = db.namespace("default").unwrap();
    for error in [
        store.create(plain("later")).map(|_| ()).unwrap_err(),
        db.set_namespace_label("default", "a", "b").unwrap_err(),
        db.begin_write().map(|_| ()).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:#}");
        let text = format!("{error:#}");
        assert!(text.contains("open it again"), "{text}");
        let cause = std::error::Error::source(&error).expect("it has a cause");
        assert!(text.contains(&cause.to_string()), "{text}");
    }
}

#[test]
fn a_fault_in_any_call_while_working_loses_nothing_that_was_acknowledged() {
    let seed = Seed::from_env();
    let mut tally = Tally::default();
    for mode in Mode::ALL {
        for of_first in faults(0) {
            let mut nth = 0;
            while work_with(Fault { nth, ..of_first }, mode, &seed, &mut tally) {
                nth += if nth < 40 { 1 } else { 7 };
            }
        }
    }
    tally.tell("faults", seed.get());
    assert!(tally.uncertain > 0);
}

/// Does one thing that changes no content, with a failure at every call. The content must stay.
fn at_every_fault(what: &str, run: impl Fn(Db) -> Result<()>) {
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    let mut tally = Tally::default();
    for mode in Mode::ALL {
        let (start, model) = stored(mode, &mut seed);
        for of_first in faults(0) {
            for nth in 0.. {
                let fault = Fault { nth, ..of_first };
                let disk = Disk::of(start.clone());
                let mut settings = mode.settings(true);
                settings.cache_bytes = 0; // So that there is something to read.
                let db = work::open(&disk, &settings).unwrap();
                let mut now = model.clone();
                let mut seed_of_steps = seed.clone();
                for _ in 0..3 {
                    let done = work::step(&db, &now, &mut seed_of_steps);
                    done.outcome.unwrap();
                    now = done.after;
                }
                let already = disk.log_len();
                disk.fail(fault);
                if let Err(error) = run(db) {
                    tally.note(&error, fault);
                    assert!(disk.failed() > 0, "{fault:?}: {error:#}");
                    tally.uncertain += usize::from(error.kind() == ErrorKind::CommitUncertain);
                }
                if disk.failed() == 0 {
                    assert!(disk.log_len() > already, "nothing was done");
                    break;
                }
                tally.faults += 1;
                let allowed = [now];
                reopens(disk.image(), &allowed, &mut seed, fault);
                reopens(cut_off(&start, &disk), &allowed, &mut seed, fault);
            }
        }
    }
    tally.tell(what, first_seed);
}

#[test]
fn a_fault_in_any_call_while_compacting_is_an_error_and_leaves_the_store_whole() {
    at_every_fault("faults-while-compacting", work::compact);
}

#[test]
fn a_fault_in_any_call_of_a_checkpoint_is_an_error_and_leaves_the_store_whole() {
    at_every_fault("faults-of-checkpoints", |db| {
        let done = db.checkpoint();
        if let Err(error) = &done
            && error.kind() == ErrorKind::CommitUncertain
        {
            refuses_writes(&db);
        }
        done
    });
}

#[test]
fn a_fault_in_any_call_while_closing_leaves_the_store_whole() {
    at_every_fault("faults-while-closing", Db::close);
}

#[test]
fn a_failed_write_or_sync_while_closing_is_told() {
    for call in [Call::Write, Call::Sync] {
        let disk = Disk::default();
        let db = work::create(&disk, &settings(true, false)).unwrap();
        disk.fail(Fault {
            call,
            nth: 0,
            times: 1,
            how: How::Device,
        });
        let error = db.close().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{error:#}");
        work::open(&disk, &settings(true, false))
            .unwrap()
            .close()
            .unwrap();
    }
}

#[test]
fn a_failed_sync_of_a_commit_leaves_its_outcome_uncertain() {
    for mode in Mode::ALL {
        let disk = Disk::default();
        let db = work::create(&disk, &mode.settings(true)).unwrap();
        let store = db.namespace("default").unwrap();
        db.checkpoint().unwrap(); // The first commit makes no log.
        store.create(plain("a")).unwrap();
        disk.fail(Fault {
            call: Call::Sync,
            nth: 0,
            times: 1,
            how: How::Device,
        });
        let error = store.create(plain("b")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CommitUncertain, "{error:#}");
        assert_eq!(error.id(), Some("b"));
        assert!(!error.is_storage_full());
        refuses_writes(&db);
        drop(store);
        let closed = db.close().unwrap_err();
        assert_eq!(closed.kind(), ErrorKind::Unavailable, "{closed:#}");
        let text = format!("{closed:#}");
        assert!(text.contains("os error 5"), "{text}");
        assert!(!text.contains("close the store"), "{text}");
    }
}

#[test]
fn a_full_disk_is_told_and_works_again_when_there_is_space() {
    let disk = Disk::default();
    let db = work::create(&disk, &settings(true, false)).unwrap();
    let store = db.namespace("default").unwrap();
    let mut stored = 0;
    disk.fail(Fault {
        call: Call::SetLen,
        nth: 0,
        times: usize::MAX,
        how: How::Full,
    });
    let error = loop {
        let mut container = plain(&format!("c{stored}"));
        container.spec = Some(bayplan::Any::new("t", vec![7; 20_000]));
        match store.create(container) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert!(error.is_storage_full(), "{error:#}");
    assert!(
        format!("{error:#}").contains("the disk is full"),
        "{error:#}"
    );
    drop((store, db));
    let db = work::open(&Disk::holding(disk.bytes()), &settings(true, false)).unwrap();
    let store = db.namespace("default").unwrap();
    for number in 0..stored {
        store.delete(&format!("c{number}")).unwrap();
    }
    store.create(plain("again")).unwrap();
}

#[test]
fn a_fault_in_any_call_while_opening_is_an_error_and_opening_again_helps() {
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    let mut tally = Tally::default();
    let mut images = Vec::new();
    for mode in [Mode::Plain, Mode::Log] {
        let disk = Disk::default();
        let db = work::create(&disk, &mode.settings(true)).unwrap();
        let mut model = Model::default();
        for _ in 0..12 {
            model = work::step(&db, &model, &mut seed).after;
        }
        images.push((disk.image(), model.clone()));
        drop(db);
        images.push((disk.image(), model));
    }
    assert!(images.iter().any(|(image, _)| image.log.is_some()));
    for (image, model) in images {
        for of_first in faults(0) {
            for nth in 0.. {
                let fault = Fault { nth, ..of_first };
                let disk = Disk::of(image.clone());
                disk.fail(fault);
                let mode = Mode::ALL[nth % 3];
                let opened = work::open(&disk, &mode.settings(!nth.is_multiple_of(2)));
                match opened {
                    Ok(db) => drop(db),
                    Err(error) => tally.note(&error, fault),
                }
                if disk.failed() == 0 {
                    break;
                }
                tally.faults += 1;
                let allowed = [model.clone()];
                reopens(disk.image(), &allowed, &mut seed, fault);
                reopens(cut_off(&image, &disk), &allowed, &mut seed, fault);
                // Reading only meets the same faults, and writes nothing.
                let disk = Disk::of(image.clone());
                disk.fail(fault);
                if let Err(error) = work::inspect(&disk, &settings(true, false)) {
                    tally.note(&error, fault);
                }
                assert_eq!(disk.log_len(), 0);
            }
        }
    }
    tally.tell("faults-while-opening", first_seed);
}

#[test]
fn a_fault_in_any_call_while_creating_is_an_error() {
    let mut tally = Tally::default();
    for of_first in faults(0) {
        for nth in 0.. {
            let fault = Fault { nth, ..of_first };
            let disk = Disk::default();
            disk.fail(fault);
            match work::create(&disk, &settings(true, nth % 2 == 0)) {
                Ok(db) => drop(db),
                Err(error) => tally.note(&error, fault),
            }
            if disk.failed() == 0 {
                break;
            }
            tally.faults += 1;
        }
    }
    tally.tell("faults-while-creating", 0);
}

#[test]
fn who_is_told_of_what_a_failed_batch_left_behind_is_told_of_the_failure() {
    let disk = Disk::default();
    let (failing, calls) = (disk.clone(), AtomicUsize::new(0));
    let mut settings = settings(true, false);
    settings.clock = Arc::new(move || {
        match calls.fetch_add(1, Ordering::SeqCst) {
            // The first create waits until the others are queued behind it.
            1 => thread::sleep(Duration::from_millis(300)),
            2 => failing.fail(Fault {
                call: Call::Sync,
                nth: 0,
                times: usize::MAX,
                how: How::Device,
            }),
            _ => {}
        }
        chrono::Utc::now()
    });
    let db = work::create(&disk, &settings).unwrap();
    let store = db.namespace("a").unwrap();
    thread::scope(|scope| {
        scope.spawn(|| store.create(plain("first")).unwrap());
        thread::sleep(Duration::from_millis(100));
        let both: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| store.create(plain("twice")).unwrap_err()))
            .collect();
        for create in both {
            let error = create.join().unwrap();
            assert_eq!(error.kind(), ErrorKind::CommitUncertain, "{error:#}");
        }
    });
}

/// The canary: the suite must be able to fail.
#[test]
#[should_panic(expected = "Model {")]
fn a_store_that_lost_something_is_noticed() {
    let mut seed = Seed::new(1);
    let (image, mut model) = stored(Mode::Plain, &mut seed);
    model.containers.pop_first().unwrap();
    let fault = faults(0).next().unwrap();
    reopens(image, &[model], &mut seed, fault);
}
