//! The change feed: what changed after a revision, and who waits for more.
//!
//! There is no list of changes. A record says when it was created and last changed, so what changed is found by
//! looking at all of them; only deletions leave a row of their own ([`tombstones`](super::tombstones)). A follower
//! has no queue either: it is woken after a commit, and reads what changed after its position. While somebody follows, the
//! keys of the latest changes are kept in memory, so that not all records need to be looked at after each commit.
//!
//! - [`list`]: what changed after a revision, in order, without its content.
//! - [`follower`]: reads one list after the other, and waits in between.
//! - [`news`]: tells followers that there was a commit.
//! - [`recent`]: the keys of the latest changes.

pub(crate) mod follower;
pub(crate) mod list;
pub(crate) mod news;
pub(crate) mod recent;
