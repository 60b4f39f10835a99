//! What survives of writes that were not synced.

use super::disk::Event;
use super::seed::Seed;

/// Which of the unsynced writes survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Survival {
    None,
    All,
    AllButOne,
    OnlyOne,
    Some,
    /// Some, in any order: of two writes to one place the older may win, as on no disk there is.
    Reordered,
    TornSectors,
    TornBytes,
    /// The length as it was set last, and nothing of the data.
    OnlyLength,
    /// All data, and the length as it was.
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
