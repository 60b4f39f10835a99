//! Stores that several processes have open.

mod laws;
mod modes;
mod processes;
