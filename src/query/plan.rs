//! How to find the records that may pass a filter: by their ids, by their terms, or by looking at all of them.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::items::Scope;
use super::memory::{Candidates, Memory};
use crate::model::kind::RecordId;

/// Where to look for the records that may match. Those found there must still be matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// At all records of the kind in the namespace.
    All,
    /// At these ids only, in order; some of them may not exist.
    Ids(BTreeSet<String>),
    /// At these of the records that are kept in memory.
    Candidates(Candidates),
}

impl Plan {
    /// Plans where to look for the records of a scope, which may be kept in memory. `limit` of them are wanted.
    pub(crate) fn of(scope: &Scope, memory: Option<&Memory>, limit: usize) -> Self {
        let filters = &scope.filters;
        if let (Some(held), Some(memory)) = (&scope.pinning, memory) {
            let candidates = memory.pinning(&scope.namespace, &scope.kind, held);
            return candidates.map_or(Self::All, Self::Candidates);
        }
        // If every filter names an id, nothing else can match.
        if let Some(ids) = filters.exact_ids() {
            return Self::Ids(ids.into_iter().map(str::to_owned).collect());
        }
        let candidates = memory
            .and_then(|memory| memory.candidates(&scope.namespace, &scope.kind, filters, limit));
        candidates.map_or(Self::All, Self::Candidates)
    }
}

/// Returns the ids after `after`, without invalid ones. `after` may be any bytes.
pub(crate) fn ids_after<'i>(
    ids: &'i BTreeSet<String>,
    after: Option<&'i [u8]>,
) -> impl Iterator<Item = RecordId> + 'i {
    let text = after.map(|after| match str::from_utf8(after) {
        Ok(text) => text,
        Err(error) => after
            .get(..error.valid_up_to())
            .and_then(|valid| str::from_utf8(valid).ok())
            .unwrap_or_default(),
    });
    let start = text.map_or(Bound::Unbounded, Bound::Included);
    ids.range::<str, _>((start, Bound::Unbounded))
        .filter(move |id| after.is_none_or(|after| id.as_bytes() > after))
        .filter_map(|id| RecordId::new(id.as_str()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_behind_any_bytes_are_looked_at() {
        let ids = ["a", "a-b", "b\0", "c"].map(str::to_owned).into();
        for (after, left) in [
            (None, &["a", "a-b", "c"][..]),
            (Some(&b""[..]), &["a", "a-b", "c"]),
            (Some(b"a"), &["a-b", "c"]),
            (Some(b"a\xff"), &["c"]),
            (Some(b"\xff"), &[]),
            (Some(b"c"), &[]),
        ] {
            let found: Vec<_> = ids_after(&ids, after).map(String::from).collect();
            assert_eq!(found, left, "{after:?}");
        }
    }
}
