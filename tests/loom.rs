//! The queue of the group commit, in every interleaving of a few threads that call it at once.
//!
//! The queue's own source is compiled here against the model checker's locks.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that cannot go on fails"
)]

#[path = "../src/session/commit/queue.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the tests beside the queue use the rest"
)]
mod queue;

mod sync {
    pub(crate) use std::sync::PoisonError;

    pub(crate) use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
}

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use queue::Queue;

/// How often a thread is interrupted where it does not wait: bugs that need more are rare, and the
/// number of interleavings explodes.
const PREEMPTIONS: usize = 3;

fn model(check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.check(check);
}

/// What one caller sees: the order in which its job was done is its batch's.
fn submit(queue: &Queue<usize, usize>, done: &[AtomicUsize], leaders: &AtomicUsize, job: usize) {
    let outcome = queue.submit(job, 0, |batch| {
        assert_eq!(
            leaders.fetch_add(1, Ordering::SeqCst),
            0,
            "two lead at once"
        );
        assert_eq!(
            batch.first(),
            Some(&job),
            "the leader's own job comes first"
        );
        for job in &batch {
            done[*job].fetch_add(1, Ordering::SeqCst);
        }
        leaders.fetch_sub(1, Ordering::SeqCst);
        batch.len()
    });
    assert!(outcome > 0, "the batch was abandoned");
    assert_eq!(
        done[job].load(Ordering::SeqCst),
        1,
        "acknowledged, and done once"
    );
}

fn everybody_is_served(threads: usize, each: usize) {
    model(move || {
        let queue = Arc::new(Queue::new());
        let jobs = threads * each;
        let done: Arc<Vec<AtomicUsize>> =
            Arc::new((0..jobs).map(|_| AtomicUsize::new(0)).collect());
        let leaders = Arc::new(AtomicUsize::new(0));
        let work = move |thread: usize| {
            let (queue, done, leaders) =
                (Arc::clone(&queue), Arc::clone(&done), Arc::clone(&leaders));
            move || (0..each).for_each(|turn| submit(&queue, &done, &leaders, thread * each + turn))
        };
        let others: Vec<_> = (1..threads)
            .map(|thread| thread::spawn(work(thread)))
            .collect();
        work(0)();
        for other in others {
            other.join().unwrap();
        }
    });
}

#[test]
fn three_callers_are_each_served_once_in_any_interleaving() {
    everybody_is_served(3, 1);
}

#[test]
fn two_callers_who_come_back_are_each_served_once_in_any_interleaving() {
    everybody_is_served(2, 2);
}
