//! The place of a follower in the change feed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::error::Error;
use crate::model::revision::Revision;

/// A place in the [change feed](crate::Db::changes_since) of a store. A follower keeps it to continue later.
///
/// A position is valid for the history that it comes from ([`StoreInfo::history`](crate::StoreInfo::history)), across
/// restarts, crashes and compaction, as long as the deletions after it are remembered. In a store with another history,
/// such as a backup, it is refused as [`Lagged`](crate::ErrorKind::Lagged).
///
/// Keep it as text, or by serde, which writes the text: `HISTORY:REVISION`, with the history in 16 hexadecimal digits,
/// or `HISTORY:REVISION:DELETIONS` before the first listing is complete.
///
/// A [`Revision`] can also be used as a position. It does not name its history, so the store cannot check that. Before
/// the first listing is complete, it also says too little: the revision may be `Lagged` where the position is not.
///
/// # Examples
///
/// ```
/// use bayplan::{Any, Container, Db, Detail, Position, Runtime};
///
/// # fn main() -> bayplan::Result<()> {
/// let db = Db::in_memory()?;
/// let store = db.namespace("k8s.io")?;
/// store.create(Container::new("web", Runtime::new("runc"), Any::new("spec", b"{}")))?;
/// let mut position = Position::START;
/// for change in db.changes_since(position, Detail::Id)? {
///     position = change?.position;
/// }
/// let kept = position.to_string();
/// assert!(db.changes_since(kept.parse::<Position>()?, Detail::Id)?.next().is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Position {
    /// `None` if unknown.
    history: Option<u64>,
    /// All changes up to this revision are known.
    revision: Revision,
    /// Deletions up to this revision concern nothing that is known. Not lower than `revision`.
    deletions: Revision,
}

/// What the positions in one list of changes have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) history: u64,
    /// Deletions up to this revision concern nothing that the follower knew before the list.
    pub(crate) deletions: Revision,
}

impl Origin {
    /// Returns the origin of an empty list.
    pub(crate) fn of(position: Position, history: u64) -> Self {
        Self {
            history,
            deletions: position.deletions,
        }
    }

    /// Returns the position in the list where everything up to a revision is known.
    pub(crate) fn at(self, revision: Revision) -> Position {
        Position::new(self.history, revision, self.deletions)
    }
}

impl Position {
    /// Before everything, in any store: nothing is known.
    pub const START: Self = Self {
        history: None,
        revision: Revision::NONE,
        deletions: Revision::NONE,
    };

    pub(crate) fn new(history: u64, revision: Revision, deletions: Revision) -> Self {
        match revision {
            Revision::NONE => Self::START,
            _ => Self {
                history: Some(history),
                revision,
                deletions: deletions.max(revision),
            },
        }
    }

    /// Returns the revision up to which all changes are known.
    #[must_use]
    pub const fn revision(self) -> Revision {
        self.revision
    }

    pub(crate) fn history(self) -> Option<u64> {
        self.history
    }

    pub(crate) fn deletions(self) -> Revision {
        self.deletions
    }
}

/// A place in the history of any store.
impl From<Revision> for Position {
    fn from(revision: Revision) -> Self {
        Self {
            history: None,
            revision,
            deletions: revision,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(history) = self.history {
            write!(f, "{history:016x}:")?;
        }
        self.revision.fmt(f)?;
        match self.deletions == self.revision {
            true => Ok(()),
            false => write!(f, ":{}", self.deletions),
        }
    }
}

impl FromStr for Position {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).ok_or_else(|| {
            Error::invalid(format!(
                "{text:?} is no position: one is REVISION, HISTORY:REVISION or HISTORY:REVISION:DELETIONS, with a \
                 history of 16 hexadecimal digits"
            ))
        })
    }
}

fn parse(text: &str) -> Option<Position> {
    let number = |text: &str| {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_plain);
        number.map(Revision::new)
    };
    let Some((history, rest)) = text.split_once(':') else {
        return number(text).map(Position::from);
    };
    let is_plain = history.len() == 16 && history.bytes().all(|byte| byte.is_ascii_hexdigit());
    let history = u64::from_str_radix(history, 16).ok().filter(|_| is_plain)?;
    let (revision, deletions) = match rest.split_once(':') {
        Some((revision, deletions)) => (number(revision)?, number(deletions)?),
        None => (number(rest)?, number(rest)?),
    };
    Some(Position::new(history, revision, deletions))
}

impl TryFrom<String> for Position {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Position> for String {
    fn from(position: Position) -> String {
        position.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_kept_as_text() {
        let revision = Revision::new;
        for (position, text) in [
            (Position::START, "0"),
            (Position::from(revision(7)), "7"),
            (
                Position::new(0xab, revision(7), revision(3)),
                "00000000000000ab:7",
            ),
            (
                Position::new(u64::MAX, revision(7), revision(9)),
                "ffffffffffffffff:7:9",
            ),
        ] {
            assert_eq!(position.to_string(), text);
            assert_eq!(text.parse::<Position>().unwrap(), position);
            let json = serde_json::to_string(&position).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Position>(&json).unwrap(), position);
        }
        assert_eq!(
            Position::new(1, Revision::NONE, revision(9)),
            Position::START
        );
    }

    #[test]
    fn what_is_no_position_is_refused() {
        for text in [
            "",
            "x",
            "-1",
            "+1",
            " 1",
            ":1",
            "ab:1",
            "00000000000000ab",
            "00000000000000ab:",
            "00000000000000ab:1:",
            "00000000000000ab:1:2:3",
            "+0000000000000ab:1",
            "18446744073709551616",
        ] {
            let error = text.parse::<Position>().unwrap_err();
            assert!(error.is_invalid_argument(), "{text:?}: {error}");
        }
        // All digits: a revision.
        assert!("0000000000000012".parse::<Position>().is_ok());
    }
}
