//! What a traversal is asked for, and what it finds.

use crate::api::stored::Stored;
use crate::filter::Filters;
use crate::model::error::{Error, Result};
use crate::query::Damaged;

/// What a traversal is asked for; see [`ReadStore::traverse`](crate::ReadStore::traverse). A [`Query`](crate::Query) makes it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Selection {
    /// What must pass; everything does by default.
    pub filters: Filters,
    /// Only ids greater than this one, which need not exist.
    pub after: Option<String>,
    /// At most so many.
    pub limit: Option<usize>,
    /// How much of each is wanted.
    pub detail: Detail,
    /// Whether what is damaged is reported, and passed over, instead of ending it.
    pub is_lenient: bool,
}

/// How much of each is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detail {
    /// The id. Specs, labels and extensions are read only as far as the filters look at them.
    Id,
    /// All but the spec and the extensions; with the extensions of these names.
    Header(Vec<String>),
    /// All of it.
    #[default]
    Whole,
}

/// What a traversal found, in the detail that it was asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Found<T: Stored> {
    /// Its id.
    Id(String),
    /// Its header.
    Header(T::Header),
    /// All of it.
    Whole(T),
    /// It is damaged, and the selection is lenient.
    Damaged(Damaged),
}

/// What was found, one after the other, in the order of the ids.
pub type Traversal<'a, T> = Box<dyn Iterator<Item = Result<Found<T>>> + 'a>;

impl<T: Stored> Found<T> {
    /// The id; that of a store that answers with more than it was asked for, too.
    pub(crate) fn id(self) -> Result<String> {
        match self {
            Self::Id(id) => Ok(id),
            Self::Whole(item) => Ok(item.id().to_owned()),
            other => Err(other.unexpected()),
        }
    }

    /// The header, with the extensions of these names.
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
