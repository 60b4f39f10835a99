//! Reads on after a hole. Where the walk through the containers broke off, the containers that were found by searching
//! the file are looked up one by one.
//!
//! A damaged branch page hides a range of keys of unknown length. After that range the tree can be followed again. The
//! names that were found in the file are tried in order. If a lookup fails, the next name that can be looked up is
//! searched for with doubling and halving steps, so that few lookups fail. (redb may panic in a lookup, and each panic
//! is printed.)

use super::work::Work;
use crate::maintenance::bulk::Bulk;
use crate::maintenance::salvage::live::Live;
use crate::maintenance::salvage::name::RecordName;
use crate::model::container::Container;
use crate::model::error::Result;
use crate::model::policy::Policy;
use crate::model::progress::Progress;
use crate::model::record::Record;
use crate::model::revision::Revision;
use crate::session::entity::Entity;

impl Work<'_> {
    /// Takes the containers that can still be read through the tree, in order.
    pub(super) fn salvage_behind_holes(
        &mut self,
        names: &[RecordName],
        bulk: &mut Bulk<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        let Some(live) = self.live.take() else {
            return Ok(());
        };
        let mut at = 0;
        while let Some(name) = names.get(at) {
            let is_readable = if name.kind.is_containers() {
                self.look_behind::<Container>(&live, name, bulk, progress)?
            } else {
                self.look_behind::<Record>(&live, name, bulk, progress)?
            };
            match is_readable {
                true => at += 1,
                false => at = end_of_hole(&live, names, at),
            }
        }
        self.live = Some(live);
        Ok(())
    }

    /// Takes a record if it is in its place. Returns false if the tree cannot be followed to it.
    fn look_behind<E: Entity>(
        &mut self,
        live: &Live,
        name: &RecordName,
        bulk: &mut Bulk<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<bool> {
        match look_up::<E>(live, name, self.policy) {
            Ok(Some(item)) if self.is_intact(name) => {
                self.keep(bulk, name.clone(), &item, progress)?;
                Ok(true)
            }
            Ok(_) => Ok(true),
            Err(_) => Ok(false),
        }
    }
}

/// Returns the record, if it is in its place. Fails if it is damaged, or the tree cannot be followed to it.
fn look_up<E: Entity>(live: &Live, name: &RecordName, policy: Policy) -> Result<Option<E>> {
    let item: Option<E> = live.get(name)?;
    Ok(item
        .filter(|it| it.id() == name.id.as_str() && live.confirms(name, it))
        .and_then(|it| it.check_stored(policy, Revision::new(u64::MAX)).ok()))
}

/// Returns the index of the first name after `failed` that can be looked up.
fn end_of_hole(live: &Live, names: &[RecordName], failed: usize) -> usize {
    let fails = |at: usize| {
        names
            .get(at)
            .is_some_and(|name| match name.kind.is_containers() {
                true => live.get::<Container>(name).is_err(),
                false => live.get::<Record>(name).is_err(),
            })
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
