//! `Db::check`: every value, every row, every rule.

use std::collections::BTreeSet;

use redb::ReadableTableMetadata;

use crate::api::db::Db;
use crate::model::container::Container;
use crate::model::error::{Error, Operation, Result};
use crate::model::identifier::NamespaceName;
use crate::model::kind::Kind;
use crate::model::labels;
use crate::model::policy::Policy;
use crate::model::record::Record;
use crate::model::revision::Revision;
use crate::query::{
    self, Batch, Damaged, Items, Layered, Moment, Records, Scope, StoredTable, Table,
};
use crate::records::keys::{self, RecordKey, TableCode};
use crate::redb_file::fault::{OrFault, check_order, contained};
use crate::session::entity::Entity;
use crate::session::file;
use crate::session::namespaces;
use crate::session::snapshot::{Contents, revisions_below};
use crate::session::tombstones;
use crate::session::txn::ReadTxn;

impl Db {
    /// Reads everything that is stored and reports what is damaged.
    ///
    /// It writes nothing, and reads one snapshot while others write. First it verifies the checksum of
    /// every page, unless that was done since the file was opened.
    ///
    /// # Errors
    ///
    /// Anything that prevents it from reading on. Damage that it can skip is in the report.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> bayplan::Result<()> {
    /// let report = bayplan::Db::in_memory()?.check()?;
    /// assert!(report.is_healthy());
    /// # Ok(())
    /// # }
    /// ```
    pub fn check(&self) -> Result<CheckReport> {
        match self.read_verified(Operation::Check) {
            Ok(snapshot) => check_snapshot(&snapshot),
            Err(error) if error.is_corrupt() => {
                match self.read().and_then(|snapshot| check_snapshot(&snapshot)) {
                    Ok(mut report) => {
                        report.add_of_file(error);
                        Ok(report)
                    }
                    // Because of the damage, nothing more can be checked.
                    Err(_) => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }
}

/// Checks the content of a snapshot, and whether the file was shortened since it was opened.
pub(super) fn check_snapshot(snapshot: &ReadTxn) -> Result<CheckReport> {
    let shared = snapshot.shared();
    let checked = || -> Result<CheckReport> {
        let is_verified = snapshot.is_verified();
        let mut report = contained(|| check(snapshot.seen()?, shared.policy, is_verified))?;
        if let Some((commits, damage)) = shared.verify_log()? {
            report.log_commits = Some(commits);
            damage
                .into_iter()
                .for_each(|error| report.add_of_file(error));
        }
        let Some(path) = shared.path() else {
            return Ok(report);
        };
        match file::check_length(path, shared.file.is_repaired_in_memory()) {
            Err(error) if error.is_corrupt() => report.add_of_file(error),
            // Removing or replacing the file does not affect this open store.
            Err(error) if error.is_not_found() => {}
            other => other?,
        }
        Ok(report)
    };
    checked().map_err(|error| error.during(Operation::Check).at(shared.path()))
}

/// The result of a check of the whole store.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CheckReport {
    /// How many namespaces there are.
    pub namespaces_count: u64,
    /// How many containers are not damaged.
    pub containers_count: u64,
    /// How many records of other kinds are not damaged.
    pub records_count: u64,
    /// Whether the checksum of every page was verified and is right. False if a page is damaged, which `damages` then
    /// reports, or if another process commits so often that the pages to verify cannot be determined.
    pub pages_verified: bool,
    /// How many commits are in the store's log and not yet in its file. This is no damage: opening the store for
    /// writing, closing it or [`Db::checkpoint`] moves them into the file. `None` if no log is in use.
    pub log_commits: Option<u64>,
    /// What is damaged.
    pub damages: Vec<Damage>,
}

impl CheckReport {
    /// Whether nothing is damaged.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.damages.is_empty()
    }

    /// Returns the report, or the error of the first damage.
    pub(crate) fn into_result(self) -> Result<Self> {
        let Some(Damage {
            namespace,
            kind,
            id,
            error,
        }) = self.damages.first()
        else {
            return Ok(self);
        };
        let error = error.clone().in_namespace(namespace);
        Err(match id {
            Some(id) => error.of_record_kind(kind.as_deref()).of(id),
            None => error,
        })
    }

    /// Adds damage of the file itself, before all other damage.
    pub(crate) fn add_of_file(&mut self, error: Error) {
        let damage = Damage {
            namespace: String::new(),
            kind: None,
            id: None,
            error,
        };
        self.damages.insert(0, damage);
    }

    fn add(&mut self, namespace: &str, error: Error) {
        self.damages.push(Damage {
            namespace: namespace.to_owned(),
            kind: None,
            id: None,
            error,
        });
    }
}

/// Damage in the file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Damage {
    /// The namespace, as far as it can be read; empty if the file itself is damaged.
    pub namespace: String,
    /// The kind of the record; `None` for a container, or if this is not about a record.
    pub kind: Option<String>,
    /// The id of the container or record, as far as it can be read; `None` if the namespace itself is
    /// damaged.
    pub id: Option<String>,
    /// What is wrong.
    pub error: Error,
}

/// Checks what one snapshot holds.
///
/// If pages were not verified, a damaged key or page may hide others. Then all rows are walked and counted.
pub(crate) fn check(
    contents: &Contents,
    policy: Policy,
    pages_verified: bool,
) -> Result<CheckReport> {
    let mut check = Check {
        records: contents.table(TableCode::Records)?,
        policy,
        revisions_below: Revision::new(revisions_below(contents)?),
        report: CheckReport {
            pages_verified,
            ..CheckReport::default()
        },
    };
    if !pages_verified {
        match check_rows(contents) {
            Err(error) if error.is_corrupt() => check.report.add("", error),
            other => other?,
        }
    }
    let named = check.namespaces(&contents.table(TableCode::Namespaces)?)?;
    for name in query::used_namespaces(&check.records)? {
        let text = String::from_utf8_lossy(&name).into_owned();
        let Ok(parsed) = NamespaceName::new(text.as_str()) else {
            let what = "keys of records under no namespace's name";
            check.report.add(&text, Error::corrupt(what));
            continue;
        };
        if !named.contains(&parsed) {
            let what = "it holds records but does not exist";
            check.report.add(&text, Error::corrupt(what));
        }
        check.nobodys(&text, &name)?;
        for kind in query::used_kinds(&check.records, &name)? {
            check.nobodys(&text, &keys::before_kinds_ids(&name, &kind))?;
            match Kind::stored(&String::from_utf8_lossy(&kind)) {
                Ok(kind) if kind.is_containers() => check.kind::<Container>(&parsed, &kind)?,
                Ok(kind) => check.kind::<Record>(&parsed, &kind)?,
                Err(error) => check.report.add(&text, error.into_corrupt()),
            }
        }
    }
    check.tombstones(contents)?;
    Ok(check.report)
}

/// A check in progress.
struct Check {
    records: Layered,
    policy: Policy,
    revisions_below: Revision,
    report: CheckReport,
}

impl Check {
    /// The namespaces that exist.
    fn namespaces(&mut self, table: &impl Table) -> Result<BTreeSet<NamespaceName>> {
        let mut named = BTreeSet::new();
        for (name, row) in namespaces::all(table)? {
            let text = String::from_utf8_lossy(&name).into_owned();
            let Ok(parsed) = NamespaceName::new(text.as_str()) else {
                let what = "it is no namespace's name";
                self.report.add(&text, Error::corrupt(what));
                continue;
            };
            self.report.namespaces_count += 1;
            let kept = row.and_then(|row| {
                check_below(row.revision, self.revisions_below)?;
                labels::check_stored(row.labels, self.policy)
            });
            if let Err(error) = kept {
                self.report.add(&text, error.into_corrupt());
            }
            named.insert(parsed);
        }
        Ok(named)
    }

    /// Reports a key that ends before the id: it belongs to no record, and no listing reaches it.
    fn nobodys(&mut self, namespace: &str, key: &[u8]) -> Result<()> {
        if self.records.row(key)?.is_some() {
            let what = "a key of the records ends before the id";
            self.report.add(namespace, Error::corrupt(what));
        }
        Ok(())
    }

    /// Checks the tombstones: the deletion of each is not forgotten, and what it names does not exist or was created
    /// later.
    fn tombstones(&mut self, contents: &Contents) -> Result<()> {
        let forgotten = match tombstones::forgotten(&contents.table(TableCode::Meta)?) {
            Ok(revision) => revision,
            Err(error) if error.is_corrupt() => {
                self.report.add("", error.prefixed("what is forgotten"));
                Revision::NONE
            }
            Err(error) => return Err(error),
        };
        if let Err(error) = check_below(forgotten, self.revisions_below) {
            self.report.add("", error.prefixed("what is forgotten"));
        }
        let names = contents.table(TableCode::Namespaces)?;
        let buried = contents.table(TableCode::Tombstones)?;
        for row in tombstones::after(&buried, Revision::NONE)? {
            let (revision, name) = match row {
                Ok(row) => row,
                Err(error) if error.is_corrupt() => {
                    self.report.add("", error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let created = match &name.record {
                None => {
                    namespaces::row(&names, &name.namespace).map(|row| row.map(|row| row.created))
                }
                Some((kind, id)) => {
                    let key = RecordKey::new(&name.namespace, kind, id);
                    let moment = Records::of(&self.records).whole::<Moment>(&key, kind);
                    moment.map(|moment| moment.map(|moment| moment.created))
                }
            };
            let created = match created {
                // The damage is already reported.
                Err(error) if error.is_corrupt() => None,
                created => created?,
            };
            let what = if created.is_some_and(|created| created < revision) {
                "it was deleted, and is still there"
            } else if revision <= forgotten {
                "it is forgotten, and still there"
            } else if check_below(revision, self.revisions_below).is_err() {
                "its revision was never handed out"
            } else {
                continue;
            };
            let error = Error::corrupt(what);
            let place = format!("the tombstone of revision {revision}");
            self.report.damages.push(Damage {
                namespace: name.namespace.to_string(),
                kind: name
                    .record
                    .as_ref()
                    .and_then(|(kind, _)| kind.of_collection().map(str::to_owned)),
                id: name.record.as_ref().map(|(_, id)| id.to_string()),
                error: error.prefixed(&place),
            });
        }
        Ok(())
    }

    /// Checks that all records of a kind can be read, and obey the rules.
    fn kind<E: Entity>(&mut self, namespace: &NamespaceName, kind: &Kind) -> Result<()> {
        let scope = Scope::all(namespace, kind);
        let records = &self.records;
        for item in
            Items::all(|after, limit| Batch::<E>::read(&Records::of(records), &scope, after, limit))
        {
            let (id, checked) = match item? {
                Ok(item) => {
                    let id = item.id().to_owned();
                    (
                        id,
                        item.check_stored(self.policy, self.revisions_below)
                            .map(drop),
                    )
                }
                Err(Damaged { id, error }) => (id, Err(error)),
            };
            match checked {
                Ok(()) if kind.is_containers() => self.report.containers_count += 1,
                Ok(()) => self.report.records_count += 1,
                Err(error) => self.report.damages.push(Damage {
                    namespace: namespace.to_string(),
                    kind: kind.of_collection().map(str::to_owned),
                    id: Some(id),
                    error: error.into_corrupt(),
                }),
            }
        }
        Ok(())
    }
}

/// Checks that a store whose revisions are all below `revisions_below` could have handed out this revision, or that it
/// is none.
fn check_below(revision: Revision, revisions_below: Revision) -> Result<()> {
    match revision < revisions_below || revision == Revision::NONE {
        true => Ok(()),
        false => Err(Error::corrupt(format!(
            "its revision {revision} was never handed out: they are below {revisions_below}"
        ))),
    }
}

/// Checks that all rows of all tables can be read, in order, and that their number is right.
pub(crate) fn check_rows(contents: &Contents) -> Result<()> {
    for code in keys::TABLES {
        check_rows_of(&*contents.stored(code)?)?;
    }
    Ok(())
}

/// Checks the rows of one table.
pub(crate) fn check_rows_of(table: &StoredTable) -> Result<()> {
    let (read, counted) = (walk(table)?, table.len().or_fault()?);
    if read == counted {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "the file is damaged: {read} rows of a table can be read, of {counted}"
    )))
}

/// Walks and counts all rows, which must be in order.
fn walk(table: &StoredTable) -> Result<u64> {
    let mut count = 0;
    let mut last: Option<Vec<u8>> = None;
    for row in table.range::<&[u8]>(..).or_fault()? {
        let (key, _) = row.or_fault()?;
        check_order(
            last.as_ref()
                .is_none_or(|last| key.value() > last.as_slice()),
        )?;
        let last = last.get_or_insert_default();
        last.clear();
        last.extend_from_slice(key.value());
        count += 1;
    }
    Ok(count)
}
