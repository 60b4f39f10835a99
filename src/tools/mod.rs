//! What an operator asks of a store as a whole.

mod stats;
