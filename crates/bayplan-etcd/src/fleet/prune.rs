//! Removes from a copy what its store does not have.

use bayplan::{ReadTxn, Result};

use crate::fleet::mirror::{Mirror, Progress};
use crate::keys::{CONTAINERS, Named};
use crate::shared::At;

/// How many keys are compared at a time.
const PAGE: i64 = 512;

/// Removes everything that is not in this snapshot of the store.
pub(crate) fn gone(mirror: &mut Mirror<'_>, store: &ReadTxn) -> Result<Progress> {
    let shared = mirror.shared();
    let keys = mirror.keys().clone();
    let namespaces = store.list_namespaces()?;
    let (mut start, end) = keys.followed();
    let mut progress = Progress::default();
    loop {
        let options = At::Now
            .options()
            .with_range(end.as_slice())
            .with_limit(PAGE);
        let read = shared.range(&start, options.with_keys_only());
        let (page, _) = read.map_err(|fault| fault.error)?;
        let mut batch = mirror.batch(&shared);
        for pair in page.kvs() {
            let is_stored = match keys.parse(pair.key()) {
                Some(Named::Namespace(name)) => namespaces
                    .binary_search_by(|known| known.as_str().cmp(&name))
                    .is_ok(),
                Some(Named::Record(name, kind, id)) => is_stored(store, &name, &kind, &id)?,
                None => true,
            };
            if is_stored {
                continue;
            }
            if batch.is_full() {
                mirror.commit(batch, None)?;
                progress.commits_count += 1;
                batch = mirror.batch(&shared);
            }
            if let Some(value) = keys.value_of(pair.key()) {
                batch.delete(value);
            }
            batch.delete(pair.key().to_vec());
            batch.count += 1;
            progress.pruned_count += 1;
        }
        if batch.count > 0 {
            mirror.commit(batch, None)?;
            progress.commits_count += 1;
        }
        match page.kvs().last().filter(|_| page.more()) {
            Some(last) => start = [last.key(), &[0]].concat(),
            None => return Ok(progress),
        }
    }
}

fn is_stored(store: &ReadTxn, namespace: &str, kind: &str, id: &str) -> Result<bool> {
    let containers = store.namespace(namespace)?;
    match kind == CONTAINERS {
        true => containers.find(id).map(|found| found.is_some()),
        false => containers
            .records(kind)?
            .find(id)
            .map(|found| found.is_some()),
    }
}
