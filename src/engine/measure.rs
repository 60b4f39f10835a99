//! Measuring a snapshot: containers by namespace, and bytes by table.

use std::collections::BTreeSet;

use redb::{ReadTransaction, ReadableTableMetadata, TableHandle};

use crate::engine::check::{self, reserved_revisions, used_namespaces};
use crate::engine::fault::OrFault;
use crate::engine::plan::Plan;
use crate::engine::{namespaces, scan};
use crate::error::Result;
use crate::filter::Filters;
use crate::identifier::NamespaceName;
use crate::revision::Revision;
use crate::schema;
use crate::stats::{NamespaceStats, TableStats};

/// What a snapshot tells; the file's length is not among it.
pub(crate) struct Measured {
    pub(crate) revisions_below: Revision,
    pub(crate) namespaces: Vec<NamespaceStats>,
    pub(crate) tables: Vec<TableStats>,
}

/// Counts and measures what one snapshot holds.
///
/// redb measures a tree by calling itself for each page below another, as deep as it goes: pages that
/// lead in circles would end the process. Where they were not verified, all rows are walked first.
pub(crate) fn measure(txn: &ReadTransaction, pages_verified: bool) -> Result<Measured> {
    let containers = txn.open_table(schema::CONTAINERS).or_fault()?;
    let mut measured = Measured {
        revisions_below: Revision::new(reserved_revisions(
            &txn.open_table(schema::META).or_fault()?,
        )?),
        namespaces: Vec::new(),
        tables: Vec::new(),
    };
    for name in all_namespaces(txn)? {
        measured.namespaces.push(NamespaceStats {
            containers_count: count(&containers, &name)?,
            name,
        });
    }
    for definition in [schema::CONTAINERS, schema::META, schema::NAMESPACES] {
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

/// The namespaces that exist, and those under which there are containers all the same.
fn all_namespaces(txn: &ReadTransaction) -> Result<BTreeSet<NamespaceName>> {
    let mut names: BTreeSet<_> = namespaces::list(&txn.open_table(schema::NAMESPACES).or_fault()?)?
        .into_iter()
        .collect();
    let used = used_namespaces(&txn.open_table(schema::CONTAINERS).or_fault()?)?;
    names.extend(
        used.iter()
            .filter_map(|name| NamespaceName::new(std::str::from_utf8(name).ok()?).ok()),
    );
    Ok(names)
}

fn count(table: &impl scan::Containers, name: &NamespaceName) -> Result<u64> {
    let mut count = 0;
    let mut after: Option<Vec<u8>> = None;
    loop {
        let batch = scan::batch::<()>(
            table,
            name,
            after.as_deref(),
            usize::MAX,
            &Filters::all(),
            &Plan::All,
        )?;
        count += batch.items.len() as u64;
        match batch.rest_after {
            Some(id) => after = Some(id),
            None => return Ok(count),
        }
    }
}
