//! The revision: a number that only grows, one for each change of the store.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Identifies one state of one container or record in a store.
///
/// Each successful create or update gives the container a revision higher than every earlier revision of the store, in
/// any namespace, even across crashes and reopenings. A deletion, and each change of a namespace, also takes a
/// revision; see [`Db::changes_since`](crate::Db::changes_since). Revisions have gaps: compare them, never count with
/// them.
///
/// A container that was not read from a store has [`Revision::NONE`].
///
/// # Examples
///
/// ```
/// use bayplan::{Any, Container, Db, Revision, Runtime, Store};
///
/// # fn main() -> bayplan::Result<()> {
/// let db = Db::in_memory()?;
/// let store = db.namespace("default")?;
/// let runtime = Runtime::new("io.containerd.runc.v2");
/// let web = store.create(Container::new("web", runtime, Any::new("spec", b"{}")))?;
/// assert!(web.revision > Revision::NONE);
/// # Ok(())
/// # }
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Revision(u64);

impl Revision {
    /// The revision of something that was never stored. Lower than any other.
    pub const NONE: Revision = Revision(0);

    /// Creates the revision with this number, as returned by [`Revision::get`].
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number, to keep it outside of the store.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
