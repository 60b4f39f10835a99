//! Reading and writing namespaces, with their labels and revisions: one row each.

use crate::model::error::{Error, Result};
use crate::model::identifier::NamespaceName;
use crate::model::labels::Labels;
use crate::query::Table;
use crate::records::keys;
use crate::records::meta::NamespaceRow;
use crate::session::written::Written;

/// Returns what is stored of a namespace; `None` if it does not exist.
pub(crate) fn row(table: &impl Table, name: &NamespaceName) -> Result<Option<NamespaceRow>> {
    let key = keys::namespace(name);
    match table.row(key)? {
        None => Ok(None),
        Some(value) => NamespaceRow::decode(key, value.value()).map(Some),
    }
}

/// Returns the labels of a namespace; `None` if it does not exist.
pub(crate) fn get(table: &impl Table, name: &NamespaceName) -> Result<Option<Labels>> {
    Ok(row(table, name)?.map(|row| row.labels))
}

/// The names of all namespaces, in order.
///
/// # Errors
///
/// `Corrupt` at the first damaged one.
pub(crate) fn list(table: &impl Table) -> Result<Vec<NamespaceName>> {
    all(table)?
        .into_iter()
        .map(|(name, row)| {
            let name = String::from_utf8_lossy(&name).into_owned();
            row.map_err(|error| error.in_namespace(&name))?;
            NamespaceName::new(name).map_err(|error| {
                Error::corrupt("a namespace has a name that is none").caused_by(error)
            })
        })
        .collect()
}

/// Returns the rows of all namespaces, damaged or not: the bytes of the name, and the row or what is wrong with it.
pub(crate) fn all(table: &impl Table) -> Result<Vec<(Vec<u8>, Result<NamespaceRow>)>> {
    let rows = table.rows(..)?;
    rows.map(|row| {
        let (key, value) = row?;
        let stored = NamespaceRow::decode(key.value(), value.value());
        Ok((key.value().to_vec(), stored))
    })
    .collect()
}

/// Stores a namespace, whether it exists or not.
pub(crate) fn put(table: &mut Written<'_>, name: &NamespaceName, new: &NamespaceRow) -> Result<()> {
    table.put(keys::namespace(name), &new.seal(name)?)
}

/// Removes a namespace and its labels.
pub(crate) fn delete(table: &mut Written<'_>, name: &NamespaceName) -> Result<()> {
    table.remove(keys::namespace(name))
}
