//! Namespaces: their rows, and what they hold.

use bayplan::implementing::{check_label, open_labels, seal_labels, settled_labels};
use bayplan::{Error, ErrorKind, Labels, NamespaceName, Result};

use crate::draft::Draft;
use crate::fault::Fault;
use crate::keys::{CONTAINERS, Keys, Named, Row};
use crate::operations::not_found;
use crate::shared::{At, Shared};

/// How many ids the error names when a namespace is not empty.
const IDS_NAMED: usize = 3;

/// How many names are read at a time.
const PAGE: i64 = 512;

fn error(fault: Fault) -> Error {
    fault.error
}

/// Returns the names of all namespaces, in order.
pub(crate) fn list(shared: &Shared, keys: &Keys, mut at: At) -> Result<Vec<NamespaceName>> {
    let (mut start, end) = keys.namespaces();
    let mut names = Vec::new();
    loop {
        let options = at.options().with_range(end.as_slice()).with_limit(PAGE);
        let (page, revision) = shared
            .range(&start, options.with_keys_only())
            .map_err(error)?;
        if at == At::Now {
            at = At::Revision(revision);
        }
        for pair in page.kvs() {
            let name = match keys.parse(pair.key()) {
                Some(Named::Namespace(name)) => NamespaceName::new(name).ok(),
                _ => None,
            };
            names.push(name.ok_or_else(|| {
                Error::of_kind(ErrorKind::Corrupt, "a namespace has a name that is none")
            })?);
        }
        match page.kvs().last().filter(|_| page.more()) {
            Some(last) => start = [last.key(), &[0]].concat(),
            None => return Ok(names),
        }
    }
}

/// Returns the labels of a namespace; none if it does not exist.
pub(crate) fn labels(shared: &Shared, keys: &Keys, at: At, name: &str) -> Result<Labels> {
    let key = keys.namespace(name);
    let [stored] = shared.get(at, [&key]).map_err(error)?;
    match stored {
        Some(stored) => open_labels(&key, &stored.value).map(|(_, labels)| labels),
        None => Ok(Labels::new()),
    }
}

/// Returns the kinds of what a namespace holds, in order, by looking at the first key of each.
pub(crate) fn kinds(shared: &Shared, keys: &Keys, mut at: At, name: &str) -> Result<Vec<String>> {
    let mut kinds: Vec<String> = Vec::new();
    loop {
        let (start, end) = keys.of_namespace(name, kinds.last().map(String::as_str));
        let options = at.options().with_range(end).with_limit(1).with_keys_only();
        let (first, revision) = shared.range(&start, options).map_err(error)?;
        if at == At::Now {
            at = At::Revision(revision);
        }
        match first.kvs().first().and_then(|pair| keys.parse(pair.key())) {
            Some(Named::Record(_, kind, _)) => kinds.push(kind),
            _ => return Ok(kinds),
        }
    }
}

pub(crate) fn create(
    shared: &Shared,
    draft: &mut Draft<'_>,
    name: &str,
    labels: &Labels,
) -> Result<()> {
    let labels = settled_labels(labels.clone(), shared.policy)?;
    let key = shared.keys.namespace(name);
    let [stored] = draft.read([&key])?;
    if stored.is_some() {
        return Err(Error::of_kind(ErrorKind::AlreadyExists, "already exists"));
    }
    let row = seal_labels(&key, &labels, draft.mark())?;
    draft.put(key, row);
    Ok(())
}

pub(crate) fn set_label(
    shared: &Shared,
    draft: &mut Draft<'_>,
    name: &str,
    label: (&str, &str),
) -> Result<()> {
    check_label(label.0, label.1)?;
    let key = shared.keys.namespace(name);
    let [stored] = draft.read([&key])?;
    let mut labels = match stored {
        Some(stored) => open_labels(&key, &stored.value)?.1,
        None => Labels::new(),
    };
    match label.1.is_empty() {
        true => labels.remove(label.0),
        false => labels.insert(label.0.to_owned(), label.1.to_owned()),
    };
    let labels = settled_labels(labels, shared.policy)?;
    let row = seal_labels(&key, &labels, draft.mark())?;
    draft.put(key, row);
    Ok(())
}

/// Deletes a namespace, if it is empty when this is committed.
pub(crate) fn delete(shared: &Shared, draft: &mut Draft<'_>, name: &str) -> Result<()> {
    let key = shared.keys.namespace(name);
    let [stored] = draft.read([&key])?;
    stored.ok_or_else(not_found)?;
    check_empty(shared, name)?;
    draft.demand_empty(shared.keys.of_namespace(name, None));
    draft.delete(key);
    Ok(())
}

fn check_empty(shared: &Shared, name: &str) -> Result<()> {
    let mut held = Vec::new();
    for kind in kinds(shared, &shared.keys, At::Now, name)? {
        let (start, end) = shared.keys.of_kind(Row::Head, name, &kind, None);
        let options = At::Now.options().with_range(end).with_keys_only();
        let options = options.with_limit(i64::try_from(IDS_NAMED).unwrap_or(1));
        // The count is that of the whole range.
        let (first, _) = shared.range(&start, options).map_err(error)?;
        let ids = first
            .kvs()
            .iter()
            .filter_map(|pair| match shared.keys.parse(pair.key()) {
                Some(Named::Record(_, _, id)) => Some(format!("{id:?}")),
                _ => None,
            });
        let ids: Vec<String> = ids.collect();
        let count = usize::try_from(first.count()).unwrap_or(ids.len());
        let noun = match (kind.as_str(), count) {
            (CONTAINERS, 1) => "container".to_owned(),
            (CONTAINERS, _) => "containers".to_owned(),
            (kind, 1) => format!("record of kind {kind:?}"),
            (kind, _) => format!("records of kind {kind:?}"),
        };
        let more = if count > ids.len() { ", ..." } else { "" };
        held.push(format!("{count} {noun}: {}{more}", ids.join(", ")));
    }
    match held.is_empty() {
        true => Ok(()),
        false => Err(Error::of_kind(
            ErrorKind::FailedPrecondition,
            format!("it still holds {}", held.join("; ")),
        )),
    }
}

/// Reads the namespaces of a type with the field `shared`, in the state that the closure tells.
macro_rules! read_namespaces {
    ($type:ty, $at:expr) => {
        impl bayplan::ReadNamespaces for $type {
            fn list_namespaces(&self) -> Result<Vec<NamespaceName>> {
                $crate::namespaces::list(&self.shared, &self.shared.keys, $at(self))
                    .map_err(|error| error.in_action(Action::ListNamespaces, Place::default()))
            }

            fn namespace_labels(&self, name: &str) -> Result<Labels> {
                if NamespaceName::new(name).is_err() {
                    return Ok(Labels::new());
                }
                $crate::namespaces::labels(&self.shared, &self.shared.keys, $at(self), name)
                    .map_err(told(Action::NamespaceLabels, name, CONTAINERS, None))
            }

            fn record_kinds(&self, name: &str) -> Result<Vec<String>> {
                if NamespaceName::new(name).is_err() {
                    return Ok(Vec::new());
                }
                let mut kinds =
                    $crate::namespaces::kinds(&self.shared, &self.shared.keys, $at(self), name)
                        .map_err(told(Action::List, name, CONTAINERS, None))?;
                kinds.retain(|kind| kind != CONTAINERS);
                Ok(kinds)
            }
        }
    };
}

pub(crate) use read_namespaces;
