//! The path of an open store's file, and whether the file is still there.
//!
//! A file that is removed, renamed or replaced while it is open still accepts writes and syncs, but the data can never
//! be found again. So a write checks the path before it begins, and again before it is acknowledged.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::model::error::{Error, ErrorKind, Result};
use crate::redb_file::fault::OrIo;
use crate::redb_file::found::{Found, Identity};

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct Place {
    /// As given, including symbolic links, but absolute: the working directory of the process may change.
    path: PathBuf,
    file: File,
    identity: Identity,
    /// Whether the file system counts the names of a file.
    counts_names: bool,
    is_log: bool,
}

impl Place {
    /// Returns the place of an open file.
    ///
    /// # Errors
    ///
    /// `Gone` if the path now leads to another file, or to none.
    pub(crate) fn of(path: &Path, file: File) -> Result<Self> {
        let found = Found::of(&file).or_io()?;
        let place = Self {
            path: std::path::absolute(path).or_io()?,
            file,
            identity: found.identity,
            counts_names: found.names_count > 0,
            is_log: false,
        };
        place.check()?;
        Ok(place)
    }

    /// Marks the file as the log of a store.
    pub(crate) fn of_log(mut self) -> Self {
        self.is_log = true;
        self
    }

    /// Whether the file is where it was when it was opened.
    ///
    /// # Errors
    ///
    /// `Gone` if it is not; `Io` if that cannot be found out.
    pub(crate) fn check(&self) -> Result<()> {
        match Found::at(&self.path) {
            Ok(found) if found.identity != self.identity => {
                Err(self.gone("another file is there now"))
            }
            Ok(found) => self.check_named(&found),
            // The process may have given up the right to look. Then a rename goes unnoticed.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.check_named(&Found::of(&self.file).or_io()?)
            }
            Err(error) if is_absence(&error) => {
                Err(self.gone("nothing is there now").caused_by(error))
            }
            Err(error) => Err(error).or_io(),
        }
    }

    /// A file without any name is gone, even if a mount still leads to it.
    fn check_named(&self, found: &Found) -> Result<()> {
        match self.counts_names && found.names_count == 0 {
            true => Err(self.gone("it was removed")),
            false => Ok(()),
        }
    }

    fn gone(&self, what: &str) -> Error {
        let path = self.path.display();
        let message = match self.is_log {
            false => format!(
                "the store's file is no longer at {path}: {what}. Reading still works: back the store up to \
                 another path, or put its file back, before this process ends"
            ),
            true => format!(
                "the store's log is no longer at {path}: {what}. Reading still works: close the store, which \
                 moves all of the log into its file, and open it again"
            ),
        };
        Error::new(ErrorKind::Gone, message)
    }
}

fn is_absence(error: &io::Error) -> bool {
    let kinds = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
    kinds.contains(&error.kind())
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Returns the message for a file that is gone; empty if it is not.
    fn told(place: &Place) -> String {
        let error = place.check().err();
        let gone = error.filter(|error| error.kind() == ErrorKind::Gone);
        gone.map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_file_is_where_it_was_until_it_is_moved_removed_or_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let [path, other] = ["a", "b"].map(|name| directory.path().join(name));
        let place = Place::of(&path, File::create(&path).unwrap()).unwrap();
        place.check().unwrap();
        fs::rename(&path, &other).unwrap();
        assert!(told(&place).contains("nothing is there now"));
        fs::write(&path, "").unwrap();
        assert!(told(&place).contains("another file is there now"));
        fs::rename(&other, &path).unwrap();
        place.check().unwrap();
        fs::remove_file(&path).unwrap();
        assert!(told(&place).contains(path.to_str().unwrap()));
    }

    #[test]
    fn a_file_that_is_replaced_before_its_place_is_known_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let file = File::create(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let error = Place::of(&path, file).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Gone);
    }

    #[test]
    fn a_link_that_leads_elsewhere_is_another_file() {
        let directory = tempfile::tempdir().unwrap();
        let [path, other, link] = ["a", "b", "link"].map(|name| directory.path().join(name));
        fs::write(&other, "").unwrap();
        let file = File::create(&path).unwrap();
        symlink(&path, &link).unwrap();
        let place = Place::of(&link, file).unwrap();
        fs::remove_file(&link).unwrap();
        symlink(&other, &link).unwrap();
        assert!(told(&place).contains("another file is there now"));
    }
}
