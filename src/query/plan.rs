//! How the containers that a filter may let through are found: by their ids, or by reading all.

use std::collections::BTreeSet;
use std::ops::Bound;

use crate::filter::Filters;
use crate::model::kind::RecordId;

/// Where to look for the containers that may match. Whatever is found there is still matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// At every container of the namespace.
    All,
    /// At these ids only, in order; some of them may not exist.
    Ids(BTreeSet<String>),
}

impl Plan {
    /// What the filters alone tell: if every one of them names an id, nothing else can match.
    pub(crate) fn of(filters: &Filters) -> Self {
        match filters.exact_ids() {
            Some(ids) => Self::Ids(ids.into_iter().map(str::to_owned).collect()),
            None => Self::All,
        }
    }
}

/// The ids behind `after`, which is any bytes, as far as they are ids.
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
