//! A store over a `BTreeMap`, written from the documented semantics and nothing else: the model
//! that the file is compared with, and, with a fault planted, what the conformance suite must find.

pub(crate) mod fault;
mod kept;
mod namespace;
mod rules;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use bayplan::{
    Container, Error, ErrorKind, Extensions, Labels, NamespaceName, Namespaces, ReadNamespaces,
    Record, Result, Revision, Rules,
};
use chrono::{DateTime, Utc};

use fault::Fault;
pub(crate) use kept::Kept;
pub(crate) use namespace::BTreeNamespace;

/// Returns the time, for a [`BTreeStore`].
pub(crate) type Clock = Rc<dyn Fn() -> DateTime<Utc>>;

/// The kind of containers.
const CONTAINERS: &str = "containers";

/// The whole store. A clone is a snapshot.
#[derive(Clone)]
pub(crate) struct BTreeStore {
    state: RefCell<State>,
    rules: Rules,
    keep_empty_labels: bool,
    clock: Clock,
    fault: Option<Fault>,
}

#[derive(Clone, Default)]
struct State {
    spaces: BTreeMap<String, Space>,
    revision: u64,
    /// What a fault keeps of deleted containers.
    ghosts: BTreeMap<String, (Labels, Extensions)>,
    ghost_labels: BTreeMap<String, Labels>,
}

#[derive(Clone, Default)]
struct Space {
    labels: Labels,
    containers: Entries<Container>,
    /// By kind.
    records: BTreeMap<String, Entries<Record>>,
    made_by_content: bool,
}

impl Space {
    /// The content as an error shows it: the count and the ids of each kind.
    fn held(&self) -> Vec<String> {
        let held = |noun: &str, of: &str, ids: Vec<&str>| {
            let plural = if ids.len() == 1 { "" } else { "s" };
            format!("{} {noun}{plural}{of}: {}", ids.len(), ids.join(", "))
        };
        let mut all = Vec::new();
        if !self.containers.is_empty() {
            let ids = self.containers.keys().map(String::as_str);
            all.push(held("container", "", ids.collect()));
        }
        for (kind, entries) in &self.records {
            if !entries.is_empty() {
                let ids = entries.keys().map(String::as_str);
                all.push(held("record", &format!(" of kind {kind:?}"), ids.collect()));
            }
        }
        all
    }

    fn is_empty(&self) -> bool {
        self.containers.is_empty() && self.records.values().all(BTreeMap::is_empty)
    }
}

type Entries<T> = BTreeMap<String, Entry<T>>;

#[derive(Clone)]
pub(crate) struct Entry<T> {
    item: T,
    first: T,
}

/// The content of one namespace.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Content {
    pub(crate) containers: Vec<Container>,
    /// By kind, without empty ones.
    pub(crate) records: BTreeMap<String, Vec<Record>>,
}

impl BTreeStore {
    pub(crate) fn new(rules: Rules, clock: Clock) -> Self {
        Self {
            state: RefCell::default(),
            rules,
            keep_empty_labels: false,
            clock,
            fault: None,
        }
    }

    pub(crate) fn keeping_empty_labels(mut self, keep: bool) -> Self {
        self.keep_empty_labels = keep;
        self
    }

    pub(crate) fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        if fault == Fault::DefaultIsAlwaysThere {
            let mut state = self.state.borrow_mut();
            state.spaces.insert("default".to_owned(), Space::default());
        }
        self
    }

    pub(crate) fn rules(&self) -> Rules {
        self.rules
    }

    pub(crate) fn keeps_empty_labels(&self) -> bool {
        self.keep_empty_labels
    }

    pub(crate) fn namespace(&self, name: &str) -> Result<BTreeNamespace<'_>> {
        self.bound(name, CONTAINERS)
    }

    pub(crate) fn records(&self, name: &str, kind: &str) -> Result<BTreeNamespace<'_, Record>> {
        let is_reserved = kind == CONTAINERS || kind == "version";
        if (is_reserved || NamespaceName::new(kind).is_err()) && !self.has(Fault::AnyKindWillDo) {
            return self.fail(ErrorKind::InvalidArgument, format!("the kind {kind:?}"));
        }
        match self.has(Fault::OneKindForAll) {
            true => self.bound(name, "all"),
            false => self.bound(name, kind),
        }
    }

    fn bound<T: Kept>(&self, name: &str, kind: &str) -> Result<BTreeNamespace<'_, T>> {
        let parsed = match NamespaceName::new(name) {
            Err(_) if self.has(Fault::AnyNameIsBound) => NamespaceName::new("any")?,
            parsed => parsed?,
        };
        let name = match self.has(Fault::NameIsFixed) {
            true => NamespaceName::new("default")?,
            false => parsed,
        };
        Ok(BTreeNamespace {
            store: self,
            name,
            kind: kind.to_owned(),
            of: PhantomData,
        })
    }

    /// Everything, by namespace; each namespace, also an empty one, is a key.
    pub(crate) fn content(&self) -> BTreeMap<String, Content> {
        fn items<T: Clone>(entries: &Entries<T>) -> Vec<T> {
            entries.values().map(|entry| entry.item.clone()).collect()
        }
        let state = self.state.borrow();
        let content = |space: &Space| {
            let records = space.records.iter();
            let records = records.filter(|(_, entries)| !entries.is_empty());
            Content {
                containers: items(&space.containers),
                records: records
                    .map(|(kind, entries)| (kind.clone(), items(entries)))
                    .collect(),
            }
        };
        let spaces = state.spaces.iter();
        spaces
            .map(|(name, space)| (name.clone(), content(space)))
            .collect()
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn fail<T>(&self, kind: ErrorKind, message: impl fmt::Display) -> Result<T> {
        let message = match self.has(Fault::ErrorsAreTerse) {
            true => kind.to_string(),
            false => message.to_string(),
        };
        Err(Error::of_kind(kind, message))
    }

    fn next_revision(&self) -> Revision {
        let mut state = self.state.borrow_mut();
        if state.revision == 0 || !self.has(Fault::RevisionsStandStill) {
            state.revision += 1;
        }
        Revision::new(state.revision)
    }

    fn check_name(&self, name: &str) -> Result<()> {
        if self.has(Fault::VersionIsReserved) && name == "version" {
            return self.fail(ErrorKind::InvalidArgument, "reserved");
        }
        if self.has(Fault::NamesAreNotChecked) {
            return Ok(());
        }
        match NamespaceName::new(name) {
            Ok(_) => Ok(()),
            Err(error) => self.fail(error.kind(), format!("namespace {name:?}: {error}")),
        }
    }
}

impl ReadNamespaces for BTreeStore {
    fn list_namespaces(&self) -> Result<Vec<NamespaceName>> {
        let state = self.state.borrow();
        let names = state.spaces.keys().map(NamespaceName::new);
        match self.has(Fault::NamespacesAreBackwards) {
            true => names.rev().collect(),
            false => names.collect(),
        }
    }

    fn namespace_labels(&self, name: &str) -> Result<Labels> {
        match self.state.borrow().spaces.get(name) {
            None if self.has(Fault::LabelsOfNothingAreNotFound) => {
                self.fail(ErrorKind::NotFound, name)
            }
            None => Ok(Labels::new()),
            Some(space) => Ok(space.labels.clone()),
        }
    }

    fn record_kinds(&self, name: &str) -> Result<Vec<String>> {
        let state = self.state.borrow();
        let Some(space) = state.spaces.get(name) else {
            return Ok(Vec::new());
        };
        let all = self.has(Fault::KindsStayWhenEmpty);
        let kinds = space.records.iter();
        let kinds = kinds.filter(|(_, entries)| all || !entries.is_empty());
        Ok(kinds.map(|(kind, _)| kind.clone()).collect())
    }
}

impl Namespaces for BTreeStore {
    fn create_namespace(&self, name: &str, labels: Labels) -> Result<()> {
        self.check_name(name)?;
        let mut labels = self.settled_labels(labels)?;
        let mut state = self.state.borrow_mut();
        if state.spaces.contains_key(name) && !self.has(Fault::CreateNamespaceOverwrites) {
            return self.fail(ErrorKind::AlreadyExists, format!("namespace {name:?}"));
        }
        if self.has(Fault::CreateNamespaceLosesLabels) {
            labels.clear();
        }
        labels.extend(state.ghost_labels.remove(name).unwrap_or_default());
        state.spaces.entry(name.to_owned()).or_default().labels = labels;
        Ok(())
    }

    fn set_namespace_label(&self, name: &str, key: &str, value: &str) -> Result<()> {
        self.check_name(name)?;
        self.check_label(key, value)?;
        let mut state = self.state.borrow_mut();
        if self.has(Fault::SetLabelNeedsTheNamespace) && !state.spaces.contains_key(name) {
            return self.fail(ErrorKind::NotFound, format!("namespace {name:?}"));
        }
        let mut labels = match state.spaces.get(name) {
            Some(space) if !self.has(Fault::SetLabelReplacesAll) => space.labels.clone(),
            _ => Labels::new(),
        };
        match value.is_empty() && !self.has(Fault::EmptyValuesAreStored) {
            true => labels.remove(key),
            false => labels.insert(key.to_owned(), value.to_owned()),
        };
        let labels = self.settled_labels(labels)?;
        state.spaces.entry(name.to_owned()).or_default().labels = labels;
        Ok(())
    }

    fn delete_namespace(&self, name: &str) -> Result<()> {
        let mut state = self.state.borrow_mut();
        let Some(space) = state.spaces.get(name) else {
            if self.has(Fault::DeleteNamespaceIsLenient) {
                return Ok(());
            }
            return self.fail(ErrorKind::NotFound, format!("namespace {name:?}"));
        };
        let pinned = self.has(Fault::MadeByContentIsNotDeleted) && space.made_by_content;
        let is_free = match self.fault {
            Some(Fault::DeleteNamespaceTakesContainers) => true,
            Some(Fault::DeleteNamespaceTakesRecords) => space.containers.is_empty(),
            _ => space.is_empty(),
        };
        if pinned || !is_free {
            let message = format!("namespace {name:?} holds {}", space.held().join("; "));
            return self.fail(ErrorKind::FailedPrecondition, message);
        }
        let space = state.spaces.remove(name).unwrap_or_default();
        if self.has(Fault::DeleteNamespaceKeepsLabels) {
            state.ghost_labels.insert(name.to_owned(), space.labels);
        }
        if self.has(Fault::DeleteNamespaceTakesPrefixes) {
            state.spaces.retain(|other, _| !other.starts_with(name));
        }
        Ok(())
    }
}
