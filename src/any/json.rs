//! The form of an `Any` in JSON and other texts: readable where the bytes are, lossless always.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Any;

/// How deep JSON may nest to be shown as JSON. Readers give up at some depth, `serde_json` at 128,
/// and what is shown stands a few levels deep in a container, or in a list of them.
const SHOWN_DEPTH_MAX: usize = 100;

/// What stands in the text.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Form {
    type_url: String,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    json: Option<Compact>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

/// What stands there, also if it is `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Compact>, D::Error> {
    Compact::deserialize(deserializer).map(Some)
}

impl From<Any> for Form {
    fn from(any: Any) -> Self {
        let Any { type_url, value } = any;
        let json = Compact::of(&value).filter(|json| json.depth() <= SHOWN_DEPTH_MAX);
        let exact = json.as_ref().is_some_and(|json| json.0 == value);
        let base64 = if exact {
            None
        } else {
            Some(BASE64.encode(&value))
        };
        Self {
            type_url,
            json,
            base64,
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
            (None, Some(json)) => json.0,
            (Some(bytes), None) => bytes,
            (Some(bytes), Some(json)) if Compact::of(&bytes).as_ref() == Some(&json) => bytes,
            (Some(_), Some(_)) => {
                return Err(
                    "`json` and `base64` disagree: leave out `base64` to set the value \
                            from `json`"
                        .to_owned(),
                );
            }
        };
        Ok(Self { type_url, value })
    }
}

/// JSON in compact form: no white space, the order of keys kept.
#[derive(PartialEq, Eq)]
struct Compact(Vec<u8>);

impl Compact {
    /// The compact form of `bytes`, if they are JSON.
    fn of(bytes: &[u8]) -> Option<Self> {
        let mut source = serde_json::Deserializer::from_slice(bytes);
        let compact = Self::transcode(&mut source).ok()?;
        source.end().ok()?;
        Some(compact)
    }

    /// How deep arrays and objects nest.
    fn depth(&self) -> usize {
        let (mut depth, mut deepest) = (0_usize, 0);
        let (mut is_text, mut is_escaped) = (false, false);
        for byte in &self.0 {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => is_text = !is_text,
                _ if is_text => {}
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            deepest = deepest.max(depth);
        }
        deepest
    }

    fn transcode<'de, D: Deserializer<'de>>(source: D) -> Result<Self, serde_json::Error> {
        let mut compact = Vec::new();
        serde_transcode::transcode(source, &mut serde_json::Serializer::new(&mut compact))?;
        Ok(Self(compact))
    }
}

impl Serialize for Compact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_transcode::transcode(
            &mut serde_json::Deserializer::from_slice(&self.0),
            serializer,
        )
    }
}

impl<'de> Deserialize<'de> for Compact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::transcode(deserializer).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Any;
    use crate::{Container, Runtime};

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
            b"123456789.123456789",
            b"[9007199254740993.0,1e-400,2.22507385850720138e-308]",
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
    fn json_that_nests_too_deep_to_be_read_within_a_container_is_base64() {
        for depth in 95..135 {
            let value = format!("{}\"[\\\"[\"{}", "[".repeat(depth), "]".repeat(depth));
            let text = round_trips(value.as_bytes());
            assert_eq!(text.contains("\"json\""), depth <= 100, "{depth}");
            let any = Any::new("t", value);
            let runtime = Runtime::new("runc").options(any.clone());
            let container = Container::new("web", runtime, any.clone()).extension("x", any);
            let text = serde_json::to_string(&[&container]).unwrap();
            let read: Vec<Container> = serde_json::from_str(&text).unwrap();
            assert_eq!(read, [container]);
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
}
