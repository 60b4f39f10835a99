//! Whose copy a host has: the row that a mirror begins with, and why it may have lost it.

use std::fmt;

use bayplan::{Error, ErrorKind, Result};
use chrono::Utc;

use crate::draft::{Committed, Draft, Stored};
use crate::fleet::copy::{Fleet, in_host};
use crate::fleet::row::Row;
use crate::shared::At;

/// The cause of the error of [`Mirror::open`](crate::Mirror::open) if the copy of the host is of another store.
///
/// # Examples
///
/// ```
/// use std::error::Error;
/// use bayplan_etcd::AnotherStore;
///
/// fn is_host_taken(error: &bayplan::Error) -> bool {
///     error.source().is_some_and(|cause| cause.is::<AnotherStore>())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnotherStore {
    /// The id of the store whose copy is in etcd.
    pub copied_id: String,
    /// The id of the store that was to be mirrored.
    pub store_id: String,
}

impl fmt::Display for AnotherStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            copied_id,
            store_id,
        } = self;
        write!(
            f,
            "it is of the store {copied_id}, and this one is {store_id}"
        )
    }
}

impl std::error::Error for AnotherStore {}

/// What a mirror copies.
pub(crate) struct Claim {
    pub(crate) store_id: String,
    pub(crate) has_specs: bool,
    /// Whether the copy is made anew, also that of another store, or one that does not say of which.
    pub(crate) may_replace: bool,
}

impl Claim {
    /// Takes the copy of a host. From now on, no other mirror writes it.
    pub(crate) fn take(self, fleet: &Fleet, host: &str) -> Result<(Row, Stored)> {
        let key = fleet.row_key(host);
        let [stored] = fleet
            .shared
            .get(At::Now, [&key])
            .map_err(|fault| fault.error)?;
        let before = stored.as_ref().map(|stored| Row::open(&key, &stored.value));
        let before = match before.transpose() {
            Err(_) if self.may_replace => None,
            before => before.map_err(in_host(host))?,
        };
        if let Some(before) = &before {
            self.check(before, host)?;
        }
        // A copy with other parts is made anew.
        let position = before
            .filter(|row| row.has_specs == self.has_specs && !self.may_replace)
            .and_then(|row| row.position);
        let row = Row {
            store: self.store_id,
            position,
            has_specs: self.has_specs,
            written_at: Utc::now(),
            has_ended: false,
            mirror: uuid::Uuid::new_v4().to_string(),
        };
        let value = row.seal(&key)?;
        let mut draft = Draft::bare(&fleet.shared.connection);
        draft.expect(key.clone(), stored);
        draft.put(key, value.clone());
        match draft.commit()? {
            Committed::At(revision) => Ok((row, Stored { value, revision })),
            Committed::Conflict => Err(Error::of_kind(
                ErrorKind::FailedPrecondition,
                format!("another mirror of the host {host:?} wrote at the same time"),
            )),
        }
    }

    fn check(&self, before: &Row, host: &str) -> Result<()> {
        if self.may_replace || before.store == self.store_id {
            return Ok(());
        }
        let cause = AnotherStore {
            copied_id: before.store.clone(),
            store_id: self.store_id.clone(),
        };
        let message = format!("the host {host:?} has the copy of another store");
        Err(Error::of_kind(ErrorKind::FailedPrecondition, message).caused_by(cause))
    }
}

/// Why a mirror that wrote this row may write no more.
pub(crate) fn lost(fleet: &Fleet, host: &str, ours: &Row) -> Error {
    let key = fleet.row_key(host);
    let why = match fleet.shared.get(At::Now, [&key]) {
        Ok([None]) => "its copy was removed from etcd".to_owned(),
        Ok([Some(stored)]) => match Row::open(&key, &stored.value) {
            Ok(row) if row.store != ours.store => {
                let (theirs, ours) = (row.store, &ours.store);
                format!("its copy is now of the store {theirs}, and this one is {ours}")
            }
            Ok(row) if row.mirror != ours.mirror => {
                "another mirror of the same store has taken over".to_owned()
            }
            _ => "something else has changed what is known about the host".to_owned(),
        },
        Err(_) => "another mirror has taken over, or its copy was removed".to_owned(),
    };
    Error::of_kind(
        ErrorKind::FailedPrecondition,
        format!("this mirror of the host {host:?} has ended: {why}"),
    )
}
