//! Reading on behind a hole: where the walk through the containers broke off, the containers that
//! were found elsewhere are looked up one by one.
//!
//! A damaged branch page hides a stretch of keys. Behind it the tree can be followed again, but
//! where that is nobody can tell. The names that were found in the whole file are tried in order;
//! where one cannot be looked up, the next one that can is searched for by doubling and halving
//! steps, so that few lookups fail. (redb may panic in one, and each panic is printed.)

use super::work::{Name, Work};
use crate::container::Container;
use crate::engine::bulk::Bulk;
use crate::engine::live::Live;
use crate::error::Result;
use crate::progress::Progress;
use crate::revision::Revision;

impl Work<'_> {
    /// Takes those of the containers, in order, that can be read by their place after all.
    pub(super) fn salvage_behind_holes(
        &mut self,
        names: &[Name],
        bulk: &mut Bulk<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        let Some(live) = self.live.take() else {
            return Ok(());
        };
        let mut at = 0;
        while let Some(name) = names.get(at) {
            match look_up(&live, name) {
                Ok(Some(container)) if self.is_intact(name) => {
                    self.keep(bulk, name.clone(), &container, progress)?;
                    at += 1;
                }
                Ok(_) => at += 1,
                Err(_) => at = end_of_hole(&live, names, at),
            }
        }
        self.live = Some(live);
        Ok(())
    }
}

/// The container, if it is whole and where it should be; an error if the tree cannot be followed
/// to it, or it is damaged.
fn look_up(live: &Live, (namespace, id): &Name) -> Result<Option<Container>> {
    let container = live.get(namespace, id)?;
    Ok(container
        .filter(|it| it.id == id.as_str() && live.confirms(namespace, it))
        .and_then(|it| it.check_stored(Revision::new(u64::MAX)).ok()))
}

/// The first of the names behind `failed` that can be looked up.
fn end_of_hole(live: &Live, names: &[Name], failed: usize) -> usize {
    let fails = |at: usize| {
        names
            .get(at)
            .is_some_and(|name| live.get(&name.0, &name.1).is_err())
    };
    let (mut inside, mut step) = (failed, 1);
    while fails(inside + step) {
        inside += step;
        step *= 2;
    }
    let mut outside = (inside + step).min(names.len());
    while outside - inside > 1 {
        let middle = inside + (outside - inside) / 2;
        if fails(middle) {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    outside
}
