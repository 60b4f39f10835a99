//! Why a list may be empty.

use std::io::Write;

use bayplan::{ReadStore, ReadTxn};

use crate::failure::{Result, say};
use crate::text;

/// Says why a list may be empty: the containers are in other namespaces.
pub(crate) fn on_empty(snapshot: &ReadTxn, namespace: &str, err: &mut dyn Write) -> Result<()> {
    if !is_empty(&snapshot.namespace(namespace)?)? {
        return Ok(());
    }
    let mut others = Vec::new();
    for name in snapshot.list_namespaces()? {
        if !is_empty(&snapshot.namespace(name.as_str())?)? {
            others.push(name.to_string());
        }
    }
    let note = match others.as_slice() {
        [] => "no containers in any namespace".to_owned(),
        names => format!(
            "no containers in namespace {namespace}; not empty: {}",
            text::first_of(names)
        ),
    };
    say(err, &note);
    Ok(())
}

/// Whether the namespace is empty, without even a damaged item.
fn is_empty(store: &dyn ReadStore) -> Result<bool> {
    match store.query().limit(1).headers() {
        Err(error) if error.is_corrupt() && error.id().is_some() => Ok(false),
        Err(error) => Err(error.into()),
        Ok(headers) => Ok(headers.is_empty()),
    }
}
