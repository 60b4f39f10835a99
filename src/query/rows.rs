//! Reads the rows of one record, and decodes only what is wanted.

use bytes::Bytes;

use super::shape::{Loaded, Shape, View, Wanted, pins};
use crate::filter::Filters;
use crate::model::error::{Error, Result};
use crate::model::identifier::ContainerId;
use crate::model::kind::Kind;
use crate::records::head::OwnRow;
use crate::records::keys::{Part, RecordKey};
use crate::records::parts::{self, Seals};
use crate::records::seal::{Key, unseal};
use crate::records::value::unpack;

/// Where the rows of one record are: in the file, sealed, or in memory, verified.
pub(super) trait Rows {
    /// Returns the id of the record, if a record of this kind can have it.
    fn id(&self, kind: &Kind) -> Result<&str>;

    /// Returns the content of its own row.
    fn own(&self) -> Result<&[u8]>;

    /// Checks that the other rows are those that the record has.
    fn check(&self, kind: &Kind, seals: &Seals) -> Result<()>;

    /// Returns the content of its labels or extensions, if it has any.
    fn content(&self, kind: &Kind, part: Part) -> Result<Option<&[u8]>>;

    /// Returns its spec or value, unpacked.
    fn value(&self, kind: &Kind) -> Result<Bytes>;
}

/// Reads a record into a shape, if it matches.
///
/// # Errors
///
/// `Corrupt` if a part that is needed is damaged, or a row is not the record's.
pub(super) fn read<S: Shape>(rows: &impl Rows, want: &Wanted<'_>) -> Result<Option<S>> {
    let id = rows.id(want.kind)?;
    let row = OwnRow::decode(want.kind, rows.own()?)?;
    let is_older = |after| row.head.revision() <= after;
    if want.changed_after.is_some_and(is_older) {
        return Ok(None);
    }
    let filters = want.filters;
    let (needs_labels, needs_extensions) = (filters.needs_labels(), filters.needs_extensions());
    let is_decided_early = !needs_labels && !needs_extensions;
    let mut view = View {
        id,
        row: &row,
        labels: &[],
        extensions: &[],
    };
    if is_decided_early && !filters.matches(&view) {
        return Ok(None);
    }
    rows.check(want.kind, &row.head.seals)?;
    let content = |part, is_wanted: bool| match is_wanted {
        true => rows.content(want.kind, part),
        false => Ok(None),
    };
    let wants_labels = S::WANT.labels || want.pinning.is_some();
    let labels = content(Part::Labels, wants_labels || needs_labels)?;
    let labels = labels.map_or(Ok(Vec::new()), parts::labels)?;
    let wants_extensions = S::WANT.extensions || !want.extensions.is_empty();
    let extensions = content(Part::Extensions, wants_extensions || needs_extensions)?;
    let extensions = extensions.map_or(Ok(Vec::new()), parts::extensions)?;
    view.labels = &labels;
    view.extensions = &extensions;
    if !is_decided_early && !filters.matches(&view) {
        return Ok(None);
    }
    if let Some(held) = want.pinning
        && !pins(want.kind, id, &row, &labels).any(|pin| pin.held == held)
    {
        return Ok(None);
    }
    let value = match S::WANT.value {
        true => rows.value(want.kind)?,
        false => Bytes::new(),
    };
    S::build(Loaded {
        kind: want.kind,
        id,
        row: &row,
        labels: &labels,
        extensions: &extensions,
        named: want.extensions,
        value,
    })
    .map(Some)
}

/// Builds a record from rows that were found separately.
///
/// # Errors
///
/// `Corrupt` if any part is damaged, or a row is not the record's.
pub(crate) fn decode<S: Shape>(
    key: &RecordKey,
    kind: &Kind,
    id: &str,
    row: &[u8],
    parts: [Option<&[u8]>; Part::ALL.len()],
) -> Result<S> {
    let rows = Sealed {
        own: key.own(),
        id: id.as_bytes(),
        row,
        parts,
    };
    let all = Wanted {
        kind,
        filters: &Filters::all(),
        extensions: &[],
        pinning: None,
        changed_after: None,
    };
    let read = read(&rows, &all)?;
    read.ok_or_else(|| Error::corrupt("the record cannot be read"))
}

/// The rows of one record, as they are in the file.
pub(super) struct Sealed<'a> {
    /// The key of its own row.
    pub(super) own: &'a [u8],
    /// The id in it.
    pub(super) id: &'a [u8],
    pub(super) row: &'a [u8],
    pub(super) parts: [Option<&'a [u8]>; Part::ALL.len()],
}

impl<'a> Sealed<'a> {
    fn part(&self, part: Part) -> Option<&'a [u8]> {
        self.parts.get(part.place()).copied().flatten()
    }

    /// Returns the verified content of a part, if the record has it.
    fn verified(&self, kind: &Kind, part: Part) -> Result<Option<&'a [u8]>> {
        let Some(value) = self.part(part) else {
            return Ok(None);
        };
        let suffix = part.suffix();
        let content = unseal(Key::new(self.own, &suffix), value);
        content
            .map(Some)
            .map_err(|error| error.prefixed(part.noun(kind)))
    }
}

impl Rows for Sealed<'_> {
    fn id(&self, kind: &Kind) -> Result<&str> {
        let id = std::str::from_utf8(self.id)
            .map_err(|error| Error::corrupt("the id is not UTF-8").caused_by(error))?;
        if kind.is_containers() {
            ContainerId::check_stored(id)?;
        }
        Ok(id)
    }

    fn own(&self) -> Result<&[u8]> {
        unseal(self.own, self.row)
    }

    fn check(&self, kind: &Kind, seals: &Seals) -> Result<()> {
        let mut parts = Part::ALL.into_iter();
        parts.try_for_each(|part| seals.check(kind, part, self.part(part)))
    }

    fn content(&self, kind: &Kind, part: Part) -> Result<Option<&[u8]>> {
        self.verified(kind, part)
    }

    fn value(&self, kind: &Kind) -> Result<Bytes> {
        let content = self.verified(kind, Part::Value)?;
        let noun = Part::Value.noun(kind);
        let missing = || Error::corrupt(format!("{} missing", Part::Value.noun_is(kind)));
        let value = unpack(content.ok_or_else(missing)?).map_err(|error| error.prefixed(noun))?;
        Ok(value.into_owned().into())
    }
}
