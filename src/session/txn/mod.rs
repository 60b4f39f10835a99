//! Transactions: many operations over any namespaces, all of them or none.

mod operations;
mod read;
mod write;

pub use read::ReadTxn;
pub use write::WriteTxn;

pub(crate) use operations::{Times, Updatable};
