//! The async handle for the containers or records of one namespace.

use std::fmt;

use super::job::Job;
use super::query::AsyncQuery;
use crate::api::collection::{Collection, Element};
use crate::api::db::Db;
use crate::api::source::Source;
use crate::api::stored::Stored;
use crate::api::update::Update;
use crate::filter::Filters;
use crate::model::any::Any;
use crate::model::container::Container;
use crate::model::error::{Error, Operation, Result};
use crate::model::identifier::NamespaceName;
use crate::model::pin::{Pin, Resource};
use crate::model::record::Record;
use crate::model::revision::Revision;
use crate::update::mask::FieldMask;

/// The containers of one namespace, or its records of another kind: the async form of a [`Collection`]. `S` is a
/// [`Db`], or a [`ReadTxn`](crate::ReadTxn) in an [`AsyncSnapshot`](crate::AsyncSnapshot).
///
/// Each operation does the same, and fails with the same errors, as the operation of a [`Collection`] with the same
/// name. [`AsyncDb`](crate::AsyncDb) documents what an async caller has to know in addition.
#[derive(Clone)]
pub struct AsyncCollection<S, T = Container> {
    store: Collection<S, T>,
}

/// The containers of one namespace of an [`AsyncDb`](crate::AsyncDb).
pub type AsyncNamespace = AsyncCollection<Db>;
/// The records of one kind in one namespace of an [`AsyncDb`](crate::AsyncDb).
pub type AsyncRecords = AsyncCollection<Db, Record>;

impl<S: Clone> AsyncCollection<S> {
    /// Returns the records of another kind in the same namespace; see [`Collection::records`].
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if `kind` is not an identifier, or is `containers` or
    /// `version`.
    pub fn records(&self, kind: &str) -> Result<AsyncCollection<S, Record>> {
        self.store.records(kind).map(AsyncCollection::new)
    }
}

impl<S, T> AsyncCollection<S, T> {
    pub(super) fn new(store: Collection<S, T>) -> Self {
        Self { store }
    }

    /// Returns the namespace.
    #[must_use]
    pub fn name(&self) -> &NamespaceName {
        self.store.name()
    }

    /// Returns the kind: `containers`, or that of the records.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.store.kind()
    }
}

#[expect(private_bounds, reason = "`T` is a `Container` or a `Record`")]
impl<S, T> AsyncCollection<S, T>
where
    S: Source + Clone + Send + Sync + 'static,
    T: Element,
{
    async fn run<R: Send + 'static>(
        &self,
        operation: Operation,
        id: Option<&str>,
        work: impl FnOnce(&Collection<S, T>) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        let store = self.store.clone();
        let in_context = |error: Error| self.store.error(error, operation, id);
        Job::start(in_context, move || work(&store))?.await?
    }

    /// Returns the container or record with this id; see [`Collection::get`].
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Corrupt`](crate::ErrorKind::Corrupt),
    /// [`Io`](crate::ErrorKind::Io); see [`AsyncDb`](crate::AsyncDb).
    pub async fn get(&self, id: &str) -> Result<T> {
        let owned = id.to_owned();
        self.run(Operation::Get, Some(id), move |store| store.get(&owned))
            .await
    }

    /// Returns the container or record with this id, if it exists; see [`Collection::find`].
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt), [`Io`](crate::ErrorKind::Io); see [`AsyncDb`](crate::AsyncDb).
    pub async fn find(&self, id: &str) -> Result<Option<T>> {
        let owned = id.to_owned();
        self.run(Operation::Get, Some(id), move |store| store.find(&owned))
            .await
    }

    /// Returns everything that matches any of the filters; see [`Collection::list`].
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt), [`Io`](crate::ErrorKind::Io); see [`AsyncDb`](crate::AsyncDb).
    pub async fn list(&self, filters: &Filters) -> Result<Vec<T>> {
        self.query().filter(filters).list().await
    }

    /// Returns a query, for ids, counts, headers, pages, streams, and all other ways to read many items.
    pub fn query(&self) -> AsyncQuery<S, T> {
        AsyncQuery::new(self.store.clone())
    }
}

impl<S: Source + Clone + Send + Sync + 'static> AsyncCollection<S> {
    /// Returns all pins of the namespace; see [`Collection::pins`].
    ///
    /// All of them are in memory. To visit them one after the other, use [`AsyncDb::read`](crate::AsyncDb::read).
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt), [`Io`](crate::ErrorKind::Io); see [`AsyncDb`](crate::AsyncDb).
    pub async fn pins(&self) -> Result<Vec<Pin>> {
        self.run(Operation::Pins, None, |store| store.pins()?.collect())
            .await
    }

    /// Returns the pins of one resource: what in the namespace holds it; see [`Collection::holders_of`].
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt), [`Io`](crate::ErrorKind::Io); see [`AsyncDb`](crate::AsyncDb).
    pub async fn holders_of(&self, resource: &Resource) -> Result<Vec<Pin>> {
        let resource = resource.clone();
        self.run(Operation::Pins, None, move |store| {
            store.holders_of(&resource)?.collect()
        })
        .await
    }
}

#[expect(private_bounds, reason = "`T` is a `Container` or a `Record`")]
impl<T: Element> AsyncCollection<Db, T> {
    /// Creates a container or record; see [`Collection::create`].
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument),
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists), and the errors of any write, see [`Store`](crate::Store) and
    /// [`AsyncDb`](crate::AsyncDb).
    pub async fn create(&self, new: T) -> Result<T> {
        let id = Stored::id(&new).to_owned();
        self.run(Operation::Create, Some(&id), |store| store.create(new))
            .await
    }

    /// Creates a container or record and keeps its times; see [`Collection::import`].
    ///
    /// # Errors
    ///
    /// As [`create`](AsyncCollection::create).
    pub async fn import(&self, new: T) -> Result<T> {
        let id = Stored::id(&new).to_owned();
        self.run(Operation::Import, Some(&id), |store| store.import(new))
            .await
    }

    /// Updates a container or record; see [`Collection::update`].
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound), [`InvalidArgument`](crate::ErrorKind::InvalidArgument), and the errors
    /// of any write, see [`Store`](crate::Store) and [`AsyncDb`](crate::AsyncDb).
    pub async fn update(&self, input: T, mask: &FieldMask) -> Result<T> {
        let (id, mask) = (Stored::id(&input).to_owned(), mask.clone());
        let update = move |store: &Collection<Db, T>| store.update(input, &mask);
        self.run(Operation::Update, Some(&id), update).await
    }

    /// Updates a container or record if it has this revision; see [`Collection::update_if`].
    ///
    /// # Errors
    ///
    /// As [`update`](AsyncCollection::update); [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition).
    pub async fn update_if(&self, revision: Revision, input: T, mask: &FieldMask) -> Result<T> {
        let (id, mask) = (Stored::id(&input).to_owned(), mask.clone());
        let update = move |store: &Collection<Db, T>| store.update_if(revision, input, &mask);
        self.run(Operation::Update, Some(&id), update).await
    }

    /// Makes the changes in an [`Update`]; see [`Collection::apply`].
    ///
    /// # Errors
    ///
    /// As [`update_if`](AsyncCollection::update_if).
    pub async fn apply(&self, update: Update<T>) -> Result<T> {
        let id = update.id().to_owned();
        self.run(Operation::Update, Some(&id), |store| store.apply(update))
            .await
    }

    /// Creates a container or record, or replaces its mutable fields; see [`Collection::put`].
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument),
    /// [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition) if an immutable field differs, and the errors of
    /// any write, see [`Store`](crate::Store) and [`AsyncDb`](crate::AsyncDb).
    pub async fn put(&self, item: T) -> Result<T> {
        let id = Stored::id(&item).to_owned();
        self.run(Operation::Put, Some(&id), |store| store.put(item))
            .await
    }

    /// Replaces the mutable fields if the stored revision is this one; see [`Collection::put_if`].
    ///
    /// # Errors
    ///
    /// As [`put`](AsyncCollection::put); [`NotFound`](crate::ErrorKind::NotFound).
    pub async fn put_if(&self, revision: Revision, item: T) -> Result<T> {
        let id = Stored::id(&item).to_owned();
        self.run(Operation::Put, Some(&id), move |store| {
            store.put_if(revision, item)
        })
        .await
    }

    /// Sets one label; see [`Collection::set_label`].
    ///
    /// # Errors
    ///
    /// As [`update`](AsyncCollection::update).
    pub async fn set_label(
        &self,
        id: &str,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<T> {
        self.apply(Update::new(id).set_label(key, value)).await
    }

    /// Deletes the container or record with this id; see [`Collection::delete`].
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound), and the errors of any write, see [`Store`](crate::Store) and
    /// [`AsyncDb`](crate::AsyncDb).
    pub async fn delete(&self, id: &str) -> Result<()> {
        let owned = id.to_owned();
        self.run(Operation::Delete, Some(id), move |store| {
            store.delete(&owned)
        })
        .await
    }

    /// Deletes the container or record with this id if it has this revision; see [`Collection::delete_if`].
    ///
    /// # Errors
    ///
    /// As [`delete`](AsyncCollection::delete); [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition).
    pub async fn delete_if(&self, revision: Revision, id: &str) -> Result<()> {
        let owned = id.to_owned();
        self.run(Operation::Delete, Some(id), move |store| {
            store.delete_if(revision, &owned)
        })
        .await
    }
}

impl AsyncCollection<Db> {
    /// Sets one extension; see [`Collection::set_extension`].
    ///
    /// # Errors
    ///
    /// As [`update`](AsyncCollection::update).
    pub async fn set_extension(
        &self,
        id: &str,
        name: impl Into<String>,
        value: Any,
    ) -> Result<Container> {
        self.apply(Update::new(id).set_extension(name, value)).await
    }
}

impl<S, T> fmt::Debug for AsyncCollection<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncCollection").field(&self.store).finish()
    }
}
