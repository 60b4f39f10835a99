//! The queue before one worker: a leader does the work of all who wait, then hands over the lead.
//!
//! It knows nothing of stores. `tests/loom.rs` runs it through every interleaving of a few threads.

use std::collections::VecDeque;

use super::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Most jobs in one batch: enough to spread a sync thin, few enough that the first of them does not
/// wait long for the last.
pub(crate) const BATCH_MAX_COUNT: usize = 256;

/// Jobs that wait to be done in batches, each batch with one outcome for all.
pub(crate) struct Queue<Job, Outcome> {
    state: Mutex<State<Job, Outcome>>,
}

struct State<Job, Outcome> {
    waiting: VecDeque<(Job, Arc<Ticket<Outcome>>)>,
    /// Whether a thread leads. If none leads, none waits.
    led: bool,
}

/// What a waiting caller receives.
struct Ticket<Outcome> {
    turn: Mutex<Turn<Outcome>>,
    told: Condvar,
}

enum Turn<Outcome> {
    Wait,
    Lead,
    Done(Outcome),
}

impl<Job, Outcome: Clone> Queue<Job, Outcome> {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                led: false,
            }),
        }
    }

    /// Has the job done, by this thread or another, and returns the outcome of its batch. If this thread leads, `work`
    /// does the whole batch. If `work` panics, the others get `abandoned`.
    pub(crate) fn submit(
        &self,
        job: Job,
        abandoned: Outcome,
        work: impl FnOnce(Vec<Job>) -> Outcome,
    ) -> Outcome {
        let ticket = Arc::new(Ticket {
            turn: Mutex::new(Turn::Wait),
            told: Condvar::new(),
        });
        let mut state = lock(&self.state);
        state.waiting.push_back((job, Arc::clone(&ticket)));
        if std::mem::replace(&mut state.led, true) {
            drop(state);
            if let Some(outcome) = ticket.wait() {
                return outcome;
            }
            state = lock(&self.state);
        }
        // This thread leads, and its own job is the first in the queue.
        let count = state.waiting.len().min(BATCH_MAX_COUNT);
        let (jobs, tickets): (Vec<_>, Vec<_>) = state.waiting.drain(..count).unzip();
        drop(state);
        let mut leadership = Leadership {
            queue: self,
            tickets,
            outcome: abandoned,
        };
        leadership.outcome = work(jobs);
        leadership.outcome.clone()
    }
}

/// The time in which one thread leads. However it ends, its end names the next leader and gives the outcome to those
/// who followed.
struct Leadership<'a, Job, Outcome: Clone> {
    queue: &'a Queue<Job, Outcome>,
    tickets: Vec<Arc<Ticket<Outcome>>>,
    outcome: Outcome,
}

impl<Job, Outcome: Clone> Drop for Leadership<'_, Job, Outcome> {
    fn drop(&mut self) {
        // The next leader first: it can begin while the others wake.
        let mut state = lock(&self.queue.state);
        match state.waiting.front() {
            Some((_, next)) => next.tell(Turn::Lead),
            None => state.led = false,
        }
        drop(state);
        // The first ticket is the leader's own.
        for ticket in self.tickets.iter().skip(1) {
            ticket.tell(Turn::Done(self.outcome.clone()));
        }
    }
}

impl<Outcome> Ticket<Outcome> {
    fn tell(&self, turn: Turn<Outcome>) {
        *lock(&self.turn) = turn;
        self.told.notify_one();
    }

    /// Waits for the outcome, or for the lead.
    fn wait(&self) -> Option<Outcome> {
        let mut turn = lock(&self.turn);
        loop {
            match std::mem::replace(&mut *turn, Turn::Wait) {
                Turn::Wait => {}
                Turn::Lead => return None,
                Turn::Done(outcome) => return Some(outcome),
            }
            turn = self.told.wait(turn).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
