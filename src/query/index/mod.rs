//! The index in memory: which containers have a label, an image, a runtime, ...
//!
//! It answers for one version of the store only: the one that the last commit made. A query from a
//! snapshot of that version is given candidates; from any other, it reads the namespace. So the
//! index can be slow or missing, but never wrong: what it leaves out does not match, and what it
//! names is still read and matched.
//!
//! A commit is first told to the index, then shown to readers, by one thread at a time: so a
//! snapshot is of the version that the index has when it is taken.
//!
//! Topics such as "the label app in k8s.io" are kept as 64-bit hashes with a random key: two that
//! collide name candidates too many, which do not match.
//!
//! The index is built at the first query that it can serve, from one pass over the headers, while
//! writers go on.

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use self::inverted::Inverted;
use self::postings::Postings;
pub(crate) use self::terms::Described;
use self::terms::{Topic, is_served};
use crate::filter::{Filter, Filters, Required};
use crate::model::field::Field;
use crate::model::identifier::NamespaceName;
use crate::model::revision::Revision;
use crate::query::Plan;

/// A query for which more than this share of all containers are candidates reads all of them: where
/// one in five matched, counting by the index took nearly twice as long as reading.
const CANDIDATES_MAX_SHARE: usize = 8;

/// A page is read if fewer containers are likely to be read for it than this share of its candidates.
/// The share is chosen, not measured.
const COLLECTED_WHILE_READ: usize = 4;

/// Candidates so few that a regular expression need not make them fewer.
const FEW: usize = 64;

/// A transaction that changes more containers than this makes the index be built anew.
const CHANGES_MAX_COUNT: usize = 16_384;

mod inverted;
mod postings;
mod terms;

/// The index of one open store.
pub(crate) struct Index {
    hasher: RandomState,
    max_bytes: usize,
    state: RwLock<State>,
}

struct State {
    /// Counts the commits that changed containers.
    version: u64,
    stage: Stage,
}

enum Stage {
    Unbuilt,
    /// A build from the snapshot of the version `from`, and what was committed since it began.
    Building {
        from: u64,
        log: Vec<Change>,
    },
    Ready(Inverted),
    /// Not to be built: switched off, too large, or the store is damaged.
    Off,
}

/// A container as a transaction leaves it.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) namespace: NamespaceName,
    pub(crate) id: String,
    /// The revision that it has now; none if it is deleted.
    pub(crate) revision: Option<Revision>,
    values: Vec<Value>,
}

/// A value and the hash of its topic.
type Value = (u64, Arc<str>);

/// What one transaction has changed so far.
#[derive(Debug)]
pub(crate) struct Changes {
    /// All changes; none if they are too many.
    all: Option<Vec<Change>>,
}

impl Changes {
    /// A container is stored.
    pub(crate) fn stored<'a>(
        &mut self,
        index: &Index,
        namespace: &NamespaceName,
        container: impl Into<Described<'a>>,
    ) {
        if !index.is_off() {
            self.push(index.stored(namespace, container));
        }
    }

    /// A container is deleted.
    pub(crate) fn deleted(&mut self, index: &Index, namespace: &NamespaceName, id: &str) {
        if !index.is_off() {
            let (namespace, id) = (namespace.clone(), id.to_owned());
            self.push(Change {
                namespace,
                id,
                revision: None,
                values: Vec::new(),
            });
        }
    }

    fn push(&mut self, change: Change) {
        match &mut self.all {
            Some(all) if all.len() < CHANGES_MAX_COUNT => all.push(change),
            _ => self.all = None,
        }
    }
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            all: Some(Vec::new()),
        }
    }
}

/// What an index can say to a query.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Look there.
    Look(Plan),
    /// It would know, if it were built.
    Build,
}

impl Index {
    /// An index that takes about `max_bytes` at most; with 0, none.
    pub(crate) fn new(max_bytes: usize) -> Self {
        let stage = if max_bytes == 0 {
            Stage::Off
        } else {
            Stage::Unbuilt
        };
        Self {
            hasher: RandomState::new(),
            max_bytes,
            state: RwLock::new(State { version: 0, stage }),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there will be no index as long as the store is open.
    fn is_off(&self) -> bool {
        matches!(self.read().stage, Stage::Off)
    }

    /// The version of a snapshot that is taken now; none if there is no index to answer for it.
    pub(crate) fn version(&self) -> Option<u64> {
        let state = self.read();
        (!matches!(state.stage, Stage::Off)).then_some(state.version)
    }

    /// How to find what may match in a snapshot of this version.
    ///
    /// `limit` is how many are asked for: a few of many are found sooner by reading.
    pub(crate) fn ask(
        &self,
        version: u64,
        namespace: &NamespaceName,
        filters: &Filters,
        limit: usize,
    ) -> Answer {
        if let Plan::Ids(ids) = Plan::of(filters) {
            return Answer::Look(Plan::Ids(ids));
        }
        if filters.is_all() || !filters.iter().all(is_served) {
            return Answer::Look(Plan::All);
        }
        let state = self.read();
        if state.version != version {
            return Answer::Look(Plan::All);
        }
        match &state.stage {
            Stage::Unbuilt => Answer::Build,
            Stage::Building { .. } | Stage::Off => Answer::Look(Plan::All),
            Stage::Ready(inverted) => {
                Answer::Look(self.candidates(inverted, namespace, filters, limit))
            }
        }
    }

    fn candidates(
        &self,
        inverted: &Inverted,
        name: &NamespaceName,
        filters: &Filters,
        limit: usize,
    ) -> Plan {
        let mut all = Vec::new();
        let mut count = 0;
        for filter in filters.iter() {
            let Some(candidates) = self.fewest(inverted, name, filter) else {
                return Plan::All;
            };
            count += candidates.len();
            all.push(candidates);
        }
        // About how many are read until `limit` are found, if the candidates are spread evenly.
        let read_count = limit.saturating_mul(inverted.len() / count.max(1));
        if count > inverted.len() / CANDIDATES_MAX_SHARE
            || count > FEW && read_count < count / COLLECTED_WHILE_READ
        {
            return Plan::All;
        }
        let mut ids = BTreeSet::new();
        for candidates in &all {
            match candidates {
                Candidates::Id(id) => {
                    ids.insert((*id).to_owned());
                }
                Candidates::Postings(all) => {
                    let numbers = all.iter().flat_map(|postings| postings.iter());
                    ids.extend(
                        numbers
                            .filter_map(|number| inverted.id(number))
                            .map(str::to_owned),
                    );
                }
            }
        }
        Plan::Ids(ids)
    }

    /// What a filter requires that the fewest containers have.
    fn fewest<'a>(
        &self,
        inverted: &'a Inverted,
        name: &NamespaceName,
        filter: &'a Filter,
    ) -> Option<Candidates<'a>> {
        let of = |required| self.candidates_of(inverted, name, required);
        // Regular expressions are tried on every value: only where nothing else narrows down.
        let is_pattern = |required: &Required<'_>| matches!(required, Required::Matches(..));
        let plain = filter
            .required()
            .filter(|required| !is_pattern(required))
            .filter_map(of);
        let plain = plain.min_by_key(Candidates::len);
        if plain.as_ref().is_some_and(|few| few.len() <= FEW) {
            return plain;
        }
        let patterns = filter.required().filter(is_pattern).filter_map(of);
        patterns.chain(plain).min_by_key(Candidates::len)
    }

    fn candidates_of<'a>(
        &self,
        inverted: &'a Inverted,
        name: &NamespaceName,
        required: Required<'a>,
    ) -> Option<Candidates<'a>> {
        let topic = |field| Topic::of(field).map(|topic| self.topic(name, &topic));
        let found: Vec<&Postings> = match required {
            Required::Equals(Field::Id, id) => {
                return Some(
                    str::from_utf8(id)
                        .map_or_else(|_| Candidates::Postings(Vec::new()), Candidates::Id),
                );
            }
            Required::Equals(field, value) => {
                let topic = topic(field)?;
                let value = str::from_utf8(value).ok();
                value
                    .and_then(|value| inverted.of_value(topic, value))
                    .into_iter()
                    .collect()
            }
            Required::Present(field) => inverted.of_topic(topic(field)?).into_iter().collect(),
            Required::Matches(field, pattern) => {
                inverted.of_passing(topic(field)?, |value| pattern.is_match(value.as_bytes()))
            }
        };
        Some(Candidates::Postings(found))
    }

    fn topic(&self, namespace: &NamespaceName, topic: &Topic<'_>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        namespace.hash(&mut hasher);
        topic.hash(&mut hasher);
        hasher.finish()
    }

    /// A container as a transaction leaves it.
    fn stored<'a>(&self, namespace: &NamespaceName, of: impl Into<Described<'a>>) -> Change {
        let of = of.into();
        Change {
            namespace: namespace.clone(),
            id: of.id.to_owned(),
            revision: Some(of.revision),
            values: of
                .values()
                .map(|(topic, value)| (self.topic(namespace, &topic), Arc::from(value)))
                .collect(),
        }
    }

    /// A commit of these changes is made; or, if that is not known, may have been.
    pub(crate) fn settle(&self, changes: Changes, is_known: bool) {
        if changes.all.as_ref().is_some_and(Vec::is_empty) {
            return;
        }
        let mut state = self.write();
        state.version += 1;
        if !is_known {
            state.stage = Stage::Off;
        }
        let Some(changes) = changes.all else {
            if !matches!(state.stage, Stage::Off) {
                state.stage = Stage::Unbuilt;
            }
            return;
        };
        let fits = match &mut state.stage {
            Stage::Unbuilt | Stage::Off => true,
            Stage::Building { log, .. } => {
                log.extend(changes);
                if log.len() > CHANGES_MAX_COUNT {
                    state.stage = Stage::Unbuilt;
                }
                true
            }
            Stage::Ready(inverted) => {
                changes.iter().all(|change| inverted.apply(change))
                    && inverted.bytes() <= self.max_bytes
            }
        };
        if !fits {
            self.give_up(&mut state, "it is too large");
        }
    }

    fn give_up(&self, state: &mut State, why: &str) {
        tracing::warn!(
            max_bytes = self.max_bytes,
            why,
            "no index: filters read every container"
        );
        state.stage = Stage::Off;
    }

    /// Begins to build the index from a snapshot of this version, unless it is too late for that
    /// or somebody else does.
    pub(crate) fn build(&self, version: u64) -> Option<Build<'_>> {
        let mut state = self.write();
        if state.version != version || !matches!(state.stage, Stage::Unbuilt) {
            return None;
        }
        state.stage = Stage::Building {
            from: version,
            log: Vec::new(),
        };
        Some(Build {
            index: self,
            from: version,
            inverted: Inverted::default(),
            done: false,
        })
    }
}

/// The index while it is built. If it is dropped before it is finished, there will be none.
///
/// A transaction too large to be told ends the build without its knowledge, and another one may
/// begin: that one's log is not for this one.
pub(crate) struct Build<'a> {
    index: &'a Index,
    /// The version that it is built from. No two builds have the same.
    from: u64,
    inverted: Inverted,
    done: bool,
}

impl Build<'_> {
    /// Adds a container; false if the index has become too large.
    pub(crate) fn add<'b>(
        &mut self,
        namespace: &NamespaceName,
        container: impl Into<Described<'b>>,
    ) -> bool {
        self.inverted
            .apply(&self.index.stored(namespace, container))
            && self.inverted.bytes() <= self.index.max_bytes
    }

    /// Adds what was committed meanwhile, and lets the index answer.
    pub(crate) fn finish(mut self) {
        let mut state = self.index.write();
        if let Some(log) = self.log(&mut state) {
            let log = std::mem::take(log);
            if !log.iter().all(|change| self.inverted.apply(change)) {
                return;
            }
            state.stage = Stage::Ready(std::mem::take(&mut self.inverted));
        }
        self.done = true;
    }

    /// What was committed meanwhile, if this is still the build that goes on.
    fn log<'s>(&self, state: &'s mut State) -> Option<&'s mut Vec<Change>> {
        match &mut state.stage {
            Stage::Building { from, log } if *from == self.from => Some(log),
            _ => None,
        }
    }
}

impl Drop for Build<'_> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let mut state = self.index.write();
        if self.log(&mut state).is_some() {
            self.index
                .give_up(&mut state, "it is too large, or a container is damaged");
        }
    }
}

/// The containers that may match one filter.
enum Candidates<'a> {
    Id(&'a str),
    Postings(Vec<&'a Postings>),
}

impl Candidates<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Id(_) => 1,
            Self::Postings(found) => found.iter().map(|postings| postings.len()).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Any, Container, Runtime};

    #[test]
    fn a_build_that_was_overtaken_does_not_take_the_place_of_the_next_one() {
        let index = Index::new(usize::MAX);
        let name = NamespaceName::new("a").unwrap();
        let container = |number: usize| {
            let id = format!("c{number}");
            let container = Container::new(id, Runtime::new("runc"), Any::default());
            container.label("n", number.to_string())
        };
        let overtaken = index.build(0).unwrap();
        // A transaction that changes more than the index is told.
        let mut changes = Changes::default();
        for number in 0..=CHANGES_MAX_COUNT {
            changes.stored(&index, &name, &container(number));
        }
        index.settle(changes, true);
        let mut next = index.build(1).unwrap();
        overtaken.finish();
        for number in 0..=CHANGES_MAX_COUNT {
            assert!(next.add(&name, &container(number)));
        }
        next.finish();
        assert_eq!(
            index.ask(
                1,
                &name,
                &Filters::parse(["labels.n==7"]).unwrap(),
                usize::MAX
            ),
            Answer::Look(Plan::Ids(["c7".to_owned()].into()))
        );
    }

    #[test]
    fn what_is_stored_while_it_is_built_never_switches_it_off() {
        let index = Index::new(usize::MAX);
        let name = NamespaceName::new("a").unwrap();
        let filters = Filters::parse(["labels.n==7"]).unwrap();
        let overtaken = index.build(0).unwrap();
        // Many transactions, together more than the log holds.
        for number in 0..=CHANGES_MAX_COUNT {
            let container =
                Container::new(format!("c{number}"), Runtime::new("runc"), Any::default());
            let mut changes = Changes::default();
            changes.stored(&index, &name, &container);
            index.settle(changes, true);
        }
        let version = index.version().unwrap();
        assert_eq!(index.ask(version, &name, &filters, 1), Answer::Build);
        let next = index.build(version).unwrap();
        // The one that was overtaken gives up its own build only.
        drop(overtaken);
        next.finish();
        let nothing = Answer::Look(Plan::Ids(BTreeSet::new()));
        assert_eq!(index.ask(version, &name, &filters, 1), nothing);
    }

    #[test]
    fn a_short_page_of_many_candidates_is_read_and_not_collected() {
        let index = Index::new(usize::MAX);
        let name = NamespaceName::new("a").unwrap();
        let mut build = index.build(0).unwrap();
        for number in 0..20_000 {
            let id = format!("c{number:05}");
            let container = Container::new(id, Runtime::new("runc"), Any::default());
            let tenth = if number % 10 == 0 { "yes" } else { "no" };
            assert!(build.add(&name, &container.label("tenth", tenth)));
        }
        build.finish();
        let filters = Filters::parse(["labels.tenth==yes"]).unwrap();
        let is_collected = |limit| match index.ask(0, &name, &filters, limit) {
            Answer::Look(Plan::Ids(ids)) => ids.len() == 2_000,
            _ => false,
        };
        assert!(!is_collected(10));
        assert!(is_collected(1_000) && is_collected(usize::MAX));
    }
}
