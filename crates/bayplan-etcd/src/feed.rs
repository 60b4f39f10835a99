//! The feed: what is stored, and then each change as it happens.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bayplan::implementing::{Action, Item, Opened, Place, open_labels};
use bayplan::{
    Container, Detail, Error, ErrorKind, Event, Found, NamespaceName, Position, Record, Result,
    Revision, Subject,
};
use etcd_client::{EventType, KeyValue, WatchOptions, WatchResponse, WatchStream};

use crate::connection::{ANSWER_MAX_BYTES, repeated};
use crate::draft::{Stored, from_revision, to_revision};
use crate::etcd::Etcd;
use crate::fault::{Fault, Outcome};
use crate::keys::{CONTAINERS, Named};
use crate::operations::whole;
use crate::shared::{At, Shared};

/// How many keys of what is stored are read at a time.
const PAGE: i64 = 64;

/// One change of a store in etcd.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Change {
    /// The revision of the change. All changes of one transaction have the same.
    pub revision: Revision,
    /// The namespace that changed, or in which something changed.
    pub namespace: NamespaceName,
    /// What changed.
    pub subject: Subject,
}

impl Etcd {
    /// Follows the store: returns each change after a revision, in the order of revisions. From [`Revision::NONE`],
    /// everything that is stored comes first, as created. `detail` selects how much of each item is read.
    ///
    /// # Errors
    ///
    /// [`Io`](bayplan::ErrorKind::Io). That changes after the revision are no longer known is found out by the first
    /// [`recv`](Subscription::recv).
    pub fn subscribe(&self, from: Revision, detail: Detail) -> Result<Subscription> {
        let shared = Arc::clone(&self.shared);
        let listing = match from {
            Revision::NONE => {
                let snapshot = self.snapshot()?;
                Some(Listing::new(&shared, snapshot.revision()))
            }
            _ => None,
        };
        let done = listing.as_ref().map_or(from, |listing| listing.at);
        Ok(Subscription {
            shared,
            detail,
            listing,
            stream: None,
            ready: VecDeque::new(),
            done,
        })
    }
}

/// Follows a store in etcd; see [`Etcd::subscribe`].
///
/// Every change is returned, also those that were overtaken by later ones, as long as etcd remembers them. It holds one
/// answer of etcd at a time.
///
/// # Errors
///
/// [`Lagged`](bayplan::ErrorKind::Lagged) if etcd has compacted changes away that were not returned: list everything, or
/// subscribe from [`Revision::NONE`]. [`Corrupt`](bayplan::ErrorKind::Corrupt), naming the item, if it is damaged.
/// [`Io`](bayplan::ErrorKind::Io); the next call tries again, and nothing is lost.
pub struct Subscription {
    shared: Arc<Shared>,
    detail: Detail,
    /// What is stored, until all of it is returned.
    listing: Option<Listing>,
    stream: Option<WatchStream>,
    ready: VecDeque<Change>,
    /// All changes up to this revision were read.
    done: Revision,
}

/// Reads what is stored at one revision.
struct Listing {
    at: Revision,
    start: Vec<u8>,
    end: Vec<u8>,
    is_at_end: bool,
}

impl Listing {
    fn new(shared: &Shared, at: Revision) -> Self {
        let (start, end) = shared.keys.followed();
        Self {
            at,
            start,
            end,
            is_at_end: false,
        }
    }
}

impl Subscription {
    /// Waits for the next change.
    ///
    /// # Errors
    ///
    /// See [`Subscription`].
    pub fn recv(&mut self) -> Result<Change> {
        loop {
            if let Some(change) = self.recv_timeout(Duration::from_secs(60))? {
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
        self.next_until(Instant::now() + timeout)
            .map_err(|fault| fault.error.in_action(Action::Follow, Place::default()))
    }

    /// Returns the revision from which to subscribe again, once every change returned so far is processed.
    /// [`Revision::NONE`] while what is stored has not all been returned.
    #[must_use]
    pub fn position(&self) -> Revision {
        match (&self.listing, self.ready.front()) {
            (Some(_), _) => Revision::NONE,
            (None, Some(next)) => Revision::new(next.revision.get().saturating_sub(1)),
            (None, None) => self.done,
        }
    }

    fn next_until(&mut self, end: Instant) -> Result<Option<Change>, Fault> {
        loop {
            if let Some(change) = self.ready.pop_front() {
                return Ok(Some(change));
            }
            if self
                .listing
                .as_ref()
                .is_some_and(|listing| listing.is_at_end)
            {
                self.listing = None;
            }
            match &self.listing {
                Some(_) => self.read_listing()?,
                None => {
                    let left = end.saturating_duration_since(Instant::now());
                    match self.read_answer(left)? {
                        Some(answer) => self.take(&answer)?,
                        None => return Ok(None),
                    }
                }
            }
        }
    }

    fn read_listing(&mut self) -> Result<(), Fault> {
        let Some(listing) = &self.listing else {
            return Ok(());
        };
        let at = At::Revision(listing.at);
        let options = at
            .options()
            .with_range(listing.end.as_slice())
            .with_limit(PAGE);
        let (page, _) = self
            .shared
            .range(&listing.start, options)
            .map_err(|fault| self.lagged(fault))?;
        for pair in page.kvs() {
            let change = self.change(pair, at, Event::Created)?;
            self.ready.extend(change);
        }
        if let Some(listing) = &mut self.listing {
            match page.kvs().last().filter(|_| page.more()) {
                Some(last) => listing.start = [last.key(), &[0]].concat(),
                None => listing.is_at_end = true,
            }
        }
        Ok(())
    }

    /// Returns the next answer of the watch, which is begun if there is none.
    fn read_answer(&mut self, limit: Duration) -> Result<Option<WatchResponse>, Fault> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.watch()?,
        };
        // The stream outlives the limit, so that no answer is lost.
        let (stream, answer) = self.shared.connection.wait(async move {
            let answer = tokio::time::timeout(limit, stream.message()).await;
            (stream, answer)
        })?;
        match answer {
            Err(_) => {
                self.stream = Some(stream);
                Ok(None)
            }
            Ok(Ok(Some(answer))) => {
                self.stream = Some(stream);
                Ok(Some(answer))
            }
            Ok(Ok(None)) => Err(Fault::closed()),
            Ok(Err(error)) => Err(Fault::from(error)),
        }
    }

    fn watch(&self) -> Result<WatchStream, Fault> {
        let connection = &self.shared.connection;
        let (start, end) = self.shared.keys.followed();
        let from = from_revision(self.done.get().saturating_add(1));
        repeated(connection.attempts(), || {
            let options = WatchOptions::new()
                .with_range(end.as_slice())
                .with_start_revision(from)
                .with_progress_notify();
            let mut client = connection
                .client()
                .watch_client()
                .max_decoding_message_size(ANSWER_MAX_BYTES);
            let start = start.clone();
            connection.once(async move { client.watch(start, Some(options)).await })
        })
    }

    /// Takes the changes in an answer of the watch.
    fn take(&mut self, answer: &WatchResponse) -> Result<(), Fault> {
        if answer.canceled() {
            self.stream = None;
            let compacted = to_revision(answer.compact_revision());
            if compacted == Revision::NONE {
                return Err(Fault::canceled(answer.cancel_reason()));
            }
            return Err(lagged(compacted));
        }
        let mut changes = Vec::new();
        let mut done = self.done;
        for event in answer.events() {
            let Some(pair) = event.kv() else { continue };
            let revision = to_revision(pair.mod_revision());
            let at = At::Revision(revision);
            let change = match event.event_type() {
                EventType::Delete => self.change(pair, at, |_| Event::Deleted),
                EventType::Put if pair.version() == 1 => self.change(pair, at, Event::Created),
                EventType::Put => self.change(pair, at, Event::Updated),
            };
            // Nothing of this answer is lost: it is asked for again.
            let change = change.inspect_err(|_| self.stream = None)?;
            changes.extend(change);
            done = done.max(revision);
        }
        if answer.events().is_empty() && !answer.created() {
            // Progress: everything up to this revision was sent.
            done = done.max(
                answer
                    .header()
                    .map_or(done, |header| to_revision(header.revision())),
            );
        }
        self.ready.extend(changes);
        self.done = done;
        Ok(())
    }

    /// Makes the change of one key. `None` for a key that is not followed.
    fn change(
        &self,
        pair: &KeyValue,
        at: At,
        event: impl FnOnce(()) -> Event<()>,
    ) -> Result<Option<Change>, Fault> {
        let revision = to_revision(pair.mod_revision());
        let event = event(());
        let (name, subject) = match self.shared.keys.parse(pair.key()) {
            None => return Ok(None),
            Some(Named::Namespace(name)) => {
                let labels = || open_labels(pair.key(), pair.value()).map(|(_, labels)| labels);
                let event = with(event, || labels().map_err(Fault::of_content));
                (name, Subject::Namespace(event?))
            }
            Some(Named::Record(name, kind, id)) if kind == CONTAINERS => {
                let event = with(event, || self.item::<Container>(pair, &id, at));
                let event = event.map_err(|fault| fault.about(&name, None, &id))?;
                (name, Subject::Container { id, event })
            }
            Some(Named::Record(name, kind, id)) => {
                let event = with(event, || self.item::<Record>(pair, &id, at));
                let event = event.map_err(|fault| fault.about(&name, Some(&kind), &id))?;
                (name, Subject::Record { kind, id, event })
            }
        };
        let namespace = NamespaceName::new(name).map_err(|error| {
            let what = "a namespace has a name that is none";
            Fault::of_content(Error::of_kind(ErrorKind::Corrupt, what).caused_by(error))
        })?;
        Ok(Some(Change {
            revision,
            namespace,
            subject,
        }))
    }

    /// Returns an item as it was at a revision, in the detail that was asked for.
    fn item<T: Item>(&self, pair: &KeyValue, id: &str, at: At) -> Result<Found<T>, Fault> {
        let stored = Stored::of(pair);
        let open = || Opened::<T>::new(pair.key(), id, &stored.value).map_err(Fault::of_content);
        Ok(match &self.detail {
            Detail::Id => Found::Id(id.to_owned()),
            Detail::Header(names) => {
                let mut item = open()?.item;
                item.stamp(item.times(), stored.revision);
                Found::Header(item.into_header(names))
            }
            _ => {
                let key = self.shared.keys.value_of(pair.key()).unwrap_or_default();
                let read = self.shared.get(at, [&key]);
                let [value] = read.map_err(|fault| self.lagged(fault))?;
                let value = value.map(|value| value.value);
                let item = whole(pair.key(), id, &stored, value.as_deref());
                Found::Whole(item.map_err(Fault::of_content)?)
            }
        })
    }

    /// Reports a revision that is compacted away as one that was missed.
    fn lagged(&self, fault: Fault) -> Fault {
        match fault.outcome {
            Outcome::Compacted => lagged(self.done),
            _ => fault,
        }
    }
}

/// Puts what is stored into an event.
fn with<T>(event: Event<()>, item: impl FnOnce() -> Result<T, Fault>) -> Result<Event<T>, Fault> {
    Ok(match event {
        Event::Created(()) => Event::Created(item()?),
        Event::Updated(()) => Event::Updated(item()?),
        _ => Event::Deleted,
    })
}

fn lagged(follow_from: Revision) -> Fault {
    let what = "etcd has compacted changes away that were not read yet";
    Fault::of_content(Error::lagged(Position::from(follow_from), what))
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}
