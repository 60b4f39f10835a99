//! Measures a snapshot: records by namespace, and bytes by table.

use std::collections::{BTreeMap, BTreeSet};

use redb::TableHandle;

use crate::maintenance::check;
use crate::model::error::Result;
use crate::model::identifier::NamespaceName;
use crate::model::kind::Kind;
use crate::model::revision::Revision;
use crate::model::stats::{NamespaceStats, TableStats};
use crate::query::{self, Batch, Items, Records, Scope, Table};
use crate::records::keys::{self, TableCode};
use crate::session::namespaces;
use crate::session::snapshot::{Contents, revisions_below};

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
pub(crate) fn measure(contents: &Contents, pages_verified: bool) -> Result<Measured> {
    let records = contents.table(TableCode::Records)?;
    let mut measured = Measured {
        revisions_below: Revision::new(revisions_below(contents)?),
        namespaces: Vec::new(),
        tables: Vec::new(),
    };
    for name in all_namespaces(contents, &records)? {
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
    for code in keys::TABLES {
        let table = contents.table(code)?;
        if !pages_verified {
            check::check_rows_of(&table.stored)?;
        }
        let stats = table.stored_stats()?;
        measured.tables.push(TableStats {
            name: code.table().name().to_owned(),
            keys_count: table.rows_count()?,
            depth_pages: stats.tree_height(),
            stored_bytes: stats.stored_bytes(),
            metadata_bytes: stats.metadata_bytes(),
            fragmented_bytes: stats.fragmented_bytes(),
        });
    }
    Ok(measured)
}

/// Returns the namespaces that exist, and those that have records without existing.
fn all_namespaces(contents: &Contents, records: &impl Table) -> Result<BTreeSet<NamespaceName>> {
    let named = namespaces::list(&contents.table(TableCode::Namespaces)?)?;
    let used = query::known_namespaces(records)?;
    Ok(named.into_iter().chain(used).collect())
}

fn count(table: &impl Table, name: &NamespaceName, kind: &Kind) -> Result<u64> {
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
