//! Writes the first inputs of every target: `cargo run --example seeds`.
//!
//! They reach what mutation finds hardest: whole records, whole dumps, each kind of change. What
//! fuzzing has found is kept beside them under other names.

#![allow(clippy::unwrap_used, reason = "it writes files for developers")]

use std::fs;
use std::path::Path;

const FILTERS: [&str; 16] = [
    "",
    "id==c1",
    "id",
    "image!=docker.io/library/i0:1,labels.app",
    "labels.app==nginx,labels.\"a.b/c\"==1",
    "labels.app==\"a b\"",
    "labels.\"\\u00e9\\x00\\377\"!=\"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\"",
    "image~=^docker\\.io/",
    "image~=/docker\\\\.io\\/x|[[:alpha:]]/",
    "id~=|^c\\\\d+$|",
    "id~=\"(?i)C[0-9]{1,2}\"",
    " runtime.name == kata , snapshotter != overlayfs",
    "extensions.x==t,sandboxid==pod,snapshotkey~=y",
    "unknown.a.b==1",
    "labels.app=nginx",
    "id~=(((((a*)*)*)*)*),id==",
];

const MASKS: [&str; 10] = [
    "",
    "labels",
    "labels.both\nspec",
    "labels.new.with.dots\nlabels.gone1",
    "extensions",
    "extensions.both\nextensions.stay",
    "image\nsnapshotkey",
    "labels.stays\nlabels\nlabels.both",
    "labels.",
    "runtime.name",
];

const JSONS: [&str; 14] = [
    r#"{"id":"docker.io/library/nginx:1","labels":{"app":"nginx"},"value":{"type_url":"t","json":{"a":1}},"created_at":"2024-01-02T03:04:05.000000006Z","updated_at":"2024-01-02T03:04:05+02:00","revision":7}"#,
    r#"{"id":"a/b","type_url":"nginx","created_at":"2024-01-02T03:04:05Z","updated_at":"2024-01-02T03:04:05Z"}"#,
    r#"{"id":"web","labels":{"app":"nginx"},"runtime":{"name":"runc"},"spec":{"type_url":"s","json":{"a":[1,2.5,null,true,"x"]}}}"#,
    r#"{"id":"web","image":"i","runtime":{"name":"r","options":{"type_url":"o","base64":"AP8="}},"spec":{"type_url":"","base64":""},"snapshotter":"s","snapshot_key":"k","sandbox_id":"p","created_at":"2024-01-02T03:04:05.000000006Z","updated_at":"2024-01-02T03:04:05+02:00","extensions":{"x":{"type_url":"t","json":1}},"revision":7}"#,
    r#"{"type_url":"t","json":{ "a" : 1 },"base64":"eyAiYSIgOiAxIH0="}"#,
    r#"{"type_url":"t","json":null}"#,
    r#"{"type_url":"t","json":0.1000000000000000055511151231257827}"#,
    r#"{"type_url":"t","json":[123456789012345678901234567890,-0,1e400,1E5]}"#,
    r#"{"type_url":"t","json":"\ud83d\ude00\u0000\/"}"#,
    r#"{"type_url":"t","base64":"AA=="}"#,
    r#"{"app":"nginx","":""}"#,
    r#"{"name":"runc"}"#,
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
    "{\"a\":1,\"a\":2} ",
];

const DUMPS: [&str; 16] = [
    "{\"bayplan_dump\":2,\"store\":{\"id\":\"4c1a4d0c-4bb5-4e6b-9d0a-5f8f2c1d7e90\",\"created_at\":\"2024-01-02T03:04:05Z\",\"rules\":\"strict\",\"revisions_below\":0}}\n{\"end\":{\"namespaces\":0,\"containers\":0,\"records\":0}}\n",
    "{\"bayplan_dump\":2,\"store\":{\"id\":\"4c1a4d0c-4bb5-4e6b-9d0a-5f8f2c1d7e90\",\"created_at\":\"2024-01-02T03:04:05Z\",\"rules\":\"containerd2\",\"revisions_below\":9}}\n{\"namespace\":\"a\",\"labels\":{\"k\":\"nginx\"}}\n{\"namespace\":\"a\",\"container\":{\"id\":\"c\",\"runtime\":{\"name\":\"r\"},\"spec\":{\"type_url\":\"\",\"json\":1},\"revision\":1,\"created_at\":\"1970-01-01T00:00:00Z\",\"updated_at\":\"1970-01-01T00:00:00Z\"}}\n{\"end\":{\"namespaces\":1,\"containers\":1,\"records\":0}}\n",
    "{\"bayplan_dump\":3}\n",
    "{\"bayplan_dump\":2,\"store\":{}}\n",
    "{\"bayplan_dump\":1,\"store\":{\"id\":\"4c1a4d0c-4bb5-4e6b-9d0a-5f8f2c1d7e90\",\"created_at\":\"2024-01-02T03:04:05Z\",\"rules\":\"strict\",\"revisions_below\":0}}\n{\"end\":{\"namespaces\":0,\"containers\":0}}\n",
    "{\"bayplan_dump\":2,\"store\":{\"id\":\"4c1a4d0c-4bb5-4e6b-9d0a-5f8f2c1d7e90\",\"created_at\":\"2024-01-02T03:04:05Z\",\"rules\":\"strict\",\"revisions_below\":9}}\n{\"namespace\":\"a\",\"labels\":{}}\n{\"namespace\":\"a\",\"kind\":\"images\",\"record\":{\"id\":\"a/b:1@c d\",\"labels\":{\"k\":\"nginx\"},\"value\":{\"type_url\":\"t\",\"json\":[1]},\"created_at\":\"1970-01-01T00:00:00Z\",\"updated_at\":\"1970-01-01T00:00:00Z\",\"revision\":1}}\n{\"namespace\":\"a\",\"kind\":\"images\",\"record\":{\"id\":\"r\",\"labels\":{\"k\":\"nginx\"},\"value\":{\"type_url\":\"t\",\"json\":[1]},\"created_at\":\"1970-01-01T00:00:00Z\",\"updated_at\":\"1970-01-01T00:00:00Z\",\"revision\":2}}\n{\"namespace\":\"a\",\"kind\":\"leases\",\"record\":{\"id\":\"r\",\"labels\":{\"k\":\"nginx\"},\"value\":{\"type_url\":\"t\",\"json\":[1]},\"created_at\":\"1970-01-01T00:00:00Z\",\"updated_at\":\"1970-01-01T00:00:00Z\",\"revision\":3}}\n{\"end\":{\"namespaces\":1,\"containers\":0,\"records\":3}}\n",
    "{\"bayplan_dump\":2,\"store\":{\"id\":\"4c1a4d0c-4bb5-4e6b-9d0a-5f8f2c1d7e90\",\"created_at\":\"2024-01-02T03:04:05Z\",\"rules\":\"strict\",\"revisions_below\":9}}\n{\"namespace\":\"a\",\"labels\":{}}\n{\"namespace\":\"a\",\"kind\":\"leases\",\"record\":{\"id\":\"r\",\"labels\":{\"k\":\"nginx\"},\"value\":{\"type_url\":\"t\",\"json\":[1]},\"created_at\":\"1970-01-01T00:00:00Z\",\"updated_at\":\"1970-01-01T00:00:00Z\",\"revision\":1}}\n{\"namespace\":\"a\",\"kind\":\"images\",\"record\":{\"id\":\"r\",\"labels\":{\"k\":\"nginx\"},\"value\":{\"type_url\":\"t\",\"json\":[1]},\"created_at\":\"1970-01-01T00:00:00Z\",\"updated_at\":\"1970-01-01T00:00:00Z\",\"revision\":2}}\n{\"end\":{\"namespaces\":1,\"containers\":0,\"records\":2}}\n",
    "{\"bayplan_dump\":2,\"store\":{\"id\":\"4c1a4d0c-4bb5-4e6b-9d0a-5f8f2c1d7e90\",\"created_at\":\"2024-01-02T03:04:05Z\",\"rules\":\"strict\",\"revisions_below\":9}}\n{\"namespace\":\"a\",\"labels\":{}}\n{\"namespace\":\"a\",\"kind\":\"images\",\"record\":{\"id\":\"r\",\"labels\":{\"k\":\"nginx\"},\"value\":{\"type_url\":\"t\",\"json\":[1]},\"created_at\":\"1970-01-01T00:00:00Z\",\"updated_at\":\"1970-01-01T00:00:00Z\",\"revision\":1}}\n{\"end\":{\"namespaces\":1,\"containers\":0,\"records\":0}}\n",
    "{\"bayplan_dump\":2,\"store\":{\"id\":\"4c1a4d0c-4bb5-4e6b-9d0a-5f8f2c1d7e90\",\"created_at\":\"2024-01-02T03:04:05Z\",\"rules\":\"strict\",\"revisions_below\":9}}\n{\"namespace\":\"a\",\"labels\":{}}\n{\"namespace\":\"a\",\"kind\":\"containers\",\"record\":{\"id\":\"r\",\"labels\":{\"k\":\"nginx\"},\"value\":{\"type_url\":\"t\",\"json\":[1]},\"created_at\":\"1970-01-01T00:00:00Z\",\"updated_at\":\"1970-01-01T00:00:00Z\",\"revision\":1}}\n{\"end\":{\"namespaces\":1,\"containers\":0,\"records\":1}}\n",
    "{\"bayplan_dump\":2,\"store\":{\"id\":\"4c1a4d0c-4bb5-4e6b-9d0a-5f8f2c1d7e90\",\"created_at\":\"2024-01-02T03:04:05Z\",\"rules\":\"strict\",\"revisions_below\":9}}\n{\"namespace\":\"a\",\"labels\":{}}\n{\"namespace\":\"a\",\"kind\":\"version\",\"record\":{\"id\":\"r\",\"labels\":{\"k\":\"nginx\"},\"value\":{\"type_url\":\"t\",\"json\":[1]},\"created_at\":\"1970-01-01T00:00:00Z\",\"updated_at\":\"1970-01-01T00:00:00Z\",\"revision\":1}}\n{\"end\":{\"namespaces\":1,\"containers\":0,\"records\":1}}\n",
    "{\"bayplan_dump\":2,\"store\":{\"id\":\"4c1a4d0c-4bb5-4e6b-9d0a-5f8f2c1d7e90\",\"created_at\":\"2024-01-02T03:04:05Z\",\"rules\":\"strict\",\"revisions_below\":9}}\n{\"namespace\":\"a\",\"labels\":{}}\n{\"namespace\":\"a\",\"kind\":\"images\",\"record\":{\"id\":\"\",\"labels\":{\"k\":\"nginx\"},\"value\":{\"type_url\":\"t\",\"json\":[1]},\"created_at\":\"1970-01-01T00:00:00Z\",\"updated_at\":\"1970-01-01T00:00:00Z\",\"revision\":1}}\n{\"end\":{\"namespaces\":1,\"containers\":0,\"records\":1}}\n",
    "{\"bayplan_dump\":2,\"store\":{\"id\":\"4c1a4d0c-4bb5-4e6b-9d0a-5f8f2c1d7e90\",\"created_at\":\"2024-01-02T03:04:05Z\",\"rules\":\"strict\",\"revisions_below\":9}}\n{\"namespace\":\"a\",\"labels\":{}}\n{\"namespace\":\"a\",\"kind\":\"images\",\"record\":{\"id\":\"r\",\"labels\":{\"k\":\"nginx\"},\"value\":{\"type_url\":\"t\",\"json\":[1]},\"created_at\":\"1970-01-01T00:00:00Z\",\"updated_at\":\"1970-01-01T00:00:00Z\",\"revision\":1,\"image\":\"i\"}}\n{\"end\":{\"namespaces\":1,\"containers\":0,\"records\":1}}\n",
    "\x00",
    "\x40\x00\x01\x03new",
    "\x60\x01\x08\x00",
    "\u{a0}\x01\x01\x01\x39\u{d0}\x00\x02\x02\x7f\x01",
];

/// How to open which image, and what to change in it; see `src/harness/open_file.rs`.
const FILES: [&[u8]; 22] = [
    &[0x04],
    &[0x05],
    &[0x06],
    &[0x07],
    &[0x14],
    &[0x15],
    &[0x1e],
    &[0x17],
    &[0x20],
    &[0x21, 4, 0, 0, 0],
    &[0x20, 0, 3, 1, 0, 1],
    &[0x22, 4, 1, 0, 0],
    &[0x04, 0, 2, 9, 0, 1],
    &[0x00, 0, 2, 2, 0, 0xff],
    &[0x01, 0, 3, 8, 0, 0x80],
    &[0x10, 0, 4, 16, 0, 1],
    &[0x00, 3, 2, 0, 0, 3],
    &[0x02, 3, 4, 0, 0, 2],
    &[0x03, 1, 2, 0, 0, 4, 2, 0, 9, 0],
    &[0x00, 4, 5, 0, 0],
    &[0x04, 5, 3, 7, 0],
    &[0x05, 1, 0, 9, 0, 1, 0],
];

/// Which file of Bolt to take, and what to change in it; see `src/harness/bolt_file.rs`.
///
/// A change is its kind, a page, a place in it, and what it takes.
const BOLTS: [&[u8]; 24] = [
    &[0x00],
    &[0x01],
    &[0x02],
    // A flip: in either meta page, in the freelist, in headers, in elements.
    &[0x00, 0, 0, 40, 0, 1],
    &[0x01, 0, 1, 70, 0, 1],
    &[0x00, 0, 2, 10, 0, 1],
    &[0x01, 0, 3, 8, 0, 3],
    &[0x02, 0, 4, 10, 0, 1],
    &[0x01, 0, 5, 20, 0, 0x80],
    &[0x02, 0, 6, 28, 0, 0xff],
    // Bytes over a count, an overflow, a key.
    &[0x01, 1, 3, 10, 0, 2, 0xff, 0xff],
    &[0x01, 1, 4, 12, 0, 4, 0xff, 0xff, 0xff, 0xff],
    &[0x02, 1, 5, 200, 0, 3, b'n', b'e', b'w'],
    // A number: the page of an element.
    &[0x01, 2, 10, 24, 0, 3],
    &[0x02, 2, 9, 24, 0, 9],
    // A page over another one, with its id and without.
    &[0x01, 3, 4, 0, 0, 5, 1],
    &[0x02, 3, 7, 0, 0, 8, 0],
    // Zeros, and shorter.
    &[0x01, 4, 6, 0, 0],
    &[0x00, 5, 3, 9, 0],
    // Other fields of the meta pages, with checksums that fit.
    &[0x01, 6, 0, 2, 0, 4],
    &[0x01, 6, 0, 4, 0, 0xff],
    &[0x02, 6, 0, 4, 0, 3],
    &[0x02, 6, 0, 5, 0, 5],
    &[0x00, 6, 0, 1, 0, 8],
];

/// The shortest file that Bolt can have.
fn shortest_bolt() -> Vec<u8> {
    let path = std::env::temp_dir().join(format!("bolt-seed-{}", std::process::id()));
    let mut options = boltfile::WriteOptions::new();
    let mut writer = options.page_bytes(1024).create(&path).unwrap();
    writer.open_bucket(b"v1").unwrap();
    writer.put(b"image", b"nginx").unwrap();
    writer.close_bucket().unwrap();
    writer.finish().unwrap();
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    bytes
}

/// Which log to take, how to read it, and what to change in it; see `src/harness/log.rs`.
///
/// A change is its kind, a block, a place in it, and what it takes. In both logs the frames begin in block 2.
const LOGS: [&[u8]; 26] = [
    &[0x00],
    &[0x01],
    &[0x02],
    &[0x03],
    &[0x06],
    &[0x07],
    &[0x08],
    &[0x09],
    // A flip: in a head, in the head before it, in the first frame, in a later one, after the last one.
    &[0x02, 0, 1, 20, 0, 1],
    &[0x03, 0, 0, 20, 0, 1],
    &[0x04, 0, 2, 40, 0, 1],
    &[0x0a, 0, 4, 40, 0, 1],
    &[0x0b, 0, 3, 5, 0, 0xff],
    &[0x00, 0, 19, 9, 0, 1],
    // Bytes over a number, an epoch, a length.
    &[0x02, 1, 3, 16, 0, 8, 9, 0, 0, 0, 0, 0, 0, 0],
    &[0x08, 1, 2, 8, 0, 8, 2, 0, 0, 0, 0, 0, 0, 0],
    &[0x02, 1, 2, 28, 0, 4, 0xff, 0xff, 0xff, 0xff],
    // A block over another one, over a head, and no more.
    &[0x08, 3, 3, 0, 0, 2],
    &[0x02, 3, 0, 0, 0, 1],
    &[0x09, 4, 6, 0, 0],
    // Shorter, and longer.
    &[0x00, 5, 8, 0, 0],
    &[0x0a, 5, 0, 0, 0],
    &[0x02, 6, 1, 0, 0],
    // A frame after all others: an invalid row, a new row, one that is longer than the frame.
    &[0x02, 7, 0, 0, 0, 1, 0, 9],
    &[
        0x02, 7, 0, 0, 0, 12, 0, 2, 1, 0, 0, 0, 2, 0, 0, 0, b'n', 0, 0,
    ],
    &[
        0x06, 7, 0, 0, 0, 10, 0, 1, 1, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, b'n',
    ],
];

/// A row: its kind, what makes its key, and what it holds; see `src/harness/record.rs`.
fn row(kind: u8, key: &[u8], content: &[u8]) -> Vec<u8> {
    let count = u16::try_from(content.len()).unwrap().to_le_bytes();
    [&[kind], key, &count, content].concat()
}

// What a row is: the place of its key, of a container, a record of another kind, or what else there is.
const CONTAINER: u8 = 0;
const LABELS: u8 = 1 << 2;
const EXTENSIONS: u8 = 2 << 2;
const SPEC: u8 = 3 << 2;
const RECORD: u8 = 1;
const RECORD_LABELS: u8 = 1 | 1 << 2;
const RECORD_VALUE: u8 = 1 | 2 << 2;
const ANY_RECORD: u8 = 1 | 3 << 2;
const NAMESPACE: u8 = 2;
const UNDER_NAMESPACE: u8 = 2 | 1 << 2;
const META_FORMAT: u8 = 3;
const META_IDENTITY: u8 = 3 | 1 << 2;
const META_REVISION: u8 = 3 | 2 << 2;
const META_UNKNOWN: u8 = 3 | 3 << 2;
// The change to it.
const FITS: u8 = 0x10;
const ANY_KEY: u8 = 0x20;
const OTHER_FORMAT: u8 = 0x40;
const REMOVED: u8 = 0x80;

/// What every record begins with: two times, two seconds apart, in zigzag encoding; the revision, the age; the type
/// URL.
const HEAD: &[u8] = b"\xc8\x00\xcc\x00\x09\x02\x04spec";
/// The further fields of a container.
const FIELDS: &[u8] = b"\x05image\x04runc\x01\x01o\x02\x00\xff\x09overlayfs\x01k\x03pod";
const LABELS_OF_IT: &[u8] = b"\x01\x03app\x05nginx";
const EXTENSIONS_OF_IT: &[u8] = b"\x01\x01x\x01t\x02\x00\xff";
const PLAIN: &[u8] = b"\x00{\"a\":1}";

/// The content of an own row that knows rows with these seals: of the labels, extensions, and the spec or value.
fn own(seals: [Option<[u8; 4]>; 3], fields: &[u8]) -> Vec<u8> {
    let seals = seals.map(|seal| seal.map_or(vec![0], |seal| [&[1][..], &seal].concat()));
    [HEAD, &seals.concat(), fields].concat()
}

/// The content of an own row that knows its rows as they are, for a row that [`FITS`].
fn fitting(head: &[u8], fields: &[u8]) -> Vec<u8> {
    [&[u8::try_from(head.len()).unwrap()], head, fields].concat()
}

/// The seal of a value under a key; see docs/FORMAT.md.
fn seal(key: &[u8], content: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new_with_initial(u32::try_from(key.len()).unwrap());
    hasher.update(key);
    hasher.update(&[2]);
    hasher.update(content);
    hasher.finalize().to_le_bytes()
}

/// A spec that claims so many bytes, and its LZ4 block.
fn packed(length: u32, block: &[u8]) -> Vec<u8> {
    [&[1], &length.to_le_bytes()[..], block].concat()
}

/// Eighty times the byte `a`, as an LZ4 block: one as it is, a match of 74, five as they are.
const EIGHTY: &[u8] = b"\x1fa\x01\x00\x37\x50aaaaa";
/// Twenty bytes of the dictionary, from so far behind its end, and five as they are.
const OF_DICTIONARY: &[u8] = b"\x0f\x00\x01\x01\x50aaaaa";
/// The same from before its beginning.
const BEFORE_DICTIONARY: &[u8] = b"\x0f\x00\xf0\x01\x50aaaaa";

/// A new container whose rows are these, all of them known to it.
fn container(labels: &[u8], extensions: &[u8], spec: &[u8]) -> Vec<u8> {
    let rows = [
        row(LABELS, &[2], labels),
        row(EXTENSIONS, &[2], extensions),
        row(SPEC, &[2], spec),
        row(CONTAINER | FITS, &[2], &fitting(HEAD, FIELDS)),
    ];
    rows.concat()
}

fn of_spec(spec: &[u8]) -> Vec<u8> {
    container(LABELS_OF_IT, EXTENSIONS_OF_IT, spec)
}

fn rows() -> Vec<Vec<u8>> {
    let mut seeds = vec![Vec::new(), of_spec(PLAIN)];
    seeds.extend(of_parts());
    seeds.extend(of_specs());
    seeds.extend(of_maps());
    seeds.extend(of_records());
    seeds.extend(of_the_samples());
    seeds.extend(of_keys());
    seeds
}

/// A container whose own row has its seals itself; and each time one of the rows is missing, or another.
fn of_parts() -> Vec<Vec<u8>> {
    let key = b"default\0containers\0c2";
    let of = |suffix: &[u8], content| Some(seal(&[&key[..], suffix].concat(), content));
    let seals = [
        of(b"\0l", LABELS_OF_IT),
        of(b"\0x", EXTENSIONS_OF_IT),
        of(b"\0s", PLAIN),
    ];
    let whole = [
        row(CONTAINER, &[2], &own(seals, FIELDS)),
        row(LABELS, &[2], LABELS_OF_IT),
        row(EXTENSIONS, &[2], EXTENSIONS_OF_IT),
        row(SPEC, &[2], PLAIN),
    ];
    let mut seeds = vec![whole.concat()];
    for missing in 0..whole.len() {
        let mut parts = whole.to_vec();
        parts.remove(missing);
        seeds.push(parts.concat());
    }
    let unknown = own([None, None, seals[2]], FIELDS);
    seeds.push([row(CONTAINER, &[2], &unknown), whole[1..].concat()].concat());
    let other = row(SPEC, &[2], b"\x00{}");
    seeds.push([&whole[..3], &[other]].concat().concat());
    let long = [&own(seals, FIELDS)[..], &[0]].concat();
    seeds.push([row(CONTAINER, &[2], &long), whole[1..].concat()].concat());
    seeds
}

/// Specs that are packed, and those that only look so.
fn of_specs() -> Vec<Vec<u8>> {
    let specs = [
        b"\x00".to_vec(),
        packed(80, EIGHTY),
        packed(25, OF_DICTIONARY),
        packed(25, BEFORE_DICTIONARY),
        packed(79, EIGHTY),
        packed(81, EIGHTY),
        packed(2_000, EIGHTY),
        packed(u32::MAX, EIGHTY),
        packed(0, b""),
        packed(80, &EIGHTY[..4]),
        b"\x01\x50".to_vec(),
        b"\x02{}".to_vec(),
        Vec::new(),
    ];
    specs.iter().map(|spec| of_spec(spec)).collect()
}

/// Labels and extensions that are in order, and those that are not.
fn of_maps() -> Vec<Vec<u8>> {
    let of_labels = |labels: &[u8]| container(labels, EXTENSIONS_OF_IT, PLAIN);
    let of_extensions = |extensions: &[u8]| container(LABELS_OF_IT, extensions, PLAIN);
    vec![
        of_labels(b"\x02\x01a\x011\x01b\x00"),
        of_labels(b"\x02\x01b\x011\x01a\x011"),
        of_labels(b"\x00"),
        of_labels(b"\x01\x00\x01v"),
        of_labels(b"\x01\x01a\x02\xff\xfe"),
        of_labels(b"\xfd\xff\xff\xff\xff\xff\xff\xff\xffab"),
        of_labels(b"\x01\xfd\xff\xff\xff\xff\xff\xff\xff\xffab"),
        of_extensions(b"\x02\x01x\x00\x00\x01y\x01t\x00"),
        of_extensions(b"\x01\x00\x01t\x00"),
        of_extensions(b"\x01\x01x\x01t\x7f\x00"),
    ]
}

/// Records of another kind.
fn of_records() -> Vec<Vec<u8>> {
    let record = |number: u8, value: &[u8], head: &[u8]| {
        let rows = [
            row(RECORD_LABELS, &[number], LABELS_OF_IT),
            row(RECORD_VALUE, &[number], value),
            row(RECORD | FITS, &[number], &fitting(head, b"")),
        ];
        rows.concat()
    };
    let under = |key: &[u8], head: &[u8], fields: &[u8]| {
        let length = |key: &[u8]| u8::try_from(key.len()).unwrap();
        let value = [key, b"\0s"].concat();
        let rows = [
            row(ANY_KEY, &[&[length(&value)], &value[..]].concat(), PLAIN),
            row(
                ANY_KEY | FITS,
                &[&[length(key)], key].concat(),
                &fitting(head, fields),
            ),
        ];
        rows.concat()
    };
    let late = b"\xc8\x00\xcc\x00\xfb\xff\xff\x00\x04spec";
    let before = b"\xcc\x00\xc8\x00\x09\x00\x04spec";
    let too_old = b"\xc8\x00\xcc\x00\x09\x0a\x04spec";
    vec![
        record(1, PLAIN, HEAD),
        record(2, &packed(80, EIGHTY), HEAD),
        record(3, &packed(81, EIGHTY), HEAD),
        record(1, PLAIN, late),
        record(1, PLAIN, before),
        record(1, PLAIN, too_old),
        row(RECORD | REMOVED, &[0], b""),
        row(RECORD_VALUE | REMOVED, &[0], b""),
        row(RECORD_LABELS, &[0], LABELS_OF_IT),
        row(ANY_RECORD, &[0, 3, b'r', 0xff, b'/'], HEAD),
        row(ANY_RECORD, &[0], HEAD),
        under(b"default\0images\0of a container", HEAD, FIELDS),
        under(b"default\0containers\0of-a-record", HEAD, b""),
        under(b"default\0version\0v", HEAD, b""),
        under(b"default\0a/b\0no-kind", HEAD, b""),
        under(b"default\0\0no-kind", HEAD, b""),
        under(b"k8s.io\0\0no-kind", HEAD, b""),
        under(b"none\0images\0r", HEAD, b""),
        under(b"default\0containers\0a/b", HEAD, FIELDS),
    ]
}

/// What else is in the store, changed or removed.
fn of_the_samples() -> Vec<Vec<u8>> {
    vec![
        row(CONTAINER, &[2], &[0xfd; 40]),
        row(CONTAINER | REMOVED, &[0], b""),
        row(LABELS | REMOVED, &[0], b""),
        row(SPEC | REMOVED, &[1], b""),
        row(SPEC | OTHER_FORMAT, &[0], PLAIN),
        row(NAMESPACE | REMOVED, &[0], b""),
        row(NAMESPACE, &[0x20], b"\x05\x01\x00"),
        row(NAMESPACE, &[0x20], b"\x05\x06\x00"),
        row(NAMESPACE, &[0x20], b"\xfb\xff\xff\x00\x00"),
        row(NAMESPACE, &[0x20], b""),
        row(NAMESPACE, &[0], &[b"\x05\x00", LABELS_OF_IT].concat()),
        row(NAMESPACE, &[0], b"\x05\x00\x01\x00\x01v"),
        row(UNDER_NAMESPACE, &[0, 1, b'k'], b"\x00"),
        row(META_FORMAT, &[0], &[2]),
        row(META_FORMAT, &[0], &[1]),
        row(META_FORMAT, &[0], &[3]),
        row(META_FORMAT | REMOVED, &[0], b""),
        row(META_IDENTITY, &[0], &[7; 19]),
        row(META_IDENTITY, &[0], &[0; 20]),
        row(META_REVISION, &[0], &[3]),
        row(META_REVISION | REMOVED, &[0], b""),
        row(META_UNKNOWN, &[0], b"x"),
    ]
}

/// Keys that no record has.
fn of_keys() -> Vec<Vec<u8>> {
    vec![
        row(ANY_KEY, &[3, 0, 0, 0], b""),
        row(ANY_KEY, b"\x17default\0containers\0c0\0y", b"x"),
        row(ANY_KEY, b"\x08default\0", b"x"),
        row(ANY_KEY, b"\x12default\0containers", b"x"),
        row(ANY_KEY, b"\x07k8s.io\0", b"x"),
        row(ANY_KEY, b"\x08k8s.io\0\0", b"x"),
        row(ANY_KEY, b"\x0dk8s.io\0images", b"x"),
        row(ANY_KEY, b"\x06k8s.io", b"x"),
        row(ANY_KEY, &[0], b""),
        row(ANY_KEY | NAMESPACE, &[2, b'a', b'/'], b"\x00"),
    ]
}

/// Changes to a healthy file of containerd: which path (see the harness), what to do, perhaps a key below, a value.
const METAS: [&[u8]; 24] = [
    b"",
    // Removed: the version, the spec, the runtime's name, a time.
    &[0, 0],
    &[11, 0],
    &[6, 0],
    &[2, 0],
    // Another version.
    &[0, 2, 1, 8],
    &[0, 2, 1, 0x0a],
    &[0, 2, 2, 0x80, 0x80],
    // Values in place of buckets, and buckets in place of values.
    &[18, 2, 1, b'x'],
    &[20, 2, 0],
    &[4, 1],
    &[0, 1],
    // Labels without a value, of a container and of the namespace, and with a key that is not UTF-8.
    &[5, 2, 0],
    &[1, 2, 0],
    &[23, 6, 1, 0xc3, 0x28, 1, b'v'],
    // A container of a bad name, and a namespace.
    &[20, 5, 2, b'a', b'_', b'-'],
    &[17, 5, 0, 0xff],
    &[
        31, 5, 9, b'c', b'o', b'n', b't', b'a', b'i', b'n', b'e', b'r', b's',
    ],
    // Times: of version 2, of another zone, too short, out of range, updated before it was created.
    b"\x02\x02\x10\x02\x00\x00\x00\x0e\xe2\x9c\xb1\xa8\x0f;<\xb3\x01\x4a\x1e",
    b"\x02\x02\x0f\x01\x7f\xff\xff\xff\xff\xff\xff\xff\x0f;<\xb3\xff\xff",
    b"\x0c\x02\x0f\x01\x00\x00\x00\x0e\xe2\x9c\xb1\xa7\x0f;<\xb3\xff\xff",
    // An `Any` that is cut short, and one with another field.
    &[11, 2, 3, 0x0a, 9, b't'],
    &[3, 2, 2, 0x18, 1],
    // A key that nobody knows, and objects of other kinds.
    &[
        21, 6, 5, b'f', b'u', b't', b'u', b'r', b'e', 0, 27, 6, 0, b's', 0, 29, 5, 0, b'l',
    ],
];

fn write<'s>(target: &str, seeds: impl IntoIterator<Item = &'s [u8]>) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    fs::create_dir_all(&directory).unwrap();
    for (number, seed) in seeds.into_iter().enumerate() {
        fs::write(directory.join(format!("seed-{number:02}")), seed).unwrap();
    }
}

fn main() {
    write("filter", FILTERS.map(str::as_bytes));
    write("field_mask", MASKS.map(str::as_bytes));
    write("json", JSONS.map(str::as_bytes));
    // The last ones are changes, with bytes beyond ASCII written as characters.
    let dumps = DUMPS.map(|dump| {
        dump.chars()
            .map(|c| u8::try_from(c).unwrap())
            .collect::<Vec<_>>()
    });
    write("dump_load", dumps.iter().map(Vec::as_slice));
    let shortest = shortest_bolt();
    write("bolt_file", BOLTS.into_iter().chain([&shortest[..]]));
    write("log", LOGS);
    write("meta_db", METAS);
    write("open_file", FILES);
    let rows = rows();
    write("record", rows.iter().map(Vec::as_slice));
}
