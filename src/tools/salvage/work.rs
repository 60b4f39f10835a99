//! The steps of a salvage, and what is decided in them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::path::Path;

use super::{LostContainer, SalvageReport, UncertainContainer};
use crate::container::Container;
use crate::engine::bulk::Bulk;
use crate::engine::fault::{OrIo, contained};
use crate::engine::intact;
use crate::engine::live::Live;
use crate::engine::new_store::{NewStore, not_kept};
use crate::engine::pages::Source;
use crate::engine::remains::{self, Found};
use crate::engine::shared::Settings;
use crate::error::{Error, ErrorKind, Result};
use crate::identifier::{ContainerId, NamespaceName};
use crate::info::StoreId;
use crate::progress::Progress;
use crate::revision::Revision;
use crate::store::Damaged;

/// How many containers are done between two calls of a progress callback.
const PROGRESS_EVERY_COUNT: u64 = 64;

/// Why what can be read by its place is not taken for what was stored last.
enum Doubt {
    /// It cannot be read.
    Damaged(Error),
    /// It can, but a page that it stands in does not hold what it should: it may be an older one.
    OlderPage,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(error) => write!(f, "what was stored last is damaged ({error})"),
            Self::OlderPage => f.write_str("a page that it stands in is damaged, or an older one"),
        }
    }
}

/// A container, by its names.
pub(super) type Name = (NamespaceName, ContainerId);

/// A salvage on its way.
pub(super) struct Work<'s> {
    source: Source,
    pub(super) live: Option<Live>,
    pub(super) settings: &'s Settings,
    /// What the whole file was searched for, once that was necessary.
    pub(super) found: Option<Found>,
    /// The containers that stand in pages which hold what was written last; all do, if this is none.
    intact: Option<BTreeSet<Name>>,
    /// Whether a container that cannot be read by its place is known not to be in the store.
    absence_is_known: bool,
    done: BTreeSet<Name>,
    damaged: BTreeMap<Name, Doubt>,
    pub(super) used: BTreeSet<NamespaceName>,
    pub(super) highest: Revision,
    uncertain: Vec<UncertainContainer>,
    lost: Vec<LostContainer>,
    pub(super) uncertain_namespaces: Vec<String>,
}

impl<'s> Work<'s> {
    pub(super) fn new(file: File, live: Option<Live>, settings: &'s Settings) -> Result<Self> {
        let absence_is_known = match &live {
            Some(live) => live.is_verified || live.is_whole(),
            None => false,
        };
        let mut work = Self {
            source: Source::new(file).or_io()?,
            live,
            settings,
            found: None,
            intact: None,
            absence_is_known,
            done: BTreeSet::new(),
            damaged: BTreeMap::new(),
            used: BTreeSet::new(),
            highest: Revision::NONE,
            uncertain: Vec::new(),
            lost: Vec::new(),
            uncertain_namespaces: Vec::new(),
        };
        match work.live.as_ref().map(|live| live.is_verified) {
            Some(true) => {}
            Some(false) => work.intact = Some(intact::containers(&mut work.source)),
            None if work.search().is_empty() => {
                let what = "not a store: nothing that a store writes was found in the file";
                return Err(Error::new(ErrorKind::NotAStore, what));
            }
            None => {}
        }
        Ok(work)
    }

    /// Does all of it.
    pub(super) fn into_new_store(
        mut self,
        to: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<SalvageReport> {
        let (identity, is_id_kept) = self.identity()?;
        self.settings.check_expected(identity.uuid)?;
        let new = NewStore::begin(to, self.settings)?;
        new.initialize(&identity, 0)?;
        let mut bulk = Bulk::new(new.db());
        self.salvage_live(&mut bulk, progress)?;
        if !self.absence_is_known || !self.damaged.is_empty() {
            self.salvage_remains(&mut bulk, progress)?;
        }
        self.salvage_namespaces(&mut bulk)?;
        contained(|| bulk.finish())?;
        new.set_revisions_below(self.revisions_below()?)?;
        let expected = self.done.len() as u64;
        let finished = new.finish(|_, report| {
            if report.containers == expected {
                Ok(())
            } else {
                Err(Error::corrupt(
                    "the new file does not hold what was salvaged",
                ))
            }
        });
        let (report, file_bytes) = finished.map_err(not_kept)?;
        progress(Progress::new(expected, Some(expected)));
        let are_names_known = |live: &Live| live.is_verified || live.named().is_ok();
        let is_complete = self.absence_is_known && self.live.as_ref().is_some_and(are_names_known);
        Ok(SalvageReport {
            id: StoreId::from_bytes(identity.uuid),
            is_id_kept,
            is_complete,
            namespaces_count: report.namespaces,
            containers_count: report.containers,
            uncertain: self.uncertain,
            lost: self.lost,
            uncertain_namespaces: self.uncertain_namespaces,
            file_bytes,
        })
    }

    /// Searches the whole file, once.
    pub(super) fn search(&mut self) -> &Found {
        self.found
            .get_or_insert_with(|| remains::find(&mut self.source))
    }

    /// Stores a container in the new file.
    pub(super) fn keep(
        &mut self,
        bulk: &mut Bulk<'_>,
        name: Name,
        container: &Container,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        contained(|| bulk.container(&name.0, container))?;
        self.highest = self.highest.max(container.revision);
        self.used.insert(name.0.clone());
        self.done.insert(name);
        let done = self.done.len() as u64;
        if done.is_multiple_of(PROGRESS_EVERY_COUNT) {
            progress(Progress::new(done, None));
        }
        Ok(())
    }

    /// What can be read by its place.
    fn salvage_live(
        &mut self,
        bulk: &mut Bulk<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        let Some(live) = self.live.take() else {
            return Ok(());
        };
        let named = live.named().unwrap_or_default();
        let mut names: BTreeSet<_> = named.into_iter().map(|(name, _)| name).collect();
        match live.used() {
            Ok(used) => names.extend(used),
            Err(_) => self.absence_is_known = false,
        }
        for name in names {
            let mut after: Option<Vec<u8>> = None;
            loop {
                let Ok(batch) = live.batch(&name, after.as_deref()) else {
                    self.absence_is_known = false;
                    break;
                };
                for item in batch.items {
                    self.take_live(&live, bulk, &name, item, progress)?;
                }
                // A damaged tree must not lead in circles.
                match batch.rest_after.filter(|id| after.as_ref() < Some(id)) {
                    Some(id) => after = Some(id),
                    None => break,
                }
            }
        }
        self.live = Some(live);
        Ok(())
    }

    fn take_live(
        &mut self,
        live: &Live,
        bulk: &mut Bulk<'_>,
        namespace: &NamespaceName,
        item: std::result::Result<Container, Damaged>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        let (id, item) = match item {
            Ok(container) => (container.id.clone(), Ok(container)),
            Err(Damaged { id, error }) => (id, Err(error)),
        };
        let Ok(parsed) = ContainerId::new(id.as_str()) else {
            self.lose(namespace, &id, false, "its id is damaged".to_owned());
            return Ok(());
        };
        let name = (namespace.clone(), parsed);
        if self.done.contains(&name) {
            return Ok(());
        }
        let item = item.and_then(|container| {
            if live.confirms(namespace, &container) {
                container.check_stored(Revision::new(u64::MAX))
            } else {
                Err(Error::corrupt("it does not stand where it should"))
            }
        });
        match item {
            Ok(container) if self.is_intact(&name) => {
                return self.keep(bulk, name, &container, progress);
            }
            Ok(_) => self.damaged.insert(name, Doubt::OlderPage),
            Err(error) => self.damaged.insert(name, Doubt::Damaged(error)),
        };
        Ok(())
    }

    /// Whether a container that was read is what was stored last.
    pub(super) fn is_intact(&self, name: &Name) -> bool {
        self.intact
            .as_ref()
            .is_none_or(|intact| intact.contains(name))
    }

    /// What was found anywhere in the file.
    fn salvage_remains(
        &mut self,
        bulk: &mut Bulk<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        self.search();
        let Some(mut found) = self.found.take() else {
            return Ok(());
        };
        if !self.absence_is_known {
            let names: Vec<_> = found
                .containers
                .keys()
                .filter(|name| !self.done.contains(name) && !self.damaged.contains_key(name))
                .cloned()
                .collect();
            self.salvage_behind_holes(&names, bulk, progress)?;
        }
        for (name, remains) in std::mem::take(&mut found.containers) {
            if self.done.contains(&name) {
                continue;
            }
            let damage = self.damaged.remove(&name);
            if damage.is_none() && self.absence_is_known {
                continue; // It was deleted.
            }
            let (namespace, id) = &name;
            let why = match &damage {
                Some(doubt) => doubt.to_string(),
                None => "it was found, but not by its place".to_owned(),
            };
            match remains.newest(namespace, id, &mut self.source) {
                Ok(version) => {
                    self.uncertain.push(UncertainContainer {
                        namespace: namespace.to_string(),
                        id: id.to_string(),
                        is_possibly_deleted: damage.is_none(),
                        reason: format!("{why}; {}", version.note()),
                    });
                    self.keep(bulk, name, &version.container, progress)?;
                }
                Err(what) => {
                    let reason = format!("{why}; {what}");
                    self.lose(namespace, id.as_str(), damage.is_none(), reason);
                }
            }
        }
        self.found = Some(found);
        for ((namespace, id), doubt) in std::mem::take(&mut self.damaged) {
            let reason = match doubt {
                Doubt::Damaged(error) => error.to_string(),
                Doubt::OlderPage => doubt.to_string(),
            };
            self.lose(&namespace, id.as_str(), false, reason);
        }
        Ok(())
    }

    fn lose(
        &mut self,
        namespace: &NamespaceName,
        id: &str,
        is_possibly_deleted: bool,
        reason: String,
    ) {
        self.lost.push(LostContainer {
            namespace: namespace.to_string(),
            id: id.to_owned(),
            is_possibly_deleted,
            reason,
        });
    }
}
