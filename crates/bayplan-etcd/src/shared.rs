//! What all handles of one opened store share: the connection, the keys, the rules.

use std::sync::Arc;
use std::time::Duration;

use bayplan::implementing::{Action, Place, Policy};
use bayplan::{Error, ErrorKind, Result, Revision};
use etcd_client::{GetOptions, GetResponse, Txn, TxnOp};

use crate::connection::Connection;
use crate::draft::{Committed, Draft, Stored, from_revision, values};
use crate::fault::Fault;
use crate::keys::Keys;

/// How often the work of a write is done again because others wrote the same.
const CONFLICTS_MAX_COUNT: u32 = 64;

/// An opened store.
pub(crate) struct Shared {
    pub(crate) connection: Arc<Connection>,
    pub(crate) keys: Keys,
    pub(crate) policy: Policy,
    /// The row `format`, as it was when the store was opened.
    pub(crate) format: Stored,
}

/// Which state to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// The last commit.
    Now,
    /// This revision.
    Revision(Revision),
}

impl At {
    /// Adds the revision to the options of a read.
    pub(crate) fn options(self) -> GetOptions {
        match self {
            Self::Now => GetOptions::new(),
            Self::Revision(revision) => {
                GetOptions::new().with_revision(from_revision(revision.get()))
            }
        }
    }
}

impl Shared {
    /// The same connection, with other keys.
    pub(crate) fn with_keys(&self, keys: Keys) -> Self {
        Self {
            connection: Arc::clone(&self.connection),
            keys,
            policy: self.policy,
            format: self.format.clone(),
        }
    }

    /// Reads keys, all at one revision.
    pub(crate) fn get<const N: usize>(
        &self,
        at: At,
        keys: [&[u8]; N],
    ) -> Result<[Option<Stored>; N], Fault> {
        let mut found = self.get_all(at, keys)?.into_iter();
        Ok(keys.map(|_| found.next().flatten()))
    }

    /// Reads any number of keys that etcd accepts in a transaction, all at one revision.
    pub(crate) fn get_all<'k>(
        &self,
        at: At,
        keys: impl IntoIterator<Item = &'k [u8]>,
    ) -> Result<Vec<Option<Stored>>, Fault> {
        let gets = keys
            .into_iter()
            .map(|key| TxnOp::get(key, Some(at.options())));
        let txn = Txn::new().and_then(gets.collect::<Vec<_>>());
        Ok(values(self.connection.read(&txn)?.op_responses()))
    }

    /// Reads a range, and returns the revision of the state that was read.
    pub(crate) fn range(
        &self,
        start: &[u8],
        options: GetOptions,
    ) -> Result<(GetResponse, Revision), Fault> {
        let txn = Txn::new().and_then([TxnOp::get(start, Some(options))]);
        let answer = self.connection.read(&txn)?;
        let revision = answer
            .header()
            .map_or(0, etcd_client::ResponseHeader::revision);
        let found = answer
            .op_responses()
            .into_iter()
            .find_map(|answer| match answer {
                etcd_client::TxnOpResponse::Get(found) => Some(found),
                _ => None,
            });
        let found = found.ok_or_else(|| Fault::unexpected(self.connection.endpoints()))?;
        Ok((found, crate::draft::to_revision(revision)))
    }

    /// Returns the last revision.
    pub(crate) fn revision(&self) -> Result<Revision> {
        let key = self.keys.format();
        let read = self.range(&key, At::Now.options().with_count_only());
        read.map(|(_, revision)| revision)
            .map_err(|fault| fault.error)
    }

    /// Does the work of one write and commits it; again while others change what it has read. Returns the result with
    /// the revision of the commit.
    pub(crate) fn write<T>(
        &self,
        mut work: impl FnMut(&mut Draft<'_>) -> Result<T>,
    ) -> Result<(T, Revision)> {
        for conflict in 1..=CONFLICTS_MAX_COUNT {
            let fixed = (self.keys.format(), self.format.clone());
            let mut draft = Draft::new(&self.connection, fixed);
            let done = work(&mut draft)?;
            if draft.is_empty() {
                return Ok((done, Revision::NONE));
            }
            match draft.commit()? {
                Committed::At(revision) => return Ok((done, revision)),
                Committed::Conflict => {
                    self.check_format()?;
                    std::thread::sleep(Duration::from_millis(conflict.into()));
                }
            }
        }
        Err(Error::of_kind(
            ErrorKind::FailedPrecondition,
            format!("others changed it during each of {CONFLICTS_MAX_COUNT} attempts"),
        ))
    }

    /// Checks that the store is still the one that was opened.
    pub(crate) fn check_format(&self) -> Result<()> {
        let key = self.keys.format();
        let [found] = self.get(At::Now, [&key]).map_err(|fault| fault.error)?;
        match found.is_some_and(|found| found.revision == self.format.revision) {
            true => Ok(()),
            false => Err(Error::of_kind(
                ErrorKind::Gone,
                format!(
                    "the store was removed from etcd at {}, below {:?}, or replaced by another: open it again",
                    self.connection.endpoints(),
                    self.keys.prefix()
                ),
            )),
        }
    }
}

/// Names the action and the place in an error.
pub(crate) fn told(
    action: Action,
    namespace: &str,
    kind: &str,
    id: Option<&str>,
) -> impl Fn(Error) -> Error + use<> {
    let namespace = namespace.to_owned();
    let kind = (kind != crate::keys::CONTAINERS).then(|| kind.to_owned());
    let id = id.map(str::to_owned);
    move |error| {
        let place = Place {
            namespace: Some(&namespace),
            record_kind: kind.as_deref(),
            id: id.as_deref(),
        };
        error.in_action(action, place)
    }
}
