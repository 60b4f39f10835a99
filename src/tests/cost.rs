//! What a commit costs: the bytes that reach the disk, which decide how fast it is.
//!
//! The bounds are measured values with a small margin. A change that exceeds one makes every commit slower,
//! whatever a clock says on a busy machine.

use bayplan::{Any, Container, Db, FieldMask, Runtime};

use super::disk::{Disk, Event};
use super::work;
use crate::session::settings::Settings;

/// A container as on a Kubernetes node: a specification of 8 KB packs to 1.3 KB.
fn container(number: usize) -> Container {
    let spread = (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let id = format!("{spread:064x}");
    let runtime = Runtime::new("io.containerd.runc.v2").options(Any::new("options", vec![7; 100]));
    let mut container =
        Container::new(id.as_str(), runtime, Any::new("spec", noise(number, 1_300)))
            .image("registry.k8s.io/kube-apiserver:v1.34.2")
            .snapshot("overlayfs", id.as_str())
            .extension(
                "io.cri-containerd.container.metadata",
                Any::new("metadata", vec![5; 300]),
            );
    for label in [
        "kind",
        "container.name",
        "pod.name",
        "pod.namespace",
        "pod.uid",
        "managed-by",
    ] {
        container = container.label(
            format!("io.kubernetes.{label}"),
            format!("{label}-{number}"),
        );
    }
    container
}

/// Bytes that do not pack.
fn noise(number: usize, count: usize) -> Vec<u8> {
    let mut state = number as u64;
    let step = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(step).take(count).collect()
}

fn store(disk: &Disk, size: usize) -> Db {
    let settings = Settings {
        tombstones_max_count: 10_000,
        ..work::settings(false, false)
    };
    let db = work::create(disk, &settings).unwrap();
    db.write(|txn| {
        let store = txn.namespace("k8s.io")?;
        (0..size).try_for_each(|number| store.create(container(number)).map(drop))
    })
    .unwrap();
    db
}

/// The bytes written and the syncs made by `count` calls of `work`, for each call.
fn cost(disk: &Disk, count: usize, mut work: impl FnMut(usize)) -> (usize, f64) {
    let before = disk.log_len();
    (0..count).for_each(&mut work);
    let log = disk.log();
    let (mut bytes, mut syncs) = (0, 0);
    for event in &log[before..] {
        match event {
            Event::Write(_, data) => bytes += data.len(),
            Event::Sync => syncs += 1,
            Event::SetLen(_) | Event::Log(_) => {}
        }
    }
    (bytes / count, f64::from(syncs) / count as f64)
}

#[test]
fn a_commit_writes_few_pages_and_syncs_once() {
    const SIZE: usize = 500;
    const COUNT: usize = 100;
    let disk = Disk::default();
    let db = store(&disk, SIZE);
    let store = db.namespace("k8s.io").unwrap();

    let (bytes, syncs) = cost(&disk, COUNT, |number| {
        store.create(container(SIZE + number)).unwrap();
    });
    assert!(bytes <= 35_000, "a create writes {bytes} bytes");
    // Growing the file sometimes costs another one.
    assert!((1.0..1.1).contains(&syncs), "a create makes {syncs} syncs");

    let mask = FieldMask::parse(["labels.tier"]).unwrap();
    let (bytes, syncs) = cost(&disk, COUNT, |number| {
        let change = Container::with_id(container(number * 3).id).label("tier", "front");
        store.update(change, &mask).unwrap();
    });
    assert!(bytes <= 27_500, "an update of a label writes {bytes} bytes");
    assert!((1.0..1.1).contains(&syncs), "an update makes {syncs} syncs");

    let (bytes, syncs) = cost(&disk, COUNT, |number| {
        store.delete(&container(number * 3).id).unwrap();
    });
    // One more page than an update, for the tombstone.
    assert!(bytes <= 32_000, "a delete writes {bytes} bytes");
    assert!((1.0..1.1).contains(&syncs), "a delete makes {syncs} syncs");
}

#[test]
fn what_changes_nothing_writes_nothing() {
    let disk = Disk::default();
    let db = store(&disk, 10);
    let store = db.namespace("k8s.io").unwrap();
    let (bytes, syncs) = cost(&disk, 10, |number| {
        assert!(store.create(container(number)).is_err());
        assert!(store.delete("no-such-container").is_err());
        db.begin_write().unwrap().commit().unwrap();
        db.write(|txn| txn.namespace("k8s.io")?.delete("none"))
            .unwrap_err();
    });
    assert_eq!((bytes, syncs), (0, 0.0));
}

#[test]
fn an_update_of_a_label_leaves_the_spec_where_it_is() {
    let disk = Disk::default();
    let db = store(&disk, 10);
    let store = db.namespace("k8s.io").unwrap();
    let huge = Any::new("spec", noise(0, 1024 * 1024));
    store
        .create(Container::new("huge", Runtime::new("runc"), huge))
        .unwrap();
    let mask = FieldMask::parse(["labels.tier"]).unwrap();
    let (bytes, _) = cost(&disk, 10, |number| {
        let change = Container::with_id("huge").label("tier", number.to_string());
        store.update(change, &mask).unwrap();
    });
    assert!(
        bytes <= 64_000,
        "it writes {bytes} bytes of a container of a megabyte"
    );
}
