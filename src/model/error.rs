//! The error type: opaque, with kinds to match on and the full context to print.
//!
//! A rule that finds a fault creates the error, without knowing the namespace or the operation. The layers above add
//! these (`Error::during`, `Error::of`, ...), unless they are set already.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::position::Position;

/// Shorthand for a result with the store's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Arc<dyn std::error::Error + Send + Sync + 'static>;

/// Why an operation failed.
///
/// Match on [`Error::kind`] or use a predicate such as [`Error::is_not_found`]. `{}` prints what failed
/// (operation, container, namespace or file) and why, `{:#}` adds the chain of causes that
/// [`source`](std::error::Error::source) gives.
///
/// # Examples
///
/// ```
/// use bayplan::{Db, ReadStore};
///
/// # fn main() -> bayplan::Result<()> {
/// let db = Db::in_memory()?;
/// let error = db.namespace("default")?.get("web").unwrap_err();
/// assert!(error.is_not_found());
/// assert_eq!(error.to_string(), "get container \"web\" in namespace \"default\": not found");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: ErrorKind,
    operation: Option<Operation>,
    namespace: Option<String>,
    /// The kind of the record, unless it is a container.
    record_kind: Option<String>,
    id: Option<String>,
    path: Option<PathBuf>,
    is_immutable_field: bool,
    follow_from: Option<Position>,
    message: String,
    source: Option<Source>,
}

/// The outcomes that a caller may want to distinguish.
///
/// The first four are containerd's (`errdefs`); the others concern the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No such container, namespace or file.
    NotFound,
    /// The id, the namespace or the file to be created already exists.
    AlreadyExists,
    /// The input breaks a rule; nothing was changed.
    InvalidArgument,
    /// The input is valid but the state does not allow it: a namespace that still holds containers, a stale revision, a
    /// write to a store that was opened for reading. Nothing was changed.
    FailedPrecondition,
    /// Bytes in the file are not what was written. Nothing was changed.
    Corrupt,
    /// The file is in use by another process, or by another handle of this one.
    Locked,
    /// This library does not read the version of the file, of the dump, or of redb's format. Nothing was
    /// changed.
    IncompatibleFormat,
    /// The file is not a store. It was not changed.
    NotAStore,
    /// The operating system refused a read, a write or a sync.
    Io,
    /// The commit failed after it may have reached the disk: the changes are in the file completely or not at all. Open
    /// the store again and look.
    CommitUncertain,
    /// An earlier failure left the store read-only. Open it again.
    Unavailable,
    /// Another process opened the store and then forked this one. Nothing was read or changed. The store still works in
    /// the process that opened it.
    Forked,
    /// The file of the open store is no longer at its path: it was removed, renamed or replaced. The write is not
    /// acknowledged. Reading still works, and so does [`Db::backup`](crate::Db::backup).
    Gone,
    /// The operation was cancelled before it began. Nothing was done.
    Cancelled,
    /// A follower of changes cannot continue from its position: deletions after it are forgotten, or the position is of
    /// another history of the store. [`Error::follow_from`] returns the lowest position from which a follower can
    /// continue.
    Lagged,
}

impl ErrorKind {
    #[cfg(feature = "tonic")]
    pub(crate) const ALL: [Self; 15] = [
        Self::NotFound,
        Self::AlreadyExists,
        Self::InvalidArgument,
        Self::FailedPrecondition,
        Self::Corrupt,
        Self::Locked,
        Self::IncompatibleFormat,
        Self::NotAStore,
        Self::Io,
        Self::CommitUncertain,
        Self::Unavailable,
        Self::Forked,
        Self::Gone,
        Self::Cancelled,
        Self::Lagged,
    ];

    /// Returns the kind with this text.
    #[cfg(feature = "tonic")]
    pub(crate) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not found",
            Self::AlreadyExists => "already exists",
            Self::InvalidArgument => "invalid argument",
            Self::FailedPrecondition => "failed precondition",
            Self::Corrupt => "corrupt",
            Self::Locked => "locked",
            Self::IncompatibleFormat => "incompatible format",
            Self::NotAStore => "not a store",
            Self::Io => "input/output error",
            Self::CommitUncertain => "commit outcome unknown",
            Self::Unavailable => "unavailable",
            Self::Forked => "forked",
            Self::Gone => "gone",
            Self::Cancelled => "cancelled",
            Self::Lagged => "lagged",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the store was asked to do, for the text of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Get,
    List,
    Pins,
    Create,
    Update,
    Put,
    Import,
    Delete,
    CreateNamespace,
    ListNamespaces,
    NamespaceLabels,
    SetNamespaceLabel,
    DeleteNamespace,
    OpenNamespace,
    CreateStore,
    OpenStore,
    CloseStore,
    BeginRead,
    BeginWrite,
    Commit,
    Abort,
    Checkpoint,
    /// Whatever the caller does in `AsyncDb::run`.
    #[cfg(feature = "tokio")]
    Run,
    Follow,
    Check,
    Measure,
    Dump,
    DumpNamespace,
    DumpTo,
    Load,
    /// A fault of the store that is backed up.
    BackupOf,
    /// A fault of the new file.
    Backup,
    RestoreFrom,
    Restore,
    Compact,
    Salvage,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get container",
            Self::List => "list containers",
            Self::Pins => "read the pins of containers",
            Self::Create => "create container",
            Self::Update => "update container",
            Self::Put => "put container",
            Self::Import => "import container",
            Self::Delete => "delete container",
            Self::CreateNamespace => "create namespace",
            Self::ListNamespaces => "list namespaces",
            Self::NamespaceLabels => "read the labels of namespace",
            Self::SetNamespaceLabel => "set a label of namespace",
            Self::DeleteNamespace => "delete namespace",
            Self::OpenNamespace => "use namespace",
            Self::CreateStore => "create store",
            Self::OpenStore => "open store",
            Self::CloseStore => "close store",
            Self::BeginRead => "begin a read transaction",
            Self::BeginWrite => "begin a write transaction",
            Self::Commit => "commit",
            Self::Abort => "abort",
            Self::Checkpoint => "checkpoint store",
            #[cfg(feature = "tokio")]
            Self::Run => "work with store",
            Self::Follow => "read the changes of store",
            Self::Check => "check store",
            Self::Measure => "measure store",
            Self::Dump => "dump store",
            Self::DumpNamespace => "dump namespace",
            Self::DumpTo => "dump to",
            Self::Load => "load a dump into",
            Self::BackupOf => "back up store",
            Self::Backup => "back up to",
            Self::RestoreFrom => "restore from",
            Self::Restore => "restore to",
            Self::Compact => "compact store",
            Self::Salvage => "salvage into",
        }
    }

    /// The same for a record of another kind.
    fn as_record_str(self) -> Option<&'static str> {
        Some(match self {
            Self::Get => "get record",
            Self::List => "list records",
            Self::Pins => "read the pins of records",
            Self::Create => "create record",
            Self::Update => "update record",
            Self::Put => "put record",
            Self::Import => "import record",
            Self::Delete => "delete record",
            _ => return None,
        })
    }

    /// Whether this operation is only a step of a larger one, whose errors name the larger one instead.
    fn is_a_step(self) -> bool {
        matches!(self, Self::BeginRead | Self::BeginWrite | Self::Commit)
    }

    /// Whether this operation is about a whole store. A container or namespace is then only a place in it.
    fn is_about_a_store(self) -> bool {
        matches!(
            self,
            Self::Follow
                | Self::Check
                | Self::Measure
                | Self::Dump
                | Self::Load
                | Self::BackupOf
                | Self::Backup
                | Self::RestoreFrom
                | Self::Restore
                | Self::Compact
                | Self::Salvage
        )
    }

    /// Whether this operation is about the namespace itself, not something in it.
    fn is_about_a_namespace(self) -> bool {
        matches!(
            self,
            Self::CreateNamespace
                | Self::NamespaceLabels
                | Self::SetNamespaceLabel
                | Self::DeleteNamespace
                | Self::OpenNamespace
                | Self::DumpNamespace
        )
    }
}

impl Error {
    /// Returns the outcome.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the operation, in words such as `create container`; `None` if an input was refused before any operation
    /// began.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        let is_of_container = self.0.record_kind.is_none();
        let text = |operation: Operation| match operation.as_record_str() {
            Some(text) if !is_of_container => text,
            _ => operation.as_str(),
        };
        self.0.operation.map(text)
    }

    /// Returns the namespace concerned.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.0.namespace.as_deref()
    }

    /// Returns the kind of the record concerned; `None` for a container.
    #[must_use]
    pub fn record_kind(&self) -> Option<&str> {
        self.0.record_kind.as_deref()
    }

    /// Returns the id of the container or record concerned.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.0.id.as_deref()
    }

    /// Returns the file concerned.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// Whether this is [`ErrorKind::NotFound`].
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.kind() == ErrorKind::NotFound
    }

    /// Whether this is [`ErrorKind::AlreadyExists`].
    #[must_use]
    pub fn is_already_exists(&self) -> bool {
        self.kind() == ErrorKind::AlreadyExists
    }

    /// Whether this is [`ErrorKind::InvalidArgument`].
    #[must_use]
    pub fn is_invalid_argument(&self) -> bool {
        self.kind() == ErrorKind::InvalidArgument
    }

    /// Whether this is [`ErrorKind::FailedPrecondition`].
    #[must_use]
    pub fn is_failed_precondition(&self) -> bool {
        self.kind() == ErrorKind::FailedPrecondition
    }

    /// Whether this is [`ErrorKind::Corrupt`].
    #[must_use]
    pub fn is_corrupt(&self) -> bool {
        self.kind() == ErrorKind::Corrupt
    }

    /// Whether this is [`ErrorKind::Locked`].
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.kind() == ErrorKind::Locked
    }

    /// Whether this is [`ErrorKind::CommitUncertain`].
    #[must_use]
    pub fn is_commit_uncertain(&self) -> bool {
        self.kind() == ErrorKind::CommitUncertain
    }

    /// Whether this is [`ErrorKind::Unavailable`].
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.kind() == ErrorKind::Unavailable
    }

    /// Whether the cause is a different value in a field that the store's [`Rules`](crate::Rules) do not allow to
    /// change. The kind is [`ErrorKind::InvalidArgument`] for an update and [`ErrorKind::FailedPrecondition`] for a
    /// put; the text names the field.
    #[must_use]
    pub fn is_immutable_field(&self) -> bool {
        self.0.is_immutable_field
    }

    /// Whether this is [`ErrorKind::Forked`].
    #[must_use]
    pub fn is_forked(&self) -> bool {
        self.kind() == ErrorKind::Forked
    }

    /// Whether this is [`ErrorKind::Gone`].
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.kind() == ErrorKind::Gone
    }

    /// Whether this is [`ErrorKind::Lagged`].
    #[must_use]
    pub fn is_lagged(&self) -> bool {
        self.kind() == ErrorKind::Lagged
    }

    /// Returns the lowest position from which a follower that [lagged](ErrorKind::Lagged) can continue, once it has
    /// listed everything; `None` for any other error.
    #[must_use]
    pub fn follow_from(&self) -> Option<Position> {
        self.0.follow_from
    }

    /// Whether the disk, or the caller's share of it, is full.
    #[must_use]
    pub fn is_storage_full(&self) -> bool {
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<io::Error>() {
                return matches!(
                    error.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                );
            }
            cause = error.source();
        }
        false
    }
}

// For implementations of the traits.
impl Error {
    /// Creates an error for another implementation of [`Store`](crate::Store) or [`Namespaces`](crate::Namespaces).
    ///
    /// Only the message is printed, so it must name the operation, the namespace and the container as well.
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{Error, ErrorKind};
    ///
    /// let error = Error::of_kind(ErrorKind::NotFound, "get \"web\" in \"k8s.io\": not found");
    /// assert!(error.is_not_found());
    /// ```
    #[must_use]
    pub fn of_kind(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::new(kind, message)
    }

    /// Sets the cause, which becomes its [`source`](std::error::Error::source).
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{Error, ErrorKind};
    ///
    /// let cause = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
    /// let error = Error::of_kind(ErrorKind::Unavailable, "get \"web\"").caused_by(cause);
    /// assert_eq!(format!("{error:#}"), "get \"web\": broken pipe");
    /// ```
    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// Marks the error as caused by an immutable field that differs; see [`Error::is_immutable_field`].
    #[must_use]
    pub fn about_immutable_field(mut self) -> Self {
        self.0.is_immutable_field = true;
        self
    }

    /// Names what was asked for, so that the text begins as that of a [`Db`](crate::Db) does. Context that the error
    /// already has is kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::implementing::{Action, Place};
    /// use bayplan::{Error, ErrorKind};
    ///
    /// let web = Place { namespace: Some("k8s.io"), id: Some("web"), ..Place::default() };
    /// let error = Error::of_kind(ErrorKind::NotFound, "not found").in_action(Action::Get, web);
    /// assert_eq!(error.to_string(), "get container \"web\" in namespace \"k8s.io\": not found");
    /// ```
    #[must_use]
    pub fn in_action(self, action: Action, place: Place<'_>) -> Self {
        let mut error = self.during(action.into()).of_record_kind(place.record_kind);
        if let Some(namespace) = place.namespace {
            error = error.in_namespace(namespace);
        }
        match place.id {
            Some(id) => error.of(id),
            None => error,
        }
    }

    /// Creates a [`Lagged`](ErrorKind::Lagged) error for a follower that could continue from this position.
    #[must_use]
    pub fn lagged(follow_from: Position, message: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::Lagged, message);
        error.0.follow_from = Some(follow_from);
        error
    }

    /// Reports the error of an update as one of a put: if an immutable field differs, the stored state is the obstacle,
    /// not the input.
    #[must_use]
    pub fn of_put(mut self) -> Self {
        if self.is_immutable_field() {
            self.0.kind = ErrorKind::FailedPrecondition;
        }
        self
    }
}

/// What a store was asked to do, for the text of an [`Error`]; see [`Error::in_action`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// [`ReadStore::get`](crate::ReadStore::get), or `find`.
    Get,
    /// [`ReadStore::traverse`](crate::ReadStore::traverse), or anything that calls it.
    List,
    /// [`Store::create`](crate::Store::create).
    Create,
    /// [`Store::update`](crate::Store::update), `update_if`, or `apply`.
    Update,
    /// [`Store::put`](crate::Store::put), or `put_if`.
    Put,
    /// [`Store::import`](crate::Store::import).
    Import,
    /// [`Store::delete`](crate::Store::delete), or `delete_if`.
    Delete,
    /// [`Namespaces::create_namespace`](crate::Namespaces::create_namespace).
    CreateNamespace,
    /// [`ReadNamespaces::list_namespaces`](crate::ReadNamespaces::list_namespaces).
    ListNamespaces,
    /// [`ReadNamespaces::namespace_labels`](crate::ReadNamespaces::namespace_labels).
    NamespaceLabels,
    /// [`Namespaces::set_namespace_label`](crate::Namespaces::set_namespace_label).
    SetNamespaceLabel,
    /// [`Namespaces::delete_namespace`](crate::Namespaces::delete_namespace).
    DeleteNamespace,
    /// Getting a handle for a namespace.
    OpenNamespace,
    /// Opening the store.
    OpenStore,
    /// Committing a write transaction.
    Commit,
    /// Reading changes.
    Follow,
}

impl From<Action> for Operation {
    fn from(action: Action) -> Self {
        match action {
            Action::Get => Self::Get,
            Action::List => Self::List,
            Action::Create => Self::Create,
            Action::Update => Self::Update,
            Action::Put => Self::Put,
            Action::Import => Self::Import,
            Action::Delete => Self::Delete,
            Action::CreateNamespace => Self::CreateNamespace,
            Action::ListNamespaces => Self::ListNamespaces,
            Action::NamespaceLabels => Self::NamespaceLabels,
            Action::SetNamespaceLabel => Self::SetNamespaceLabel,
            Action::DeleteNamespace => Self::DeleteNamespace,
            Action::OpenNamespace => Self::OpenNamespace,
            Action::OpenStore => Self::OpenStore,
            Action::Commit => Self::Commit,
            Action::Follow => Self::Follow,
        }
    }
}

/// What an [`Error`] concerns; see [`Error::in_action`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place<'a> {
    /// The namespace.
    pub namespace: Option<&'a str>,
    /// The kind of the record; `None` for a container.
    pub record_kind: Option<&'a str>,
    /// The id of the container or record.
    pub id: Option<&'a str>,
}

// For the crate itself.
impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            operation: None,
            namespace: None,
            record_kind: None,
            id: None,
            path: None,
            is_immutable_field: false,
            follow_from: None,
            message: message.into(),
            source: None,
        }))
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidArgument, message)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(ErrorKind::NotFound, "not found")
    }

    pub(crate) fn already_exists() -> Self {
        Self::new(ErrorKind::AlreadyExists, "already exists")
    }

    pub(crate) fn precondition(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::FailedPrecondition, message)
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// Whether the error depends on the state of the store, so that another state could give another result.
    pub(crate) fn is_about_what_is_stored(&self) -> bool {
        self.is_not_found() || self.is_already_exists() || self.is_failed_precondition()
    }

    /// Whether this is its message.
    pub(crate) fn says(&self, message: &str) -> bool {
        self.0.message == message
    }

    /// Replaces the message.
    pub(crate) fn reworded(mut self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        self
    }

    /// Adds a prefix that names the place.
    pub(crate) fn prefixed(mut self, place: &str) -> Self {
        self.0.message = format!("{place}: {}", self.0.message);
        self
    }

    /// Reports the fault as damage, for something that was read from the file.
    pub(crate) fn into_corrupt(mut self) -> Self {
        self.0.kind = ErrorKind::Corrupt;
        self
    }

    /// Reports the error as `Gone`, for a file that may not be at its path.
    pub(crate) fn into_gone(mut self) -> Self {
        self.0.kind = ErrorKind::Gone;
        self
    }

    /// Reports the error as one about the log of the store. A kind that would be mistaken for the state of the store's
    /// own file (missing, or not a store) becomes `Io`.
    pub(crate) fn of_log(mut self, path: &str) -> Self {
        if matches!(
            self.0.kind,
            ErrorKind::NotFound | ErrorKind::AlreadyExists | ErrorKind::NotAStore
        ) {
            self.0.kind = ErrorKind::Io;
        }
        self.prefixed(&format!("its log {path}"))
    }

    /// Names the kind of the record concerned; `None` for a container.
    pub(crate) fn of_record_kind(mut self, kind: Option<&str>) -> Self {
        if self.0.record_kind.is_none() {
            self.0.record_kind = kind.map(str::to_owned);
        }
        self
    }

    pub(crate) fn during(mut self, operation: Operation) -> Self {
        if self.0.operation.is_none_or(Operation::is_a_step) {
            self.0.operation = Some(operation);
        }
        self
    }

    /// Names the operation of which the failed one is only a part.
    pub(crate) fn within(mut self, operation: Operation) -> Self {
        self.0.operation = Some(operation);
        self
    }

    pub(crate) fn in_namespace(mut self, namespace: impl AsRef<str>) -> Self {
        self.0
            .namespace
            .get_or_insert_with(|| namespace.as_ref().to_owned());
        self
    }

    pub(crate) fn of(mut self, id: impl AsRef<str>) -> Self {
        self.0.id.get_or_insert_with(|| id.as_ref().to_owned());
        self
    }

    pub(crate) fn at(mut self, path: Option<&Path>) -> Self {
        if self.0.path.is_none() {
            self.0.path = path.map(Path::to_owned);
        }
        self
    }

    fn write_subject(&self, f: &mut fmt::Formatter<'_>, operation: Operation) -> fmt::Result {
        let inner = &self.0;
        f.write_str(self.operation().unwrap_or_else(|| operation.as_str()))?;
        if operation.is_about_a_store() {
            if let Some(path) = &inner.path {
                write!(f, " {}", path.display())?;
            }
            let what = match &inner.record_kind {
                Some(kind) => format!("{kind} record"),
                None => "container".to_owned(),
            };
            return match (&inner.id, &inner.namespace) {
                (Some(id), Some(name)) => write!(f, ": {what} {id:?} in namespace {name:?}: "),
                (Some(id), None) => write!(f, ": {what} {id:?}: "),
                (None, Some(name)) => write!(f, ": namespace {name:?}: "),
                (None, None) => f.write_str(": "),
            };
        }
        if let Some(id) = &inner.id {
            write!(f, " {id:?}")?;
        }
        if let Some(kind) = &inner.record_kind {
            write!(f, " of kind {kind:?}")?;
        }
        match &inner.namespace {
            Some(name) if operation.is_about_a_namespace() => write!(f, " {name:?}")?,
            Some(name) => write!(f, " in namespace {name:?}")?,
            None => {}
        }
        if let Some(path) = &inner.path {
            let stands_after_something = inner.id.is_some() || inner.namespace.is_some();
            let of = if stands_after_something { "of " } else { "" };
            write!(f, " {of}{}", path.display())?;
        }
        f.write_str(": ")
    }
}

/// The kind and the text with its causes, for a `main` that returns it and for `unwrap`; `{:#?}` prints all fields.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match f.alternate() {
            true => self.0.fmt(f),
            false => write!(f, "{:?}: {self:#}", self.0.kind),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = self.0.operation {
            self.write_subject(f, operation)?;
        }
        f.write_str(&self.0.message)?;
        if f.alternate() {
            let mut cause = std::error::Error::source(self);
            while let Some(error) = cause {
                write!(f, ": {error}")?;
                cause = error.source();
            }
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_pointer_wide_and_may_cross_threads() {
        fn assert_auto_traits<T: Send + Sync + 'static>() {}
        assert_auto_traits::<Error>();
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn the_text_tells_operation_id_namespace_and_path() {
        let error = Error::not_found()
            .during(Operation::Get)
            .of("web")
            .in_namespace("k8s.io");
        assert_eq!(
            error.to_string(),
            "get container \"web\" in namespace \"k8s.io\": not found"
        );
        let error = Error::already_exists()
            .during(Operation::CreateNamespace)
            .in_namespace("x");
        assert_eq!(error.to_string(), "create namespace \"x\": already exists");
        let error = Error::not_found()
            .during(Operation::OpenStore)
            .at(Some(Path::new("/a/b")));
        assert_eq!(error.to_string(), "open store /a/b: not found");
        let error = error.caused_by(io::Error::other("why"));
        assert_eq!(
            format!("{error:?}"),
            "NotFound: open store /a/b: not found: why"
        );
        assert!(format!("{error:#?}").contains("operation: Some"));
    }

    #[test]
    fn an_operation_takes_the_place_of_its_steps() {
        let error = Error::precondition("no")
            .during(Operation::BeginWrite)
            .at(Some(Path::new("/a/b")));
        assert_eq!(error.to_string(), "begin a write transaction /a/b: no");
        let error = error
            .during(Operation::Create)
            .of("web")
            .in_namespace("k8s.io");
        assert_eq!(error.operation(), Some("create container"));
        assert_eq!(
            error.to_string(),
            "create container \"web\" in namespace \"k8s.io\" of /a/b: no"
        );
    }

    #[test]
    fn what_a_whole_store_is_asked_for_names_the_file_first_and_not_its_steps() {
        let error = Error::not_found()
            .during(Operation::List)
            .of("web")
            .in_namespace("k8s.io")
            .within(Operation::Dump)
            .at(Some(Path::new("/a/b")));
        assert_eq!(error.operation(), Some("dump store"));
        assert_eq!(
            error.to_string(),
            "dump store /a/b: container \"web\" in namespace \"k8s.io\": not found"
        );
        let error = Error::not_found()
            .during(Operation::BackupOf)
            .in_namespace("x");
        assert_eq!(
            error.to_string(),
            "back up store: namespace \"x\": not found"
        );
    }

    #[test]
    fn context_that_is_already_there_is_kept() {
        let error = Error::not_found().during(Operation::Get).of("inner");
        let error = error.during(Operation::Commit).of("outer");
        assert_eq!(error.to_string(), "get container \"inner\": not found");
    }

    #[test]
    fn the_cause_is_kept_and_printed_once() {
        let cause = io::Error::from(io::ErrorKind::StorageFull);
        let text = cause.to_string();
        let error = Error::new(ErrorKind::Io, "the write failed").caused_by(cause);
        assert_eq!(error.to_string(), "the write failed");
        assert_eq!(format!("{error:#}"), format!("the write failed: {text}"));
        assert!(error.is_storage_full());
        assert!(std::error::Error::source(&error).is_some());
    }
}
