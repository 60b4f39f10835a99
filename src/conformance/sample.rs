//! Containers to try laws on.

use chrono::{DateTime, Utc};

use crate::any::Any;
use crate::container::{Container, Runtime};
use crate::labels::Labels;
use crate::revision::Revision;

/// A namespace.
pub(super) const HOME: &str = "home";

/// Another one.
pub(super) const AWAY: &str = "away";

/// Texts that are no identifiers.
pub(super) const NO_IDENTIFIERS: &[&str] = &[
    "", ".", "-", "_", "-a", "a-", ".a", "a.", "_a", "a_", "a..b", "a--b", "a__b", "a.-b", "a/b",
    "a b", " a", "a ", "a\n", "a\0b", "a:b", "a@b", "é", "日本",
];

/// A container with what is required and nothing else.
pub(super) fn bare(id: &str) -> Container {
    Container::new(id, Runtime::new("io.containerd.runc.v2"), any("spec"))
}

/// A container with every field set.
pub(super) fn complete(id: &str) -> Container {
    let runtime = Runtime::new("io.containerd.runc.v2").options(any("options"));
    Container::new(id, runtime, any("spec"))
        .image("docker.io/library/nginx:1.29")
        .snapshot("overlayfs", "rootfs")
        .sandbox("pod")
        .label("app", "nginx")
        .label("io.kubernetes.pod.name", "front")
        .extension("first", any("1"))
        .extension("example.com/second.one", any("2"))
}

/// A value with a type of its own.
pub(super) fn any(text: &str) -> Any {
    Any::new(format!("example.com/{text}"), text)
}

/// Labels of one key and value.
pub(super) fn labels(key: &str, value: &str) -> Labels {
    Labels::from([(key.to_owned(), value.to_owned())])
}

/// The same container as somebody would have it who sets what only the store may set.
pub(super) fn forged(mut container: Container) -> Container {
    container.created_at = forged_time();
    container.updated_at = forged_time();
    container.revision = forged_revision();
    container
}

/// A time that no clock of a store shows: the year 2262.
pub(super) fn forged_time() -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(i64::MAX)
}

/// A revision that no store reaches.
pub(super) fn forged_revision() -> Revision {
    Revision::new(u64::MAX - 1)
}

/// The container without what the store sets, to compare the rest.
pub(super) fn unstamped(mut container: Container) -> Container {
    container.created_at = DateTime::UNIX_EPOCH;
    container.updated_at = DateTime::UNIX_EPOCH;
    container.revision = Revision::NONE;
    container
}
