//! What must be in the file.

use std::collections::BTreeMap;

use super::SPEC_MAX_BYTES;
use super::told::{Change, Told};
use crate::sample::{Contents, mark_of, marked, without_stamps};

/// Containers, each with the mark that all of it follows from.
pub(super) type Marks = BTreeMap<(String, String), u64>;

/// What must be in the file, according to the children's reports.
#[derive(Default)]
pub(super) struct Model {
    containers: Marks,
    /// What each thread had begun and not finished.
    pub(super) in_flight: BTreeMap<usize, Vec<Change>>,
    pub(super) acknowledged: u64,
    /// How many snapshots were looked at while others wrote.
    pub(super) snapshots: u64,
}

impl Model {
    pub(super) fn hear(&mut self, told: Told) {
        match told {
            Told::Ready => {}
            Told::Read => self.snapshots += 1,
            Told::Begin(thread, changes) => {
                assert!(self.in_flight.insert(thread, changes).is_none());
            }
            Told::Done(thread) => {
                let changes = self.in_flight.remove(&thread).expect("it was begun");
                apply(&mut self.containers, &changes);
                self.acknowledged += 1;
            }
            Told::Failed(why) => panic!("a child failed: {why}"),
        }
    }

    /// Compares with what is in the file, where each operation in flight is done or not, and
    /// remembers which.
    pub(super) fn settle(&mut self, contents: &Contents) -> Result<(), String> {
        let found = found(contents)?;
        let mut expected = std::mem::take(&mut self.containers);
        for (thread, changes) in std::mem::take(&mut self.in_flight) {
            let mut done = expected.clone();
            apply(&mut done, &changes);
            if of_thread(&found, thread) == of_thread(&done, thread) {
                expected = done;
            }
        }
        let is_same = found == expected;
        let difference = difference(&expected, &found);
        self.containers = expected;
        if is_same { Ok(()) } else { Err(difference) }
    }
}

/// Those that belong to a thread.
pub(super) fn of_thread(all: &Marks, thread: usize) -> Marks {
    let prefix = format!("t{thread}-");
    let mut all = all.clone();
    all.retain(|(_, id), _| id.starts_with(&prefix));
    all
}

pub(super) fn apply(containers: &mut Marks, changes: &[Change]) {
    for (key, mark) in changes {
        match mark {
            Some(mark) => containers.insert(key.clone(), *mark),
            None => containers.remove(key),
        };
    }
}

/// The marks of the stored containers, after checking that each is complete.
pub(super) fn found(contents: &Contents) -> Result<Marks, String> {
    let mut found = BTreeMap::new();
    for (key, container) in &contents.containers {
        let mark = mark_of(container).ok_or(format!("{key:?} has no mark"))?;
        let whole = marked(&key.1, mark, SPEC_MAX_BYTES);
        let stored = without_stamps(container.clone());
        // What an update does not take from its input stays as the first create made it.
        let same = stored.spec == whole.spec
            && stored.labels == whole.labels
            && stored.extensions == whole.extensions
            && stored.snapshot_key == whole.snapshot_key;
        if !same {
            return Err(format!("{key:?} is not what was stored: {stored:?}"));
        }
        found.insert(key.clone(), mark);
    }
    Ok(found)
}

fn difference(expected: &Marks, found: &Marks) -> String {
    let lost = expected
        .iter()
        .filter(|(key, mark)| found.get(*key) != Some(mark));
    let extra = found
        .iter()
        .filter(|(key, mark)| expected.get(*key) != Some(mark));
    format!(
        "lost {:?}, too much {:?}",
        lost.collect::<Vec<_>>(),
        extra.collect::<Vec<_>>()
    )
}
