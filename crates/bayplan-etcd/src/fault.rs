//! Errors of etcd as errors of a store, and what is known about a request that failed.

use std::error::Error as _;
use std::{io, iter};

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
    /// `what` is what etcd does or does not do.
    fn new(
        outcome: Outcome,
        kind: ErrorKind,
        (endpoints, what): (&str, &str),
        cause: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        let error = Error::of_kind(kind, format!("etcd at {endpoints} {what}"));
        Self {
            error: error.caused_by(cause),
            outcome,
        }
    }

    /// No answer came in time.
    pub(crate) fn timeout(endpoints: &str, seconds: f64) -> Self {
        let text = format!("no answer within {seconds} s");
        let cause = io::Error::new(io::ErrorKind::TimedOut, text);
        let what = (endpoints, "does not answer");
        Self::new(Outcome::Unknown, ErrorKind::Io, what, cause)
    }

    /// The connection is closed, or the runtime is gone.
    pub(crate) fn closed(endpoints: &str) -> Self {
        let cause = io::Error::from(io::ErrorKind::NotConnected);
        let what = (endpoints, "is not connected any more");
        Self::new(Outcome::NotDone, ErrorKind::Io, what, cause)
    }

    /// The answer is not one to the request.
    pub(crate) fn unexpected(endpoints: &str) -> Self {
        let cause = io::Error::from(io::ErrorKind::InvalidData);
        let what = (endpoints, "answers in another form");
        Self::new(Outcome::Refused, ErrorKind::Io, what, cause)
    }

    /// etcd ended a watch.
    pub(crate) fn canceled(endpoints: &str, reason: &str) -> Self {
        let cause = io::Error::other(reason.to_owned());
        let what = (endpoints, "ended the watch");
        Self::new(Outcome::NotDone, ErrorKind::Io, what, cause)
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

    fn of_status(endpoints: &str, status: &Status) -> Self {
        use Outcome::{Compacted, NotDone, Refused, TooLarge, Unknown};
        let message = status.message();
        let says = |text: &str| message.contains(text);
        let cause = said_once(message, status.source());
        if says("database space exceeded") {
            let cause = io::Error::new(io::ErrorKind::StorageFull, cause);
            let what = (endpoints, "has used up its storage quota");
            return Self::new(Refused, ErrorKind::Io, what, cause);
        }
        let (outcome, kind, what) = match status.code() {
            _ if says("required revision has been compacted") => (
                Compacted,
                ErrorKind::FailedPrecondition,
                "has compacted this revision away",
            ),
            _ if says("request is too large") || says("received message larger than max") => (
                Refused,
                ErrorKind::InvalidArgument,
                "accepts no request as large as this (--max-request-bytes)",
            ),
            _ if says("too many operations in txn request") => (
                Refused,
                ErrorKind::InvalidArgument,
                "accepts no transaction with as many operations (--max-txn-ops)",
            ),
            Code::OutOfRange => (
                TooLarge,
                ErrorKind::Io,
                "answers with more than is accepted",
            ),
            Code::Unauthenticated | Code::PermissionDenied => (
                Refused,
                ErrorKind::FailedPrecondition,
                "does not permit this user to do it",
            ),
            _ if says("authentication failed")
                || says("user name is empty")
                || says("authentication is not enabled") =>
            {
                (
                    Refused,
                    ErrorKind::FailedPrecondition,
                    "does not accept the user",
                )
            }
            Code::InvalidArgument | Code::Unimplemented => {
                (Refused, ErrorKind::InvalidArgument, "refuses the request")
            }
            _ if says("no leader")
                || says("not enough started members")
                || says("too many requests") =>
            {
                (NotDone, ErrorKind::Io, "cannot do it now")
            }
            _ if was_not_sent(status) => (NotDone, ErrorKind::Io, "cannot be reached"),
            _ => (Unknown, ErrorKind::Io, "did not answer the request"),
        };
        Self::new(outcome, kind, (endpoints, what), io::Error::other(cause))
    }

    /// What etcd's client reports.
    pub(crate) fn of_client(endpoints: &str, error: etcd_client::Error) -> Self {
        use etcd_client::Error as Client;
        let (outcome, kind, what) = match &error {
            Client::GRpcStatus(status) => return Self::of_status(endpoints, status),
            Client::InvalidArgs(_) | Client::InvalidUri(_) | Client::InvalidMetadataValue(_) => (
                Outcome::Refused,
                ErrorKind::InvalidArgument,
                "cannot be reached like that",
            ),
            Client::TransportError(_) => (Outcome::NotDone, ErrorKind::Io, "cannot be reached"),
            _ => (
                Outcome::Unknown,
                ErrorKind::Io,
                "did not answer the request",
            ),
        };
        let cause = match &error {
            Client::TransportError(error) => said_once(&error.to_string(), error.source()),
            error => error.to_string(),
        };
        Self::new(outcome, kind, (endpoints, what), io::Error::other(cause))
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

/// What the client says about every failure of a connection, with a cause that says more.
const SAYS_NOTHING: &str = "transport error";

/// Returns a message and its causes as one line, each of them once.
fn said_once(message: &str, cause: Option<&(dyn std::error::Error + 'static)>) -> String {
    let causes = std::iter::successors(cause, |&cause| cause.source());
    let mut said: Vec<String> = Vec::new();
    for text in iter::once(message.to_owned()).chain(causes.map(ToString::to_string)) {
        if !said.iter().any(|earlier| earlier.contains(&text)) {
            // Some repeat their cause.
            said.retain(|earlier| !text.contains(earlier.as_str()));
            said.push(text);
        }
    }
    if said.len() > 1 {
        said.retain(|text| text != SAYS_NOTHING);
    }
    said.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is(code: Code, message: &str, outcome: Outcome, kind: ErrorKind) -> Error {
        let fault = Fault::of_status("etcd-1:2379", &Status::new(code, message));
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

    /// An error with a cause.
    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl std::fmt::Display for Layer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Layer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            self.1.as_deref().map(|layer| layer as _)
        }
    }

    #[test]
    fn each_cause_is_said_once() {
        let layers = [
            "transport error",
            "tcp connect error",
            "tcp connect error",
            "refused",
        ];
        let chain = layers
            .into_iter()
            .rev()
            .fold(None, |cause, text| Some(Box::new(Layer(text, cause))));
        let chain = chain.unwrap();
        assert_eq!(
            said_once("tcp connect error", Some(&*chain)),
            "tcp connect error: refused"
        );
        assert_eq!(said_once("transport error", None), "transport error");
    }
}
