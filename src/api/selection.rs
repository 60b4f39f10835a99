//! The input and the output of a traversal.

use crate::api::stored::Stored;
use crate::filter::Filters;
use crate::model::error::{Error, Result};
use crate::query::Damaged;

/// What a traversal looks for; see [`ReadStore::traverse`](crate::ReadStore::traverse). A
/// [`Query`](crate::Query) builds it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Selection {
    /// The filters; by default everything matches.
    pub filters: Filters,
    /// Only ids greater than this one, which need not exist.
    pub after: Option<String>,
    /// The most items to return.
    pub limit: Option<usize>,
    /// How much of each item to read.
    pub detail: Detail,
    /// Whether a damaged item is reported and skipped, instead of ending the traversal.
    pub is_lenient: bool,
}

/// How much of each item is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detail {
    /// The id. Labels and extensions are read only if the filters test them.
    Id,
    /// Everything but the spec and the extensions, except the extensions of these names.
    Header(Vec<String>),
    /// Everything.
    #[default]
    Whole,
}

/// An item that a traversal found, in the requested detail.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Found<T: Stored> {
    /// Its id.
    Id(String),
    /// Its header.
    Header(T::Header),
    /// The complete item.
    Whole(T),
    /// A damaged item, if the selection is lenient.
    Damaged(Damaged),
}

/// The items of a traversal, in the order of their ids.
pub type Traversal<'a, T> = Box<dyn Iterator<Item = Result<Found<T>>> + 'a>;

impl<T: Stored> Found<T> {
    /// Returns the id, even if the store returned more than requested.
    pub(crate) fn id(self) -> Result<String> {
        match self {
            Self::Id(id) => Ok(id),
            Self::Whole(item) => Ok(item.id().to_owned()),
            other => Err(other.unexpected()),
        }
    }

    /// Returns the header, with the extensions of these names.
    pub(crate) fn header(self, names: &[String]) -> Result<T::Header> {
        match self {
            Self::Header(header) => Ok(header),
            Self::Whole(item) => Ok(item.into_header(names)),
            other => Err(other.unexpected()),
        }
    }

    pub(crate) fn whole(self) -> Result<T> {
        match self {
            Self::Whole(item) => Ok(item),
            other => Err(other.unexpected()),
        }
    }

    fn unexpected(self) -> Error {
        match self {
            Self::Damaged(damaged) => damaged.error,
            _ => Error::precondition("the store returned less than was asked for"),
        }
    }
}
