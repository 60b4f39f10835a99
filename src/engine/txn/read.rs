//! Read transactions: one consistent view of the store.

use std::fmt;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use redb::ReadTransaction;

use super::listing::{found, list_lenient, read_store, strictly, walk};
use crate::borrowed::ContainerRef;
use crate::container::{Container, ContainerHeader};
use crate::engine::fault::contained;
use crate::engine::index::Answer;
use crate::engine::plan::Plan;
use crate::engine::process::Own;
use crate::engine::scan::{self, Batch, Shape};
use crate::engine::shared::Shared;
use crate::engine::snapshot::Snapshot;
use crate::engine::{check, file, namespaces};
use crate::error::{Error, Operation, Result};
use crate::filter::Filters;
use crate::identifier::{ContainerId, NamespaceName};
use crate::labels::Labels;
use crate::revision::Revision;
use crate::store::{Damaged, Listing, Page, ReadNamespaces, ReadStore};

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
    snapshot: Arc<Own<Snapshot>>,
    shared: Arc<Own<Shared>>,
    /// Whether the pages of the snapshot were verified.
    is_verified: bool,
}

impl ReadTxn {
    pub(crate) fn begin(shared: &Arc<Own<Shared>>) -> Result<Self> {
        let snapshot = shared
            .snapshot()
            .map_err(|error| error.during(Operation::BeginRead).at(shared.path()))?;
        Ok(Self {
            snapshot,
            shared: Arc::clone(shared),
            is_verified: shared.pages_verified(),
        })
    }

    /// The same, with all pages verified, whatever the store was opened with, as far as that can be
    /// done while another process writes.
    pub(crate) fn begin_verified(shared: &Arc<Own<Shared>>) -> Result<Self> {
        let (snapshot, is_verified) = shared.verified_snapshot()?;
        Ok(Self {
            snapshot,
            shared: Arc::clone(shared),
            is_verified,
        })
    }

    /// Builds the index from this snapshot. If something is damaged there will be none, and the
    /// query that comes upon the damage tells.
    fn build_index(&self, version: u64) -> Result<()> {
        let Some(mut build) = self.shared.index.build(version) else {
            return Ok(());
        };
        for name in self.list_namespaces()? {
            let mut fits = true;
            let namespace = self.of(name.clone());
            let read = |after: Option<&[u8]>, limit| {
                namespace.batch(after, limit, &Filters::all(), &Plan::All)
            };
            walk(
                &Page::all(),
                read,
                |header: Result<ContainerHeader, Damaged>| {
                    fits = header.is_ok_and(|header| build.add(&name, &header));
                    Ok(if fits {
                        ControlFlow::Continue(())
                    } else {
                        ControlFlow::Break(())
                    })
                },
            )?;
            if !fits {
                return Ok(());
            }
        }
        build.finish();
        Ok(())
    }

    /// The containers of one namespace, which need not exist.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if `name` is no namespace's name.
    pub fn namespace(&self, name: &str) -> Result<ReadNamespace<'_>> {
        let name = NamespaceName::new(name)
            .map_err(|error| error.during(Operation::OpenNamespace).in_namespace(name))?;
        Ok(self.of(name))
    }

    pub(crate) fn of(&self, name: NamespaceName) -> ReadNamespace<'_> {
        ReadNamespace { txn: self, name }
    }

    pub(crate) fn check(&self) -> Result<check::CheckReport> {
        contained(|| check::check(&self.seen()?.txn, self.is_verified))
            .and_then(|report| self.with_length(report))
            .map_err(|error| error.during(Operation::Check).at(self.shared.path()))
    }

    /// Adds to a report if the file has been cut short since it was opened.
    fn with_length(&self, mut report: check::CheckReport) -> Result<check::CheckReport> {
        let Some(path) = self.shared.path() else {
            return Ok(report);
        };
        match file::check_length(path, self.shared.is_repaired_in_memory()) {
            Err(error) if error.is_corrupt() => report.add_of_file(error),
            // Who removed or replaced the file took nothing from this store.
            Err(error) if error.is_not_found() => {}
            other => other?,
        }
        Ok(report)
    }

    pub(crate) fn is_verified(&self) -> bool {
        self.is_verified
    }

    /// Whether nothing is hidden by damage, where pages were not verified.
    pub(crate) fn check_rows(&self) -> Result<()> {
        match self.is_verified {
            true => Ok(()),
            false => contained(|| check::check_rows(&self.seen()?.txn)),
        }
    }

    /// The bound of the revisions, as the file has it.
    pub(crate) fn revisions_below(&self) -> Result<Revision> {
        contained(|| check::reserved_revisions(&self.seen()?.meta()?).map(Revision::new))
    }

    /// A namespace that holds containers and is not among those that exist, which are `named`.
    pub(crate) fn stray_namespace(&self, named: &[NamespaceName]) -> Result<Option<String>> {
        let used = contained(|| check::used_namespaces(&self.seen()?.containers))?;
        let mut used = used.iter().map(|name| String::from_utf8_lossy(name));
        let stray = used.find(|used| !named.iter().any(|name| name.as_str() == used));
        Ok(stray.map(|name| name.into_owned()))
    }

    /// What it reads; an error in a process that was forked since.
    fn seen(&self) -> Result<&Snapshot> {
        self.shared.process.check_number()?;
        Ok(&self.snapshot)
    }

    /// The transaction of redb beneath, for the tools that read whole tables.
    pub(crate) fn snapshot(&self) -> &ReadTransaction {
        &self.snapshot.txn
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
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
        contained(|| namespaces::list(&self.seen()?.namespaces()?))
            .map_err(|error| error.during(Operation::ListNamespaces))
    }

    fn namespace_labels(&self, name: &str) -> Result<Labels> {
        let Ok(parsed) = NamespaceName::new(name) else {
            return Ok(Labels::new());
        };
        contained(|| namespaces::labels(&self.seen()?.namespaces()?, &parsed))
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
            plan: self.plan(filters, usize::MAX).unwrap_or(Plan::All),
            snapshot: Arc::clone(&self.txn.snapshot),
            shared: Arc::clone(&self.txn.shared),
            name: self.name.clone(),
            filters: filters.clone(),
            state: State::More(None),
            items: Vec::new().into_iter(),
        }
    }

    /// Calls `visit` for each container that matches, until it breaks, without making an owned
    /// [`Container`] of it: for counting, summing up, or passing on what is read at once.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt) at the first damaged container, after the ones
    /// before it were visited.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// use bayplan::{Db, Filters};
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// let snapshot = Db::in_memory()?.read()?;
    /// let mut bytes = 0;
    /// snapshot.namespace("k8s.io")?.visit_refs(&Filters::all(), &mut |container| {
    ///     bytes += container.spec.value.len();
    ///     ControlFlow::Continue(())
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn visit_refs(
        &self,
        filters: &Filters,
        visit: &mut dyn FnMut(&ContainerRef<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        // The visitor runs inside the boundary for redb's panics, which is not for its own.
        let mut panic = None;
        let visit = &mut |container: &ContainerRef<'_>| {
            let visited = catch_unwind(AssertUnwindSafe(|| visit(container)));
            let next = visited.unwrap_or_else(|payload| {
                panic = Some(payload);
                ControlFlow::Break(())
            });
            // Where the visitor forked, one of the two that come back must not read on.
            match self.txn.seen() {
                Ok(_) => next,
                Err(_) => ControlFlow::Break(()),
            }
        };
        let visited = self.plan(filters, usize::MAX).and_then(|plan| {
            let table = &self.txn.seen()?.containers;
            contained(|| scan::visit(table, &self.name, None, filters, &plan, visit))
        });
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
        visited
            .and_then(|()| self.txn.seen().map(|_| ()))
            .map_err(|error| error.during(Operation::List).in_namespace(&self.name))
    }

    fn look_up(&self, id: &ContainerId) -> Result<Option<Container>> {
        contained(|| scan::get(&self.txn.seen()?.containers, &self.name, id))
    }

    fn batch<T: Shape>(
        &self,
        after: Option<&[u8]>,
        limit: usize,
        filters: &Filters,
        plan: &Plan,
    ) -> Result<Batch<T>> {
        let table = &self.txn.seen()?.containers;
        contained(|| scan::batch(table, &self.name, after, limit, filters, plan))
    }

    fn plan(&self, filters: &Filters, limit: usize) -> Result<Plan> {
        let Some(version) = self.txn.seen()?.version else {
            return Ok(Plan::of(filters));
        };
        let index = &self.txn.shared.index;
        match index.ask(version, &self.name, filters, limit) {
            Answer::Look(plan) => Ok(plan),
            Answer::Build => {
                self.txn.build_index(version)?;
                match index.ask(version, &self.name, filters, limit) {
                    Answer::Look(plan) => Ok(plan),
                    Answer::Build => Ok(Plan::All),
                }
            }
        }
    }
}

read_store!(ReadNamespace<'_>);

/// The containers of a namespace in one snapshot, in order. Made by [`ReadNamespace::iter`].
pub struct Containers {
    snapshot: Arc<Own<Snapshot>>,
    name: NamespaceName,
    filters: Filters,
    plan: Plan,
    state: State,
    items: std::vec::IntoIter<Result<Container, Damaged>>,
    /// Keeps the file open.
    shared: Arc<Own<Shared>>,
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
            let after = after.as_deref();
            scan::batch(
                &self.snapshot.containers,
                &self.name,
                after,
                usize::MAX,
                &self.filters,
                &self.plan,
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
            if let Err(error) = self.shared.process.check_number() {
                let is_at_its_end = self.items.len() == 0 && matches!(self.state, State::Last);
                self.items = Vec::new().into_iter();
                self.state = State::Last;
                if is_at_its_end {
                    return None;
                }
                break Err(error);
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Any, Container, Db, Runtime, Store};

    fn plan(txn: &ReadTxn, filter: &str) -> Plan {
        let name = NamespaceName::new("a").unwrap();
        txn.of(name)
            .plan(&Filters::parse([filter]).unwrap(), usize::MAX)
            .unwrap()
    }

    fn ids(ids: &[&str]) -> Plan {
        Plan::Ids(ids.iter().map(|id| (*id).to_owned()).collect())
    }

    #[test]
    fn a_query_that_the_index_serves_looks_at_its_candidates_only() {
        let db = Db::in_memory().unwrap();
        let store = db.namespace("a").unwrap();
        for number in 0..20 {
            let container =
                Container::new(format!("c{number}"), Runtime::new("runc"), Any::default());
            store
                .create(container.label("n", number.to_string()))
                .unwrap();
        }
        let txn = db.read().unwrap();
        assert_eq!(plan(&txn, "labels.n==7"), ids(&["c7"]));
        assert_eq!(plan(&txn, "labels.n==none"), ids(&[]));
        assert_eq!(plan(&txn, "labels.n"), Plan::All, "all of them");
        assert_eq!(
            plan(&txn, "labels.n!=7"),
            Plan::All,
            "an absent label is another one"
        );
        store.delete("c7").unwrap();
        assert_eq!(plan(&txn, "labels.n==7"), Plan::All, "the snapshot is old");
        assert_eq!(plan(&db.read().unwrap(), "labels.n==7"), ids(&[]));
    }
}
