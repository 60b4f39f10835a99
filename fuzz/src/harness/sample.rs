//! Containers and stores to run inputs against; the same ones every time.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Once;

use bayplan::{Any, Container, Db, Filters, Maintenance, Record, Runtime};
use tempfile::TempDir;

thread_local! {
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// Containers that differ in what filters ask for.
pub(crate) fn containers() -> Vec<Container> {
    let spec = || Any::new("spec", br#"{"hostname":"web"}"#);
    let mut containers = Vec::new();
    for number in 0..12usize {
        let runtime = Runtime::new(["runc", "io.containerd.runc.v2", "kata"][number % 3]);
        let mut container = Container::new(format!("c{number}"), runtime, spec());
        if number % 2 == 0 {
            container = container.image(format!("docker.io/library/i{}:1", number % 4));
        }
        if number % 3 == 0 {
            container = container.snapshot("overlayfs", format!("key {number}"));
        }
        if number % 4 == 1 {
            container = container.sandbox("pod").extension("x", Any::new("t", b"v"));
        }
        if number % 5 != 0 {
            let value = ["nginx", "a b", "\u{e9}\n", "\"/|"][number % 4];
            container = container.label("app", value).label("a.b/c", "1");
        }
        containers.push(container);
    }
    containers
}

/// A dump of a small store, always the same, without the checksum: it may be edited.
pub(crate) const DUMP: &str = r#"{"bayplan_dump":2,"store":{"id":"4c1a4d0c-4bb5-4e6b-9d0a-5f8f2c1d7e90","created_at":"2024-01-02T03:04:05Z","rules":"strict","revisions_below":1024}}
{"namespace":"default","labels":{"team":"infra"}}
{"namespace":"default","container":{"id":"c0","labels":{"app":"nginx","a.b/c":"1"},"image":"docker.io/library/nginx:1","runtime":{"name":"runc","options":{"type_url":"o","base64":"AP8="}},"spec":{"type_url":"spec","json":{"hostname":"web"}},"snapshotter":"overlayfs","snapshot_key":"k","created_at":"2024-01-02T03:04:05.000000006Z","updated_at":"2024-01-02T03:04:06Z","extensions":{"x":{"type_url":"t","base64":"dg=="}},"revision":7}}
{"namespace":"default","container":{"id":"c1","runtime":{"name":"runc"},"spec":{"type_url":"","base64":""},"sandbox_id":"pod","created_at":"2024-01-02T03:04:05Z","updated_at":"2024-01-02T03:04:05Z","revision":8}}
{"namespace":"default","kind":"images","record":{"id":"r0","labels":{"app":"nginx"},"value":{"type_url":"t","base64":"dg=="},"created_at":"2024-01-02T03:04:05Z","updated_at":"2024-01-02T03:04:05Z","revision":9}}
{"namespace":"k8s.io","labels":{}}
{"end":{"namespaces":2,"containers":2,"records":1}}
"#;

/// A directory for the files of one input after the other.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The path of a file that is not there.
    pub(crate) fn free(&self, name: &str) -> PathBuf {
        let path = self.0.path().join(name);
        let _ = std::fs::remove_file(&path);
        path
    }

    /// Whether there is anything but these files.
    pub(crate) fn assert_holds_only(&self, names: &[&str]) {
        for entry in std::fs::read_dir(self.0.path()).unwrap() {
            let name = entry.unwrap().file_name();
            let name = name.to_str().unwrap();
            assert!(names.contains(&name), "{name} was left behind");
        }
    }
}

/// The store of [`DUMP`], as a file.
pub(crate) fn load_dump(path: &Path) {
    let tools = Maintenance::new();
    tools.load(path, DUMP.as_bytes(), |_| {}).unwrap();
}

/// A container, or a record of another kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Container(Box<Container>),
    Record(String, Record),
}

/// Everything that is stored, with its namespace.
pub(crate) fn contents(db: &Db) -> bayplan::Result<Vec<(String, Item)>> {
    let mut contents = Vec::new();
    for name in db.list_namespaces()? {
        let store = db.namespace(name.as_str())?;
        for container in store.list(&Filters::all())? {
            let item = Item::Container(Box::new(container));
            contents.push((name.to_string(), item));
        }
        for kind in db.record_kinds(name.as_str())? {
            for record in store.records(&kind)?.list(&Filters::all())? {
                contents.push((name.to_string(), Item::Record(kind.clone(), record)));
            }
        }
    }
    Ok(contents)
}

/// Runs `work`, in which nothing may panic, also where the library would catch it.
pub(crate) fn without_panics_inside(work: impl FnOnce()) {
    static COUNTING: Once = Once::new();
    COUNTING.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.set(PANICS.get() + 1);
            others(panic);
        }));
    });
    let before = PANICS.get();
    work();
    assert_eq!(
        PANICS.get(),
        before,
        "the library met a panic and caught it"
    );
}
