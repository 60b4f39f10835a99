//! Turns redb's errors into the store's, and contains redb's panics.

use std::io;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::model::error::{Error, ErrorKind, Result};

/// Turns a result of redb into one of the store.
pub(crate) trait OrFault<T> {
    /// The value, or the store's error for it.
    fn or_fault(self) -> Result<T>;
}

impl<T, E: Into<redb::Error>> OrFault<T> for Result<T, E> {
    fn or_fault(self) -> Result<T> {
        self.map_err(|error| fault(error.into()))
    }
}

/// The text for damage that redb finds. redb's own words name its internals and help no user; they go to
/// the log.
const UNREADABLE: &str = "the file is damaged: a part of it that is needed here cannot be read; restore a \
                          backup, or salvage the rest into a new file";

/// The text for a file that is locked, by whichever process.
pub(crate) const IN_USE: &str =
    "the file is in use by another process, or by another handle of this one";

fn fault(error: redb::Error) -> Error {
    match error {
        redb::Error::Corrupted(what) => {
            tracing::warn!(what, "redb finds the file damaged");
            Error::corrupt(UNREADABLE)
        }
        redb::Error::Io(error) => io_fault(error),
        redb::Error::DatabaseAlreadyOpen => Error::new(ErrorKind::Locked, IN_USE),
        redb::Error::LockProtocolMismatch => Error::new(
            ErrorKind::Locked,
            "the file is in use by a process with an incompatible version of redb",
        ),
        redb::Error::UpgradeRequired(version) => Error::new(
            ErrorKind::IncompatibleFormat,
            format!(
                "the file has version {version} of redb's format, which this version cannot read"
            ),
        ),
        redb::Error::RepairAborted => Error::new(
            ErrorKind::FailedPrecondition,
            "the file was not closed cleanly and needs a repair, which was not made",
        ),
        redb::Error::PreviousIo => Error::new(
            ErrorKind::Unavailable,
            "an earlier read, write or sync failed: close the store and open it again",
        ),
        redb::Error::DatabaseClosed => Error::new(ErrorKind::Unavailable, "the store is closed"),
        redb::Error::LockPoisoned(_) => Error::new(
            ErrorKind::Unavailable,
            "an earlier operation panicked: close the store and open it again",
        )
        .caused_by(error),
        redb::Error::ValueTooLarge(size) => Error::invalid(format!(
            "a value of {size} bytes is more than the file can hold"
        )),
        redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TableDoesNotExist(_)
        | redb::Error::TypeDefinitionChanged { .. } => {
            Error::corrupt("a table is missing or is not what it should be").caused_by(error)
        }
        other => Error::new(ErrorKind::Io, "the storage failed").caused_by(other),
    }
}

fn io_fault(error: io::Error) -> Error {
    // The error may come from the gate before the file.
    let error = match error.downcast::<Error>() {
        Ok(ours) => return ours,
        Err(error) => error,
    };
    let message = match error.kind() {
        io::ErrorKind::StorageFull => "the disk is full",
        io::ErrorKind::QuotaExceeded => "the disk quota is used up",
        io::ErrorKind::UnexpectedEof => {
            return Error::corrupt("the file is cut short").caused_by(error);
        }
        io::ErrorKind::NotFound => return Error::not_found().caused_by(error),
        io::ErrorKind::AlreadyExists => return Error::already_exists().caused_by(error),
        _ => "the operating system reports an error",
    };
    Error::new(ErrorKind::Io, message).caused_by(error)
}

/// An error of the operating system, outside redb.
pub(crate) trait OrIo<T> {
    /// The value, or the store's error for it.
    fn or_io(self) -> Result<T>;
}

impl<T> OrIo<T> for io::Result<T> {
    fn or_io(self) -> Result<T> {
        self.map_err(io_fault)
    }
}

/// Runs `work`, which calls redb, and turns a panic in it into [`ErrorKind::Corrupt`].
///
/// redb trusts the pages of a file that was closed cleanly, and panics if they are not what it wrote. A
/// caller's code that runs inside must handle its own panics.
pub(crate) fn contained<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result,
        Err(panic) => {
            let what = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("a panic without words");
            tracing::warn!(what, "redb gave up on the file");
            Err(Error::corrupt(UNREADABLE))
        }
    }
}

/// Drops a value that redb closes when dropped. A panic is only logged.
pub(crate) fn drop_contained<T>(value: T) {
    let dropped = contained(|| {
        drop(value);
        Ok(())
    });
    if let Err(error) = dropped {
        tracing::error!(%error, "closing failed");
    }
}

/// Checks that a key may follow another one, or begin a range.
///
/// If pages were not verified, redb may return a damaged key at a wrong place. Continuing after it would
/// reach the same rows again, without end.
pub(crate) fn check_order(is_behind: bool) -> Result<()> {
    if is_behind {
        Ok(())
    } else {
        Err(Error::corrupt(
            "the file is damaged: its keys are out of order",
        ))
    }
}

/// A redb database that is closed with panics contained: closing writes, and after a panic redb panics
/// again.
pub(crate) struct Closing<D>(Option<D>);

impl<D> Closing<D> {
    pub(crate) fn new(db: D) -> Self {
        Self(Some(db))
    }

    /// Returns the database, for the caller to close.
    pub(crate) fn into_inner(mut self) -> Option<D> {
        self.take()
    }

    /// Takes the database, for the caller to close. `self` must not be used afterwards.
    pub(crate) fn take(&mut self) -> Option<D> {
        self.0.take()
    }

    /// Returns the database, until it is taken.
    pub(crate) fn get(&self) -> Option<&D> {
        self.0.as_ref()
    }
}

impl<D> Deref for Closing<D> {
    type Target = D;

    #[expect(
        clippy::expect_used,
        reason = "only `into_inner` and `take`, which end it, take it out"
    )]
    fn deref(&self) -> &D {
        self.0.as_ref().expect("it is there until it is closed")
    }
}

impl<D> Drop for Closing<D> {
    fn drop(&mut self) {
        drop_contained(self.0.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_inside_becomes_corrupt() {
        let error = contained::<()>(|| panic!("page {} is gone", 7)).unwrap_err();
        assert!(error.is_corrupt());
        assert_eq!(format!("{error:#}"), UNREADABLE);
    }

    #[test]
    fn what_redb_says_of_damage_becomes_a_sentence_that_says_what_to_do() {
        let said = "All roots are corrupted".to_owned();
        let error = fault(redb::Error::Corrupted(said));
        assert!(error.is_corrupt());
        assert_eq!(
            format!("{error:#}"),
            "the file is damaged: a part of it that is needed here cannot be read; restore a backup, or \
             salvage the rest into a new file"
        );
    }

    #[test]
    fn a_panic_while_closing_ends_at_the_boundary() {
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("poisoned");
            }
        }
        drop(Closing::new(Panics));
        assert!(Closing::new(7).into_inner() == Some(7));
    }

    #[test]
    fn a_full_disk_is_told_apart() {
        let result: io::Result<()> = Err(io::ErrorKind::StorageFull.into());
        let error = result.or_io().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.is_storage_full());
    }
}
