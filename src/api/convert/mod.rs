//! Conversions to and from types of other crates, each behind the feature of the crate's name.
//!
//! A conversion is exact, or it is an error.

#[cfg(feature = "oci-spec")]
mod oci_spec;
#[cfg(feature = "prost")]
mod prost;
#[cfg(feature = "tonic")]
mod tonic;

#[cfg(feature = "prost")]
pub use self::prost::{from_prost_timestamp, to_prost_timestamp};
