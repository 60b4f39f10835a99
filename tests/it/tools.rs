//! What the tests of the tools share: a store with everything in it, and looks at its files.

use std::fs;
use std::path::Path;

use bayplan::{Any, Container, Db, FieldMask, Filters, Runtime};

/// A spec of some size that names its container.
pub(crate) fn spec(id: &str, bytes: usize) -> Any {
    let filler = filler(id, bytes);
    Any::new(
        "types.containerd.io/opencontainers/runtime-spec/1/Spec",
        format!("{{\"hostname\":\"{id}\",\"filler\":\"{filler}\"}}"),
    )
}

/// Letters and digits that cannot be compressed, different for each id.
pub(crate) fn filler(id: &str, bytes: usize) -> String {
    let seed = crc32fast::hash(id.as_bytes());
    let mut numbers = Numbers::new(seed.into());
    let letter = |number: usize| char::from_digit(number as u32, 36).unwrap();
    (0..bytes).map(|_| letter(numbers.below(36))).collect()
}

/// A container with something in every field.
pub(crate) fn container(id: &str, spec_bytes: usize) -> Container {
    let options = Any::new("options", b"{ \"not\": \"compact\" }");
    Container::new(
        id,
        Runtime::new("io.containerd.runc.v2").options(options),
        spec(id, spec_bytes),
    )
    .image("docker.io/library/nginx:1.29")
    .snapshot("overlayfs", format!("{id}-rootfs"))
    .sandbox("pod-1")
    .label("app", "nginx")
    .label("odd \n\0\u{10ffff}\"", "v\u{7f}")
    .extension("blob", Any::new("bytes", (0..=255).collect::<Vec<u8>>()))
    .extension("empty", Any::new("", b""))
}

/// Fills a store with `count` containers in each of two namespaces, and an empty namespace.
pub(crate) fn fill(db: &Db, count: usize, spec_bytes: usize) {
    db.create_namespace("empty", [("team".into(), "infra".into())].into())
        .unwrap();
    for name in ["default", "k8s.io"] {
        db.write(|txn| -> bayplan::Result<()> {
            let store = txn.namespace(name)?;
            for n in 0..count {
                store.create(container(&format!("c{n:05}"), spec_bytes))?;
            }
            Ok(())
        })
        .unwrap();
    }
    let store = db.namespace("default").unwrap();
    if count > 1 {
        let change = Container::with_id("c00001").label("tier", "front");
        let mask = FieldMask::parse(["labels.tier"]).unwrap();
        store.update(change, &mask).unwrap();
    }
}

/// Everything that a store holds.
pub(crate) fn content(db: &Db) -> Vec<(String, bayplan::Labels, Vec<Container>)> {
    let snapshot = db.read().unwrap();
    let names = snapshot.list_namespaces().unwrap();
    names
        .iter()
        .map(|name| {
            let labels = snapshot.namespace_labels(name.as_str()).unwrap();
            let store = snapshot.namespace(name.as_str()).unwrap();
            (
                name.to_string(),
                labels,
                store.list(&Filters::all()).unwrap(),
            )
        })
        .collect()
}

/// The dump of a store.
pub(crate) fn dump(db: &Db) -> Vec<u8> {
    let mut bytes = Vec::new();
    db.dump(&mut bytes, |_| {}).unwrap();
    bytes
}

/// Whether the file can be read and written by its owner only.
#[track_caller]
pub(crate) fn assert_private(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{mode:o}");
    }
}

/// The names of the files in a directory, also the hidden ones.
pub(crate) fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Numbers that look random and are the same every time.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}
