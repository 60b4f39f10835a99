//! Transactions: many operations over any namespaces, all of them or none.

mod listing;
mod read;
mod write;

pub use read::{Containers, ReadNamespace, ReadTxn};
pub use write::{WriteNamespace, WriteTxn};
