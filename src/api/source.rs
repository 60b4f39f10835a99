//! The base of a [`Collection`](crate::Collection): a store or a transaction.

use crate::api::db::Db;
use crate::model::error::{Operation, Result};
use crate::model::identifier::NamespaceName;
use crate::model::kind::{Kind, RecordId};
use crate::model::labels::Labels;
use crate::query::{Scope, Shape, Traversed};
use crate::session::txn::{ReadTxn, WriteTxn};

/// What a [`Collection`](crate::Collection) reads from: a [`Db`], a [`ReadTxn`] or a [`WriteTxn`]. This
/// trait is sealed.
#[expect(private_bounds, reason = "it is sealed")]
pub trait Source: Reads {}

/// What a [`Collection`](crate::Collection) writes to: a [`Db`] or a [`WriteTxn`]. This trait is sealed.
#[expect(private_bounds, reason = "it is sealed")]
pub trait Sink: Source + Writes {}

impl<S: Reads> Source for S {}
impl<S: Reads + Writes> Sink for S {}

/// Reads records and namespaces.
pub(crate) trait Reads {
    /// Returns the record `id`, if there is one.
    fn look_up<T: Shape>(
        &self,
        namespace: &NamespaceName,
        kind: &Kind,
        id: &RecordId,
    ) -> Result<Option<T>>;

    /// Plans a traversal of the records of a scope.
    fn traverse<'a, T: Shape + 'static>(
        &'a self,
        scope: Scope,
        is_lenient: bool,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Traversed<'a, T>>;

    fn namespaces(&self) -> Result<Vec<NamespaceName>>;

    /// Returns the labels of a namespace; `None` if it does not exist.
    fn labels_of(&self, name: &NamespaceName) -> Result<Option<Labels>>;

    /// Returns the kinds of the records in a namespace.
    fn kinds(&self, name: &NamespaceName) -> Result<Vec<Kind>>;

    /// Returns one view of everything, for an operation that reads more than once. In a store, it is a new snapshot
    /// with all its pages verified.
    fn view(&self, operation: Operation) -> Result<View<'_>>;
}

/// A state that changes only if its reader changes it.
pub(crate) enum View<'a> {
    Snapshot(ReadTxn),
    Transaction(&'a WriteTxn),
}

impl<'a> View<'a> {
    pub(crate) fn kinds(&self, name: &NamespaceName) -> Result<Vec<Kind>> {
        match self {
            Self::Snapshot(txn) => txn.kinds(name),
            Self::Transaction(txn) => txn.kinds(name),
        }
    }

    /// Plans a traversal of all records of a scope.
    pub(crate) fn traverse<T: Shape + 'static>(&self, scope: Scope) -> Traversed<'a, T> {
        match *self {
            Self::Snapshot(ref txn) => txn.traverse(scope, false, None, usize::MAX),
            Self::Transaction(txn) => txn.traverse(scope, false, None, usize::MAX),
        }
    }
}

/// Writes.
pub(crate) trait Writes {
    /// Runs an operation in this transaction, or in a new one.
    fn write<R: Send + 'static>(
        &self,
        operation: impl FnOnce(&WriteTxn) -> Result<R> + Send + 'static,
    ) -> Result<R>;
}

impl Reads for ReadTxn {
    fn look_up<T: Shape>(
        &self,
        namespace: &NamespaceName,
        kind: &Kind,
        id: &RecordId,
    ) -> Result<Option<T>> {
        self.look_up(namespace, kind, id)
    }

    fn traverse<'a, T: Shape + 'static>(
        &'a self,
        scope: Scope,
        is_lenient: bool,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Traversed<'a, T>> {
        Ok(self.traverse(scope, is_lenient, after, limit))
    }

    fn namespaces(&self) -> Result<Vec<NamespaceName>> {
        self.namespaces()
    }

    fn labels_of(&self, name: &NamespaceName) -> Result<Option<Labels>> {
        self.labels_of(name)
    }

    fn kinds(&self, name: &NamespaceName) -> Result<Vec<Kind>> {
        self.kinds(name)
    }

    fn view(&self, _: Operation) -> Result<View<'_>> {
        Ok(View::Snapshot(self.clone()))
    }
}

impl Reads for WriteTxn {
    fn look_up<T: Shape>(
        &self,
        namespace: &NamespaceName,
        kind: &Kind,
        id: &RecordId,
    ) -> Result<Option<T>> {
        self.look_up(namespace, kind, id)
    }

    fn traverse<'a, T: Shape + 'static>(
        &'a self,
        scope: Scope,
        is_lenient: bool,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Traversed<'a, T>> {
        Ok(self.traverse(scope, is_lenient, after, limit))
    }

    fn namespaces(&self) -> Result<Vec<NamespaceName>> {
        self.namespaces()
    }

    fn labels_of(&self, name: &NamespaceName) -> Result<Option<Labels>> {
        self.labels_of(name)
    }

    fn kinds(&self, name: &NamespaceName) -> Result<Vec<Kind>> {
        self.kinds(name)
    }

    fn view(&self, _: Operation) -> Result<View<'_>> {
        Ok(View::Transaction(self))
    }
}

impl Writes for WriteTxn {
    fn write<R: Send + 'static>(
        &self,
        operation: impl FnOnce(&WriteTxn) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        operation(self)
    }
}

impl<S: Reads> Reads for &S {
    fn look_up<T: Shape>(
        &self,
        namespace: &NamespaceName,
        kind: &Kind,
        id: &RecordId,
    ) -> Result<Option<T>> {
        (**self).look_up(namespace, kind, id)
    }

    fn traverse<'a, T: Shape + 'static>(
        &'a self,
        scope: Scope,
        is_lenient: bool,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Traversed<'a, T>> {
        (**self).traverse(scope, is_lenient, after, limit)
    }

    fn namespaces(&self) -> Result<Vec<NamespaceName>> {
        (**self).namespaces()
    }

    fn labels_of(&self, name: &NamespaceName) -> Result<Option<Labels>> {
        (**self).labels_of(name)
    }

    fn kinds(&self, name: &NamespaceName) -> Result<Vec<Kind>> {
        (**self).kinds(name)
    }

    fn view(&self, operation: Operation) -> Result<View<'_>> {
        (**self).view(operation)
    }
}

impl<S: Writes> Writes for &S {
    fn write<R: Send + 'static>(
        &self,
        operation: impl FnOnce(&WriteTxn) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        (**self).write(operation)
    }
}

impl Reads for Db {
    fn look_up<T: Shape>(
        &self,
        namespace: &NamespaceName,
        kind: &Kind,
        id: &RecordId,
    ) -> Result<Option<T>> {
        self.read()?.look_up(namespace, kind, id)
    }

    fn traverse<'a, T: Shape + 'static>(
        &'a self,
        scope: Scope,
        is_lenient: bool,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Traversed<'a, T>> {
        Ok(self.read()?.traverse(scope, is_lenient, after, limit))
    }

    fn namespaces(&self) -> Result<Vec<NamespaceName>> {
        self.read()?.namespaces()
    }

    fn labels_of(&self, name: &NamespaceName) -> Result<Option<Labels>> {
        self.read()?.labels_of(name)
    }

    fn kinds(&self, name: &NamespaceName) -> Result<Vec<Kind>> {
        self.read()?.kinds(name)
    }

    fn view(&self, operation: Operation) -> Result<View<'_>> {
        self.read_verified(operation).map(View::Snapshot)
    }
}

impl Writes for Db {
    fn write<R: Send + 'static>(
        &self,
        operation: impl FnOnce(&WriteTxn) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        self.write_one(operation)
    }
}
