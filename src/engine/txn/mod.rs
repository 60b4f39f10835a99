//! Transactions: many operations over any namespaces, all of them or none.

mod operations;
mod read;
mod write;

pub use read::ReadTxn;
pub use write::WriteTxn;

pub(crate) use operations::{Times, Updatable};

use crate::error::Result;
use crate::query::Damaged;

/// Records one after the other; see [`Items`](crate::query::Items).
pub(crate) type Traversed<'a, T> = Box<dyn Iterator<Item = Result<Result<T, Damaged>>> + 'a>;
