//! Group commit: single operations of many threads share one transaction and one sync.
//!
//! The first thread to come leads: it opens a transaction, runs its operation, and commits. Threads that come meanwhile
//! wait in the queue. When the leader is done, the first of them leads next, and does the work of all that wait by
//! then. There is no timer: a lone writer does not wait.
//!
//! Every operation checks before it writes, so a failed operation leaves nothing behind for the others in its batch. If
//! the storage fails, the whole batch fails, and every caller gets the error. So does a caller that was refused because
//! of another operation in the batch, since that operation is not stored.

use std::fmt;

use crate::model::error::{Error, ErrorKind, Result};
use crate::session::process::Own;
use crate::session::shared::Shared;
use crate::session::txn::WriteTxn;

mod queue;
mod sync;
#[cfg(test)]
mod tests;

use queue::Queue;
use sync::{Arc, Mutex, PoisonError};

type Job = Box<dyn FnOnce(&WriteTxn) + Send>;

/// The queue before the writer.
pub(crate) struct CommitQueue {
    queue: Queue<Job, Result<()>>,
}

impl CommitQueue {
    pub(crate) fn new() -> Self {
        Self {
            queue: Queue::new(),
        }
    }

    /// Runs one operation of the store in a transaction that may include other operations, and returns when it is
    /// durable.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        shared: &Arc<Own<Shared>>,
        operation: impl FnOnce(&WriteTxn) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        // Checked here, because a follower would wait for a leader that waits for this thread.
        shared.check_no_write_here()?;
        let slot = Arc::new(Mutex::new(None));
        let result = Arc::clone(&slot);
        let job: Job = Box::new(move |txn| {
            let done = operation(txn);
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
        });
        let committed = self
            .queue
            .submit(job, Err(abandoned()), |batch| run(shared, batch));
        match slot.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(Err(own)) if own.is_about_what_is_stored() => committed.and(Err(own)),
            Some(Err(own)) => Err(own),
            Some(Ok(value)) => committed.map(|()| value),
            None => Err(committed.err().unwrap_or_else(abandoned)),
        }
    }
}

/// Runs the operations of one batch in one transaction, and commits it.
fn run(shared: &Arc<Own<Shared>>, batch: Vec<Job>) -> Result<()> {
    let txn = WriteTxn::begin(shared)?;
    for job in batch {
        job(&txn);
        if let Some(cause) = txn.torn() {
            if let Err(error) = txn.abort() {
                tracing::warn!(%error, "rolling back failed");
            }
            let what = "another operation of the same commit failed: nothing of this one is stored";
            return Err(Error::new(cause.kind(), what).caused_by(cause));
        }
    }
    txn.commit()
}

fn abandoned() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the operation was given up: nothing of it was stored",
    )
}

impl fmt::Debug for CommitQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommitQueue").finish_non_exhaustive()
    }
}
