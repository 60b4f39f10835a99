//! What a write transaction does to containers, records and namespaces.
//!
//! Every operation checks all its preconditions before its first write. The callers add the context of an error
//! (operation, namespace, id).

use chrono::{DateTime, Utc};

use super::read::kinds;
use super::write::WriteTxn;
use crate::model::container::Container;
use crate::model::error::{Error, Result};
use crate::model::identifier::NamespaceName;
use crate::model::kind::{Kind, RecordId};
use crate::model::labels::{self, Labels};
use crate::model::limits::LABELS_MAX_COUNT;
use crate::model::policy::Policy;
use crate::model::record::Record;
use crate::model::revision::Revision;
use crate::query::{Batch, Items, Plan, Records, Scope, Shape, Traversed, WithHead};
use crate::records::keys::{self, RecordKey, TableCode, meta};
use crate::records::meta::NamespaceRow;
use crate::records::seal::seal;
use crate::records::tombstone::Name;
use crate::redb_file::fault::contained;
use crate::session::entity::Entity;
use crate::session::namespaces;
use crate::session::rows::{self, Occupant};
use crate::session::tombstones;
use crate::session::written::Written;
use crate::update;
use crate::update::mask::FieldMask;

/// How many ids the error names when a namespace is not empty.
const IDS_NAMED: usize = 3;

/// Which times a new record gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    /// The current time.
    Now,
    /// Those that the caller passes.
    Given,
}

/// How an update changes what is stored.
pub(crate) trait Updatable: Entity {
    /// Returns the result of an update by a mask.
    fn update(
        stored: &Self,
        input: Self,
        mask: &FieldMask,
        policy: Policy,
        now: DateTime<Utc>,
    ) -> Result<Self>;
}

impl Updatable for Container {
    fn update(
        stored: &Self,
        input: Self,
        mask: &FieldMask,
        policy: Policy,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        update::apply(stored, input, mask, policy, now)
    }
}

impl Updatable for Record {
    fn update(
        stored: &Self,
        input: Self,
        mask: &FieldMask,
        policy: Policy,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        update::apply_to_record(stored, input, mask, policy, now)
    }
}

impl WriteTxn {
    /// Returns the record `id`, if there is one.
    pub(crate) fn look_up<T: Shape>(
        &self,
        namespace: &NamespaceName,
        kind: &Kind,
        id: &RecordId,
    ) -> Result<Option<T>> {
        let key = RecordKey::new(namespace, kind, id);
        self.attempt(|| self.in_records(|records| records.whole(&key, kind)))
    }

    /// Traverses the records of a scope after `after`, at most `limit` of them. A lenient traversal looks at
    /// everything, to report all damage.
    pub(crate) fn traverse<'t, T: Shape + 't>(
        &'t self,
        mut scope: Scope,
        is_lenient: bool,
        after: Option<&str>,
        limit: usize,
    ) -> Traversed<'t, T> {
        if !is_lenient {
            scope.plan = Plan::of(&scope, self.draft.borrow().memory(), limit);
        }
        Box::new(Items::new(after, limit, move |after, limit| {
            let read =
                contained(|| self.in_records(|records| Batch::read(records, &scope, after, limit)));
            self.shared.believe(read, |_| is_lenient)
        }))
    }

    /// Reads the records as this transaction sees them.
    fn in_records<T>(
        &self,
        read: impl FnOnce(&Records<'_, Written<'_>>) -> Result<T>,
    ) -> Result<T> {
        let table = self.open(TableCode::Records)?;
        let draft = self.draft.borrow();
        read(&Records {
            table: &table,
            memory: draft.memory(),
        })
    }

    pub(crate) fn create<T: Updatable>(
        &self,
        namespace: &NamespaceName,
        kind: &Kind,
        new: T,
        times: Times,
    ) -> Result<T> {
        let item = new.settled(self.shared.policy)?;
        let times = match times {
            Times::Now => {
                let now = self.shared.now();
                (now, now)
            }
            Times::Given => item.times(),
        };
        if times.1 < times.0 {
            return Err(Error::invalid("it was updated before it was created"));
        }
        let id = T::parsed_id(item.id())?;
        let key = RecordKey::new(namespace, kind, &id);
        self.attempt(|| {
            let mut table = self.open(TableCode::Records)?;
            check_unoccupied(&table, &key)?;
            self.insert(&mut table, namespace, &key, item, times)
        })
    }

    /// Stores a record where none is stored.
    fn insert<T: Updatable>(
        &self,
        table: &mut Written<'_>,
        namespace: &NamespaceName,
        key: &RecordKey,
        mut item: T,
        times: (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<T> {
        let is_new_namespace = {
            let namespaces = self.open(TableCode::Namespaces)?;
            namespaces::get(&namespaces, namespace)?.is_none()
        };
        // Its creation comes first.
        let created = match is_new_namespace {
            true => Some(self.next_revision()?),
            false => None,
        };
        item.stamp(times, self.next_revision()?);
        if let Some(created) = created {
            self.writing(|| {
                let mut table = self.open_while_writing(TableCode::Namespaces)?;
                self.put_namespace(&mut table, namespace, &new_namespace(created))
            })?;
        }
        self.writing(|| {
            let own = rows::insert(table, key, &item)?;
            self.keep(key, &own, None, &item)
        })?;
        Ok(item)
    }

    pub(crate) fn update<T: Updatable>(
        &self,
        namespace: &NamespaceName,
        kind: &Kind,
        expected: Option<Revision>,
        input: T,
        mask: &FieldMask,
    ) -> Result<T> {
        if input.id().is_empty() {
            return Err(Error::invalid("the id is empty"));
        }
        let id = T::parsed_id(input.id()).map_err(|_| Error::not_found())?;
        let policy = self.shared.policy;
        let now = self.shared.now();
        self.attempt(|| {
            let mut table = self.open(TableCode::Records)?;
            let key = RecordKey::new(namespace, kind, &id);
            let stored: WithHead<T> = self.stored(&table, &key, kind, expected)?;
            let updated = T::update(&stored.item, input, mask, policy, now)?;
            self.replace(&mut table, &key, &stored, updated)
        })
    }

    pub(crate) fn put<T: Updatable>(
        &self,
        namespace: &NamespaceName,
        kind: &Kind,
        expected: Option<Revision>,
        input: T,
    ) -> Result<T> {
        let policy = self.shared.policy;
        let input = input.settled(policy)?;
        let id = T::parsed_id(input.id())?;
        let key = RecordKey::new(namespace, kind, &id);
        let now = self.shared.now();
        self.attempt(|| {
            let mut table = self.open(TableCode::Records)?;
            match self.stored::<T>(&table, &key, kind, expected) {
                Ok(stored) => {
                    let updated = T::update(&stored.item, input, &FieldMask::full(), policy, now)
                        .map_err(Error::of_put)?;
                    self.replace(&mut table, &key, &stored, updated)
                }
                Err(error) if error.is_not_found() && expected.is_none() => {
                    check_unoccupied(&table, &key)?;
                    self.insert(&mut table, namespace, &key, input, (now, now))
                }
                Err(error) => Err(error),
            }
        })
    }

    /// Returns what is stored, if it has the expected revision.
    fn stored<T: Updatable>(
        &self,
        table: &Written<'_>,
        key: &RecordKey,
        kind: &Kind,
        expected: Option<Revision>,
    ) -> Result<WithHead<T>> {
        let draft = self.draft.borrow();
        let memory = draft.memory();
        let stored: Option<WithHead<T>> = Records { table, memory }.whole(key, kind)?;
        let stored = stored.ok_or_else(Error::not_found)?;
        check_revision(stored.item.revision(), expected)?;
        Ok(stored)
    }

    /// Keeps a record in memory after it was written, with its own row `own`.
    fn keep<T: Updatable>(
        &self,
        key: &RecordKey,
        own: &[u8],
        old: Option<&T>,
        new: &T,
    ) -> Result<()> {
        self.note(new.revision(), key.own());
        let mut draft = self.draft.borrow_mut();
        self.writing(|| draft.change(key.own(), |memory| rows::keep(memory, key, own, old, new)))
    }

    fn replace<T: Updatable>(
        &self,
        table: &mut Written<'_>,
        key: &RecordKey,
        stored: &WithHead<T>,
        mut updated: T,
    ) -> Result<T> {
        updated.stamp(updated.times(), self.next_revision()?);
        let own = self.writing(|| rows::replace(table, key, stored, &updated))?;
        self.keep(key, &own, Some(&stored.item), &updated)?;
        Ok(updated)
    }

    /// Deletes a record. It need not be readable, unless a revision is expected.
    pub(crate) fn delete<T: Updatable>(
        &self,
        namespace: &NamespaceName,
        kind: &Kind,
        expected: Option<Revision>,
        id: &str,
    ) -> Result<()> {
        let id = T::parsed_id(id).map_err(|_| Error::not_found())?;
        let key = RecordKey::new(namespace, kind, &id);
        self.attempt(|| {
            let mut table = self.open(TableCode::Records)?;
            if expected.is_some() {
                self.stored::<T>(&table, &key, kind, expected)?;
            } else if rows::occupant(&table, &key)? == Occupant::Nothing {
                return Err(Error::not_found());
            }
            let name = Name {
                namespace: namespace.clone(),
                record: Some((kind.clone(), id)),
            };
            let revision = self.next_revision()?;
            self.writing(|| {
                rows::delete(&mut table, &key)?;
                self.bury(&name, revision)?;
                let mut draft = self.draft.borrow_mut();
                draft.change(key.own(), |memory| memory.remove(key.own()))
            })
        })
    }
}

// Namespaces.
impl WriteTxn {
    pub(crate) fn namespaces(&self) -> Result<Vec<NamespaceName>> {
        self.attempt(|| namespaces::list(&self.open(TableCode::Namespaces)?))
    }

    pub(crate) fn labels_of(&self, name: &NamespaceName) -> Result<Option<Labels>> {
        self.attempt(|| namespaces::get(&self.open(TableCode::Namespaces)?, name))
    }

    /// Returns the kinds of the records in a namespace.
    pub(crate) fn kinds(&self, name: &NamespaceName) -> Result<Vec<Kind>> {
        self.attempt(|| kinds(&self.open(TableCode::Records)?, name))
    }

    pub(crate) fn create_namespace_of(&self, name: &NamespaceName, labels: Labels) -> Result<()> {
        let labels = labels::settle(labels, self.shared.policy)?;
        self.attempt(|| {
            let mut table = self.open(TableCode::Namespaces)?;
            if namespaces::get(&table, name)?.is_some() {
                return Err(Error::already_exists());
            }
            let mut row = new_namespace(self.next_revision()?);
            row.labels = labels;
            self.writing(|| self.put_namespace(&mut table, name, &row))
        })
    }

    /// Stores a namespace with its new revision.
    fn put_namespace(
        &self,
        table: &mut Written<'_>,
        name: &NamespaceName,
        row: &NamespaceRow,
    ) -> Result<()> {
        self.note(row.revision, keys::namespace(name));
        namespaces::put(table, name, row)
    }

    pub(crate) fn set_label_of(&self, name: &NamespaceName, key: &str, value: &str) -> Result<()> {
        labels::check_label(key, value)?;
        self.attempt(|| {
            let mut table = self.open(TableCode::Namespaces)?;
            let stored = namespaces::row(&table, name)?;
            let (created, mut labels) = match stored {
                Some(row) => (Some(row.created), row.labels),
                None => (None, Labels::new()),
            };
            if value.is_empty() {
                labels.remove(key);
            } else {
                labels.insert(key.to_owned(), value.to_owned());
            }
            if labels.len() > LABELS_MAX_COUNT {
                return Err(Error::invalid(format!(
                    "there are too many labels already: at most {LABELS_MAX_COUNT}"
                )));
            }
            let revision = self.next_revision()?;
            let row = NamespaceRow {
                revision,
                created: created.unwrap_or(revision),
                labels,
            };
            self.writing(|| self.put_namespace(&mut table, name, &row))
        })
    }

    pub(crate) fn delete_namespace_of(&self, name: &NamespaceName) -> Result<()> {
        self.attempt(|| {
            let mut table = self.open(TableCode::Namespaces)?;
            let is_known = namespaces::get(&table, name).map(|labels| labels.is_some());
            match is_known {
                Ok(false) => return Err(Error::not_found()),
                // Damaged labels are no reason to keep it.
                Ok(true) => {}
                Err(error) if error.is_corrupt() => {}
                Err(error) => return Err(error),
            }
            self.check_empty(name)?;
            let revision = self.next_revision()?;
            self.writing(|| {
                namespaces::delete(&mut table, name)?;
                self.bury(&Name::of_namespace(name.clone()), revision)
            })
        })
    }

    /// Records a deletion.
    fn bury(&self, deleted: &Name, revision: Revision) -> Result<()> {
        let max_count = self.shared.tombstones_max_count;
        let kept_from = self.first_deletion.get().unwrap_or(revision);
        self.first_deletion.set(Some(kept_from));
        let mut table = self.open_while_writing(TableCode::Tombstones)?;
        let known = || tombstones::forgotten(&self.open_while_writing(TableCode::Meta)?);
        if let Some(forgotten) =
            tombstones::bury(&mut table, revision, deleted, kept_from, max_count, known)?
        {
            let value = seal(meta::FORGOTTEN, &forgotten.get())?;
            let mut table = self.open_while_writing(TableCode::Meta)?;
            table.put(meta::FORGOTTEN, &value)?;
        }
        Ok(())
    }

    fn check_empty(&self, name: &NamespaceName) -> Result<()> {
        let mut held = Vec::new();
        for kind in self.kinds(name)? {
            let mut count = 0_usize;
            let mut named = Vec::new();
            for item in self.traverse::<String>(Scope::all(name, &kind), false, None, usize::MAX) {
                count += 1;
                let id = item?.unwrap_or_else(|damaged| damaged.id);
                if named.len() < IDS_NAMED {
                    named.push(format!("{id:?}"));
                }
            }
            let noun = match (kind.of_collection(), count) {
                (None, 1) => "container".to_owned(),
                (None, _) => "containers".to_owned(),
                (Some(kind), 1) => format!("record of kind {kind:?}"),
                (Some(kind), _) => format!("records of kind {kind:?}"),
            };
            let more = if count > named.len() { ", ..." } else { "" };
            held.push(format!("{count} {noun}: {}{more}", named.join(", ")));
        }
        match held.is_empty() {
            true => Ok(()),
            false => Err(Error::precondition(format!(
                "it still holds {}",
                held.join("; ")
            ))),
        }
    }
}

/// Makes a new namespace without labels.
fn new_namespace(created: Revision) -> NamespaceRow {
    NamespaceRow {
        revision: created,
        created,
        labels: Labels::new(),
    }
}

/// Checks that nothing is stored under the keys of a record.
fn check_unoccupied(table: &Written<'_>, key: &RecordKey) -> Result<()> {
    match rows::occupant(table, key)? {
        Occupant::Nothing => Ok(()),
        Occupant::Record => Err(Error::already_exists()),
        Occupant::Parts => Err(Error::corrupt(
            "parts of a damaged record have this id: delete it first",
        )),
    }
}

fn check_revision(stored: Revision, expected: Option<Revision>) -> Result<()> {
    match expected.filter(|expected| *expected != stored) {
        None => Ok(()),
        Some(expected) => Err(Error::precondition(format!(
            "it has revision {stored}, not {expected} any more"
        ))),
    }
}
