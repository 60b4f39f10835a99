//! Which unsynced writes survive.

use super::disk::{Event, Image, LogEvent, apply, apply_to_log};
use super::seed::Seed;

/// Which of the unsynced writes survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Survival {
    None,
    All,
    AllButOne,
    OnlyOne,
    Some,
    /// Some, in any order: of two writes to one place the older may win, as on no real disk.
    Reordered,
    TornSectors,
    TornBytes,
    /// The last length, and none of the data.
    OnlyLength,
    /// All data, and the old length.
    NoLength,
}

pub(super) const SURVIVALS: [Survival; 10] = [
    Survival::None,
    Survival::All,
    Survival::AllButOne,
    Survival::OnlyOne,
    Survival::Some,
    Survival::Reordered,
    Survival::TornSectors,
    Survival::TornBytes,
    Survival::OnlyLength,
    Survival::NoLength,
];

/// What survives, in the order in which it reaches the disk.
pub(super) fn surviving(unsynced: &[Event], survival: Survival, seed: &mut Seed) -> Vec<Event> {
    let chosen = seed.below(unsynced.len());
    let pick = |keep: &mut dyn FnMut(usize, &Event) -> bool| {
        let events = unsynced.iter().enumerate();
        events
            .filter(|(number, event)| keep(*number, event))
            .map(|(_, event)| event.clone())
            .collect::<Vec<_>>()
    };
    let is_length = |event: &Event| matches!(event, Event::SetLen(_));
    match survival {
        Survival::None => Vec::new(),
        Survival::All => unsynced.to_vec(),
        Survival::AllButOne => pick(&mut |number, _| number != chosen),
        Survival::OnlyOne => pick(&mut |number, event| number == chosen || is_length(event)),
        Survival::Some => pick(&mut |_, _| seed.one_in(2)),
        Survival::Reordered => {
            let mut events = pick(&mut |_, _| !seed.one_in(4));
            for number in (1..events.len()).rev() {
                events.swap(number, seed.below(number + 1));
            }
            events
        }
        Survival::TornSectors => unsynced
            .iter()
            .flat_map(|event| torn_at_sectors(event, seed))
            .collect(),
        Survival::TornBytes => unsynced
            .iter()
            .enumerate()
            .map(|(number, event)| match event {
                Event::Write(at, data) if number == chosen || seed.one_in(4) => {
                    let cut = seed.below(data.len() + 1);
                    match seed.one_in(2) {
                        true => Event::Write(*at, data[..cut].into()),
                        false => Event::Write(at + cut as u64, data[cut..].into()),
                    }
                }
                other => other.clone(),
            })
            .collect(),
        Survival::OnlyLength => pick(&mut |_, event| is_length(event)),
        Survival::NoLength => pick(&mut |_, event| !is_length(event)),
    }
}

/// Returns what is on the disk after a power cut that follows these events: for each of the two files what was synced,
/// and its own part of the rest.
pub(super) fn after_a_power_cut(
    start: &Image,
    events: &[Event],
    survivals: [Survival; 2],
    seed: &mut Seed,
) -> Image {
    let of_log = |event: &Event| match event {
        Event::Log(event) => Some(event.clone()),
        _ => None,
    };
    let is_of_file = |event: &&Event| !matches!(event, Event::Log(_));
    let of_file: Vec<Event> = events.iter().filter(is_of_file).cloned().collect();
    let of_log: Vec<LogEvent> = events.iter().filter_map(of_log).collect();

    let synced = of_file.iter().rposition(|event| *event == Event::Sync);
    let (durable, rest) = of_file.split_at(synced.map_or(0, |at| at + 1));
    let mut file = start.file.clone();
    durable.iter().for_each(|event| apply(&mut file, event));
    for event in surviving(rest, survivals[0], seed) {
        apply(&mut file, &event);
    }

    let is_durable = |event: &LogEvent| matches!(event, LogEvent::Sync | LogEvent::Created(_));
    let synced = of_log.iter().rposition(is_durable);
    let (durable, rest) = of_log.split_at(synced.map_or(0, |at| at + 1));
    let mut log = start.log.clone();
    durable
        .iter()
        .for_each(|event| apply_to_log(&mut log, event));
    let write = |event: &LogEvent| match event {
        LogEvent::Write(at, data) => Some(Event::Write(*at, data.clone())),
        _ => None,
    };
    let writes: Vec<Event> = rest.iter().filter_map(write).collect();
    if let Some(log) = &mut log {
        for event in surviving(&writes, survivals[1], seed) {
            apply(log, &event);
        }
    }
    if rest.contains(&LogEvent::Removed) && survivals[1] != Survival::None && seed.one_in(2) {
        log = None;
    }
    Image { file, log }
}

fn torn_at_sectors(event: &Event, seed: &mut Seed) -> Vec<Event> {
    const SECTOR_BYTES: usize = 512;
    let Event::Write(at, data) = event else {
        return vec![event.clone()];
    };
    let sectors = data.chunks(SECTOR_BYTES).enumerate();
    sectors
        .filter(|_| !seed.one_in(3))
        .map(|(number, data)| Event::Write(at + (number * SECTOR_BYTES) as u64, data.into()))
        .collect()
}
