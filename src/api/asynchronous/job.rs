//! Awaits work on a thread for blocking work.

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::model::error::{Error, ErrorKind, Result};

/// Work that runs to its end once it has begun, even if dropped. If dropped before that, it never begins.
pub(super) struct Job<T> {
    handle: JoinHandle<T>,
    /// What to report if the work never begins.
    never_begun: Option<Error>,
}

impl<T: Send + 'static> Job<T> {
    /// Hands the work to the runtime. `in_context` adds to an error which operation failed.
    ///
    /// # Errors
    ///
    /// `FailedPrecondition` if there is no runtime.
    pub(super) fn start(
        in_context: impl Fn(Error) -> Error,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Self> {
        let runtime = Handle::try_current().map_err(|error| {
            let what = "this thread is not in a tokio runtime";
            in_context(Error::precondition(what).caused_by(error))
        })?;
        let what = "the tokio runtime was shut down before it began: nothing was done";
        Ok(Self {
            never_begun: Some(in_context(Error::new(ErrorKind::Cancelled, what))),
            handle: runtime.spawn_blocking(work),
        })
    }
}

impl<T> Future for Job<T> {
    type Output = Result<T>;

    /// Panics if the work panicked.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        Poll::Ready(match ready!(Pin::new(&mut self.handle).poll(context)) {
            Ok(done) => Ok(done),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(error) => {
                    let never_begun = self.never_begun.take();
                    let never_begun = never_begun
                        .unwrap_or_else(|| Error::new(ErrorKind::Cancelled, "cancelled"));
                    Err(never_begun.caused_by(error))
                }
            },
        })
    }
}

impl<T> Drop for Job<T> {
    /// Has no effect on work that has begun.
    fn drop(&mut self) {
        self.handle.abort();
    }
}
