//! Changes as they happen, for async code.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;

use super::job::Job;
use crate::api::changes::{Change, Subscription};
use crate::model::error::{Error, Operation, Result};
use crate::model::position::Position;

/// How long a thread waits for a change at a time, and so how long shutting the runtime down can wait.
const WAIT: Duration = Duration::from_millis(200);

/// Follows a store; see [`AsyncDb::subscribe`](crate::AsyncDb::subscribe) and [`Subscription`]. Use it as a [`Stream`],
/// or call [`next`](AsyncSubscription::next). It ends after an error.
///
/// While a task awaits it and there is no change, it takes one of the runtime's threads for blocking work. While no
/// task awaits it, it takes none, and it reads one change ahead at most.
#[must_use = "it reads nothing until it is asked for a change"]
pub struct AsyncSubscription {
    /// `None` while it is waiting.
    subscription: Option<Subscription>,
    /// Waits for a change.
    job: Option<Job<Waited>>,
    position: Position,
}

type Waited = (Subscription, Result<Option<Change>>);

impl AsyncSubscription {
    pub(super) fn new(subscription: Subscription) -> Self {
        Self {
            position: subscription.position(),
            subscription: Some(subscription),
            job: None,
        }
    }

    /// Returns where to continue once every change returned so far is processed; see [`Subscription::position`].
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// Waits for the next change and returns it; `None` after an error.
    ///
    /// Dropping the future loses no change.
    ///
    /// # Errors
    ///
    /// See [`Subscription`] and [`AsyncDb`](crate::AsyncDb).
    pub async fn next(&mut self) -> Option<Result<Change>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Takes what a thread returned; `None` to continue waiting.
    fn take(&mut self, waited: Result<Waited>) -> Option<Result<Change>> {
        let (subscription, change) = match waited {
            Ok(waited) => waited,
            Err(error) => return Some(Err(error)),
        };
        self.position = subscription.position();
        if change.is_ok() {
            self.subscription = Some(subscription);
        }
        change.transpose()
    }
}

/// Nothing in it is pinned.
impl Unpin for AsyncSubscription {}

impl Stream for AsyncSubscription {
    type Item = Result<Change>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Change>>> {
        let this = &mut *self;
        loop {
            if let Some(job) = &mut this.job {
                let waited = ready!(Pin::new(job).poll(context));
                this.job = None;
                if let Some(change) = this.take(waited) {
                    return Poll::Ready(Some(change));
                }
            }
            let Some(mut subscription) = this.subscription.take() else {
                return Poll::Ready(None);
            };
            let in_context = |error: Error| error.during(Operation::Follow);
            let job = Job::start(in_context, move || {
                let change = subscription.recv_timeout(WAIT);
                (subscription, change)
            });
            match job {
                Ok(job) => this.job = Some(job),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}

impl fmt::Debug for AsyncSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSubscription")
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
