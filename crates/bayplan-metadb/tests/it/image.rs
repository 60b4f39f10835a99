//! Files of containerd, written key by key, so that any of them can be wrong.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use boltfile::{WriteOptions, Writer};
use tempfile::TempDir;

/// 2026-11-28T11:27:36.255540403Z, as Go marshals it.
pub(crate) const TIME: &[u8] = b"\x01\x00\x00\x00\x0e\xe2\x9c\xb1\xa8\x0f;<\xb3\xff\xff";
/// A second later.
pub(crate) const LATER: &[u8] = b"\x01\x00\x00\x00\x0e\xe2\x9c\xb1\xa9\x0f;<\xb3\xff\xff";
/// An `Any` of type `t` with the value `v`.
pub(crate) const ANY: &[u8] = b"\x0a\x01t\x12\x01v";

#[derive(Clone, Debug)]
enum Node {
    Value(Vec<u8>),
    Bucket(BTreeMap<Vec<u8>, Node>),
}

/// What is in a file. A path names the keys on the way, with `/` between them.
#[derive(Clone, Debug)]
pub(crate) struct Image(BTreeMap<Vec<u8>, Node>);

/// A file, until this is dropped.
pub(crate) struct Kept {
    pub(crate) directory: TempDir,
}

impl Kept {
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("meta.db")
    }
}

impl Image {
    /// A file of version 3 without anything in it.
    pub(crate) fn new() -> Self {
        let mut image = Self(BTreeMap::new());
        image.put("v1/version", b"\x06");
        image
    }

    /// One with a container `web` in `default`.
    pub(crate) fn with_web() -> Self {
        let mut image = Self::new();
        image.container("default", "web");
        image
    }

    pub(crate) fn put(&mut self, path: impl AsRef<[u8]>, value: &[u8]) {
        *self.node(path.as_ref()) = Node::Value(value.to_vec());
    }

    pub(crate) fn bucket(&mut self, path: impl AsRef<[u8]>) {
        *self.node(path.as_ref()) = Node::Bucket(BTreeMap::new());
    }

    pub(crate) fn remove(&mut self, path: &str) {
        let (around, key) = path.rsplit_once('/').unwrap();
        match self.node(around.as_bytes()) {
            Node::Bucket(bucket) => assert!(bucket.remove(key.as_bytes()).is_some(), "{path}"),
            Node::Value(_) => panic!("{path} is in a value"),
        }
    }

    /// Puts a container with something in every key.
    pub(crate) fn container(&mut self, namespace: &str, id: &str) {
        for (key, value) in [
            ("createdat", TIME),
            ("extensions/blob", b"\x12\x03\x00\xff\x01"),
            ("image", b"docker.io/library/nginx:1"),
            ("labels/app", b"nginx"),
            ("runtime/name", b"io.containerd.runc.v2"),
            ("runtime/options", b"\x0a\x01o"),
            ("sandboxid", b"pod"),
            ("snapshotKey", b"web-rootfs"),
            ("snapshotter", b"overlayfs"),
            ("spec", ANY),
            ("updatedat", LATER),
        ] {
            self.put(format!("v1/{namespace}/containers/{id}/{key}"), value);
        }
    }

    fn node(&mut self, path: &[u8]) -> &mut Node {
        let mut keys = path.split(|byte| *byte == b'/').map(<[u8]>::to_vec);
        let empty = || Node::Bucket(BTreeMap::new());
        let mut node = self.0.entry(keys.next().unwrap()).or_insert_with(empty);
        for key in keys {
            match node {
                Node::Bucket(bucket) => node = bucket.entry(key).or_insert_with(empty),
                Node::Value(_) => panic!("{} is in a value", path.escape_ascii()),
            }
        }
        node
    }

    pub(crate) fn write(&self, path: &Path, page_bytes: u32) {
        let mut options = WriteOptions::new();
        let mut writer = options.page_bytes(page_bytes).create(path).unwrap();
        write(&self.0, &mut writer);
        writer.finish().unwrap();
    }

    /// The file.
    pub(crate) fn file(&self) -> Kept {
        let kept = Kept {
            directory: tempfile::tempdir().unwrap(),
        };
        self.write(&kept.path(), 1024);
        kept
    }
}

fn write(bucket: &BTreeMap<Vec<u8>, Node>, writer: &mut Writer) {
    for (key, node) in bucket {
        match node {
            Node::Value(value) => writer.put(key, value).unwrap(),
            Node::Bucket(bucket) => {
                writer.open_bucket(key).unwrap();
                write(bucket, writer);
                writer.close_bucket().unwrap();
            }
        }
    }
}
