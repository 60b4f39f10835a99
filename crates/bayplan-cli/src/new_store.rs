//! A new store that has its name only once it is complete.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use bayplan::{Builder, Db};
use tempfile::TempPath;

use crate::failure::{Failure, Result};
use crate::unfinished;

/// A store under a hidden name beside its future one. Dropping it removes the file. So does a signal that ends the
/// program, see `unfinished`.
pub(crate) struct NewStore {
    db: Db,
    hidden: TempPath,
    target: PathBuf,
}

impl NewStore {
    pub(crate) fn create(builder: &Builder, target: &Path) -> Result<Self> {
        let directory = directory(target);
        if !directory.is_dir() {
            let text = format!("{}: there is no such directory", directory.display());
            return Err(Failure::new(text));
        }
        let mut name = tempfile::Builder::new();
        let made = name.prefix(".bayplan-").suffix(".new");
        let made = made.make_in(directory, |path| {
            builder.create(path).map_err(io::Error::other)
        });
        let (db, hidden) = made
            .map_err(|error| match error.downcast::<bayplan::Error>() {
                Ok(error) => error.into(),
                Err(error) => cannot(target, &error),
            })?
            .into_parts();
        unfinished::register(&hidden);
        Ok(Self {
            db,
            hidden,
            target: target.to_owned(),
        })
    }

    pub(crate) fn db(&self) -> &Db {
        &self.db
    }

    /// Closes the store, and gives it its name, unless a file has it meanwhile.
    pub(crate) fn finish(self) -> Result<()> {
        self.db.close()?;
        let named = self.hidden.persist_noclobber(&self.target);
        named.map_err(|error| cannot(&self.target, &error.error))?;
        File::open(directory(&self.target))
            .and_then(|directory| directory.sync_all())
            .map_err(|error| cannot(&self.target, &error))
    }
}

fn cannot(target: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("{} cannot be created: {error}", target.display()))
}

/// The directory that a file is in.
fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
