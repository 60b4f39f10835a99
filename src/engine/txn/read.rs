//! Read transactions: one consistent view of the store.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use redb::{ReadOnlyTable, ReadTransaction};

use super::listing::{collect_ids, count, found, list_lenient, read_store, strictly, walk};
use crate::container::{Container, ContainerHeader};
use crate::engine::fault::{OrFault, contained};
use crate::engine::scan::{self, Batch, Shape};
use crate::engine::shared::Shared;
use crate::engine::{check, namespaces};
use crate::error::{Error, Operation, Result};
use crate::filter::Filters;
use crate::identifier::{ContainerId, NamespaceName};
use crate::labels::Labels;
use crate::revision::Revision;
use crate::schema;
use crate::store::{Damaged, Listing, Page, ReadNamespaces, ReadStore};

type Table = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// A snapshot of the store: what was committed when it was opened, whatever is written later.
///
/// It never waits for writers, nor they for it. While it lives, the file cannot reuse the space of
/// what is deleted or overwritten: keep it for a moment, not for a day. Made by
/// [`Db::read`](crate::Db::read); dropping it ends it.
///
/// Writing is not merely refused, it does not compile:
///
/// ```compile_fail
/// use bayplan::{Db, Store};
///
/// # fn main() -> bayplan::Result<()> {
/// let snapshot = Db::in_memory()?.read()?;
/// snapshot.namespace("default")?.delete("web")?;
/// # Ok(())
/// # }
/// ```
pub struct ReadTxn {
    shared: Arc<Shared>,
    txn: ReadTransaction,
    containers: Arc<Table>,
}

impl ReadTxn {
    pub(crate) fn begin(shared: &Arc<Shared>) -> Result<Self> {
        let begin = || {
            let txn = shared.begin_read()?;
            let containers = Arc::new(txn.open_table(schema::CONTAINERS).or_fault()?);
            Ok(Self {
                shared: Arc::clone(shared),
                txn,
                containers,
            })
        };
        contained(begin).map_err(|error| error.during(Operation::BeginRead).at(shared.path()))
    }

    /// The containers of one namespace, which need not exist.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if `name` is no namespace's name.
    pub fn namespace(&self, name: &str) -> Result<ReadNamespace<'_>> {
        let name = NamespaceName::new(name)
            .map_err(|error| error.during(Operation::OpenNamespace).in_namespace(name))?;
        Ok(ReadNamespace { txn: self, name })
    }

    pub(crate) fn check(&self) -> Result<check::CheckReport> {
        contained(|| check::check(&self.txn))
            .map_err(|error| error.during(Operation::Check).at(self.shared.path()))
    }

    /// The bound of the revisions, as the file has it.
    pub(crate) fn revisions_below(&self) -> Result<Revision> {
        contained(|| {
            check::reserved_revisions(&self.txn.open_table(schema::META).or_fault()?)
                .map(Revision::new)
        })
    }

    /// A namespace that holds containers and is not among those that exist, which are `named`.
    pub(crate) fn stray_namespace(&self, named: &[NamespaceName]) -> Result<Option<String>> {
        let used = contained(|| check::used_namespaces(&self.containers))?;
        let mut used = used.iter().map(|name| String::from_utf8_lossy(name));
        let stray = used.find(|used| !named.iter().any(|name| name.as_str() == used));
        Ok(stray.map(|name| name.into_owned()))
    }

    /// The transaction of redb beneath, for the tools that read whole tables.
    pub(crate) fn snapshot(&self) -> &ReadTransaction {
        &self.txn
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    fn namespaces(&self) -> Result<Table> {
        self.txn.open_table(schema::NAMESPACES).or_fault()
    }
}

impl fmt::Debug for ReadTxn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadTxn")
            .field("store", &self.shared)
            .finish_non_exhaustive()
    }
}

impl ReadNamespaces for ReadTxn {
    fn list_namespaces(&self) -> Result<Vec<NamespaceName>> {
        contained(|| namespaces::list(&self.namespaces()?))
            .map_err(|error| error.during(Operation::ListNamespaces))
    }

    fn namespace_labels(&self, name: &str) -> Result<Labels> {
        let Ok(parsed) = NamespaceName::new(name) else {
            return Ok(Labels::new());
        };
        contained(|| namespaces::labels(&self.namespaces()?, &parsed))
            .map_err(|error| error.during(Operation::NamespaceLabels).in_namespace(name))
    }
}

/// The containers of one namespace in a [`ReadTxn`].
#[derive(Debug)]
pub struct ReadNamespace<'t> {
    txn: &'t ReadTxn,
    name: NamespaceName,
}

impl ReadNamespace<'_> {
    /// The containers that match, one after the other, with a few of them in memory at a time.
    ///
    /// The iterator keeps the snapshot, and may outlive the transaction. After an error it goes on
    /// with the next container if the error is [`Corrupt`](crate::ErrorKind::Corrupt), and ends
    /// otherwise.
    #[must_use]
    pub fn iter(&self, filters: &Filters) -> Containers {
        Containers {
            _shared: Arc::clone(&self.txn.shared),
            table: Arc::clone(&self.txn.containers),
            name: self.name.clone(),
            filters: filters.clone(),
            state: State::More(None),
            items: Vec::new().into_iter(),
        }
    }

    fn look_up(&self, id: &ContainerId) -> Result<Option<Container>> {
        contained(|| scan::get(&*self.txn.containers, &self.name, id))
    }

    fn batch<T: Shape>(
        &self,
        after: Option<&[u8]>,
        limit: usize,
        filters: &Filters,
    ) -> Result<Batch<T>> {
        contained(|| scan::batch(&*self.txn.containers, &self.name, after, limit, filters))
    }
}

read_store!(ReadNamespace<'_>);

/// The containers of a namespace in one snapshot, in order. Made by [`ReadNamespace::iter`].
pub struct Containers {
    /// Keeps the file open.
    _shared: Arc<Shared>,
    table: Arc<Table>,
    name: NamespaceName,
    filters: Filters,
    state: State,
    items: std::vec::IntoIter<Result<Container, Damaged>>,
}

enum State {
    More(Option<Vec<u8>>),
    Last,
}

impl Containers {
    fn refill(&mut self) -> Result<bool> {
        let State::More(after) = std::mem::replace(&mut self.state, State::Last) else {
            return Ok(false);
        };
        let batch = contained(|| {
            scan::batch(
                &*self.table,
                &self.name,
                after.as_deref(),
                usize::MAX,
                &self.filters,
            )
        })?;
        self.items = batch.items.into_iter();
        if let Some(id) = batch.rest_after {
            self.state = State::More(Some(id));
        }
        Ok(true)
    }
}

impl Iterator for Containers {
    type Item = Result<Container>;

    fn next(&mut self) -> Option<Result<Container>> {
        let item = loop {
            if let Some(item) = self.items.next() {
                break item.map_err(|damaged| damaged.error);
            }
            match self.refill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => break Err(error),
            }
        };
        Some(item.map_err(|error| error.during(Operation::List).in_namespace(&self.name)))
    }
}

impl fmt::Debug for Containers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Containers")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
