//! The synchronisation primitives of the queue. The model checker replaces them with its own.

pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
