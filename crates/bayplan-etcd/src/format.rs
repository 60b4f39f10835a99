//! What a prefix in etcd is: a store or a fleet, of which version, with which rules.

use bayplan::implementing::{Policy, open_bytes, seal_bytes};
use bayplan::{Error, ErrorKind, Result, Rules};
use chrono::{DateTime, Utc};
use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use serde::{Deserialize, Serialize};

use crate::connection::{Connection, repeated};
use crate::draft::{Stored, values};
use crate::keys::Keys;

/// The version of the layout that this crate reads and writes.
pub const FORMAT_VERSION: u32 = 1;

/// What is below a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Content {
    /// One store.
    Store,
    /// Copies of the stores of many hosts.
    Fleet,
}

/// The row `format`. Other versions may have other fields, but have the version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Format {
    version: u32,
    content: Content,
    pub(crate) id: String,
    pub(crate) created_at: DateTime<Utc>,
    rules: Rules,
    keep_empty_labels: bool,
}

/// The part of any version.
#[derive(Deserialize)]
struct AnyVersion {
    version: u32,
}

impl Format {
    fn new(content: Content, policy: Policy) -> Self {
        Self {
            version: FORMAT_VERSION,
            content,
            id: uuid::Uuid::new_v4().to_string(),
            created_at: Utc::now(),
            rules: policy.rules,
            keep_empty_labels: policy.keep_empty_labels,
        }
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy {
            rules: self.rules,
            keep_empty_labels: self.keep_empty_labels,
        }
    }

    fn seal(&self, key: &[u8]) -> Result<Vec<u8>> {
        let json = serde_json::to_vec(self).map_err(|error| {
            Error::of_kind(ErrorKind::InvalidArgument, "the format cannot be written")
                .caused_by(error)
        })?;
        seal_bytes(key, &json)
    }

    /// Opens the row below a prefix, `place` for errors.
    fn open(place: &str, key: &[u8], sealed: &[u8], content: Content) -> Result<Self> {
        let what = || format!("the key `format` of {place} does not decode");
        let damaged =
            |error: serde_json::Error| Error::of_kind(ErrorKind::Corrupt, what()).caused_by(error);
        let json = open_bytes(key, sealed)
            .map_err(|error| Error::of_kind(error.kind(), what()).caused_by(error))?;
        let AnyVersion { version } = serde_json::from_slice(json).map_err(damaged)?;
        if version != FORMAT_VERSION {
            return Err(Error::of_kind(
                ErrorKind::IncompatibleFormat,
                format!(
                    "the layout of {place} has version {version}, and this program reads {FORMAT_VERSION}"
                ),
            ));
        }
        let format: Self = serde_json::from_slice(json).map_err(damaged)?;
        if format.content != content {
            let what = match format.content {
                Content::Store => "holds one store, not the copies of many hosts",
                Content::Fleet => "holds the copies of many hosts, not one store",
            };
            return Err(Error::of_kind(
                ErrorKind::NotAStore,
                format!("{place} {what}"),
            ));
        }
        Ok(format)
    }
}

/// Returns the format below a prefix, with its row. Without a row, it is made if `policy` is given.
///
/// # Errors
///
/// `NotAStore` if there is nothing of ours and none is made; `IncompatibleFormat`; `Corrupt`.
pub(crate) fn open(
    connection: &Connection,
    keys: &Keys,
    content: Content,
    policy: Option<Policy>,
) -> Result<(Format, Stored)> {
    let key = keys.format();
    if let Some(policy) = policy {
        let row = Format::new(content, policy).seal(&key)?;
        let absent = Compare::create_revision(key.as_slice(), CompareOp::Equal, 0);
        let txn = Txn::new()
            .when([absent])
            .and_then([TxnOp::put(key.as_slice(), row, None)]);
        // Whether this attempt made it or another, what is there now counts.
        repeated(connection.attempts(), || connection.txn(txn.clone()))
            .map_err(|fault| fault.error)?;
    }
    let txn = Txn::new().and_then([TxnOp::get(key.as_slice(), None)]);
    let answer = connection.read(&txn).map_err(|fault| fault.error)?;
    let stored = values(answer.op_responses()).into_iter().flatten().next();
    let place = format!(
        "the prefix {:?} in etcd at {}",
        keys.prefix(),
        connection.endpoints()
    );
    let stored = stored.ok_or_else(|| {
        Error::of_kind(
            ErrorKind::NotAStore,
            format!("{place} holds nothing of Bayplan"),
        )
    })?;
    Ok((Format::open(&place, &key, &stored.value, content)?, stored))
}
