//! Group commit: single operations of many threads share one transaction and one sync.
//!
//! The first thread to come leads: it opens a transaction, runs its operation, commits. Whoever
//! comes meanwhile waits in the queue; when the leader is done, the first of them leads next and
//! takes along all who wait by then. There is no timer: a lone writer waits for nobody.
//!
//! Every operation checks before it writes, so one that fails leaves nothing behind for its
//! neighbours. If the storage fails, so does the whole batch, and every caller is told.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::engine::shared::Shared;
use crate::engine::txn::WriteTxn;
use crate::error::{Error, ErrorKind, Result};

/// Most operations in one transaction: enough to spread a sync thin, few enough that the first
/// of them does not wait long for the last.
const BATCH_MAX_COUNT: usize = 256;

type Job = Box<dyn FnOnce(&WriteTxn) + Send>;

/// The queue before the one writer.
#[derive(Default)]
pub(crate) struct CommitQueue {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Job, Arc<Ticket>)>,
    led: bool,
}

/// What a waiting caller is told.
#[derive(Default)]
struct Ticket {
    turn: Mutex<Turn>,
    told: Condvar,
}

#[derive(Default)]
enum Turn {
    #[default]
    Wait,
    Lead,
    Done(Result<()>),
}

impl CommitQueue {
    /// Runs one operation of the store in a transaction that may hold others, and returns when it
    /// is durable.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        shared: &Arc<Shared>,
        operation: impl FnOnce(&WriteTxn) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        // Checked here, because a follower would wait for a leader that waits for this thread.
        shared.check_no_write_here()?;
        let slot = Arc::new(Mutex::new(None));
        let result = Arc::clone(&slot);
        let job: Job = Box::new(move |txn| *lock(&result) = Some(operation(txn)));
        let committed = self.submit(job, |batch| run(shared, batch));
        match lock(&slot).take() {
            Some(Err(own)) => Err(own),
            Some(Ok(value)) => committed.map(|()| value),
            None => Err(committed.err().unwrap_or_else(abandoned)),
        }
    }

    fn submit(&self, job: Job, run: impl FnOnce(Vec<Job>) -> Result<()>) -> Result<()> {
        let ticket = Arc::new(Ticket::default());
        let mut state = lock(&self.state);
        state.waiting.push_back((job, Arc::clone(&ticket)));
        if std::mem::replace(&mut state.led, true) {
            drop(state);
            if let Some(result) = ticket.wait() {
                return result;
            }
            state = lock(&self.state);
        }
        // This thread leads, and its own operation is the first in the queue.
        let count = state.waiting.len().min(BATCH_MAX_COUNT);
        let (jobs, tickets): (Vec<Job>, Vec<Arc<Ticket>>) = state.waiting.drain(..count).unzip();
        drop(state);
        let mut term = Term {
            queue: self,
            tickets,
            outcome: Err(abandoned()),
        };
        term.outcome = run(jobs);
        let outcome = term.outcome.clone();
        drop(term);
        outcome
    }
}

/// The time in which one thread leads. Whatever happens in it, its end tells those who followed,
/// and names the next leader.
struct Term<'a> {
    queue: &'a CommitQueue,
    tickets: Vec<Arc<Ticket>>,
    outcome: Result<()>,
}

impl Drop for Term<'_> {
    fn drop(&mut self) {
        // The next leader first: it can begin while the others wake.
        let mut state = lock(&self.queue.state);
        match state.waiting.front() {
            Some((_, next)) => next.tell(Turn::Lead),
            None => state.led = false,
        }
        drop(state);
        for ticket in &self.tickets {
            ticket.tell(Turn::Done(self.outcome.clone()));
        }
    }
}

impl Ticket {
    fn tell(&self, turn: Turn) {
        *lock(&self.turn) = turn;
        self.told.notify_one();
    }

    /// Waits for the result, or for the word to lead.
    fn wait(&self) -> Option<Result<()>> {
        let mut turn = lock(&self.turn);
        loop {
            match std::mem::take(&mut *turn) {
                Turn::Wait => {}
                Turn::Lead => return None,
                Turn::Done(result) => return Some(result),
            }
            turn = self.told.wait(turn).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Runs the operations of one batch in one transaction, and commits it.
fn run(shared: &Arc<Shared>, batch: Vec<Job>) -> Result<()> {
    let txn = WriteTxn::begin(shared)?;
    for job in batch {
        job(&txn);
        if txn.is_torn() {
            break;
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for CommitQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommitQueue").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn every_operation_runs_once_and_all_share_few_batches() {
        const THREADS: usize = 16;
        const EACH: usize = 200;
        let queue = CommitQueue::default();
        let ran: Vec<AtomicUsize> = (0..THREADS * EACH).map(|_| AtomicUsize::new(0)).collect();
        let ran = Arc::new(ran);
        let batches = AtomicUsize::new(0);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (queue, ran, batches) = (&queue, &ran, &batches);
                scope.spawn(move || {
                    for turn in 0..EACH {
                        let ran = Arc::clone(ran);
                        let number = thread * EACH + turn;
                        let job: Job = Box::new(move |_| {
                            ran[number].fetch_add(1, Ordering::Relaxed);
                        });
                        let result = queue.submit(job, |batch| {
                            batches.fetch_add(1, Ordering::Relaxed);
                            run_without_a_store(batch);
                            Ok(())
                        });
                        assert!(result.is_ok());
                    }
                });
            }
        });
        assert!(ran.iter().all(|count| count.load(Ordering::Relaxed) == 1));
        assert!(batches.load(Ordering::Relaxed) <= THREADS * EACH);
        assert!(!lock(&queue.state).led);
    }

    #[test]
    fn a_leader_that_panics_leaves_nobody_waiting() {
        let queue = CommitQueue::default();
        let panicked = AtomicUsize::new(0);
        thread::scope(|scope| {
            for thread in 0..8 {
                let (queue, panicked) = (&queue, &panicked);
                scope.spawn(move || {
                    for _ in 0..50 {
                        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                            queue.submit(Box::new(|_| ()), |_| {
                                if thread % 2 == 0 {
                                    std::panic::resume_unwind(Box::new("leader"));
                                }
                                Ok(())
                            })
                        }));
                        if result.is_err() {
                            panicked.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert!(panicked.load(Ordering::Relaxed) > 0);
        assert!(!lock(&queue.state).led);
    }

    fn run_without_a_store(batch: Vec<Job>) {
        let db = crate::Db::in_memory().unwrap();
        let txn = db.begin_write().unwrap();
        for job in batch {
            job(&txn);
        }
    }
}
