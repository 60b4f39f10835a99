//! How much memory the kept records take, as the allocator counts it.
//!
//! This is a separate program, since the allocator counts for the whole program.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test, whose figures are for who reads them"
)]

use bayplan::{Any, Container, Db, Filters, Runtime};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const COUNT: usize = 5_000;

fn container(number: usize, spec_bytes: usize) -> Container {
    let spec = Any::new("types.containerd.io/spec", vec![b'x'; spec_bytes]);
    let mut container = Container::new(
        format!("{:064x}", number * 7_919),
        Runtime::new("io.containerd.runc.v2"),
        spec,
    )
    .image("docker.io/library/nginx:1.27")
    .snapshot("overlayfs", format!("{number:064x}"))
    .sandbox(format!("{:064x}", number / 3))
    .extension("state", Any::new("example.com/State", vec![b'y'; 400]));
    for label in 0..6 {
        let value = format!("value-{}", number % (1 << (2 * label)));
        container = container.label(format!("io.kubernetes.label-{label}"), value);
    }
    container
}

/// Lists until everything is kept, and filters; what that took more than before, in bytes.
fn taken_by_loading(db: &Db) -> usize {
    let store = db.namespace("k8s.io").unwrap();
    store.query().count().unwrap();
    let before = ALLOCATOR.current_usage();
    for _ in 0..3 {
        store.query().count().unwrap();
    }
    // The terms are made by the first filter that needs them.
    let filters = Filters::parse(&["image==none"]).unwrap();
    store.query().filter(&filters).count().unwrap();
    ALLOCATOR.current_usage() - before
}

/// One test: what else is allocated meanwhile would be counted.
#[test]
fn what_is_kept_takes_what_it_is_said_to_take() {
    for spec_bytes in [0, 2_000, 8_000] {
        // All of the file fits into redb's cache, or none of it.
        let db = Db::in_memory().unwrap();
        db.write(|txn| {
            let store = txn.namespace("k8s.io")?;
            (0..COUNT).try_for_each(|number| store.create(container(number, spec_bytes)).map(drop))
        })
        .unwrap();
        let taken = taken_by_loading(&db);
        let stats = db.stats().unwrap();
        let said = usize::try_from(stats.memory_bytes).unwrap();
        assert!(said > 0, "nothing is kept");
        let payload = spec_bytes + 1_200;
        println!(
            "spec-bytes={spec_bytes} allocated={} said={} for each container",
            taken / COUNT,
            said / COUNT
        );
        // Neither much more than it may be, nor so careful that half of the bound is for nothing.
        assert!(taken < said + said / 5, "{taken} for {said}");
        assert!(said < taken + taken / 4, "{taken} for {said}");
        assert!(taken / COUNT < payload + 1_200, "{}", taken / COUNT);
    }
}
