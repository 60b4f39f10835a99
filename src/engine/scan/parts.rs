//! The rows of one container beside its record.

use redb::AccessGuard;

use super::cursor::Head;
use super::shape::Want;
use crate::error::{Error, Result};
use crate::field::Field;
use crate::filter::Subject;
use crate::record::{AnyContent, Record, text, unseal_text};
use crate::schema::{Bytes, Part};

type Guard<'t> = AccessGuard<'t, Bytes>;

/// A key and its value.
pub(super) type Pair<'t> = (Guard<'t>, Guard<'t>);

/// A label or an extension: where its name stands in its key.
pub(super) struct Entry<'t> {
    pair: Pair<'t>,
    name_at: usize,
}

impl Entry<'_> {
    fn name(&self) -> &[u8] {
        self.pair.0.value().get(self.name_at..).unwrap_or_default()
    }

    /// A label's key and value, verified.
    pub(super) fn label(&self) -> Result<(&str, &str)> {
        let (key, value) = &self.pair;
        let value = unseal_text(key.value(), value.value())?;
        Ok((text(self.name())?, value))
    }

    /// An extension's name and content, verified.
    pub(super) fn extension(&self) -> Result<(&str, AnyContent<'_>)> {
        let (key, value) = &self.pair;
        let content = AnyContent::decode(key.value(), value.value())?;
        Ok((text(self.name())?, content))
    }
}

/// The parts of one container beside its record, as far as they are kept.
#[derive(Default)]
pub(super) struct Parts<'t> {
    pub(super) labels: Vec<Entry<'t>>,
    pub(super) extensions: Vec<Entry<'t>>,
    pub(super) spec: Vec<Pair<'t>>,
}

impl<'t> Parts<'t> {
    /// Room for what will be kept. No count of the file is believed beyond what is usual.
    pub(super) fn with_room_for(record: &Record<'_>, keep: Want) -> Self {
        const USUAL_MAX_COUNT: u32 = 32;
        let room = |count: u32, is_kept| match is_kept {
            true => Vec::with_capacity(count.min(USUAL_MAX_COUNT) as usize),
            false => Vec::new(),
        };
        Self {
            labels: room(record.labels, keep.labels),
            extensions: room(record.extensions, keep.body),
            spec: Vec::new(),
        }
    }

    /// Takes the next row of the container.
    pub(super) fn add(&mut self, pair: Pair<'t>, head: &Head, keep: Want) -> Result<()> {
        const TAG_BYTES: usize = 2;
        let name_at = head.key().len() + TAG_BYTES;
        let Some(part) = head.part(pair.0.value()) else {
            return Err(Error::corrupt(
                "the container has a part of an unknown kind",
            ));
        };
        match part {
            Part::Label(_) if keep.labels => self.labels.push(Entry { pair, name_at }),
            Part::Extension(_) if keep.body => self.extensions.push(Entry { pair, name_at }),
            Part::Spec(_) if keep.body => self.spec.push(pair),
            Part::Label(_) | Part::Extension(_) | Part::Spec(_) => {}
            Part::Record => return Err(Error::corrupt("the container has two records")),
        }
        Ok(())
    }

    /// Whether the parts that are kept are as many as the record counts. The rows of the spec are
    /// checked when they are joined.
    pub(super) fn check(&self, record: &Record<'_>, keep: Want) -> Result<()> {
        let check = |what, found: usize, counted: u32| {
            if u32::try_from(found).ok() == Some(counted) {
                return Ok(());
            }
            Err(Error::corrupt(format!(
                "the container has {found} {what} where its record counts {counted}"
            )))
        };
        if keep.labels {
            check("labels", self.labels.len(), record.labels)?;
        }
        if keep.body {
            check("extensions", self.extensions.len(), record.extensions)?;
        }
        Ok(())
    }

    /// Whether what a filter will look at is what was written.
    pub(super) fn verify(&self, needed: Want) -> Result<()> {
        if needed.labels {
            self.labels.iter().try_for_each(|it| it.label().map(drop))?;
        }
        if needed.body {
            let mut extensions = self.extensions.iter();
            extensions.try_for_each(|it| it.extension().map(drop))?;
        }
        Ok(())
    }
}

/// What a filter sees of a container, in the file's own bytes.
pub(super) struct View<'a, 't> {
    pub(super) id: &'a str,
    pub(super) record: &'a Record<'a>,
    pub(super) labels: &'a [Entry<'t>],
    pub(super) extensions: &'a [Entry<'t>],
}

impl Subject for View<'_, '_> {
    fn field(&self, field: &Field) -> Option<&[u8]> {
        let record = self.record;
        let text = match field {
            Field::Id => self.id,
            Field::Image => record.image(),
            Field::RuntimeName => record.runtime_name(),
            Field::Snapshotter => record.snapshotter(),
            Field::SnapshotKey => record.snapshot_key(),
            Field::SandboxId => record.sandbox_id(),
            Field::Label(key) => find(self.labels, key)?.label().ok()?.1,
            Field::Extension(name) => {
                let (_, content) = find(self.extensions, name)?.extension().ok()?;
                // Present also if its type is empty.
                return Some(content.type_url().as_bytes());
            }
            Field::Unknown => return None,
        };
        Some(text.as_bytes()).filter(|text| !text.is_empty())
    }
}

fn find<'a, 't>(entries: &'a [Entry<'t>], name: &[u8]) -> Option<&'a Entry<'t>> {
    entries.iter().find(|entry| entry.name() == name)
}
