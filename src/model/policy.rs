//! The choices made when a store is created: which fields may change, and what an empty label means.

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
/// "Immutable" means that a full update with a different value is an error that names the field, and that
/// no field path names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Rules {
    /// As documented by containerd's `containers` package: image and snapshot key are immutable, and an
    /// attempt to change an immutable field is always reported.
    #[default]
    Strict,
    /// As containerd 2.x behaves, and as its clients expect.
    Containerd2,
}

/// All choices made when a store is created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) rules: Rules,
    /// Whether a label with an empty value is kept. Otherwise it means "no label".
    pub(crate) keep_empty_labels: bool,
}
