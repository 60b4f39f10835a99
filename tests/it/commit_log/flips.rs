//! A flipped byte anywhere in a log is refused or harmless; in the last frame it looks as if that had not reached
//! the disk.
//!
//! `BAYPLAN_FLIPS` sets how many bytes are flipped, `BAYPLAN_SEED` repeats a run.

use std::fs;

use bayplan::Db;

use super::{BLOCK_BYTES, HEADS_BYTES, LOG_BYTES, Place, SECOND_HALF, holding};
use crate::sample::{Contents, marked};
use crate::seed::{Seed, count_from_env, tell};

/// What came of all flips.
#[derive(Debug, Default)]
struct Tally {
    refused: usize,
    harmless: usize,
    went_back: usize,
}

/// A killed store in the second epoch of its log, what it holds, what it held before the last commit, and where the last frame begins and ends.
fn image(seed: &mut Seed) -> (Place, [Contents; 2], [usize; 2]) {
    let (place, db, store) = holding(&[]);
    for number in 0..40 {
        let most = [0, 3_000, 20_000][seed.below(3)];
        store
            .create(marked(&format!("c{number}"), seed.number(), most))
            .unwrap();
        match number {
            10 => db.checkpoint().unwrap(),
            20 => store.delete("c3").unwrap(),
            _ => {}
        }
    }
    let before = Contents::of(&db).unwrap();
    let end = |place: &Place| {
        let log = fs::read(place.log()).unwrap();
        let used = log.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        used.next_multiple_of(BLOCK_BYTES)
    };
    let start = end(&place);
    store.create(marked("last", seed.number(), 3_000)).unwrap();
    let frame = [start, end(&place)];
    (
        place.as_after_a_kill(),
        [Contents::of(&db).unwrap(), before],
        frame,
    )
}

#[test]
fn a_flipped_byte_anywhere_in_the_log_is_refused_or_harmless() {
    let flips = count_from_env("BAYPLAN_FLIPS", 2_000);
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    let (place, [all, before], last) = image(&mut seed);
    let log = fs::read(place.log()).unwrap();
    assert!(log.len() as u64 == LOG_BYTES && last[0] < last[1]);
    let mut tally = Tally::default();
    for number in 0..flips {
        let at = match number % 8 {
            0 => seed.below(HEADS_BYTES),
            1 => last[0] + seed.below(last[1] - last[0]),
            2 => last[1] + seed.below(log.len() - last[1]),
            3 => HEADS_BYTES + seed.below(SECOND_HALF - HEADS_BYTES),
            _ => SECOND_HALF + seed.below(last[0] - SECOND_HALF),
        };
        let flipped = log[at] ^ (1 << seed.below(8));
        write_byte(&place, at, flipped);
        // Reading changes nothing of the store.
        match Db::open_read_only(place.store()).and_then(|db| Contents::of(&db)) {
            Ok(found) if found == all => tally.harmless += 1,
            Ok(found) => {
                assert!(found == before, "byte {at}, seed {first_seed}: other data");
                assert!(
                    (last[0]..last[1]).contains(&at),
                    "byte {at}, seed {first_seed}: lost"
                );
                tally.went_back += 1;
            }
            Err(error) => {
                assert!(
                    error.is_corrupt(),
                    "byte {at}, seed {first_seed}: {error:#}"
                );
                tally.refused += 1;
            }
        }
        write_byte(&place, at, log[at]);
    }
    tell(format_args!(
        "log-flips={flips} refused={} harmless={} went-back={} panics=0 silent=0 seed={first_seed}",
        tally.refused, tally.harmless, tally.went_back
    ));
    assert!(tally.refused > flips / 2 && tally.harmless > 0 && tally.went_back > 0);
}

fn write_byte(place: &Place, at: usize, byte: u8) {
    use std::io::{Seek, SeekFrom, Write};

    let mut file = fs::OpenOptions::new()
        .write(true)
        .open(place.log())
        .unwrap();
    file.seek(SeekFrom::Start(at as u64)).unwrap();
    file.write_all(&[byte]).unwrap();
}
