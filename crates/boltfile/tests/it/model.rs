//! Buckets in memory, written by the writer and compared with what the reader finds.

use std::collections::BTreeMap;
use std::path::Path;

use boltfile::{Bucket, Error, Item, Result, WriteOptions, Writer};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use crate::listing::{bucket_line, value_line};

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) sequence: u64,
    pub(crate) content: BTreeMap<Vec<u8>, Content>,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Value(Vec<u8>),
    Bucket(Model),
}

impl Model {
    pub(crate) fn write(&self, path: &Path, page_bytes: u32) -> Result<()> {
        let mut writer = WriteOptions::new().page_bytes(page_bytes).create(path)?;
        self.write_into(&mut writer)?;
        writer.finish()
    }

    fn write_into(&self, writer: &mut Writer) -> Result<()> {
        writer.set_sequence(self.sequence);
        for (key, content) in &self.content {
            match content {
                Content::Value(value) => writer.put(key, value)?,
                Content::Bucket(nested) => {
                    writer.open_bucket(key)?;
                    nested.write_into(writer)?;
                    writer.close_bucket()?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn list(&self, depth: usize) -> String {
        let lines = self.content.iter().map(|(key, content)| match content {
            Content::Value(value) => value_line(depth, key, value),
            Content::Bucket(nested) => {
                bucket_line(depth, nested.sequence, key) + &nested.list(depth + 1)
            }
        });
        lines.collect()
    }

    /// Looks for every key, and for keys beside them.
    pub(crate) fn is_found_in(&self, bucket: &Bucket<'_>) {
        assert_eq!(bucket.sequence(), self.sequence);
        for (key, content) in &self.content {
            match (content, bucket.find(key).unwrap()) {
                (Content::Value(expected), Some(Item::Value(value))) => {
                    assert_eq!(value.read().unwrap(), *expected);
                    assert_eq!(value.len(), expected.len() as u64);
                    let mut pieces = Vec::new();
                    std::io::copy(&mut value.reader(), &mut pieces).unwrap();
                    assert_eq!(pieces, *expected);
                }
                (Content::Bucket(expected), Some(Item::Bucket(nested))) => {
                    expected.is_found_in(&nested);
                }
                (expected, found) => panic!("{expected:?} is {found:?}"),
            }
            let above = [&key[..], &[0]].concat();
            let below = &key[..key.len() - 1];
            for beside in [&above[..], below] {
                let found = bucket.find(beside).unwrap().is_some();
                assert_eq!(found, self.content.contains_key(beside));
                let next = bucket.iter_from(beside).next().transpose().unwrap();
                let expected = self.content.range(beside.to_vec()..).next();
                assert_eq!(
                    next.map(|entry| entry.key),
                    expected.map(|(key, _)| key.clone())
                );
            }
        }
    }
}

fn keys() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => vec(any::<u8>(), 1..12),
        4 => "[a-c]{1,4}".prop_map(String::into_bytes),
        1 => (any::<u8>(), 1..4000usize).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

fn values() -> impl Strategy<Value = Content> {
    prop_oneof![
        8 => vec(any::<u8>(), 0..60).prop_map(Content::Value),
        1 => (any::<u8>(), 0..9000usize).prop_map(|(byte, length)| Content::Value(vec![byte; length])),
    ]
}

fn buckets(content: impl Strategy<Value = Content>, count: usize) -> impl Strategy<Value = Model> {
    let content = btree_map(keys(), content, 0..count);
    (any::<u64>(), content).prop_map(|(sequence, content)| Model { sequence, content })
}

/// A root bucket, which has buckets only, as bbolt wants it.
pub(crate) fn roots() -> impl Strategy<Value = Model> {
    let nested = values().prop_recursive(4, 300, 40, |content| {
        prop_oneof![
            2 => values(),
            1 => buckets(content, 40).prop_map(Content::Bucket),
        ]
    });
    let roots = btree_map(keys(), buckets(nested, 120).prop_map(Content::Bucket), 0..6);
    roots.prop_map(|content| Model {
        sequence: 0,
        content,
    })
}

pub(crate) fn page_sizes() -> impl Strategy<Value = u32> {
    (10..=16u32).prop_map(|bits| 1 << bits)
}

/// As many cases as `PROPTEST_CASES` says, or else these.
pub(crate) fn cases(default: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES");
    ProptestConfig {
        cases: cases.map_or(default, |text| text.parse().unwrap()),
        source_file: Some(file!()),
        ..ProptestConfig::default()
    }
}

/// A canary for the comparison: a model with one value changed.
#[test]
fn a_changed_value_is_noticed() {
    let with = |value: &[u8]| {
        let content = BTreeMap::from([(b"k".to_vec(), Content::Value(value.to_vec()))]);
        Model {
            sequence: 0,
            content,
        }
    };
    assert_ne!(with(b"a").list(0), with(b"b").list(0));
    assert!(matches!(
        with(b"a").write(Path::new("/nowhere/file"), 4096),
        Err(Error::Io { .. })
    ));
}
