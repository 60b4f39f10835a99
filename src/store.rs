//! The contract: what a store of containers does, apart from where it keeps them.
//!
//! The traits are object-safe, and say nothing of files or transactions: the handle that
//! implements them decides whether an operation is a transaction of its own (a
//! [`Namespace`](crate::Namespace) of a [`Db`](crate::Db)) or a part of one (a
//! [`WriteNamespace`](crate::WriteNamespace)). The `conformance` feature holds their laws as tests
//! for any implementation.

use std::ops::ControlFlow;

use crate::container::{Container, ContainerHeader};
use crate::error::{Error, Result};
use crate::filter::Filters;
use crate::identifier::NamespaceName;
use crate::labels::Labels;
use crate::mask::FieldMask;
use crate::revision::Revision;

/// Reading the containers of one namespace.
///
/// A namespace that does not exist holds no containers: `get` is
/// [`NotFound`](crate::ErrorKind::NotFound) and every listing is empty.
///
/// Everything that lists is in the order of the ids, bytewise.
pub trait ReadStore {
    /// The namespace that this store is bound to.
    fn name(&self) -> &NamespaceName;

    /// The container with this id.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is none (also if `id` is not an
    /// identifier); [`Corrupt`](crate::ErrorKind::Corrupt) if what is stored of it is damaged.
    fn get(&self, id: &str) -> Result<Container>;

    /// Calls `visit` for each container that matches, until it breaks.
    ///
    /// A few containers are in memory at a time. Everything is read from one snapshot of the store.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt) at the first damaged container, after the ones
    /// before it were visited; see [`ReadStore::list_lenient`].
    fn visit(
        &self,
        page: &Page,
        filters: &Filters,
        visit: &mut dyn FnMut(Container) -> ControlFlow<()>,
    ) -> Result<()>;

    /// Like [`ReadStore::visit`], without reading specs and extensions.
    ///
    /// # Errors
    ///
    /// See [`ReadStore::visit`].
    fn visit_headers(
        &self,
        page: &Page,
        filters: &Filters,
        visit: &mut dyn FnMut(ContainerHeader) -> ControlFlow<()>,
    ) -> Result<()>;

    /// The ids of the containers that match; neither specs nor extensions are read.
    ///
    /// # Errors
    ///
    /// See [`ReadStore::visit`].
    fn list_ids(&self, filters: &Filters) -> Result<Vec<String>>;

    /// How many containers match; neither specs nor extensions are read.
    ///
    /// # Errors
    ///
    /// See [`ReadStore::visit`].
    fn count(&self, filters: &Filters) -> Result<u64>;

    /// The containers that match and are whole, and the ids of those that are damaged.
    ///
    /// # Errors
    ///
    /// Only what keeps the store from reading at all. A damaged container is no error here, but
    /// is reported, unless what can be read of it tells that it does not match. Without a filter
    /// all are reported.
    fn list_lenient(&self, filters: &Filters) -> Result<Listing>;

    /// The containers that match any of the filters; all of them if there is no filter.
    ///
    /// # Errors
    ///
    /// See [`ReadStore::visit`].
    fn list(&self, filters: &Filters) -> Result<Vec<Container>> {
        self.list_page(&Page::all(), filters)
    }

    /// One page of what [`ReadStore::list`] gives.
    ///
    /// # Errors
    ///
    /// See [`ReadStore::visit`].
    fn list_page(&self, page: &Page, filters: &Filters) -> Result<Vec<Container>> {
        let mut containers = Vec::new();
        self.visit(page, filters, &mut |container| {
            containers.push(container);
            ControlFlow::Continue(())
        })?;
        Ok(containers)
    }

    /// The headers of the containers that match; neither specs nor extensions are read.
    ///
    /// # Errors
    ///
    /// See [`ReadStore::visit`].
    fn list_headers(&self, filters: &Filters) -> Result<Vec<ContainerHeader>> {
        let mut headers = Vec::new();
        self.visit_headers(&Page::all(), filters, &mut |header| {
            headers.push(header);
            ControlFlow::Continue(())
        })?;
        Ok(headers)
    }
}

/// Reading and writing the containers of one namespace.
///
/// An operation that fails changes nothing.
pub trait Store: ReadStore {
    /// Stores a new container and returns what was stored.
    ///
    /// The times and the revision are set by the store; the caller's are ignored. The namespace
    /// comes into being with its first container.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if the container breaks a rule,
    /// which is looked at first; [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if the id is
    /// taken.
    fn create(&self, container: Container) -> Result<Container>;

    /// Changes a stored container, named by the id of `container`, and returns what is stored now.
    ///
    /// Only the fields that `mask` names are taken from `container`; with [`FieldMask::full`] all
    /// mutable fields are, and the immutable ones must not differ. `created_at` stays,
    /// `updated_at` moves strictly forward, also if nothing else changes.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if the id is empty;
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such container;
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if the mask names, or a full update
    /// changes, what the store's [`Rules`](crate::Rules) keep, or if the result breaks a rule.
    fn update(&self, container: Container, mask: &FieldMask) -> Result<Container>;

    /// Like [`Store::update`], if the stored container still has this revision.
    ///
    /// # Errors
    ///
    /// [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition) if it has another one: read
    /// it again, and decide again. Otherwise as [`Store::update`].
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{Any, Container, Db, FieldMask, ReadStore, Runtime, Store};
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// # let store = Db::in_memory()?.namespace("default")?;
    /// # store.create(Container::new("web", Runtime::new("runc"), Any::new("spec", b"{}")))?;
    /// let web = store.get("web")?;
    /// let seen = web.revision;
    /// store.update(Container::with_id("web").label("a", "1"), &FieldMask::parse(["labels.a"])?)?;
    /// let error = store.update_if(seen, web, &FieldMask::full()).unwrap_err();
    /// assert!(error.is_failed_precondition());
    /// # Ok(())
    /// # }
    /// ```
    fn update_if(
        &self,
        revision: Revision,
        container: Container,
        mask: &FieldMask,
    ) -> Result<Container>;

    /// Removes a container and everything stored of it.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such container (also if `id` is not
    /// an identifier).
    fn delete(&self, id: &str) -> Result<()>;
}

/// Reading the namespaces of a store.
pub trait ReadNamespaces {
    /// The names of all namespaces, in order.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if one is damaged.
    fn list_namespaces(&self) -> Result<Vec<NamespaceName>>;

    /// The labels of a namespace; none if there is no such namespace.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if one is damaged.
    fn namespace_labels(&self, name: &str) -> Result<Labels>;
}

/// Reading and writing the namespaces of a store.
///
/// A namespace exists from its creation, explicit or by its first container, until it is deleted;
/// it stays when its last container goes.
pub trait Namespaces: ReadNamespaces {
    /// Creates a namespace. Labels with an empty value are left out.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if the name or a label breaks a
    /// rule; [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if the namespace exists.
    fn create_namespace(&self, name: &str, labels: Labels) -> Result<()>;

    /// Sets a label, or removes it with an empty value. The namespace comes into being if it does
    /// not exist.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if the name or the label breaks a
    /// rule.
    fn set_namespace_label(&self, name: &str, key: &str, value: &str) -> Result<()>;

    /// Deletes an empty namespace with its labels.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such namespace;
    /// [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition), telling how many and which
    /// containers it holds, if it is not empty.
    fn delete_namespace(&self, name: &str) -> Result<()>;
}

/// Which part of a listing to read: after an id, and how many at most.
///
/// The next page is the one after the last id of this one. Pages of different snapshots may miss
/// or repeat nothing but what changed in between.
///
/// # Examples
///
/// ```
/// use bayplan::{Any, Container, Db, Filters, Page, ReadStore, Runtime, Store};
///
/// # fn main() -> bayplan::Result<()> {
/// let store = Db::in_memory()?.namespace("default")?;
/// for id in ["a", "b", "c"] {
///     store.create(Container::new(id, Runtime::new("runc"), Any::new("spec", b"{}")))?;
/// }
/// let first = store.list_page(&Page::limit(2), &Filters::all())?;
/// let second = store.list_page(&Page::limit(2).after(&first[1].id), &Filters::all())?;
/// assert_eq!(second[0].id, "c");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Page {
    after: Option<String>,
    limit: Option<usize>,
}

impl Page {
    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// At most `limit` containers that match.
    #[must_use]
    pub fn limit(limit: usize) -> Self {
        Self {
            after: None,
            limit: Some(limit),
        }
    }

    /// Only containers whose id is greater than `id`, which need not exist.
    #[must_use]
    pub fn after(mut self, id: impl Into<String>) -> Self {
        self.after = Some(id.into());
        self
    }

    pub(crate) fn first_after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    pub(crate) fn most(&self) -> usize {
        self.limit.unwrap_or(usize::MAX)
    }
}

/// What [`ReadStore::list_lenient`] found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Listing {
    /// The containers that match and are whole.
    pub containers: Vec<Container>,
    /// The containers that are damaged.
    pub damaged: Vec<Damaged>,
}

/// A container of which something stored is damaged.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Damaged {
    /// Its id, as far as it can be read.
    pub id: String,
    /// What is wrong with it.
    pub error: Error,
}
