//! All integration tests, in one binary.

mod stats;
mod tidy;
