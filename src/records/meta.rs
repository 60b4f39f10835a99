//! The table `meta`, and the row of a namespace.

use bincode::{BorrowDecode, Encode};
use chrono::{DateTime, Utc};

use super::head::{Stamp, age, created};
use super::keys::{self, meta};
use super::parts::{self, encode_labels, to_labels};
use super::seal::{decode, decode_some, encode_into, seal, seal_with, unseal, unseal_number};
use crate::model::error::{Error, Result};
use crate::model::identifier::NamespaceName;
use crate::model::labels::Labels;
use crate::model::policy::{Policy, Rules, Share};
use crate::model::revision::Revision;

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

/// Makes the sealed row that says who may open the store; `None` if only one process may.
pub(crate) fn seal_share(share: Share) -> Result<Option<Vec<u8>>> {
    let number: u64 = match share {
        Share::Nobody => return Ok(None),
        Share::Readers => 1,
        Share::Processes => 2,
    };
    seal(meta::SHARE, &number).map(Some)
}

/// Returns who may open the store, from its row.
pub(crate) fn share(row: Option<&[u8]>) -> Result<Share> {
    let Some(row) = row else {
        return Ok(Share::Nobody);
    };
    match unseal_number(meta::SHARE, row)? {
        1 => Ok(Share::Readers),
        2 => Ok(Share::Processes),
        other => Err(Error::corrupt(format!(
            "unknown way to share the store: {other}"
        ))),
    }
}

/// What is stored for a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamespaceRow {
    /// The revision of its latest change; [`Revision::NONE`] for a namespace made by a load or a salvage.
    pub(crate) revision: Revision,
    /// The revision at which it was created.
    pub(crate) created: Revision,
    pub(crate) labels: Labels,
}

impl NamespaceRow {
    /// Makes the row of a namespace without a history.
    pub(crate) fn without_history(labels: Labels) -> Self {
        Self {
            revision: Revision::NONE,
            created: Revision::NONE,
            labels,
        }
    }

    pub(crate) fn seal(&self, name: &NamespaceName) -> Result<Vec<u8>> {
        seal_with(keys::namespace(name), 64, |out| {
            let age = age(self.revision, self.created);
            encode_into(&(self.revision.get(), age), out)?;
            encode_labels(&self.labels, out)
        })
    }

    pub(crate) fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        let ((revision, age), labels): ((u64, u64), _) = decode_some(unseal(key, value)?)?;
        Ok(Self {
            revision: Revision::new(revision),
            created: created(revision, age)?,
            labels: to_labels(&parts::namespace_labels(labels)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn who_may_open_a_store_reads_back() {
        for written in Share::ALL {
            let row = seal_share(written).unwrap();
            assert_eq!(share(row.as_deref()).unwrap(), written);
        }
        let unknown = seal(meta::SHARE, &3_u64).unwrap();
        assert!(share(Some(&unknown)).unwrap_err().is_corrupt());
    }

    #[test]
    fn a_namespace_reads_back() {
        let name: NamespaceName = "a.b".parse().unwrap();
        for labels in [Labels::new(), Labels::from([("k\0".into(), "v".into())])] {
            let row = NamespaceRow {
                revision: Revision::new(300),
                created: Revision::new(2),
                labels,
            };
            let sealed = row.seal(&name).unwrap();
            assert_eq!(NamespaceRow::decode(b"a.b", &sealed).unwrap(), row);
            let other = NamespaceRow::decode(b"a.c", &sealed);
            assert!(other.unwrap_err().is_corrupt());
        }
    }

    #[test]
    fn what_was_created_before_all_revisions_is_damage() {
        let sealed = seal(&b"a"[..], &(3_u64, 4_u64, 0_u64)).unwrap();
        let error = NamespaceRow::decode(b"a", &sealed).unwrap_err();
        assert!(error.is_corrupt(), "{error}");
    }
}
