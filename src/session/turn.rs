//! The turn to write: one thread's at a time, and nobody's after a commit that failed.

use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};

use crate::model::error::{Error, ErrorKind, Result};

/// Whose turn it is to write.
///
/// redb lets the next writer in as soon as a commit is made. The turn lasts until what follows a commit is done
/// as well: commits are shown in their order, and nobody may write after one that failed.
#[derive(Default)]
pub(crate) struct WriteTurn {
    thread: Mutex<Option<ThreadId>>,
    /// The turn has ended.
    ended: Condvar,
    /// Why a commit failed, if one did: what the file holds is not known.
    broken: OnceLock<Error>,
}

impl WriteTurn {
    /// Waits for the turn of any other thread to end. This thread's turn lasts until [`WriteTurn::end`].
    ///
    /// # Errors
    ///
    /// `FailedPrecondition` if it is this thread's turn already.
    pub(crate) fn take(&self) -> Result<()> {
        let mut thread = self.thread();
        check_not_own(*thread)?;
        while thread.is_some() {
            thread = self
                .ended
                .wait(thread)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *thread = Some(thread::current().id());
        Ok(())
    }

    /// This thread's turn has ended: its transaction, and all that follows it.
    pub(crate) fn end(&self) {
        *self.thread() = None;
        self.ended.notify_one();
    }

    /// Whether this thread could wait for its turn without waiting for itself.
    pub(crate) fn check_not_own(&self) -> Result<()> {
        check_not_own(*self.thread())
    }

    /// Whether no commit has failed.
    pub(crate) fn check_unbroken(&self) -> Result<()> {
        match self.broken.get() {
            Some(cause) => Err(Error::new(
                ErrorKind::Unavailable,
                "an earlier commit failed: close the store and open it again",
            )
            .caused_by(cause.clone())),
            None => Ok(()),
        }
    }

    /// Nobody may write from now on, for this reason. The first one stays.
    pub(crate) fn break_off(&self, cause: &Error) {
        let _ = self.broken.set(cause.clone());
    }

    /// Why nobody may write any more, if that is so.
    pub(crate) fn into_cause(self) -> Option<Error> {
        self.broken.into_inner()
    }

    fn thread(&self) -> MutexGuard<'_, Option<ThreadId>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_not_own(thread: Option<ThreadId>) -> Result<()> {
    if thread == Some(thread::current().id()) {
        return Err(Error::precondition(
            "this thread has a write transaction open already: use that one, or end it first",
        ));
    }
    Ok(())
}
