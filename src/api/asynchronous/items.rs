//! The items of a query, one after the other, read a page at a time.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::job::Job;
use crate::model::error::{Error, Result};
use crate::query::Shape;

/// The most items in one page, and about the most bytes.
const PAGE_MAX_COUNT: usize = 256;
const PAGE_MAX_BYTES: usize = 256 * 1024;

/// The items that an [`AsyncQuery`](crate::AsyncQuery) finds, in the order of their ids. Use it as a [`Stream`], or
/// call [`next`](AsyncItems::next). It ends after an error.
///
/// If an item is requested and none is in memory, it reads a page, on a thread for blocking work. So a slow reader
/// holds no thread, and one page in memory: at most 256 items or about 256 KiB (but at least one item). Dropping it
/// ends the work.
///
/// In a store ([`AsyncDb`](crate::AsyncDb)), each page is from the newest snapshot, and a slow reader keeps no old
/// pages of the file. An item that exists during the whole traversal is found exactly once; one that is created,
/// changed or deleted meanwhile may be found or not. In an [`AsyncSnapshot`](crate::AsyncSnapshot), everything is from
/// that snapshot, and the file cannot reuse its old pages as long as the stream lives.
#[must_use = "it reads nothing until it is asked for an item"]
pub struct AsyncItems<I> {
    /// Reads a page after an id, of at most this many items.
    read: Box<ReadPage<I>>,
    page: std::vec::IntoIter<I>,
    /// The error that ended the page.
    failure: Option<Error>,
    /// The page that is being read.
    job: Option<Job<Page<I>>>,
    after: Option<String>,
    /// How many more items are wanted.
    left: usize,
}

type ReadPage<I> = dyn Fn(Option<String>, usize) -> Result<Job<Page<I>>> + Send + Sync;

/// A few items.
pub(super) struct Page<I> {
    items: Vec<I>,
    /// The id of the last one.
    last: Option<String>,
    /// Whether there may be more after it.
    has_more: bool,
    failure: Option<Error>,
}

impl<I: Shape> Page<I> {
    /// Reads the first items, at most `limit`, of a query.
    pub(super) fn read(
        found: Result<impl Iterator<Item = Result<I>>>,
        limit: usize,
        id_of: fn(&I) -> &str,
    ) -> Self {
        let mut page = Self {
            items: Vec::new(),
            last: None,
            has_more: false,
            failure: None,
        };
        match found {
            Ok(found) => page.fill(found, limit),
            Err(error) => page.failure = Some(error),
        }
        page.last = page.items.last().map(|item| id_of(item).to_owned());
        page
    }

    fn fill(&mut self, found: impl Iterator<Item = Result<I>>, limit: usize) {
        let mut bytes = 0;
        for item in found {
            match item {
                Ok(item) => {
                    bytes += item.size();
                    self.items.push(item);
                }
                Err(error) => {
                    self.failure = Some(error);
                    return;
                }
            }
            if bytes >= PAGE_MAX_BYTES || self.items.len() >= limit {
                self.has_more = true;
                return;
            }
        }
    }
}

impl<I> AsyncItems<I> {
    pub(super) fn new(
        after: Option<String>,
        limit: Option<usize>,
        read: impl Fn(Option<String>, usize) -> Result<Job<Page<I>>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            read: Box::new(read),
            page: Vec::new().into_iter(),
            failure: None,
            job: None,
            after,
            left: limit.unwrap_or(usize::MAX),
        }
    }

    fn take(&mut self, page: Page<I>) {
        let left = self.left.saturating_sub(page.items.len());
        self.left = if page.has_more { left } else { 0 };
        self.after = page.last;
        self.page = page.items.into_iter();
        self.failure = page.failure;
    }
}

/// Nothing in it is pinned.
impl<I> Unpin for AsyncItems<I> {}

impl<I> AsyncItems<I> {
    /// Returns the next item; `None` if there is none.
    ///
    /// Dropping the future loses no item.
    ///
    /// # Errors
    ///
    /// See [`Query`](crate::Query) and [`AsyncDb`](crate::AsyncDb).
    pub async fn next(&mut self) -> Option<Result<I>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Collects the remaining items.
    ///
    /// # Errors
    ///
    /// As [`next`](AsyncItems::next).
    pub async fn collect(mut self) -> Result<Vec<I>> {
        let mut all = Vec::new();
        while let Some(item) = self.next().await {
            all.push(item?);
        }
        Ok(all)
    }
}

impl<I> Stream for AsyncItems<I> {
    type Item = Result<I>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<I>>> {
        let this = &mut *self;
        loop {
            if let Some(item) = this.page.next() {
                return Poll::Ready(Some(Ok(item)));
            }
            if let Some(error) = this.failure.take() {
                return Poll::Ready(Some(Err(error)));
            }
            if let Some(job) = &mut this.job {
                let page = ready!(Pin::new(job).poll(context));
                this.job = None;
                match page {
                    Ok(page) => this.take(page),
                    Err(error) => {
                        this.left = 0;
                        this.failure = Some(error);
                    }
                }
                continue;
            }
            if this.left == 0 {
                return Poll::Ready(None);
            }
            match (this.read)(this.after.take(), this.left.min(PAGE_MAX_COUNT)) {
                Ok(job) => this.job = Some(job),
                Err(error) => {
                    this.left = 0;
                    this.failure = Some(error);
                }
            }
        }
    }
}

impl<I> fmt::Debug for AsyncItems<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncItems")
            .field("after", &self.after)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::any::Any;
    use crate::model::record::Record;

    fn records(bytes: usize) -> impl Iterator<Item = Result<Record>> {
        let value = Any::new("value", vec![0; bytes]);
        (0..).map(move |number: u32| Ok(Record::new(number.to_string(), value.clone())))
    }

    #[test]
    fn a_page_holds_few_items_or_few_bytes_but_at_least_one_item() {
        for (bytes, count) in [
            (0, PAGE_MAX_COUNT),
            (PAGE_MAX_BYTES / 8, 8),
            (PAGE_MAX_BYTES - 1, 2),
            (16 * 1024 * 1024, 1),
        ] {
            let page = Page::read(Ok(records(bytes)), PAGE_MAX_COUNT, |record| &record.id);
            assert_eq!(page.items.len(), count);
            assert_eq!(page.last, Some((count - 1).to_string()));
            assert!(page.has_more && page.failure.is_none());
        }
    }

    #[test]
    fn a_page_ends_with_the_items_or_with_an_error_behind_them() {
        let page = Page::read(Ok(records(0).take(3)), 4, |record| &record.id);
        assert_eq!(page.items.len(), 3);
        assert!(!page.has_more);
        let failing = records(0).take(2).chain([Err(Error::corrupt("damaged"))]);
        let page = Page::read(Ok(failing), 4, |record| &record.id);
        assert_eq!(page.items.len(), 2);
        assert!(!page.has_more);
        assert!(page.failure.unwrap().is_corrupt());
    }
}
