//! The queue under threads of the system; `tests/loom.rs` has all interleavings of a few.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::queue::{BATCH_MAX_COUNT, Queue};

/// A caller that comes to an idle queue leads at once, and finds no other job in it.
#[track_caller]
fn assert_idle(queue: &Queue<usize, bool>) {
    assert!(queue.submit(0, false, |batch| batch.len() == 1));
}

#[test]
fn every_job_is_done_once_and_no_batch_is_too_large() {
    const THREADS: usize = 16;
    const EACH: usize = 500;
    let queue = Queue::new();
    let done: Vec<AtomicUsize> = (0..THREADS * EACH).map(|_| AtomicUsize::new(0)).collect();
    let at_once = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (queue, done, at_once) = (&queue, &done, &at_once);
            scope.spawn(move || {
                for turn in 0..EACH {
                    let job = thread * EACH + turn;
                    assert!(queue.submit(job, false, |batch| {
                        assert_eq!(at_once.fetch_add(1, Ordering::SeqCst), 0, "one leader");
                        assert!(batch.len() <= BATCH_MAX_COUNT);
                        for job in batch {
                            done[job].fetch_add(1, Ordering::Relaxed);
                        }
                        at_once.fetch_sub(1, Ordering::SeqCst);
                        true
                    }));
                    assert_eq!(done[job].load(Ordering::Relaxed), 1);
                }
            });
        }
    });
    assert_idle(&queue);
}

#[test]
fn a_leader_that_panics_leaves_nobody_waiting() {
    let queue = Queue::new();
    let panicked = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..8 {
            let (queue, panicked) = (&queue, &panicked);
            scope.spawn(move || {
                for _ in 0..50 {
                    let work = || {
                        queue.submit(thread, false, |_| {
                            if thread % 2 == 0 {
                                std::panic::resume_unwind(Box::new("leader"));
                            }
                            true
                        })
                    };
                    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err() {
                        panicked.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert!(panicked.load(Ordering::Relaxed) > 0);
    assert_idle(&queue);
}
