//! Errors as the status of a gRPC call, and back.

use std::error::Error as _;
use std::sync::Arc;

use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

use crate::model::error::{Error, ErrorKind};

/// The metadata with the kind, since several kinds have the same code.
const KIND: &str = "bayplan-error-kind";

/// The metadata that marks an immutable field that differs.
const IMMUTABLE_FIELD: &str = "bayplan-immutable-field";

/// The metadata with the position from which a follower can continue.
const FOLLOW_FROM: &str = "bayplan-follow-from";

/// With the feature `tonic`: the status with which a server answers. Kinds that containerd also has get containerd's
/// codes:
///
/// | kind | code |
/// |---|---|
/// | `NotFound`, `AlreadyExists`, `InvalidArgument`, `FailedPrecondition`, `Cancelled`, `Unavailable` | that of the same name |
/// | `Locked`, `Gone` | `Unavailable` |
/// | `IncompatibleFormat`, `NotAStore` | `FailedPrecondition` |
/// | `Corrupt` | `DataLoss` |
/// | `CommitUncertain` | `Unknown` |
/// | `Io` | `ResourceExhausted` if the disk is full, otherwise `Internal` |
/// | `Forked` | `Internal` |
/// | `Lagged` | `OutOfRange`, as in etcd; the metadata `bayplan-follow-from` has [`Error::follow_from`] |
///
/// The message is the error's, with its causes. The metadata `bayplan-error-kind` has the kind. Inside this process,
/// the status has the error as its source.
///
/// # Examples
///
/// ```
/// use bayplan::{Db, Error};
/// use tonic::{Code, Status};
///
/// # fn main() -> bayplan::Result<()> {
/// let error = Db::in_memory()?.namespace("default")?.get("web").unwrap_err();
/// let status = Status::from(error);
/// assert_eq!(status.code(), Code::NotFound);
/// assert_eq!(status.message(), "get container \"web\" in namespace \"default\": not found");
/// assert!(Error::try_from(status).unwrap().is_not_found());
/// # Ok(())
/// # }
/// ```
impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let mut status = Status::new(code_of(&error), format!("{error:#}"));
        let metadata = status.metadata_mut();
        metadata.insert(KIND, MetadataValue::from_static(error.kind().as_str()));
        if error.is_immutable_field() {
            metadata.insert(IMMUTABLE_FIELD, MetadataValue::from_static("true"));
        }
        let position = error.follow_from().map(|position| position.to_string());
        if let Some(Ok(position)) = position.map(MetadataValue::try_from) {
            metadata.insert(FOLLOW_FROM, position);
        }
        status.set_source(Arc::new(error));
        status
    }
}

/// With the feature `tonic`: the error in the status that a client received. It has the kind and the text of the error
/// from which the server made the status. Without that metadata, as from containerd, the codes `NotFound`,
/// `AlreadyExists`, `InvalidArgument` and `FailedPrecondition` become the kinds of the same name.
///
/// # Errors
///
/// The status itself if it does not come from an error of a store: the network and gRPC use other codes as well.
impl TryFrom<Status> for Error {
    type Error = Status;

    fn try_from(status: Status) -> Result<Self, Status> {
        let own = status.source().and_then(|source| source.downcast_ref());
        if let Some(own) = own {
            return Ok(Error::clone(own));
        }
        let text = |key| status.metadata().get(key)?.to_str().ok();
        let told = text(KIND).and_then(ErrorKind::named);
        let Some(kind) = told.or_else(|| kind_of(status.code())) else {
            return Err(status);
        };
        let is_immutable_field = text(IMMUTABLE_FIELD).is_some();
        let follow_from = text(FOLLOW_FROM).and_then(|position| position.parse().ok());
        let error = match (kind, follow_from) {
            (ErrorKind::Lagged, Some(from)) => Error::lagged(from, status.message()),
            _ => Error::of_kind(kind, status.message()),
        };
        Ok(match is_immutable_field {
            true => error.about_immutable_field(),
            false => error,
        })
    }
}

fn code_of(error: &Error) -> Code {
    match error.kind() {
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::AlreadyExists => Code::AlreadyExists,
        ErrorKind::InvalidArgument => Code::InvalidArgument,
        ErrorKind::FailedPrecondition | ErrorKind::IncompatibleFormat | ErrorKind::NotAStore => {
            Code::FailedPrecondition
        }
        ErrorKind::Corrupt => Code::DataLoss,
        ErrorKind::Unavailable | ErrorKind::Locked | ErrorKind::Gone => Code::Unavailable,
        ErrorKind::Io if error.is_storage_full() => Code::ResourceExhausted,
        ErrorKind::Io | ErrorKind::Forked => Code::Internal,
        ErrorKind::CommitUncertain => Code::Unknown,
        ErrorKind::Cancelled => Code::Cancelled,
        ErrorKind::Lagged => Code::OutOfRange,
    }
}

/// Returns the kind for a code, if a status with this code can come from no other kind.
fn kind_of(code: Code) -> Option<ErrorKind> {
    match code {
        Code::NotFound => Some(ErrorKind::NotFound),
        Code::AlreadyExists => Some(ErrorKind::AlreadyExists),
        Code::InvalidArgument => Some(ErrorKind::InvalidArgument),
        Code::FailedPrecondition => Some(ErrorKind::FailedPrecondition),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::model::position::Position;
    use crate::model::revision::Revision;

    /// Returns a status as a client receives it.
    fn received(status: &Status) -> Status {
        let sent = status.clone().into_http::<()>();
        Status::from_header_map(sent.headers()).unwrap()
    }

    #[test]
    fn every_kind_comes_back_over_the_wire_with_its_text() {
        for kind in ErrorKind::ALL {
            let error = Error::of_kind(kind, "get \"w\u{e9}b\": why");
            let status = Status::from(error.clone());
            let back = Error::try_from(received(&status)).unwrap();
            assert_eq!(back.kind(), kind);
            assert_eq!(back.to_string(), error.to_string());
            assert!(!back.is_immutable_field());
        }
        let error = Error::of_kind(ErrorKind::InvalidArgument, "no").about_immutable_field();
        let back = Error::try_from(received(&Status::from(error))).unwrap();
        assert!(back.is_immutable_field());
        let from = Position::new(1 << 63, Revision::new(7), Revision::new(9));
        let error = Error::lagged(from, "behind");
        let back = Error::try_from(received(&Status::from(error))).unwrap();
        assert_eq!(back.follow_from(), Some(from));
    }

    #[test]
    fn an_error_of_this_process_comes_back_as_it_was() {
        let cause = io::Error::from(io::ErrorKind::StorageFull);
        let error = Error::of_kind(ErrorKind::Io, "the write failed").caused_by(cause);
        let text = format!("{error:#}");
        let status = Status::from(error);
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(status.message(), text);
        assert!(Error::try_from(status).unwrap().is_storage_full());
    }

    #[test]
    fn a_status_of_another_server_is_an_error_only_if_it_can_be_no_other() {
        let error = Error::try_from(Status::not_found("container \"web\"")).unwrap();
        assert!(error.is_not_found());
        assert_eq!(error.to_string(), "container \"web\"");
        for code in [
            Code::Ok,
            Code::Cancelled,
            Code::Unknown,
            Code::Unavailable,
            Code::DataLoss,
            Code::Internal,
            Code::Unauthenticated,
        ] {
            let status = Error::try_from(Status::new(code, "no")).unwrap_err();
            assert_eq!(status.code(), code);
        }
    }
}
