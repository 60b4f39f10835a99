//! Files of containerd: whatever is in one, an import ends, with everything told, or with an error about the file. What
//! was imported is exported and imported again as the same.

use std::collections::BTreeMap;
use std::path::Path;

use bayplan::{Container, Db, Filters, Labels};
use bayplan_metadb::{Error, Event, MetaDb, export, import};
use boltfile::{WriteOptions, Writer};

use super::Canary;
use super::input::Input;
use super::sample::{Place, without_panics_inside};

const TIME: &[u8] = b"\x01\x00\x00\x00\x0e\xe2\x9c\xb1\xa8\x0f;<\xb3\xff\xff";

/// What the file has unless the input changes it.
const HEALTHY: [(&str, &[u8]); 17] = [
    ("v1/version", b"\x06"),
    ("v1/default/labels/team", b"infra"),
    ("v1/default/containers/web/createdat", TIME),
    (
        "v1/default/containers/web/extensions/blob",
        b"\x12\x02\x00\xff",
    ),
    ("v1/default/containers/web/image", b"nginx"),
    ("v1/default/containers/web/labels/app", b"nginx"),
    ("v1/default/containers/web/runtime/name", b"runc"),
    ("v1/default/containers/web/runtime/options", b"\x0a\x01o"),
    ("v1/default/containers/web/sandboxid", b"pod"),
    ("v1/default/containers/web/snapshotKey", b"k"),
    ("v1/default/containers/web/snapshotter", b"overlayfs"),
    ("v1/default/containers/web/spec", b"\x0a\x01t\x12\x02{}"),
    ("v1/default/containers/web/updatedat", TIME),
    ("v1/k8s.io/containers/pod/runtime/name", b"kata"),
    ("v1/k8s.io/containers/pod/spec", b""),
    ("v1/k8s.io/images/nginx/target/digest", b"sha256:1"),
    ("default/sandboxes/pod/createdat", TIME),
];

/// Where else the input may put something.
const OTHERS: [&str; 15] = [
    "v1",
    "v1/default",
    "v1/default/labels",
    "v1/default/containers",
    "v1/default/containers/web",
    "v1/default/containers/web/extensions",
    "v1/default/containers/web/labels",
    "v1/default/containers/web/runtime",
    "v1/default/content",
    "v1/default/content/blob",
    "v1/default/snapshots",
    "v1/default/snapshots/native",
    "v1/default/leases",
    "v1/version",
    "v1/-",
];

#[derive(Debug)]
enum Node {
    Value(Vec<u8>),
    Bucket(BTreeMap<Vec<u8>, Node>),
}

type Buckets = BTreeMap<Vec<u8>, Node>;

/// The node of a path, which comes into being with all on the way.
fn node<'n>(root: &'n mut Buckets, path: &[&[u8]]) -> Option<&'n mut Node> {
    let (first, rest) = path.split_first()?;
    let empty = || Node::Bucket(Buckets::new());
    let mut node = root.entry(first.to_vec()).or_insert_with(empty);
    for key in rest {
        if let Node::Value(_) = node {
            *node = empty();
        }
        let Node::Bucket(bucket) = node else {
            return None;
        };
        node = bucket.entry(key.to_vec()).or_insert_with(empty);
    }
    Some(node)
}

thread_local! {
    static PLACE: Place = Place::new();
}

/// The input is a file, if it has the magic number of one, or else what to change in a healthy one.
pub(crate) fn run(data: &[u8], canary: Canary) {
    PLACE.with(|place| {
        let path = place.free("meta.db");
        if data.get(16..20) == Some(&[0xed, 0xda, 0x0c, 0xed]) {
            std::fs::write(&path, data).unwrap();
        } else {
            write(&changed(Input::new(data)), &path);
        }
        let copy = place.free("copy.db");
        without_panics_inside(|| keeps_the_laws(&path, &copy, canary));
        place.assert_holds_only(&["meta.db", "copy.db"]);
    });
}

/// The healthy file with the changes of the input.
fn changed(mut input: Input<'_>) -> Buckets {
    let mut root = Buckets::new();
    for (path, value) in HEALTHY {
        let keys: Vec<&[u8]> = path.split('/').map(str::as_bytes).collect();
        if let Some(node) = node(&mut root, &keys) {
            *node = Node::Value(value.to_vec());
        }
    }
    while !input.is_empty() {
        let number = usize::from(input.byte()) % (HEALTHY.len() + OTHERS.len());
        let path = match HEALTHY.get(number) {
            Some((path, _)) => path,
            None => OTHERS[number - HEALTHY.len()],
        };
        let mut keys: Vec<&[u8]> = path.split('/').map(str::as_bytes).collect();
        let kind = input.byte();
        // With a key of its own below.
        if kind & 4 != 0 {
            let count = 1 + usize::from(input.byte());
            match input.bytes(count) {
                b"" => {}
                key => keys.push(key),
            }
        }
        match kind & 3 {
            0 => remove(&mut root, &keys),
            1 => {
                if let Some(node) = node(&mut root, &keys) {
                    *node = Node::Bucket(Buckets::new());
                }
            }
            _ => {
                let count = usize::from(input.byte());
                let value = input.bytes(count).to_vec();
                if let Some(node) = node(&mut root, &keys) {
                    *node = Node::Value(value);
                }
            }
        }
    }
    root
}

fn remove(root: &mut Buckets, path: &[&[u8]]) {
    match path.split_last() {
        Some((key, [])) => drop(root.remove(*key)),
        Some((key, around)) => {
            if let Some(Node::Bucket(bucket)) = node(root, around) {
                bucket.remove(*key);
            }
        }
        None => {}
    }
}

fn write(root: &Buckets, path: &Path) {
    fn nested(bucket: &Buckets, writer: &mut Writer) {
        for (key, node) in bucket {
            match node {
                Node::Value(value) => writer.put(key, value).unwrap(),
                Node::Bucket(bucket) => {
                    writer.open_bucket(key).unwrap();
                    nested(bucket, writer);
                    writer.close_bucket().unwrap();
                }
            }
        }
    }
    let mut writer = WriteOptions::new().page_bytes(1024).create(path).unwrap();
    nested(root, &mut writer);
    writer.finish().unwrap();
}

fn keeps_the_laws(path: &Path, copy: &Path, canary: Canary) {
    let meta = match MetaDb::open(path) {
        Ok(meta) => meta,
        Err(Error::Bolt(boltfile::Error::Damaged { .. } | boltfile::Error::NotBolt { .. })) => {
            return;
        }
        Err(Error::NotContainerd { .. } | Error::Version { .. } | Error::VersionDamaged { .. }) => {
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let db = Db::in_memory().unwrap();
    let (mut imported, mut refused, mut changed) = (0, 0, 0);
    let report = import(&meta, &db, |event| match event {
        Event::Imported { .. } => imported += 1,
        Event::Refused { .. } => refused += 1,
        Event::Changed { .. } => changed += 1,
        _ => {}
    });
    // The pages were checked.
    let report = report.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        (
            report.containers_count,
            report.refused_count,
            report.changed_count
        ),
        (imported, refused, changed)
    );
    let stored = content(&db);
    assert_eq!(report.namespaces_count, stored.len() as u64);
    let containers = stored.iter().map(|(_, _, containers)| containers.len());
    assert_eq!(report.containers_count, containers.sum::<usize>() as u64);

    match export(&db.read().unwrap(), copy, |_| {}) {
        Ok(_) => {}
        Err(Error::NamespaceName { namespace }) if namespace == "version" => return,
        Err(error) => panic!("{error}"),
    }
    let again = Db::in_memory().unwrap();
    let report = import(&MetaDb::open(copy).unwrap(), &again, |_| {}).unwrap();
    assert_eq!((report.refused_count, report.changed_count), (0, 0));
    let mut again = content(&again);
    if canary == Canary::Planted {
        let containers = again.iter_mut().flat_map(|(_, _, containers)| containers);
        containers.for_each(|container| container.extensions.clear());
    }
    assert!(again == stored, "the copy has other content");
}

/// Everything that a store holds, apart from revisions.
fn content(db: &Db) -> Vec<(String, Labels, Vec<Container>)> {
    let names = db.list_namespaces().unwrap();
    let of = |name: &str| {
        let mut containers = db.namespace(name).unwrap().list(&Filters::all()).unwrap();
        for container in &mut containers {
            container.revision = Container::with_id("").revision;
        }
        (
            name.to_owned(),
            db.namespace_labels(name).unwrap(),
            containers,
        )
    };
    names.iter().map(|name| of(name.as_str())).collect()
}
