//! What one namespace of the model holds: reading and changing its containers or records.

use std::marker::PhantomData;

use bayplan::{
    Container, Damaged, Detail, Error, ErrorKind, Extensions, FieldMask, Filters, Found, Labels,
    NamespaceName, ReadNamespaces, ReadStore, Result, Revision, Selection, Store, Traversal,
    Update,
};
use chrono::{DateTime, Utc};

use super::fault::Fault;
use super::{BTreeStore, Entries, Entry, Kept, Space};

/// The containers or records of one kind in one namespace of a [`BTreeStore`].
pub(crate) struct BTreeNamespace<'s, T = Container> {
    pub(super) store: &'s BTreeStore,
    pub(super) name: NamespaceName,
    pub(super) kind: String,
    pub(super) of: PhantomData<T>,
}

impl<T: Kept> BTreeNamespace<'_, T> {
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

    /// The key of an item in the map.
    fn key(&self, id: &str) -> String {
        match self.has(Fault::IdsFoldCase) {
            true => id.to_lowercase(),
            false => id.to_owned(),
        }
    }

    fn fail<R>(&self, kind: ErrorKind, id: &str) -> Result<R> {
        let (name, of) = (&self.name, &self.kind);
        let message = format!("{of} {id:?} in namespace \"{name}\": {kind}");
        self.store.fail(kind, message)
    }

    fn about<R>(&self, result: Result<R>, id: &str) -> Result<R> {
        result.or_else(|error| {
            let (name, of) = (&self.name, &self.kind);
            let message = format!("{of} {id:?} in namespace \"{name}\": {error:#}");
            let failed = self.store.fail(error.kind(), message);
            match error.is_immutable_field() {
                true => failed.map_err(Error::about_immutable_field),
                false => failed,
            }
        })
    }

    fn with<R>(&self, work: impl FnOnce(&mut Space) -> R) -> R {
        let mut state = self.store.state.borrow_mut();
        work(state.spaces.entry(self.space().to_owned()).or_default())
    }

    fn with_entries<R>(&self, work: impl FnOnce(&mut Entries<T>) -> R) -> R {
        self.with(|space| work(T::entries_mut(space, &self.kind)))
    }

    fn next_revision(&self) -> Revision {
        if !self.has(Fault::RevisionsCountPerNamespace) {
            return self.store.next_revision();
        }
        let last = self.with_entries(|own| own.values().map(|entry| entry.item.revision()).max());
        Revision::new(last.map_or(0, Revision::get) + 1)
    }

    fn stored(&self, id: &str) -> Result<T> {
        if self.has(Fault::BadIdIsInvalid) && T::check_id(id).is_err() {
            return self.fail(ErrorKind::InvalidArgument, id);
        }
        let state = self.store.state.borrow();
        let space = state.spaces.get(self.space());
        if space.is_none() && self.has(Fault::UnknownNamespaceIsInvalid) {
            return self.fail(ErrorKind::InvalidArgument, id);
        }
        let entries = space.and_then(|space| T::entries(space, &self.kind));
        match entries.and_then(|entries| entries.get(&self.key(id))) {
            Some(entry) => Ok(entry.item.clone()),
            None => self.fail(ErrorKind::NotFound, id),
        }
    }

    fn read(&self) {
        if self.has(Fault::ReadsMakeTheNamespace) {
            self.with(|_| ());
        }
    }

    fn keep(&self, item: &T) {
        let key = self.key(item.id());
        self.with_entries(|entries| match entries.get_mut(&key) {
            Some(entry) => entry.item = item.clone(),
            None => {
                let entry = Entry {
                    item: item.clone(),
                    first: item.clone(),
                };
                entries.insert(key, entry);
            }
        });
    }

    fn matches(&self, entry: &Entry<T>, filters: &Filters) -> bool {
        let mut seen = match self.has(Fault::FiltersSeeTheFirstVersion) {
            true => entry.first.clone(),
            false => entry.item.clone(),
        };
        if let Some(fault) = self.store.fault {
            seen.as_filters_see(fault);
        }
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
            return seen.matches(&parse(&[first]));
        }
        if self.has(Fault::AnySelectorWillDo) {
            return seen.matches(&parse(&first.split(',').collect::<Vec<_>>()));
        }
        if self.has(Fault::AbsentNeverMatches) && first.starts_with("labels.tier") {
            return seen.labels_mut().contains_key("tier") && seen.matches(filters);
        }
        seen.matches(filters) != (self.has(Fault::FiltersAreNegated) && !texts.is_empty())
    }

    /// What a selection lets through.
    fn selected(&self, selection: &Selection) -> Result<Vec<T>> {
        self.read();
        let state = self.store.state.borrow();
        let Some(space) = state.spaces.get(self.space()) else {
            if self.has(Fault::UnknownNamespaceIsInvalid) {
                return self.fail(ErrorKind::InvalidArgument, "");
            }
            return Ok(Vec::new());
        };
        let none = Entries::new();
        let entries = T::entries(space, &self.kind).unwrap_or(&none);
        let begin = selection.after.as_deref();
        if let Some(begin) = begin {
            let exists = entries.contains_key(begin);
            if self.has(Fault::PageBeginMustExist) && !exists
                || self.has(Fault::PageBeginIsAnIdentifier) && NamespaceName::new(begin).is_err()
            {
                return self.fail(ErrorKind::InvalidArgument, begin);
            }
        }
        let mut limit = selection.limit.unwrap_or(usize::MAX);
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
        let wraps = self.has(Fault::PagesWrapAround) && !entries.keys().any(|id| behind(id));
        let entries = entries.values();
        let mut entries: Vec<&Entry<T>> = entries
            .filter(|entry| wraps || behind(entry.item.id()))
            .collect();
        if self.has(Fault::ListIsInOrderOfCreation) {
            entries.sort_by_key(|entry| entry.first.revision());
        }
        if self.has(Fault::PageCountsBeforeItFilters) {
            entries.truncate(limit);
        }
        let all = Filters::all();
        let is_count = selection.detail == Detail::Id;
        let filters = match is_count && self.has(Fault::CountIsAlwaysOfAll) {
            true => &all,
            false => &selection.filters,
        };
        let found = entries
            .into_iter()
            .filter(|entry| self.matches(entry, filters));
        let mut found: Vec<T> = found
            .take(limit)
            .map(|entry| self.as_listed(entry.item.clone()))
            .collect();
        if self.has(Fault::ManyFiltersFindTwice) && filters.iter().count() > 1 {
            found.extend(found.clone());
        }
        Ok(found)
    }

    fn as_listed(&self, mut item: T) -> T {
        if self.has(Fault::ListLosesLabels) {
            item.labels_mut().clear();
        }
        if self.has(Fault::ListLosesTheRevision) {
            item.stamp(item.times(), Revision::NONE);
        }
        item
    }

    /// What a traversal says of an item. It says all of it, whatever it is asked for, which it may.
    fn found(&self, item: T, selection: &Selection) -> Found<T> {
        if self.has(Fault::LenientSuspectsAll) && selection.is_lenient {
            let error = Error::of_kind(ErrorKind::Corrupt, "");
            return Found::Damaged(Damaged::new(item.id(), error));
        }
        match (&selection.detail, self.store.fault) {
            (Detail::Header(_), Some(Fault::HeadersLoseLabels)) => {
                let mut item = item;
                item.labels_mut().clear();
                Found::Header(item.into_header(&[]))
            }
            (Detail::Header(_), Some(Fault::HeadersHaveNoExtensions)) => {
                Found::Header(item.into_header(&[]))
            }
            _ => Found::Whole(item),
        }
    }

    fn insert(&self, new: T, times: Option<(DateTime<Utc>, DateTime<Utc>)>) -> Result<T> {
        let id = new.id().to_owned();
        let taken = self.stored(&id).is_ok();
        if taken && self.has(Fault::TakenIsLookedAtFirst) {
            return self.fail(ErrorKind::AlreadyExists, &id);
        }
        if self.has(Fault::FailedCreateLeavesTheNamespace) {
            self.with(|_| ());
        }
        if self.has(Fault::VersionIsReserved) {
            self.store.check_name(self.space())?;
        }
        let settled = new.clone().settled(self.store, false);
        let mut created = match self.about(settled, &id) {
            Ok(created) => created,
            Err(error) => {
                if self.has(Fault::FailedCreateClears) {
                    self.with_entries(Entries::clear);
                }
                return Err(error);
            }
        };
        if times.is_some_and(|times| times.1 < times.0) && !self.has(Fault::ImportTakesAnyTimes) {
            return self.fail(ErrorKind::InvalidArgument, &id);
        }
        if taken && !self.has(Fault::CreateOverwrites) {
            return self.fail(ErrorKind::AlreadyExists, &id);
        }
        let known = self.store.state.borrow().spaces.contains_key(self.space());
        if !known && self.has(Fault::NamespaceMustExist) {
            return self.fail(ErrorKind::NotFound, &id);
        }
        let revision = match times.is_some() && self.has(Fault::ImportKeepsTheRevision) {
            true => new.revision(),
            false => self.next_revision(),
        };
        let times = match times {
            Some(times) if !self.has(Fault::ImportSetsTheTimes) => times,
            _ => self.store.times_of_new(&new),
        };
        created.stamp(times, revision);
        let ghost = self.store.state.borrow_mut().ghosts.remove(&id);
        if let Some((labels, extensions)) = ghost {
            created.labels_mut().extend(labels);
            created.extend_extensions(extensions);
        }
        self.keep(&created);
        self.with(|space| space.made_by_content |= !known);
        match self.has(Fault::CreateReturnsTheInput) {
            true => Ok(new),
            false => Ok(created),
        }
    }

    fn change(&self, revision: Option<Revision>, input: T, mask: &FieldMask) -> Result<T> {
        let id = input.id().to_owned();
        if id.is_empty() && !self.has(Fault::EmptyIdIsNotFound) {
            return self.fail(ErrorKind::InvalidArgument, &id);
        }
        if self.has(Fault::MaskIsCheckedFirst) {
            input.check_mask(&input, mask)?;
        }
        let stored = match self.stored(&id) {
            Err(error) if error.is_not_found() && self.has(Fault::UpdateCreates) => {
                return self.create(input);
            }
            Err(_) if revision.is_some() && self.has(Fault::UpdateIfOfNothingIsStale) => {
                return self.fail(ErrorKind::FailedPrecondition, &id);
            }
            stored => stored?,
        };
        let stale = revision.is_some_and(|revision| revision != stored.revision());
        if stale && !self.has(Fault::UpdateIfIsUpdate)
            || revision.is_some() && self.has(Fault::UpdateIfAlwaysFails)
        {
            return self.fail(ErrorKind::FailedPrecondition, &id);
        }
        let mut updated = stored.clone();
        let applied = updated
            .take(self.store, &input, mask)
            .and_then(|()| updated.clone().settled(self.store, true));
        let mut updated = match self.about(applied, &id) {
            Ok(updated) => updated,
            Err(error) => {
                if self.has(Fault::FailedUpdateIsKept) {
                    self.keep(&updated);
                }
                if self.has(Fault::FailedWriteMovesTheRevision) {
                    let mut stored = stored;
                    stored.stamp(stored.times(), self.next_revision());
                    self.keep(&stored);
                }
                return Err(error);
            }
        };
        if self.has(Fault::NothingIsNoUpdate) && updated == stored {
            return Ok(stored);
        }
        let times = self.store.times_of_update(&stored, &input);
        updated.stamp(times, self.next_revision());
        self.keep(&updated);
        if self.has(Fault::UpdateTouchesAll) {
            let revision = updated.revision();
            self.with_entries(|entries| {
                for entry in entries.values_mut() {
                    entry.item.stamp(entry.item.times(), revision);
                }
            });
        }
        match self.has(Fault::UpdateReturnsTheInput) {
            true => Ok(input),
            false => Ok(updated),
        }
    }

    fn put_when(&self, expected: Option<Revision>, item: T) -> Result<T> {
        let id = item.id().to_owned();
        let valid = item.clone().settled(self.store, true);
        self.about(valid, &id)?;
        let exists = self.stored(&id).is_ok();
        if self.has(Fault::PutIsCreate) || !exists && expected.is_none() {
            return match self.has(Fault::PutCreatesNothing) {
                true => self.fail(ErrorKind::NotFound, &id),
                false => self.create(item),
            };
        }
        if exists && self.has(Fault::PutDeletesFirst) {
            self.delete(&id)?;
            return self.create(item);
        }
        let put = self.change(expected, item, &FieldMask::full());
        put.or_else(|error| {
            if !error.is_immutable_field() || self.has(Fault::PutRefusesAsAnUpdateDoes) {
                return Err(error);
            }
            let failed = self.store.fail(ErrorKind::FailedPrecondition, error);
            failed.map_err(Error::about_immutable_field)
        })
    }
}

impl<T: Kept> ReadStore<T> for BTreeNamespace<'_, T> {
    fn name(&self) -> &NamespaceName {
        &self.name
    }

    fn get(&self, id: &str) -> Result<T> {
        self.read();
        let mut item = self.stored(id)?;
        if self.has(Fault::GetTouches) {
            item.stamp(item.times(), self.next_revision());
            self.keep(&item);
        }
        if self.has(Fault::ContainersInheritLabels) {
            let labels = self.store.namespace_labels(self.space())?;
            item.labels_mut().extend(labels);
        }
        Ok(item)
    }

    fn traverse(&self, selection: &Selection) -> Result<Traversal<'_, T>> {
        let items = self.selected(selection)?;
        let selection = selection.clone();
        let found = items
            .into_iter()
            .map(move |item| Ok(self.found(item, &selection)));
        Ok(Box::new(found))
    }

    fn find(&self, id: &str) -> Result<Option<T>> {
        match self.get(id) {
            Err(error) if error.is_not_found() && !self.has(Fault::FindIsGet) => Ok(None),
            found => found.map(Some),
        }
    }
}

impl<T: Kept> Store<T> for BTreeNamespace<'_, T> {
    fn create(&self, new: T) -> Result<T> {
        self.insert(new, None)
    }

    fn import(&self, new: T) -> Result<T> {
        let times = new.times();
        self.insert(new, Some(times))
    }

    fn update_when(&self, expected: Option<Revision>, input: T, mask: &FieldMask) -> Result<T> {
        self.change(expected, input, mask)
    }

    fn apply(&self, update: Update<T>) -> Result<T> {
        let (expected, input, mask) = update.into_parts();
        if mask.is_full() {
            return match self.has(Fault::ApplyOfNothingIsDone) {
                true => self.stored(input.id()),
                false => self.fail(ErrorKind::InvalidArgument, input.id()),
            };
        }
        self.change(expected, input, &mask)
    }

    fn put(&self, item: T) -> Result<T> {
        self.put_when(None, item)
    }

    fn put_if(&self, revision: Revision, item: T) -> Result<T> {
        self.put_when(Some(revision), item)
    }

    fn delete_when(&self, expected: Option<Revision>, id: &str) -> Result<()> {
        let stored = match self.stored(id) {
            Err(error) if error.is_not_found() && self.has(Fault::DeleteIsLenient) => return Ok(()),
            Err(_) if expected.is_some() && self.has(Fault::DeleteIfOfNothingIsStale) => {
                return self.fail(ErrorKind::FailedPrecondition, id);
            }
            stored => stored?,
        };
        let stale = expected.is_some_and(|expected| expected != stored.revision());
        if stale && !self.has(Fault::DeleteIfIsDelete)
            || expected.is_some() && self.has(Fault::DeleteIfAlwaysFails)
        {
            return self.fail(ErrorKind::FailedPrecondition, id);
        }
        if self.has(Fault::DeleteDoesNothing) {
            return Ok(());
        }
        if self.has(Fault::DeleteLeavesExtensions) || self.has(Fault::DeleteLeavesLabels) {
            let mut stored = stored;
            let labels = match self.has(Fault::DeleteLeavesLabels) {
                true => stored.labels_mut().clone(),
                false => Labels::new(),
            };
            let extensions = match self.has(Fault::DeleteLeavesExtensions) {
                true => stored.own_extensions(),
                false => Extensions::new(),
            };
            let mut state = self.store.state.borrow_mut();
            state.ghosts.insert(id.to_owned(), (labels, extensions));
        }
        let key = self.key(id);
        let is_last = self.with(|space| {
            let entries = T::entries_mut(space, &self.kind);
            entries.remove(&key);
            if self.has(Fault::DeleteTakesPrefixes) {
                entries.retain(|other, _| !other.starts_with(&key));
            }
            if self.has(Fault::DeleteTakesTheTwin) {
                space.containers.remove(&key);
                space.records.values_mut().for_each(|entries| {
                    entries.remove(&key);
                });
            }
            space.is_empty()
        });
        if is_last && self.has(Fault::NamespaceGoesWithItsLastContainer) {
            self.store.state.borrow_mut().spaces.remove(self.space());
        }
        Ok(())
    }
}
