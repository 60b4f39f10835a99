//! The program's input: files, standard input, `KEY=VALUE`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use bayplan::{Any, Container};
use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::{edited, json};

/// The configuration file of an OCI bundle.
const BUNDLE_CONFIG: &str = "config.json";

/// The largest file that is read, in bytes. A container with the largest spec in base64 fits.
const FILE_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// A text that was read, and its name.
pub(crate) struct Text {
    name: String,
    text: String,
}

/// Whether a path is `-`, which stands for standard input or output.
pub(crate) fn is_stream(path: &Path) -> bool {
    path == Path::new("-")
}

/// Refuses `-` where only a file will do, with what to do instead. A file of that name is `./-`.
pub(crate) fn must_be_file(path: &Path, what: &str, advice: &str) -> Result<()> {
    if is_stream(path) {
        let text = format!("{what} cannot be `-`, which stands for standard input or output");
        return Err(Failure::new(text).because(advice));
    }
    Ok(())
}

/// Refuses to read several files of one command from standard input: the second would find nothing there.
pub(crate) fn at_most_one_stream<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<()> {
    if paths.into_iter().filter(|path| is_stream(path)).count() > 1 {
        return Err(
            Failure::new("`-` stands for standard input, which can be read only once")
                .because("name files for all but one"),
        );
    }
    Ok(())
}

/// Reads a file, or standard input if it is named `-`.
pub(crate) fn read(path: &Path, input: &mut dyn Read) -> Result<Text> {
    let mut bytes = Vec::new();
    let (name, read) = if is_stream(path) {
        let read = input.take(FILE_MAX_BYTES + 1).read_to_end(&mut bytes);
        ("standard input".to_owned(), read)
    } else {
        let read =
            File::open(path).and_then(|file| file.take(FILE_MAX_BYTES + 1).read_to_end(&mut bytes));
        (path.display().to_string(), read)
    };
    read.map_err(|error| Failure::new(format!("{name} cannot be read: {error}")))?;
    if bytes.len() as u64 > FILE_MAX_BYTES {
        return Err(Failure::new(format!(
            "{name} is too large: more than {FILE_MAX_BYTES} bytes"
        )));
    }
    if let Some(fault) = encoding_fault(&bytes) {
        return Err(Failure::new(format!("{name} {fault}")));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Text { name, text }),
        Err(_) => Err(Failure::new(format!("{name} is not JSON: it is not UTF-8"))),
    }
}

/// What is wrong with the encoding of a text, judging by its first bytes. JSON begins with an ASCII
/// character, which in UTF-16 has a zero byte next to it.
fn encoding_fault(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xef, 0xbb, 0xbf, ..] => Some("begins with a UTF-8 byte order mark: save it without one"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("is UTF-16: save it as UTF-8"),
        [0, first, ..] | [first, 0, ..] if first.is_ascii_graphic() => {
            Some("is UTF-16: save it as UTF-8")
        }
        _ => None,
    }
}

/// The specification of an OCI bundle.
pub(crate) fn bundle(directory: &Path, input: &mut dyn Read) -> Result<Any> {
    let path = directory.join(BUNDLE_CONFIG);
    let fault = match path.metadata().map_err(|error| error.kind()) {
        _ if !directory.is_dir() => "there is no such directory".to_owned(),
        Err(io::ErrorKind::NotFound) => format!("it has no {BUNDLE_CONFIG}"),
        _ => return read(&path, input)?.spec(),
    };
    let directory = directory.display();
    Err(Failure::new(format!(
        "{directory} is not an OCI bundle: {fault}"
    )))
}

impl Text {
    /// Its name: the path of the file, or standard input.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Parses a container in the form that `info` prints; `stored` is the stored one with the same id.
    pub(crate) fn container(&self, stored: Option<&Container>) -> Result<Container> {
        let settled = edited::settle(&self.text, stored);
        // An error refers to the text as it was read.
        serde_json::from_str(&settled).or_else(|_| self.parse())
    }

    /// Parses a value in the form that `info` prints.
    pub(crate) fn value(&self) -> Result<Any> {
        serde_json::from_str(&edited::settle_value(&self.text)).or_else(|_| self.parse())
    }

    /// Parses a spec: an OCI one, or any other in the form that `info` prints.
    pub(crate) fn spec(&self) -> Result<Any> {
        let value: Value = self.parse()?;
        if value.get("type_url").is_some() {
            return self.value();
        }
        let refuse = |what: &str| {
            Err(Failure::new(format!(
                "{} is not an OCI runtime spec: {what}",
                self.name
            )))
        };
        match value.get("ociVersion") {
            _ if !value.is_object() => refuse("it is not a JSON object"),
            None => refuse("it has no `ociVersion`"),
            Some(Value::String(version)) if !version.is_empty() => {
                Ok(Any::new(Any::OCI_SPEC_URL, json::compact(&self.text)))
            }
            Some(_) => refuse("its `ociVersion` is not a version"),
        }
    }

    fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.text).map_err(|error| {
            let what = match error.classify() {
                serde_json::error::Category::Data => "does not have the expected form",
                _ => "is not JSON",
            };
            Failure::new(format!("{} {what}: {error}", self.name))
        })
    }
}

/// Splits `KEY=VALUE` at the first `=`. A key that contains `=` is quoted: `"a=b"=VALUE`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (key, rest) = match text.strip_prefix('"') {
        Some(_) => quoted(text)?,
        None => match text.find('=') {
            Some(at) => (
                text.get(..at).unwrap_or_default().to_owned(),
                text.get(at..).unwrap_or_default(),
            ),
            None => return Err("expected KEY=VALUE".to_owned()),
        },
    };
    match rest.strip_prefix('=') {
        _ if key.is_empty() => Err("the key is empty".to_owned()),
        Some(value) => Ok((key, value.to_owned())),
        None => Err("expected `=` behind the key in quotes".to_owned()),
    }
}

/// The JSON string at the beginning of a text, and the rest.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let key = strings.next().transpose().ok().flatten();
    let rest = text.get(strings.byte_offset()..).unwrap_or_default();
    key.map(|key| (key, rest)).ok_or_else(|| {
        "the key begins with a quote and is no JSON string: \"KEY\"=VALUE".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_stdin(text: &[u8]) -> Result<Text> {
        read(Path::new("-"), &mut &*text)
    }

    #[track_caller]
    fn refuses(text: &str, message: &str) {
        let failure = from_stdin(text.as_bytes()).unwrap().spec().unwrap_err();
        let Failure::Told { message: told, .. } = failure else {
            panic!("{failure:?}");
        };
        assert_eq!(told, message);
    }

    #[test]
    fn an_oci_spec_is_stored_compact_under_containerds_type() {
        let spec =
            from_stdin(b"{ \"ociVersion\": \"1.0.2\",\n \"hostname\": \"\\u003cweb\\u003e\" }\n");
        let spec = spec.unwrap().spec().unwrap();
        assert_eq!(spec.type_url, Any::OCI_SPEC_URL);
        assert_eq!(
            spec.value,
            br#"{"ociVersion":"1.0.2","hostname":"<web>"}"#[..]
        );
    }

    #[test]
    fn another_spec_is_taken_as_info_prints_it() {
        let spec = from_stdin(br#"{"type_url":"x/Wasm","base64":"/wA="}"#);
        assert_eq!(spec.unwrap().spec().unwrap(), Any::new("x/Wasm", [0xff, 0]));
    }

    #[test]
    fn a_text_that_was_saved_in_another_encoding_is_told() {
        let spec = r#"{"ociVersion":"1.0.2"}"#;
        let utf_16 = |bytes: fn(u16) -> [u8; 2], mark: bool| {
            let mark = mark.then_some(0xfeff);
            let units = mark.into_iter().chain(spec.encode_utf16());
            units.flat_map(bytes).collect::<Vec<u8>>()
        };
        let cases = [
            (
                format!("\u{feff}{spec}").into_bytes(),
                "standard input begins with a UTF-8 byte order mark: save it without one",
            ),
            (
                utf_16(u16::to_le_bytes, true),
                "standard input is UTF-16: save it as UTF-8",
            ),
            (
                utf_16(u16::to_be_bytes, true),
                "standard input is UTF-16: save it as UTF-8",
            ),
            (
                utf_16(u16::to_le_bytes, false),
                "standard input is UTF-16: save it as UTF-8",
            ),
            (
                utf_16(u16::to_be_bytes, false),
                "standard input is UTF-16: save it as UTF-8",
            ),
        ];
        for (text, told) in cases {
            let failure = from_stdin(&text).err().unwrap();
            assert_eq!(failure.message(), told);
        }
    }

    #[test]
    fn what_is_no_spec_is_told_apart() {
        refuses(
            "{\n  \"ociVersion\": 1.0.2\n}",
            "standard input is not JSON: expected `,` or `}` at line 2 column 20",
        );
        refuses(
            "",
            "standard input is not JSON: EOF while parsing a value at line 1 column 0",
        );
        refuses(
            "[]",
            "standard input is not an OCI runtime spec: it is not a JSON object",
        );
        refuses(
            "{}",
            "standard input is not an OCI runtime spec: it has no `ociVersion`",
        );
        refuses(
            r#"{"ociVersion":1}"#,
            "standard input is not an OCI runtime spec: its `ociVersion` is not a version",
        );
        refuses(
            r#"{"type_url":"x"}"#,
            "standard input does not have the expected form: a value needs `json` or `base64`",
        );
    }

    #[test]
    fn a_pair_is_split_at_the_first_equals_sign() {
        assert_eq!(pair("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(pair("a="), Ok(("a".into(), String::new())));
        assert_eq!(pair("a"), Err("expected KEY=VALUE".into()));
        assert_eq!(pair("=b"), Err("the key is empty".into()));
    }

    #[test]
    fn a_key_in_quotes_holds_anything() {
        let key = |key: &str, value: &str| Ok((key.to_owned(), value.to_owned()));
        assert_eq!(pair(r#""a=b"=c=d"#), key("a=b", "c=d"));
        assert_eq!(pair(r#""a=b"="#), key("a=b", ""));
        assert_eq!(pair(r#""\"\\"=c"#), key(r#""\"#, "c"));
        assert_eq!(pair(r#"a"=b"=c"#), key("a\"", "b\"=c"));
        for text in [
            "\"",
            "\"a",
            "\"a=b",
            "\"a\"",
            "\"a\"b=c",
            "\"\"=c",
            "\"\\x\"=c",
        ] {
            assert!(pair(text).is_err(), "{text}");
        }
    }
}
