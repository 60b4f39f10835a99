//! Stores that several processes have open.

mod modes;
