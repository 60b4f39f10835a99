//! The runtime specification of the Open Container Initiative as a type.

use oci_spec::runtime::Spec;

use crate::model::any::Any;
use crate::model::error::{Error, Result};

/// With the feature `oci-spec`: encodes a specification as containerd does, as JSON with the type URL
/// [`Any::OCI_SPEC_URL`].
///
/// A [`Spec`] keeps its capabilities in unordered sets, so each encoding may write them in a different order.
///
/// # Examples
///
/// ```
/// use bayplan::{Any, Container, Runtime};
/// use oci_spec::runtime::Spec;
///
/// # fn main() -> bayplan::Result<()> {
/// let spec = Spec::default();
/// let web = Container::new("web", Runtime::new("io.containerd.runc.v2"), Any::try_from(&spec)?);
/// assert_eq!(Spec::try_from(web.spec.as_ref().unwrap())?, spec);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if it cannot be encoded.
impl TryFrom<&Spec> for Any {
    type Error = Error;

    fn try_from(spec: &Spec) -> Result<Self> {
        let json = serde_json::to_vec(spec).map_err(|error| {
            Error::invalid("the specification cannot be encoded as JSON").caused_by(error)
        })?;
        Ok(Self::new(Self::OCI_SPEC_URL, json))
    }
}

/// With the feature `oci-spec`: decodes a specification.
///
/// A member that [`Spec`] does not know is an error, since it would be lost when the specification is stored again. To
/// only read a specification, decode [`Any::value`] with serde_json.
///
/// # Errors
///
/// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if the type URL is not [`Any::OCI_SPEC_URL`], the value is
/// not the JSON of a specification, or it has a member that [`Spec`] does not know.
impl TryFrom<&Any> for Spec {
    type Error = Error;

    fn try_from(any: &Any) -> Result<Self> {
        if any.type_url != Any::OCI_SPEC_URL {
            let (found, url) = (&any.type_url, Any::OCI_SPEC_URL);
            return Err(Error::invalid(format!(
                "the value is no OCI specification: its type is {found:?}, not {url:?}"
            )));
        }
        let not_a_spec = |error| {
            let what = "the value cannot be read as an OCI specification";
            Error::invalid(what).caused_by(error)
        };
        let mut unknown = None;
        let mut json = serde_json::Deserializer::from_slice(&any.value);
        let spec = serde_ignored::deserialize(&mut json, |path| {
            unknown.get_or_insert_with(|| path.to_string());
        })
        .map_err(not_a_spec)?;
        json.end().map_err(not_a_spec)?;
        match unknown {
            Some(path) => Err(Error::invalid(format!(
                "the OCI specification has the member `{path}`, which would be lost"
            ))),
            None => Ok(spec),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[track_caller]
    fn read(json: &str) -> Result<Spec> {
        Spec::try_from(&Any::new(Any::OCI_SPEC_URL, json))
    }

    #[test]
    fn the_example_bundles_are_the_same_there_and_back() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/bundles");
        let mut count = 0;
        for bundle in std::fs::read_dir(directory).unwrap() {
            let path = bundle.unwrap().path().join("config.json");
            if !path.exists() {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let spec = read(&text).unwrap();
            let any = Any::try_from(&spec).unwrap();
            let before: Value = serde_json::from_str(&text).unwrap();
            let after: Value = serde_json::from_slice(&any.value).unwrap();
            assert_eq!(lost(&before, &after), None, "{}", path.display());
            assert_eq!(Spec::try_from(&any).unwrap(), spec);
            count += 1;
        }
        assert!(count >= 5);
    }

    /// Returns a place in `before` that is missing in `after`, unless its value has no meaning there.
    fn lost(before: &Value, after: &Value) -> Option<String> {
        match (before, after) {
            (Value::Object(before), Value::Object(after)) => {
                let part = |(key, value): (&String, &Value)| {
                    let other = after.get(key).unwrap_or(&Value::Null);
                    if key == "capabilities" {
                        return lost(&in_order(value), &in_order(other));
                    }
                    lost(value, other).map(|place| format!("{key}.{place}"))
                };
                before.iter().find_map(part)
            }
            (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
                let mut pairs = before.iter().zip(after);
                pairs.find_map(|(before, after)| lost(before, after))
            }
            _ if before == after => None,
            (Value::Bool(false), Value::Null) => None,
            _ => Some(format!("{before} became {after}")),
        }
    }

    /// Sorts each set of capabilities.
    fn in_order(sets: &Value) -> Value {
        let mut sets = sets.clone();
        for set in sets.as_object_mut().into_iter().flatten() {
            if let Value::Array(set) = set.1 {
                set.sort_by_key(Value::to_string);
            }
        }
        sets
    }

    #[test]
    fn what_cannot_be_converted_is_an_error_that_says_why() {
        let error = Spec::try_from(&Any::new("example.com/Spec", b"{}")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the value is no OCI specification: its type is \"example.com/Spec\", not \
             \"types.containerd.io/opencontainers/runtime-spec/1/Spec\""
        );
        let error = read("{").unwrap_err();
        assert!(error.is_invalid_argument());
        assert!(std::error::Error::source(&error).is_some());
        let error = read(r#"{"ociVersion":"1.0.2"} x"#).unwrap_err();
        assert!(error.is_invalid_argument());
        let error = read(r#"{"ociVersion":"1.0.2","root":{"path":"/","new":1}}"#).unwrap_err();
        assert!(error.to_string().contains("`root.?.new`"), "{error}");
    }
}
