//! A store over a `BTreeMap`, written from the documented semantics and nothing else: the model
//! that the file is compared with, and, with a fault planted, what the conformance suite must find.

pub(crate) mod fault;
mod rules;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::rc::Rc;

use bayplan::{
    Container, ContainerHeader, Damaged, Error, ErrorKind, Extensions, FieldMask, Filters, Labels,
    Listing, NamespaceName, Namespaces, Page, ReadNamespaces, ReadStore, Result, Revision, Rules,
    Store,
};
use chrono::{DateTime, Utc};

use fault::Fault;

/// Tells the time to a [`BTreeStore`].
pub(crate) type Clock = Rc<dyn Fn() -> DateTime<Utc>>;

/// The whole store. A clone is a snapshot.
#[derive(Clone)]
pub(crate) struct BTreeStore {
    state: RefCell<State>,
    rules: Rules,
    clock: Clock,
    fault: Option<Fault>,
}

#[derive(Clone, Default)]
struct State {
    spaces: BTreeMap<String, Space>,
    revision: u64,
    /// What a fault leaves of deleted containers and namespaces.
    ghosts: BTreeMap<String, Extensions>,
    ghost_labels: BTreeMap<String, Labels>,
}

#[derive(Clone, Default)]
struct Space {
    labels: Labels,
    containers: BTreeMap<String, Entry>,
    made_by_container: bool,
}

#[derive(Clone)]
struct Entry {
    container: Container,
    first: Container,
}

impl BTreeStore {
    pub(crate) fn new(rules: Rules, clock: Clock) -> Self {
        Self {
            state: RefCell::default(),
            rules,
            clock,
            fault: None,
        }
    }

    pub(crate) fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        if fault == Fault::DefaultIsAlwaysThere {
            let mut state = self.state.borrow_mut();
            state.spaces.insert("default".to_owned(), Space::default());
        }
        self
    }

    #[cfg(feature = "conformance")]
    pub(crate) fn rules(&self) -> Rules {
        self.rules
    }

    pub(crate) fn namespace(&self, name: &str) -> Result<BTreeNamespace<'_>> {
        let parsed = match NamespaceName::new(name) {
            Err(_) if self.has(Fault::AnyNameIsBound) => NamespaceName::new("any")?,
            parsed => parsed?,
        };
        let name = match self.has(Fault::NameIsFixed) {
            true => NamespaceName::new("default")?,
            false => parsed,
        };
        Ok(BTreeNamespace { store: self, name })
    }

    /// Every container, by namespace; each namespace, also without containers, is a key.
    pub(crate) fn content(&self) -> BTreeMap<String, Vec<Container>> {
        let state = self.state.borrow();
        let containers = |space: &Space| -> Vec<Container> {
            let entries = space.containers.values();
            entries.map(|entry| entry.container.clone()).collect()
        };
        let spaces = state.spaces.iter();
        spaces
            .map(|(name, space)| (name.clone(), containers(space)))
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

    fn next_revision(&self, space: &str) -> Revision {
        let mut state = self.state.borrow_mut();
        if self.has(Fault::RevisionsCountPerNamespace) {
            let own = state.spaces.get(space);
            let revisions = own.into_iter().flat_map(|own| own.containers.values());
            let last = revisions.map(|entry| entry.container.revision.get()).max();
            return Revision::new(last.unwrap_or(0) + 1);
        }
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
        labels.insert(key.to_owned(), value.to_owned());
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
        let ids: Vec<&str> = space.containers.keys().map(String::as_str).collect();
        let pinned = self.has(Fault::MadeByAContainerIsNotDeleted) && space.made_by_container;
        if pinned || !ids.is_empty() && !self.has(Fault::DeleteNamespaceTakesContainers) {
            let (count, ids) = (ids.len(), ids.join(", "));
            let message = format!("namespace {name:?} holds {count} containers: {ids}");
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

/// The containers of one namespace of a [`BTreeStore`].
pub(crate) struct BTreeNamespace<'s> {
    store: &'s BTreeStore,
    name: NamespaceName,
}

impl BTreeNamespace<'_> {
    fn has(&self, fault: Fault) -> bool {
        self.store.has(fault)
    }

    /// The key of the namespace in the map.
    fn space(&self) -> &str {
        match self.has(Fault::OneNamespaceForAll) {
            true => "all",
            false => self.name.as_str(),
        }
    }

    /// The key of a container in the map.
    fn key(&self, id: &str) -> String {
        match self.has(Fault::IdsFoldCase) {
            true => id.to_lowercase(),
            false => id.to_owned(),
        }
    }

    fn fail<T>(&self, kind: ErrorKind, id: &str) -> Result<T> {
        let name = &self.name;
        self.store.fail(
            kind,
            format!("container {id:?} in namespace {name:?}: {kind}"),
        )
    }

    fn about<T>(&self, result: Result<T>, id: &str) -> Result<T> {
        result.or_else(|error| {
            let name = &self.name;
            let message = format!("container {id:?} in namespace \"{name}\": {error:#}");
            self.store.fail(error.kind(), message)
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Space) -> T) -> T {
        let mut state = self.store.state.borrow_mut();
        work(state.spaces.entry(self.space().to_owned()).or_default())
    }

    fn find(&self, id: &str) -> Result<Container> {
        if self.has(Fault::BadIdIsInvalid) && NamespaceName::new(id).is_err() {
            return self.fail(ErrorKind::InvalidArgument, id);
        }
        let state = self.store.state.borrow();
        let space = state.spaces.get(self.space());
        if space.is_none() && self.has(Fault::UnknownNamespaceIsInvalid) {
            return self.fail(ErrorKind::InvalidArgument, id);
        }
        match space.and_then(|space| space.containers.get(&self.key(id))) {
            Some(entry) => Ok(entry.container.clone()),
            None => self.fail(ErrorKind::NotFound, id),
        }
    }

    fn read(&self) {
        if self.has(Fault::ReadsMakeTheNamespace) {
            self.with(|_| ());
        }
    }

    fn put(&self, container: &Container) {
        let key = self.key(&container.id);
        self.with(|space| match space.containers.get_mut(&key) {
            Some(entry) => entry.container = container.clone(),
            None => {
                let entry = Entry {
                    container: container.clone(),
                    first: container.clone(),
                };
                space.containers.insert(key, entry);
            }
        });
    }

    fn passes(&self, entry: &Entry, filters: &Filters) -> bool {
        let stored = match self.has(Fault::FiltersSeeTheFirstVersion) {
            true => entry.first.clone(),
            false => entry.container.clone(),
        };
        let seen = self.as_filters_see(stored);
        let texts: Vec<String> = filters.iter().map(ToString::to_string).collect();
        let parse = |texts: &[&str]| Filters::parse(texts).expect("a filter parses when printed");
        let first = texts.first().map_or("", String::as_str);
        if self.has(Fault::EmptyFilterIsNothing) && texts.iter().all(String::is_empty) {
            return texts.is_empty();
        }
        if self.has(Fault::NoFilterIsNothing) && texts.is_empty() {
            return false;
        }
        if self.has(Fault::OnlyTheFirstFilter) {
            return seen.passes(&parse(&[first]));
        }
        if self.has(Fault::AnySelectorWillDo) {
            return seen.passes(&parse(&first.split(',').collect::<Vec<_>>()));
        }
        if self.has(Fault::AbsentNeverMatches) && first.starts_with("labels.tier") {
            return seen.labels.contains_key("tier") && seen.passes(filters);
        }
        seen.passes(filters) != (self.has(Fault::FiltersAreNegated) && !texts.is_empty())
    }

    fn as_filters_see(&self, mut container: Container) -> Container {
        match self.store.fault {
            Some(Fault::FiltersMissTheSandbox) => container.sandbox_id.clear(),
            Some(Fault::FiltersMissTheRuntime) => container.runtime.name.clear(),
            Some(Fault::FiltersMissExtensions) => container.extensions.clear(),
            Some(Fault::FiltersMissDottedLabels) => {
                container.labels.retain(|key, _| !key.contains('.'));
            }
            Some(Fault::FiltersMissOddLabels) => {
                container.labels.retain(|key, _| key.is_ascii());
            }
            Some(Fault::FiltersFoldCase) => {
                let values = container.labels.values_mut();
                values.for_each(|value| *value = value.to_lowercase());
            }
            _ => {}
        }
        container
    }

    /// What a page holds.
    fn page(&self, page: &Page, filters: &Filters) -> Result<Vec<Container>> {
        self.read();
        let state = self.store.state.borrow();
        let Some(space) = state.spaces.get(self.space()) else {
            if self.has(Fault::UnknownNamespaceIsInvalid) {
                return self.fail(ErrorKind::InvalidArgument, "");
            }
            return Ok(Vec::new());
        };
        let begin = page.begins_after();
        if let Some(begin) = begin {
            let exists = space.containers.contains_key(begin);
            if self.has(Fault::PageBeginMustExist) && !exists
                || self.has(Fault::PageBeginIsAnIdentifier) && NamespaceName::new(begin).is_err()
            {
                return self.fail(ErrorKind::InvalidArgument, begin);
            }
        }
        let mut limit = page.max_count();
        if self.has(Fault::PageOfNoneIsAll) && limit == 0 {
            limit = usize::MAX;
        }
        if self.has(Fault::ListStopsAt100) {
            limit = limit.min(100);
        }
        let behind = |id: &str| match begin {
            None => true,
            Some(begin) if self.has(Fault::PageRepeatsItsBegin) => id >= begin,
            Some(begin) => id > begin,
        };
        let wraps =
            self.has(Fault::PagesWrapAround) && !space.containers.keys().any(|id| behind(id));
        let entries = space.containers.values();
        let mut entries: Vec<&Entry> = entries
            .filter(|entry| wraps || behind(&entry.container.id))
            .collect();
        if self.has(Fault::ListIsInOrderOfCreation) {
            entries.sort_by_key(|entry| entry.first.revision);
        }
        if self.has(Fault::PageCountsBeforeItFilters) {
            entries.truncate(limit);
        }
        let found = entries
            .into_iter()
            .filter(|entry| self.passes(entry, filters));
        let mut found: Vec<Container> = found
            .take(limit)
            .map(|entry| self.as_listed(entry.container.clone()))
            .collect();
        if self.has(Fault::ManyFiltersFindTwice) && filters.iter().count() > 1 {
            found.extend(found.clone());
        }
        Ok(found)
    }

    fn as_listed(&self, mut container: Container) -> Container {
        if self.has(Fault::ListLosesExtensions) {
            container.extensions.clear();
        }
        if self.has(Fault::ListLosesTheRevision) {
            container.revision = Revision::NONE;
        }
        container
    }

    fn change(
        &self,
        revision: Option<Revision>,
        input: Container,
        mask: &FieldMask,
    ) -> Result<Container> {
        let id = input.id.clone();
        if id.is_empty() && !self.has(Fault::EmptyIdIsNotFound) {
            return self.fail(ErrorKind::InvalidArgument, &id);
        }
        if self.has(Fault::MaskIsCheckedFirst) {
            mask.validate(&input, &input)?;
        }
        let stored = match self.find(&id) {
            Err(error) if error.is_not_found() && self.has(Fault::UpdateCreates) => {
                return self.create(input);
            }
            Err(_) if revision.is_some() && self.has(Fault::UpdateIfOfNothingIsStale) => {
                return self.fail(ErrorKind::FailedPrecondition, &id);
            }
            stored => stored?,
        };
        let stale = revision.is_some_and(|revision| revision != stored.revision);
        if stale && !self.has(Fault::UpdateIfIsUpdate)
            || revision.is_some() && self.has(Fault::UpdateIfAlwaysFails)
        {
            return self.fail(ErrorKind::FailedPrecondition, &id);
        }
        let mut updated = stored.clone();
        let applied = self
            .store
            .apply(&mut updated, &input, mask)
            .and_then(|()| self.store.settled(updated.clone(), true));
        let mut updated = match self.about(applied, &id) {
            Ok(updated) => updated,
            Err(error) => {
                if self.has(Fault::FailedUpdateIsKept) {
                    self.put(&updated);
                }
                if self.has(Fault::FailedWriteMovesTheRevision) {
                    let revision = self.store.next_revision(self.space());
                    self.put(&with_revision(stored, revision));
                }
                return Err(error);
            }
        };
        if self.has(Fault::NothingIsNoUpdate) && updated == stored {
            return Ok(stored);
        }
        self.store.stamp_update(&mut updated, &stored, &input);
        updated.revision = self.store.next_revision(self.space());
        self.put(&updated);
        if self.has(Fault::UpdateTouchesAll) {
            let revision = updated.revision;
            self.with(|space| {
                for entry in space.containers.values_mut() {
                    entry.container.revision = revision;
                }
            });
        }
        match self.has(Fault::UpdateReturnsTheInput) {
            true => Ok(input),
            false => Ok(updated),
        }
    }
}

fn with_revision(mut container: Container, revision: Revision) -> Container {
    container.revision = revision;
    container
}

impl ReadStore for BTreeNamespace<'_> {
    fn name(&self) -> &NamespaceName {
        &self.name
    }

    fn get(&self, id: &str) -> Result<Container> {
        self.read();
        let mut container = self.find(id)?;
        if self.has(Fault::GetTouches) {
            container.revision = self.store.next_revision(self.space());
            self.put(&container);
        }
        if self.has(Fault::ContainersInheritLabels) {
            let labels = self.store.namespace_labels(self.space())?;
            container.labels.extend(labels);
        }
        Ok(container)
    }

    fn visit(
        &self,
        page: &Page,
        filters: &Filters,
        visit: &mut dyn FnMut(Container) -> ControlFlow<()>,
    ) -> Result<()> {
        for container in self.page(page, filters)? {
            if visit(container).is_break() && !self.has(Fault::VisitGoesOn) {
                break;
            }
        }
        Ok(())
    }

    fn visit_headers(
        &self,
        page: &Page,
        filters: &Filters,
        visit: &mut dyn FnMut(ContainerHeader) -> ControlFlow<()>,
    ) -> Result<()> {
        for container in self.page(page, filters)? {
            let mut header = ContainerHeader::from(container);
            if self.has(Fault::HeadersLoseTheImage) {
                header.image.clear();
            }
            if visit(header).is_break() && !self.has(Fault::VisitHeadersGoesOn) {
                break;
            }
        }
        Ok(())
    }

    fn list_ids(&self, filters: &Filters) -> Result<Vec<String>> {
        let containers = self.page(&Page::all(), filters)?;
        Ok(containers.into_iter().map(|one| one.id).collect())
    }

    fn count(&self, filters: &Filters) -> Result<u64> {
        let counted = match self.has(Fault::CountIsAlwaysOfAll) {
            true => self.page(&Page::all(), &Filters::all())?,
            false => self.page(&Page::all(), filters)?,
        };
        Ok(counted.len() as u64)
    }

    fn list_lenient(&self, filters: &Filters) -> Result<Listing> {
        let mut listing = Listing::default();
        listing.containers = self.page(&Page::all(), filters)?;
        if self.has(Fault::LenientSuspectsAll) {
            let damaged =
                |one: &Container| Damaged::new(&one.id, Error::of_kind(ErrorKind::Corrupt, ""));
            listing.damaged = listing.containers.iter().map(damaged).collect();
        }
        Ok(listing)
    }
}

impl Store for BTreeNamespace<'_> {
    fn create(&self, container: Container) -> Result<Container> {
        let id = container.id.clone();
        let taken = self.find(&id).is_ok();
        if taken && self.has(Fault::TakenIsLookedAtFirst) {
            return self.fail(ErrorKind::AlreadyExists, &id);
        }
        if self.has(Fault::FailedCreateLeavesTheNamespace) {
            self.with(|_| ());
        }
        if self.has(Fault::VersionIsReserved) {
            self.store.check_name(self.space())?;
        }
        let settled = self.store.settled(container.clone(), false);
        let mut created = match self.about(settled, &id) {
            Ok(created) => created,
            Err(error) => {
                if self.has(Fault::FailedCreateClears) {
                    self.with(|space| space.containers.clear());
                }
                return Err(error);
            }
        };
        if taken && !self.has(Fault::CreateOverwrites) {
            return self.fail(ErrorKind::AlreadyExists, &id);
        }
        let known = self.store.state.borrow().spaces.contains_key(self.space());
        if !known && self.has(Fault::NamespaceMustExist) {
            return self.fail(ErrorKind::NotFound, &id);
        }
        self.store.stamp_create(&mut created, &container);
        created.revision = self.store.next_revision(self.space());
        let ghost = self.store.state.borrow_mut().ghosts.remove(&id);
        created.extensions.extend(ghost.unwrap_or_default());
        self.put(&created);
        self.with(|space| space.made_by_container |= !known);
        match self.has(Fault::CreateReturnsTheInput) {
            true => Ok(container),
            false => Ok(created),
        }
    }

    fn update(&self, container: Container, mask: &FieldMask) -> Result<Container> {
        self.change(None, container, mask)
    }

    fn update_if(
        &self,
        revision: Revision,
        container: Container,
        mask: &FieldMask,
    ) -> Result<Container> {
        self.change(Some(revision), container, mask)
    }

    fn delete(&self, id: &str) -> Result<()> {
        let stored = match self.find(id) {
            Err(error) if error.is_not_found() && self.has(Fault::DeleteIsLenient) => return Ok(()),
            stored => stored?,
        };
        if self.has(Fault::DeleteDoesNothing) {
            return Ok(());
        }
        if self.has(Fault::DeleteLeavesExtensions) {
            let mut state = self.store.state.borrow_mut();
            state.ghosts.insert(id.to_owned(), stored.extensions);
        }
        let key = self.key(id);
        let is_last = self.with(|space| {
            space.containers.remove(&key);
            if self.has(Fault::DeleteTakesPrefixes) {
                space.containers.retain(|other, _| !other.starts_with(&key));
            }
            space.containers.is_empty()
        });
        if is_last && self.has(Fault::NamespaceGoesWithItsLastContainer) {
            self.store.state.borrow_mut().spaces.remove(self.space());
        }
        Ok(())
    }
}
