//! Wherever a migration is cut off, the file is the complete old one or the complete migrated one.
//!
//! There is no older version yet, so the steps are invented: one copies every row to a new table, the next one rewrites
//! all rows. What survives a cut is opened as this version opens it, which distinguishes old from new. Then it is
//! migrated, which is cut off again.

use bayplan::ErrorKind;
use redb::{ReadableTable, TableError, WriteTransaction};

use super::disk::Image;
use super::disk::{Call, Disk, Event, Fault, How};
use super::images::{Recording, image};
use super::seed::{Seed, count_from_env, tell};
use super::survival::{SURVIVALS, Survival};
use super::work::{self, Model, settings};
use crate::model::error::Result;
use crate::records::keys::{FORMAT_VERSION, RECORDS, Table};
use crate::redb_file::fault::OrFault;
use crate::session::migrate::{Step, Target};

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

const COPIES: Table = Table::new("copies");

pub(super) const TARGET: Target = Target {
    version: FORMAT_VERSION + 2,
    steps: &[
        Step {
            to: FORMAT_VERSION + 1,
            run: copy_rows,
        },
        Step {
            to: FORMAT_VERSION + 2,
            run: write_rows_anew,
        },
    ],
};

fn rows(table: &impl ReadableTable<&'static [u8], &'static [u8]>) -> Result<Rows> {
    let rows = table.iter().or_fault()?;
    rows.map(|row| {
        let (key, value) = row.or_fault()?;
        Ok((key.value().to_vec(), value.value().to_vec()))
    })
    .collect()
}

fn copy_rows(txn: &WriteTransaction) -> Result<()> {
    let rows = rows(&txn.open_table(RECORDS).or_fault()?)?;
    let mut copies = txn.open_table(COPIES).or_fault()?;
    for (key, value) in &rows {
        copies.insert(key.as_slice(), value.as_slice()).or_fault()?;
    }
    Ok(())
}

fn write_rows_anew(txn: &WriteTransaction) -> Result<()> {
    let copies = rows(&txn.open_table(COPIES).or_fault()?)?;
    let mut records = txn.open_table(RECORDS).or_fault()?;
    records.retain(|_, _| false).or_fault()?;
    for (key, value) in &copies {
        records
            .insert(key.as_slice(), value.as_slice())
            .or_fault()?;
    }
    Ok(())
}

/// Stores that were closed, that were left open, and that were left open after a checkpoint.
fn old_stores(seed: &mut Seed) -> (Vec<Vec<u8>>, Model) {
    let disk = Disk::default();
    let db = work::create(&disk, &settings(true, false)).unwrap();
    let mut model = Model::default();
    while model.containers.len() < 8 {
        model = work::step(&db, &model, seed).after;
    }
    let left_open = disk.bytes();
    work::checkpoint(&db, &model).outcome.unwrap();
    let after_a_checkpoint = disk.bytes();
    drop(db);
    (vec![disk.bytes(), left_open, after_a_checkpoint], model)
}

/// Whether the file is migrated; an error if it is neither old nor new, or does not hold `model`.
fn is_migrated(bytes: &[u8], model: &Model, seed: &mut Seed) -> Result<bool, String> {
    let settings = settings(!seed.one_in(3), false);
    let before = match work::open(&Disk::holding(bytes.to_vec()), &settings) {
        Ok(db) => Some(db),
        Err(error) if error.kind() == ErrorKind::IncompatibleFormat => None,
        Err(error) => return Err(format!("{error:#}")),
    };
    if let Some(old) = &before {
        let found = Model::of(old).map_err(|error| format!("{error:#}"))?;
        let snapshot = old.read().unwrap();
        let copies = snapshot.contents().transaction().open_table(COPIES);
        if found != *model || !matches!(copies, Err(TableError::TableDoesNotExist(_))) {
            return Err("an old file that is not as it was".to_owned());
        }
    }
    Ok(before.is_none())
}

/// Migrates, and returns what was written meanwhile; both files must hold `model`.
fn migrate(bytes: Vec<u8>, model: &Model, seed: &mut Seed) -> Result<Vec<Event>, String> {
    let disk = Disk::holding(bytes);
    let settings = settings(!seed.one_in(3), seed.one_in(3));
    let db = work::migrate(&disk, &settings, TARGET).map_err(|error| format!("{error:#}"))?;
    let log = disk.log();
    if Model::of(&db).map_err(|error| format!("{error:#}"))? != *model {
        return Err("a migrated file that holds something else".to_owned());
    }
    let snapshot = db.read().unwrap();
    let table =
        |table| rows(&snapshot.contents().transaction().open_table(table).unwrap()).unwrap();
    if table(COPIES) != table(RECORDS) {
        return Err("a migrated file without all that the steps write".to_owned());
    }
    Ok(log)
}

#[test]
fn a_power_cut_while_migrating_leaves_the_old_file_or_the_new_one() {
    let count = count_from_env("BAYPLAN_IMAGES", 10_000).div_ceil(10);
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    let (mut images, mut migrated) = (0, 0);
    while images < count {
        let (stores, model) = old_stores(&mut seed);
        for start in stores {
            let mut recording = Recording {
                log: migrate(start.clone(), &model, &mut seed).unwrap(),
                start: Image {
                    file: start,
                    log: None,
                },
                periods: Vec::new(),
            };
            for depth in 0..3 {
                let mut next = recording.start.file.clone();
                for cut in 0..=recording.log.len() {
                    let survival = SURVIVALS[seed.below(SURVIVALS.len())];
                    let bytes = image(&recording, cut, [survival; 2], &mut seed).file;
                    let judged = is_migrated(&bytes, &model, &mut seed)
                        .and_then(|is| migrate(bytes.clone(), &model, &mut seed).map(|_| is))
                        .unwrap_or_else(|why| {
                            panic!("seed {first_seed}, cut {depth} at {cut} ({survival:?}): {why}")
                        });
                    assert!(judged || cut < recording.log.len(), "seed {first_seed}");
                    images += 1;
                    migrated += usize::from(judged);
                    if !judged && seed.one_in(1 + cut) {
                        next = bytes;
                    }
                }
                recording.log = migrate(next.clone(), &model, &mut seed).unwrap();
                recording.start.file = next;
            }
        }
    }
    tell(format_args!(
        "images-while-migrating={images} migrated={migrated} lost=0 panics=0 silent=0 \
         seed={first_seed}"
    ));
    assert!(0 < migrated && migrated < images);
}

#[test]
fn a_fault_in_any_call_while_migrating_is_an_error_and_opening_again_helps() {
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    let (stores, model) = old_stores(&mut seed);
    let mut faults = 0;
    for bytes in &stores {
        for call in [Call::Read, Call::Write, Call::Sync, Call::SetLen] {
            for nth in 0.. {
                let disk = Disk::holding(bytes.clone());
                disk.fail(Fault {
                    call,
                    nth,
                    times: if nth % 2 == 0 { 1 } else { usize::MAX },
                    how: How::Device,
                });
                let mut settings = settings(true, false);
                settings.cache_bytes = 0; // Without a cache, reads reach the disk.
                let done = work::migrate(&disk, &settings, TARGET).map(drop);
                if disk.failed() == 0 {
                    done.unwrap();
                    break;
                }
                faults += 1;
                let is_new = is_migrated(&disk.bytes(), &model, &mut seed).unwrap();
                assert!(is_new || done.is_err(), "{call:?} {nth}, seed {first_seed}");
                migrate(disk.bytes(), &model, &mut seed).unwrap();
            }
        }
    }
    tell(format_args!(
        "faults-while-migrating={faults} lost=0 panics=0 silent=0 seed={first_seed}"
    ));
}

/// The canary: the suite must be able to fail.
#[test]
fn a_migration_whose_last_sync_is_forgotten_is_noticed() {
    let mut seed = Seed::new(1);
    let (stores, model) = old_stores(&mut seed);
    let start = stores[0].clone();
    let recording = Recording {
        log: migrate(start.clone(), &model, &mut seed).unwrap(),
        start: Image {
            file: start,
            log: None,
        },
        periods: Vec::new(),
    };
    let mut log = recording.log.iter();
    let forgotten = log.rposition(|event| *event == Event::Sync).unwrap();
    let bytes = image(&recording, forgotten, [Survival::None; 2], &mut seed).file;
    assert_eq!(is_migrated(&bytes, &model, &mut seed), Ok(false));

    let other = Model::default();
    assert!(is_migrated(&recording.start.file, &other, &mut seed).is_err());
    assert!(migrate(recording.start.file.clone(), &other, &mut seed).is_err());
}
