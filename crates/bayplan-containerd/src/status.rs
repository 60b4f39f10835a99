//! Errors as containerd words them.

use bayplan::{Error, ErrorKind};
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Status};

/// The metadata that names a namespace.
pub(crate) const NAMESPACE: &str = "containerd-namespace";

/// The namespace that a client works in.
///
/// # Errors
///
/// `FailedPrecondition` if it names none; `InvalidArgument` if there can be none of that name.
pub(crate) fn namespace_of<T>(request: &Request<T>) -> Result<String, Status> {
    let named = named_namespace(request.metadata());
    named.ok_or_else(|| Status::failed_precondition("namespace is required: failed precondition"))
}

/// The namespace that a client names, if it does.
pub(crate) fn named_namespace(metadata: &MetadataMap) -> Option<String> {
    let name = metadata.get(NAMESPACE)?.to_str().ok()?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// A request without what it is about.
pub(crate) fn missing(what: &str) -> Status {
    Status::invalid_argument(format!("{what} is required: invalid argument"))
}

/// The status of an error. The end of its text is containerd's: clients show it, and some look at it.
pub(crate) fn status(error: Error) -> Status {
    let text = text(&error);
    let status = Status::from(error);
    Status::with_metadata(status.code(), text, status.metadata().clone())
}

fn text(error: &Error) -> String {
    let end = match error.kind() {
        ErrorKind::NotFound => "not found",
        ErrorKind::AlreadyExists => "already exists",
        ErrorKind::InvalidArgument => "invalid argument",
        ErrorKind::FailedPrecondition => "failed precondition",
        _ => return format!("{error:#}"),
    };
    match (error.kind(), error.id(), error.namespace()) {
        (ErrorKind::NotFound | ErrorKind::AlreadyExists, Some(id), Some(namespace)) => {
            let what = match error.record_kind() {
                Some("leases") => "lease",
                Some("sandboxes") => "sandbox",
                Some(kind) => kind,
                None => "container",
            };
            format!("{what} {id:?} in namespace {namespace:?}: {end}")
        }
        (ErrorKind::NotFound | ErrorKind::AlreadyExists, None, Some(namespace)) => {
            format!("namespace {namespace:?}: {end}")
        }
        _ => format!("{error:#}: {end}"),
    }
}

/// What a call that is not served answers.
pub(crate) fn not_served(path: &str) -> Status {
    Status::new(
        Code::Unimplemented,
        format!(
            "{path} is not served: this is a Bayplan store of containers, sandboxes, namespaces and leases"
        ),
    )
}

#[cfg(test)]
mod tests {
    use bayplan::Db;

    use super::*;

    #[test]
    fn a_status_ends_as_containerds() {
        let db = Db::in_memory().unwrap();
        let error = db.namespace("n").unwrap().get("web").unwrap_err();
        let status = status(error);
        assert_eq!(status.code(), Code::NotFound);
        assert_eq!(
            status.message(),
            "container \"web\" in namespace \"n\": not found"
        );
        let error = db.namespace("not valid").unwrap_err();
        let status = super::status(error);
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().ends_with(": invalid argument"), "{status}");
    }
}
