//! A container as `info` printed it and somebody edited it.
//!
//! A value that is JSON in an unusual spelling, such as Go's `\u0026`, is printed twice: as `json`
//! for people, and as `base64` with the bytes themselves. Who edits the JSON leaves the base64 as it
//! was. The library refuses two that disagree, and cannot know which one is meant; here what is
//! stored tells which was edited.

use std::collections::BTreeMap;
use std::ops::Range;

use bayplan::{Any, Container};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The text without each `base64` that disagrees with its `json` and is still what is stored.
pub(crate) fn settle(text: &str, stored: &Container) -> String {
    let mut text = text.to_owned();
    let mut stale = stale(&text, stored);
    // From the end, so that the others stay where they are.
    stale.sort_by_key(|range| range.start);
    for range in stale.into_iter().rev() {
        text.replace_range(range, "null");
    }
    text
}

/// Those parts of a container that hold values.
#[derive(Deserialize)]
struct Values<'a> {
    #[serde(borrow)]
    spec: Option<&'a RawValue>,
    #[serde(borrow)]
    runtime: Option<Runtime<'a>>,
    #[serde(borrow, default)]
    extensions: BTreeMap<String, &'a RawValue>,
}

#[derive(Deserialize)]
struct Runtime<'a> {
    #[serde(borrow)]
    options: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Bytes<'a> {
    #[serde(borrow)]
    base64: Option<&'a RawValue>,
}

/// Where the base64 stands that is to be left out.
fn stale(text: &str, stored: &Container) -> Vec<Range<usize>> {
    let Ok(values) = serde_json::from_str::<Values<'_>>(text) else {
        return Vec::new();
    };
    let spec = values.spec.zip(stored.spec.as_ref());
    let options = values.runtime.and_then(|runtime| runtime.options);
    let options = options.zip(stored.runtime.options.as_ref());
    let extensions = values.extensions.into_iter();
    let extensions =
        extensions.filter_map(|(name, value)| Some(value).zip(stored.extensions.get(&name)));
    let pairs = spec.into_iter().chain(options).chain(extensions);
    let stale = pairs.filter_map(|(value, stored)| stale_base64(value.get(), stored));
    stale.map(|part| place(text, part)).collect()
}

/// The base64 of a value, if it is why the value cannot be read, and nobody edited it.
fn stale_base64<'a>(value: &'a str, stored: &Any) -> Option<&'a str> {
    if serde_json::from_str::<Any>(value).is_ok() {
        return None;
    }
    let base64 = serde_json::from_str::<Bytes<'a>>(value).ok()?.base64?;
    let printed = serde_json::to_value(stored).ok()?;
    let edited: serde_json::Value = serde_json::from_str(base64.get()).ok()?;
    (printed.get("base64") == Some(&edited)).then_some(base64.get())
}

/// Where a part of the text stands in it.
fn place(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GO: &[u8] = br#"{"args":["a \u0026\u0026 b"],"z":1}"#;

    fn stored() -> Container {
        let value = Any::new("t", GO);
        let runtime = bayplan::Runtime::new("runc").options(value.clone());
        Container::new("web", runtime, value.clone())
            .extension("x", value.clone())
            .extension("y", value)
    }

    fn printed() -> String {
        serde_json::to_string_pretty(&stored()).unwrap()
    }

    #[test]
    fn what_nobody_edited_stays_as_it_is() {
        let printed = printed();
        assert_eq!(printed.matches("base64").count(), 4);
        assert_eq!(settle(&printed, &stored()), printed);
        let back: Container = serde_json::from_str(&printed).unwrap();
        assert_eq!(back, stored());
    }

    #[test]
    fn of_a_value_whose_json_was_edited_the_json_is_taken() {
        let edited = printed().replace("\"z\": 1", "\"z\": 2");
        assert!(serde_json::from_str::<Container>(&edited).is_err());
        let taken: Container = serde_json::from_str(&settle(&edited, &stored())).unwrap();
        let expected = br#"{"args":["a && b"],"z":2}"#;
        let options = taken.runtime.options.unwrap();
        let values = [taken.spec.unwrap(), options];
        for value in values.iter().chain(taken.extensions.values()) {
            assert_eq!(value.value, expected[..]);
        }
    }

    #[test]
    fn values_beside_an_edited_one_keep_their_bytes() {
        let edited = printed().replacen("\"z\": 1", "\"z\": 2", 1);
        let taken: Container = serde_json::from_str(&settle(&edited, &stored())).unwrap();
        let options = taken.runtime.options.unwrap();
        assert_eq!(options.value, br#"{"args":["a && b"],"z":2}"#[..]);
        let values = [taken.spec.unwrap()];
        for value in values.iter().chain(taken.extensions.values()) {
            assert_eq!(value.value, GO);
        }
    }

    #[test]
    fn base64_that_is_not_what_is_stored_is_left_to_be_refused() {
        let mut other = stored();
        other.spec = Some(Any::new("t", b"[ ]"));
        let printed = serde_json::to_string(&other).unwrap();
        let edited = printed.replace("\"json\":[]", "\"json\":[1]");
        assert_ne!(edited, printed);
        assert_eq!(settle(&edited, &stored()), edited);
        assert_eq!(settle("no JSON", &stored()), "no JSON");
        assert_eq!(settle("{\"spec\":7}", &stored()), "{\"spec\":7}");
    }
}
