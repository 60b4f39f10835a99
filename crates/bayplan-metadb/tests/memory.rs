//! An import and an export take no more memory for more containers.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on fails, and tells what it measured"
)]

use bayplan::Db;
use bayplan_metadb::{MetaDb, export, import};
use boltfile::Writer;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

const COUNT: usize = 100_000;
const SPEC_BYTES: usize = 1000;
const TIME: &[u8] = b"\x01\x00\x00\x00\x0e\xe2\x9c\xb1\xa8\x0f;<\xb3\xff\xff";

/// What redb may keep of the file.
const CACHE_BYTES: usize = 16 << 20;

/// All containers have more than 100 MB.
const PEAK_MAX_BYTES: usize = 80 << 20;

fn write(path: &std::path::Path) {
    let mut spec = b"\x0a\x01t\x12\xe8\x07".to_vec();
    spec.extend([b'x'; SPEC_BYTES]);
    let mut writer = Writer::create(path).unwrap();
    writer.open_bucket(b"v1").unwrap();
    writer.open_bucket(b"default").unwrap();
    writer.open_bucket(b"containers").unwrap();
    for number in 0..COUNT {
        writer
            .open_bucket(format!("c{number:06}").as_bytes())
            .unwrap();
        writer.put(b"createdat", TIME).unwrap();
        writer.open_bucket(b"runtime").unwrap();
        writer.put(b"name", b"io.containerd.runc.v2").unwrap();
        writer.close_bucket().unwrap();
        writer.put(b"spec", &spec).unwrap();
        writer.put(b"updatedat", TIME).unwrap();
        writer.close_bucket().unwrap();
    }
    writer.close_bucket().unwrap();
    writer.close_bucket().unwrap();
    writer.put(b"version", b"\x06").unwrap();
    writer.close_bucket().unwrap();
    writer.finish().unwrap();
}

#[test]
fn a_hundred_thousand_containers_come_and_go_in_bounded_memory() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    write(&path("meta.db"));
    let builder = Db::builder().memory_bytes(0).cache_bytes(CACHE_BYTES);
    let db = builder.create(path("meta.redb")).unwrap();

    let measured = |work: &mut dyn FnMut() -> u64| {
        let before = ALLOCATED.current_usage();
        ALLOCATED.reset_peak_usage();
        assert_eq!(work(), COUNT as u64);
        ALLOCATED.peak_usage() - before
    };
    let importing = measured(&mut || {
        let meta = MetaDb::open(path("meta.db")).unwrap();
        import(&meta, &db, |_| {}).unwrap().containers_count
    });
    let exporting = measured(&mut || {
        let snapshot = db.read().unwrap();
        let exported = export(&snapshot, path("copy.db"), |_| {});
        exported.unwrap().containers_count
    });
    eprintln!("peaks: importing {importing} B, exporting {exporting} B");
    assert!(importing < PEAK_MAX_BYTES, "{importing}");
    assert!(exporting < PEAK_MAX_BYTES, "{exporting}");
}
