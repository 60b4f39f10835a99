//! What a store is created with: which fields may change, and what an empty label means.

use serde::{Deserialize, Serialize};

/// Which fields of a container may change, chosen when a store is created or opened.
///
/// | field | `Strict` | `Containerd2` |
/// |---|---|---|
/// | labels, spec, extensions | mutable | mutable |
/// | image, snapshot key | immutable | mutable |
/// | runtime's name, snapshotter | immutable | immutable |
/// | runtime's options, sandbox id | immutable | kept, a difference is ignored |
///
/// "Immutable" means that a full update whose input differs is an error that names the field; no
/// field path reaches it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Rules {
    /// The documented words of containerd's `containers` package: image and snapshot key are
    /// immutable, and an attempt to change what is immutable is always reported.
    #[default]
    Strict,
    /// What containerd 2.x does, as its clients expect.
    Containerd2,
}

/// All that a store is created with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) rules: Rules,
    /// Whether a label with an empty value is kept, where it otherwise means "no label".
    pub(crate) keep_empty_labels: bool,
}
