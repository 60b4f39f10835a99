//! The change feed: what has changed since a position, and how followers wait for more.
//!
//! There is no list of changes. A record says when it was created and last changed, so changes are found by looking at
//! all records; only deletions leave a row of their own ([`tombstones`](super::tombstones)). A follower has no queue
//! either: it is woken after a commit, and reads what has changed after its position. While there are followers, the
//! keys of the latest changes are kept in memory, so that not all records need to be looked at after each commit.
//!
//! - [`list`]: the changes after a revision, in order, without their content.
//! - [`follower`]: reads one list after the other, and waits in between.
//! - [`news`]: notifies followers of commits.
//! - [`recent`]: the keys of the latest changes.

pub(crate) mod follower;
pub(crate) mod list;
pub(crate) mod news;
pub(crate) mod recent;
