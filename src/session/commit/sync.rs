//! What the queue is synchronised with. The model checker puts its own in this place.

pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
