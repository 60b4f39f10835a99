//! Read transactions: one consistent view of the store.

use std::fmt;
use std::sync::Arc;

use redb::ReadTransaction;

use crate::model::container::ContainerHeader;
use crate::model::error::{Operation, Result};
use crate::model::identifier::NamespaceName;
use crate::model::kind::{Kind, RecordId};
use crate::model::labels::Labels;
use crate::query::index::Answer;
use crate::query::{self, Batch, Items, Plan, Scope, Shape, Traversed};
use crate::redb_file::fault::contained;
use crate::session::namespaces;
use crate::session::process::Own;
use crate::session::shared::Shared;
use crate::session::snapshot::Snapshot;

/// A snapshot of the store: what was committed when it was opened, whatever is written later.
///
/// It never waits for writers, nor they for it. While it lives, the file cannot reuse the space of
/// what is deleted or overwritten: keep it for a moment, not for a day. Made by
/// [`Db::read`](crate::Db::read); dropping it ends it.
///
/// Writing is not merely refused, it does not compile:
///
/// ```compile_fail
/// use bayplan::Db;
///
/// # fn main() -> bayplan::Result<()> {
/// let snapshot = Db::in_memory()?.read()?;
/// snapshot.namespace("default")?.delete("web")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
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

    /// The record `id`, if there is one.
    pub(crate) fn look_up<T: Shape>(
        &self,
        namespace: &NamespaceName,
        kind: &Kind,
        id: &RecordId,
    ) -> Result<Option<T>> {
        contained(|| query::get(&self.records()?.records, namespace, kind, id))
    }

    /// The records of a scope, from behind `after`, `limit` of them at most.
    pub(crate) fn traverse<T: Shape + 'static>(
        &self,
        scope: Scope,
        after: Option<&str>,
        limit: usize,
    ) -> Traversed<'static, T> {
        let snapshot = self.clone();
        Box::new(Items::new(after, limit, move |after, limit| {
            contained(|| Batch::read(&snapshot.records()?.records, &scope, after, limit))
        }))
    }

    /// Where to look for what a scope lets through.
    pub(crate) fn plan(&self, scope: &Scope, limit: usize) -> Result<Plan> {
        let Some(version) = self.snapshot.version.filter(|_| scope.kind.is_containers()) else {
            return Ok(Plan::of(&scope.filters));
        };
        let ask = || {
            let index = &self.shared.index;
            index.ask(version, &scope.namespace, &scope.filters, limit)
        };
        if let Answer::Look(plan) = ask() {
            return Ok(plan);
        }
        self.build_index(version)?;
        match ask() {
            Answer::Look(plan) => Ok(plan),
            Answer::Build => Ok(Plan::All),
        }
    }

    /// Builds the index from this snapshot. If something is damaged there will be none, and the
    /// query that comes upon the damage tells.
    fn build_index(&self, version: u64) -> Result<()> {
        let Some(mut build) = self.shared.index.build(version) else {
            return Ok(());
        };
        for name in self.namespaces()? {
            let scope = Scope::all(&name, &Kind::CONTAINERS);
            for header in self.traverse::<ContainerHeader>(scope, None, usize::MAX) {
                if !header?.is_ok_and(|header| build.add(&name, &header)) {
                    return Ok(());
                }
            }
        }
        build.finish();
        Ok(())
    }

    pub(crate) fn namespaces(&self) -> Result<Vec<NamespaceName>> {
        contained(|| namespaces::list(&self.records()?.namespaces()?))
    }

    pub(crate) fn labels_of(&self, name: &NamespaceName) -> Result<Option<Labels>> {
        contained(|| namespaces::get(&self.records()?.namespaces()?, name))
    }

    /// The kinds of which there are records in a namespace.
    pub(crate) fn kinds(&self, name: &NamespaceName) -> Result<Vec<Kind>> {
        contained(|| kinds(&self.records()?.records, name))
    }

    pub(crate) fn is_verified(&self) -> bool {
        self.is_verified
    }

    /// What it reads; an error in a process that was forked since.
    fn records(&self) -> Result<&Snapshot> {
        self.shared.process.check_number()?;
        Ok(&self.snapshot)
    }

    /// The transaction of redb beneath, for who reads whole tables; an error in a process that was forked since.
    pub(crate) fn seen(&self) -> Result<&ReadTransaction> {
        self.records().map(|snapshot| &snapshot.txn)
    }

    /// The transaction of redb beneath, for who reads whole tables.
    pub(crate) fn snapshot(&self) -> &ReadTransaction {
        &self.snapshot.txn
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}

/// The kinds of which there are records in a namespace, in order. What is no kind is damage.
pub(super) fn kinds(records: &impl query::Table, name: &NamespaceName) -> Result<Vec<Kind>> {
    query::used_kinds(records, name.as_str().as_bytes())?
        .into_iter()
        .map(|kind| {
            Kind::stored(&String::from_utf8_lossy(&kind))
                .map_err(|error| error.into_corrupt().in_namespace(name))
        })
        .collect()
}

impl fmt::Debug for ReadTxn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadTxn")
            .field("store", &self.shared)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Filters;
    use crate::{Any, Container, Db, Runtime};

    fn plan(txn: &ReadTxn, filter: &str) -> Plan {
        let scope = Scope {
            filters: Filters::parse([filter]).unwrap(),
            ..Scope::all(&NamespaceName::new("a").unwrap(), &Kind::CONTAINERS)
        };
        txn.plan(&scope, usize::MAX).unwrap()
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
