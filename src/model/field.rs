//! The names of a container's fields. They are spelled here only.
//!
//! Field paths of an update and selectors of a filter use the same names. A filter's path resolves to a
//! [`Field`] here; the container says what a field holds.

/// The spellings of field names, as clients write them: lower case, no underscores.
pub(crate) mod name {
    /// The container's identifier.
    pub(crate) const ID: &str = "id";
    /// The labels; the rest of the path is a label's key.
    pub(crate) const LABELS: &str = "labels";
    /// The image reference.
    pub(crate) const IMAGE: &str = "image";
    /// The runtime; only [`RUNTIME_NAME`] below it can be filtered on.
    pub(crate) const RUNTIME: &str = "runtime";
    /// The part after [`RUNTIME`] that names the runtime: `runtime.name`.
    pub(crate) const RUNTIME_NAME: &str = "name";
    /// The runtime specification.
    pub(crate) const SPEC: &str = "spec";
    /// The snapshotter's name.
    pub(crate) const SNAPSHOTTER: &str = "snapshotter";
    /// The key of the root snapshot.
    pub(crate) const SNAPSHOT_KEY: &str = "snapshotkey";
    /// The extensions; the rest of the path is an extension's name.
    pub(crate) const EXTENSIONS: &str = "extensions";
    /// The sandbox that the container belongs to.
    pub(crate) const SANDBOX_ID: &str = "sandboxid";
    /// The value of a record of another kind.
    pub(crate) const VALUE: &str = "value";
    /// The type URL of a record's value.
    pub(crate) const TYPE: &str = "type";
    /// When the container was created.
    pub(crate) const CREATED_AT: &str = "createdat";
    /// When the container was last updated.
    pub(crate) const UPDATED_AT: &str = "updatedat";
}

/// A field that a filter can test.
///
/// Keys are bytes, because a quoted part of a path may spell bytes that are not UTF-8. Such a key is not an
/// error; no container has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Field {
    /// `id`
    Id,
    /// `image`
    Image,
    /// `runtime.name`
    RuntimeName,
    /// `snapshotter`
    Snapshotter,
    /// `snapshotkey`
    SnapshotKey,
    /// `sandboxid`
    SandboxId,
    /// `type`, of a record of another kind.
    Type,
    /// `labels.KEY`; a lone `labels` is the empty key, which no container has.
    Label(Vec<u8>),
    /// `extensions.NAME`; a lone `extensions` is the empty name, which no container has.
    Extension(Vec<u8>),
    /// Any other path: absent in every container, and not an error.
    Unknown,
}

impl Field {
    /// Returns the field that the parts of a path name.
    ///
    /// The parts after `labels` and `extensions` are joined by `.` into one key; the parts after a
    /// plain field are ignored, so that `id.anything` is `id`.
    pub(crate) fn resolve(parts: &[Vec<u8>]) -> Field {
        let Some((first, rest)) = parts.split_first() else {
            return Field::Unknown;
        };
        let Ok(first) = str::from_utf8(first) else {
            return Field::Unknown;
        };
        match first {
            name::ID => Field::Id,
            name::IMAGE => Field::Image,
            name::RUNTIME if is(rest.first(), name::RUNTIME_NAME) => Field::RuntimeName,
            name::SNAPSHOTTER => Field::Snapshotter,
            name::SNAPSHOT_KEY => Field::SnapshotKey,
            name::SANDBOX_ID => Field::SandboxId,
            name::TYPE => Field::Type,
            name::LABELS => Field::Label(rest.join(&b'.')),
            name::EXTENSIONS => Field::Extension(rest.join(&b'.')),
            _ => Field::Unknown,
        }
    }

    /// Whether a path that resolves to this field names exactly one field of a container, unlike `runtime`,
    /// `labels` alone, and `id.x`.
    pub(crate) fn is_named_by(&self, parts: &[Vec<u8>]) -> bool {
        match self {
            // A container has no `type`, only a record of another kind.
            Field::Unknown | Field::Type => false,
            Field::Label(key) | Field::Extension(key) => !key.is_empty(),
            Field::RuntimeName => parts.len() == 2,
            Field::Id
            | Field::Image
            | Field::Snapshotter
            | Field::SnapshotKey
            | Field::SandboxId => parts.len() == 1,
        }
    }
}

/// Whether this part of a path exists and spells `name`.
fn is(part: Option<&Vec<u8>>, name: &str) -> bool {
    part.is_some_and(|part| part == name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn resolves(path: &[&str], field: Field) {
        let parts: Vec<Vec<u8>> = path.iter().map(|part| part.as_bytes().to_vec()).collect();
        assert_eq!(Field::resolve(&parts), field);
    }

    #[test]
    fn plain_fields_ignore_the_parts_that_follow() {
        resolves(&["id"], Field::Id);
        resolves(&["id", "x"], Field::Id);
        resolves(&["image", "x", "y"], Field::Image);
        resolves(&["runtime", "name"], Field::RuntimeName);
        resolves(&["runtime", "name", "x"], Field::RuntimeName);
        resolves(&["snapshotter", "x"], Field::Snapshotter);
        resolves(&["snapshotkey"], Field::SnapshotKey);
        resolves(&["sandboxid"], Field::SandboxId);
        resolves(&["type"], Field::Type);
    }

    #[test]
    fn the_parts_after_a_map_are_joined_into_one_key() {
        resolves(&["labels", "app"], Field::Label(b"app".to_vec()));
        resolves(&["labels", "a.b", "c"], Field::Label(b"a.b.c".to_vec()));
        resolves(&["labels", "", ""], Field::Label(b".".to_vec()));
        resolves(&["labels"], Field::Label(Vec::new()));
        resolves(&["extensions", "a", "b"], Field::Extension(b"a.b".to_vec()));
        resolves(&["extensions"], Field::Extension(Vec::new()));
    }

    #[test]
    fn every_other_path_is_unknown() {
        for path in [
            &["runtime"][..],
            &["runtime", "options"],
            &["name"],
            &["ID"],
            &["spec"],
            &["createdat"],
            &["updatedat"],
            &["snapshot_key"],
            &[""],
            &[],
        ] {
            resolves(path, Field::Unknown);
        }
        assert_eq!(Field::resolve(&[vec![0xff]]), Field::Unknown);
    }
}
