//! Reading containers: one cursor over adjacent keys, decoding no more than is asked for.

mod cursor;
mod parts;
mod shape;

use std::ops::ControlFlow;

use redb::ReadableTable;

use self::cursor::{Cursor, Head};
pub(crate) use self::shape::Shape;
use self::shape::{Loaded, Want};
use crate::borrowed::ContainerRef;
use crate::engine::plan::{Plan, ids_after};
use crate::error::Result;
use crate::filter::Filters;
use crate::identifier::{ContainerId, NamespaceName};
use crate::schema::{self, Bytes, ContainerKey};
use crate::store::Damaged;

/// The table of containers, in a transaction of either kind.
pub(crate) trait Containers: ReadableTable<Bytes, Bytes> {}

impl<T: ReadableTable<Bytes, Bytes>> Containers for T {}

/// Most containers, and about how many bytes of them, that one batch holds: few enough that the next
/// batch is read into memory that is still warm.
const BATCH_MAX_COUNT: usize = 64;
const BATCH_MAX_BYTES: usize = 64 * 1024;

/// The container `id`, if there is one.
pub(crate) fn get<T: Shape>(
    table: &impl Containers,
    namespace: &NamespaceName,
    id: &ContainerId,
) -> Result<Option<T>> {
    let mut cursor = Cursor::new(table, namespace, ContainerKey::new(namespace, id).all())?;
    let mut head = Head::default();
    if cursor.enter(&mut head) {
        cursor.read(&head, &Filters::all(), T::WANT, T::build)
    } else {
        Ok(None)
    }
}

/// A few containers of a namespace, and where to go on.
pub(crate) struct Batch<T> {
    /// What matched, or is damaged, in order.
    pub(crate) items: Vec<Result<T, Damaged>>,
    /// The id of the last container looked at, if there may be more behind it.
    pub(crate) rest_after: Option<Vec<u8>>,
}

impl<T> Batch<T> {
    fn is_full(&self, limit: usize, size: usize) -> bool {
        self.items.len() >= limit.min(BATCH_MAX_COUNT) || size >= BATCH_MAX_BYTES
    }
}

/// The next few containers behind `after` that match the filters, `limit` of them at most, where
/// the plan says to look.
pub(crate) fn batch<T: Shape>(
    table: &impl Containers,
    namespace: &NamespaceName,
    after: Option<&[u8]>,
    limit: usize,
    filters: &Filters,
    plan: &Plan,
) -> Result<Batch<T>> {
    let most = match plan {
        Plan::Ids(ids) => ids.len(),
        Plan::All => BATCH_MAX_COUNT,
    };
    let mut batch = Batch {
        items: Vec::with_capacity(most.min(limit).min(BATCH_MAX_COUNT)),
        rest_after: None,
    };
    let mut size = 0;
    let mut head = Head::default();
    let open = |keys| Cursor::new(table, namespace, keys);
    if let Plan::Ids(ids) = plan {
        for id in ids_after(ids, after) {
            if batch.is_full(limit, size) {
                return Ok(batch);
            }
            batch.rest_after = Some(id.as_str().as_bytes().to_vec());
            let mut cursor = open(ContainerKey::new(namespace, &id).all())?;
            if cursor.enter(&mut head) {
                size += cursor.take_into(&mut batch.items, &head, filters)?;
            }
        }
    } else {
        let mut cursor = open(schema::containers_of(namespace, after))?;
        while cursor.has_more() {
            if batch.is_full(limit, size) {
                batch.rest_after = Some(head.id().to_vec());
                return Ok(batch);
            }
            cursor.enter(&mut head);
            size += cursor.take_into(&mut batch.items, &head, filters)?;
        }
    }
    batch.rest_after = None;
    Ok(batch)
}

/// Shows the containers behind `after` that match the filters to `visit`, in the file's own bytes,
/// until it breaks.
pub(crate) fn visit(
    table: &impl Containers,
    namespace: &NamespaceName,
    after: Option<&[u8]>,
    filters: &Filters,
    plan: &Plan,
    visit: &mut dyn FnMut(&ContainerRef<'_>) -> ControlFlow<()>,
) -> Result<()> {
    let mut head = Head::default();
    let mut show = |loaded: &Loaded<'_>| {
        let spec = loaded.spec()?;
        Ok(visit(&loaded.borrowed(&spec)?))
    };
    let mut visit_all = |keys| -> Result<ControlFlow<()>> {
        let mut cursor = Cursor::new(table, namespace, keys)?;
        while cursor.enter(&mut head) {
            let seen = cursor.read(&head, filters, Want::ALL, &mut show);
            let seen = seen.map_err(|error| error.of(String::from_utf8_lossy(head.id())))?;
            if seen.is_some_and(|seen| seen.is_break()) {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    };
    let Plan::Ids(ids) = plan else {
        return visit_all(schema::containers_of(namespace, after)).map(|_| ());
    };
    for id in ids_after(ids, after) {
        if visit_all(ContainerKey::new(namespace, &id).all())?.is_break() {
            break;
        }
    }
    Ok(())
}
