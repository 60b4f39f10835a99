//! What a write does to containers and records: checks first, then writes to a draft.

use bayplan::implementing::{Item, Opened, Policy, Sealed, seal_labels};
use bayplan::{Error, ErrorKind, FieldMask, Labels, Result, Revision};
use chrono::{DateTime, Utc};

use crate::draft::{Draft, Stored};
use crate::keys::{Keys, Row};

/// The records of one kind in one namespace.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) keys: &'a Keys,
    pub(crate) policy: Policy,
    pub(crate) namespace: &'a str,
    pub(crate) kind: &'a str,
}

/// Which times a new record gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    /// The current time.
    Now,
    /// Those that the caller passes.
    Given,
}

/// What is stored of a record.
struct Found<T> {
    item: T,
    value: Option<Vec<u8>>,
}

impl Scope<'_> {
    fn key(&self, row: Row, id: &str) -> Vec<u8> {
        self.keys.record(row, self.namespace, self.kind, id)
    }

    pub(crate) fn create<T: Item>(&self, draft: &mut Draft<'_>, new: T, times: Times) -> Result<T> {
        let item = new.settled(self.policy)?;
        let times = match times {
            Times::Now => {
                let now = Utc::now();
                (now, now)
            }
            Times::Given => item.times(),
        };
        if times.1 < times.0 {
            return Err(invalid("it was updated before it was created"));
        }
        self.insert(draft, item, times)
    }

    /// Stores a record where none is stored.
    fn insert<T: Item>(
        &self,
        draft: &mut Draft<'_>,
        mut item: T,
        times: (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<T> {
        let head = self.key(Row::Head, item.id());
        let name = self.keys.namespace(self.namespace);
        let [occupant, namespace] = draft.read([&head, &name])?;
        if occupant.is_some() {
            return Err(Error::of_kind(ErrorKind::AlreadyExists, "already exists"));
        }
        item.stamp(times, Revision::NONE);
        let sealed = Sealed::new(&head, &item, true, draft.mark())?;
        if namespace.is_none() {
            let labels = seal_labels(&name, &Labels::new(), draft.mark())?;
            draft.put(name, labels);
        }
        if let Some(value) = sealed.value {
            draft.put_plain(self.key(Row::Value, item.id()), value);
        }
        draft.put(head, sealed.head);
        Ok(item)
    }

    /// Reads a record. An item that the draft itself has written has no revision.
    pub(crate) fn get<T: Item>(&self, draft: &mut Draft<'_>, id: &str) -> Result<Option<T>> {
        if T::check_id(id).is_err() {
            return Ok(None);
        }
        Ok(self.find::<T>(draft, id)?.map(|found| found.item))
    }

    fn find<T: Item>(&self, draft: &mut Draft<'_>, id: &str) -> Result<Option<Found<T>>> {
        let (head, value) = (self.key(Row::Head, id), self.key(Row::Value, id));
        let [stored, value] = draft.read([&head, &value])?;
        let Some(stored) = stored else {
            return Ok(None);
        };
        let value = value.map(|value| value.value);
        let item = opened::<T>(&head, id, &stored, false)?.with_value(&head, value.as_deref())?;
        Ok(Some(Found { item, value }))
    }

    pub(crate) fn update<T: Item>(
        &self,
        draft: &mut Draft<'_>,
        expected: Option<Revision>,
        input: T,
        mask: &FieldMask,
    ) -> Result<T> {
        if input.id().is_empty() {
            return Err(invalid("the id is empty"));
        }
        let stored = match T::check_id(input.id()) {
            Ok(()) => self.find::<T>(draft, input.id())?,
            Err(_) => None,
        };
        let stored = stored.ok_or_else(not_found)?;
        check_revision(stored.item.revision(), expected)?;
        let updated = stored.item.updated(input, mask, self.policy, Utc::now())?;
        self.replace(draft, &stored, updated)
    }

    pub(crate) fn put<T: Item>(
        &self,
        draft: &mut Draft<'_>,
        expected: Option<Revision>,
        input: T,
    ) -> Result<T> {
        let input = input.settled(self.policy)?;
        let now = Utc::now();
        match self.find::<T>(draft, input.id())? {
            Some(stored) => {
                check_revision(stored.item.revision(), expected)?;
                let mask = FieldMask::full();
                let updated = stored.item.updated(input, &mask, self.policy, now);
                self.replace(draft, &stored, updated.map_err(Error::of_put)?)
            }
            None if expected.is_some() => Err(not_found()),
            None => self.insert(draft, input, (now, now)),
        }
    }

    fn replace<T: Item>(
        &self,
        draft: &mut Draft<'_>,
        stored: &Found<T>,
        mut updated: T,
    ) -> Result<T> {
        let head = self.key(Row::Head, updated.id());
        updated.stamp(updated.times(), Revision::NONE);
        let sealed = Sealed::new(&head, &updated, true, draft.mark())?;
        if let Some(value) = sealed
            .value
            .filter(|new| Some(new) != stored.value.as_ref())
        {
            draft.put_plain(self.key(Row::Value, updated.id()), value);
        }
        draft.put(head, sealed.head);
        Ok(updated)
    }

    /// Deletes a record. It need not be readable.
    pub(crate) fn delete<T: Item>(
        &self,
        draft: &mut Draft<'_>,
        expected: Option<Revision>,
        id: &str,
    ) -> Result<()> {
        T::check_id(id).map_err(|_| not_found())?;
        let head = self.key(Row::Head, id);
        let [stored] = draft.read([&head])?;
        let stored = stored.ok_or_else(not_found)?;
        check_revision(stored.revision, expected)?;
        draft.delete(head);
        draft.delete(self.key(Row::Value, id));
        Ok(())
    }
}

/// Opens a record. In a store, its revision is that of its head, and it must have its spec or value; in the copy of a
/// host's store, it has the revision of that store.
pub(crate) fn opened<T: Item>(
    key: &[u8],
    id: &str,
    stored: &Stored,
    is_copy: bool,
) -> Result<Opened<T>> {
    let mut opened = Opened::<T>::new(key, id, &stored.value)?;
    if !is_copy {
        if !opened.has_value() {
            let what = "it was written without its value";
            return Err(Error::of_kind(ErrorKind::Corrupt, what));
        }
        opened.item.stamp(opened.item.times(), stored.revision);
    }
    Ok(opened)
}

fn check_revision(stored: Revision, expected: Option<Revision>) -> Result<()> {
    match expected.filter(|expected| *expected != stored) {
        None => Ok(()),
        Some(expected) => Err(Error::of_kind(
            ErrorKind::FailedPrecondition,
            format!("it has revision {stored}, not {expected} any more"),
        )),
    }
}

pub(crate) fn invalid(message: &str) -> Error {
    Error::of_kind(ErrorKind::InvalidArgument, message)
}

pub(crate) fn not_found() -> Error {
    Error::of_kind(ErrorKind::NotFound, "not found")
}
