//! Files of Bolt: whatever a file contains, reading it ends, with content or with an error that is not the system's. A
//! file that the check accepts can be read, searched by its keys, and written again.

use std::path::Path;

use boltfile::{Bucket, Error, Item, Reader, WriteOptions, Writer};

use super::Canary;
use super::input::Input;
use super::sample::Place;

const PAGE_BYTES: usize = 1024;
const META_BYTES: usize = 64;
/// The checksum of a meta page follows these bytes and covers them.
const META_COVERED_BYTES: usize = 56;
const HEADER_BYTES: usize = 16;

/// So many entries are read of a file that the check refuses.
const ENTRIES_MAX: usize = 10_000;

/// Depth, key, and the value, or the sequence of a bucket.
type Line = (usize, Vec<u8>, Result<Vec<u8>, u64>);

thread_local! {
    static IMAGES: (Place, [Vec<u8>; 3]) = {
        let place = Place::new();
        let images = [0, 1, 2].map(|kind| image(&place, kind));
        (place, images)
    };
}

/// A healthy file: a small one, one with branch pages, one with nested buckets and long values.
fn image(place: &Place, kind: u8) -> Vec<u8> {
    let path = place.free("image.db");
    let mut options = WriteOptions::new();
    let mut writer = options.page_bytes(PAGE_BYTES as u32).create(&path).unwrap();
    writer.open_bucket(b"v1").unwrap();
    writer.set_sequence(9);
    writer.put(b"image", b"nginx").unwrap();
    for number in 0..100 * u32::from(kind) {
        let key = format!("key{number:04}").into_bytes();
        if kind == 2 && number % 20 == 7 {
            writer.open_bucket(&key).unwrap();
            for inner in 0..number / 4 {
                let length = inner as usize * 5;
                writer.put(&inner.to_be_bytes(), &vec![7; length]).unwrap();
            }
            writer.close_bucket().unwrap();
        } else {
            writer.put(&key, &number.to_le_bytes()).unwrap();
        }
    }
    if kind == 2 {
        writer.put(b"long", &[5; 3000]).unwrap();
    }
    writer.close_bucket().unwrap();
    writer.finish().unwrap();
    std::fs::read(path).unwrap()
}

/// The input is a file, if it has the magic number of one, or else which image to take, and what to change in it.
pub(crate) fn run(data: &[u8], canary: Canary) {
    IMAGES.with(|(place, images)| {
        let is_file = data.get(16..20) == Some(&[0xed, 0xda, 0x0c, 0xed]);
        let bytes = if is_file {
            data.to_vec()
        } else {
            let mut input = Input::new(data);
            let kind = usize::from(input.byte());
            changed(&images[kind % images.len()], input)
        };
        let path = place.free("file.db");
        std::fs::write(&path, bytes).unwrap();
        keeps_the_laws(&path, &place.free("copy.db"), canary);
        place.assert_holds_only(&["image.db", "file.db", "copy.db"]);
    });
}

/// The image with the changes of the input.
fn changed(image: &[u8], mut input: Input<'_>) -> Vec<u8> {
    let mut bytes = image.to_vec();
    while !input.is_empty() {
        let kind = input.byte() % 7;
        let page = page(image, &mut input);
        let at = page + input.number() % PAGE_BYTES;
        match kind {
            0 => {
                let with = input.byte();
                bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= with);
            }
            1 => {
                let count = usize::from(input.byte());
                overwrite(&mut bytes, at, input.bytes(count));
            }
            2 => overwrite(&mut bytes, at, &u64::from(input.byte()).to_le_bytes()),
            3 => {
                let from = self::page(image, &mut input);
                let keeps_id = input.byte() % 2;
                let id = bytes.get(page..page + 8).map(<[u8]>::to_vec);
                if page.max(from) + PAGE_BYTES <= bytes.len() {
                    bytes.copy_within(from..from + PAGE_BYTES, page);
                    if keeps_id == 1 {
                        overwrite(&mut bytes, page, &id.unwrap_or_default());
                    }
                }
            }
            4 => overwrite(&mut bytes, page, &[0; PAGE_BYTES]),
            5 => bytes.truncate(at),
            _ => set_meta(&mut bytes, at, input.byte()),
        }
    }
    bytes
}

/// Where a page begins.
fn page(image: &[u8], input: &mut Input<'_>) -> usize {
    usize::from(input.byte()) % (image.len() / PAGE_BYTES) * PAGE_BYTES
}

fn overwrite(bytes: &mut [u8], at: usize, with: &[u8]) {
    let places = bytes.iter_mut().skip(at);
    places.zip(with).for_each(|(to, byte)| *to = *byte);
}

/// Sets one number of both meta pages, and makes their checksums fit.
fn set_meta(bytes: &mut [u8], field: usize, number: u8) {
    let number = match number {
        0xff => u64::MAX,
        number => u64::from(number),
    };
    for page in [0, PAGE_BYTES] {
        let start = page + HEADER_BYTES;
        let at = start + field % (META_COVERED_BYTES / 8) * 8;
        overwrite(bytes, at, &number.to_le_bytes());
        let Some(meta) = bytes.get(start..start + META_BYTES) else {
            return;
        };
        let covered = meta.iter().take(META_COVERED_BYTES);
        let sum = covered.fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
            (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        overwrite(bytes, start + META_COVERED_BYTES, &sum.to_le_bytes());
    }
}

fn keeps_the_laws(path: &Path, copy: &Path, canary: Canary) {
    let reader = match Reader::open(path) {
        Ok(reader) => reader,
        Err(Error::NotBolt { .. }) => return,
        Err(error) => panic!("{error}"),
    };
    let checked = reader.check();
    let mut lines = Vec::new();
    let listed = list(&reader.root(), &mut lines);
    match (&checked, &listed) {
        (Ok(summary), Ok(())) => {
            let values = lines.iter().filter(|(_, _, what)| what.is_ok()).count();
            assert_eq!(summary.values, values as u64);
            assert_eq!(summary.buckets, (lines.len() - values) as u64);
        }
        (Ok(_), Err(error)) => panic!("the check accepts it: {error}"),
        (Err(Error::Damaged { .. }), Ok(()) | Err(Error::Damaged { .. })) => return,
        (Err(error), _) => panic!("{error}"),
    }
    finds_every_key(&reader.root());
    let mut options = WriteOptions::new();
    let mut writer = options.page_bytes(PAGE_BYTES as u32).create(copy).unwrap();
    writer.set_sequence(reader.root().sequence());
    write(&lines, &mut writer, canary);
    writer.finish().unwrap();
    let written = Reader::open(copy).unwrap();
    assert_eq!(written.check().unwrap().lost_pages, 0);
    let mut again = Vec::new();
    list(&written.root(), &mut again).unwrap();
    assert!(again == lines, "the copy has other content");
}

fn list(bucket: &Bucket<'_>, lines: &mut Vec<Line>) -> boltfile::Result<()> {
    for entry in bucket {
        // A forged file may show the same buckets without end, see `Reader::check`.
        if lines.len() >= ENTRIES_MAX {
            break;
        }
        let entry = entry?;
        match entry.item {
            Item::Value(value) => lines.push((bucket.depth(), entry.key, Ok(value.read()?))),
            Item::Bucket(nested) => {
                lines.push((bucket.depth(), entry.key, Err(nested.sequence())));
                list(&nested, lines)?;
            }
        }
    }
    Ok(())
}

fn finds_every_key(bucket: &Bucket<'_>) {
    for entry in bucket {
        let entry = entry.unwrap();
        match (entry.item, bucket.find(&entry.key).unwrap()) {
            (Item::Value(value), Some(Item::Value(found))) => assert_eq!(value.len(), found.len()),
            (Item::Bucket(nested), Some(Item::Bucket(_))) => finds_every_key(&nested),
            _ => panic!("{:?} is not found", entry.key),
        }
    }
}

/// Writes what was listed.
fn write(lines: &[Line], writer: &mut Writer, canary: Canary) {
    let mut open = 0;
    for (depth, key, what) in lines {
        while open > *depth {
            writer.close_bucket().unwrap();
            open -= 1;
        }
        match what {
            Ok(value) if canary == Canary::Planted && value == b"nginx" => {
                writer.put(key, b"apache").unwrap();
            }
            Ok(value) => writer.put(key, value).unwrap(),
            Err(sequence) => {
                writer.open_bucket(key).unwrap();
                writer.set_sequence(*sequence);
                open += 1;
            }
        }
    }
    for _ in 0..open {
        writer.close_bucket().unwrap();
    }
}
