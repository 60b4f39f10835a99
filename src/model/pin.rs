//! Pins: what containers and records hold, so that a host's garbage collector keeps it.
//!
//! The labels are containerd's. It reads them of images, content, snapshots, containers and sandboxes, not of
//! namespaces.

use std::fmt;

use crate::model::kind::Kind;

/// The beginning of a label's key if the record holds what the label names.
const REFERENCE: &str = "containerd.io/gc.ref.";

/// The beginning of a label's key if what the label names holds the record.
const BACK_REFERENCE: &str = "containerd.io/gc.bref.";

/// A node in the graph of a garbage collector: something that is kept as long as something else needs it.
///
/// The store knows containers and records. Everything else is only a name in them, and need not exist.
///
/// A record of another kind is always [`Resource::Record`]. A host that keeps its images as records of a kind `images`
/// has two names for one image, and must treat them as one: see the example of [`Collection::pins`].
///
/// [`Collection::pins`]: crate::Collection::pins
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Resource {
    /// A container of the namespace.
    Container {
        /// Its id.
        id: String,
    },
    /// A record of another kind in the namespace.
    Record {
        /// Its kind, such as `images`.
        kind: String,
        /// Its id.
        id: String,
    },
    /// An image.
    Image {
        /// Its name, such as `docker.io/library/nginx:1.29`.
        name: String,
    },
    /// A snapshot.
    Snapshot {
        /// The snapshotter that has it, such as `overlayfs`.
        snapshotter: String,
        /// Its key.
        key: String,
    },
    /// A blob of the content store.
    Content {
        /// Its digest, such as `sha256:0123...`, not validated.
        digest: String,
    },
    /// Something of a type that only the host knows.
    Other {
        /// The type, as the label names it.
        kind: String,
        /// The name, as the label names it.
        name: String,
    },
}

impl fmt::Display for Resource {
    /// `image "nginx"`, `snapshot "web" of overlayfs`, ...
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container { id } => write!(f, "container {id:?}"),
            Self::Record { kind, id } => write!(f, "record {id:?} of kind {kind:?}"),
            Self::Image { name } => write!(f, "image {name:?}"),
            Self::Snapshot { snapshotter, key } => {
                write!(f, "snapshot {key:?} of {}", snapshotter.escape_debug())
            }
            Self::Content { digest } => write!(f, "content {digest:?}"),
            Self::Other { kind, name } => write!(f, "{} {name:?}", kind.escape_debug()),
        }
    }
}

/// A container or record says that one thing holds another; see [`Collection::pins`](crate::Collection::pins).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Pin {
    /// What is held: it must be kept as long as the holder is.
    pub held: Resource,
    /// What holds it.
    pub holder: Resource,
    /// Which field or label says so: of the holder or, by a back reference, of what is held.
    pub by: PinSource,
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is held by {}, ", self.held, self.holder)?;
        match &self.by {
            PinSource::Image => f.write_str("its image"),
            PinSource::Snapshot => f.write_str("its snapshot"),
            PinSource::Label(key) => write!(f, "label {key:?}"),
        }
    }
}

/// Which field or label makes a [`Pin`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PinSource {
    /// [`Container::image`](crate::Container::image).
    Image,
    /// [`Container::snapshotter`](crate::Container::snapshotter) and
    /// [`Container::snapshot_key`](crate::Container::snapshot_key).
    Snapshot,
    /// The label with this key.
    Label(String),
}

/// A [`Resource`] that borrows its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ResourceRef<'a> {
    Container(&'a str),
    Record(&'a str, &'a str),
    Image(&'a str),
    Snapshot(&'a str, &'a str),
    Content(&'a str),
    Other(&'a str, &'a str),
}

/// A [`Pin`] that borrows its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PinRef<'a> {
    pub(crate) held: ResourceRef<'a>,
    holder: ResourceRef<'a>,
    by: SourceRef<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SourceRef<'a> {
    Image,
    Snapshot,
    Label(&'a str),
}

impl PinRef<'_> {
    /// Whether a container holds its image.
    pub(crate) fn is_of_image_field(&self) -> bool {
        self.by == SourceRef::Image
    }
}

/// The fields by which a container holds something. Empty ones hold nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PinningFields<'a> {
    pub(crate) image: &'a str,
    pub(crate) snapshotter: &'a str,
    pub(crate) snapshot_key: &'a str,
}

/// Iterates over the pins of a container or record: first by its fields, then by its labels in their order.
pub(crate) fn pins<'a>(
    kind: &'a Kind,
    id: &'a str,
    fields: PinningFields<'a>,
    labels: impl Iterator<Item = (&'a str, &'a str)>,
) -> impl Iterator<Item = PinRef<'a>> {
    let own = match kind.of_collection() {
        Some(kind) => ResourceRef::Record(kind, id),
        None => ResourceRef::Container(id),
    };
    let holds = move |held, by| PinRef {
        held,
        holder: own,
        by,
    };
    let image = (!fields.image.is_empty())
        .then(|| holds(ResourceRef::Image(fields.image), SourceRef::Image));
    let snapshot = (!fields.snapshotter.is_empty() && !fields.snapshot_key.is_empty()).then(|| {
        let snapshot = ResourceRef::Snapshot(fields.snapshotter, fields.snapshot_key);
        holds(snapshot, SourceRef::Snapshot)
    });
    let labels = labels.filter_map(move |(key, value)| {
        let by = SourceRef::Label(key);
        if let Some(rest) = key.strip_prefix(REFERENCE) {
            return named(rest, value).map(|held| holds(held, by));
        }
        let holder = named(key.strip_prefix(BACK_REFERENCE)?, value)?;
        Some(PinRef {
            held: own,
            holder,
            by,
        })
    });
    image.into_iter().chain(snapshot).chain(labels)
}

/// Returns what a label names whose key ends in `rest`. `rest` is a type, then perhaps `.` or `/` and any text, which
/// distinguishes several labels. For a snapshot, the type is followed by `.` and the snapshotter, which may have dots,
/// then perhaps `/` and any text.
fn named<'a>(rest: &'a str, value: &'a str) -> Option<ResourceRef<'a>> {
    let (kind, suffix) = match rest.find(['.', '/']) {
        Some(end) => rest.split_at_checked(end)?,
        None => (rest, ""),
    };
    if kind.is_empty() || value.is_empty() {
        return None;
    }
    Some(match kind {
        "container" => ResourceRef::Container(value),
        "content" => ResourceRef::Content(value),
        "image" => ResourceRef::Image(value),
        "snapshot" => {
            let snapshotter = suffix.strip_prefix('.')?.split('/').next()?;
            if snapshotter.is_empty() {
                return None;
            }
            ResourceRef::Snapshot(snapshotter, value)
        }
        kind => ResourceRef::Other(kind, value),
    })
}

impl<'a> From<&'a Resource> for ResourceRef<'a> {
    fn from(resource: &'a Resource) -> Self {
        match resource {
            Resource::Container { id } => Self::Container(id),
            Resource::Record { kind, id } => Self::Record(kind, id),
            Resource::Image { name } => Self::Image(name),
            Resource::Snapshot { snapshotter, key } => Self::Snapshot(snapshotter, key),
            Resource::Content { digest } => Self::Content(digest),
            Resource::Other { kind, name } => Self::Other(kind, name),
        }
    }
}

impl From<ResourceRef<'_>> for Resource {
    fn from(resource: ResourceRef<'_>) -> Self {
        let owned = str::to_owned;
        match resource {
            ResourceRef::Container(id) => Self::Container { id: owned(id) },
            ResourceRef::Record(kind, id) => Self::Record {
                kind: owned(kind),
                id: owned(id),
            },
            ResourceRef::Image(name) => Self::Image { name: owned(name) },
            ResourceRef::Snapshot(snapshotter, key) => Self::Snapshot {
                snapshotter: owned(snapshotter),
                key: owned(key),
            },
            ResourceRef::Content(digest) => Self::Content {
                digest: owned(digest),
            },
            ResourceRef::Other(kind, name) => Self::Other {
                kind: owned(kind),
                name: owned(name),
            },
        }
    }
}

impl From<PinRef<'_>> for Pin {
    fn from(pin: PinRef<'_>) -> Self {
        Self {
            held: pin.held.into(),
            holder: pin.holder.into(),
            by: match pin.by {
                SourceRef::Image => PinSource::Image,
                SourceRef::Snapshot => PinSource::Snapshot,
                SourceRef::Label(key) => PinSource::Label(key.to_owned()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn names(key: &str, expected: Option<ResourceRef<'_>>) {
        let labels = [(key, "x")];
        let found = pins(
            &Kind::CONTAINERS,
            "web",
            PinningFields::default(),
            labels.into_iter(),
        );
        let found: Vec<_> = found.collect();
        assert_eq!(found.first().map(|pin| pin.held), expected, "{key}");
        assert!(found.len() <= 1);
    }

    #[test]
    fn a_reference_names_a_type_and_perhaps_something_to_tell_it_from_others() {
        for key in [
            "containerd.io/gc.ref.content",
            "containerd.io/gc.ref.content.0",
            "containerd.io/gc.ref.content.l.0",
            "containerd.io/gc.ref.content/config",
            "containerd.io/gc.ref.content.",
        ] {
            names(key, Some(ResourceRef::Content("x")));
        }
        names(
            "containerd.io/gc.ref.image/base",
            Some(ResourceRef::Image("x")),
        );
        names(
            "containerd.io/gc.ref.container",
            Some(ResourceRef::Container("x")),
        );
        names(
            "containerd.io/gc.ref.mount.0",
            Some(ResourceRef::Other("mount", "x")),
        );
        names(
            "containerd.io/gc.ref.contents",
            Some(ResourceRef::Other("contents", "x")),
        );
    }

    #[test]
    fn a_snapshotter_may_have_dots_and_ends_at_a_slash() {
        let overlay = Some(ResourceRef::Snapshot("overlayfs", "x"));
        names("containerd.io/gc.ref.snapshot.overlayfs", overlay);
        names("containerd.io/gc.ref.snapshot.overlayfs/a.b", overlay);
        let dotted = Some(ResourceRef::Snapshot("a.b", "x"));
        names("containerd.io/gc.ref.snapshot.a.b", dotted);
        names("containerd.io/gc.ref.snapshot.", None);
        names("containerd.io/gc.ref.snapshot./a", None);
        names("containerd.io/gc.ref.snapshot", None);
        names("containerd.io/gc.ref.snapshot/overlayfs", None);
    }

    #[test]
    fn other_labels_name_nothing() {
        for key in [
            "",
            "containerd.io/gc.ref",
            "containerd.io/gc.ref.",
            "containerd.io/gc.ref./x",
            "containerd.io/gc.root",
            "containerd.io/gc.expire",
            "containerd.io/gc.cond.snapshot.overlayfs",
            "x.containerd.io/gc.ref.content",
            "Containerd.io/gc.ref.content",
        ] {
            names(key, None);
        }
    }

    #[test]
    fn an_empty_value_names_nothing() {
        let labels = [("containerd.io/gc.ref.content", "")];
        let fields = PinningFields {
            snapshotter: "overlayfs",
            ..PinningFields::default()
        };
        let kind = Kind::CONTAINERS;
        assert_eq!(pins(&kind, "web", fields, labels.into_iter()).count(), 0);
    }

    #[test]
    fn a_back_reference_is_said_by_what_is_held() {
        let labels = [("containerd.io/gc.bref.snapshot.overlayfs/a", "rootfs")];
        let kind = Kind::new("images").unwrap();
        let fields = PinningFields::default();
        let found: Vec<Pin> = pins(&kind, "nginx", fields, labels.into_iter())
            .map(Pin::from)
            .collect();
        let [pin] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(
            pin.to_string(),
            "record \"nginx\" of kind \"images\" is held by snapshot \"rootfs\" of overlayfs, \
             label \"containerd.io/gc.bref.snapshot.overlayfs/a\""
        );
    }

    #[test]
    fn a_resource_is_the_same_borrowed_and_owned() {
        for resource in [
            ResourceRef::Container("a"),
            ResourceRef::Record("a", "b"),
            ResourceRef::Image("a"),
            ResourceRef::Snapshot("a", "b"),
            ResourceRef::Content("a"),
            ResourceRef::Other("a", "b"),
        ] {
            assert_eq!(ResourceRef::from(&Resource::from(resource)), resource);
        }
    }
}
