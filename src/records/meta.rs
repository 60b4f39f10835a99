//! The table `meta`, and the row of a namespace.

use bincode::{BorrowDecode, Encode};
use chrono::{DateTime, Utc};

use super::head::Stamp;
use super::keys;
use super::parts::{self, encode_labels, to_labels};
use super::seal::{decode, seal_with, unseal};
use crate::model::error::{Error, Result};
use crate::model::identifier::NamespaceName;
use crate::model::labels::Labels;
use crate::model::policy::{Policy, Rules};

/// The identity of a store, and the choices made at its creation.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub(crate) struct Identity {
    pub(crate) uuid: [u8; 16],
    created_at: Stamp,
    rules: u8,
    keep_empty_labels: bool,
}

impl Identity {
    pub(crate) fn new(uuid: [u8; 16], created_at: DateTime<Utc>, policy: Policy) -> Self {
        Self {
            uuid,
            created_at: Stamp::of(created_at),
            rules: match policy.rules {
                Rules::Strict => 0,
                Rules::Containerd2 => 1,
            },
            keep_empty_labels: policy.keep_empty_labels,
        }
    }

    pub(crate) fn created_at(&self) -> Result<DateTime<Utc>> {
        self.created_at.to_time()
    }

    pub(crate) fn policy(&self) -> Result<Policy> {
        let rules = match self.rules {
            0 => Rules::Strict,
            1 => Rules::Containerd2,
            other => return Err(Error::corrupt(format!("unknown rule set {other}"))),
        };
        Ok(Policy {
            rules,
            keep_empty_labels: self.keep_empty_labels,
        })
    }

    pub(crate) fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        decode(unseal(key, value)?)
    }
}

/// The sealed row of a namespace.
pub(crate) fn seal_namespace(name: &NamespaceName, labels: &Labels) -> Result<Vec<u8>> {
    seal_with(keys::namespace(name), 64, |out| encode_labels(labels, out))
}

/// The labels in the row of a namespace.
pub(crate) fn namespace_labels(key: &[u8], value: &[u8]) -> Result<Labels> {
    parts::namespace_labels(unseal(key, value)?).map(|labels| to_labels(&labels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::seal::seal;

    #[test]
    fn an_identity_reads_back() {
        for (rules, keep_empty_labels) in [(Rules::Strict, true), (Rules::Containerd2, false)] {
            let now = DateTime::from_timestamp(5, 6).unwrap();
            let policy = Policy {
                rules,
                keep_empty_labels,
            };
            let identity = Identity::new([9; 16], now, policy);
            let sealed = seal(&b"identity"[..], &identity).unwrap();
            let read = Identity::decode(b"identity", &sealed).unwrap();
            assert_eq!(read, identity);
            assert_eq!(read.created_at().unwrap(), now);
            assert_eq!(read.policy().unwrap(), policy);
        }
    }

    #[test]
    fn a_namespace_reads_back() {
        let name: NamespaceName = "a.b".parse().unwrap();
        for kept in [Labels::new(), Labels::from([("k\0".into(), "v".into())])] {
            let sealed = seal_namespace(&name, &kept).unwrap();
            assert_eq!(namespace_labels(b"a.b", &sealed).unwrap(), kept);
            assert!(namespace_labels(b"a.c", &sealed).unwrap_err().is_corrupt());
        }
    }
}
