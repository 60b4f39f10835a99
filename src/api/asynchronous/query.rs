//! Async queries.

use std::fmt;

use super::items::{AsyncItems, Page};
use super::job::Job;
use crate::api::collection::{Collection, Element};
use crate::api::query::{Listing, Query};
use crate::api::selection::{Detail, Selection};
use crate::api::source::Source;
use crate::api::stored::Stored;
use crate::filter::Filters;
use crate::model::container::Container;
use crate::model::error::{Error, Operation, Result};
use crate::query::Shape;

/// The async form of a [`Query`]. Created by [`AsyncCollection::query`](crate::AsyncCollection::query).
///
/// Each method that returns everything at once reads from one snapshot. A stream of a store does not; see
/// [`AsyncItems`].
///
/// # Errors
///
/// As [`Query`]; and see [`AsyncDb`](crate::AsyncDb).
///
/// # Examples
///
/// ```
/// use bayplan::{Any, AsyncDb, Container, Db, Runtime};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> bayplan::Result<()> {
/// let store = AsyncDb::from(Db::in_memory()?).namespace("default")?;
/// for id in ["a", "b", "c"] {
///     let new = Container::new(id, Runtime::new("runc"), Any::new("spec", b"{}"));
///     store.create(new).await?;
/// }
/// assert_eq!(store.query().after("a").limit(1).ids().await?, ["b"]);
///
/// let mut containers = store.query().stream();
/// while let Some(container) = containers.next().await {
///     println!("{}", container?.id);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a query does nothing until it is run"]
pub struct AsyncQuery<S, T: Stored = Container> {
    collection: Collection<S, T>,
    selection: Selection,
}

impl<S, T: Stored> AsyncQuery<S, T> {
    /// Selects everything in a collection.
    pub(super) fn new(collection: Collection<S, T>) -> Self {
        Self {
            collection,
            selection: Selection::default(),
        }
    }

    /// Selects only what matches any of these filters.
    pub fn filter(mut self, filters: &Filters) -> Self {
        self.selection.filters = filters.clone();
        self
    }

    /// Selects only ids greater than `id`, which need not exist. For the next page, pass the last id of this one.
    pub fn after(mut self, id: impl Into<String>) -> Self {
        self.selection.after = Some(id.into());
        self
    }

    /// Selects at most `limit` items.
    pub fn limit(mut self, count: usize) -> Self {
        self.selection.limit = Some(count);
        self
    }
}

impl<S> AsyncQuery<S> {
    /// Includes the extensions with these names in the headers.
    pub fn with_extensions<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        self.selection.detail = Detail::Header(names);
        self
    }
}

#[expect(private_bounds, reason = "`T` is a `Container` or a `Record`")]
impl<S, T> AsyncQuery<S, T>
where
    S: Source + Clone + Send + Sync + 'static,
    T: Element,
{
    /// Returns the ids.
    ///
    /// # Errors
    ///
    /// See [`AsyncQuery`].
    pub async fn ids(self) -> Result<Vec<String>> {
        self.run(|query| query.ids()).await
    }

    /// Returns the number of items.
    ///
    /// # Errors
    ///
    /// See [`AsyncQuery`].
    pub async fn count(self) -> Result<u64> {
        self.run(|query| query.count()).await
    }

    /// Returns complete items.
    ///
    /// # Errors
    ///
    /// See [`AsyncQuery`].
    pub async fn list(self) -> Result<Vec<T>> {
        self.run(|query| query.list()).await
    }

    /// Returns the headers; see [`Query::headers`].
    ///
    /// # Errors
    ///
    /// See [`AsyncQuery`].
    pub async fn headers(self) -> Result<Vec<T::Header>> {
        self.run(|query| query.headers()).await
    }

    /// Returns complete items and, separately, the damaged ones; see [`Query::lenient`].
    ///
    /// # Errors
    ///
    /// Any error but damage of single items, which does not end the query.
    pub async fn lenient(self) -> Result<Listing<T>> {
        self.run(|query| query.lenient()).await
    }

    /// Returns the headers and, separately, the damaged items.
    ///
    /// # Errors
    ///
    /// Any error but damage of single items, which does not end the query.
    pub async fn lenient_headers(self) -> Result<Listing<T::Header>> {
        self.run(|query| query.lenient_headers()).await
    }

    /// Streams the ids.
    pub fn stream_ids(self) -> AsyncItems<String> {
        self.pages(|query, limit| Page::read(query.iter_ids(), limit, String::as_str))
    }

    /// Streams complete items.
    pub fn stream(self) -> AsyncItems<T> {
        self.pages(|query, limit| Page::read(query.iter(), limit, Stored::id))
    }

    /// Streams the headers; see [`Query::headers`].
    pub fn stream_headers(self) -> AsyncItems<T::Header> {
        self.pages(|query, limit| Page::read(query.iter_headers(), limit, T::header_id))
    }

    async fn run<R: Send + 'static>(
        self,
        run: impl FnOnce(Query<'_, T>) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        let named = self.collection.clone();
        let in_context = |error: Error| named.error(error, Operation::List, None);
        let work = move || run(self.collection.query().select(self.selection));
        Job::start(in_context, work)?.await?
    }

    /// Reads page by page, with one query for each page.
    fn pages<I: Shape + Send + 'static>(
        self,
        read: fn(Query<'_, T>, usize) -> Page<I>,
    ) -> AsyncItems<I> {
        let (collection, selection) = (self.collection, self.selection);
        let (after, limit) = (selection.after.clone(), selection.limit);
        AsyncItems::new(after, limit, move |after, limit| {
            let (within, mut selection) = (collection.clone(), selection.clone());
            (selection.after, selection.limit) = (after, Some(limit));
            let in_context = |error: Error| collection.error(error, Operation::List, None);
            Job::start(in_context, move || {
                read(within.query().select(selection), limit)
            })
        })
    }
}

impl<S, T: Stored> fmt::Debug for AsyncQuery<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncQuery")
            .field("collection", &self.collection)
            .field("selection", &self.selection)
            .finish()
    }
}
