//! The change feed: the changes after a position, and a subscription to new ones.

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
    /// Where to continue once this change is processed.
    pub position: Position,
    /// The revision of the change.
    ///
    /// The stored item may have a higher revision if it has changed again since. A later change then reports that.
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
    /// It was created after the given position. It may have been updated since.
    Created(T),
    /// It existed, and was updated, once or more.
    Updated(T),
    /// It was deleted. If it was created again since, another change reports that.
    Deleted,
}

impl<T> Event<T> {
    /// Returns what is stored, or `None` if it was deleted.
    pub fn into_item(self) -> Option<T> {
        match self {
            Self::Created(item) | Self::Updated(item) => Some(item),
            Self::Deleted => None,
        }
    }

    /// Returns what is stored, or `None` if it was deleted.
    pub fn item(&self) -> Option<&T> {
        match self {
            Self::Created(item) | Self::Updated(item) => Some(item),
            Self::Deleted => None,
        }
    }
}

impl ReadTxn {
    /// Returns what has changed in this snapshot since a position, in the order of revisions; see
    /// [`Db::changes_since`].
    ///
    /// # Errors
    ///
    /// As [`Db::changes_since`].
    pub fn changes_since(&self, position: Position, detail: Detail) -> Result<Changes> {
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
    /// Returns what has changed since a position, in the order of revisions, from one snapshot.
    ///
    /// Each container, record and namespace that changed is reported once, with what is stored now; `detail` selects
    /// how much of that is read. What was created after the position is [`Created`](Event::Created), at the revision of
    /// its creation even if it was updated later. Everything else that changed is [`Updated`](Event::Updated).
    /// Deletions have revisions of their own. If something was deleted and created again, both are reported.
    ///
    /// From [`Position::START`], everything that is stored is reported, and no deletion. To follow a store, begin there
    /// and keep the [`Position`] of the last change that was processed. It stays valid when the store is closed,
    /// crashes or is compacted, as long as the deletions after it are remembered. It is not valid in a file made by
    /// [`backup`](Db::backup), [`restore`](crate::Maintenance::restore), [`load`](crate::Maintenance::load) or
    /// [`salvage`](crate::Maintenance::salvage), since such a file hands out revisions of its own.
    ///
    /// The call looks at every record, in memory if the records are kept there. It holds the names of at most some
    /// 16,000 changes at a time. The changed items themselves are read when the iterator reaches them.
    ///
    /// # Errors
    ///
    /// - [`Lagged`](crate::ErrorKind::Lagged): deletions after the position may be forgotten
    ///   ([`Builder::tombstones_max_count`](crate::Builder::tombstones_max_count)), or the position is not of this
    ///   store. Either discard what you know and begin with [`Position::START`], or list everything and continue from
    ///   [`Error::follow_from`].
    /// - [`Corrupt`](crate::ErrorKind::Corrupt), naming the container or record: it is damaged, so whether it changed
    ///   is unknown. The changes end there. To continue, delete it.
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
    pub fn changes_since(&self, position: Position, detail: Detail) -> Result<Changes> {
        self.read()?.changes_since(position, detail)
    }

    /// Follows the store: returns what has changed since a position, as [`Db::changes_since`] does, and then each
    /// commit as it happens; see [`Subscription`].
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
    pub fn subscribe(&self, from: Position, detail: Detail) -> Result<Subscription> {
        let shared = self.shared();
        let follower = Follower::new(shared, from)
            .map_err(|error| error.during(Operation::Follow).at(shared.path()))?;
        Ok(Subscription {
            follower,
            detail,
            has_failed: false,
        })
    }
}

/// The changes after a position; see [`Db::changes_since`]. It holds its snapshot as long as it lives, like a
/// [`ReadTxn`].
#[must_use = "changes are read when they are asked for"]
pub struct Changes {
    txn: ReadTxn,
    detail: Detail,
    known: Known,
    entries: VecDeque<Entry>,
    /// What the positions of the entries have in common.
    origin: Origin,
    /// The revision up to which everything is known once all entries are returned.
    end: Revision,
    has_more: bool,
}

impl Changes {
    /// Returns where to continue once every change returned so far is processed. After the last change, this is the end
    /// of the snapshot, so that known changes are not reported again.
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
/// A subscription returns each change once, in the order of revisions, when it is durable. Changes of one container
/// between two looks are reported as one. It has no queue: after a commit it reads what has changed after its position.
/// So it takes no memory while it waits, and costs the writers nothing but a wake-up. It falls behind only if deletions
/// that it has not reported are forgotten; then it is [`Lagged`](crate::ErrorKind::Lagged). It holds no snapshot
/// between two calls.
///
/// A subscription is not a handle: it does not keep the store open. When the store is closed, the subscription returns
/// the changes that it had already read (64 at most). Then every call is
/// [`Unavailable`](crate::ErrorKind::Unavailable). After a failed commit, it first returns everything that was
/// committed.
///
/// If other processes write the store ([`Share`](crate::Share)), the subscription looks for commits every
/// [`Builder::poll_interval`](crate::Builder::poll_interval), and syncs the file before it reports their changes. After
/// a commit it looks at all records. If that takes long, it looks less often, so that looking takes at most a fifth of
/// the time.
///
/// As an iterator, it waits for each change, and ends after the first error.
///
/// # Errors
///
/// Those of [`Db::changes_since`], `Unavailable` as described, [`Gone`](crate::ErrorKind::Gone) if other processes
/// write the store and its file is no longer at its path, and [`Forked`](crate::ErrorKind::Forked). If reading a
/// change fails, the change is not lost: the next call tries again.
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

    /// Waits for the next change. Returns `None` if there is none within `timeout`.
    ///
    /// # Errors
    ///
    /// See [`Subscription`].
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<Change>> {
        self.next_until(Until::after(timeout))
    }

    /// Returns the next change if there is one, without waiting.
    ///
    /// # Errors
    ///
    /// See [`Subscription`].
    pub fn try_recv(&mut self) -> Result<Option<Change>> {
        self.next_until(Until::Then(Instant::now()))
    }

    /// Returns where to continue once every change returned so far is processed. Keep this position to subscribe again
    /// after a restart.
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

/// Makes a change from what is stored now. `None` if it is no longer stored: another change reports that.
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

/// Makes the event from what `stored` returns: the item and the revision of its creation. An item of the same name that
/// was created at another revision does not count.
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

/// Returns the stored record and the revision of its creation.
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
