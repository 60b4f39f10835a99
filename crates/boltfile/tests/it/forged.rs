//! Files that lie: each lie is an error that names the page, what was expected and what was found.

use std::fs::OpenOptions;
use std::io::Read as _;

use boltfile::{BUCKET_DEPTH_MAX, Error, Item, PAGE_DEPTH_MAX, Reader, Writer};

use crate::image::{Image, PAGE_BYTES};
use crate::listing::list;

/// The error of reading everything, which is also that of the check.
#[track_caller]
fn refused(image: &Image) -> String {
    let reader = image.open().unwrap();
    let listed = list(&reader).unwrap_err();
    let checked = reader.check().unwrap_err();
    assert!(matches!(listed, Error::Damaged { .. }), "{listed}");
    assert_eq!(listed.to_string(), checked.to_string());
    after_path(&listed)
}

/// What the check alone refuses.
#[track_caller]
fn check_refused(image: &Image) -> String {
    let reader = image.open().unwrap();
    after_path(&reader.check().unwrap_err())
}

fn after_path(error: &Error) -> String {
    let text = error.to_string();
    text.split_once(" is damaged: ").unwrap().1.to_owned()
}

/// A sample with one lie.
#[track_caller]
fn lie(forge: impl FnOnce(&mut Image)) -> String {
    let mut image = Image::sample();
    forge(&mut image);
    refused(&image)
}

#[test]
fn a_page_that_is_none_is_refused() {
    let image = Image::sample();
    let (branch, leaf) = (image.branch(), image.leaf(0));
    let high_water = image.u64(0, 56);
    for page in [0, 1, high_water, u64::MAX] {
        let told = lie(|image| image.set(branch, 24, &page.to_le_bytes()));
        let expected =
            format!("page {page}: is referred to, expected a page from 2 to below {high_water}");
        assert_eq!(told, expected);
        let told = lie(|image| image.set_meta(16, page));
        assert_eq!(told, expected);
    }
    let told = lie(|image| image.set(leaf, 0, &99u64.to_le_bytes()));
    assert_eq!(told, format!("page {leaf}: has the id of page 99"));
}

#[test]
fn a_page_of_another_kind_is_refused() {
    let leaf = Image::sample().leaf(0);
    for flags in [0u16, 3, 4, 0x10, 0x0201] {
        let told = lie(|image| image.set(leaf, 8, &flags.to_le_bytes()));
        let expected = format!(
            "page {leaf}: has the flags {flags:#06x}, expected those of a branch or leaf page"
        );
        assert_eq!(told, expected);
    }
}

#[test]
fn an_overflow_beyond_the_pages_is_refused() {
    let image = Image::sample();
    let (leaf, high_water) = (image.leaf(0), image.u64(0, 56));
    let told = lie(|image| image.set(leaf, 12, &u32::MAX.to_le_bytes()));
    let last = leaf + u64::from(u32::MAX);
    let expected =
        format!("page {leaf}: overflows to page {last}, expected one below {high_water}");
    assert_eq!(told, expected);
    // With a high-water mark that lies as well, the end of the file stands against it.
    let told = lie(|image| {
        image.set_meta(40, u64::MAX);
        image.set(leaf, 12, &u32::MAX.to_le_bytes());
    });
    let (end, length) = ((last + 1) * PAGE_BYTES as u64, image.bytes.len());
    assert_eq!(
        told,
        format!("page {leaf}: ends at byte {end} of the file, which has {length}")
    );
    // The same holds for a page far after it.
    let told = lie(|image| {
        image.set_meta(40, u64::MAX);
        image.set_meta(16, u64::MAX - 1);
    });
    assert!(told.contains("ends at byte 18446744073709551615"), "{told}");
}

#[test]
fn a_page_that_is_used_twice_is_found_by_the_check() {
    let mut image = Image::sample();
    // The next page is taken as overflow.
    let first = image.leaf(0);
    image.set(first, 12, &1u32.to_le_bytes());
    let told = check_refused(&image);
    assert_eq!(
        told,
        format!("page {}: is referred to more than once", first + 1)
    );
}

#[test]
fn elements_outside_of_their_page_are_refused() {
    let leaf = Image::sample().leaf(0);
    let told = lie(|image| image.set(leaf, 10, &64u16.to_le_bytes()));
    assert_eq!(
        told,
        format!("page {leaf}: has 64 elements, expected at most 63")
    );
    // Fewer would fit, but the first key is where the elements would be.
    let told = lie(|image| image.set(leaf, 10, &60u16.to_le_bytes()));
    assert!(
        told.starts_with(&format!("page {leaf}: element 0 is at ")),
        "{told}"
    );
    for (at, number) in [(4, 0), (4, u32::MAX), (4, 15), (12, u32::MAX), (12, 1024)] {
        let told = lie(|image| image.set(leaf, 16 + 32 + at, &u32::to_le_bytes(number)));
        assert!(
            told.starts_with(&format!("page {leaf}: element ")),
            "{told}"
        );
        assert!(told.contains(", expected it in "), "{told}");
    }
    for length in [0, 32_769, u32::MAX] {
        let told = lie(|image| image.set(leaf, 16 + 8, &length.to_le_bytes()));
        let expected =
            format!("page {leaf}: the key of element 0 has {length} bytes, expected 1 to 32768");
        assert_eq!(told, expected);
    }
    let told = lie(|image| image.set(leaf, 16, &2u32.to_le_bytes()));
    assert_eq!(
        told,
        format!("page {leaf}: element 0 has the flags 0x2, expected 0 or 1")
    );
}

#[test]
fn keys_out_of_order_or_out_of_range_are_refused() {
    let image = Image::sample();
    let (branch, leaf) = (image.branch(), image.leaf(0));
    let (key, _) = image.element(leaf, 1);
    let first = lie(|image| image.set(leaf, key, b"aaa"));
    assert_eq!(
        first,
        format!("page {leaf}: the key of element 1 is not above the key before it")
    );
    let last = u16::from_le_bytes(
        image.bytes[leaf as usize * PAGE_BYTES + 10..][..2]
            .try_into()
            .unwrap(),
    ) - 1;
    for (index, name) in [(0, b"aaa"), (last, b"zzz")] {
        let (key, _) = image.element(leaf, index.into());
        let told = lie(|image| image.set(leaf, key, name));
        let expected = format!(
            "page {leaf}: the key of element {index} is not in the range that the branch page above gives"
        );
        assert_eq!(told, expected);
    }
    let told = lie(|image| image.set(branch, 10, &0u16.to_le_bytes()));
    assert_eq!(
        told,
        format!("page {branch}: is a branch page without elements")
    );
}

#[test]
fn a_page_below_itself_is_refused() {
    let branch = Image::sample().branch();
    let told = lie(|image| image.set(branch, 24, &branch.to_le_bytes()));
    assert_eq!(told, format!("page {branch}: is below itself"));
}

#[test]
fn a_bucket_inside_itself_is_refused() {
    let mut image = Image::sample();
    let root = image.root();
    let (_, value) = image.element(root, 1);
    image.set(root, value, &root.to_le_bytes());
    let reader = image.open().unwrap();
    let listed = after_path(&list(&reader).unwrap_err());
    assert_eq!(listed, format!("page {root}: is below itself"));
    assert_eq!(check_refused(&image), listed);
    // A branch page is above the bucket that has it as its root.
    let mut image = Image::sample();
    let branch = image.branch();
    let (last, index) = bucket_of_tree(&image);
    let (_, value) = image.element(last, index);
    image.set(last, value, &branch.to_le_bytes());
    let told = after_path(&list(&image.open().unwrap()).unwrap_err());
    assert_eq!(told, format!("page {last}: is below itself"));
    assert_eq!(
        check_refused(&image),
        format!("page {branch}: is below itself")
    );
}

/// The leaf and the element of the bucket `nested`, the last of `tree`.
fn bucket_of_tree(image: &Image) -> (u64, usize) {
    let branch = image.branch();
    let branches = image.u64(branch, 8) >> 16 & 0xffff;
    let leaf = image.leaf(branches as usize - 1);
    let elements = image.u64(leaf, 8) >> 16 & 0xffff;
    (leaf, elements as usize - 1)
}

#[test]
fn buckets_that_lie_are_refused() {
    let image = Image::sample();
    let (leaf, index) = bucket_of_tree(&image);
    let told = lie(|image| image.set(leaf, 16 + 16 * index + 12, &15u32.to_le_bytes()));
    assert_eq!(
        told,
        format!("page {leaf}: the bucket of element {index} has 15 bytes, expected 16")
    );
    // It says to be inline, without a page.
    let (_, value) = image.element(leaf, index);
    let told = lie(|image| image.set(leaf, value, &0u64.to_le_bytes()));
    assert_eq!(
        told,
        format!("page {leaf}: the bucket of element {index} has 16 bytes, expected 32")
    );
}

#[test]
fn inline_pages_that_lie_are_refused() {
    let image = Image::sample();
    let root = image.root();
    let (_, value) = image.element(root, 0);
    let page = value + 16;
    let inline = format!("page {root}: the inline page of element 0: ");
    let cases: [(usize, &[u8], &str); 7] = [
        (0, &[9], "has the id of page 9"),
        (
            8,
            &[1, 0],
            "has the flags 0x0001, expected those of a leaf page",
        ),
        (
            8,
            &[4, 0],
            "has the flags 0x0004, expected those of a leaf page",
        ),
        (10, &[0xff, 0xff], "has 65535 elements, expected at most 1"),
        (
            12,
            &[1, 0, 0, 0],
            "overflows to page 1, expected one below 1",
        ),
        (
            16,
            &[1],
            "element 0 is a bucket, which an inline page cannot have",
        ),
        (28, &[200], "element 0 is at 32..238, expected it in 32..39"),
    ];
    for (at, bytes, expected) in cases {
        let told = lie(|image| image.set(root, page + at, bytes));
        assert_eq!(told, format!("{inline}{expected}"));
    }
}

#[test]
fn a_freelist_that_lies_is_found_by_the_check() {
    let lie = |forge: &dyn Fn(&mut Image)| {
        let mut image = Image::sample();
        forge(&mut image);
        assert!(list(&image.open().unwrap()).is_ok());
        check_refused(&image)
    };
    let image = Image::sample();
    let (root, high_water) = (image.root(), image.u64(0, 56));
    let told = lie(&|image| image.set(2, 8, &2u16.to_le_bytes()));
    assert_eq!(
        told,
        "page 2: has the flags 0x0002, expected those of a freelist page"
    );
    let told = lie(&|image| image.set(2, 10, &200u16.to_le_bytes()));
    assert_eq!(told, "page 2: has 200 elements, expected at most 126");
    let told = lie(&|image| {
        image.set(2, 10, &[0xff, 0xff]);
        image.set(2, 16, &u64::MAX.to_le_bytes());
    });
    assert_eq!(
        told,
        format!("page 2: has {} elements, expected at most 125", u64::MAX)
    );
    let told = lie(&|image| {
        image.set(2, 10, &1u16.to_le_bytes());
        image.set(2, 16, &root.to_le_bytes());
    });
    assert_eq!(told, format!("page {root}: is in use, but on the freelist"));
    for page in [1, high_water] {
        let told = lie(&|image| {
            image.set(2, 10, &1u16.to_le_bytes());
            image.set(2, 16, &page.to_le_bytes());
        });
        assert_eq!(
            told,
            format!("page {page}: is referred to, expected a page from 2 to below {high_water}")
        );
    }
    let told = lie(&|image| image.set_meta(32, root));
    assert_eq!(
        told,
        format!("page {root}: has the flags 0x0002, expected those of a freelist page")
    );
}

#[test]
fn a_page_that_nothing_refers_to_is_counted() {
    let mut image = Image::sample();
    let high_water = image.u64(0, 56);
    image.set_meta(40, high_water + 3);
    let summary = image.open().unwrap().check().unwrap();
    assert_eq!((summary.lost_pages, summary.free_pages), (3, 0));
    // Without a freelist, it is free.
    image.set_meta(32, u64::MAX);
    let reader = image.open().unwrap();
    assert_eq!(reader.meta().freelist, None);
    let summary = reader.check().unwrap();
    // The page of the freelist as well.
    assert_eq!((summary.lost_pages, summary.free_pages), (0, 4));
}

#[test]
fn either_meta_page_is_enough() {
    let healthy = list(&Image::sample().open().unwrap()).unwrap();
    for page in 0..2 {
        let mut image = Image::sample();
        image.set(page, 16 + 50, &[0xee]);
        assert_eq!(list(&image.open().unwrap()).unwrap(), healthy);
    }
    let mut image = Image::sample();
    image.set(0, 16 + 50, &[0xee]);
    image.set(1, 16 + 4, &[9]);
    let told = image.open().unwrap_err().to_string();
    assert!(
        told.contains("the first meta page has the checksum 0x"),
        "{told}"
    );
    assert!(
        told.contains("the second has format version 9, expected 2"),
        "{told}"
    );
}

#[test]
fn what_is_no_bolt_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    for bytes in [
        &b""[..],
        b"x",
        &[0; 10_000],
        b"SQLite format 3\0 and so on and on and on and on and on and on and on and on and on",
    ] {
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(Reader::open(&path), Err(Error::NotBolt { .. })));
    }
    let missing = directory.path().join("missing");
    assert!(matches!(
        Reader::open(missing),
        Err(Error::Io {
            operation: "open",
            ..
        })
    ));
    let told = Reader::open(directory.path()).unwrap_err();
    assert!(matches!(
        told,
        Error::Io {
            operation: "open",
            ..
        }
    ));
}

#[test]
fn a_file_that_is_open_for_writing_is_locked() {
    let image = Image::sample();
    let path = image.file();
    let held = OpenOptions::new().write(true).open(&path).unwrap();
    held.lock().unwrap();
    let told = Reader::open(&path).unwrap_err();
    assert_eq!(
        told.to_string(),
        format!("{} is locked: another process has it open", path.display())
    );
    held.unlock().unwrap();
    let (one, another) = (Reader::open(&path).unwrap(), Reader::open(&path).unwrap());
    assert!(held.try_lock().is_err());
    drop((one, another));
    held.try_lock().unwrap();
}

#[test]
fn a_value_longer_than_the_limit_is_read_piece_by_piece() {
    let mut image = Image::sample();
    // The page of "long" claims all of a very long file, which takes no space.
    let (tree, index) = bucket_of_tree(&image);
    let nested = image.bucket(tree, index);
    let long = (3..image.u64(0, 56))
        .find(|page| image.u64(*page, 0) == *page && image.u32(*page, 28) == 1500)
        .unwrap();
    assert_ne!(nested, long);
    let value_bytes = u32::MAX - 1024;
    image.set(long, 28, &value_bytes.to_le_bytes());
    image.set(long, 12, &(u32::MAX / PAGE_BYTES as u32).to_le_bytes());
    image.set_meta(40, 1 << 40);
    let path = image.file();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(1 << 36).unwrap();
    let reader = Reader::open(&path).unwrap();
    let tree = reader.root().bucket(b"tree").unwrap().unwrap();
    let bucket = tree.bucket(b"nested").unwrap().unwrap();
    let told = bucket.get(b"long").unwrap_err();
    assert!(matches!(told, Error::ValueTooLong { length, .. } if length == u64::from(value_bytes)));
    let Some(Item::Value(value)) = bucket.find(b"long").unwrap() else {
        panic!("it is a value");
    };
    let mut piece = [0; 3000];
    value.reader().read_exact(&mut piece).unwrap();
    assert!(piece[..1500].iter().all(|byte| *byte == 7));
}

#[test]
fn the_depth_of_buckets_is_limited() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deep.db");
    let mut writer = Writer::create(&path).unwrap();
    for _ in 0..BUCKET_DEPTH_MAX {
        writer.open_bucket(b"deeper").unwrap();
    }
    assert!(matches!(
        writer.open_bucket(b"x"),
        Err(Error::NestingTooDeep)
    ));
    for _ in 0..BUCKET_DEPTH_MAX {
        writer.close_bucket().unwrap();
    }
    writer.finish().unwrap();
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.check().unwrap().buckets, BUCKET_DEPTH_MAX as u64);
    assert!(list(&reader).is_ok());
}

#[test]
fn the_depth_of_pages_is_limited() {
    // Branch pages of one element each, one below the other.
    let mut image = Image::sample();
    let start = image.u64(0, 56);
    let end = start + PAGE_DEPTH_MAX as u64 + 1;
    image.set_meta(40, end);
    image.bytes.resize(end as usize * PAGE_BYTES, 0);
    for page in start..end {
        image.set(page, 0, &page.to_le_bytes());
        image.set(page, 8, &[1, 0, 1, 0]);
        image.set(page, 16, &[16, 0, 0, 0, 1, 0, 0, 0]);
        image.set(page, 24, &(page + 1).to_le_bytes());
        image.set(page, 32, b"a");
    }
    image.set_meta(16, start);
    let told = refused(&image);
    let deepest = start + PAGE_DEPTH_MAX as u64;
    assert_eq!(
        told,
        format!("page {deepest}: is deeper than 32 pages below the root of its bucket")
    );
}
