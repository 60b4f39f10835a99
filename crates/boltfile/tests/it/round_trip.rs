//! What the writer writes, the reader reads.

use std::collections::BTreeMap;

use boltfile::Reader;
use proptest::prelude::*;

use crate::listing::list;
use crate::model::{Content, Model, cases, page_sizes, roots};

/// So many random files are written, unless `PROPTEST_CASES` says so.
const CASES: u32 = 64;

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn what_is_written_is_read(model in roots(), page_bytes in page_sizes()) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file.db");
        model.write(&path, page_bytes).unwrap();
        let reader = Reader::open(&path).unwrap();
        let summary = reader.check().unwrap();
        prop_assert_eq!((summary.free_pages, summary.lost_pages), (0, 0));
        prop_assert_eq!(list(&reader).unwrap(), model.list(0));
        model.is_found_in(&reader.root());
    }
}

/// A bucket of so many keys of so many bytes.
pub(crate) fn wide(count: u32, key_bytes: usize, value_bytes: usize) -> Model {
    let content = (0..count).map(|number| {
        let mut key = format!("{number:08}").into_bytes();
        key.resize(key_bytes.max(key.len()), b'k');
        (key, Content::Value(vec![number as u8; value_bytes]))
    });
    let bucket = Model {
        sequence: 1,
        content: content.collect(),
    };
    let content = BTreeMap::from([(b"wide".to_vec(), Content::Bucket(bucket))]);
    Model {
        sequence: 0,
        content,
    }
}

#[test]
fn trees_of_every_height_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let sizes = [
        (0, 8, 0),
        (1, 8, 0),
        (33, 8, 5),
        (1000, 8, 9),
        (30_000, 8, 0),
        // Branch pages that take more than a page each.
        (1, 32_768, 1),
        (2, 32_768, 1),
        (3, 32_768, 1),
        (40, 32_768, 1),
        // Every value has its own pages.
        (9, 8, 100_000),
    ];
    for (number, (count, key_bytes, value_bytes)) in sizes.into_iter().enumerate() {
        let path = directory.path().join(format!("{number}.db"));
        let model = wide(count, key_bytes, value_bytes);
        model.write(&path, 1024).unwrap();
        let reader = Reader::open(&path).unwrap();
        assert_eq!(reader.check().unwrap().values, u64::from(count));
        assert!(list(&reader).unwrap() == model.list(0), "{number}");
        if count < 2000 {
            model.is_found_in(&reader.root());
        }
    }
}
