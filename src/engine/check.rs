//! Checking a whole store: every value, every count, every rule.

use std::collections::BTreeSet;

use redb::{ReadOnlyTable, ReadTransaction, ReadableTableMetadata};

use crate::container::Container;
use crate::engine::fault::{OrFault, check_order};
use crate::engine::plan::Plan;
use crate::engine::{namespaces, scan};
use crate::error::{Error, Result};
use crate::filter::Filters;
use crate::identifier::NamespaceName;
use crate::labels;
use crate::record::unseal_number;
use crate::revision::Revision;
use crate::schema::{self, Row, meta};
use crate::store::Damaged;

type Table = ReadOnlyTable<schema::Bytes, schema::Bytes>;

/// What a check of the whole store found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CheckReport {
    /// How many namespaces there are.
    pub namespaces: u64,
    /// How many containers are whole.
    pub containers: u64,
    /// What is damaged.
    pub damages: Vec<Damage>,
}

impl CheckReport {
    /// Whether nothing is damaged.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.damages.is_empty()
    }
}

impl CheckReport {
    /// The report, if nothing is damaged; otherwise the error of the first damage.
    pub(crate) fn into_result(self) -> Result<Self> {
        let Some(Damage {
            namespace,
            id,
            error,
        }) = self.damages.first()
        else {
            return Ok(self);
        };
        let error = error.clone().in_namespace(namespace);
        Err(match id {
            Some(id) => error.of(id),
            None => error,
        })
    }
}

/// Something in the file that is not as it should be.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Damage {
    /// The namespace, as far as it can be read; empty if it is the file that is damaged.
    pub namespace: String,
    /// The id of the container, as far as it can be read; none if the namespace itself is damaged.
    pub id: Option<String>,
    /// What is wrong.
    pub error: Error,
}

/// Checks what one snapshot holds.
///
/// Where pages were not verified, a damaged key or page may hide others from who looks for them: all
/// rows are walked then, and counted.
pub(crate) fn check(txn: &ReadTransaction, pages_verified: bool) -> Result<CheckReport> {
    let containers = txn.open_table(schema::CONTAINERS).or_fault()?;
    let table = txn.open_table(schema::NAMESPACES).or_fault()?;
    let reserved = reserved_revisions(&txn.open_table(schema::META).or_fault()?)?;
    let mut report = CheckReport::default();
    if !pages_verified {
        match check_rows(txn) {
            Err(error) if error.is_corrupt() => report.add("", None, error),
            other => other?,
        }
    }
    let named = named_namespaces(&table, &mut report)?;
    for name in used_namespaces(&containers)? {
        let text = String::from_utf8_lossy(&name).into_owned();
        let Ok(parsed) = NamespaceName::new(text.as_str()) else {
            report.add(
                &text,
                None,
                Error::corrupt("keys of containers under no namespace's name"),
            );
            continue;
        };
        if !named.contains(&parsed) {
            report.add(
                &text,
                None,
                Error::corrupt("it holds containers but does not exist"),
            );
        }
        check_containers(&containers, &parsed, reserved, &mut report)?;
    }
    Ok(report)
}

impl CheckReport {
    /// Adds what is wrong with the file as a whole, before all else.
    pub(crate) fn add_of_file(&mut self, error: Error) {
        let damage = Damage {
            namespace: String::new(),
            id: None,
            error,
        };
        self.damages.insert(0, damage);
    }

    fn add(&mut self, namespace: &str, id: Option<String>, error: Error) {
        self.damages.push(Damage {
            namespace: namespace.to_owned(),
            id,
            error,
        });
    }
}

/// The bound of the revisions, as the file has it.
pub(crate) fn reserved_revisions(table: &Table) -> Result<u64> {
    match table.get(meta::REVISION).or_fault()? {
        Some(value) => unseal_number(meta::REVISION, value.value()),
        None => Err(Error::corrupt("the store's revision is missing")),
    }
}

/// The namespaces that exist; what is wrong with them goes into the report.
fn named_namespaces(table: &Table, report: &mut CheckReport) -> Result<BTreeSet<NamespaceName>> {
    let mut named = BTreeSet::new();
    for row in table.range::<&[u8]>(..).or_fault()? {
        let (key, _) = row.or_fault()?;
        let (name, label) = schema::parse_namespace(key.value());
        let text = String::from_utf8_lossy(name).into_owned();
        let Ok(parsed) = NamespaceName::new(text.as_str()) else {
            report.add(&text, None, Error::corrupt("it is no namespace's name"));
            continue;
        };
        if label.is_none() {
            report.namespaces += 1;
            let checked =
                namespaces::exists(table, &parsed).and_then(|_| namespaces::labels(table, &parsed));
            let kept = match checked {
                Ok(labels) => labels::check_stored(labels).map_err(Error::into_corrupt),
                Err(error) => Err(error),
            };
            match kept {
                Err(error) if error.is_corrupt() => report.add(&text, None, error),
                other => other.map(|_| ())?,
            }
            named.insert(parsed);
        } else if !named.contains(&parsed) {
            report.add(
                &text,
                None,
                Error::corrupt("a label of a namespace that does not exist"),
            );
        }
    }
    Ok(named)
}

/// Whether all rows of all tables can be read, in order and in their number.
pub(crate) fn check_rows(txn: &ReadTransaction) -> Result<()> {
    for definition in [schema::CONTAINERS, schema::META, schema::NAMESPACES] {
        check_rows_of(&txn.open_table(definition).or_fault()?)?;
    }
    Ok(())
}

/// The same of one table.
pub(crate) fn check_rows_of(table: &Table) -> Result<()> {
    let (read, counted) = (walk(table)?, table.len().or_fault()?);
    if read == counted {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "the file is damaged: {read} rows of a table can be read, of {counted}"
    )))
}

/// Walks all rows, which must be in order; counts them.
fn walk(table: &Table) -> Result<u64> {
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

/// The namespaces under which there are keys of containers: a look at the first key of each.
pub(crate) fn used_namespaces(table: &Table) -> Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    let mut start = Vec::new();
    loop {
        let mut range = table.range(start.as_slice()..).or_fault()?;
        let Some(row) = range.next() else {
            return Ok(names);
        };
        let (key, _) = row.or_fault()?;
        check_order(key.value() >= start.as_slice())?;
        let name = match Row::parse(key.value()) {
            Some((name, _)) => name.to_vec(),
            None => key
                .value()
                .split(|byte| *byte == 0)
                .next()
                .unwrap_or_default()
                .to_vec(),
        };
        start = [name.as_slice(), &[1]].concat();
        names.push(name);
    }
}

fn check_containers(
    table: &Table,
    name: &NamespaceName,
    reserved: u64,
    report: &mut CheckReport,
) -> Result<()> {
    let mut after: Option<Vec<u8>> = None;
    loop {
        let batch = scan::batch::<Container>(
            table,
            name,
            after.as_deref(),
            usize::MAX,
            &Filters::all(),
            &Plan::All,
        )?;
        for item in batch.items {
            match item {
                Ok(container) => check_container(container, name, reserved, report),
                Err(Damaged { id, error }) => report.add(name.as_str(), Some(id), error),
            }
        }
        match batch.rest_after {
            Some(id) => after = Some(id),
            None => return Ok(()),
        }
    }
}

/// Whether a container that reads well is also one that could have been stored.
fn check_container(
    container: Container,
    name: &NamespaceName,
    reserved: u64,
    report: &mut CheckReport,
) {
    let id = container.id.clone();
    match container.check_stored(Revision::new(reserved)) {
        Err(error) => report.add(name.as_str(), Some(id), error.into_corrupt()),
        Ok(_) => report.containers += 1,
    }
}
