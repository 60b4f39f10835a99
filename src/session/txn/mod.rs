//! Transactions: many operations over any namespaces, done completely or not at all.

mod operations;
mod read;
mod write;

pub use read::ReadTxn;
pub use write::WriteTxn;

pub(crate) use operations::{Times, Updatable};
