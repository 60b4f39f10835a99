//! The index in memory: which containers have a label, an image, a runtime, ...
//!
//! It answers for one version of the store only: the one that the last commit made. A query from a
//! snapshot of that version is given candidates; from any other, it reads the namespace. So the
//! index can be slow or missing, but never wrong: what it leaves out does not match, and what it
//! names is still read and matched.
//!
//! How a snapshot knows its version: redb makes a commit visible before the committing thread can
//! say so here. While a commit is under way, it is announced with a witness, a container that the
//! commit changes. A snapshot taken meanwhile looks for the witness: if it does not find it as the
//! commit leaves it, the commit is not in the snapshot. If it does, the snapshot has no version.
//!
//! Terms such as "label app is nginx in k8s.io" are kept as 64-bit hashes with a random key: two
//! that collide name a candidate too many, which does not match.
//!
//! The index is built at the first query that it can serve, from one pass over the headers, while
//! writers go on.

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use self::holders::{Holders, Slots};
pub(crate) use self::terms::Described;
use self::terms::{Term, is_served, term_of};
use crate::engine::plan::Plan;
use crate::field::Field;
use crate::filter::{Filter, Filters, Required};
use crate::identifier::NamespaceName;
use crate::revision::Revision;

/// A query for which more than this share of all containers are candidates reads all of them.
const CANDIDATES_MAX_SHARE: usize = 4;

/// A transaction that changes more containers than this makes the index be built anew.
const CHANGES_MAX_COUNT: usize = 16_384;

mod holders;
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
    /// The commit that is under way.
    pending: Option<Arc<Change>>,
    stage: Stage,
}

enum Stage {
    Unbuilt,
    /// A build from the snapshot of the version `from`, and what was committed since it began.
    Building {
        from: u64,
        log: Vec<Arc<Change>>,
    },
    Ready(Holders),
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
    terms: Box<[u64]>,
}

/// What one transaction has changed so far.
#[derive(Debug)]
pub(crate) struct Changes {
    /// All changes; none if they are too many, or if there is no index to tell.
    all: Option<Vec<Arc<Change>>>,
    /// The last one.
    last: Option<Arc<Change>>,
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
                terms: Box::default(),
            });
        }
    }

    fn push(&mut self, change: Change) {
        let change = Arc::new(change);
        self.last = Some(Arc::clone(&change));
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
            last: None,
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
            state: RwLock::new(State {
                version: 0,
                pending: None,
                stage,
            }),
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

    /// The version before a snapshot is taken.
    pub(crate) fn version(&self) -> u64 {
        self.read().version
    }

    /// The version of a snapshot that was taken after [`Index::version`] was `before`; none if it
    /// cannot be told. `has_change` looks into the snapshot for a container as a commit leaves it.
    pub(crate) fn version_of_snapshot<E>(
        &self,
        before: u64,
        has_change: impl FnOnce(&Change) -> Result<bool, E>,
    ) -> Result<Option<u64>, E> {
        let (version, pending) = {
            let state = self.read();
            (state.version, state.pending.clone())
        };
        if version != before {
            return Ok(None);
        }
        let is_later = match pending {
            None => false,
            Some(change) => has_change(&change)?,
        };
        Ok((!is_later).then_some(version))
    }

    /// How to find what may match in a snapshot of this version.
    pub(crate) fn ask(&self, version: u64, namespace: &NamespaceName, filters: &Filters) -> Answer {
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
            Stage::Ready(holders) => Answer::Look(self.candidates(holders, namespace, filters)),
        }
    }

    fn candidates(&self, holders: &Holders, name: &NamespaceName, filters: &Filters) -> Plan {
        let most = holders.len() / CANDIDATES_MAX_SHARE;
        let mut ids = BTreeSet::new();
        let mut count = 0;
        for filter in filters.iter() {
            match self.fewest(holders, name, filter) {
                Some(Few::Id(id)) => {
                    ids.insert(id.to_owned());
                }
                Some(Few::Holders(few)) => {
                    count += few.len();
                    if count > most {
                        return Plan::All;
                    }
                    ids.extend(
                        few.iter()
                            .filter_map(|slot| holders.id(slot))
                            .map(str::to_owned),
                    );
                }
                Some(Few::None) => {}
                None => return Plan::All,
            }
        }
        Plan::Ids(ids)
    }

    /// The requirement of a filter that the fewest containers meet.
    fn fewest<'a>(
        &self,
        holders: &'a Holders,
        name: &NamespaceName,
        filter: &'a Filter,
    ) -> Option<Few<'a>> {
        let requirements = filter.required().filter_map(|required| match required {
            Required::Equals(Field::Id, id) => Some(str::from_utf8(id).map_or(Few::None, Few::Id)),
            required => {
                let term = self.term(name, term_of(required)?);
                Some(holders.of(term).map_or(Few::None, Few::Holders))
            }
        });
        requirements.min_by_key(Few::len)
    }

    fn term(&self, namespace: &NamespaceName, term: Term<'_>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        namespace.hash(&mut hasher);
        term.hash(&mut hasher);
        hasher.finish()
    }

    fn stored<'a>(&self, namespace: &NamespaceName, of: impl Into<Described<'a>>) -> Change {
        let of = of.into();
        Change {
            namespace: namespace.clone(),
            id: of.id.to_owned(),
            revision: Some(of.revision),
            terms: of.terms().map(|term| self.term(namespace, term)).collect(),
        }
    }

    /// A commit of these changes is about to be made.
    pub(crate) fn announce(&self, changes: &Changes) {
        if let Some(last) = &changes.last {
            self.write().pending = Some(Arc::clone(last));
        }
    }

    /// The commit is made, or was given up; `None` if nobody knows.
    pub(crate) fn settle(&self, changes: Changes, committed: Option<bool>) {
        let mut state = self.write();
        state.pending = None;
        if committed == Some(false) || changes.last.is_none() {
            return;
        }
        state.version += 1;
        if committed.is_none() {
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
                log.len() <= CHANGES_MAX_COUNT
            }
            Stage::Ready(holders) => {
                changes.iter().all(|change| holders.apply(change))
                    && holders.bytes() <= self.max_bytes
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
            holders: Holders::default(),
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
    holders: Holders,
    done: bool,
}

impl Build<'_> {
    /// Adds a container; false if the index has become too large.
    pub(crate) fn add<'b>(
        &mut self,
        namespace: &NamespaceName,
        container: impl Into<Described<'b>>,
    ) -> bool {
        self.holders.apply(&self.index.stored(namespace, container))
            && self.holders.bytes() <= self.index.max_bytes
    }

    /// Adds what was committed meanwhile, and lets the index answer.
    pub(crate) fn finish(mut self) {
        let mut state = self.index.write();
        if let Some(log) = self.log(&mut state) {
            let log = std::mem::take(log);
            if !log.iter().all(|change| self.holders.apply(change)) {
                return;
            }
            state.stage = Stage::Ready(std::mem::take(&mut self.holders));
        }
        self.done = true;
    }

    /// What was committed meanwhile, if this is still the build that goes on.
    fn log<'s>(&self, state: &'s mut State) -> Option<&'s mut Vec<Arc<Change>>> {
        match &mut state.stage {
            Stage::Building { from, log } if *from == self.from => Some(log),
            _ => None,
        }
    }
}

impl Drop for Build<'_> {
    fn drop(&mut self) {
        if !self.done {
            let mut state = self.index.write();
            self.index
                .give_up(&mut state, "it is too large, or a container is damaged");
        }
    }
}

/// Few containers.
enum Few<'a> {
    None,
    Id(&'a str),
    Holders(&'a Slots),
}

impl Few<'_> {
    fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Id(_) => 1,
            Self::Holders(slots) => slots.len(),
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
        index.settle(changes, Some(true));
        let mut next = index.build(1).unwrap();
        overtaken.finish();
        for number in 0..=CHANGES_MAX_COUNT {
            assert!(next.add(&name, &container(number)));
        }
        next.finish();
        assert_eq!(
            index.ask(1, &name, &Filters::parse(["labels.n==7"]).unwrap()),
            Answer::Look(Plan::Ids(["c7".to_owned()].into()))
        );
    }
}
