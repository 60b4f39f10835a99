//! Protobuf's well-known types: `Any`, `FieldMask`, `Timestamp`.

use chrono::{DateTime, Utc};

use crate::model::any::Any;
use crate::model::error::{Error, Result};
use crate::update::mask::{FieldMask, FieldMaskError};

/// The seconds since 1970 at the beginning of the year 1 and at the end of the year 9999: protobuf allows no others.
const SECONDS_MIN: i64 = -62_135_596_800;
const SECONDS_MAX: i64 = 253_402_300_799;
const NANOSECONDS_MAX: u32 = 999_999_999;

/// With the feature `prost`. Copies the bytes.
///
/// # Examples
///
/// ```
/// use bayplan::Any;
///
/// let spec = Any::new("example.com/Spec", b"{}");
/// let message = prost_types::Any::from(spec.clone());
/// assert_eq!(Any::from(message), spec);
/// ```
impl From<Any> for prost_types::Any {
    fn from(any: Any) -> Self {
        Self {
            type_url: any.type_url,
            value: any.value.into(),
        }
    }
}

/// With the feature `prost`. Moves the bytes.
impl From<prost_types::Any> for Any {
    fn from(any: prost_types::Any) -> Self {
        Self::new(any.type_url, any.value)
    }
}

/// With the feature `prost`. A mask of [`FieldMask::deferred`] is an error if it has a path that no store accepts.
impl TryFrom<&FieldMask> for prost_types::FieldMask {
    type Error = Error;

    fn try_from(mask: &FieldMask) -> Result<Self> {
        mask.validate()?;
        let paths = mask.paths().map(ToString::to_string).collect();
        Ok(Self { paths })
    }
}

/// With the feature `prost`, as [`FieldMask::parse`]. A server uses [`FieldMask::deferred`] on the paths instead: an
/// update of something that does not exist is then [`NotFound`](crate::ErrorKind::NotFound), whatever the paths are.
///
/// # Examples
///
/// ```
/// use bayplan::{FieldMask, FieldPath};
///
/// let message = prost_types::FieldMask { paths: vec!["labels.app".into()] };
/// let mask = FieldMask::try_from(message.clone())?;
/// assert_eq!(mask, FieldMask::of([FieldPath::Label("app".into())]));
/// assert_eq!(prost_types::FieldMask::try_from(&mask).unwrap(), message);
/// # Ok::<(), bayplan::FieldMaskError>(())
/// ```
impl TryFrom<prost_types::FieldMask> for FieldMask {
    type Error = FieldMaskError;

    fn try_from(mask: prost_types::FieldMask) -> Result<Self, FieldMaskError> {
        Self::parse(mask.paths)
    }
}

/// Converts a time to protobuf's, which also has nanoseconds. With the feature `prost`.
///
/// # Errors
///
/// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for a leap second, or a year outside of 1 to 9999.
///
/// # Examples
///
/// ```
/// use bayplan::{from_prost_timestamp, to_prost_timestamp};
///
/// # fn main() -> bayplan::Result<()> {
/// let now = chrono::Utc::now();
/// let timestamp = to_prost_timestamp(now)?;
/// assert_eq!(from_prost_timestamp(&timestamp)?, now);
/// # Ok(())
/// # }
/// ```
pub fn to_prost_timestamp(time: DateTime<Utc>) -> Result<prost_types::Timestamp> {
    let (seconds, nanoseconds) = (time.timestamp(), time.timestamp_subsec_nanos());
    match i32::try_from(nanoseconds) {
        Ok(nanos) if in_range(seconds, nanoseconds) => {
            Ok(prost_types::Timestamp { seconds, nanos })
        }
        _ => Err(Error::invalid(format!(
            "the time {time:?} is no protobuf timestamp: {RANGE}"
        ))),
    }
}

/// Converts a time from protobuf's. With the feature `prost`.
///
/// # Errors
///
/// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if its nanoseconds are negative or a second or more, or its
/// year is outside of 1 to 9999.
pub fn from_prost_timestamp(timestamp: &prost_types::Timestamp) -> Result<DateTime<Utc>> {
    let prost_types::Timestamp { seconds, nanos } = *timestamp;
    u32::try_from(nanos)
        .ok()
        .filter(|nanoseconds| in_range(seconds, *nanoseconds))
        .and_then(|nanoseconds| DateTime::from_timestamp(seconds, nanoseconds))
        .ok_or_else(|| {
            Error::invalid(format!(
                "the timestamp of {seconds} s and {nanos} ns is no time: {RANGE}"
            ))
        })
}

const RANGE: &str = "the year must be 1 to 9999, the nanoseconds 0 to 999999999";

fn in_range(seconds: i64, nanoseconds: u32) -> bool {
    (SECONDS_MIN..=SECONDS_MAX).contains(&seconds) && nanoseconds <= NANOSECONDS_MAX
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_any_is_the_same_there_and_back(url in ".*", value: Vec<u8>) {
            let any = Any::new(url.as_str(), value.clone());
            let message = prost_types::Any::from(any.clone());
            prop_assert_eq!((&message.type_url, &message.value), (&url, &value));
            prop_assert_eq!(Any::from(message), any);
        }

        #[test]
        fn a_time_is_the_same_there_and_back_or_an_error(
            seconds in SECONDS_MIN - 3..=SECONDS_MAX + 3,
            nanos in -1..=1_000_000_000,
        ) {
            let timestamp = prost_types::Timestamp { seconds, nanos };
            let is_valid = (SECONDS_MIN..=SECONDS_MAX).contains(&seconds)
                && (0..1_000_000_000).contains(&nanos);
            match from_prost_timestamp(&timestamp) {
                Ok(time) => prop_assert_eq!(to_prost_timestamp(time).unwrap(), timestamp),
                Err(error) => {
                    prop_assert!(!is_valid);
                    prop_assert!(error.is_invalid_argument());
                }
            }
        }
    }

    #[test]
    fn the_first_and_the_last_time_are_times() {
        for (seconds, nanos, text) in [
            (SECONDS_MIN, 0, "0001-01-01 00:00:00 UTC"),
            (
                SECONDS_MAX,
                999_999_999,
                "9999-12-31 23:59:59.999999999 UTC",
            ),
        ] {
            let time = from_prost_timestamp(&prost_types::Timestamp { seconds, nanos });
            assert_eq!(time.unwrap().to_string(), text);
        }
        for time in [
            DateTime::<Utc>::MAX_UTC,
            DateTime::<Utc>::MIN_UTC,
            DateTime::from_timestamp(59, 1_500_000_000).unwrap(),
        ] {
            assert!(to_prost_timestamp(time).unwrap_err().is_invalid_argument());
        }
    }

    #[test]
    fn a_mask_is_the_same_there_and_back_and_a_refused_path_is_named() {
        for paths in [&[][..], &["labels", "labels.a.b", "extensions.x", "image"]] {
            let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
            let message = prost_types::FieldMask { paths };
            let mask = FieldMask::try_from(message.clone()).unwrap();
            assert_eq!(prost_types::FieldMask::try_from(&mask).unwrap(), message);
        }
        let paths = vec!["nope".to_owned()];
        let deferred = FieldMask::deferred(&paths);
        let error = prost_types::FieldMask::try_from(&deferred).unwrap_err();
        assert!(error.is_invalid_argument() && error.to_string().contains("nope"));
        let error = FieldMask::try_from(prost_types::FieldMask { paths }).unwrap_err();
        assert_eq!(error.path(), "nope");
    }
}
