//! The contract of a store, independent of where it keeps its containers.
//!
//! The traits are object-safe, and do not mention files or transactions. The handle that implements them
//! decides whether an operation is its own transaction (a [`Namespace`](crate::Namespace) of a
//! [`Db`](crate::Db)) or part of one (a [`WriteNamespace`](crate::WriteNamespace)). The crate
//! `bayplan-conformance` has their laws as tests for any implementation.

use crate::api::query::Query;
use crate::api::selection::{Selection, Traversal};
use crate::api::stored::Stored;
use crate::api::update::Update;
use crate::filter::Filters;
use crate::model::container::Container;
use crate::model::error::{Error, Result};
use crate::model::identifier::NamespaceName;
use crate::model::labels::Labels;
use crate::model::revision::Revision;
use crate::update::mask::FieldMask;

/// Reads the containers of one namespace, or its records of another kind.
///
/// A namespace that does not exist holds nothing: [`get`](ReadStore::get) is
/// [`NotFound`](crate::ErrorKind::NotFound) and every listing is empty.
///
/// Listings are in the bytewise order of the ids.
///
/// # Errors
///
/// Any method can fail with [`Io`](crate::ErrorKind::Io).
pub trait ReadStore<T: Stored = Container> {
    /// The namespace of this store.
    fn name(&self) -> &NamespaceName;

    /// Returns the item with this id.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is none (even if `id` is not an identifier);
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if it is damaged.
    fn get(&self, id: &str) -> Result<T>;

    /// Iterates over the selected items in one snapshot of the store, with a few in memory at a time.
    ///
    /// Most callers use [`query`](ReadStore::query) instead.
    ///
    /// The iterator ends after an error. A damaged item is [`Corrupt`](crate::ErrorKind::Corrupt), or
    /// [`Found::Damaged`](crate::Found::Damaged) if the selection is lenient.
    ///
    /// # Errors
    ///
    /// Anything that prevents the traversal from starting.
    fn traverse(&self, selection: &Selection) -> Result<Traversal<'_, T>>;

    /// Returns the item with this id, if there is one.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if it is damaged.
    fn find(&self, id: &str) -> Result<Option<T>> {
        match self.get(id) {
            Err(error) if error.is_not_found() => Ok(None),
            found => found.map(Some),
        }
    }

    /// Returns everything that matches any of the filters, or everything if there is no filter.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt), naming the id, if anything is damaged; see
    /// [`Query::lenient`](crate::Query::lenient).
    fn list(&self, filters: &Filters) -> Result<Vec<T>> {
        let selection = Selection {
            filters: filters.clone(),
            ..Selection::default()
        };
        let found = self.traverse(&selection)?;
        found.map(|found| found?.whole()).collect()
    }

    /// Returns a query, for ids, counts, headers, pages, and all other ways to read many items.
    fn query(&self) -> Query<'_, T> {
        Query::new(self.name(), Box::new(|selection| self.traverse(selection)))
    }
}

/// Reads and writes the containers of one namespace, or its records of another kind.
///
/// An operation that fails changes nothing.
///
/// # Errors
///
/// Any method that writes can also fail with: [`Io`](crate::ErrorKind::Io), nothing was written;
/// [`CommitUncertain`](crate::ErrorKind::CommitUncertain), everything or nothing was written;
/// [`Unavailable`](crate::ErrorKind::Unavailable) after such a failure;
/// [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition) if the store is open for reading only.
pub trait Store<T: Stored = Container>: ReadStore<T> {
    /// Creates `new` and returns it as stored.
    ///
    /// The store sets the times and the revision, and ignores those of the caller. The namespace is created if it does
    /// not exist.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if `new` breaks a rule, which is checked
    /// first; [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if the id is taken.
    fn create(&self, new: T) -> Result<T>;

    /// Updates the item with the id of `input`, if it has the expected revision (with `None`, any), and returns it as
    /// stored. [`update`](Store::update) and [`update_if`](Store::update_if) call this.
    ///
    /// # Errors
    ///
    /// As those two.
    fn update_when(&self, expected: Option<Revision>, input: T, mask: &FieldMask) -> Result<T>;

    /// Deletes the item with this id, if it has the expected revision (with `None`, any). [`delete`](Store::delete) and
    /// [`delete_if`](Store::delete_if) call this.
    ///
    /// # Errors
    ///
    /// As those two.
    fn delete_when(&self, expected: Option<Revision>, id: &str) -> Result<()>;

    /// Updates the item with the id of `input`, and returns it as stored.
    ///
    /// Only the fields that `mask` names are taken from `input`. With [`FieldMask::full`] all mutable fields are taken,
    /// and the immutable ones must not differ. `created_at` is kept. `updated_at` moves strictly forward, even if
    /// nothing else changes.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if the id is empty;
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such item;
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if the mask names a field that is immutable
    /// under the store's [`Rules`](crate::Rules), a full update changes one, or the result breaks a rule.
    fn update(&self, input: T, mask: &FieldMask) -> Result<T> {
        self.update_when(None, input, mask)
    }

    /// Like [`Store::update`], if the item still has this revision.
    ///
    /// # Errors
    ///
    /// [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition) if it has another one: read the item again, and
    /// decide again. Otherwise as [`Store::update`].
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{Any, Container, Db, FieldMask, Runtime, Update};
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// # let store = Db::in_memory()?.namespace("default")?;
    /// # store.create(Container::new("web", Runtime::new("runc"), Any::new("spec", b"{}")))?;
    /// let web = store.get("web")?;
    /// let seen = web.revision;
    /// store.set_label("web", "a", "1")?;
    /// let error = store.update_if(seen, web, &FieldMask::full()).unwrap_err();
    /// assert!(error.is_failed_precondition());
    /// # Ok(())
    /// # }
    /// ```
    fn update_if(&self, revision: Revision, input: T, mask: &FieldMask) -> Result<T> {
        self.update_when(Some(revision), input, mask)
    }

    /// Makes the changes in an [`Update`].
    ///
    /// # Errors
    ///
    /// As [`Store::update`]; as [`Store::update_if`] if the update names a revision.
    fn apply(&self, update: Update<T>) -> Result<T> {
        let (expected, input, mask) = update.into_parts();
        if mask.is_full() {
            let what = "the update names no change";
            return Err(Error::invalid(what).of(input.id()));
        }
        self.update_when(expected, input, &mask)
    }

    /// Creates `item`, or replaces the mutable fields of the stored one.
    ///
    /// An existing item keeps `created_at`, and `updated_at` moves strictly forward.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if `item` breaks a rule;
    /// [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition), naming the field, if the stored item
    /// differs in a field that is immutable under the store's [`Rules`](crate::Rules).
    fn put(&self, item: T) -> Result<T> {
        loop {
            let Some(stored) = self.find(item.id())? else {
                match self.create(item.clone()) {
                    Err(error) if error.is_already_exists() => continue,
                    done => return done,
                }
            };
            match self.put_if(stored.revision(), item.clone()) {
                Err(error) if error.is_not_found() => {}
                Err(error) if error.is_failed_precondition() && !error.is_immutable_field() => {}
                done => return done,
            }
        }
    }

    /// Replaces the mutable fields if the stored item still has this revision.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is nothing to replace;
    /// [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition) if it has another revision. Otherwise as
    /// [`Store::put`].
    fn put_if(&self, revision: Revision, item: T) -> Result<T> {
        self.update_if(revision, item, &FieldMask::full())
            .map_err(Error::of_put)
    }

    /// Creates an item like [`Store::create`], but keeps its times, to move it from another store.
    ///
    /// # Errors
    ///
    /// As [`Store::create`]; [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if `updated_at` is before
    /// `created_at`; [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition) from an implementation that cannot
    /// keep times.
    fn import(&self, item: T) -> Result<T> {
        let what = "this store sets all times itself";
        Err(Error::precondition(what).of(item.id()))
    }

    /// Deletes the item with this id.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is none (even if `id` is not an identifier).
    fn delete(&self, id: &str) -> Result<()> {
        self.delete_when(None, id)
    }

    /// Like [`Store::delete`], if the item still has this revision.
    ///
    /// # Errors
    ///
    /// [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition) if it has another one. Otherwise as
    /// [`Store::delete`].
    fn delete_if(&self, revision: Revision, id: &str) -> Result<()> {
        self.delete_when(Some(revision), id)
    }
}

/// Reads the namespaces of a store.
pub trait ReadNamespaces {
    /// Returns the names of all namespaces, in order.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if one is damaged; [`Io`](crate::ErrorKind::Io).
    fn list_namespaces(&self) -> Result<Vec<NamespaceName>>;

    /// Returns the labels of a namespace. The map is empty if there is no such namespace.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if they are damaged; [`Io`](crate::ErrorKind::Io).
    fn namespace_labels(&self, name: &str) -> Result<Labels>;

    /// Returns the kinds of the records in a namespace, in order, without containers.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if the file is damaged at that place; [`Io`](crate::ErrorKind::Io).
    fn record_kinds(&self, name: &str) -> Result<Vec<String>>;
}

/// Reads and writes the namespaces of a store.
///
/// A namespace is created explicitly, or implicitly by the first item in it, and exists until it is
/// deleted, even when it becomes empty.
pub trait Namespaces: ReadNamespaces {
    /// Creates a namespace. Labels with an empty value are dropped, unless the store keeps empty labels.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if the name or a label breaks a
    /// rule; [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if the namespace exists; and those of any write, see
    /// [`Store`].
    fn create_namespace(&self, name: &str, labels: Labels) -> Result<()>;

    /// Sets a label, or removes it if `value` is empty. Creates the namespace if it does not exist.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if the name or the label breaks a
    /// rule; and those of any write, see [`Store`].
    fn set_namespace_label(&self, name: &str, key: &str, value: &str) -> Result<()>;

    /// Deletes an empty namespace with its labels.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such namespace;
    /// [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition), naming what it holds, if it is not
    /// empty; and the errors of any write, see [`Store`].
    fn delete_namespace(&self, name: &str) -> Result<()>;
}
