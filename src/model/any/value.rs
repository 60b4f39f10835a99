//! A JSON value: its keys in their order, and its numbers as every program reads them.
//!
//! If any crate of a program enables serde_json's feature `arbitrary_precision`, numbers arrive in another form: as a
//! map with one key of serde_json's own. The shown form of a value must not depend on that, since one program may load
//! what another dumped. So a number is always a 64-bit integer or floating-point number here.
//!
//! serde_json's `RawValue` would keep the digits, but only serde_json's own reader can read it (docs/ARCHITECTURE.md,
//! "What is by hand").

use std::fmt;

use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The key under which serde_json passes the text of a number (`number::TOKEN` in its source).
const NUMBER_KEY: &str = "$serde_json::private::Number";

/// A JSON value.
#[derive(Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

impl Value {
    /// How deep lists and maps nest.
    pub(super) fn depth(&self) -> usize {
        let deepest = match self {
            Self::List(items) => items.iter().map(Self::depth).max(),
            Self::Map(members) => members.iter().map(|(_, value)| value.depth()).max(),
            _ => return 0,
        };
        1 + deepest.unwrap_or(0)
    }
}

/// Parses a number; `None` if the text is out of range, or not a number.
fn number(text: &str) -> Option<Value> {
    // A zero has a sign in floating-point only.
    let signed = || text.parse().ok().filter(|number| *number != 0);
    let float = || text.parse().ok().filter(|number: &f64| number.is_finite());
    if let Ok(number) = text.parse() {
        return Some(Value::Unsigned(number));
    }
    signed()
        .map(Value::Signed)
        .or_else(|| float().map(Value::Float))
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Unsigned(number) => serializer.serialize_u64(*number),
            Self::Signed(number) => serializer.serialize_i64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Map(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Unsigned(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(u64::try_from(number).map_or(Value::Signed(number), Value::Unsigned))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Float(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if members.is_empty() && key == NUMBER_KEY {
                return the_number(map);
            }
            members.push((key, map.next_value()?));
        }
        Ok(Value::Map(members))
    }
}

/// Reads the number under serde_json's own key. A map that happens to have that key is not a value, so its bytes are
/// shown.
fn the_number<'de, A: MapAccess<'de>>(mut map: A) -> Result<Value, A::Error> {
    let text: String = map.next_value()?;
    let is_alone = map.next_key::<IgnoredAny>()?.is_none();
    number(&text)
        .filter(|_| is_alone)
        .ok_or_else(|| A::Error::custom("number out of range"))
}

#[cfg(test)]
mod tests {
    use serde::de::value::{Error, MapDeserializer};

    use super::*;

    /// A number as serde_json passes it with `arbitrary_precision`.
    fn handed_out(text: &str) -> Option<Value> {
        let map = MapDeserializer::<_, Error>::new([(NUMBER_KEY, text)].into_iter());
        Value::deserialize(map).ok()
    }

    #[test]
    fn a_number_is_the_same_however_it_is_handed_out() {
        for text in [
            "0",
            "-0",
            "1",
            "-1",
            "0.1",
            "1.50",
            "2e3",
            "-2E-3",
            "1e999",
            "-1e999",
            "18446744073709551615",
            "18446744073709551616",
            "-9223372036854775808",
            "-9223372036854775809",
            "123456789012345678901234567890",
            "5e-324",
            "1e-400",
            "0.1234567890123456789",
            "9007199254740993.0",
            "-0.0",
        ] {
            let read: Option<Value> = serde_json::from_str(text).ok();
            assert_eq!(handed_out(text), read, "{text}");
            let shown = read.map(|value| serde_json::to_string(&value).unwrap());
            let again = shown
                .as_deref()
                .map(|text| serde_json::from_str::<Value>(text).unwrap());
            let shown_again = again.map(|value| serde_json::to_string(&value).unwrap());
            assert_eq!(shown, shown_again, "{text}");
        }
        assert_eq!(handed_out("inf"), None);
        assert_eq!(handed_out("a"), None);
    }

    #[test]
    fn a_map_with_the_key_of_a_number_is_a_number_or_no_value() {
        for (text, shown) in [
            (r#"{"$serde_json::private::Number":"12"}"#, Some("12")),
            (r#"{"$serde_json::private::Number":12}"#, None),
            (r#"{"$serde_json::private::Number":"x"}"#, None),
            (r#"{"$serde_json::private::Number":"1","a":2}"#, None),
            (
                r#"{"a":2,"$serde_json::private::Number":"1"}"#,
                Some(r#"{"a":2,"$serde_json::private::Number":"1"}"#),
            ),
        ] {
            let value: Option<Value> = serde_json::from_str(text).ok();
            let value = value.map(|value| serde_json::to_string(&value).unwrap());
            assert_eq!(value.as_deref(), shown, "{text}");
        }
    }

    #[test]
    fn what_was_read_is_written_with_its_keys_in_order() {
        let text = r#"{"z":null,"a":[true,"x\n",-1,[],{}],"z":1.5}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&value).unwrap(), text);
    }
}
