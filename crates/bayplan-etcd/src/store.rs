//! The handles for the containers of one namespace, or its records of another kind.

use std::sync::Arc;

use bayplan::implementing::{Action, Item, check_kind};
use bayplan::{
    Container, Error, FieldMask, NamespaceName, ReadStore, Record, Result, Revision, Selection,
    Store, Traversal,
};

use crate::draft::Draft;
use crate::keys::CONTAINERS;
use crate::operations::{Scope, Times};
use crate::reader::Reader;
use crate::shared::{At, Shared, told};

/// The containers of one namespace, or its records of another kind, in etcd; from
/// [`Etcd::namespace`](crate::Etcd::namespace).
///
/// Each write is one transaction of etcd, durable on most of its members when it returns. An update reads what is
/// stored, and commits if that is still the same; otherwise it does so again.
pub struct EtcdStore<T = Container>(Reader<T>);

/// The same in a [`Snapshot`](crate::Snapshot), for reading.
pub struct SnapshotStore<T = Container>(pub(crate) Reader<T>);

/// Returns the kind, or an error that tells what was asked for.
pub(crate) fn checked_kind<'k>(name: &str, kind: &'k str) -> Result<&'k str> {
    check_kind(kind).map_err(told(Action::OpenNamespace, name, CONTAINERS, None))?;
    Ok(kind)
}

impl EtcdStore {
    pub(crate) fn new(shared: &Arc<Shared>, name: &str) -> Result<Self> {
        Reader::new(shared, name, CONTAINERS, At::Now).map(Self)
    }

    /// Returns the records of another kind in the same namespace.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](bayplan::ErrorKind::InvalidArgument) if `kind` is not an identifier, or is reserved.
    pub fn records(&self, kind: &str) -> Result<EtcdStore<Record>> {
        let name = self.0.name.as_str();
        Reader::new(&self.0.shared, name, checked_kind(name, kind)?, At::Now).map(EtcdStore)
    }
}

impl SnapshotStore {
    /// Returns the records of another kind in the same namespace and snapshot.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](bayplan::ErrorKind::InvalidArgument) if `kind` is not an identifier, or is reserved.
    pub fn records(&self, kind: &str) -> Result<SnapshotStore<Record>> {
        let name = self.0.name.as_str();
        let mut reader = Reader::new(&self.0.shared, name, checked_kind(name, kind)?, self.0.at)?;
        reader.is_copy = self.0.is_copy;
        Ok(SnapshotStore(reader))
    }
}

impl<T: Item> EtcdStore<T> {
    /// Writes one item, and returns it with the revision of the commit.
    fn write(
        &self,
        action: Action,
        id: &str,
        work: impl Fn(Scope<'_>, &mut Draft<'_>) -> Result<T>,
    ) -> Result<T> {
        let shared = &self.0.shared;
        let written = shared.write(|draft| work(self.scope(), draft));
        let (mut item, revision) = written.map_err(self.0.told(action, Some(id)))?;
        item.stamp(item.times(), revision);
        Ok(item)
    }

    fn scope(&self) -> Scope<'_> {
        Scope {
            keys: &self.0.shared.keys,
            policy: self.0.shared.policy,
            namespace: self.0.name.as_str(),
            kind: &self.0.kind,
        }
    }
}

/// Reads a store of either type through its reader.
macro_rules! read_store {
    ($type:ident) => {
        impl<T: Item> ReadStore<T> for $type<T> {
            fn name(&self) -> &NamespaceName {
                &self.0.name
            }

            fn get(&self, id: &str) -> Result<T> {
                self.0.get(id)
            }

            fn find(&self, id: &str) -> Result<Option<T>> {
                self.0.find(id)
            }

            fn traverse(&self, selection: &Selection) -> Result<Traversal<'_, T>> {
                Ok(self.0.traverse(selection))
            }
        }
    };
}

read_store!(EtcdStore);
read_store!(SnapshotStore);

impl<T: Item> Store<T> for EtcdStore<T> {
    fn create(&self, new: T) -> Result<T> {
        let id = new.id().to_owned();
        self.write(Action::Create, &id, |scope, draft| {
            scope.create(draft, new.clone(), Times::Now)
        })
    }

    fn import(&self, new: T) -> Result<T> {
        let id = new.id().to_owned();
        self.write(Action::Import, &id, |scope, draft| {
            scope.create(draft, new.clone(), Times::Given)
        })
    }

    fn update_when(&self, expected: Option<Revision>, input: T, mask: &FieldMask) -> Result<T> {
        let id = input.id().to_owned();
        self.write(Action::Update, &id, |scope, draft| {
            scope.update(draft, expected, input.clone(), mask)
        })
    }

    fn put(&self, item: T) -> Result<T> {
        let id = item.id().to_owned();
        self.write(Action::Put, &id, |scope, draft| {
            scope.put(draft, None, item.clone())
        })
    }

    fn put_if(&self, revision: Revision, item: T) -> Result<T> {
        let id = item.id().to_owned();
        self.write(Action::Put, &id, |scope, draft| {
            scope.put(draft, Some(revision), item.clone())
        })
    }

    fn delete_when(&self, expected: Option<Revision>, id: &str) -> Result<()> {
        let delete = |draft: &mut Draft<'_>| self.scope().delete::<T>(draft, expected, id);
        let written = self.0.shared.write(delete);
        let error = self.0.told(Action::Delete, Some(id));
        written.map(drop).map_err(|fault: Error| error(fault))
    }
}
