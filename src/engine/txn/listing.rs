//! What the namespaces of both kinds of transactions have in common: reading in batches.

use std::ops::ControlFlow;

use crate::container::Container;
use crate::engine::scan::{Batch, Shape};
use crate::error::{Error, Operation, Result};
use crate::identifier::NamespaceName;
use crate::store::{Damaged, Listing, Page};

/// Implements `ReadStore` for a namespace that has a `name`, `look_up`s one container, makes a
/// `plan` for filters and reads a `batch` of containers.
macro_rules! read_store {
    ($namespace:ty) => {
        impl ReadStore for $namespace {
            fn name(&self) -> &NamespaceName {
                &self.name
            }

            fn get(&self, id: &str) -> Result<Container> {
                let parsed = ContainerId::new(id).map_err(|_| Error::not_found());
                parsed
                    .and_then(|id| found(self.look_up(&id)))
                    .map_err(|error| error.during(Operation::Get).of(id).in_namespace(&self.name))
            }

            fn visit(
                &self,
                page: &Page,
                filters: &Filters,
                visit: &mut dyn FnMut(Container) -> ControlFlow<()>,
            ) -> Result<()> {
                self.walk(Operation::List, page, filters, strictly(visit))
            }

            fn visit_headers(
                &self,
                page: &Page,
                filters: &Filters,
                visit: &mut dyn FnMut(ContainerHeader) -> ControlFlow<()>,
            ) -> Result<()> {
                self.walk(Operation::List, page, filters, strictly(visit))
            }

            fn list_ids(&self, filters: &Filters) -> Result<Vec<String>> {
                let mut ids = Vec::new();
                let push = &mut |id: String| {
                    ids.push(id);
                    ControlFlow::Continue(())
                };
                self.walk(Operation::List, &Page::all(), filters, strictly(push))?;
                Ok(ids)
            }

            fn count(&self, filters: &Filters) -> Result<u64> {
                let mut count = 0;
                let add = &mut |()| {
                    count += 1;
                    ControlFlow::Continue(())
                };
                self.walk(Operation::Count, &Page::all(), filters, strictly(add))?;
                Ok(count)
            }

            fn list_lenient(&self, filters: &Filters) -> Result<Listing> {
                list_lenient(&self.name, |after, limit| {
                    // Everything is read, to report all that is damaged.
                    self.batch(after, limit, filters, &Plan::All)
                })
                .map_err(|error| error.during(Operation::List).in_namespace(&self.name))
            }
        }

        impl $namespace {
            fn walk<T: Shape>(
                &self,
                operation: Operation,
                page: &Page,
                filters: &Filters,
                visit: impl FnMut(Result<T, Damaged>) -> Result<ControlFlow<()>>,
            ) -> Result<()> {
                let read = |plan: Plan| {
                    walk(
                        page,
                        |after, limit| self.batch(after, limit, filters, &plan),
                        visit,
                    )
                };
                self.plan(filters, page.most())
                    .and_then(read)
                    .map_err(|error| error.during(operation).in_namespace(&self.name))
            }
        }
    };
}
pub(super) use read_store;

/// What was looked up, if it is there.
pub(super) fn found(container: Result<Option<Container>>) -> Result<Container> {
    container?.ok_or_else(Error::not_found)
}

/// Reads batch after batch, and passes each item on, until there are no more, the page is full, or
/// the visitor breaks. Nothing of the file is held while the visitor runs.
pub(super) fn walk<T: Shape>(
    page: &Page,
    read: impl Fn(Option<&[u8]>, usize) -> Result<Batch<T>>,
    mut visit: impl FnMut(Result<T, Damaged>) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let mut after = page.first_after().map(|id| id.as_bytes().to_vec());
    let mut left = page.most();
    while left > 0 {
        let batch = read(after.as_deref(), left)?;
        left = left.saturating_sub(batch.items.len());
        for item in batch.items {
            if visit(item)?.is_break() {
                return Ok(());
            }
        }
        match batch.rest_after {
            Some(id) => after = Some(id),
            None => return Ok(()),
        }
    }
    Ok(())
}

/// A visitor for which a damaged container is an error.
pub(super) fn strictly<T>(
    visit: &mut dyn FnMut(T) -> ControlFlow<()>,
) -> impl FnMut(Result<T, Damaged>) -> Result<ControlFlow<()>> {
    |item| match item {
        Ok(item) => Ok(visit(item)),
        Err(damaged) => Err(damaged.error),
    }
}

pub(super) fn list_lenient(
    name: &NamespaceName,
    read: impl Fn(Option<&[u8]>, usize) -> Result<Batch<Container>>,
) -> Result<Listing> {
    let mut listing = Listing::default();
    walk(&Page::all(), read, |item| {
        match item {
            Ok(container) => listing.containers.push(container),
            Err(Damaged { id, error }) => {
                let error = error.during(Operation::List).in_namespace(name);
                listing.damaged.push(Damaged { id, error });
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(listing)
}
