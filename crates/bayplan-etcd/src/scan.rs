//! One traversal: pages of heads at one revision, then the specs or values of those that match.

use std::collections::VecDeque;
use std::sync::Arc;

use bayplan::implementing::{Item, Opened};
use bayplan::{Damaged, Detail, Error, Found, Result, Selection};
use etcd_client::KeyValue;

use crate::draft::Stored;
use crate::fault::{Fault, Outcome};
use crate::keys::Row;
use crate::reader::Reader;
use crate::shared::{At, Shared};

/// The heads in the first page.
const FIRST_PAGE: usize = 32;

/// The most heads in a page.
const PAGE_MAX: usize = 512;

/// A page that is larger than this makes the next one smaller.
const PAGE_MAX_BYTES: usize = 1024 * 1024;

/// The most values that are read together: half of the operations that etcd accepts in a transaction.
const VALUES_MAX: usize = 64;

/// A traversal that has begun.
pub(crate) struct Scan<T: Item> {
    reader: Reader<T>,
    selection: Selection,
    at: At,
    /// The next key to read.
    start: Vec<u8>,
    end: Vec<u8>,
    /// How many heads to read next.
    page: usize,
    /// How many items may still be returned.
    left: usize,
    /// What was read and not yet returned.
    ready: VecDeque<Found<T>>,
    /// Heads that match, whose values are to be read.
    matched: VecDeque<Matched<T>>,
    /// How many values to read next.
    values: usize,
    is_at_end: bool,
}

struct Matched<T> {
    key: Vec<u8>,
    id: String,
    opened: Opened<T>,
}

impl<T: Item> Scan<T> {
    pub(crate) fn new(reader: &Reader<T>, selection: &Selection) -> Self {
        let after = selection.after.as_deref();
        let (start, end) =
            reader
                .shared
                .keys
                .of_kind(Row::Head, reader.name.as_str(), &reader.kind, after);
        let left = selection.limit.unwrap_or(usize::MAX);
        let page = match selection.filters.is_all() {
            true => left.clamp(1, PAGE_MAX),
            false => FIRST_PAGE,
        };
        Self {
            reader: reader.clone(),
            selection: selection.clone(),
            at: reader.at,
            start,
            end,
            page,
            left,
            ready: VecDeque::new(),
            matched: VecDeque::new(),
            values: VALUES_MAX,
            is_at_end: left == 0,
        }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.reader.shared
    }

    /// Whether the keys alone answer the question.
    fn needs_only_ids(&self) -> bool {
        self.selection.detail == Detail::Id && self.selection.filters.is_all()
    }

    fn advance(&mut self) -> Result<Option<Found<T>>> {
        loop {
            if let Some(found) = self.ready.pop_front() {
                return Ok(Some(found));
            }
            if !self.matched.is_empty() {
                self.read_values()?;
            } else if self.is_at_end || self.left == 0 {
                return Ok(None);
            } else {
                self.read_page()?;
            }
        }
    }

    fn read_page(&mut self) -> Result<()> {
        let limit = i64::try_from(self.page).unwrap_or(i64::MAX);
        let mut options = self
            .at
            .options()
            .with_range(self.end.as_slice())
            .with_limit(limit);
        if self.needs_only_ids() {
            options = options.with_keys_only();
        }
        let (page, revision) = match self.shared().range(&self.start, options) {
            Err(Fault {
                outcome: Outcome::TooLarge,
                ..
            }) if self.page > 1 => {
                self.page /= 4;
                self.page = self.page.max(1);
                return Ok(());
            }
            read => read.map_err(|fault| fault.error)?,
        };
        if self.at == At::Now {
            self.at = At::Revision(revision);
        }
        let bytes: usize = page.kvs().iter().map(|pair| pair.value().len()).sum();
        self.page = match bytes > PAGE_MAX_BYTES {
            true => (self.page / 2).max(1),
            false => (self.page * 2).min(PAGE_MAX),
        };
        match page.kvs().last().filter(|_| page.more()) {
            Some(last) => self.start = [last.key(), &[0]].concat(),
            None => self.is_at_end = true,
        }
        for pair in page.kvs() {
            if self.left == 0 {
                break;
            }
            self.take(pair)?;
        }
        Ok(())
    }

    /// Looks at one head.
    fn take(&mut self, pair: &KeyValue) -> Result<()> {
        let names =
            self.shared()
                .keys
                .before_ids(Row::Head, self.reader.name.as_str(), &self.reader.kind);
        let id = pair
            .key()
            .strip_prefix(names.as_slice())
            .unwrap_or_default();
        let id = String::from_utf8_lossy(id).into_owned();
        if self.needs_only_ids() {
            self.found(Found::Id(id));
            return Ok(());
        }
        let stored = Stored::of(pair);
        let opened = match self.reader.open(pair.key(), &id, &stored) {
            Ok(opened) => opened,
            Err(error) => return self.damaged(id, error),
        };
        if !opened.item.matches(&self.selection.filters) {
            return Ok(());
        }
        match &self.selection.detail {
            Detail::Id => self.found(Found::Id(id)),
            Detail::Header(names) => {
                let header = opened.item.into_header(names);
                self.found(Found::Header(header));
            }
            _ => {
                self.left -= 1;
                let key = pair.key().to_vec();
                self.matched.push_back(Matched { key, id, opened });
            }
        }
        Ok(())
    }

    fn found(&mut self, found: Found<T>) {
        self.left -= 1;
        self.ready.push_back(found);
    }

    fn damaged(&mut self, id: String, error: Error) -> Result<()> {
        let error = self.reader.told_listing(error, Some(&id));
        match self.selection.is_lenient {
            true => {
                self.ready
                    .push_back(Found::Damaged(Damaged::new(id, error)));
                Ok(())
            }
            false => Err(error),
        }
    }

    fn read_values(&mut self) -> Result<()> {
        let batch = self.values.min(self.matched.len());
        let keys = &self.shared().keys;
        let values = self.matched.iter().take(batch);
        let values: Vec<Vec<u8>> = values
            .filter_map(|matched| keys.value_of(&matched.key))
            .collect();
        let read = match self
            .shared()
            .get_all(self.at, values.iter().map(Vec::as_slice))
        {
            Err(Fault {
                outcome: Outcome::TooLarge,
                ..
            }) if self.values > 1 => {
                self.values = (self.values / 4).max(1);
                return Ok(());
            }
            read => read.map_err(|fault| fault.error)?,
        };
        for value in read {
            let Some(matched) = self.matched.pop_front() else {
                break;
            };
            let value = value.map(|value| value.value);
            let Matched { key, id, opened } = matched;
            let item = opened.with_value(&key, value.as_deref());
            match item {
                Ok(item) => self.ready.push_back(Found::Whole(item)),
                Err(error) => self.damaged(id, error)?,
            }
        }
        Ok(())
    }
}

impl<T: Item> Iterator for Scan<T> {
    type Item = Result<Found<T>>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance();
        if next.is_err() {
            self.ready.clear();
            self.matched.clear();
            self.is_at_end = true;
        }
        next.map_err(|error| self.reader.told_listing(error, None))
            .transpose()
    }
}
