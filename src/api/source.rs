//! The base of a [`Collection`](crate::Collection): a store or a transaction.

use crate::api::db::Db;
use crate::model::error::Result;
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
    /// The record `id`, if there is one.
    fn look_up<T: Shape>(
        &self,
        namespace: &NamespaceName,
        kind: &Kind,
        id: &RecordId,
    ) -> Result<Option<T>>;

    /// The records of a scope; plans the traversal.
    fn traverse<'a, T: Shape + 'static>(
        &'a self,
        scope: Scope,
        is_lenient: bool,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Traversed<'a, T>>;

    fn namespaces(&self) -> Result<Vec<NamespaceName>>;

    /// The labels of a namespace; `None` if it does not exist.
    fn labels_of(&self, name: &NamespaceName) -> Result<Option<Labels>>;

    /// The kinds of the records in a namespace.
    fn kinds(&self, name: &NamespaceName) -> Result<Vec<Kind>>;
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
}

impl Writes for Db {
    fn write<R: Send + 'static>(
        &self,
        operation: impl FnOnce(&WriteTxn) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        self.write_one(operation)
    }
}
