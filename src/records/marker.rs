//! What the file says about its log.

use bincode::{BorrowDecode, Encode};

use super::keys::meta;
use super::seal::{decode, seal, unseal};
use crate::model::error::Result;

/// Which log the file has, and how much of it is in the file already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub(crate) struct Marker {
    /// Drawn anew for each log.
    pub(crate) log: [u8; 16],
    /// The first epoch with frames that are not in the file. The next one may have some as well.
    pub(crate) epoch: u64,
    /// The number of the last frame that is in the file.
    pub(crate) frame: u64,
    /// Whether the log may have commits that are not in the file. If not, the log is no longer in use.
    pub(crate) is_in_use: bool,
}

impl Marker {
    /// Makes the marker of a new log, which has no commits yet.
    pub(crate) fn new(log: [u8; 16]) -> Self {
        Self {
            log,
            epoch: 1,
            frame: 0,
            is_in_use: true,
        }
    }

    /// The sealed value under [`meta::LOG`].
    pub(crate) fn seal(&self) -> Result<Vec<u8>> {
        seal(meta::LOG, self)
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self> {
        decode(unseal(meta::LOG, value)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_reads_back() {
        let marker = Marker {
            epoch: 300,
            frame: u64::MAX,
            is_in_use: false,
            ..Marker::new([7; 16])
        };
        let sealed = marker.seal().unwrap();
        assert_eq!(Marker::decode(&sealed).unwrap(), marker);
        let cut = sealed.get(..sealed.len() - 1).unwrap();
        assert!(Marker::decode(cut).unwrap_err().is_corrupt());
    }
}
