//! The change feed: what changed after a position, and a subscription that goes on live.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use crate::api::collection::Element;
use crate::api::db::Db;
use crate::api::selection::{Detail, Found};
use crate::model::container::Container;
use crate::model::error::{Error, Operation, Result};
use crate::model::identifier::NamespaceName;
use crate::model::kind::{Kind, RecordId};
use crate::model::labels::Labels;
use crate::model::position::{Origin, Position};
use crate::model::record::Record;
use crate::model::revision::Revision;
use crate::query::{Moment, Shape, WithHead};
use crate::session::feed::follower::{Follower, Until};
use crate::session::feed::list::{Entry, Known, LIST_MAX_COUNT, List, What};
use crate::session::txn::ReadTxn;

/// One change of a store; see [`Db::changes_since`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Change {
    /// From where to go on when it is processed.
    pub position: Position,
    /// The revision of the change.
    ///
    /// What is stored may have a higher revision: it has changed again meanwhile, which another change may tell.
    pub revision: Revision,
    /// The namespace that changed, or in which something changed.
    pub namespace: NamespaceName,
    /// What changed.
    pub subject: Subject,
}

/// What changed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Subject {
    /// The namespace itself, with its labels.
    Namespace(Event<Labels>),
    /// A container.
    Container {
        /// Its id.
        id: String,
        /// What happened to it.
        event: Event<Found<Container>>,
    },
    /// A record of another kind.
    Record {
        /// Its kind, such as `images`.
        kind: String,
        /// Its id.
        id: String,
        /// What happened to it.
        event: Event<Found<Record>>,
    },
}

/// What happened, with what is stored now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<T> {
    /// It came into being after the position that was asked for. It may have been updated since.
    Created(T),
    /// It existed, and was updated, once or more.
    Updated(T),
    /// It was deleted. It may have been created again since, which another change tells.
    Deleted,
}

impl<T> Event<T> {
    /// What is stored, unless it was deleted.
    pub fn into_item(self) -> Option<T> {
        match self {
            Self::Created(item) | Self::Updated(item) => Some(item),
            Self::Deleted => None,
        }
    }

    /// What is stored, unless it was deleted.
    pub fn item(&self) -> Option<&T> {
        match self {
            Self::Created(item) | Self::Updated(item) => Some(item),
            Self::Deleted => None,
        }
    }
}

impl ReadTxn {
    /// What this snapshot has that a follower at a position does not know, in the order of revisions; see
    /// [`Db::changes_since`].
    ///
    /// # Errors
    ///
    /// As [`Db::changes_since`].
    pub fn changes_since(&self, position: impl Into<Position>, detail: Detail) -> Result<Changes> {
        let position = position.into();
        let mut changes = Changes {
            txn: self.clone(),
            detail,
            known: Known::since(position),
            entries: VecDeque::new(),
            origin: Origin::of(position, self.shared().history),
            end: position.revision(),
            has_more: true,
        };
        changes.refill().map_err(|error| changes.error(error))?;
        Ok(changes)
    }
}

impl Db {
    /// What changed since a position, in the order of revisions, from one snapshot.
    ///
    /// Containers, records of all kinds and namespaces that changed are told once each, with what is stored now, as
    /// much of it as `detail` says. What came into being after the position is [`Created`](Event::Created), at its
    /// place in the order even if it was updated later; everything else that changed is [`Updated`](Event::Updated).
    /// Deletions have revisions of their own. One of something that was created again is told, as well as the
    /// creation.
    ///
    /// From [`Position::START`] on everything that is stored is told, and no deletion. To follow a store, begin there,
    /// and keep the [`Position`] of the last change that was processed. It stays valid when the store is closed, crashes,
    /// or is compacted, for as many deletions as are remembered. It is not valid in a file that was made by
    /// [`backup`](Db::backup), [`restore`](crate::Maintenance::restore), [`load`](crate::Maintenance::load) or
    /// [`salvage`](crate::Maintenance::salvage), which hands out revisions of its own.
    ///
    /// All records are looked at, in memory if they are kept there. Only the names of some 16,000 changes are held at
    /// a time; what they have changed to is read when it is asked for.
    ///
    /// # Errors
    ///
    /// - [`Lagged`](crate::ErrorKind::Lagged): deletions after the position may be forgotten
    ///   ([`Builder::tombstones_max_count`](crate::Builder::tombstones_max_count)), or it is none of this store. Forget
    ///   what is known and begin with [`Position::START`]; or list everything and go on from [`Error::follow_from`].
    /// - [`Corrupt`](crate::ErrorKind::Corrupt), naming the container or record: it is damaged, and nobody can say
    ///   whether it changed. The changes end there. Delete it to go on.
    /// - [`Io`](crate::ErrorKind::Io).
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{Any, Container, Db, Detail, Event, Position, Runtime, Subject};
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// let db = Db::in_memory()?;
    /// let store = db.namespace("k8s.io")?;
    /// store.create(Container::new("web", Runtime::new("runc"), Any::new("spec", b"{}")))?;
    ///
    /// let mut position = Position::START;
    /// for change in db.changes_since(position, Detail::Whole)? {
    ///     position = change?.position;
    /// }
    /// store.delete("web")?;
    /// let last = db.changes_since(position, Detail::Whole)?.next().unwrap()?;
    /// assert!(matches!(last.subject, Subject::Container { event: Event::Deleted, .. }));
    /// # Ok(())
    /// # }
    /// ```
    pub fn changes_since(&self, position: impl Into<Position>, detail: Detail) -> Result<Changes> {
        self.read()?.changes_since(position, detail)
    }

    /// Follows the store: what changed since a position, as [`Db::changes_since`] tells it, and then each commit as
    /// it happens; see [`Subscription`].
    ///
    /// # Errors
    ///
    /// As [`Db::changes_since`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use bayplan::{Any, Container, Db, Detail, Event, Position, Runtime, Subject};
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// let db = Db::in_memory()?;
    /// let mut subscription = db.subscribe(Position::START, Detail::Id)?;
    /// assert!(subscription.try_recv()?.is_none());
    ///
    /// let spec = Any::new("spec", b"{}");
    /// db.namespace("k8s.io")?.create(Container::new("web", Runtime::new("runc"), spec))?;
    /// let namespace = subscription.recv()?;
    /// assert!(matches!(namespace.subject, Subject::Namespace(Event::Created(_))));
    /// let web = subscription.recv_timeout(Duration::from_secs(1))?.unwrap();
    /// assert!(matches!(web.subject, Subject::Container { id, event: Event::Created(_) } if id == "web"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn subscribe(&self, from: impl Into<Position>, detail: Detail) -> Result<Subscription> {
        let shared = self.shared();
        let follower = Follower::new(shared, from.into())
            .map_err(|error| error.during(Operation::Follow).at(shared.path()))?;
        Ok(Subscription {
            follower,
            detail,
            has_failed: false,
        })
    }
}

/// The changes after a position; see [`Db::changes_since`]. It holds its snapshot while it lives, as a
/// [`ReadTxn`] does.
#[must_use = "changes are read when they are asked for"]
pub struct Changes {
    txn: ReadTxn,
    detail: Detail,
    known: Known,
    entries: VecDeque<Entry>,
    /// What the positions of the entries have in common.
    origin: Origin,
    /// Up to which revision everything is known when all entries are told.
    end: Revision,
    has_more: bool,
}

impl Changes {
    /// From where to go on, once what was told so far is processed. After the last change that is where the
    /// snapshot ends, which saves telling again what is known.
    #[must_use]
    pub fn position(&self) -> Position {
        self.origin
            .at(match self.entries.is_empty() && !self.has_more {
                true => self.end,
                false => self.known.done,
            })
    }

    fn refill(&mut self) -> Result<()> {
        let list = List::of(&self.txn, self.known, LIST_MAX_COUNT)?;
        self.entries = list.entries;
        (self.origin, self.end) = (list.origin, list.end);
        self.has_more = list.is_cut;
        self.txn.shared().make_durable()
    }

    fn advance(&mut self) -> Result<Option<Change>> {
        loop {
            if let Some(entry) = self.entries.pop_front() {
                let position = self.origin.at(entry.revision);
                let change = read(&self.txn, &self.detail, &entry, position)?;
                self.known.done = entry.revision;
                if change.is_some() {
                    return Ok(change);
                }
            } else if self.has_more {
                self.refill()?;
            } else {
                return Ok(None);
            }
        }
    }

    fn error(&self, error: Error) -> Error {
        error.within(Operation::Follow).at(self.txn.shared().path())
    }
}

impl Iterator for Changes {
    type Item = Result<Change>;

    fn next(&mut self) -> Option<Result<Change>> {
        let next = self.advance().map_err(|error| self.error(error));
        if next.is_err() {
            self.entries.clear();
            self.end = self.known.done;
            self.has_more = false;
        }
        next.transpose()
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes")
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}

/// Follows a store; see [`Db::subscribe`].
///
/// It tells each change once, in the order of revisions, when it is durable. Changes of one container that
/// happen while it does not look are told as one. It has no queue: after a commit it reads what has changed after its
/// position. So it takes no memory while it waits, costs the writers nothing but a wake-up, and can fall behind only
/// if deletions are forgotten that it has not told; then it is [`Lagged`](crate::ErrorKind::Lagged). It holds no
/// snapshot between two calls.
///
/// It is no handle: it does not keep the store open. When that is closed, what it had read is told, some 64 changes
/// at most, and then every call is [`Unavailable`](crate::ErrorKind::Unavailable). After a commit has failed, everything
/// that was committed is told before.
///
/// A store that other processes write ([`Share`](crate::Share)) is looked at every
/// [`Builder::poll_interval`](crate::Builder::poll_interval), and synced before their changes are told. All its records
/// are looked at after a commit: if that takes long, it is done less often, so that it takes at most a fifth of the time.
///
/// As an iterator, it waits for each change, and ends after the first error.
///
/// # Errors
///
/// Those of [`Db::changes_since`], `Unavailable` as described, and [`Forked`](crate::ErrorKind::Forked). The change
/// at which reading failed is not lost: the next call tries again.
pub struct Subscription {
    follower: Follower<Change>,
    detail: Detail,
    has_failed: bool,
}

impl Subscription {
    /// Waits for the next change.
    ///
    /// # Errors
    ///
    /// See [`Subscription`].
    pub fn recv(&mut self) -> Result<Change> {
        loop {
            if let Some(change) = self.next_until(Until::Forever)? {
                return Ok(change);
            }
        }
    }

    /// Waits for the next change; `None` if there is none in this time.
    ///
    /// # Errors
    ///
    /// See [`Subscription`].
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<Change>> {
        self.next_until(Until::after(timeout))
    }

    /// The next change, if there is one already.
    ///
    /// # Errors
    ///
    /// See [`Subscription`].
    pub fn try_recv(&mut self) -> Result<Option<Change>> {
        self.next_until(Until::Then(Instant::now()))
    }

    /// From where to go on, once what was told so far is processed: what to keep for a subscription after a
    /// restart.
    #[must_use]
    pub fn position(&self) -> Position {
        self.follower.position()
    }

    fn next_until(&mut self, until: Until) -> Result<Option<Change>> {
        let detail = &self.detail;
        self.follower
            .next(until, &|txn, entry, position| {
                read(txn, detail, entry, position)
            })
            .map_err(|error| error.within(Operation::Follow))
    }
}

impl Iterator for Subscription {
    type Item = Result<Change>;

    fn next(&mut self) -> Option<Result<Change>> {
        if self.has_failed {
            return None;
        }
        let next = self.recv();
        self.has_failed = next.is_err();
        Some(next)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}

/// Makes a change of what is stored now; none if that is not there any more, which another change tells.
fn read(
    txn: &ReadTxn,
    detail: &Detail,
    entry: &Entry,
    position: Position,
) -> Result<Option<Change>> {
    let namespace = &entry.name.namespace;
    let subject = match &entry.name.record {
        None => event(entry, || {
            let row = txn.namespace_row(namespace)?;
            Ok(row.map(|row| (row.created, row.labels)))
        })
        .map(|event| event.map(Subject::Namespace)),
        Some((kind, id)) if kind.is_containers() => {
            let event = event(entry, || {
                stored::<Container>(txn, detail, namespace, kind, id)
            });
            let id = id.to_string();
            event.map(|event| event.map(|event| Subject::Container { id, event }))
        }
        Some((kind, id)) => {
            let event = event(entry, || stored::<Record>(txn, detail, namespace, kind, id));
            let (kind, id) = (kind.to_string(), id.to_string());
            event.map(|event| event.map(|event| Subject::Record { kind, id, event }))
        }
    };
    let subject = subject.map_err(|error| entry.name.told_in(error))?;
    Ok(subject.map(|subject| Change {
        position,
        revision: entry.revision,
        namespace: namespace.clone(),
        subject,
    }))
}

/// The event, with what `stored` returns: the revision of its creation and the item. Another one of the same name is
/// not it.
fn event<T>(
    entry: &Entry,
    stored: impl FnOnce() -> Result<Option<(Revision, T)>>,
) -> Result<Option<Event<T>>> {
    let (created, make): (_, fn(T) -> Event<T>) = match entry.what {
        What::Deleted => return Ok(Some(Event::Deleted)),
        What::Created => (entry.revision, Event::Created),
        What::Updated { created } => (created, Event::Updated),
    };
    let stored = stored()?.filter(|(found, _)| *found == created);
    Ok(stored.map(|(_, item)| make(item)))
}

/// What is stored of a record, and the revision of its creation.
fn stored<T: Element>(
    txn: &ReadTxn,
    detail: &Detail,
    namespace: &NamespaceName,
    kind: &Kind,
    id: &RecordId,
) -> Result<Option<(Revision, Found<T>)>> {
    fn with_head<S: Shape>(stored: WithHead<S>) -> (Revision, S) {
        (stored.created, stored.item)
    }
    Ok(match detail {
        Detail::Id => {
            let found = txn.look_up::<Moment>(namespace, kind, id)?;
            found.map(|moment| (moment.created, Found::Id(moment.id)))
        }
        Detail::Header(names) => {
            let found = txn.look_up_with::<WithHead<T::Header>>(namespace, kind, id, names)?;
            let found = found.map(with_head);
            found.map(|(created, header)| (created, Found::Header(header)))
        }
        Detail::Whole => {
            let found = txn
                .look_up::<WithHead<T>>(namespace, kind, id)?
                .map(with_head);
            found.map(|(created, item)| (created, Found::Whole(item)))
        }
    })
}
