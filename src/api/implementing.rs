//! What another implementation of the traits needs: the rules, the encoding, and the words of errors.
//!
//! A store that is not a file of this library, such as `bayplan-etcd`, decides where it keeps records, and what makes
//! its writes atomic. It takes from here what every store has in common, so that each rule is written once:
//!
//! - [`Item`]: whether an item may be stored, and what it is after an update;
//! - [`Sealed`] and [`Opened`]: an item as two values with checksums, and back;
//! - [`Error::in_action`](crate::Error::in_action): errors that name operation, namespace and id as those of a
//!   [`Db`](crate::Db) do.
//!
//! # Examples
//!
//! ```
//! use bayplan::implementing::{Item, Opened, Policy, Sealed};
//! use bayplan::{Any, Container, FieldMask, Runtime};
//! use chrono::{DateTime, Utc};
//!
//! # fn main() -> bayplan::Result<()> {
//! let policy = Policy::default();
//! let spec = Any::new("spec", b"{}");
//! let web = Container::new("web", Runtime::new("runc"), spec).settled(policy)?;
//!
//! let change = Container::with_id("web").label("tier", "front");
//! let web = web.updated(change, &FieldMask::parse(["labels.tier"])?, policy, Utc::now())?;
//!
//! let key = b"containers/web";
//! let sealed = Sealed::new(key, &web, true, 0)?;
//! let opened = Opened::<Container>::new(key, "web", &sealed.head)?;
//! assert_eq!(opened.with_value(key, sealed.value.as_deref())?, web);
//! # Ok(())
//! # }
//! ```

use chrono::{DateTime, Utc};

use crate::api::stored::Stored;
use crate::model::any::Any;
use crate::model::container::Container;
use crate::model::error::{Error, Result};
use crate::model::kind::Kind;
use crate::model::labels::{self, Labels};
use crate::model::record::Record;
use crate::model::revision::Revision;
use crate::records::seal::{self, Seal};
use crate::records::whole::{self, Head};
use crate::session::entity::Entity;
use crate::session::txn::Updatable;
use crate::update::mask::FieldMask;

pub use crate::model::error::{Action, Place};
pub use crate::model::policy::Policy;

/// A [`Container`] or a [`Record`], with the rules for it.
pub trait Item: Stored {
    /// Checks that a text is a valid id of such an item.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument).
    fn check_id(id: &str) -> Result<()>;

    /// Returns when it was created, and when it was last updated.
    fn times(&self) -> (DateTime<Utc>, DateTime<Utc>);

    /// Sets its times and its revision.
    fn stamp(&mut self, times: (DateTime<Utc>, DateTime<Utc>), revision: Revision);

    /// Returns the item as a store keeps it, apart from its times and revision: checked against every rule for a single
    /// item, and without labels that mean "unset".
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument).
    fn settled(self, policy: Policy) -> Result<Self>;

    /// Returns the stored item after an update by `input`, checked. `updated_at` is `now`, or later if the clock did not
    /// move. The revision is still the old one.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument), as [`Store::update`](crate::Store::update).
    fn updated(
        &self,
        input: Self,
        mask: &FieldMask,
        policy: Policy,
        now: DateTime<Utc>,
    ) -> Result<Self>;

    #[doc(hidden)]
    fn seal_head(&self, key: &[u8], value: Option<&[u8]>, mark: u64) -> Result<Vec<u8>>;

    #[doc(hidden)]
    fn open_head(key: &[u8], id: &str, head: &[u8]) -> Result<Opened<Self>>;

    #[doc(hidden)]
    fn value(&self) -> Option<&Any>;

    #[doc(hidden)]
    fn set_value(&mut self, value: Any);
}

/// The rules are the same code for both; only the encoding differs.
macro_rules! item {
    ($type:ty, $is_container:literal, $seal:path, $open:ident, $value:path, $set:path) => {
        impl Item for $type {
            fn check_id(id: &str) -> Result<()> {
                <Self as Entity>::parsed_id(id).map(drop)
            }

            fn times(&self) -> (DateTime<Utc>, DateTime<Utc>) {
                Entity::times(self)
            }

            fn stamp(&mut self, times: (DateTime<Utc>, DateTime<Utc>), revision: Revision) {
                Entity::stamp(self, times, revision);
            }

            fn settled(self, policy: Policy) -> Result<Self> {
                Entity::settled(self, policy)
            }

            fn updated(
                &self,
                input: Self,
                mask: &FieldMask,
                policy: Policy,
                now: DateTime<Utc>,
            ) -> Result<Self> {
                <Self as Updatable>::update(self, input, mask, policy, now)
            }

            fn seal_head(&self, key: &[u8], value: Option<&[u8]>, mark: u64) -> Result<Vec<u8>> {
                $seal(key, self, value, mark)
            }

            fn open_head(key: &[u8], id: &str, head: &[u8]) -> Result<Opened<Self>> {
                let head = Head::open($is_container, key, head)?;
                Self::check_id(id).map_err(Error::into_corrupt)?;
                Ok(Opened {
                    item: head.$open(id.to_owned())?,
                    mark: head.mark(),
                    type_url: head.type_url().to_owned(),
                    value: head.value(),
                })
            }

            fn value(&self) -> Option<&Any> {
                $value(self)
            }

            fn set_value(&mut self, value: Any) {
                $set(self, value);
            }
        }
    };
}

item!(
    Container,
    true,
    whole::seal_container,
    to_container,
    spec_of,
    set_spec
);
item!(
    Record,
    false,
    whole::seal_record,
    to_record,
    value_of,
    set_value
);

fn spec_of(container: &Container) -> Option<&Any> {
    container.spec.as_ref()
}

fn set_spec(container: &mut Container, spec: Any) {
    container.spec = Some(spec);
}

fn value_of(record: &Record) -> Option<&Any> {
    Some(&record.value)
}

fn set_value(record: &mut Record, value: Any) {
    record.value = value;
}

/// An item as two values, each with a checksum over its key and content.
///
/// The head has everything that filters test, and the checksum of the value. A change of a label changes only the head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Everything but the spec of a container, or the value of a record.
    pub head: Vec<u8>,
    /// The spec or value, compressed; `None` if it is left out.
    pub value: Option<Vec<u8>>,
}

impl Sealed {
    /// Seals an item whose head is stored under `key`, with its times and its revision, and with its spec or value if
    /// `with_value`. The `mark` is any number of the store's own, such as one that tells its writers apart.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if it cannot be encoded, or has no spec.
    pub fn new<T: Item>(key: &[u8], item: &T, with_value: bool, mark: u64) -> Result<Self> {
        let value = match with_value {
            true => {
                let value = item.value();
                let value = value.ok_or_else(|| Error::invalid("`spec` is required"))?;
                Some(whole::seal_value(key, &value.value)?)
            }
            false => None,
        };
        let head = item.seal_head(key, value.as_deref(), mark)?;
        Ok(Self { head, value })
    }
}

/// A head, verified and decoded. The spec of the container or the value of the record is still missing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Opened<T> {
    /// The item without its spec, or with an empty value.
    pub item: T,
    /// The number that it was sealed with.
    pub mark: u64,
    type_url: String,
    value: Option<Seal>,
}

impl<T: Item> Opened<T> {
    /// Opens the head under `key` of the item `id`.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt).
    pub fn new(key: &[u8], id: &str, head: &[u8]) -> Result<Self> {
        T::open_head(key, id, head)
    }

    /// Whether the item was sealed with its spec or value.
    #[must_use]
    pub fn has_value(&self) -> bool {
        self.value.is_some()
    }

    /// Returns the whole item, with its sealed spec or value if it has one.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if that is damaged, missing, or of another state.
    pub fn with_value(mut self, key: &[u8], sealed: Option<&[u8]>) -> Result<T> {
        match (self.value, sealed) {
            (None, None) => {}
            (Some(seal), Some(sealed)) if Seal::of(sealed) == Some(seal) => {
                let value = whole::open_value(key, sealed)?;
                self.item.set_value(Any::new(self.type_url, value));
            }
            (Some(_), Some(_)) => {
                return Err(Error::corrupt("its value is not what its head knows"));
            }
            (Some(_), None) => return Err(Error::corrupt("its value is missing")),
            (None, Some(_)) => return Err(Error::corrupt("its value is unknown to its head")),
        }
        Ok(self.item)
    }
}

/// Seals the labels of a namespace under `key`, with a number of the store's own.
///
/// # Errors
///
/// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if they cannot be encoded.
pub fn seal_labels(key: &[u8], labels: &Labels, mark: u64) -> Result<Vec<u8>> {
    whole::seal_labels(key, labels, mark)
}

/// Returns the number and the labels that [`seal_labels`] sealed.
///
/// # Errors
///
/// [`Corrupt`](crate::ErrorKind::Corrupt).
pub fn open_labels(key: &[u8], sealed: &[u8]) -> Result<(u64, Labels)> {
    whole::open_labels(key, sealed)
}

/// Seals any bytes under `key`.
///
/// # Errors
///
/// None today.
pub fn seal_bytes(key: &[u8], content: &[u8]) -> Result<Vec<u8>> {
    whole::seal_bytes(key, content)
}

/// Returns the bytes that [`seal_bytes`] sealed.
///
/// # Errors
///
/// [`Corrupt`](crate::ErrorKind::Corrupt).
pub fn open_bytes<'a>(key: &[u8], sealed: &'a [u8]) -> Result<&'a [u8]> {
    seal::unseal(key, sealed)
}

/// Checks all labels of a namespace or an item, and drops those that mean "unset".
///
/// # Errors
///
/// [`InvalidArgument`](crate::ErrorKind::InvalidArgument).
pub fn settled_labels(labels: Labels, policy: Policy) -> Result<Labels> {
    labels::settle(labels, policy)
}

/// Checks the key and the value of one label.
///
/// # Errors
///
/// [`InvalidArgument`](crate::ErrorKind::InvalidArgument).
pub fn check_label(key: &str, value: &str) -> Result<()> {
    labels::check_label(key, value)
}

/// Checks that a text can be the kind of records other than containers.
///
/// # Errors
///
/// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if it is not an identifier, or is reserved.
pub fn check_kind(kind: &str) -> Result<()> {
    Kind::new(kind).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::container::Runtime;

    fn web() -> Container {
        let mut web = Container::new("web", Runtime::new("runc"), Any::new("spec", vec![7; 3000]))
            .image("nginx")
            .label("a", "1")
            .extension("x", Any::new("t", b"v"));
        Item::stamp(
            &mut web,
            (DateTime::UNIX_EPOCH, Utc::now()),
            Revision::new(9),
        );
        web
    }

    #[test]
    fn a_container_and_a_record_come_back_as_they_were_sealed() {
        let (web, key) = (web(), b"k");
        let sealed = Sealed::new(key, &web, true, 17).unwrap();
        let opened = Opened::<Container>::new(key, "web", &sealed.head).unwrap();
        assert_eq!(opened.mark, 17);
        let value = sealed.value.as_deref();
        assert_eq!(opened.with_value(key, value).unwrap(), web);

        let mut image = Record::new("a/b:c", Any::new("image", b"{}")).label("arch", "amd64");
        Item::stamp(&mut image, (Utc::now(), Utc::now()), Revision::new(3));
        let sealed = Sealed::new(key, &image, true, 0).unwrap();
        let opened = Opened::<Record>::new(key, "a/b:c", &sealed.head).unwrap();
        let value = sealed.value.as_deref();
        assert_eq!(opened.with_value(key, value).unwrap(), image);
    }

    #[test]
    fn a_value_may_be_left_out_but_not_lost_nor_exchanged() {
        let (web, key) = (web(), b"k");
        let without = Sealed::new(key, &web, false, 0).unwrap();
        let open = |head: &[u8]| Opened::<Container>::new(key, "web", head).unwrap();
        assert!(!open(&without.head).has_value());
        assert_eq!(
            open(&without.head).with_value(key, None).unwrap().spec,
            None
        );

        let sealed = Sealed::new(key, &web, true, 0).unwrap();
        let other = Sealed::new(key, &web.clone().spec(Any::new("spec", b"{}")), true, 0).unwrap();
        for (head, value) in [
            (&sealed.head, None),
            (&sealed.head, other.value.as_deref()),
            (&without.head, sealed.value.as_deref()),
        ] {
            let error = open(head).with_value(key, value).unwrap_err();
            assert!(error.is_corrupt(), "{error}");
        }
    }

    #[test]
    fn every_flipped_bit_of_a_head_is_damage() {
        let sealed = Sealed::new(b"k", &web(), true, 0).unwrap();
        for byte in 0..sealed.head.len() {
            let mut flipped = sealed.head.clone();
            flipped[byte] ^= 1;
            assert!(Opened::<Container>::new(b"k", "web", &flipped).is_err());
            let cut = sealed.head.get(..byte).unwrap();
            assert!(Opened::<Container>::new(b"k", "web", cut).is_err());
        }
        let taken = Opened::<Container>::new(b"other", "web", &sealed.head);
        assert!(taken.unwrap_err().is_corrupt());
        let taken = Opened::<Record>::new(b"k", "web", &sealed.head);
        assert!(taken.unwrap_err().is_corrupt());
    }

    #[test]
    fn labels_and_bytes_are_sealed_with_their_key() {
        let labels = Labels::from([("a".to_owned(), "1".to_owned())]);
        let sealed = seal_labels(b"n", &labels, 5).unwrap();
        assert_eq!(open_labels(b"n", &sealed).unwrap(), (5, labels));
        assert!(open_labels(b"m", &sealed).unwrap_err().is_corrupt());
        let sealed = seal_bytes(b"n", b"x").unwrap();
        assert_eq!(open_bytes(b"n", &sealed).unwrap(), b"x");
        assert!(open_bytes(b"m", &sealed).unwrap_err().is_corrupt());
    }
}
