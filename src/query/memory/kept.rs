//! One record in memory: the contents of its rows, verified and without their seals, the value unpacked.

use std::sync::Arc;

use bytes::Bytes;

use super::terms;
use crate::filter::Subject;
use crate::model::error::{Error, Result};
use crate::model::field::Field;
use crate::model::kind::Kind;
use crate::query::cursor::Group;
use crate::query::rows::{self, Rows, Sealed};
use crate::query::shape::{Shape, View, Wanted};
use crate::records::head::OwnRow;
use crate::records::keys::{self, Part};
use crate::records::parts::{self, LabelRef, Seals};

/// The memory of one kept record beyond its bytes: the record itself, its places in the trees, and the allocator's
/// overhead for its four allocations.
const OVERHEAD_BYTES: usize = 128;

/// A record, shared by all snapshots that have it in this revision.
#[derive(Debug)]
pub(in crate::query) struct KeptRecord {
    /// The key of its own row, which all revisions of a record share with the terms.
    key: Arc<[u8]>,
    /// `None` if any part of the record is damaged: each read then goes to the file, which shows the damage.
    content: Option<Content>,
}

#[derive(Debug)]
struct Content {
    /// The own row, the labels, the extensions.
    rows: Box<[u8]>,
    labels_at: usize,
    extensions_at: usize,
    value: Bytes,
    terms_count: usize,
}

/// The rows of a record as just written, sealed.
pub(crate) struct NewRows<'r> {
    pub(crate) own: &'r [u8],
    /// `None` if it has no such row.
    pub(crate) labels: Option<&'r [u8]>,
    pub(crate) extensions: Option<&'r [u8]>,
    /// Its value, unpacked.
    pub(crate) value: Bytes,
}

impl KeptRecord {
    /// Keeps a record as just written under a key.
    ///
    /// # Errors
    ///
    /// `Corrupt` if the rows cannot be read, which cannot happen.
    pub(super) fn of_new(key: Arc<[u8]>, rows: &NewRows<'_>) -> Result<Self> {
        let sealed = Sealed {
            own: &key,
            id: keys::id_of(&key),
            row: rows.own,
            parts: Part::ALL.map(|part| match part {
                Part::Labels => rows.labels,
                Part::Extensions => rows.extensions,
                Part::Value => None,
            }),
        };
        let content = Content::of(&sealed, &kind_of(&key)?, rows.value.clone())?;
        let content = Some(content);
        Ok(Self { key, content })
    }

    /// Keeps a record as the file has it. `key` is that of an earlier revision, if there was one.
    ///
    /// # Errors
    ///
    /// Errors of reading. Damage of the record is no error.
    pub(super) fn of(group: &Group<'_>, key: Option<Arc<[u8]>>) -> Result<Self> {
        let content = match Content::verified(group) {
            Ok(content) => Some(content),
            Err(error) if error.is_corrupt() => None,
            Err(error) => return Err(error),
        };
        let key = key.unwrap_or_else(|| group.own().into());
        Ok(Self { key, content })
    }

    /// Returns the key of its own row.
    pub(in crate::query) fn key(&self) -> &Arc<[u8]> {
        &self.key
    }

    pub(super) fn is_damaged(&self) -> bool {
        self.content.is_none()
    }

    /// Reads it into a shape, if it matches; `None` if the file must be read for that.
    pub(in crate::query) fn read<S: Shape>(&self, want: &Wanted<'_>) -> Option<Result<Option<S>>> {
        self.rows().map(|rows| rows::read(&rows, want))
    }

    fn rows(&self) -> Option<KeptRows<'_>> {
        let content = self.content.as_ref()?;
        let key = &self.key;
        Some(KeptRows { key, content })
    }

    /// Returns its single fields and its labels; `None` for a damaged record.
    pub(super) fn fields(&self, kind: &Kind) -> Result<Option<(OwnRow<'_>, Vec<LabelRef<'_>>)>> {
        let Some(content) = &self.content else {
            return Ok(None);
        };
        let row = OwnRow::decode(kind, content.own())?;
        let labels = content.labels().map_or(Ok(Vec::new()), parts::labels)?;
        Ok(Some((row, labels)))
    }

    /// Whether it has a field with a value that passes; false for a damaged record.
    ///
    /// # Errors
    ///
    /// `Corrupt`, which cannot happen: the record was verified.
    pub(super) fn has_passing(
        &self,
        kind: &Kind,
        field: &Field,
        pass: impl Fn(&[u8]) -> bool,
    ) -> Result<bool> {
        let Some((row, labels)) = self.fields(kind)? else {
            return Ok(false);
        };
        let view = View {
            id: "",
            row: &row,
            labels: &labels,
            extensions: &[],
        };
        Ok(view.field(field).is_some_and(pass))
    }

    /// Returns how many terms it has.
    pub(super) fn terms_count(&self) -> usize {
        // A damaged record has one term, which says so.
        self.content
            .as_ref()
            .map_or(1, |content| content.terms_count)
    }

    /// Returns about how much memory it takes, without its terms.
    pub(super) fn bytes(&self) -> usize {
        let content = self.content.as_ref();
        let bytes = content.map_or(0, |content| content.rows.len() + content.value.len());
        OVERHEAD_BYTES + self.key.len() + bytes
    }
}

/// Returns the kind of the record whose own row has this key.
fn kind_of(key: &[u8]) -> Result<Kind> {
    let kind = String::from_utf8_lossy(keys::kind_of(key));
    Kind::stored(&kind).map_err(Error::into_corrupt)
}

impl Content {
    /// Verifies a record as the file has it.
    fn verified(group: &Group<'_>) -> Result<Self> {
        let rows = group.rows()?;
        let kind = kind_of(group.own())?;
        rows.id(&kind)?;
        rows.check(&kind, &OwnRow::decode(&kind, rows.own()?)?.head.seals)?;
        let extensions = rows.content(&kind, Part::Extensions)?;
        extensions.map_or(Ok(Vec::new()), parts::extensions)?;
        let value = rows.value(&kind)?;
        Self::of(&rows, &kind, value)
    }

    fn of(rows: &Sealed<'_>, kind: &Kind, value: Bytes) -> Result<Self> {
        let own = rows.own()?;
        let labels = rows.content(kind, Part::Labels)?;
        let decoded = labels.map_or(Ok(Vec::new()), parts::labels)?;
        let labels = labels.unwrap_or_default();
        let extensions = rows.content(kind, Part::Extensions)?.unwrap_or_default();
        let row = OwnRow::decode(kind, own)?;
        Ok(Self {
            rows: [own, labels, extensions].concat().into(),
            labels_at: own.len(),
            extensions_at: own.len() + labels.len(),
            value,
            terms_count: terms::count(kind, rows.id(kind)?, &row, &decoded),
        })
    }

    fn own(&self) -> &[u8] {
        self.rows.get(..self.labels_at).unwrap_or_default()
    }

    /// A record without labels has no row for them. A row is never empty.
    fn labels(&self) -> Option<&[u8]> {
        let labels = self.rows.get(self.labels_at..self.extensions_at);
        labels.filter(|labels| !labels.is_empty())
    }

    fn extensions(&self) -> Option<&[u8]> {
        let extensions = self.rows.get(self.extensions_at..);
        extensions.filter(|extensions| !extensions.is_empty())
    }
}

struct KeptRows<'k> {
    key: &'k [u8],
    content: &'k Content,
}

impl Rows for KeptRows<'_> {
    fn id(&self, _: &Kind) -> Result<&str> {
        let id = keys::id_of(self.key);
        str::from_utf8(id).map_err(|error| Error::corrupt("the id is not UTF-8").caused_by(error))
    }

    fn own(&self) -> Result<&[u8]> {
        Ok(self.content.own())
    }

    /// Checked when the record was loaded.
    fn check(&self, _: &Kind, _: &Seals) -> Result<()> {
        Ok(())
    }

    fn content(&self, _: &Kind, part: Part) -> Result<Option<&[u8]>> {
        Ok(match part {
            Part::Labels => self.content.labels(),
            Part::Extensions => self.content.extensions(),
            Part::Value => None,
        })
    }

    fn value(&self, _: &Kind) -> Result<Bytes> {
        Ok(self.content.value.clone())
    }
}
