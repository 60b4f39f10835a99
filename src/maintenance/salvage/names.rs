//! The identity and the namespaces of a salvaged store.

use std::collections::BTreeMap;

use super::work::Work;
use crate::maintenance::bulk::Bulk;
use crate::model::error::Result;
use crate::model::identifier::NamespaceName;
use crate::model::labels::{self, Labels};
use crate::records::meta::Identity;
use crate::redb_file::fault::contained;
use crate::session::file;
use crate::session::revisions::REVISION_BLOCK;

impl Work<'_> {
    /// Returns the identity of the new store, and whether it is that of the damaged one.
    pub(super) fn identity(&mut self) -> Result<(Identity, bool)> {
        if let Some(live) = &self.live {
            let identity = &live.shared.identity;
            identity.created_at().and(identity.policy())?;
            return Ok((identity.clone(), true));
        }
        let found = self.search().identity.as_ref();
        let is_whole = |it: &&Identity| it.created_at().is_ok() && it.policy().is_ok();
        Ok(match found.filter(is_whole) {
            Some(identity) => (identity.clone(), true),
            None => (file::new_identity(self.settings), false),
        })
    }

    /// Returns a bound above all revisions that may have been handed out.
    pub(super) fn revisions_below(&self) -> Result<u64> {
        let above = self.highest.get().saturating_add(1);
        let live = match &self.live {
            Some(live) => live.revisions_below().ok(),
            None => None,
        };
        Ok(match live {
            Some(bound) => bound.max(above),
            None => {
                let found = self.found.as_ref().and_then(|found| found.revisions_below);
                let bound = found.unwrap_or(0).max(above);
                bound.saturating_add(REVISION_BLOCK)
            }
        })
    }

    /// Stores the namespaces that exist, and those of the salvaged containers.
    pub(super) fn salvage_namespaces(&mut self, bulk: &mut Bulk<'_>) -> Result<()> {
        let mut all: BTreeMap<NamespaceName, Option<Labels>> =
            self.used.iter().map(|name| (name.clone(), None)).collect();
        let is_named_known = self.named.is_some();
        for (name, labels) in self.named.iter().flatten() {
            let labels = labels.as_ref().ok().cloned();
            let settled = labels.and_then(|labels| labels::settle(labels, self.policy).ok());
            all.insert(name.clone(), settled);
        }
        let is_complete = is_named_known && all.values().all(Option::is_some);
        if !is_complete {
            self.search();
            if let Some(found) = &self.found {
                let names = found.namespaces.keys().filter(|_| !is_named_known);
                for name in names {
                    all.entry(name.clone()).or_default();
                }
            }
        }
        for (name, labels) in all {
            let labels = match labels {
                Some(labels) => labels,
                None => self.found_labels(&name),
            };
            contained(|| bulk.namespace(&name, &labels))?;
        }
        Ok(())
    }

    /// Returns the labels of a namespace, found anywhere in the file.
    fn found_labels(&mut self, name: &NamespaceName) -> Labels {
        let found = self
            .found
            .as_ref()
            .and_then(|found| found.namespaces.get(name));
        let labels = found
            .and_then(|all| all.first())
            .cloned()
            .unwrap_or_default();
        if !labels.is_empty() || found.is_none() {
            self.uncertain_namespaces.push(name.to_string());
        }
        labels::settle(labels, self.policy).unwrap_or_default()
    }
}
