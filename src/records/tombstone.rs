//! A tombstone: what is left of a record or a namespace that was deleted, until it is forgotten.
//!
//! Its key is the revision of the deletion, 8 bytes, big endian. Its content is the key that was deleted: of a
//! record's own row, or of a namespace, which has no byte 00.

use super::keys::{Row, namespace};
use super::seal::{seal_with, unseal};
use crate::model::error::{Error, Result};
use crate::model::identifier::NamespaceName;
use crate::model::kind::{Kind, RecordId};
use crate::model::revision::Revision;
use crate::records::keys::RecordKey;

/// A namespace, or a record in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) namespace: NamespaceName,
    pub(crate) record: Option<(Kind, RecordId)>,
}

impl Name {
    pub(crate) fn of_namespace(namespace: NamespaceName) -> Self {
        let record = None;
        Self { namespace, record }
    }

    /// Adds the name to an error.
    pub(crate) fn told_in(&self, error: Error) -> Error {
        let error = error.in_namespace(&self.namespace);
        match &self.record {
            Some((kind, id)) => error.of_record_kind(kind.of_collection()).of(id.as_str()),
            None => error,
        }
    }

    /// Returns its key in its table.
    fn key(&self) -> Vec<u8> {
        match &self.record {
            Some((kind, id)) => RecordKey::new(&self.namespace, kind, id).own().to_vec(),
            None => namespace(&self.namespace).to_vec(),
        }
    }

    /// Returns what has this key in its table.
    pub(crate) fn parse(key: &[u8]) -> Option<Self> {
        let text = |bytes| str::from_utf8(bytes).ok();
        let name = |bytes| NamespaceName::new(text(bytes)?).ok();
        let Some(row) = Row::parse(key) else {
            return name(key).map(Self::of_namespace);
        };
        let kind = Kind::stored(text(row.kind)?).ok()?;
        let id = RecordId::new(text(row.id)?).ok()?;
        let is_own = row.part.is_none();
        is_own.then_some(Self {
            namespace: name(row.namespace)?,
            record: Some((kind, id)),
        })
    }
}

/// Returns the key of a deletion's tombstone.
pub(crate) fn key(revision: Revision) -> [u8; 8] {
    revision.get().to_be_bytes()
}

/// Returns the revision of the deletion with this key.
///
/// # Errors
///
/// `Corrupt` if the key is not a revision.
pub(crate) fn revision(key: &[u8]) -> Result<Revision> {
    let bytes = key.try_into().map(u64::from_be_bytes);
    bytes.map(Revision::new).map_err(|error| {
        let what = "a tombstone has a key that is no revision";
        Error::corrupt(what).caused_by(error)
    })
}

/// Makes the sealed row.
pub(crate) fn seal(key: &[u8; 8], deleted: &Name) -> Result<Vec<u8>> {
    let content = deleted.key();
    seal_with(key.as_slice(), content.len(), |out| {
        out.extend_from_slice(&content);
        Ok(())
    })
}

/// Returns the revision of the deletion, and what was deleted.
///
/// # Errors
///
/// `Corrupt`.
pub(crate) fn read(key: &[u8], value: &[u8]) -> Result<(Revision, Name)> {
    let revision = revision(key)?;
    let of_it = |error: Error| error.prefixed(&format!("the tombstone of revision {revision}"));
    let name = Name::parse(unseal(key, value).map_err(of_it)?);
    let name =
        name.ok_or_else(|| of_it(Error::corrupt("it names nothing that could be deleted")))?;
    Ok((revision, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(record: Option<(&str, &str)>) -> Name {
        Name {
            namespace: "k8s.io".parse().unwrap(),
            record: record
                .map(|(kind, id)| (Kind::stored(kind).unwrap(), RecordId::new(id).unwrap())),
        }
    }

    #[test]
    fn a_tombstone_reads_back() {
        let key = key(Revision::new(258));
        for record in [
            None,
            Some(("containers", "web")),
            Some(("images", "docker.io/library/nginx:1.29")),
        ] {
            let name = name(record);
            let sealed = seal(&key, &name).unwrap();
            assert_eq!(read(&key, &sealed).unwrap(), (Revision::new(258), name));
            let other = super::key(Revision::new(259));
            assert!(read(&other, &sealed).unwrap_err().is_corrupt());
        }
    }

    #[test]
    fn keys_are_in_the_order_of_the_revisions() {
        let keys = [1, 255, 256, u64::MAX].map(|number| key(Revision::new(number)));
        assert!(keys.is_sorted());
    }

    #[test]
    fn what_is_no_tombstone_is_damage() {
        let error = read(b"short", b"").unwrap_err();
        assert_eq!(
            error.to_string(),
            "a tombstone has a key that is no revision"
        );
        let key = key(Revision::new(7));
        for content in [
            &b""[..],
            b"a/b",
            b"n\0containers\0web\0l",
            b"n\0version\0x",
            b"n\0images",
        ] {
            let sealed = seal_with(key.as_slice(), 0, |out| {
                out.extend_from_slice(content);
                Ok(())
            });
            let error = read(&key, &sealed.unwrap()).unwrap_err();
            assert!(error.is_corrupt(), "{content:?}");
            assert!(
                error
                    .to_string()
                    .starts_with("the tombstone of revision 7: ")
            );
        }
    }
}
