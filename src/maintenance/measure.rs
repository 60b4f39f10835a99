//! Measures a snapshot: records by namespace, and bytes by table.

use std::collections::{BTreeMap, BTreeSet};

use redb::{ReadTransaction, ReadableTableMetadata, TableHandle};

use crate::maintenance::check;
use crate::model::error::Result;
use crate::model::identifier::NamespaceName;
use crate::model::kind::Kind;
use crate::model::revision::Revision;
use crate::model::stats::{NamespaceStats, TableStats};
use crate::query::{self, Batch, Items, Records, Scope};
use crate::records::keys;
use crate::redb_file::fault::OrFault;
use crate::session::namespaces;
use crate::session::snapshot::revisions_below;

/// The statistics of a snapshot, without the length of the file.
pub(crate) struct Measured {
    pub(crate) revisions_below: Revision,
    pub(crate) namespaces: Vec<NamespaceStats>,
    pub(crate) tables: Vec<TableStats>,
}

/// Counts and measures one snapshot.
///
/// redb measures a tree by unlimited recursion: pages that lead in circles would end the process. If the pages were not
/// verified, all rows are walked first.
pub(crate) fn measure(txn: &ReadTransaction, pages_verified: bool) -> Result<Measured> {
    let records = txn.open_table(keys::RECORDS).or_fault()?;
    let mut measured = Measured {
        revisions_below: Revision::new(revisions_below(txn)?),
        namespaces: Vec::new(),
        tables: Vec::new(),
    };
    for name in all_namespaces(txn, &records)? {
        let mut stats = NamespaceStats {
            containers_count: 0,
            records_counts: BTreeMap::new(),
            name,
        };
        // The check reports what is not a valid kind.
        for kind in query::known_kinds(&records, &stats.name)? {
            let count = count(&records, &stats.name, &kind)?;
            match kind.of_collection() {
                None => stats.containers_count = count,
                Some(name) => {
                    stats.records_counts.insert(name.to_owned(), count);
                }
            }
        }
        measured.namespaces.push(stats);
    }
    for definition in keys::TABLES {
        let table = txn.open_table(definition).or_fault()?;
        if !pages_verified {
            check::check_rows_of(&table)?;
        }
        let stats = table.stats().or_fault()?;
        measured.tables.push(TableStats {
            name: definition.name().to_owned(),
            keys_count: table.len().or_fault()?,
            depth_pages: stats.tree_height(),
            stored_bytes: stats.stored_bytes(),
            metadata_bytes: stats.metadata_bytes(),
            fragmented_bytes: stats.fragmented_bytes(),
        });
    }
    Ok(measured)
}

/// Returns the namespaces that exist, and those that have records without existing.
fn all_namespaces(
    txn: &ReadTransaction,
    records: &impl query::Table,
) -> Result<BTreeSet<NamespaceName>> {
    let named = namespaces::list(&txn.open_table(keys::NAMESPACES).or_fault()?)?;
    let used = query::known_namespaces(records)?;
    Ok(named.into_iter().chain(used).collect())
}

fn count(table: &impl query::Table, name: &NamespaceName, kind: &Kind) -> Result<u64> {
    let scope = Scope::all(name, kind);
    let mut count = 0;
    for item in
        Items::all(|after, limit| Batch::<()>::read(&Records::of(table), &scope, after, limit))
    {
        let _damaged_or_not = item?;
        count += 1;
    }
    Ok(count)
}
