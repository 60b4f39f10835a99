//! One selector: a field and a condition.

use crate::model::field::{Field, name};

use super::pattern::Pattern;

/// A field and a condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Selector {
    pub(super) path: Path,
    pub(super) test: Test,
}

/// The condition on a field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Test {
    /// It is present.
    Present,
    /// It is present and has this value.
    Equals(Vec<u8>),
    /// It has another value. If absent, its value is "".
    Differs(Vec<u8>),
    /// Its value matches. If absent, its value is "".
    Matches(Pattern),
}

/// The path to a field, in normal form: two paths that mean the same known field are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Path {
    field: Field,
    /// The parts of a path to an unknown field, to distinguish unknown fields; otherwise empty.
    unknown: Vec<Vec<u8>>,
}

impl Path {
    /// The path of these parts.
    pub(super) fn new(parts: &[Vec<u8>]) -> Path {
        let field = Field::resolve(parts);
        let unknown = if field == Field::Unknown {
            parts.to_vec()
        } else {
            Vec::new()
        };
        Path { field, unknown }
    }

    /// The field it names.
    pub(super) fn field(&self) -> &Field {
        &self.field
    }

    /// Its parts. A key is one of them, and what a path has beyond a known field is not.
    pub(super) fn parts(&self) -> Vec<&[u8]> {
        match &self.field {
            Field::Id => vec![name::ID.as_bytes()],
            Field::Image => vec![name::IMAGE.as_bytes()],
            Field::RuntimeName => vec![name::RUNTIME.as_bytes(), name::RUNTIME_NAME.as_bytes()],
            Field::Snapshotter => vec![name::SNAPSHOTTER.as_bytes()],
            Field::SnapshotKey => vec![name::SNAPSHOT_KEY.as_bytes()],
            Field::SandboxId => vec![name::SANDBOX_ID.as_bytes()],
            Field::Type => vec![name::TYPE.as_bytes()],
            Field::Label(key) => vec![name::LABELS.as_bytes(), key],
            Field::Extension(key) => vec![name::EXTENSIONS.as_bytes(), key],
            Field::Unknown => self.unknown.iter().map(Vec::as_slice).collect(),
        }
    }

    /// The parts of a path to an unknown field; otherwise empty.
    pub(super) fn unknown(&self) -> &[Vec<u8>] {
        &self.unknown
    }
}

impl From<Field> for Path {
    /// The path to a known field.
    fn from(field: Field) -> Path {
        Path {
            field,
            unknown: Vec::new(),
        }
    }
}
