//! The turn to write: one thread at a time, and none after a failed commit.

use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};

use crate::model::error::{Error, ErrorKind, Result};
use crate::session::sharing::Limit;

/// Which thread may write.
///
/// redb lets the next writer in as soon as a commit is made. The turn lasts until everything that follows a commit is
/// done: commits become visible in their order, and no write is allowed after one that failed.
#[derive(Default)]
pub(crate) struct WriteTurn {
    thread: Mutex<Option<ThreadId>>,
    /// Signals the end of a turn.
    ended: Condvar,
    /// Why a commit failed, if one did: the content of the file is then unknown.
    broken: OnceLock<Error>,
}

impl WriteTurn {
    /// Waits for the turn of any other thread to end. This thread's turn lasts until [`WriteTurn::end`].
    ///
    /// # Errors
    ///
    /// `FailedPrecondition` if it is this thread's turn already.
    pub(crate) fn take(&self, limit: Option<Limit>) -> Result<()> {
        let mut thread = self.thread();
        check_not_own(*thread)?;
        while thread.is_some() {
            let left = match limit {
                Some(limit) if limit.is_over() => {
                    let what =
                        "other threads of this process are still waiting to write, or writing";
                    return Err(Error::new(ErrorKind::Locked, what));
                }
                Some(limit) => limit.left(),
                None => None,
            };
            thread = match left {
                Some(left) => {
                    let waited = self.ended.wait_timeout(thread, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self
                    .ended
                    .wait(thread)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
        *thread = Some(thread::current().id());
        Ok(())
    }

    /// Ends this thread's turn, after its transaction and everything that follows it.
    pub(crate) fn end(&self) {
        *self.thread() = None;
        self.ended.notify_one();
    }

    /// Fails if this thread would wait for itself by waiting for its turn.
    pub(crate) fn check_not_own(&self) -> Result<()> {
        check_not_own(*self.thread())
    }

    /// Fails if a commit has failed.
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

    /// Refuses all writes from now on, for this reason. The first reason is kept.
    pub(crate) fn break_off(&self, cause: &Error) {
        let _ = self.broken.set(cause.clone());
    }

    /// Returns why no write is accepted any more, if that is so.
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
