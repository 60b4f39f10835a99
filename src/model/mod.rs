//! What the store keeps.

pub(crate) mod record;
