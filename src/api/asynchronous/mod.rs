//! The operations for tokio: each runs on a thread for blocking work.

mod collection;
mod db;
mod items;
mod job;
mod query;
mod subscription;

pub use self::collection::{AsyncCollection, AsyncNamespace, AsyncRecords};
pub use self::db::{AsyncDb, AsyncSnapshot};
pub use self::items::AsyncItems;
pub use self::query::AsyncQuery;
pub use self::subscription::AsyncSubscription;
