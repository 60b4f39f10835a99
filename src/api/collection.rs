//! The handle for the containers or records of one namespace, in a store or in a transaction.

use std::fmt;

use crate::api::db::Db;
use crate::api::query::Query;
use crate::api::selection::{Detail, Found, Selection, Traversal};
use crate::api::source::{Sink, Source};
use crate::api::store::{ReadStore, Store};
use crate::api::stored::Stored;
use crate::api::update::Update;
use crate::filter::Filters;
use crate::model::any::Any;
use crate::model::container::Container;
use crate::model::error::{Error, Operation, Result};
use crate::model::identifier::NamespaceName;
use crate::model::kind::Kind;
use crate::model::record::Record;
use crate::model::revision::Revision;
use crate::query::{Damaged, Plan, Scope, Shape};
use crate::session::txn::{ReadTxn, Times, Updatable, WriteTxn};
use crate::update::mask::FieldMask;

/// The containers of one namespace, or its records of another kind, in `S`: a [`Db`], a [`ReadTxn`] or a [`WriteTxn`].
/// Each call on a collection of a [`Db`] is its own transaction, and its writes are durable when it returns.
///
/// The operations of [`Store`] are methods of this type; import that trait only to be generic. Concurrent writes
/// through a [`Db`] share a commit, and so the wait for the disk.
///
/// | type | of |
/// |---|---|
/// | [`Namespace`], [`Records`] | a [`Db`] |
/// | [`ReadNamespace`], [`ReadRecords`] | a [`ReadTxn`] |
/// | [`WriteNamespace`], [`WriteRecords`] | a [`WriteTxn`] |
#[derive(Clone)]
pub struct Collection<S, T = Container> {
    source: S,
    name: NamespaceName,
    kind: Kind,
    of: std::marker::PhantomData<fn() -> T>,
}

/// The containers of one namespace of a [`Db`].
pub type Namespace = Collection<Db>;
/// The records of one kind in one namespace of a [`Db`].
pub type Records = Collection<Db, Record>;
/// The containers of one namespace in a [`ReadTxn`].
pub type ReadNamespace<'t> = Collection<&'t ReadTxn>;
/// The records of one kind in one namespace in a [`ReadTxn`].
pub type ReadRecords<'t> = Collection<&'t ReadTxn, Record>;
/// The containers of one namespace in a [`WriteTxn`].
pub type WriteNamespace<'t> = Collection<&'t WriteTxn>;
/// The records of one kind in one namespace in a [`WriteTxn`].
pub type WriteRecords<'t> = Collection<&'t WriteTxn, Record>;

impl<S> Collection<S> {
    /// Returns the containers of a namespace.
    pub(crate) fn containers(source: S, name: &str) -> Result<Self> {
        let name = NamespaceName::new(name)
            .map_err(|error| error.during(Operation::OpenNamespace).in_namespace(name))?;
        Ok(Self::of(source, name, Kind::CONTAINERS))
    }

    /// Returns the records of another kind in the same namespace, such as `sandboxes` or `images`. There need not be
    /// any yet.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if `kind` is not an identifier, or is
    /// `containers` or `version`.
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{Any, Db, Record};
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// let images = Db::in_memory()?.namespace("k8s.io")?.records("images")?;
    /// images.put(Record::new("docker.io/library/nginx:1.29", Any::new("example.com/Image", b"{}")))?;
    /// assert_eq!(images.query().count()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn records(&self, kind: &str) -> Result<Collection<S, Record>>
    where
        S: Clone,
    {
        let kind = Kind::new(kind).map_err(|error| {
            error
                .during(Operation::OpenNamespace)
                .in_namespace(&self.name)
        })?;
        Ok(Collection::of(self.source.clone(), self.name.clone(), kind))
    }
}

impl<S, T> Collection<S, T> {
    fn of(source: S, name: NamespaceName, kind: Kind) -> Self {
        Self {
            source,
            name,
            kind,
            of: std::marker::PhantomData,
        }
    }

    /// Returns the namespace.
    #[must_use]
    pub fn name(&self) -> &NamespaceName {
        &self.name
    }

    pub(crate) fn source(&self) -> &S {
        &self.source
    }

    /// Returns the kind: `containers`, or that of the records.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.kind.as_str()
    }

    /// Adds the context to an error, for the operations of all handles.
    pub(crate) fn error(&self, error: Error, operation: Operation, id: Option<&str>) -> Error {
        let error = error
            .during(operation)
            .of_record_kind(self.kind.of_collection())
            .in_namespace(&self.name);
        match id {
            Some(id) => error.of(id),
            None => error,
        }
    }
}

#[expect(private_bounds, reason = "`T` is a `Container` or a `Record`")]
impl<S: Source, T: Element> Collection<S, T> {
    /// Returns the container or record with this id; see [`ReadStore::get`].
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Corrupt`](crate::ErrorKind::Corrupt),
    /// [`Io`](crate::ErrorKind::Io).
    pub fn get(&self, id: &str) -> Result<T> {
        let found = self
            .found(id)
            .and_then(|it| it.ok_or_else(Error::not_found));
        found.map_err(|error| self.error(error, Operation::Get, Some(id)))
    }

    /// Returns the container or record with this id, if it exists; see [`ReadStore::find`].
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt), [`Io`](crate::ErrorKind::Io).
    pub fn find(&self, id: &str) -> Result<Option<T>> {
        let found = self.found(id);
        found.map_err(|error| self.error(error, Operation::Get, Some(id)))
    }

    fn found(&self, id: &str) -> Result<Option<T>> {
        match T::parsed_id(id) {
            Ok(id) => self.source.look_up(&self.name, &self.kind, &id),
            // A text that is not a valid id finds nothing.
            Err(_) => Ok(None),
        }
    }

    /// Returns everything that matches any of the filters; see [`ReadStore::list`].
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt), [`Io`](crate::ErrorKind::Io).
    pub fn list(&self, filters: &Filters) -> Result<Vec<T>> {
        self.query().filter(filters).list()
    }

    /// Returns a query, for ids, counts, headers, pages, and all other ways to read many items; see [`Query`].
    pub fn query(&self) -> Query<'_, T> {
        ReadStore::query(self)
    }

    fn scope(&self, selection: &Selection, extensions: &[String]) -> Scope {
        Scope {
            namespace: self.name.clone(),
            kind: self.kind.clone(),
            filters: selection.filters.clone(),
            extensions: extensions.to_vec(),
            pinning: None,
            changed_after: None,
            plan: Plan::All,
        }
    }

    /// Traverses the items in one shape, each converted to [`Found`].
    fn shaped<'a, I: Shape + 'static>(
        &'a self,
        selection: &Selection,
        extensions: &[String],
        make: fn(I) -> Found<T>,
    ) -> Result<Traversal<'a, T>> {
        let is_lenient = selection.is_lenient;
        let items = self.source.traverse::<I>(
            self.scope(selection, extensions),
            is_lenient,
            selection.after.as_deref(),
            selection.limit.unwrap_or(usize::MAX),
        )?;
        let found = items.map(move |item| match item {
            Ok(Ok(item)) => Ok(make(item)),
            Ok(Err(Damaged { id, error })) => {
                let error = self.error(error, Operation::List, Some(&id));
                match is_lenient {
                    true => Ok(Found::Damaged(Damaged { id, error })),
                    false => Err(error),
                }
            }
            Err(error) => Err(self.error(error, Operation::List, None)),
        });
        Ok(Box::new(UntilError::new(found)))
    }
}

/// Ends after the first error.
pub(crate) struct UntilError<I> {
    items: I,
    ended: bool,
}

impl<I> UntilError<I> {
    pub(crate) fn new(items: I) -> Self {
        let ended = false;
        Self { items, ended }
    }
}

impl<I: Iterator<Item = Result<R>>, R> Iterator for UntilError<I> {
    type Item = Result<R>;

    fn next(&mut self) -> Option<Result<R>> {
        if self.ended {
            return None;
        }
        let item = self.items.next();
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }
}

#[expect(private_bounds, reason = "`T` is a `Container` or a `Record`")]
impl<S: Sink, T: Element> Collection<S, T> {
    fn write<R: Send + 'static>(
        &self,
        operation: Operation,
        id: &str,
        write: impl FnOnce(&WriteTxn, &NamespaceName, &Kind) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        let (name, kind) = (self.name.clone(), self.kind.clone());
        let written = self.source.write(move |txn| write(txn, &name, &kind));
        written.map_err(|error| self.error(error, operation, Some(id)))
    }

    /// Creates a container or record; see [`Store::create`].
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument),
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists), and the errors of any write, see [`Store`].
    pub fn create(&self, new: T) -> Result<T> {
        let id = Stored::id(&new).to_owned();
        self.write(Operation::Create, &id, |txn, name, kind| {
            txn.create(name, kind, new, Times::Now)
        })
    }

    /// Creates a container or record and keeps its times; see [`Store::import`].
    ///
    /// # Errors
    ///
    /// As [`create`](Collection::create).
    pub fn import(&self, new: T) -> Result<T> {
        let id = Stored::id(&new).to_owned();
        self.write(Operation::Import, &id, |txn, name, kind| {
            txn.create(name, kind, new, Times::Given)
        })
    }

    /// Updates a container or record; see [`Store::update`].
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound), [`InvalidArgument`](crate::ErrorKind::InvalidArgument),
    /// and the errors of any write, see [`Store`].
    pub fn update(&self, input: T, mask: &FieldMask) -> Result<T> {
        self.update_when(None, input, mask)
    }

    /// Updates a container or record if it has this revision; see [`Store::update_if`].
    ///
    /// # Errors
    ///
    /// As [`update`](Collection::update); [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition).
    pub fn update_if(&self, revision: Revision, input: T, mask: &FieldMask) -> Result<T> {
        self.update_when(Some(revision), input, mask)
    }

    fn update_when(&self, expected: Option<Revision>, input: T, mask: &FieldMask) -> Result<T> {
        let (id, mask) = (Stored::id(&input).to_owned(), mask.clone());
        self.write(Operation::Update, &id, move |txn, name, kind| {
            txn.update(name, kind, expected, input, &mask)
        })
    }

    /// Makes the changes in an [`Update`]; see [`Store::apply`].
    ///
    /// # Errors
    ///
    /// As [`update_if`](Collection::update_if).
    pub fn apply(&self, update: Update<T>) -> Result<T> {
        Store::apply(self, update)
    }

    /// Creates a container or record, or replaces its mutable fields; see [`Store::put`].
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument),
    /// [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition) if an immutable field differs, and the
    /// errors of any write, see [`Store`].
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{Any, Container, Db, Runtime};
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// let store = Db::in_memory()?.namespace("default")?;
    /// let web = |image| {
    ///     let spec = Any::new("spec", b"{}");
    ///     Container::new("web", Runtime::new("runc"), spec).image(image)
    /// };
    /// store.put(web("nginx"))?;
    /// store.put(web("nginx").label("tier", "front"))?;
    /// let error = store.put(web("httpd")).unwrap_err();
    /// assert!(error.is_failed_precondition() && error.is_immutable_field());
    /// # Ok(())
    /// # }
    /// ```
    pub fn put(&self, item: T) -> Result<T> {
        self.put_when(None, item)
    }

    /// Replaces the mutable fields if the stored revision is this one; see [`Store::put_if`].
    ///
    /// # Errors
    ///
    /// As [`put`](Collection::put); [`NotFound`](crate::ErrorKind::NotFound).
    pub fn put_if(&self, revision: Revision, item: T) -> Result<T> {
        self.put_when(Some(revision), item)
    }

    fn put_when(&self, expected: Option<Revision>, item: T) -> Result<T> {
        let id = Stored::id(&item).to_owned();
        self.write(Operation::Put, &id, move |txn, name, kind| {
            txn.put(name, kind, expected, item)
        })
    }

    /// Sets one label; see [`Store::update`].
    ///
    /// # Errors
    ///
    /// As [`update`](Collection::update).
    pub fn set_label(
        &self,
        id: &str,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<T> {
        self.apply(Update::new(id).set_label(key, value))
    }

    /// Deletes the container or record with this id; see [`Store::delete`].
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound), and the errors of any write, see [`Store`].
    pub fn delete(&self, id: &str) -> Result<()> {
        self.delete_when(None, id)
    }

    /// Deletes the container or record with this id if it has this revision; see [`Store::delete_if`].
    ///
    /// # Errors
    ///
    /// As [`delete`](Collection::delete); [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition).
    pub fn delete_if(&self, revision: Revision, id: &str) -> Result<()> {
        self.delete_when(Some(revision), id)
    }

    fn delete_when(&self, expected: Option<Revision>, id: &str) -> Result<()> {
        let owned = id.to_owned();
        self.write(Operation::Delete, id, move |txn, name, kind| {
            txn.delete::<T>(name, kind, expected, &owned)
        })
    }
}

impl<S: Sink> Collection<S> {
    /// Sets one extension; see [`Store::update`].
    ///
    /// # Errors
    ///
    /// As [`update`](Collection::update).
    pub fn set_extension(
        &self,
        id: &str,
        name: impl Into<String>,
        value: Any,
    ) -> Result<Container> {
        self.apply(Update::new(id).set_extension(name, value))
    }
}

/// What a collection has: containers or records.
pub(crate) trait Element: Stored<Header: Shape> + Updatable {}

impl<T: Stored<Header: Shape> + Updatable> Element for T {}

impl<S: Source, T: Element> ReadStore<T> for Collection<S, T> {
    fn name(&self) -> &NamespaceName {
        &self.name
    }

    fn get(&self, id: &str) -> Result<T> {
        self.get(id)
    }

    fn find(&self, id: &str) -> Result<Option<T>> {
        self.find(id)
    }

    fn traverse(&self, selection: &Selection) -> Result<Traversal<'_, T>> {
        let traversal = match &selection.detail {
            Detail::Id => self.shaped::<String>(selection, &[], Found::Id),
            Detail::Header(names) => self.shaped::<T::Header>(selection, names, Found::Header),
            Detail::Whole => self.shaped::<T>(selection, &[], Found::Whole),
        };
        traversal.map_err(|error| self.error(error, Operation::List, None))
    }
}

impl<S: Sink, T: Element> Store<T> for Collection<S, T> {
    fn create(&self, new: T) -> Result<T> {
        self.create(new)
    }

    fn update_when(&self, expected: Option<Revision>, input: T, mask: &FieldMask) -> Result<T> {
        self.update_when(expected, input, mask)
    }

    fn delete_when(&self, expected: Option<Revision>, id: &str) -> Result<()> {
        self.delete_when(expected, id)
    }

    fn put(&self, item: T) -> Result<T> {
        self.put(item)
    }

    fn put_if(&self, revision: Revision, item: T) -> Result<T> {
        self.put_if(revision, item)
    }

    fn import(&self, item: T) -> Result<T> {
        self.import(item)
    }
}

impl<S, T> fmt::Debug for Collection<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collection")
            .field("namespace", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
