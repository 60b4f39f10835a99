//! Errors of etcd as errors of a store, and what is known about a request that failed.

use std::error::Error as _;
use std::io;

use bayplan::implementing::{Action, Place};
use bayplan::{Error, ErrorKind};
use tonic::{Code, Status};

/// A request that failed.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) error: Error,
    pub(crate) outcome: Outcome,
}

/// What is known about a request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// etcd refused it: nothing was done, and it would refuse it again.
    Refused,
    /// The revision that it asks for is compacted away.
    Compacted,
    /// The answer is larger than what is accepted.
    TooLarge,
    /// Nothing was done. It may succeed later.
    NotDone,
    /// It was done, or not, or it will be.
    Unknown,
}

impl Fault {
    fn new(
        outcome: Outcome,
        kind: ErrorKind,
        message: &str,
        cause: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self {
            error: Error::of_kind(kind, message).caused_by(cause),
            outcome,
        }
    }

    /// No answer came in time.
    pub(crate) fn timeout(seconds: f64) -> Self {
        let cause = io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer within {seconds} s"),
        );
        Self::new(
            Outcome::Unknown,
            ErrorKind::Io,
            "etcd does not answer",
            cause,
        )
    }

    /// The runtime of the connection is gone.
    pub(crate) fn closed() -> Self {
        let cause = io::Error::from(io::ErrorKind::NotConnected);
        Self::new(
            Outcome::NotDone,
            ErrorKind::Io,
            "the connection is closed",
            cause,
        )
    }

    /// The answer is not one to the request.
    pub(crate) fn unexpected() -> Self {
        let cause = io::Error::from(io::ErrorKind::InvalidData);
        Self::new(
            Outcome::Refused,
            ErrorKind::Io,
            "etcd's answer has another form",
            cause,
        )
    }

    /// etcd ended a watch.
    pub(crate) fn canceled(reason: &str) -> Self {
        let cause = io::Error::other(reason.to_owned());
        Self::new(
            Outcome::NotDone,
            ErrorKind::Io,
            "etcd ended the watch",
            cause,
        )
    }

    /// What was read is not what it should be.
    pub(crate) fn of_content(error: Error) -> Self {
        let outcome = Outcome::Refused;
        Self { error, outcome }
    }

    /// Names the container or record.
    pub(crate) fn about(mut self, namespace: &str, record_kind: Option<&str>, id: &str) -> Self {
        let place = Place {
            namespace: Some(namespace),
            record_kind,
            id: Some(id),
        };
        self.error = self.error.in_action(Action::Follow, place);
        self
    }

    pub(crate) fn may_succeed_later(&self) -> bool {
        matches!(self.outcome, Outcome::NotDone | Outcome::Unknown)
    }

    fn of_status(status: Status) -> Self {
        use Outcome::{Compacted, NotDone, Refused, TooLarge, Unknown};
        let message = status.message();
        let says = |text: &str| message.contains(text);
        if says("database space exceeded") {
            let cause = io::Error::new(io::ErrorKind::StorageFull, Told(status));
            return Self::new(
                Refused,
                ErrorKind::Io,
                "etcd's storage quota is used up",
                cause,
            );
        }
        let (outcome, kind, text) = match status.code() {
            _ if says("required revision has been compacted") => (
                Compacted,
                ErrorKind::FailedPrecondition,
                "etcd has compacted this revision away",
            ),
            _ if says("request is too large") || says("received message larger than max") => (
                Refused,
                ErrorKind::InvalidArgument,
                "it is larger than the requests that etcd accepts (--max-request-bytes)",
            ),
            _ if says("too many operations in txn request") => (
                Refused,
                ErrorKind::InvalidArgument,
                "it has more operations than etcd accepts in a transaction (--max-txn-ops)",
            ),
            Code::OutOfRange => (TooLarge, ErrorKind::Io, "etcd's answer is too large"),
            Code::Unauthenticated | Code::PermissionDenied => (
                Refused,
                ErrorKind::FailedPrecondition,
                "etcd does not permit this user to do it",
            ),
            _ if says("authentication failed")
                || says("user name is empty")
                || says("authentication is not enabled") =>
            {
                (
                    Refused,
                    ErrorKind::FailedPrecondition,
                    "etcd does not accept the user",
                )
            }
            Code::InvalidArgument | Code::Unimplemented => (
                Refused,
                ErrorKind::InvalidArgument,
                "etcd refuses the request",
            ),
            _ if says("no leader")
                || says("not enough started members")
                || says("too many requests") =>
            {
                (NotDone, ErrorKind::Io, "etcd cannot do it now")
            }
            _ if was_not_sent(&status) => (NotDone, ErrorKind::Io, "etcd cannot be reached"),
            _ => (Unknown, ErrorKind::Io, "etcd did not answer the request"),
        };
        let cause = io::Error::other(Told(status));
        Self::new(outcome, kind, text, cause)
    }
}

impl From<etcd_client::Error> for Fault {
    fn from(error: etcd_client::Error) -> Self {
        match error {
            etcd_client::Error::GRpcStatus(status) => Self::of_status(status),
            etcd_client::Error::InvalidArgs(_)
            | etcd_client::Error::InvalidUri(_)
            | etcd_client::Error::InvalidMetadataValue(_) => Self::new(
                Outcome::Refused,
                ErrorKind::InvalidArgument,
                "etcd cannot be reached like that",
                io::Error::other(error),
            ),
            etcd_client::Error::TransportError(_) => Self::new(
                Outcome::NotDone,
                ErrorKind::Io,
                "etcd cannot be reached",
                io::Error::other(error),
            ),
            _ => Self::new(
                Outcome::Unknown,
                ErrorKind::Io,
                "etcd did not answer the request",
                io::Error::other(error),
            ),
        }
    }
}

/// Whether the request failed because there was no connection.
fn was_not_sent(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return matches!(
                error.kind(),
                io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkUnreachable
                    | io::ErrorKind::AddrNotAvailable
            );
        }
        cause = error.source();
    }
    false
}

/// A status as one line: its message, and the causes that have more to say.
#[derive(Debug)]
struct Told(Status);

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.message())?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Told {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is(code: Code, message: &str, outcome: Outcome, kind: ErrorKind) -> Error {
        let fault = Fault::of_status(Status::new(code, message));
        assert_eq!(
            (fault.outcome, fault.error.kind()),
            (outcome, kind),
            "{message}"
        );
        fault.error
    }

    #[test]
    fn what_etcd_says_decides_whether_a_write_may_have_happened() {
        use ErrorKind::{FailedPrecondition, InvalidArgument, Io};
        let full = "etcdserver: mvcc: database space exceeded";
        let error = is(Code::ResourceExhausted, full, Outcome::Refused, Io);
        assert!(error.is_storage_full());
        let large = "etcdserver: request is too large";
        is(
            Code::InvalidArgument,
            large,
            Outcome::Refused,
            InvalidArgument,
        );
        let many = "etcdserver: too many operations in txn request";
        is(
            Code::InvalidArgument,
            many,
            Outcome::Refused,
            InvalidArgument,
        );
        let old = "etcdserver: mvcc: required revision has been compacted";
        is(
            Code::OutOfRange,
            old,
            Outcome::Compacted,
            FailedPrecondition,
        );
        let denied = "etcdserver: permission denied";
        is(
            Code::PermissionDenied,
            denied,
            Outcome::Refused,
            FailedPrecondition,
        );
        is(
            Code::Unavailable,
            "etcdserver: no leader",
            Outcome::NotDone,
            Io,
        );
        let lost = "etcdserver: request timed out, possibly due to previous leader failure";
        is(Code::Unavailable, lost, Outcome::Unknown, Io);
        is(
            Code::Unavailable,
            "etcdserver: leader changed",
            Outcome::Unknown,
            Io,
        );
        is(Code::Unknown, "h2 protocol error", Outcome::Unknown, Io);
    }
}
