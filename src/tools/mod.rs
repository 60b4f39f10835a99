//! What an operator asks of a store as a whole.

pub(crate) mod backup;
pub(crate) mod compact;
pub(crate) mod dump;
pub(crate) mod salvage;
mod stats;
