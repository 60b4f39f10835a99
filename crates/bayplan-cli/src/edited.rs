//! The form of a container that `info` prints and `update --from` reads, with numbers exactly as stored.
//!
//! The library shows a JSON number as a 64-bit number, and adds the exact bytes as `base64`. `info` shows the stored
//! digits instead ([`show`]), and an edited value keeps its digits too ([`settle`], [`settle_value`]).
//!
//! A user who edits `json` leaves the `base64` next to it unchanged. The library refuses two that disagree, since it
//! cannot know which one is meant. Here the stored container shows which one was edited.

use std::collections::BTreeMap;
use std::ops::Range;

use bayplan::{Any, Container, Record};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json;

/// The text of a stored container or record, with numbers exactly as stored.
pub(crate) fn show(text: &str, stored: &impl Valued) -> String {
    replace(text, |value| {
        let Written { json, base64, .. } = serde_json::from_str(value.text).ok()?;
        let (json, _) = json.zip(base64)?;
        let stored = str::from_utf8(&stored.at(&value.place)?.value).ok()?;
        let shown = value.text.replacen(json.get(), &json::compact(stored), 1);
        Some(shown)
    })
}

/// The text of an edited container, in a form that the library reads exactly.
pub(crate) fn settle(text: &str, stored: Option<&Container>) -> String {
    replace(text, |value| {
        let stored = stored.and_then(|stored| stored.at(&value.place));
        settled(value.text, stored)
    })
}

/// The text of a single value, in a form that the library reads exactly.
pub(crate) fn settle_value(text: &str) -> String {
    settled(text, None).unwrap_or_else(|| text.to_owned())
}

/// The value with its `json` converted to exact bytes; `None` if its `base64` counts.
fn settled(text: &str, stored: Option<&Any>) -> Option<String> {
    let Written {
        type_url,
        json,
        base64,
    } = serde_json::from_str(text).ok()?;
    let spelled = json::compact(json?.get());
    if base64.is_some() {
        let was_edited = serde_json::from_str::<Any>(text).is_err();
        let is_stale = serde_json::to_value(stored?).ok()?.get("base64") == base64.as_ref();
        if !was_edited || !is_stale {
            return None;
        }
    }
    json::of(&Any::new(type_url, spelled)).ok()
}

/// The members of a value.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    type_url: String,
    #[serde(borrow, default)]
    json: Option<&'a RawValue>,
    #[serde(default)]
    base64: Option<serde_json::Value>,
}

/// The parts of a container or record that are values.
#[derive(Deserialize)]
struct Values<'a> {
    #[serde(borrow)]
    value: Option<&'a RawValue>,
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

/// A value in the text of a container or record.
struct Value<'a> {
    text: &'a str,
    place: Place,
}

/// Where a value is.
pub(crate) enum Place {
    Value,
    Spec,
    Options,
    Extension(String),
}

/// What holds values.
pub(crate) trait Valued {
    /// The value at this place.
    fn at(&self, place: &Place) -> Option<&Any>;
}

impl Valued for Container {
    fn at(&self, place: &Place) -> Option<&Any> {
        match place {
            Place::Value => None,
            Place::Spec => self.spec.as_ref(),
            Place::Options => self.runtime.options.as_ref(),
            Place::Extension(name) => self.extensions.get(name),
        }
    }
}

impl Valued for Record {
    fn at(&self, place: &Place) -> Option<&Any> {
        match place {
            Place::Value => Some(&self.value),
            _ => None,
        }
    }
}

/// The text with some of its values replaced.
fn replace(text: &str, by: impl Fn(&Value<'_>) -> Option<String>) -> String {
    let mut replaced = text.to_owned();
    let mut values = values(text);
    // From the end, so that the others stay where they are.
    values.sort_by_key(|value| std::cmp::Reverse(range(text, value.text).start));
    for value in values {
        if let Some(new) = by(&value) {
            replaced.replace_range(range(text, value.text), &new);
        }
    }
    replaced
}

/// Finds the values in the text of a container or record; empty if it is neither.
fn values(text: &str) -> Vec<Value<'_>> {
    let Ok(values) = serde_json::from_str::<Values<'_>>(text) else {
        return Vec::new();
    };
    let value = values.value.map(|text| (Place::Value, text));
    let spec = values.spec.map(|text| (Place::Spec, text));
    let options = values.runtime.and_then(|runtime| runtime.options);
    let options = options.map(|text| (Place::Options, text));
    let extensions = values.extensions.into_iter();
    let extensions = extensions.map(|(name, text)| (Place::Extension(name), text));
    let all = value
        .into_iter()
        .chain(spec)
        .chain(options)
        .chain(extensions);
    all.map(|(place, text)| Value {
        text: text.get(),
        place,
    })
    .collect()
}

/// The range of a part in its text.
fn range(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GO: &[u8] = br#"{"args":["a \u0026\u0026 b"],"z":1}"#;

    fn of(value: Any) -> Container {
        let runtime = bayplan::Runtime::new("runc").options(value.clone());
        Container::new("web", runtime, value.clone())
            .extension("x", value.clone())
            .extension("y", value)
    }

    fn stored() -> Container {
        of(Any::new("t", GO))
    }

    fn printed() -> String {
        serde_json::to_string_pretty(&stored()).unwrap()
    }

    fn settle_stored(text: &str) -> String {
        settle(text, Some(&stored()))
    }

    fn values_of(container: &Container) -> Vec<&Any> {
        let spec = container.spec.iter().chain(&container.runtime.options);
        spec.chain(container.extensions.values()).collect()
    }

    #[test]
    fn what_nobody_edited_stays_as_it_is() {
        let printed = printed();
        assert_eq!(printed.matches("base64").count(), 4);
        assert_eq!(settle_stored(&printed), printed);
        let back: Container = serde_json::from_str(&printed).unwrap();
        assert_eq!(back, stored());
    }

    #[test]
    fn of_a_value_whose_json_was_edited_the_json_is_taken() {
        let edited = printed().replace("\"z\": 1", "\"z\": 2");
        assert!(serde_json::from_str::<Container>(&edited).is_err());
        let taken: Container = serde_json::from_str(&settle_stored(&edited)).unwrap();
        let expected = br#"{"args":["a && b"],"z":2}"#;
        for value in values_of(&taken) {
            assert_eq!(value.value, expected[..]);
        }
    }

    #[test]
    fn values_beside_an_edited_one_keep_their_bytes() {
        let edited = printed().replacen("\"z\": 1", "\"z\": 2", 1);
        let mut taken: Container = serde_json::from_str(&settle_stored(&edited)).unwrap();
        let options = taken.runtime.options.take().unwrap();
        assert_eq!(options.value, br#"{"args":["a && b"],"z":2}"#[..]);
        for value in values_of(&taken) {
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
        assert_eq!(settle_stored(&edited), edited);
        for text in ["no JSON", "{\"spec\":7}"] {
            assert_eq!(settle_stored(text), text);
            assert_eq!(show(text, &stored()), text);
        }
    }

    #[test]
    fn numbers_are_shown_and_read_in_all_their_digits() {
        let digits = |last: char| format!("{{\"n\":[12345678901234567890123456789{last},1.50]}}");
        let stored = of(Any::new("t", digits('0')));
        let printed = json::of(&stored).unwrap();
        assert!(!printed.contains(&digits('0')), "{printed}");
        let shown = show(&printed, &stored);
        assert_eq!(shown.matches(&digits('0')).count(), 4);
        let back: Container = serde_json::from_str(&settle(&shown, Some(&stored))).unwrap();
        assert_eq!(back, stored);
        // Another member is edited.
        let edited = shown.replace("1.50]", "1.50],\"m\":1");
        let taken: Container = serde_json::from_str(&settle(&edited, Some(&stored))).unwrap();
        let expected = digits('0').replace("1.50]", "1.50],\"m\":1");
        for value in values_of(&taken) {
            assert_eq!(value.value, expected.as_bytes());
        }
        // Nothing is stored.
        let new = format!("{{\"type_url\":\"t\",\"json\":{}}}", digits('7'));
        let value: Any = serde_json::from_str(&settle_value(&new)).unwrap();
        assert_eq!(value.value, digits('7').as_bytes());
    }
}
