//! A write transaction: what it has read, what it writes, and one commit.
//!
//! Reads are remembered with their revisions. The commit is one transaction of etcd that compares them all: if any key
//! has changed since it was read, nothing is written, and the work is done again on what is stored now. So a commit is
//! serializable, and it holds no lock while the caller thinks.
//!
//! A commit whose answer is lost is sent again, as it is. It compares the same revisions and writes the same marks, so
//! it takes effect once at most. If a comparison then fails, the marks tell whether the first one succeeded.

use std::collections::BTreeMap;

use bayplan::{Error, ErrorKind, Result, Revision};
use etcd_client::{Compare, CompareOp, DeleteOptions, KeyValue, Txn, TxnOp, TxnOpResponse};

use crate::connection::{Connection, repeated};
use crate::fault::{Fault, Outcome};
use crate::keys::KeyRange;

/// A value and its revision.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) value: Vec<u8>,
    /// [`Revision::NONE`] if it is written by this draft.
    pub(crate) revision: Revision,
}

impl Stored {
    pub(crate) fn of(pair: &KeyValue) -> Self {
        Self {
            value: pair.value().to_vec(),
            revision: to_revision(pair.mod_revision()),
        }
    }
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Committed {
    /// Everything was written, at this revision.
    At(Revision),
    /// Something has changed since it was read; nothing was written.
    Conflict,
}

/// What is written under a key.
#[derive(Clone, Debug)]
enum Write {
    /// A value with the mark of this draft, which no other draft has written.
    Marked(Vec<u8>),
    /// A value that others may have written as well.
    Plain(Vec<u8>),
    /// Nothing: the key is deleted.
    Nothing,
}

impl Write {
    fn value(&self) -> Option<&Vec<u8>> {
        match self {
            Self::Marked(value) | Self::Plain(value) => Some(value),
            Self::Nothing => None,
        }
    }
}

/// A write transaction before its commit.
pub(crate) struct Draft<'c> {
    connection: &'c Connection,
    /// What was read, and must not change until the commit.
    seen: BTreeMap<Vec<u8>, Option<Stored>>,
    writes: BTreeMap<Vec<u8>, Write>,
    /// Ranges that must be empty.
    empty: Vec<KeyRange>,
    /// Tells this draft's values from all others.
    mark: u64,
}

impl<'c> Draft<'c> {
    /// Begins a transaction that writes only if this key still has this revision.
    pub(crate) fn new(connection: &'c Connection, fixed: (Vec<u8>, Stored)) -> Self {
        let mut draft = Self::bare(connection);
        draft.expect(fixed.0, Some(fixed.1));
        draft
    }

    /// Begins a transaction.
    pub(crate) fn bare(connection: &'c Connection) -> Self {
        Self {
            connection,
            seen: BTreeMap::new(),
            writes: BTreeMap::new(),
            empty: Vec::new(),
            mark: uuid::Uuid::new_v4().as_u64_pair().1,
        }
    }

    /// Commits only if a key still has the revision that was read, or is still absent.
    pub(crate) fn expect(&mut self, key: Vec<u8>, stored: Option<Stored>) {
        self.seen.insert(key, stored);
    }

    /// The number that the values of this draft are sealed with.
    pub(crate) fn mark(&self) -> u64 {
        self.mark
    }

    /// Reads keys, at one revision, as they will be when this is committed.
    pub(crate) fn read<const N: usize>(&mut self, keys: [&[u8]; N]) -> Result<[Option<Stored>; N]> {
        let unknown: Vec<&[u8]> = keys
            .into_iter()
            .filter(|key| !self.seen.contains_key(*key) && !self.writes.contains_key(*key))
            .collect();
        if !unknown.is_empty() {
            let gets: Vec<TxnOp> = unknown.iter().map(|key| TxnOp::get(*key, None)).collect();
            let answer = self.connection.read(&Txn::new().and_then(gets));
            let answer = answer.map_err(|fault| fault.error)?;
            for (key, found) in unknown.into_iter().zip(values(answer.op_responses())) {
                self.seen.insert(key.to_vec(), found);
            }
        }
        Ok(keys.map(|key| match self.writes.get(key) {
            Some(written) => written.value().map(|value| Stored {
                value: value.clone(),
                revision: Revision::NONE,
            }),
            None => self.seen.get(key).cloned().flatten(),
        }))
    }

    /// Writes a value when this is committed. It must have the [`mark`](Draft::mark), or be unique otherwise.
    pub(crate) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.writes.insert(key, Write::Marked(value));
    }

    /// Writes a value that need not be unique.
    pub(crate) fn put_plain(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.writes.insert(key, Write::Plain(value));
    }

    /// Deletes a value when this is committed.
    pub(crate) fn delete(&mut self, key: Vec<u8>) {
        self.writes.insert(key, Write::Nothing);
    }

    /// Commits only if a range is empty.
    pub(crate) fn demand_empty(&mut self, range: KeyRange) {
        self.empty.push(range);
    }

    /// Whether it would write nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    fn request(&self) -> Txn {
        let same = self.seen.iter().map(|(key, stored)| {
            let revision = stored.as_ref().map_or(0, |stored| stored.revision.get());
            Compare::mod_revision(key.as_slice(), CompareOp::Equal, from_revision(revision))
        });
        let empty = self.empty.iter().map(|(start, end)| {
            Compare::create_revision(start.as_slice(), CompareOp::Equal, 0)
                .with_range(end.as_slice())
        });
        let writes = self.writes.iter().map(|(key, write)| match write.value() {
            Some(value) => TxnOp::put(key.as_slice(), value.as_slice(), None),
            None => TxnOp::delete(key.as_slice(), None::<DeleteOptions>),
        });
        Txn::new()
            .when(same.chain(empty).collect::<Vec<_>>())
            .and_then(writes.collect::<Vec<_>>())
    }

    /// Commits.
    ///
    /// # Errors
    ///
    /// [`CommitUncertain`](ErrorKind::CommitUncertain) if it is not known whether everything or nothing was written;
    /// after any other error, nothing was.
    pub(crate) fn commit(&self) -> Result<Committed> {
        let request = self.request();
        let mut may_be_done = false;
        let sent = repeated(self.connection.attempts(), || {
            let answer = self.connection.txn(request.clone());
            if let Err(fault) = &answer {
                may_be_done |= fault.outcome == Outcome::Unknown;
            }
            answer
        });
        match sent {
            Ok(answer) if answer.succeeded() => {
                let revision = answer
                    .header()
                    .map_or(0, etcd_client::ResponseHeader::revision);
                Ok(Committed::At(to_revision(revision)))
            }
            Ok(_) if may_be_done => self.look(),
            Ok(_) => Ok(Committed::Conflict),
            Err(fault) if may_be_done => Err(uncertain(fault)),
            Err(fault) => Err(fault.error),
        }
    }

    /// Finds out whether an earlier attempt was the one that changed what was compared.
    fn look(&self) -> Result<Committed> {
        let unknown = || {
            Error::of_kind(
                ErrorKind::CommitUncertain,
                "etcd's answer was lost, and what it would have written has changed since: read it again",
            )
        };
        let gets = self
            .writes
            .keys()
            .map(|key| TxnOp::get(key.as_slice(), None));
        let txn = Txn::new().and_then(gets.collect::<Vec<_>>());
        let answer = self.connection.read(&txn).map_err(uncertain)?;
        let found = values(answer.op_responses());
        let mut marked = self
            .writes
            .values()
            .zip(&found)
            .filter_map(|pair| match pair {
                (Write::Marked(written), found) => Some((written, found)),
                _ => None,
            });
        // All of it was written, or nothing: one value that is ours tells.
        let is_marked = self
            .writes
            .values()
            .any(|write| matches!(write, Write::Marked(_)));
        let ours = marked
            .find_map(|(written, found)| found.as_ref().filter(|found| found.value == *written));
        match ours {
            Some(found) => Ok(Committed::At(found.revision)),
            // Only deletions, and all of it is gone.
            None if !is_marked && found.iter().all(Option::is_none) => {
                let revision = answer
                    .header()
                    .map_or(0, etcd_client::ResponseHeader::revision);
                Ok(Committed::At(to_revision(revision)))
            }
            None => Err(unknown()),
        }
    }
}

fn uncertain(fault: Fault) -> Error {
    Error::of_kind(
        ErrorKind::CommitUncertain,
        "etcd's answer was lost: everything or nothing was written",
    )
    .caused_by(fault.error)
}

/// Returns what a transaction of single reads found.
pub(crate) fn values(answers: Vec<TxnOpResponse>) -> Vec<Option<Stored>> {
    let found = |answer| match answer {
        TxnOpResponse::Get(found) => found.kvs().first().map(Stored::of),
        _ => None,
    };
    answers.into_iter().map(found).collect()
}

/// etcd's revisions are positive; those of the library have no sign.
pub(crate) fn to_revision(revision: i64) -> Revision {
    Revision::new(u64::try_from(revision).unwrap_or_default())
}

/// A revision that etcd cannot have is the highest one, which nothing has.
pub(crate) fn from_revision(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}
