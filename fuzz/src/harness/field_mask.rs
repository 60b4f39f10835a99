//! Field masks: what parses prints as what parses to the same; an update takes the fields that the
//! mask names from its input, and no other.

use bayplan::{
    Any, Container, Db, FieldMask, FieldPath, Labels, Namespace, Rules, Runtime, Stored as _,
};

use super::Canary;

thread_local! {
    static STORES: [Namespace; 2] = [Rules::Strict, Rules::Containerd2].map(|rules| {
        let db = Db::builder().rules(rules).in_memory().unwrap();
        db.namespace("default").unwrap()
    });
}

/// The input is the paths, one on each line. An empty input has no paths.
pub(crate) fn run(data: &[u8], canary: Canary) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let paths: Vec<&str> = match text {
        "" => Vec::new(),
        text => text.split('\n').collect(),
    };
    let deferred = FieldMask::deferred(&paths);
    let mask = match FieldMask::parse(&paths) {
        Ok(mask) => mask,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(paths.iter().any(|path| error.position() <= path.len()));
            let refused = stored().check_mask(&input(&deferred), &deferred);
            assert!(refused.unwrap_err().is_invalid_argument());
            return;
        }
    };
    assert_eq!(deferred, mask);
    assert_eq!(mask.is_full(), paths.is_empty());
    let printed: Vec<String> = mask.paths().map(ToString::to_string).collect();
    assert_eq!(printed, paths);
    assert_eq!(FieldMask::of(mask.paths().cloned()), mask);
    STORES.with(|stores| {
        for store in stores {
            updates_what_it_names(store, &mask, canary);
        }
    });
}

fn stored() -> Container {
    let mut container = Container::new("web", Runtime::new("runc"), Any::new("spec", b"old"))
        .image("old")
        .snapshot("overlayfs", "old")
        .extension("both", Any::new("t", b"old"))
        .extension("stays", Any::new("t", b"old"));
    container.labels = labels(&[("both", "old"), ("stays", "old"), ("a.b", "old")]);
    container
}

/// What the update brings; of the labels and extensions that the mask names every other one.
fn input(mask: &FieldMask) -> Container {
    let mut input = Container::new("web", Runtime::new("runc"), Any::new("spec", b"new"))
        .image("new")
        .snapshot("overlayfs", "new")
        .extension("both", Any::new("t", b"new"));
    input.labels = labels(&[("both", "new"), ("comes", "new"), ("empty", "")]);
    for path in mask.paths() {
        match path {
            FieldPath::Label(key) if key.len() % 2 == 1 => {
                input.labels.insert(key.clone(), "named".to_owned());
            }
            FieldPath::Extension(name) if name.len() % 2 == 1 => {
                let value = Any::new("t", b"named");
                input.extensions.insert(name.clone(), value);
            }
            _ => {}
        }
    }
    input
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    let pairs = pairs.iter().copied();
    pairs
        .map(|(key, value)| (key.into(), value.into()))
        .collect()
}

/// The container after the update, if it is accepted.
fn updated(mask: &FieldMask, canary: Canary) -> Container {
    let (mut updated, input) = (stored(), input(mask));
    for path in mask.paths() {
        match path {
            FieldPath::Labels => updated.labels = input.labels.clone(),
            FieldPath::Label(key) => {
                let value = input.labels.get(key).cloned().unwrap_or_default();
                updated.labels.insert(key.clone(), value);
            }
            FieldPath::Spec => updated.spec = input.spec.clone(),
            FieldPath::Extensions => updated.extensions = input.extensions.clone(),
            FieldPath::Extension(name) => {
                updated.extensions.remove(name);
                if let Some(value) = input.extensions.get(name) {
                    updated.extensions.insert(name.clone(), value.clone());
                }
            }
            FieldPath::Image => updated.image.clone_from(&input.image),
            FieldPath::SnapshotKey => updated.snapshot_key.clone_from(&input.snapshot_key),
            _ => {}
        }
    }
    updated.labels.retain(|_, value| !value.is_empty());
    if canary == Canary::Planted {
        updated.labels.remove("stays");
    }
    updated
}

fn updates_what_it_names(store: &Namespace, mask: &FieldMask, canary: Canary) {
    let before = store.create(stored()).unwrap();
    match store.update(input(mask), mask) {
        Err(error) => {
            assert!(error.is_invalid_argument(), "{error:#}");
            assert_eq!(store.get("web").unwrap(), before);
        }
        Ok(after) => {
            assert_eq!(store.get("web").unwrap(), after);
            assert!(after.updated_at > before.updated_at && after.revision > before.revision);
            let mut expected = updated(mask, canary);
            expected.created_at = before.created_at;
            expected.updated_at = after.updated_at;
            expected.revision = after.revision;
            // Without a path all of the input is taken, and under these rules refused.
            assert!(mask.is_full() || after == expected, "{mask:?}: {after:?}");
        }
    }
    store.delete("web").unwrap();
}
