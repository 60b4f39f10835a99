//! Work on a store, step by step, along with a model of its content.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bayplan::{Container, Db, Detail, FieldMask, Labels, Position, Result, Store};
use chrono::DateTime;

use super::disk::{Beside, Disk};
use super::sample::{Contents, marked, without_stamps};
use super::seed::Seed;
use crate::model::policy::Share;
use crate::session::file;
use crate::session::log::place::LogPlace;
use crate::session::log::recover::OnLoss;
use crate::session::migrate::Target;
use crate::session::settings::Settings;

const NAMESPACES: [&str; 2] = ["default", "k8s.io"];
const IDS: usize = 9;

/// Low enough that some are forgotten in each workload.
const TOMBSTONES_MAX_COUNT: u64 = 4;

/// A log of which half is full after some commits.
const LOG_BYTES: u64 = 16 * 4096;

/// The content of a store, without times and revisions, which cannot be predicted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) containers: BTreeMap<(String, String), Container>,
    pub(super) namespaces: BTreeMap<String, Labels>,
}

impl Model {
    /// Returns what the store holds, or the error of the first damage that a check finds.
    pub(super) fn of(db: &Db) -> Result<Self> {
        db.check()?.into_result()?;
        Self::of_unchecked(db)
    }

    pub(super) fn of_unchecked(db: &Db) -> Result<Self> {
        Contents::of(db).map(Self::without_stamps)
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Create(name, container) => {
                self.namespaces.entry(name.clone()).or_default();
                let key = (name.clone(), container.id.clone());
                self.containers.insert(key, container.clone());
            }
            Change::Update(name, container) => {
                let key = (name.clone(), container.id.clone());
                let stored = self.containers.get_mut(&key).unwrap();
                stored.labels = container.labels.clone();
                stored.spec = container.spec.clone();
                stored.extensions = container.extensions.clone();
            }
            Change::Delete(name, id) => {
                self.containers.remove(&(name.clone(), id.clone()));
            }
            Change::Label(name, value) => {
                let labels = self.namespaces.entry(name.clone()).or_default();
                labels.insert("of".into(), value.clone());
            }
        }
    }

    /// Returns what a follower knows after it continues from a position, starting from this content; `None` if it
    /// cannot continue.
    pub(super) fn followed(&self, db: &Db, from: Position) -> Result<Option<Self>, String> {
        let mut known = Contents {
            containers: self.containers.clone(),
            namespaces: self.namespaces.clone(),
            ..Contents::default()
        };
        let changes = match db.changes_since(from, Detail::Whole) {
            Ok(changes) => changes,
            Err(error) if error.is_lagged() => return Ok(None),
            Err(error) => return Err(format!("{error:#}")),
        };
        for change in changes {
            known.apply(change.map_err(|error| format!("{error:#}"))?)?;
        }
        Ok(Some(Self::without_stamps(known)))
    }

    fn without_stamps(contents: Contents) -> Self {
        let bare = |(key, container)| (key, without_stamps(container));
        Self {
            containers: contents.containers.into_iter().map(bare).collect(),
            namespaces: contents.namespaces,
        }
    }

    fn with(&self, changes: &[Change]) -> Self {
        let mut model = self.clone();
        changes.iter().for_each(|change| model.apply(change));
        model
    }
}

#[derive(Clone, Debug)]
enum Change {
    Create(String, Container),
    Update(String, Container),
    Delete(String, String),
    Label(String, String),
}

impl Change {
    /// Chooses a change that fits the content.
    fn random(model: &Model, seed: &mut Seed) -> Self {
        let name = NAMESPACES[seed.below(NAMESPACES.len())].to_owned();
        if seed.one_in(10) {
            return Self::Label(name, seed.number().to_string());
        }
        let id = format!("c{}", seed.below(IDS));
        let most = [0, 300, 3_000, 20_000][seed.below(4)];
        let container = marked(&id, seed.number(), most);
        match model.containers.contains_key(&(name.clone(), id.clone())) {
            false => Self::Create(name, container),
            true if seed.one_in(3) => Self::Delete(name, id),
            true => Self::Update(name, container),
        }
    }

    fn run<'s>(&self, store: impl Fn(&str) -> Result<Box<dyn Store + 's>>) -> Result<()> {
        let mask = || FieldMask::parse(["labels", "spec", "extensions"]).unwrap();
        match self {
            Self::Create(name, container) => store(name)?.create(container.clone()).map(|_| ()),
            Self::Update(name, container) => {
                let done = store(name)?.update(container.clone(), &mask());
                done.map(|_| ())
            }
            Self::Delete(name, id) => store(name)?.delete(id),
            Self::Label(..) => unreachable!("a label is not set through a store"),
        }
    }

    fn run_alone(&self, db: &Db) -> Result<()> {
        match self {
            Self::Label(name, value) => db.set_namespace_label(name, "of", value),
            other => other.run(|name| Ok(Box::new(db.namespace(name)?))),
        }
    }
}

/// One step of work: what it did, and what may be in the file while it runs or if its outcome is uncertain.
pub(super) struct Step {
    pub(super) outcome: Result<()>,
    /// What is in the file once it has succeeded.
    pub(super) after: Model,
    /// What else may be in the file, apart from the previous content.
    pub(super) possible: Vec<Model>,
}

/// Does something that fits the model.
pub(super) fn step(db: &Db, before: &Model, seed: &mut Seed) -> Step {
    match seed.below(13) {
        0..4 => transaction(db, before, seed),
        4 | 5 => together(db, before, seed),
        6 => checkpoint(db, before),
        _ => {
            let change = Change::random(before, seed);
            Step {
                outcome: change.run_alone(db),
                after: before.with(&[change]),
                possible: Vec::new(),
            }
        }
    }
}

fn transaction(db: &Db, before: &Model, seed: &mut Seed) -> Step {
    let mut after = before.clone();
    let mut changes = Vec::new();
    for _ in 0..2 + seed.below(5) {
        let change = Change::random(&after, seed);
        after.apply(&change);
        changes.push(change);
    }
    let outcome = db.write(|txn| {
        for change in &changes {
            match change {
                Change::Label(name, value) => txn.set_namespace_label(name, "of", value)?,
                other => other.run(|name| Ok(Box::new(txn.namespace(name)?)))?,
            }
        }
        Ok(())
    });
    Step {
        outcome,
        after,
        possible: Vec::new(),
    }
}

/// A commit that changes nothing but how the file is opened next.
pub(super) fn checkpoint(db: &Db, before: &Model) -> Step {
    Step {
        outcome: db.checkpoint(),
        after: before.clone(),
        possible: Vec::new(),
    }
}

/// Runs several threads at once, which wait for one writer and so share a commit.
fn together(db: &Db, before: &Model, seed: &mut Seed) -> Step {
    let mut changes = BTreeMap::new();
    for _ in 0..4 {
        let change = Change::random(before, seed);
        let about = match &change {
            Change::Create(name, container) | Change::Update(name, container) => {
                (name.clone(), container.id.clone())
            }
            Change::Delete(name, id) => (name.clone(), id.clone()),
            Change::Label(name, _) => (name.clone(), String::new()),
        };
        changes.entry(about).or_insert(change);
    }
    let changes: Vec<Change> = changes.into_values().collect();
    let outcomes: Vec<Result<()>> = thread::scope(|scope| {
        let writing = db.begin_write();
        let threads: Vec<_> = changes
            .iter()
            .map(|change| scope.spawn(|| change.run_alone(db)))
            .collect();
        thread::sleep(Duration::from_millis(1));
        drop(writing);
        let outcomes = threads.into_iter().map(|thread| thread.join().unwrap());
        outcomes.collect()
    });
    // Each of them may be in the store; those that were acknowledged must be.
    let mut possible = Vec::new();
    for chosen in 0..1usize << changes.len() {
        let subset: Vec<Change> = (0..changes.len())
            .filter(|number| chosen >> number & 1 == 1)
            .map(|number| changes[number].clone())
            .collect();
        let fits =
            (0..changes.len()).all(|number| chosen >> number & 1 == 1 || outcomes[number].is_err());
        let all_succeeded = outcomes.iter().all(Result::is_ok);
        if fits || all_succeeded {
            possible.push(before.with(&subset));
        }
    }
    Step {
        outcome: outcomes.into_iter().collect(),
        after: before.with(&changes),
        possible,
    }
}

/// Returns the position of a follower that knows everything in the store.
pub(super) fn position(db: &Db) -> Position {
    let mut changes = db.changes_since(Position::START, Detail::Id).unwrap();
    (&mut changes).for_each(|change| drop(change.unwrap()));
    changes.position()
}

pub(super) fn settings(check_integrity: bool, live_readers: bool) -> Settings {
    Settings {
        keep_empty_labels: false,
        cache_bytes: 1 << 20,
        rules: None,
        check_integrity,
        memory_bytes: 1 << 20,
        share: Some(match live_readers {
            true => Share::Readers,
            false => Share::Nobody,
        }),
        lock_timeout: None,
        tombstones_max_count: TOMBSTONES_MAX_COUNT,
        poll_interval: Duration::from_millis(1),
        commit_log: false,
        log_bytes: LOG_BYTES,
        checkpoints_beside: false,
        on_log_loss: OnLoss::Refuse,
        expected_uuid: None,
        on_repair: None,
        clock: Arc::new(|| DateTime::from_timestamp(1_700_000_000, 0).unwrap()),
    }
}

/// Returns the settings with commits through a log that is soon full.
pub(super) fn with_log(settings: Settings) -> Settings {
    Settings {
        commit_log: true,
        ..settings
    }
}

fn beside(disk: &Disk) -> Option<Box<dyn LogPlace>> {
    Some(Box::new(Beside(disk.clone())))
}

pub(super) fn create(disk: &Disk, settings: &Settings) -> Result<Db> {
    file::create_backend(disk.clone(), beside(disk), settings, None).map(Db::new)
}

/// Opens a store, and brings it to another version.
pub(super) fn migrate(disk: &Disk, settings: &Settings, target: Target) -> Result<Db> {
    file::open_and_migrate(disk.clone(), beside(disk), settings, None, target).map(Db::new)
}

pub(super) fn open(disk: &Disk, settings: &Settings) -> Result<Db> {
    file::open_backend(disk.clone(), beside(disk), settings, None).map(Db::new)
}

/// Compacts and closes the store.
pub(super) fn compact(db: Db) -> Result<()> {
    crate::maintenance::compact::compact(db)
}

pub(super) fn inspect(disk: &Disk, settings: &Settings) -> Result<Db> {
    let open = || Ok(disk.clone());
    file::inspect_backend(open, open, || Ok(beside(disk)), settings, None).map(Db::new)
}
