//! Reading and writing namespaces and their labels: one row each.

use crate::model::error::{Error, Result};
use crate::model::identifier::NamespaceName;
use crate::model::labels::Labels;
use crate::query;
use crate::records::keys;
use crate::records::meta::{namespace_labels, seal_namespace};
use crate::redb_file::fault::OrFault;
use crate::session::log::changes::Written;

/// The labels of a namespace; none if it does not exist.
pub(crate) fn get(table: &impl query::Table, name: &NamespaceName) -> Result<Option<Labels>> {
    let key = keys::namespace(name);
    match table.get(key).or_fault()? {
        None => Ok(None),
        Some(value) => namespace_labels(key, value.value()).map(Some),
    }
}

/// The names of all namespaces, in order.
///
/// # Errors
///
/// `Corrupt` at the first damaged one.
pub(crate) fn list(table: &impl query::Table) -> Result<Vec<NamespaceName>> {
    all(table)?
        .into_iter()
        .map(|(name, labels)| {
            let name = String::from_utf8_lossy(&name).into_owned();
            labels.map_err(|error| error.in_namespace(&name))?;
            NamespaceName::new(name).map_err(|error| {
                Error::corrupt("a namespace has a name that is none").caused_by(error)
            })
        })
        .collect()
}

/// The rows of all namespaces, damaged or not: what stands for a name, and the labels or what is wrong with them.
pub(crate) fn all(table: &impl query::Table) -> Result<Vec<(Vec<u8>, Result<Labels>)>> {
    let rows = table.range::<&[u8]>(..).or_fault()?;
    rows.map(|row| {
        let (key, value) = row.or_fault()?;
        let labels = namespace_labels(key.value(), value.value());
        Ok((key.value().to_vec(), labels))
    })
    .collect()
}

/// Stores a namespace with these labels, whether it is there or not.
pub(crate) fn put(table: &mut Written<'_>, name: &NamespaceName, labels: &Labels) -> Result<()> {
    table.put(keys::namespace(name), &seal_namespace(name, labels)?)
}

/// Removes a namespace and its labels.
pub(crate) fn delete(table: &mut Written<'_>, name: &NamespaceName) -> Result<()> {
    table.remove(keys::namespace(name))
}
