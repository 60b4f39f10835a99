//! Several writes in one transaction.

use bayplan::implementing::{Action, Place};
use bayplan::{Container, NamespaceName, Record, Result, Revision, Update};

use crate::draft::Draft;
use crate::etcd::Etcd;
use crate::keys::CONTAINERS;
use crate::operations::{Scope, Times, invalid, not_found};
use crate::shared::{Shared, told};
use crate::store::checked_kind;

/// Writes over any number of namespaces and kinds, committed together by [`Etcd::write`].
///
/// An item that is returned by a write here has no revision yet: it gets that of the commit.
pub struct WriteTxn<'t, 'c> {
    shared: &'t Shared,
    draft: &'t mut Draft<'c>,
}

impl Etcd {
    /// Does several writes in one transaction: all of them or none. Returns the result, and the revision of the commit,
    /// which all items that were written have; [`Revision::NONE`] if nothing was.
    ///
    /// Nothing is locked meanwhile. If others change what `work` has read, nothing is written and `work` runs again, on
    /// what is stored then. So it must have no effects of its own.
    ///
    /// A transaction of etcd has at most 128 operations (`--max-txn-ops`), and so many conditions: enough to create or
    /// update 60 items.
    ///
    /// # Errors
    ///
    /// The first error of `work`, and then nothing is written.
    /// [`InvalidArgument`](bayplan::ErrorKind::InvalidArgument) if the transaction is too large for etcd. Otherwise as any
    /// write, see [`Store`](bayplan::Store).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use bayplan::{Any, Container, Record, Runtime};
    /// use bayplan_etcd::{Etcd, Options};
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// let etcd = Etcd::open(&Options::new(["127.0.0.1:2379"]))?;
    /// etcd.write(|txn| {
    ///     let pod = Record::new("pod-1", Any::new("example.com/Sandbox", b"{}"));
    ///     txn.put_record("k8s.io", "sandboxes", pod)?;
    ///     let web = Container::new("web", Runtime::new("runc"), Any::new("spec", b"{}"));
    ///     txn.create("k8s.io", web.sandbox("pod-1"))
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn write<R>(
        &self,
        mut work: impl FnMut(&mut WriteTxn<'_, '_>) -> Result<R>,
    ) -> Result<(R, Revision)> {
        let shared = &self.shared;
        let written = shared.write(|draft| work(&mut WriteTxn { shared, draft }));
        written.map_err(|error| error.in_action(Action::Commit, Place::default()))
    }
}

impl WriteTxn<'_, '_> {
    /// Reads a container, as it will be when this is committed.
    ///
    /// # Errors
    ///
    /// As [`ReadStore::get`](bayplan::ReadStore::get).
    pub fn get(&mut self, namespace: &str, id: &str) -> Result<Container> {
        self.within(Action::Get, namespace, CONTAINERS, id, |scope, draft| {
            scope.get(draft, id)?.ok_or_else(not_found)
        })
    }

    /// Creates a container.
    ///
    /// # Errors
    ///
    /// As [`Store::create`](bayplan::Store::create).
    pub fn create(&mut self, namespace: &str, new: Container) -> Result<Container> {
        let id = new.id.clone();
        self.within(
            Action::Create,
            namespace,
            CONTAINERS,
            &id,
            |scope, draft| scope.create(draft, new, Times::Now),
        )
    }

    /// Makes the changes in an [`Update`] of a container.
    ///
    /// # Errors
    ///
    /// As [`Store::apply`](bayplan::Store::apply).
    pub fn apply(&mut self, namespace: &str, update: Update) -> Result<Container> {
        let (expected, input, mask) = update.into_parts();
        let id = input.id.clone();
        self.within(
            Action::Update,
            namespace,
            CONTAINERS,
            &id,
            |scope, draft| match mask.is_full() {
                true => Err(invalid("the update names no change")),
                false => scope.update(draft, expected, input, &mask),
            },
        )
    }

    /// Creates a container, or replaces its mutable fields.
    ///
    /// # Errors
    ///
    /// As [`Store::put`](bayplan::Store::put).
    pub fn put(&mut self, namespace: &str, container: Container) -> Result<Container> {
        let id = container.id.clone();
        self.within(Action::Put, namespace, CONTAINERS, &id, |scope, draft| {
            scope.put(draft, None, container)
        })
    }

    /// Deletes a container, if it has the expected revision (with `None`, any).
    ///
    /// # Errors
    ///
    /// As [`Store::delete_if`](bayplan::Store::delete_if).
    pub fn delete(&mut self, namespace: &str, id: &str, expected: Option<Revision>) -> Result<()> {
        self.within(Action::Delete, namespace, CONTAINERS, id, |scope, draft| {
            scope.delete::<Container>(draft, expected, id)
        })
    }

    /// Reads a record of another kind, as it will be when this is committed.
    ///
    /// # Errors
    ///
    /// As [`ReadStore::get`](bayplan::ReadStore::get).
    pub fn get_record(&mut self, namespace: &str, kind: &str, id: &str) -> Result<Record> {
        self.within(
            Action::Get,
            namespace,
            checked_kind(namespace, kind)?,
            id,
            |scope, draft| scope.get(draft, id)?.ok_or_else(not_found),
        )
    }

    /// Creates a record of another kind, or replaces its labels and its value.
    ///
    /// # Errors
    ///
    /// As [`Store::put`](bayplan::Store::put).
    pub fn put_record(&mut self, namespace: &str, kind: &str, record: Record) -> Result<Record> {
        let id = record.id.clone();
        self.within(
            Action::Put,
            namespace,
            checked_kind(namespace, kind)?,
            &id,
            |scope, draft| scope.put(draft, None, record),
        )
    }

    /// Deletes a record of another kind, if it has the expected revision (with `None`, any).
    ///
    /// # Errors
    ///
    /// As [`Store::delete_if`](bayplan::Store::delete_if).
    pub fn delete_record(
        &mut self,
        namespace: &str,
        kind: &str,
        id: &str,
        expected: Option<Revision>,
    ) -> Result<()> {
        self.within(
            Action::Delete,
            namespace,
            checked_kind(namespace, kind)?,
            id,
            |scope, draft| scope.delete::<Record>(draft, expected, id),
        )
    }

    fn within<R>(
        &mut self,
        action: Action,
        namespace: &str,
        kind: &str,
        id: &str,
        work: impl FnOnce(Scope<'_>, &mut Draft<'_>) -> Result<R>,
    ) -> Result<R> {
        let scope = Scope {
            keys: &self.shared.keys,
            policy: self.shared.policy,
            namespace,
            kind,
        };
        NamespaceName::new(namespace)
            .and_then(|_| work(scope, self.draft))
            .map_err(told(action, namespace, kind, Some(id)))
    }
}
