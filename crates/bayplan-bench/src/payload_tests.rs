//! What the payload promises.

use std::ops::RangeInclusive;

use bayplan::Container;
use serde_json::Value;

use crate::payload::{RARE, container};

const COUNT: usize = 1000;

/// What seccomp's default list takes in a spec.
const LIST_BYTES: usize = 5112;

fn spec(container: &Container) -> (usize, Value) {
    let bytes = &container.spec.as_ref().unwrap().value;
    (bytes.len(), serde_json::from_slice(bytes).unwrap())
}

#[track_caller]
fn assert_within(count: usize, range: RangeInclusive<usize>) {
    assert!(range.contains(&count), "{count} is not in {range:?}");
}

fn length(value: &Value) -> usize {
    value.as_array().unwrap().len()
}

#[test]
fn specs_are_json_of_the_size_that_a_node_has() {
    let (mut listed, mut sum) = (0, 0);
    for number in 0..COUNT {
        let (bytes, spec) = spec(&container(number));
        assert_within(length(&spec["process"]["env"]), 30..=60);
        assert_within(length(&spec["mounts"]), 12..=17);
        let has_list = spec["linux"].get("seccomp").is_some();
        listed += usize::from(has_list);
        sum += bytes;
        let list = if has_list { LIST_BYTES } else { 0 };
        assert_within(bytes - list, 4800..=8000);
    }
    assert_within(listed, COUNT * 45 / 100..=COUNT * 55 / 100);
    assert_within(sum / COUNT, 8000..=9000);
}

#[test]
fn a_container_has_six_labels_and_an_extension_and_all_of_it_is_text() {
    let mut rare = 0;
    for number in 0..COUNT {
        let container = container(number);
        assert_eq!(container.labels.len(), 6);
        rare += usize::from(container.labels.get(RARE.0).unwrap() == RARE.1);
        assert_eq!(container.extensions.len(), 1);
        for extension in container.extensions.values() {
            assert_within(extension.value.len(), 300..=700);
            serde_json::from_slice::<Value>(&extension.value).unwrap();
        }
        let options = container.runtime.options.unwrap();
        std::str::from_utf8(&options.value).unwrap();
    }
    assert_eq!(rare, COUNT / 100);
}

#[test]
fn a_number_gives_the_same_bytes_in_every_build() {
    let mut hasher = crc32fast::Hasher::new();
    for number in 0..100 {
        let container = container(number);
        hasher.update(container.id.as_bytes());
        hasher.update(&container.spec.unwrap().value);
        for extension in container.extensions.values() {
            hasher.update(&extension.value);
        }
    }
    assert_eq!(hasher.finalize(), 1_956_899_926);
}
