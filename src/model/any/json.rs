//! The form of an `Any` in JSON and other formats: readable if its bytes are, and always lossless.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Deserializer, Serialize};

use super::Any;
use super::value::Value;

/// The deepest nesting of a value that is shown as JSON. The rest of the parser's 128 levels is left to
/// whatever contains the value.
const SHOWN_MAX_DEPTH: usize = 100;

/// The members in the text.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Form {
    type_url: String,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    json: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

/// Reads the member, even if it is `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl From<Any> for Form {
    fn from(any: Any) -> Self {
        let Any { type_url, value } = any;
        // Inside of something else, a deeper value would exceed the parser's limit of 128.
        let json = serde_json::from_slice(&value)
            .ok()
            .filter(|json: &Value| json.depth() <= SHOWN_MAX_DEPTH);
        let is_exact = json
            .as_ref()
            .is_some_and(|json| compact(json).is_ok_and(|bytes| bytes == *value));
        Self {
            type_url,
            json,
            base64: (!is_exact).then(|| BASE64.encode(&value)),
        }
    }
}

impl TryFrom<Form> for Any {
    type Error = String;

    fn try_from(form: Form) -> Result<Self, String> {
        let Form {
            type_url,
            json,
            base64,
        } = form;
        let json = json.as_ref().map(compact).transpose()?;
        let bytes = match base64 {
            Some(text) => Some(
                BASE64
                    .decode(text)
                    .map_err(|error| format!("base64: {error}"))?,
            ),
            None => None,
        };
        let value = match (bytes, json) {
            (None, None) => return Err("a value needs `json` or `base64`".to_owned()),
            (None, Some(json)) => json,
            (Some(bytes), None) => bytes,
            (Some(bytes), Some(json)) if compact_form(&bytes).as_ref() == Some(&json) => bytes,
            (Some(_), Some(_)) => {
                return Err(
                    "`json` and `base64` disagree: leave out `base64` to set the value \
                            from `json`"
                        .to_owned(),
                );
            }
        };
        Ok(Self::new(type_url, value))
    }
}

/// Encodes the value without white space, its keys in order. It reads back as the same value.
fn compact(json: &Value) -> Result<Vec<u8>, String> {
    serde_json::to_vec(json).map_err(|error| format!("json: {error}"))
}

/// Returns the compact form of `bytes`, if they are JSON.
fn compact_form(bytes: &[u8]) -> Option<Vec<u8>> {
    compact(&serde_json::from_slice(bytes).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::super::Any;

    #[track_caller]
    fn round_trips(value: &[u8]) -> String {
        let any = Any::new("t", value);
        let compact = serde_json::to_string(&any).unwrap();
        let pretty = serde_json::to_string_pretty(&any).unwrap();
        for text in [&compact, &pretty] {
            assert_eq!(serde_json::from_str::<Any>(text).unwrap(), any, "{text}");
        }
        compact
    }

    #[test]
    fn compact_json_is_shown_as_json_with_its_keys_in_order() {
        assert_eq!(
            round_trips(br#"{"z":1,"a":[true,null,"x"]}"#),
            r#"{"type_url":"t","json":{"z":1,"a":[true,null,"x"]}}"#
        );
        assert_eq!(round_trips(b"null"), r#"{"type_url":"t","json":null}"#);
    }

    #[test]
    fn json_that_is_not_compact_keeps_its_bytes_beside_it() {
        assert_eq!(
            round_trips(b"{ \"a\": 1 }"),
            r#"{"type_url":"t","json":{"a":1},"base64":"eyAiYSI6IDEgfQ=="}"#
        );
        for value in [
            &b"{\"a\":\"\\u003c\"}"[..],
            b"1e3",
            b"1.50",
            b"123456789012345678901234567890",
            b"{\"a\":1,\"a\":2}",
            b" []",
            b"[]\n",
            b"-0",
        ] {
            round_trips(value);
        }
    }

    #[test]
    fn what_is_not_json_is_base64() {
        assert_eq!(round_trips(b""), r#"{"type_url":"t","base64":""}"#);
        assert_eq!(
            round_trips(b"{}{}"),
            r#"{"type_url":"t","base64":"e317fQ=="}"#
        );
        round_trips(&(0..=255).collect::<Vec<u8>>());
        round_trips("[".repeat(100_000).as_bytes());
    }

    #[test]
    fn what_is_nested_too_deeply_to_stand_in_something_is_base64() {
        for depth in [99, 100, 101, 120, 127, 128, 129] {
            let value = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
            let any = Any::new("[{\"", value);
            let nested = vec![vec![vec![vec![any]]]];
            let text = serde_json::to_string(&nested).unwrap();
            let back: Vec<Vec<Vec<Vec<Any>>>> = serde_json::from_str(&text).unwrap();
            assert_eq!(back, nested, "{depth}");
            assert_eq!(text.contains("base64"), depth > 100, "{depth}");
        }
        let brackets = "[".repeat(1000);
        let text = round_trips(format!("\"\\\"{brackets}\"").as_bytes());
        assert!(
            !text.contains("base64"),
            "brackets in a text are no nesting"
        );
    }

    #[test]
    fn numbers_with_many_digits_keep_their_bytes() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..20_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let number = f64::from_bits(state);
            if number.is_finite() {
                round_trips(format!(" {number:e}").as_bytes());
            }
        }
    }

    #[test]
    fn json_and_base64_must_agree() {
        let error = serde_json::from_str::<Any>(r#"{"type_url":"t","json":1,"base64":"Mg=="}"#);
        assert!(error.unwrap_err().to_string().contains("disagree"));
        let error = serde_json::from_str::<Any>(r#"{"type_url":"t"}"#);
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("needs `json` or `base64`")
        );
        let error = serde_json::from_str::<Any>(r#"{"type_url":"t","base64":"?"}"#);
        assert!(error.unwrap_err().to_string().starts_with("base64: "));
        let error = serde_json::from_str::<Any>(r#"{"type_url":"t","jsn":1}"#);
        assert!(error.unwrap_err().to_string().contains("unknown field"));
    }
    /// serde reads a tagged or flattened value into a buffer first, which not every type survives.
    #[test]
    fn a_value_reads_back_as_a_part_of_anything() {
        #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "event")]
        enum Event {
            Created(Inner),
        }
        #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        struct Inner {
            #[serde(flatten)]
            spec: Any,
        }
        for value in [
            &br#"{"z":1,"a":[true,null,"x",1.5],"z":2}"#[..],
            b"{\n  \"n\": 123456789012345678901234567890\n}",
            b"not JSON",
        ] {
            let event = Event::Created(Inner {
                spec: Any::new("t", value),
            });
            let text = serde_json::to_string(&event).unwrap();
            assert_eq!(text.lines().count(), 1, "{text}");
            assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
        }
    }
}
