//! Queries: what to look for, how many items, and in which form.

use std::fmt;
use std::ops::ControlFlow;

use crate::api::selection::{Detail, Found, Selection, Traversal};
use crate::api::stored::Stored;
use crate::filter::Filters;
use crate::model::container::Container;
use crate::model::error::{Error, Result};
use crate::model::identifier::NamespaceName;
use crate::query::Damaged;

/// The result of a lenient query.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Listing<I> {
    /// The matching items that are not damaged.
    pub items: Vec<I>,
    /// The damaged items, except those whose readable parts show that they do not match.
    pub damaged: Vec<Damaged>,
}

/// A query to a store: what to look for, how many items, and in which form. Created by
/// [`ReadStore::query`](crate::ReadStore::query).
///
/// Everything is read from one snapshot, in the order of the ids.
///
/// # Errors
///
/// Every method that runs the query can fail with [`Corrupt`](crate::ErrorKind::Corrupt), naming the id, at the first
/// damaged item (except [`lenient`](Query::lenient)), and with [`Io`](crate::ErrorKind::Io).
///
/// # Examples
///
/// ```
/// use bayplan::{Any, Container, Db, Filters, Runtime};
///
/// # fn main() -> bayplan::Result<()> {
/// let store = Db::in_memory()?.namespace("default")?;
/// for id in ["a", "b", "c"] {
///     store.create(Container::new(id, Runtime::new("runc"), Any::new("spec", b"{}")))?;
/// }
/// assert_eq!(store.query().after("a").limit(1).ids()?, ["b"]);
/// assert_eq!(store.query().filter(&Filters::parse(["id~=/[ac]/"])?).count()?, 2);
/// # Ok(())
/// # }
/// ```
#[must_use = "a query does nothing until it is run"]
pub struct Query<'s, T: Stored = Container> {
    name: &'s NamespaceName,
    traverse: Traverse<'s, T>,
    selection: Selection,
}

/// The [`ReadStore::traverse`](crate::ReadStore::traverse) of any store.
pub(crate) type Traverse<'s, T> = Box<dyn FnOnce(&Selection) -> Result<Traversal<'s, T>> + 's>;

impl<T: Stored> fmt::Debug for Query<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query")
            .field("namespace", self.name)
            .field("selection", &self.selection)
            .finish_non_exhaustive()
    }
}

impl<'s, T: Stored> Query<'s, T> {
    /// Selects everything in this namespace.
    pub(crate) fn new(name: &'s NamespaceName, traverse: Traverse<'s, T>) -> Self {
        Self {
            name,
            traverse,
            selection: Selection::default(),
        }
    }

    /// Makes the query for this selection.
    #[cfg(feature = "tokio")]
    pub(crate) fn select(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }

    /// Selects only what matches any of these filters.
    pub fn filter(mut self, filters: &Filters) -> Self {
        self.selection.filters = filters.clone();
        self
    }

    /// Selects only ids greater than `id`, which need not exist. For the next page, pass the last id of this one.
    ///
    /// If the pages are from different snapshots, only items that changed in between are missed or repeated.
    pub fn after(mut self, id: impl Into<String>) -> Self {
        self.selection.after = Some(id.into());
        self
    }

    /// Selects at most `limit` items.
    pub fn limit(mut self, count: usize) -> Self {
        self.selection.limit = Some(count);
        self
    }

    fn run(self, detail: Detail) -> Result<Traversal<'s, T>> {
        let selection = Selection {
            detail,
            ..self.selection
        };
        (self.traverse)(&selection)
    }

    /// The names of the extensions to include in the headers.
    fn names(&self) -> Vec<String> {
        match &self.selection.detail {
            Detail::Header(names) => names.clone(),
            Detail::Id | Detail::Whole => Vec::new(),
        }
    }

    /// Returns the ids.
    ///
    /// # Errors
    ///
    /// See [`Query`].
    pub fn ids(self) -> Result<Vec<String>> {
        self.iter_ids()?.collect()
    }

    /// Iterates over the ids, with a few in memory at a time. The iterator ends after an error.
    ///
    /// # Errors
    ///
    /// See [`Query`].
    pub fn iter_ids(self) -> Result<impl Iterator<Item = Result<String>> + 's> {
        Ok(self.run(Detail::Id)?.map(|found| found?.id()))
    }

    /// Returns the number of items.
    ///
    /// # Errors
    ///
    /// See [`Query`].
    pub fn count(self) -> Result<u64> {
        let mut count = 0;
        for found in self.run(Detail::Id)? {
            found?;
            count += 1;
        }
        Ok(count)
    }

    /// Returns complete items.
    ///
    /// # Errors
    ///
    /// See [`Query`].
    pub fn list(self) -> Result<Vec<T>> {
        self.iter()?.collect()
    }

    /// Iterates over complete items, with a few in memory at a time. The iterator ends after an error.
    ///
    /// # Errors
    ///
    /// See [`Query`].
    pub fn iter(self) -> Result<impl Iterator<Item = Result<T>> + 's> {
        Ok(self.run(Detail::Whole)?.map(|found| found?.whole()))
    }

    /// Returns the headers. Specs are not read, nor extensions, except those of
    /// [`with_extensions`](Query::with_extensions).
    ///
    /// # Errors
    ///
    /// See [`Query`].
    pub fn headers(self) -> Result<Vec<T::Header>> {
        self.iter_headers()?.collect()
    }

    /// Iterates over the headers, with a few in memory at a time. The iterator ends after an error.
    ///
    /// # Errors
    ///
    /// See [`Query`].
    pub fn iter_headers(self) -> Result<impl Iterator<Item = Result<T::Header>> + 's> {
        let names = self.names();
        let found = self.run(Detail::Header(names.clone()))?;
        Ok(found.map(move |found| found?.header(&names)))
    }

    /// Calls `visit` with each item, until it breaks or fails.
    ///
    /// # Errors
    ///
    /// Those of `visit`; see [`Query`] for others.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// use bayplan::Db;
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// let store = Db::in_memory()?.namespace("k8s.io")?;
    /// let mut bytes = 0;
    /// store.query().visit(|container| -> bayplan::Result<_> {
    ///     bytes += container.spec.map_or(0, |spec| spec.value.len());
    ///     Ok(ControlFlow::Continue(()))
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn visit<E: From<Error>>(
        self,
        mut visit: impl FnMut(T) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        for item in self.iter()? {
            if visit(item?)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Returns complete items and, separately, the damaged ones. It reads everything, to report all damage.
    ///
    /// # Errors
    ///
    /// Any error but damage of single items, which does not end the query.
    pub fn lenient(mut self) -> Result<Listing<T>> {
        self.selection.is_lenient = true;
        listing(self.run(Detail::Whole)?, Found::whole)
    }

    /// Returns the headers and, separately, the damaged items.
    ///
    /// # Errors
    ///
    /// Any error but damage of single items, which does not end the query.
    pub fn lenient_headers(mut self) -> Result<Listing<T::Header>> {
        self.selection.is_lenient = true;
        let names = self.names();
        let found = self.run(Detail::Header(names.clone()))?;
        listing(found, |found| found.header(&names))
    }
}

impl Query<'_> {
    /// Includes the extensions with these names in the headers.
    pub fn with_extensions<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        self.selection.detail = Detail::Header(names);
        self
    }
}

fn listing<T: Stored, I>(
    traversal: Traversal<'_, T>,
    take: impl Fn(Found<T>) -> Result<I>,
) -> Result<Listing<I>> {
    let mut listing = Listing {
        items: Vec::new(),
        damaged: Vec::new(),
    };
    for found in traversal {
        match found? {
            Found::Damaged(damaged) => listing.damaged.push(damaged),
            found => listing.items.push(take(found)?),
        }
    }
    Ok(listing)
}
