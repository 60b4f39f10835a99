//! The cursor: container after container, row after row.

use std::ops::Range;

use super::Containers;
use super::parts::{Pair, Parts, View};
use super::shape::{Loaded, Shape, Want};
use crate::engine::fault::{OrFault, check_order};
use crate::error::{Error, Result};
use crate::filter::Filters;
use crate::identifier::{ContainerId, NamespaceName};
use crate::record::{Record, text};
use crate::schema::{self, Bytes, Part, Row};
use crate::store::Damaged;

/// Stepping over more labels and extensions costs more than a new descent from the root of the tree.
const STEPS_MAX_COUNT: u64 = 1;

/// The key of a container's record: namespace, separator, id.
#[derive(Default)]
pub(super) struct Head {
    key: Vec<u8>,
    id_at: usize,
}

impl Head {
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    pub(super) fn id(&self) -> &[u8] {
        self.key.get(self.id_at..).unwrap_or_default()
    }

    /// Which part of this container a key of it is; `None` for what cannot be one.
    pub(super) fn part<'k>(&self, key: &'k [u8]) -> Option<Part<'k>> {
        Part::parse(key.get(self.key.len()..)?)
    }

    /// What follows the head in a key of this container; `None` for the key of another one.
    fn rest_of<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        let rest = key.strip_prefix(self.key.as_slice())?;
        matches!(rest.first(), None | Some(0)).then_some(rest)
    }
}

/// A cursor over the rows of containers.
pub(super) struct Cursor<'t, C: Containers> {
    table: &'t C,
    range: redb::Range<'t, Bytes, Bytes>,
    next: Option<Pair<'t>>,
    /// Whether the next row belongs to the container that was entered last.
    is_inside: bool,
    keys: Range<Vec<u8>>,
    /// Where the ids begin in the keys.
    id_at: usize,
}

impl<'t, C: Containers> Cursor<'t, C> {
    pub(super) fn new(
        table: &'t C,
        namespace: &NamespaceName,
        keys: Range<Vec<u8>>,
    ) -> Result<Self> {
        let range = table
            .range(keys.start.as_slice()..keys.end.as_slice())
            .or_fault()?;
        let id_at = namespace.as_str().len() + 1;
        let mut cursor = Self {
            table,
            range,
            next: None,
            is_inside: false,
            keys,
            id_at,
        };
        cursor.find_first()?;
        Ok(cursor)
    }

    pub(super) fn has_more(&self) -> bool {
        self.next.is_some()
    }

    /// Enters the container whose row is next, whatever part of it that is; false at the end.
    pub(super) fn enter(&mut self, head: &mut Head) -> bool {
        let Some((key, _)) = &self.next else {
            return false;
        };
        let key = key.value();
        let end = match Row::parse(key) {
            Some((namespace, row)) => namespace.len() + 1 + row.id.len(),
            None => key.len(),
        };
        head.key.clear();
        head.key.extend_from_slice(key.get(..end).unwrap_or(key));
        head.id_at = self.id_at;
        self.is_inside = true;
        true
    }

    /// Adds the container entered, if it matches, or reports it as damaged; leaves it, and tells
    /// how many bytes were added.
    pub(super) fn take_into<T: Shape>(
        &mut self,
        items: &mut Vec<Result<T, Damaged>>,
        head: &Head,
        filters: &Filters,
    ) -> Result<usize> {
        match self.read(head, filters, T::WANT, T::build) {
            Ok(Some(item)) => {
                let size = T::size(&item);
                items.push(Ok(item));
                Ok(size)
            }
            Ok(None) => Ok(0),
            Err(error) if error.is_corrupt() => {
                let id = String::from_utf8_lossy(head.id()).into_owned();
                let error = error.of(&id);
                if self.seek_behind(head).is_err() {
                    return Err(error);
                }
                items.push(Err(Damaged { id, error }));
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }

    /// What `build` makes of the container entered, if it matches. Its rows are behind the cursor
    /// afterwards, unless there was an error.
    pub(super) fn read<T>(
        &mut self,
        head: &Head,
        filters: &Filters,
        want: Want,
        build: impl FnOnce(&Loaded<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let Some((key, value)) = self.advance(head)? else {
            return Ok(None);
        };
        if key.value() != head.key() {
            return Err(Error::corrupt("the container has no record"));
        }
        let record = &Record::decode(key.value(), value.value())?;
        let id = text(head.id())?;
        ContainerId::check_stored(id)?;
        let needed = Want {
            labels: filters.needs_labels(),
            body: filters.needs_extensions(),
        };
        let matches = |parts: &Parts<'_>| {
            filters.matches(&View {
                id,
                record,
                labels: &parts.labels,
                extensions: &parts.extensions,
            })
        };
        let is_decided_early = !needed.labels && !needed.body;
        if is_decided_early && !matches(&Parts::default()) {
            self.leave(head, record, record.labels)?;
            return Ok(None);
        }
        let keep = Want {
            labels: want.labels || needed.labels,
            body: want.body || needed.body,
        };
        let parts = self.parts(head, record, keep)?;
        if !is_decided_early {
            parts.verify(needed)?;
            if !matches(&parts) {
                return Ok(None);
            }
        }
        build(&Loaded {
            id,
            record,
            labels: &parts.labels,
            extensions: &parts.extensions,
            spec: &parts.spec,
        })
        .map(Some)
    }

    /// The parts of the container entered that are to be kept; leaves it.
    fn parts(&mut self, head: &Head, record: &Record<'_>, keep: Want) -> Result<Parts<'t>> {
        let mut parts = Parts::with_room_for(record, keep);
        if !keep.labels && !keep.body {
            self.leave(head, record, record.labels)?;
            return Ok(parts);
        }
        while self.is_inside {
            if !keep.body && !self.is_at_label(head) {
                self.leave(head, record, 0)?;
                break;
            }
            let Some(pair) = self.advance(head)? else {
                break;
            };
            parts.add(pair, head, keep)?;
        }
        parts.check(record, keep)?;
        Ok(parts)
    }

    fn is_at_label(&self, head: &Head) -> bool {
        let part = self.next.as_ref().map(|(key, _)| head.part(key.value()));
        matches!(part, Some(Some(Part::Label(_))))
    }

    /// Leaves the container entered, of which so many labels, all extensions and the spec are
    /// still ahead. A descent reads none of them; see [`schema::Bytes`].
    fn leave(&mut self, head: &Head, record: &Record<'_>, labels: u32) -> Result<()> {
        let small_rows = u64::from(labels) + u64::from(record.extensions);
        if record.spec.is_cut() || small_rows > STEPS_MAX_COUNT {
            return self.seek_behind(head);
        }
        while self.is_inside {
            self.advance(head)?;
        }
        Ok(())
    }

    /// Goes to the first row behind the container entered.
    fn seek_behind(&mut self, head: &Head) -> Result<()> {
        self.is_inside = false;
        self.next = None;
        self.keys.start = schema::behind(head.key());
        if self.keys.start >= self.keys.end {
            return Ok(());
        }
        let keys = self.keys.start.as_slice()..self.keys.end.as_slice();
        self.range = self.table.range(keys).or_fault()?;
        self.find_first()
    }

    fn find_first(&mut self) -> Result<()> {
        let next = self.range.next().transpose().or_fault()?;
        if let Some((key, _)) = &next {
            let key = key.value();
            check_order(key >= self.keys.start.as_slice() && key < self.keys.end.as_slice())?;
        }
        self.next = next;
        Ok(())
    }

    /// The next row, behind which the cursor is then.
    fn advance(&mut self, head: &Head) -> Result<Option<Pair<'t>>> {
        let next = self.range.next().transpose().or_fault()?;
        self.is_inside = false;
        if let Some((key, _)) = &next {
            let key = key.value();
            let before = self.next.as_ref().map(|(key, _)| key.value());
            // Two keys of one container differ in what follows its head.
            let is_behind = match (head.rest_of(key), before) {
                (Some(rest), Some(before)) => {
                    self.is_inside = true;
                    before.get(head.key.len()..).is_some_and(|it| it < rest)
                }
                (_, before) => {
                    before.is_some_and(|before| before < key) && key < self.keys.end.as_slice()
                }
            };
            check_order(is_behind)?;
        }
        Ok(std::mem::replace(&mut self.next, next))
    }
}
