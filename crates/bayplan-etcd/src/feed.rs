//! The feed: what is stored, and then each change as it happens.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bayplan::implementing::{Action, Place};
use bayplan::{Detail, Error, Event, Position, Result, Revision};
use etcd_client::{EventType, WatchOptions, WatchResponse, WatchStream};

use crate::connection::{ANSWER_MAX_BYTES, repeated};
use crate::draft::{from_revision, to_revision};
use crate::etcd::Etcd;
use crate::events::{Change, Decoder};
use crate::fault::{Fault, Outcome};
use crate::shared::{At, Shared};

/// How many keys of what is stored are read at a time.
const PAGE: i64 = 64;

/// The longest time to wait, ten years: a clock has no room for any time.
const WAIT_MAX: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

impl Etcd {
    /// Follows the store: returns each change after a revision, in the order of revisions. From [`Revision::NONE`],
    /// everything that is stored comes first, as created. `detail` selects how much of each item is read.
    ///
    /// # Errors
    ///
    /// [`Io`](bayplan::ErrorKind::Io). That changes after the revision are no longer known is found out by the first
    /// [`recv`](Subscription::recv).
    pub fn subscribe(&self, from: Revision, detail: Detail) -> Result<Subscription> {
        Subscription::new(&self.shared, from, detail, false)
    }
}

impl Subscription {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        from: Revision,
        detail: Detail,
        is_copy: bool,
    ) -> Result<Self> {
        let shared = Arc::clone(shared);
        let listing = match from {
            Revision::NONE => Some(Listing::new(&shared, shared.revision()?)),
            _ => None,
        };
        let done = listing.as_ref().map_or(from, |listing| listing.at);
        Ok(Subscription {
            decoder: Decoder {
                shared: Arc::clone(&shared),
                detail,
                is_copy,
            },
            shared,
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
    decoder: Decoder,
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
        self.next_until(Instant::now() + timeout.min(WAIT_MAX))
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
            let change = self.decoder.change(pair, at, Event::Created);
            let change = change.map_err(|fault| self.lagged(fault))?;
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
            Ok(Ok(None)) => Err(Fault::closed(self.endpoints())),
            Ok(Err(error)) => Err(Fault::of_client(self.endpoints(), error)),
        }
    }

    fn endpoints(&self) -> &str {
        self.shared.connection.endpoints()
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
                return Err(Fault::canceled(self.endpoints(), answer.cancel_reason()));
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
                EventType::Delete => self.decoder.change(pair, at, |_| Event::Deleted),
                EventType::Put if pair.version() == 1 => {
                    self.decoder.change(pair, at, Event::Created)
                }
                EventType::Put => self.decoder.change(pair, at, Event::Updated),
            };
            // Nothing of this answer is lost: it is asked for again.
            let change = change.map_err(|fault| self.lagged(fault));
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

    /// Reports a revision that is compacted away as one that was missed.
    fn lagged(&self, fault: Fault) -> Fault {
        match fault.outcome {
            Outcome::Compacted => lagged(self.done),
            _ => fault,
        }
    }
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
