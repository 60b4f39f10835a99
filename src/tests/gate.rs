//! The gate against a plain vector of bytes.

use proptest::collection::vec;
use proptest::prelude::*;
use redb::StorageBackend;

use super::disk::{Call, Disk, Event, Fault, How, apply};
use crate::redb_file::backend::gated;
use crate::redb_file::gate::Access;
use crate::redb_file::trees::Extent;

#[derive(Clone, Debug)]
enum Action {
    Write(usize, Vec<u8>),
    SetLen(usize),
    Sync,
    Read(usize, usize),
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let len = 0..20_000usize;
    let data = (1..9_000usize, any::<u8>()).prop_map(|(len, byte)| vec![byte; len]);
    let action = prop_oneof![
        4 => (len.clone(), data).prop_map(|(at, data)| Action::Write(at, data)),
        2 => len.clone().prop_map(Action::SetLen),
        1 => (0..6usize).prop_map(|blocks| Action::SetLen(blocks * 4096)),
        1 => Just(Action::Sync),
        4 => (len.clone(), len).prop_map(|(at, count)| Action::Read(at, count)),
    ];
    vec(action, 1..40)
}

/// Applies the actions that stay within the length, as redb's do. Returns them with that length, and the resulting
/// bytes.
fn within(mut model: Vec<u8>, actions: Vec<Action>) -> (Vec<Action>, Vec<u8>) {
    let mut kept = Vec::new();
    for action in actions {
        match &action {
            Action::Write(at, data) if at + data.len() > model.len() => continue,
            Action::Write(at, data) => model[*at..at + data.len()].copy_from_slice(data),
            Action::SetLen(len) => model.resize(*len, 0),
            Action::Sync | Action::Read(..) => {}
        }
        kept.push(action);
    }
    (kept, model)
}

fn run(action: &Action, backend: &dyn StorageBackend, model: &mut Vec<u8>) {
    match action {
        Action::Write(at, data) => {
            backend.write(*at as u64, data).unwrap();
            model[*at..at + data.len()].copy_from_slice(data);
        }
        Action::SetLen(len) => {
            backend.set_len(*len as u64).unwrap();
            model.resize(*len, 0);
        }
        Action::Sync => backend.sync_data().unwrap(),
        Action::Read(at, count) => {
            let mut out = vec![0xaa; *count];
            match model.get(*at..at + count) {
                Some(bytes) => {
                    backend.read(*at as u64, &mut out).unwrap();
                    assert!(out == bytes, "read {count} at {at}");
                }
                None => assert!(backend.read(*at as u64, &mut out).is_err()),
            }
        }
    }
    assert_eq!(backend.len().unwrap(), model.len() as u64);
}

fn whole(backend: &dyn StorageBackend) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(backend.len().unwrap()).unwrap()];
    backend.read(0, &mut bytes).unwrap();
    bytes
}

fn start() -> impl Strategy<Value = Vec<u8>> {
    (0..15_000usize, any::<u8>()).prop_map(|(len, first)| {
        (0..len)
            .map(|at| first.wrapping_add((at % 251) as u8))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn behind_the_closed_gate_reads_see_the_writes_and_the_file_does_not(
        bytes in start(),
        actions in actions(),
    ) {
        for access in [Access::Write, Access::Inspect] {
            let disk = Disk::holding(bytes.clone());
            let (backend, _gate) = gated(disk.clone(), access, Extent::OwnTables, |_| {});
            let mut model = bytes.clone();
            for action in &within(bytes.clone(), actions.clone()).0 {
                run(action, &backend, &mut model);
            }
            prop_assert!(whole(&backend) == model);
            prop_assert!(disk.bytes() == bytes);
            prop_assert_eq!(disk.log_len(), 0);
        }
    }

    #[test]
    fn opening_the_gate_brings_the_file_up_to_what_was_written(
        bytes in start(),
        actions in actions(),
        later in actions(),
    ) {
        let disk = Disk::holding(bytes.clone());
        let (backend, gate) = gated(disk.clone(), Access::Write, Extent::OwnTables, |_| {});
        let mut model = bytes.clone();
        let (actions, after) = within(bytes, actions);
        for action in &actions {
            run(action, &backend, &mut model);
        }
        gate.open().unwrap();
        prop_assert!(disk.bytes() == model);
        prop_assert!(whole(&backend) == model);
        prop_assert_eq!(disk.log(), events(&actions));
        for action in &within(after, later).0 {
            run(action, &backend, &mut model);
            prop_assert!(disk.bytes() == model);
        }
    }

    #[test]
    fn a_gate_that_may_only_inspect_never_writes(bytes in start(), actions in actions()) {
        let disk = Disk::holding(bytes.clone());
        let (backend, gate) = gated(disk.clone(), Access::Inspect, Extent::OwnTables, |_| {});
        let mut model = bytes.clone();
        let (actions, after) = within(bytes.clone(), actions);
        for action in &actions {
            run(action, &backend, &mut model);
        }
        gate.open().unwrap();
        for action in &within(after, actions).0 {
            run(action, &backend, &mut model);
        }
        prop_assert!(whole(&backend) == model);
        prop_assert!(disk.bytes() == bytes);
        prop_assert_eq!(disk.log_len(), 0);
    }

    #[test]
    fn a_fault_while_the_gate_opens_leaves_a_prefix_of_what_was_written(
        bytes in start(),
        actions in actions(),
        call in prop_oneof![Just(Call::Write), Just(Call::SetLen), Just(Call::Sync)],
        nth in 0..8usize,
    ) {
        let disk = Disk::holding(bytes.clone());
        let (backend, gate) = gated(disk.clone(), Access::Write, Extent::OwnTables, |_| {});
        let mut model = bytes.clone();
        let actions = within(bytes.clone(), actions).0;
        for action in &actions {
            run(action, &backend, &mut model);
        }
        disk.fail(Fault { call, nth, times: 1, how: How::Device });
        let opened = gate.open();
        let all = events(&actions);
        let done = disk.log();
        prop_assert_eq!(opened.is_err(), disk.failed() > 0);
        prop_assert_eq!(done.len() < all.len(), opened.is_err());
        prop_assert!(all.starts_with(&done));
        let mut expected = bytes;
        done.iter().for_each(|event| apply(&mut expected, event));
        prop_assert!(disk.bytes() == expected);
    }
}

fn events(actions: &[Action]) -> Vec<Event> {
    let events = actions.iter().filter_map(|action| {
        Some(match action {
            Action::Write(at, data) => Event::Write(*at as u64, data.as_slice().into()),
            Action::SetLen(len) => Event::SetLen(*len as u64),
            Action::Sync => Event::Sync,
            Action::Read(..) => return None,
        })
    });
    events.collect()
}
