//! JSON: a text that can be read prints as text that reads as the same value.

use std::fmt::Debug;

use bayplan::{Any, Container, ContainerHeader, Labels, Record, RecordHeader, Runtime};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Canary;

/// The input is a text, and the bytes of a value.
pub(crate) fn run(data: &[u8], canary: Canary) {
    if let Ok(text) = str::from_utf8(data) {
        reads_back::<Container>(text, canary);
        reads_back::<ContainerHeader>(text, canary);
        reads_back::<Record>(text, canary);
        reads_back::<RecordHeader>(text, canary);
        reads_back::<Runtime>(text, canary);
        reads_back::<Any>(text, canary);
        reads_back::<Labels>(text, canary);
    }
    let any = Any::new("t", data);
    prints_and_reads_back(&any, Canary::Absent);
    let container = Container::new("c", Runtime::new("r").options(any.clone()), any.clone())
        .extension("x", any);
    prints_and_reads_back(&container, Canary::Absent);
}

fn reads_back<T: DeserializeOwned + Serialize + PartialEq + Debug>(text: &str, canary: Canary) {
    if let Ok(value) = serde_json::from_str::<T>(text) {
        prints_and_reads_back(&value, canary);
    }
}

fn prints_and_reads_back<T>(value: &T, canary: Canary)
where
    T: DeserializeOwned + Serialize + PartialEq + Debug,
{
    let mut printed = serde_json::to_string(value).unwrap();
    if canary == Canary::Planted {
        printed = printed.replace("nginx", "apache");
    }
    for text in [&printed, &serde_json::to_string_pretty(value).unwrap()] {
        match serde_json::from_str::<T>(text) {
            Ok(again) => {
                assert_eq!(again, *value, "{text}");
                assert_eq!(serde_json::to_string(&again).unwrap(), printed);
            }
            Err(error) => panic!("{error}: {text}"),
        }
    }
}
