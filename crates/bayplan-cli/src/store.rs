//! Finds the store, the namespace and the container that the arguments name.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bayplan::{Builder, Db, ErrorKind, Maintenance};

use crate::cli::Global;
use crate::copy;
use crate::failure::{Exit, Failure, Result};
use crate::input::must_be_file;
use crate::latest;

const DB_VARIABLE: &str = "BAYPLAN_DB";
const NAMESPACE_VARIABLE: &str = "CONTAINERD_NAMESPACE";
const NAMESPACE_DEFAULT: &str = "default";

/// What to do about a damaged file.
pub(crate) const ADVICE: &str =
    "`bayplan check` tells what is damaged, `bayplan salvage` saves the rest in a new file";

/// What to do about a dangling link.
const LINK_ADVICE: &str = "mount or restore what it leads to, or remove the link";

/// One container: its id and where it is.
pub(crate) struct Target {
    pub(crate) namespace: String,
    pub(crate) id: String,
}

impl Global {
    /// The database file.
    pub(crate) fn path(&self) -> Result<PathBuf> {
        let path = self.db.clone().map(PathBuf::into_os_string);
        match path.or_else(|| variable(DB_VARIABLE)) {
            Some(path) => {
                let path = PathBuf::from(path);
                must_be_file(&path, "the database", "a store is no stream: name a file")?;
                Ok(path)
            }
            None => Err(Failure::new("no database is named").because(format!(
                "give --db PATH or set {DB_VARIABLE}: there is no default"
            ))),
        }
    }

    /// The database file, for a command that creates it. Nothing may exist there.
    pub(crate) fn new_path(&self) -> Result<PathBuf> {
        let path = self.path()?;
        if path.is_symlink() && !path.exists() {
            let target = path.read_link().unwrap_or_default();
            let text = format!(
                "{} is a symbolic link to {}, which does not exist",
                path.display(),
                target.display()
            );
            return Err(Failure::new(text).because(LINK_ADVICE));
        }
        if path.symlink_metadata().is_ok() {
            let text = format!(
                "{} exists already, and nothing is overwritten",
                path.display()
            );
            return Err(Failure::new(text).because("move it away, or name a new file by --db"));
        }
        Ok(path)
    }

    /// The options for opening or creating it.
    pub(crate) fn builder(&self) -> Builder {
        // No command makes more than one query: keeping records would cost more than it saves.
        let mut builder = Db::builder().memory_bytes(0);
        if let Some(seconds) = self.timeout {
            builder = builder.lock_timeout(Duration::from_secs(seconds));
        }
        match self.rules {
            Some(rules) => builder.rules(rules.into()),
            None => builder,
        }
    }

    /// The tools for a file that is not open.
    pub(crate) fn tools(&self) -> Maintenance {
        let mut tools = Maintenance::new();
        if let Some(seconds) = self.timeout {
            tools = tools.lock_timeout(Duration::from_secs(seconds));
        }
        match self.rules {
            Some(rules) => tools.rules(rules.into()),
            None => tools,
        }
    }

    /// Opens the store for a command that only reads. If pages are damaged, the rest can still be read, and
    /// the damage is remembered. Of a store that another process has to itself, a copy is read.
    pub(crate) fn open_to_read(&self) -> Result<Db> {
        match self.with_file(|builder, path| builder.open_read_only(path)) {
            Err(failure) if failure.exit() == Exit::Locked => {
                self.open_copy(&self.path()?, failure)
            }
            Err(failure) if failure.exit() == Exit::Damaged => {
                let lenient = self
                    .with_file(|builder, path| builder.check_integrity(false).open_read_only(path));
                // The first error says more than one that follows from ignoring it.
                let Ok(db) = lenient else {
                    return Err(failure);
                };
                self.damage.get_or_init(|| failure.message());
                Ok(db)
            }
            opened => opened,
        }
    }

    /// Opens the store for a command that writes.
    pub(crate) fn open_to_write(&self) -> Result<Db> {
        let advice = "nothing was written; `bayplan check` tells what can still be read";
        self.with_file(|builder, path| builder.open(path))
            .map_err(|failure| failure.if_damaged(advice))
    }

    /// Opens the store for a command that reads everything, and must not silently miss something because of
    /// damage. Of a store that another process has to itself, a copy is read.
    pub(crate) fn open_to_copy(&self) -> Result<Db> {
        match self.open_itself() {
            Err(failure) if failure.exit() == Exit::Locked => {
                self.open_copy(&self.path()?, failure)
            }
            opened => opened,
        }
    }

    /// Opens another store for such a command.
    pub(crate) fn open_other_to_copy(&self, path: &Path) -> Result<Db> {
        let opened = self.builder().open_read_only(path).map_err(Failure::from);
        match opened {
            Err(failure) if failure.exit() == Exit::Locked => self.open_copy(path, failure),
            opened => opened.map_err(|failure| failure.if_damaged(ADVICE)),
        }
    }

    /// The same, but never a copy of it.
    pub(crate) fn open_itself(&self) -> Result<Db> {
        self.with_file(|builder, path| builder.open_read_only(path))
            .map_err(|failure| failure.if_damaged(ADVICE))
    }

    /// Opens a copy of the store, unless the caller wants to wait for the store itself. That it is a copy is remembered.
    fn open_copy(&self, path: &Path, locked: Failure) -> Result<Db> {
        if self.no_copy || self.timeout.is_some() {
            return Err(locked);
        }
        let mut note = format!(
            "{}: this is from a copy of its last commit",
            locked.message()
        );
        let (db, directory) = copy::open(&self.builder(), path, locked)?;
        if let Ok(latest) = latest::position(&db) {
            note.push_str(&format!(", at revision {}", latest.revision()));
        }
        self.copies.borrow_mut().push(directory);
        self.copied.get_or_init(|| note);
        Ok(db)
    }

    /// Does something with the database file, which must exist.
    pub(crate) fn with_file<T>(
        &self,
        act: impl FnOnce(Builder, &Path) -> bayplan::Result<T>,
    ) -> Result<T> {
        let path = self.path()?;
        act(self.builder(), &path).map_err(|error| match error.kind() {
            ErrorKind::NotFound if path.is_symlink() => {
                Failure::new(error.to_string()).because(LINK_ADVICE)
            }
            ErrorKind::NotFound => Failure::new(format!(
                "there is no database {}: `bayplan init` creates one",
                path.display()
            )),
            _ => error.into(),
        })
    }

    /// The namespace.
    pub(crate) fn namespace(&self) -> Result<String> {
        if let Some(name) = self.named_namespace()? {
            return Ok(name);
        }
        let name = variable(NAMESPACE_VARIABLE).map(namespace_name);
        name.unwrap_or_else(|| Ok(NAMESPACE_DEFAULT.to_owned()))
    }

    /// The namespace on the command line, ignoring the environment.
    pub(crate) fn named_namespace(&self) -> Result<Option<String>> {
        self.namespace.clone().map(namespace_name).transpose()
    }

    /// The container that `text` names: an id, or a namespace and an id.
    pub(crate) fn target(&self, text: &str) -> Result<Target> {
        // An identifier has no slash.
        let (namespace, id) = match text.split_once('/') {
            Some((namespace, id)) => (namespace.to_owned(), id),
            None => (self.namespace()?, text),
        };
        Ok(Target {
            namespace,
            id: id.to_owned(),
        })
    }
}

fn namespace_name(name: OsString) -> Result<String> {
    name.into_string()
        .map_err(|name| Failure::new(format!("the namespace name {name:?} is not UTF-8")))
}

/// An environment variable; an empty one counts as unset.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
