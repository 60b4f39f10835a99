//! The subjects of laws: containers, or records of another kind.

use std::fmt::Debug;

use bayplan::{Any, Container, FieldMask, Labels, Record, Result};
use bayplan::{Revision, Runtime, Store, Stored};
use chrono::{DateTime, Utc};

use crate::Fixture;
use crate::sample::any;

/// The kind of the records in the laws.
pub(crate) const KIND: &str = "images";

/// A [`Container`] or a [`Record`], as the laws need it.
///
/// A law for both is generic over this.
pub trait Subject: Stored<Header: Debug + PartialEq> + Debug + PartialEq {
    /// Texts that are not valid ids.
    const NO_IDS: &'static [&'static str];

    /// The longest id, in bytes.
    const ID_MAX_BYTES: usize;

    /// The field path of its value.
    const VALUE: &'static str;

    /// Field paths that no update of it accepts.
    const NO_PATHS: &'static [&'static str];

    /// The store of it in one namespace.
    ///
    /// # Errors
    ///
    /// As [`Fixture::store`].
    fn store<'f>(fixture: &'f dyn Fixture, namespace: &str) -> Result<Box<dyn Store<Self> + 'f>>;

    /// One with only the required fields.
    fn bare(id: &str) -> Self;

    /// One with every field set, and two labels: `app` is `nginx`, `io.kubernetes.pod.name` is `front`.
    fn complete(id: &str) -> Self;

    /// One with the id `web` that differs from a [`complete`](Subject::complete) one in every field; its labels `app`
    /// and `new` are `other`.
    fn other() -> Self;

    /// The same one with one more label.
    #[must_use]
    fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels_mut().insert(key.into(), value.into());
        self
    }

    /// The same one with another value.
    #[must_use]
    fn valued(self, value: Any) -> Self;

    /// Its labels.
    fn its_labels(&self) -> &Labels;

    /// When it was created, and when it was updated.
    fn times(&self) -> (DateTime<Utc>, DateTime<Utc>);

    /// The same one with these times and this revision.
    #[must_use]
    fn stamped(self, times: (DateTime<Utc>, DateTime<Utc>), revision: Revision) -> Self;

    /// The mask of its value alone.
    fn value_mask() -> FieldMask {
        FieldMask::deferred([Self::VALUE])
    }
}

/// The methods that read the fields which containers and records have by the same name.
macro_rules! fields_of_both {
    () => {
        fn its_labels(&self) -> &Labels {
            &self.labels
        }

        fn times(&self) -> (DateTime<Utc>, DateTime<Utc>) {
            (self.created_at, self.updated_at)
        }

        fn stamped(mut self, times: (DateTime<Utc>, DateTime<Utc>), revision: Revision) -> Self {
            (self.created_at, self.updated_at) = times;
            self.revision = revision;
            self
        }
    };
}

impl Subject for Container {
    const NO_IDS: &'static [&'static str] = crate::sample::NO_IDENTIFIERS;
    const ID_MAX_BYTES: usize = bayplan::limits::IDENTIFIER_MAX_BYTES;
    const VALUE: &'static str = "spec";
    const NO_PATHS: &'static [&'static str] = &[
        "id",
        "runtime",
        "runtime.name",
        "runtime.options",
        "snapshotter",
        "sandboxid",
        "createdat",
        "updatedat",
        "value",
        "nope",
        "Labels",
        "snapshot_key",
        "labels.",
        "extensions.",
        "spec.value",
        "",
    ];

    fn store<'f>(fixture: &'f dyn Fixture, namespace: &str) -> Result<Box<dyn Store<Self> + 'f>> {
        fixture.store(namespace)
    }

    fn bare(id: &str) -> Self {
        Container::new(id, Runtime::new("io.containerd.runc.v2"), any("spec"))
    }

    fn complete(id: &str) -> Self {
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

    fn other() -> Self {
        let mut other = Self::bare("web")
            .image("other")
            .snapshot("other", "other")
            .sandbox("other")
            .spec(any("other"))
            .label("app", "other")
            .label("new", "other")
            .extension("first", any("other"))
            .extension("new", any("other"));
        other.runtime.name = "other".to_owned();
        other
    }

    fn valued(self, value: Any) -> Self {
        self.spec(value)
    }

    fields_of_both!();
}

impl Subject for Record {
    const NO_IDS: &'static [&'static str] = &["", "\0", "a\0b", "web\0"];
    const ID_MAX_BYTES: usize = bayplan::limits::RECORD_ID_MAX_BYTES;
    const VALUE: &'static str = "value";
    const NO_PATHS: &'static [&'static str] = &[
        "id",
        "createdat",
        "spec",
        "image",
        "snapshotkey",
        "extensions",
        "extensions.first",
        "nope",
        "Labels",
        "labels.",
        "value.value",
        "type",
        "",
    ];

    fn store<'f>(fixture: &'f dyn Fixture, namespace: &str) -> Result<Box<dyn Store<Self> + 'f>> {
        fixture.records(namespace, KIND)
    }

    fn bare(id: &str) -> Self {
        Record::new(id, any("value"))
    }

    fn complete(id: &str) -> Self {
        Record::new(id, any("value"))
            .label("app", "nginx")
            .label("io.kubernetes.pod.name", "front")
    }

    fn other() -> Self {
        Record::new("web", any("other"))
            .label("app", "other")
            .label("new", "other")
    }

    fn valued(mut self, value: Any) -> Self {
        self.value = value;
        self
    }

    fields_of_both!();
}
