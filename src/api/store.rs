//! The contract: what a store of containers does, apart from where it keeps them.
//!
//! The traits are object-safe, and say nothing of files or transactions: the handle that
//! implements them decides whether an operation is a transaction of its own (a
//! [`Namespace`](crate::Namespace) of a [`Db`](crate::Db)) or a part of one (a
//! [`WriteNamespace`](crate::WriteNamespace)). The crate `bayplan-conformance` holds their laws as tests
//! for any implementation.

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

/// Reading what one namespace holds: its containers, or its records of another kind.
///
/// A namespace that does not exist holds nothing: [`get`](ReadStore::get) is
/// [`NotFound`](crate::ErrorKind::NotFound) and every listing is empty.
///
/// Everything that lists is in the order of the ids, bytewise.
///
/// # Errors
///
/// Any method can fail with [`Io`](crate::ErrorKind::Io) if the operating system does.
pub trait ReadStore<T: Stored = Container> {
    /// The namespace that this store is bound to.
    fn name(&self) -> &NamespaceName;

    /// What has this id.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is none (also if `id` is not an
    /// identifier); [`Corrupt`](crate::ErrorKind::Corrupt) if what is stored of it is damaged.
    fn get(&self, id: &str) -> Result<T>;

    /// What the selection lets through, from one snapshot of the store, with a few in memory at a time.
    ///
    /// [`query`](ReadStore::query) is the convenient way to call this.
    ///
    /// The iterator ends after an error. What is damaged is [`Corrupt`](crate::ErrorKind::Corrupt), or
    /// [`Found::Damaged`](crate::Found::Damaged) if the selection is lenient.
    ///
    /// # Errors
    ///
    /// What keeps it from beginning.
    fn traverse(&self, selection: &Selection) -> Result<Traversal<'_, T>>;

    /// What has this id, if there is anything.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if what is stored of it is damaged.
    fn find(&self, id: &str) -> Result<Option<T>> {
        match self.get(id) {
            Err(error) if error.is_not_found() => Ok(None),
            found => found.map(Some),
        }
    }

    /// What passes any of the filters; everything if there is no filter.
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

    /// Ids, counts, headers, pages: all other ways to read many.
    fn query(&self) -> Query<'_, T> {
        Query::new(self.name(), Box::new(|selection| self.traverse(selection)))
    }
}

/// Reading and writing what one namespace holds.
///
/// An operation that fails changes nothing.
///
/// # Errors
///
/// Any method that writes can fail with these as well: [`Io`](crate::ErrorKind::Io), nothing was written;
/// [`CommitUncertain`](crate::ErrorKind::CommitUncertain), all of it or nothing was;
/// [`Unavailable`](crate::ErrorKind::Unavailable) after such a failure;
/// [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition) if the store is open for reading only.
pub trait Store<T: Stored = Container>: ReadStore<T> {
    /// Stores something new and returns what was stored.
    ///
    /// The times and the revision are set by the store; the caller's are ignored. The namespace
    /// is created if it does not exist.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if `new` breaks a rule,
    /// which is looked at first; [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if the id is
    /// taken.
    fn create(&self, new: T) -> Result<T>;

    /// Changes what is stored under the id of `input`, if it has the revision that is expected, and returns what is
    /// stored now: [`update`](Store::update) and [`update_if`](Store::update_if) in one.
    ///
    /// # Errors
    ///
    /// As these.
    fn update_when(&self, expected: Option<Revision>, input: T, mask: &FieldMask) -> Result<T>;

    /// Removes what has this id, if it has the revision that is expected: [`delete`](Store::delete) and
    /// [`delete_if`](Store::delete_if) in one.
    ///
    /// # Errors
    ///
    /// As these.
    fn delete_when(&self, expected: Option<Revision>, id: &str) -> Result<()>;

    /// Changes what is stored under the id of `input`, and returns what is stored now.
    ///
    /// Only the fields that `mask` names are taken from `input`; with [`FieldMask::full`] all
    /// mutable fields are, and the immutable ones must not differ. `created_at` stays,
    /// `updated_at` moves strictly forward, also if nothing else changes.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if the id is empty;
    /// [`NotFound`](crate::ErrorKind::NotFound) if nothing has it;
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if the mask names, or a full update
    /// changes, what the store's [`Rules`](crate::Rules) keep, or if the result breaks a rule.
    fn update(&self, input: T, mask: &FieldMask) -> Result<T> {
        self.update_when(None, input, mask)
    }

    /// Like [`Store::update`], if what is stored still has this revision.
    ///
    /// # Errors
    ///
    /// [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition) if it has another one: read
    /// it again, and decide again. Otherwise as [`Store::update`].
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

    /// Makes the changes that an [`Update`] names.
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

    /// Creates, or replaces all that may change.
    ///
    /// `created_at` stays, `updated_at` moves.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if `item` breaks a rule;
    /// [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition), naming the field, if what is stored differs in a
    /// field that the store's [`Rules`](crate::Rules) keep.
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

    /// Replaces all that may change, if what is stored still has this revision.
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

    /// As [`Store::create`], but keeps the times that `item` has: for who moves from another store.
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

    /// Removes what has this id, and everything stored of it.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is nothing (also if `id` is not
    /// an identifier).
    fn delete(&self, id: &str) -> Result<()> {
        self.delete_when(None, id)
    }

    /// Like [`Store::delete`], if what is stored still has this revision.
    ///
    /// # Errors
    ///
    /// [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition) if it has another one. Otherwise as
    /// [`Store::delete`].
    fn delete_if(&self, revision: Revision, id: &str) -> Result<()> {
        self.delete_when(Some(revision), id)
    }
}

/// Reading the namespaces of a store.
pub trait ReadNamespaces {
    /// The names of all namespaces, in order.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if one is damaged; [`Io`](crate::ErrorKind::Io).
    fn list_namespaces(&self) -> Result<Vec<NamespaceName>>;

    /// The labels of a namespace; none if there is no such namespace.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if they are damaged; [`Io`](crate::ErrorKind::Io).
    fn namespace_labels(&self, name: &str) -> Result<Labels>;

    /// The kinds of records that a namespace holds, in order; containers are not among them.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if the file is damaged there; [`Io`](crate::ErrorKind::Io).
    fn record_kinds(&self, name: &str) -> Result<Vec<String>>;
}

/// Reading and writing the namespaces of a store.
///
/// A namespace exists from its creation, explicit or by the first thing stored in it, until it is deleted;
/// it stays when it becomes empty.
pub trait Namespaces: ReadNamespaces {
    /// Creates a namespace. Labels with an empty value are left out, unless the store keeps them.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if the name or a label breaks a
    /// rule; [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if the namespace exists; and those of any write, see
    /// [`Store`].
    fn create_namespace(&self, name: &str, labels: Labels) -> Result<()>;

    /// Sets a label, or removes it with an empty value. The namespace is created if it does
    /// not exist.
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
    /// [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition), telling how many of which kind it
    /// holds, if it is not empty; and those of any write, see [`Store`].
    fn delete_namespace(&self, name: &str) -> Result<()>;
}
