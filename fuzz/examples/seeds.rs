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

const JSONS: [&str; 12] = [
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

const DUMPS: [&str; 8] = [
    "{\"bayplan_dump\":1,\"store\":{\"id\":\"4c1a4d0c-4bb5-4e6b-9d0a-5f8f2c1d7e90\",\"created_at\":\"2024-01-02T03:04:05Z\",\"rules\":\"strict\",\"revisions_below\":0}}\n{\"end\":{\"namespaces\":0,\"containers\":0}}\n",
    "{\"bayplan_dump\":1,\"store\":{\"id\":\"4c1a4d0c-4bb5-4e6b-9d0a-5f8f2c1d7e90\",\"created_at\":\"2024-01-02T03:04:05Z\",\"rules\":\"containerd2\",\"revisions_below\":9}}\n{\"namespace\":\"a\",\"labels\":{\"k\":\"nginx\"}}\n{\"namespace\":\"a\",\"container\":{\"id\":\"c\",\"runtime\":{\"name\":\"r\"},\"spec\":{\"type_url\":\"\",\"json\":1},\"revision\":1,\"created_at\":\"1970-01-01T00:00:00Z\",\"updated_at\":\"1970-01-01T00:00:00Z\"}}\n{\"end\":{\"namespaces\":1,\"containers\":1}}\n",
    "{\"bayplan_dump\":2}\n",
    "{\"bayplan_dump\":1,\"store\":{}}\n",
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

/// A row: its kind, what makes its key, and what it holds; see `src/harness/record.rs`.
fn row(kind: u8, key: &[u8], content: &[u8]) -> Vec<u8> {
    let count = u16::try_from(content.len()).unwrap().to_le_bytes();
    [&[kind], key, &count, content].concat()
}

const RECORD: u8 = 0;
const LABEL: u8 = 1 << 2;
const EXTENSION: u8 = 2 << 2;
const SPEC: u8 = 3 << 2;
const NAMESPACE: u8 = 2;
const NAMESPACE_LABEL: u8 = 2 | LABEL;
const META: u8 = 3;
const REMOVED: u8 = 0x80;

/// The record of the container under a key with so many labels and extensions, and this spec.
fn record(key: &[u8], labels: u8, extensions: u8, spec: &[&[u8]]) -> Vec<u8> {
    let texts = b"\x05image\x04runc\x01\x01o\x02\x00\xff\x09overlayfs\x01k\x03pod";
    // Two times, two seconds apart, in zigzag encoding; and the revision.
    let rest = [200, 0, 204, 0, 9, labels, extensions];
    let bytes: usize = spec.iter().map(|row| row.len()).sum();
    let head = [&b"\x04spec"[..], &[u8::try_from(bytes).unwrap(), 0xfc]].concat();
    let mut seals = crc32fast::Hasher::new();
    for (number, row) in (0_u8..).zip(spec) {
        let row_key = [key, &[0, 3], &[number][..usize::from(number.min(1))]].concat();
        seals.update(&seal(&row_key, row));
    }
    [&texts[..], &rest, &head, &seals.finalize().to_le_bytes()].concat()
}

/// The checksum of a value under a key; see docs/FORMAT.md.
fn seal(key: &[u8], content: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new_with_initial(u32::try_from(key.len()).unwrap());
    hasher.update(key);
    hasher.update(&[1]);
    hasher.update(content);
    hasher.finalize().to_le_bytes()
}

fn rows() -> Vec<Vec<u8>> {
    let any = b"\x04spec\x02{}";
    let web = 2; // c2 of the first namespace, which is not there yet
    let web_key = b"default\0c2";
    let pieces: [&[u8]; 3] = [b"{\"a\":", b"1,\"b\":", b"2}"];
    let [piece_1, piece_2] = [web | 1 << 2, web | 2 << 2];
    let whole = [
        row(RECORD, &[web], &record(web_key, 1, 1, &pieces)),
        row(LABEL, &[web, 3, b'a', b'p', b'p'], b"nginx"),
        row(EXTENSION, &[web, 1, b'x'], any),
        row(SPEC, &[web], pieces[0]),
        row(SPEC, &[piece_1], pieces[1]),
        row(SPEC, &[piece_2], pieces[2]),
    ];
    let mut seeds = vec![Vec::new(), whole.concat()];
    for missing in 0..whole.len() {
        let mut parts = whole.to_vec();
        parts.remove(missing);
        seeds.push(parts.concat());
    }
    let mut with = |rows: &[Vec<u8>]| seeds.push(rows.concat());
    with(&[
        row(RECORD, &[web], &record(web_key, 0, 0, &[b""])),
        row(SPEC, &[web], b""),
    ]);
    with(&[
        row(RECORD, &[web], &record(web_key, 0, 0, &pieces)),
        row(SPEC, &[web], pieces[0]),
        row(SPEC, &[piece_1], pieces[2]),
        row(SPEC, &[piece_2], pieces[1]),
    ]);
    with(&[row(RECORD, &[web], &[0xfd; 40])]);
    with(&[row(LABEL, &[0, 0], b"empty key")]);
    with(&[row(LABEL, &[0, 3, b'a', b'p', b'p'], b"\xff\xfe")]);
    with(&[row(LABEL | REMOVED, &[0, 3, b'a', b'p', b'p'], b"")]);
    with(&[row(RECORD | REMOVED, &[0], b"")]);
    with(&[row(SPEC | REMOVED, &[1], b"")]);
    with(&[row(SPEC | 0x40, &[0], any)]);
    with(&[row(NAMESPACE | REMOVED, &[0], b"")]);
    with(&[row(NAMESPACE, &[0x20], b"")]);
    with(&[row(NAMESPACE, &[0x20], b"not empty")]);
    with(&[row(NAMESPACE_LABEL, &[0, 1, b'k'], b"v")]);
    with(&[row(NAMESPACE_LABEL, &[0x20, 1, b'k'], b"")]);
    with(&[row(META, &[0], &[2])]);
    with(&[row(META | REMOVED, &[0], b"")]);
    with(&[row(META | LABEL, &[0], &[7; 19])]);
    with(&[row(META | EXTENSION, &[0], &[3])]);
    with(&[row(META | EXTENSION | REMOVED, &[0], b"")]);
    with(&[row(META | SPEC, &[0], b"x")]);
    with(&[row(0x20, &[3, 0, 0, 0], b"")]);
    with(&[row(
        0x20,
        &[
            12, b'd', b'e', b'f', b'a', b'u', b'l', b't', 0, b'c', b'0', 0, 4,
        ],
        b"x",
    )]);
    with(&[row(0x22, &[2, b'a', b'/'], b"")]);
    let no_id = b"default\0a/b";
    let key = |kind: &[u8]| {
        let key = [no_id, kind].concat();
        [&[u8::try_from(key.len()).unwrap()][..], &key].concat()
    };
    let spec = row(0x20, &key(&[0, 3]), b"{}");
    with(&[row(0x20, &key(&[]), &record(no_id, 0, 0, &[b"{}"])), spec]);
    seeds
}

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
    write("open_file", FILES);
    let rows = rows();
    write("record", rows.iter().map(Vec::as_slice));
}
