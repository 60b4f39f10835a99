//! From the rows of one record to what is wanted of it, decoding no more than that.

use super::shape::{Loaded, Shape, View, Wanted};
use crate::filter::Filters;
use crate::model::error::{Error, Result};
use crate::model::identifier::ContainerId;
use crate::model::kind::Kind;
use crate::records::head::OwnRow;
use crate::records::keys::{Part, RecordKey};
use crate::records::parts;
use crate::records::seal::{Key, unseal};
use crate::records::value::unpack;

/// The rows of one record, as they stand in the file.
pub(super) struct Rows<'a> {
    /// The key of its own row.
    pub(super) own: &'a [u8],
    /// The id in it.
    pub(super) id: &'a [u8],
    pub(super) row: &'a [u8],
    pub(super) parts: [Option<&'a [u8]>; Part::ALL.len()],
}

/// Makes a record of rows that were found apart.
///
/// # Errors
///
/// `Corrupt` if anything of it is damaged, or a row is not the record's.
pub(crate) fn decode<S: Shape>(
    key: &RecordKey,
    kind: &Kind,
    id: &str,
    row: &[u8],
    parts: [Option<&[u8]>; Part::ALL.len()],
) -> Result<S> {
    let rows = Rows {
        own: key.own(),
        id: id.as_bytes(),
        row,
        parts,
    };
    let all = Wanted {
        kind,
        filters: &Filters::all(),
        extensions: &[],
    };
    let read = rows.read(&all)?;
    read.ok_or_else(|| Error::corrupt("the record cannot be read"))
}

impl<'a> Rows<'a> {
    fn part(&self, part: Part) -> Option<&'a [u8]> {
        self.parts.get(part.place()).copied().flatten()
    }

    /// The verified content of a part, if it is wanted and the record has it.
    fn content(&self, kind: &Kind, part: Part, is_wanted: bool) -> Result<Option<&'a [u8]>> {
        let Some(value) = self.part(part).filter(|_| is_wanted) else {
            return Ok(None);
        };
        let suffix = part.suffix();
        let content = unseal(Key::new(self.own, &suffix), value);
        content
            .map(Some)
            .map_err(|error| error.prefixed(part.noun(kind)))
    }

    /// What the shape makes of the record, if it matches.
    pub(super) fn read<S: Shape>(&self, want: &Wanted<'_>) -> Result<Option<S>> {
        let id = std::str::from_utf8(self.id)
            .map_err(|error| Error::corrupt("the id is not UTF-8").caused_by(error))?;
        if want.kind.is_containers() {
            ContainerId::check_stored(id)?;
        }
        let row = OwnRow::decode(want.kind, unseal(self.own, self.row)?)?;
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
        for part in Part::ALL {
            row.head.seals.check(want.kind, part, self.part(part))?;
        }
        let labels = self.content(want.kind, Part::Labels, S::WANT.labels || needs_labels)?;
        let labels = labels.map_or(Ok(Vec::new()), parts::labels)?;
        let wants_extensions = S::WANT.extensions || !want.extensions.is_empty();
        let extensions = self.content(
            want.kind,
            Part::Extensions,
            wants_extensions || needs_extensions,
        )?;
        let extensions = extensions.map_or(Ok(Vec::new()), parts::extensions)?;
        view.labels = &labels;
        view.extensions = &extensions;
        if !is_decided_early && !filters.matches(&view) {
            return Ok(None);
        }
        let value = match self.content(want.kind, Part::Value, S::WANT.value)? {
            Some(content) => {
                unpack(content).map_err(|error| error.prefixed(Part::Value.noun(want.kind)))?
            }
            None if S::WANT.value => {
                let noun_is = Part::Value.noun_is(want.kind);
                return Err(Error::corrupt(format!("{noun_is} missing")));
            }
            None => [].as_slice().into(),
        };
        S::build(Loaded {
            id,
            row: &row,
            labels: &labels,
            extensions: &extensions,
            named: want.extensions,
            value,
        })
        .map(Some)
    }
}
