//! One record in memory: its rows as they stand in the file, verified and without their seals.

use std::cmp::Ordering;
use std::sync::Arc;

use bytes::Bytes;

use crate::filter::Subject;
use crate::model::error::{Error, Result};
use crate::model::field::Field;
use crate::model::kind::Kind;
use crate::query::cursor::Group;
use crate::query::rows::Rows;
use crate::query::shape::View;
use crate::records::head::OwnRow;
use crate::records::keys::{self, Part};
use crate::records::parts::{self, Seals};

/// What one kept record takes beside its bytes: itself, its places in the trees, and what the allocator adds
/// to each of its four allocations.
const OVERHEAD_BYTES: usize = 128;

/// A record, shared by all snapshots that have it in this revision.
#[derive(Debug)]
pub(super) struct Kept {
    /// The key of its own row. All revisions of a record share it with the terms.
    pub(super) key: Arc<[u8]>,
    /// None if anything of the record is damaged: it is read from the file each time, which tells what.
    content: Option<Content>,
}

#[derive(Debug)]
struct Content {
    /// The own row, the labels, the extensions.
    rows: Box<[u8]>,
    labels_at: usize,
    extensions_at: usize,
    value: Bytes,
}

impl Kept {
    /// What the file has of a record.
    ///
    /// # Errors
    ///
    /// If it cannot be read. Damage is no error.
    pub(super) fn of(group: &Group<'_>) -> Result<Self> {
        let content = match Content::of(group) {
            Ok(content) => Some(content),
            Err(error) if error.is_corrupt() => None,
            Err(error) => return Err(error),
        };
        let key = group.own().into();
        Ok(Self { key, content })
    }

    pub(super) fn is_damaged(&self) -> bool {
        self.content.is_none()
    }

    /// Its rows; none if they have to be read from the file.
    pub(super) fn rows(&self) -> Option<impl Rows> {
        let content = self.content.as_ref()?;
        let key = &self.key;
        Some(KeptRows { key, content })
    }

    /// Whether it has a field whose value passes; false of a damaged one.
    ///
    /// # Errors
    ///
    /// `Corrupt`, which cannot be: it was verified.
    pub(super) fn is_field(
        &self,
        kind: &Kind,
        field: &Field,
        pass: impl Fn(&[u8]) -> bool,
    ) -> Result<bool> {
        let Some(rows) = self.rows() else {
            return Ok(false);
        };
        let row = OwnRow::decode(kind, rows.own()?)?;
        let labels = rows.content(kind, Part::Labels)?;
        let labels = labels.map_or(Ok(Vec::new()), parts::labels)?;
        let view = View {
            id: "",
            row: &row,
            labels: &labels,
            extensions: &[],
        };
        Ok(view.field(field).is_some_and(pass))
    }

    /// About how much memory it takes, beside its terms.
    pub(super) fn bytes(&self) -> usize {
        let content = self.content.as_ref();
        let bytes = content.map_or(0, |content| content.rows.len() + content.value.len());
        OVERHEAD_BYTES + self.key.len() + bytes
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Kept {}

impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// In the order of their keys.
impl Ord for Kept {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

impl Content {
    fn of(group: &Group<'_>) -> Result<Self> {
        let rows = group.rows()?;
        let kind = String::from_utf8_lossy(keys::kind_of(group.own()));
        let kind = Kind::stored(&kind).map_err(Error::into_corrupt)?;
        rows.id(&kind)?;
        let own = rows.own()?;
        rows.check(&kind, &OwnRow::decode(&kind, own)?.head.seals)?;
        let labels = rows.content(&kind, Part::Labels)?.unwrap_or_default();
        let extensions = rows.content(&kind, Part::Extensions)?.unwrap_or_default();
        if !labels.is_empty() {
            parts::labels(labels)?;
        }
        if !extensions.is_empty() {
            parts::extensions(extensions)?;
        }
        Ok(Self {
            rows: [own, labels, extensions].concat().into(),
            labels_at: own.len(),
            extensions_at: own.len() + labels.len(),
            value: rows.value(&kind)?,
        })
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
        let rows = &self.content.rows;
        Ok(rows.get(..self.content.labels_at).unwrap_or_default())
    }

    /// Checked when the record was loaded.
    fn check(&self, _: &Kind, _: &Seals) -> Result<()> {
        Ok(())
    }

    fn content(&self, _: &Kind, part: Part) -> Result<Option<&[u8]>> {
        let Content {
            rows,
            labels_at,
            extensions_at,
            value,
        } = self.content;
        let content = match part {
            Part::Labels => rows.get(*labels_at..*extensions_at),
            Part::Extensions => rows.get(*extensions_at..),
            Part::Value => Some(&**value),
        };
        Ok(content.filter(|content| !content.is_empty()))
    }

    fn value(&self, _: &Kind) -> Result<Bytes> {
        Ok(self.content.value.clone())
    }
}
