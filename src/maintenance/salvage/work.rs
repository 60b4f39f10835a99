//! The steps and decisions of a salvage.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::path::Path;

use super::{LostRecord, SalvageReport, UncertainRecord};
use crate::maintenance::bulk::Bulk;
use crate::maintenance::new_store::{NewStore, not_kept};
use crate::maintenance::salvage::intact;
use crate::maintenance::salvage::live::{Live, NamedNamespaces};
use crate::maintenance::salvage::name::RecordName;
use crate::maintenance::salvage::remains::{self, Found, Remains};
use crate::maintenance::tell;
use crate::model::container::Container;
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::identifier::NamespaceName;
use crate::model::info::StoreId;
use crate::model::kind::Kind;
use crate::model::policy::Policy;
use crate::model::progress::Progress;
use crate::model::record::Record;
use crate::model::revision::Revision;
use crate::query::Damaged;
use crate::records::keys::Row;
use crate::redb_file::fault::{OrIo, contained};
use crate::redb_file::pages::Source;
use crate::session::entity::Entity;
use crate::session::settings::Settings;

/// Why a record in the tree is not certain to be what was stored last.
enum Doubt {
    /// It cannot be read.
    Damaged(Error),
    /// It can be read, but its page is damaged or an older version.
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

/// A salvage in progress.
pub(super) struct Work<'s> {
    source: Source,
    pub(super) live: Option<Live>,
    /// The namespaces as they can be read through redb; `None` if they cannot.
    pub(super) named: Option<NamedNamespaces>,
    pub(super) settings: &'s Settings,
    pub(super) policy: Policy,
    /// The remains found in the whole file, once it was searched.
    pub(super) found: Option<Found>,
    /// The records in intact pages; `None` if all records are.
    intact: Option<BTreeSet<RecordName>>,
    /// Whether a record that is not in the tree is certainly not in the store.
    absence_is_known: bool,
    done: BTreeSet<RecordName>,
    damaged: BTreeMap<RecordName, Doubt>,
    pub(super) used: BTreeSet<NamespaceName>,
    pub(super) highest: Revision,
    log_damage: Option<String>,
    uncertain: Vec<UncertainRecord>,
    lost: Vec<LostRecord>,
    pub(super) uncertain_namespaces: Vec<String>,
}

impl<'s> Work<'s> {
    pub(super) fn new(
        file: File,
        live: Option<Live>,
        log_damage: Option<String>,
        settings: &'s Settings,
    ) -> Result<Self> {
        let absence_is_known = match &live {
            Some(live) => live.is_verified || live.is_complete(),
            None => false,
        };
        let mut work = Self {
            source: Source::new(file).or_io()?,
            named: live.as_ref().and_then(|live| live.named().ok()),
            live,
            settings,
            policy: Policy::default(),
            found: None,
            intact: None,
            absence_is_known,
            done: BTreeSet::new(),
            damaged: BTreeMap::new(),
            used: BTreeSet::new(),
            highest: Revision::NONE,
            log_damage,
            uncertain: Vec::new(),
            lost: Vec::new(),
            uncertain_namespaces: Vec::new(),
        };
        match work.live.as_ref().map(|live| live.is_verified) {
            Some(true) => {}
            Some(false) => work.intact = Some(intact::records(&mut work.source)),
            None if work.search().is_empty() => {
                let what = "not a store: nothing that a store writes was found in the file";
                return Err(Error::new(ErrorKind::NotAStore, what));
            }
            None => {}
        }
        Ok(work)
    }

    /// Runs the whole salvage.
    pub(super) fn into_new_store(
        mut self,
        to: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<SalvageReport> {
        let (identity, is_id_kept) = self.identity()?;
        self.policy = identity.policy()?;
        self.settings.check_expected(identity.uuid)?;
        let new = NewStore::begin(to, self.settings)?;
        new.initialize(&identity, 0)?;
        let mut bulk = Bulk::new(new.db());
        self.salvage_live(&mut bulk, progress)?;
        if !self.absence_is_known || !self.damaged.is_empty() {
            self.salvage_remains(&mut bulk, progress)?;
        }
        self.tell_what_the_log_had_in_part();
        self.salvage_namespaces(&mut bulk)?;
        contained(|| bulk.finish())?;
        new.set_revisions_below(self.revisions_below()?)?;
        let expected = self.done.len() as u64;
        let finished = new.finish(|_, report| {
            if report.containers_count + report.records_count == expected {
                Ok(())
            } else {
                Err(Error::corrupt(
                    "the new file does not contain what was salvaged",
                ))
            }
        });
        let (report, file_bytes) = finished.map_err(not_kept)?;
        progress(Progress::new(expected, Some(expected)));
        let are_names_known =
            self.named.is_some() || self.live.is_some_and(|live| live.is_verified);
        let is_complete = self.absence_is_known && self.log_damage.is_none() && are_names_known;
        Ok(SalvageReport {
            id: StoreId::from_bytes(identity.uuid),
            is_id_kept,
            is_complete,
            log_damage: self.log_damage,
            namespaces_count: report.namespaces_count,
            containers_count: report.containers_count,
            records_count: report.records_count,
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

    /// Stores a record in the new file.
    pub(super) fn keep<E: Entity>(
        &mut self,
        bulk: &mut Bulk<'_>,
        name: RecordName,
        item: &E,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        contained(|| bulk.record(&name.namespace, &name.kind, item))?;
        self.highest = self.highest.max(item.revision());
        self.used.insert(name.namespace.clone());
        self.done.insert(name);
        tell(progress, self.done.len() as u64);
        Ok(())
    }

    /// Takes everything that can be read through the tree.
    fn salvage_live(
        &mut self,
        bulk: &mut Bulk<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        let Some(live) = self.live.take() else {
            return Ok(());
        };
        let named = self.named.iter().flatten();
        let mut names: BTreeSet<_> = named.map(|(name, _)| name.clone()).collect();
        match live.used() {
            Ok(used) => names.extend(used),
            Err(_) => self.absence_is_known = false,
        }
        for name in names {
            let kinds = live.kinds(&name).unwrap_or_else(|_| {
                self.absence_is_known = false;
                vec![Kind::CONTAINERS]
            });
            for kind in kinds {
                if kind.is_containers() {
                    self.take_live::<Container>(&live, bulk, &name, &kind, progress)?;
                } else {
                    self.take_live::<Record>(&live, bulk, &name, &kind, progress)?;
                }
            }
        }
        self.live = Some(live);
        Ok(())
    }

    fn take_live<E: Entity>(
        &mut self,
        live: &Live,
        bulk: &mut Bulk<'_>,
        namespace: &NamespaceName,
        kind: &Kind,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        for item in live.items::<E>(namespace, kind) {
            let Ok(item) = item else {
                self.absence_is_known = false;
                return Ok(());
            };
            let (id, item) = match item {
                Ok(item) => (item.id().to_owned(), Ok(item)),
                Err(Damaged { id, error }) => (id, Err(error)),
            };
            let Ok(parsed) = E::parsed_id(&id) else {
                let what = "its id is damaged".to_owned();
                self.lose(namespace, kind, &id, false, what);
                continue;
            };
            let name = RecordName {
                namespace: namespace.clone(),
                kind: kind.clone(),
                id: parsed,
            };
            if self.done.contains(&name) {
                continue;
            }
            let item = item.and_then(|item| {
                if live.confirms(&name, &item) {
                    item.check_stored(self.policy, Revision::new(u64::MAX))
                } else {
                    Err(Error::corrupt("it is not in its place"))
                }
            });
            match item {
                Ok(item) if self.is_intact(&name) => self.keep(bulk, name, &item, progress)?,
                Ok(_) => {
                    self.damaged.insert(name, Doubt::OlderPage);
                }
                Err(error) => {
                    self.damaged.insert(name, Doubt::Damaged(error));
                }
            }
        }
        Ok(())
    }

    /// Whether a record that was read is what was stored last.
    pub(super) fn is_intact(&self, name: &RecordName) -> bool {
        self.intact
            .as_ref()
            .is_none_or(|intact| intact.contains(name))
    }

    /// Takes the remains found anywhere in the file.
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
                .records
                .keys()
                .filter(|name| !self.done.contains(name) && !self.damaged.contains_key(name))
                .cloned()
                .collect();
            self.salvage_behind_holes(&names, bulk, progress)?;
        }
        for (name, remains) in std::mem::take(&mut found.records) {
            if self.done.contains(&name) {
                continue;
            }
            if name.kind.is_containers() {
                self.take_newest::<Container>(bulk, name, &remains, progress)?;
            } else {
                self.take_newest::<Record>(bulk, name, &remains, progress)?;
            }
        }
        self.found = Some(found);
        for (name, doubt) in std::mem::take(&mut self.damaged) {
            let reason = match doubt {
                Doubt::Damaged(error) => error.to_string(),
                Doubt::OlderPage => doubt.to_string(),
            };
            let RecordName {
                namespace,
                kind,
                id,
            } = &name;
            self.lose(namespace, kind, id.as_str(), false, reason);
        }
        Ok(())
    }

    /// Takes the newest version of a record found anywhere in the file, as uncertain.
    fn take_newest<E: Entity>(
        &mut self,
        bulk: &mut Bulk<'_>,
        name: RecordName,
        remains: &Remains,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        let damage = self.damaged.remove(&name);
        if damage.is_none() && self.absence_is_known {
            return Ok(()); // It was deleted.
        }
        let is_possibly_deleted = damage.is_none();
        let why = match &damage {
            Some(doubt) => doubt.to_string(),
            None => "it was found, but not by its place".to_owned(),
        };
        match remains.newest::<E>(&name, self.policy, &mut self.source) {
            Ok(version) => {
                self.uncertain.push(UncertainRecord {
                    namespace: name.namespace.to_string(),
                    kind: name.kind.to_string(),
                    id: name.id.to_string(),
                    is_possibly_deleted,
                    reason: format!("{why}; it is of revision {}", version.revision()),
                });
                self.keep(bulk, name, &version, progress)
            }
            Err(what) => {
                let (namespace, kind, id) = (&name.namespace, &name.kind, name.id.as_str());
                self.lose(
                    namespace,
                    kind,
                    id,
                    is_possibly_deleted,
                    format!("{why}; {what}"),
                );
                Ok(())
            }
        }
    }

    /// Reports the records of which the log has only part of a later version.
    fn tell_what_the_log_had_in_part(&mut self) {
        let left = match &self.live {
            Some(live) => live.shared.recovered.behind.left.clone(),
            None => Vec::new(),
        };
        for own in left {
            let row = Row::parse(&own);
            let Some(name) = row.and_then(|row| RecordName::of_row(&row)) else {
                continue;
            };
            let reason = "the log has a part of a later version; the rest of it is lost";
            if !self.done.contains(&name) {
                let (namespace, kind) = (&name.namespace, &name.kind);
                self.lose(namespace, kind, name.id.as_str(), false, reason.to_owned());
                continue;
            }
            self.uncertain.push(UncertainRecord {
                namespace: name.namespace.to_string(),
                kind: name.kind.to_string(),
                id: name.id.to_string(),
                is_possibly_deleted: false,
                reason: reason.to_owned(),
            });
        }
    }

    fn lose(
        &mut self,
        namespace: &NamespaceName,
        kind: &Kind,
        id: &str,
        is_possibly_deleted: bool,
        reason: String,
    ) {
        self.lost.push(LostRecord {
            namespace: namespace.to_string(),
            kind: kind.to_string(),
            id: id.to_owned(),
            is_possibly_deleted,
            reason,
        });
    }
}
