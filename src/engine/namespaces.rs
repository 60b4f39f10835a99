//! Reading and writing namespaces and their labels.

use redb::{ReadableTable, Table};

use crate::engine::fault::OrFault;
use crate::error::{Error, Result};
use crate::identifier::NamespaceName;
use crate::labels::Labels;
use crate::record::{seal_bytes, text, unseal, unseal_text};
use crate::schema;

type Writable<'t> = Table<'t, schema::Bytes, schema::Bytes>;

/// The table of namespaces, in a transaction of either kind.
pub(crate) trait Readable: ReadableTable<schema::Bytes, schema::Bytes> {}

impl<T: ReadableTable<schema::Bytes, schema::Bytes>> Readable for T {}

/// Whether a namespace exists.
pub(crate) fn exists(table: &impl Readable, name: &NamespaceName) -> Result<bool> {
    let key = schema::namespace(name);
    match table.get(key).or_fault()? {
        None => Ok(false),
        Some(value) => unseal(key, value.value()).map(|_| true),
    }
}

/// The names of all namespaces, in order.
pub(crate) fn list(table: &impl Readable) -> Result<Vec<NamespaceName>> {
    let mut names = Vec::new();
    for row in table.range::<&[u8]>(..).or_fault()? {
        let (key, value) = row.or_fault()?;
        if let (name, None) = schema::parse_namespace(key.value()) {
            let name = text(name)?;
            unseal(key.value(), value.value()).map_err(|error| error.in_namespace(name))?;
            names.push(NamespaceName::new(name).map_err(|error| {
                Error::corrupt("a namespace has a name that is none").caused_by(error)
            })?);
        }
    }
    Ok(names)
}

/// The labels of a namespace.
pub(crate) fn labels(table: &impl Readable, name: &NamespaceName) -> Result<Labels> {
    let mut labels = Labels::new();
    let keys = schema::namespace_all(name);
    for row in table
        .range(keys.start.as_slice()..keys.end.as_slice())
        .or_fault()?
    {
        let (key, value) = row.or_fault()?;
        if let (_, Some(label)) = schema::parse_namespace(key.value()) {
            let value = unseal_text(key.value(), value.value())?;
            labels.insert(text(label)?.to_owned(), value.to_owned());
        }
    }
    Ok(labels)
}

/// Makes a namespace exist.
pub(crate) fn insert(table: &mut Writable<'_>, name: &NamespaceName) -> Result<()> {
    let key = schema::namespace(name);
    table
        .insert(key, seal_bytes(key, &[]).as_slice())
        .or_fault()?;
    Ok(())
}

/// Sets a label, or removes it with an empty value.
pub(crate) fn set_label(
    table: &mut Writable<'_>,
    name: &NamespaceName,
    label: &str,
    value: &str,
) -> Result<()> {
    let key = schema::namespace_label(name, label);
    if value.is_empty() {
        table.remove(key.as_slice()).or_fault()?;
    } else {
        let value = seal_bytes(&key, value.as_bytes());
        table.insert(key.as_slice(), value.as_slice()).or_fault()?;
    }
    Ok(())
}

/// Removes a namespace and its labels.
pub(crate) fn delete(table: &mut Writable<'_>, name: &NamespaceName) -> Result<()> {
    let keys = schema::namespace_all(name);
    table
        .retain_in(keys.start.as_slice()..keys.end.as_slice(), |_, _| false)
        .or_fault()
}
