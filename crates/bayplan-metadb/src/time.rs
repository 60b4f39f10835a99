//! Times in the binary form of Go's `time.Time`.
//!
//! ```text
//! 0   version: 1 or 2
//! 1   seconds since the year 1, UTC       i64, big endian
//! 9   nanoseconds                         u32, big endian
//! 13  offset of the time zone in minutes  i16, big endian; -1 is UTC
//! 15  seconds of the offset               i8, in version 2 only
//! ```
//!
//! The offset says how a clock on the wall would show the time. The moment does not depend on it, so it is not kept.

use chrono::{DateTime, Utc};

use crate::error::Fault;

/// The seconds from the year 1 to 1970.
const EPOCH_SECONDS: i64 = 62_135_596_800;

const UTC: [u8; 2] = (-1_i16).to_be_bytes();
const NANOSECONDS_PER_SECOND: u32 = 1_000_000_000;

/// Go's zero time, the beginning of the year 1: what containerd shows if a time is missing.
pub(crate) fn zero() -> DateTime<Utc> {
    DateTime::from_timestamp(-EPOCH_SECONDS, 0).unwrap_or_default()
}

/// Reads a time of either version, in any time zone.
pub(crate) fn decode(bytes: &[u8]) -> Result<DateTime<Utc>, Fault> {
    let Some((version, rest)) = bytes.split_first() else {
        return Err(Fault::TimeLength { length: 0 });
    };
    let zone_bytes = match version {
        1 => 2,
        2 => 3,
        found => return Err(Fault::TimeVersion { found: *found }),
    };
    let length = Fault::TimeLength {
        length: bytes.len() as u64,
    };
    let Some((seconds, rest)) = rest.split_first_chunk() else {
        return Err(length);
    };
    let Some((nanoseconds, zone)) = rest.split_first_chunk() else {
        return Err(length);
    };
    if zone.len() != zone_bytes {
        return Err(length);
    }
    let (seconds, nanoseconds) = (
        i64::from_be_bytes(*seconds),
        u32::from_be_bytes(*nanoseconds),
    );
    if nanoseconds >= NANOSECONDS_PER_SECOND {
        return Err(Fault::TimeNanoseconds { found: nanoseconds });
    }
    let since_epoch = seconds.checked_sub(EPOCH_SECONDS);
    since_epoch
        .and_then(|seconds| DateTime::from_timestamp(seconds, nanoseconds))
        .ok_or(Fault::TimeRange { seconds })
}

/// Writes a time as containerd does, in UTC.
pub(crate) fn encode(time: DateTime<Utc>) -> [u8; 15] {
    let seconds = time.timestamp().saturating_add(EPOCH_SECONDS);
    // In a leap second, chrono counts beyond.
    let nanoseconds = time
        .timestamp_subsec_nanos()
        .min(NANOSECONDS_PER_SECOND - 1);
    let mut bytes = [0; 15];
    let parts = [
        &[1][..],
        &seconds.to_be_bytes(),
        &nanoseconds.to_be_bytes(),
        &UTC,
    ];
    bytes
        .iter_mut()
        .zip(parts.concat())
        .for_each(|(to, byte)| *to = byte);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Go 1.19 marshals it.
    const GO: &[u8] = b"\x01\x00\x00\x00\x0e\xe2\x9c\xb1\xa8\x0f;<\xb3\xff\xff";

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_of_go_reads_and_writes_as_it_was() {
        let read = decode(GO).unwrap();
        assert_eq!(read, time("2026-11-28T11:27:36.255540403Z"));
        assert_eq!(encode(read), GO);
    }

    #[test]
    fn the_moment_does_not_depend_on_the_time_zone() {
        let mut east = GO.to_vec();
        east[13..].copy_from_slice(&330_i16.to_be_bytes());
        assert_eq!(decode(&east), decode(GO));
        let mut seconds = [GO, &[59]].concat();
        seconds[0] = 2;
        assert_eq!(decode(&seconds), decode(GO));
    }

    #[test]
    fn the_year_1_and_the_far_ends_of_time_are_kept() {
        assert_eq!(zero(), time("0001-01-01T00:00:00Z"));
        assert_eq!(encode(zero())[1..13], [0; 12]);
        for time in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC, zero()] {
            assert_eq!(decode(&encode(time)), Ok(time));
        }
    }

    #[test]
    fn a_damaged_time_says_what_is_wrong() {
        let with = |at: usize, byte: u8| {
            let mut bytes = GO.to_vec();
            bytes[at] = byte;
            decode(&bytes).unwrap_err().to_string()
        };
        assert_eq!(with(0, 3), "a time of version 3, expected 1 or 2");
        assert_eq!(
            with(0, 2),
            "a time of 15 bytes, expected 15 in version 1 and 16 in version 2"
        );
        assert_eq!(
            with(9, 0xff),
            "a time with 4282072243 nanoseconds, expected less than a second"
        );
        assert!(with(1, 0x7f).contains("seconds after the year 1, which is out of range"));
        for length in 0..GO.len() {
            let fault = decode(&GO[..length]).unwrap_err();
            assert_eq!(
                fault,
                Fault::TimeLength {
                    length: length as u64
                }
            );
        }
    }
}
