//! One selector: a field and what is asked of it.

use crate::model::field::Field;

use super::pattern::Pattern;

/// A field and what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Selector {
    pub(super) path: Path,
    pub(super) test: Test,
}

/// What is asked of a field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Test {
    /// It is there.
    Present,
    /// It is there and has this value.
    Equals(Vec<u8>),
    /// It has another value; when it is not there, its value is "".
    Differs(Vec<u8>),
    /// Its value matches; when it is not there, its value is "".
    Matches(Pattern),
}

/// The path to a field, in normal form: two paths that mean the same known field are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Path {
    field: Field,
    /// The parts of a path to an unknown field, which tell unknown fields apart; else nothing.
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

    /// The field it leads to.
    pub(super) fn field(&self) -> &Field {
        &self.field
    }

    /// The parts of a path to an unknown field; else nothing.
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
