//! What the browser shows: the store itself if processes share it, otherwise copies of its last commits.
//!
//! A store that is for one process alone is never kept open here, so that its host can start at any time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use bayplan::{
    Change, ContainerHeader, Db, Detail, Filters, Found, Position, ReadStore, RecordHeader,
    Selection, Share, Stored,
};
use chrono::{DateTime, Utc};
use tempfile::TempDir;

use super::place::{Place, Row};
use crate::cli::Global;
use crate::copy;
use crate::failure::{Exit, Failure, Result};
use crate::{edited, json, latest};

/// How much longer the source rests than it reads, so that a busy store does not keep this program busy.
const REST: u32 = 20;

/// Times of files can be this coarse: within it, a second change may leave no trace.
const COARSE: Duration = Duration::from_millis(50);

pub(super) struct Source<'g> {
    global: &'g Global,
    path: PathBuf,
    db: Db,
    /// Where the copy is, if it is one.
    copy: Option<TempDir>,
    stamp: Stamp,
    /// `None` if damage hides what was the last change.
    position: Option<Position>,
    read_at: Instant,
    took: Duration,
}

/// What of a file changes with a commit.
#[derive(Clone, PartialEq)]
struct Stamp {
    files: Vec<Option<(SystemTime, u64)>>,
    taken: SystemTime,
}

impl Stamp {
    fn of(path: &Path) -> Self {
        let stamp = |path: &Path| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        Self {
            files: vec![stamp(path), stamp(&copy::log_of(path))],
            taken: SystemTime::now(),
        }
    }

    /// Whether nothing was written since `before`.
    fn is_same(&self, before: &Self) -> bool {
        let is_settled = before.files.iter().flatten().all(|(modified, _)| {
            before
                .taken
                .duration_since(*modified)
                .is_ok_and(|age| age > COARSE)
        });
        is_settled && self.files == before.files
    }
}

impl<'g> Source<'g> {
    pub(super) fn open(global: &'g Global) -> Result<Self> {
        let path = global.path()?;
        let begun = Instant::now();
        let stamp = Stamp::of(&path);
        let (db, copy) = open(global, &path)?;
        let mut source = Self {
            global,
            path,
            db,
            copy,
            stamp,
            position: None,
            read_at: begun,
            took: begun.elapsed(),
        };
        source.position = latest::position(&source.db).ok();
        Ok(source)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this is a copy of what another process may change.
    pub(super) fn is_copy(&self) -> bool {
        self.copy.is_some()
    }

    pub(super) fn share(&self) -> Share {
        self.db.info().share
    }

    /// Whether it is time to look again.
    pub(super) fn has_changed(&self) -> bool {
        self.read_at.elapsed() > self.took * REST && !Stamp::of(&self.path).is_same(&self.stamp)
    }

    /// Looks again, and returns what has changed since. The error of a store that cannot be read is told, and what was
    /// there stays.
    pub(super) fn refresh(&mut self) -> Result<Vec<Change>> {
        let begun = Instant::now();
        self.read_at = begun;
        self.stamp = Stamp::of(&self.path);
        if self.copy.is_some() {
            (self.db, self.copy) = open(self.global, &self.path)?;
        }
        let changed = self.changes();
        self.took = begun.elapsed();
        changed
    }

    fn changes(&mut self) -> Result<Vec<Change>> {
        let Some(position) = self.position else {
            self.position = latest::position(&self.db).ok();
            return Ok(Vec::new());
        };
        let mut changes = self.db.changes_since(position, Detail::Id)?;
        let mut all = Vec::new();
        for change in &mut changes {
            match change {
                Ok(change) => all.push(change),
                // The place to go on from is that of another store, or too old: everything is read anew anyway.
                Err(error) if error.is_lagged() => {
                    self.position = latest::position(&self.db).ok();
                    return Ok(Vec::new());
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.position = Some(changes.position());
        Ok(all)
    }

    /// All that can be listed.
    pub(super) fn places(&self) -> Result<Vec<Place>> {
        let snapshot = self.db.read()?;
        let mut places = Vec::new();
        for name in snapshot.list_namespaces()? {
            let namespace = name.to_string();
            let store = snapshot.namespace(&namespace)?;
            places.push(Place {
                count: count(&store),
                namespace: namespace.clone(),
                kind: None,
            });
            for kind in snapshot.record_kinds(&namespace)? {
                places.push(Place {
                    count: count(&store.records(&kind)?),
                    namespace: namespace.clone(),
                    kind: Some(kind),
                });
            }
        }
        Ok(places)
    }

    /// What is in a place and matches.
    pub(super) fn rows(&self, place: &Place, filters: &Filters) -> Result<Vec<Row>> {
        let snapshot = self.db.read()?;
        let store = snapshot.namespace(&place.namespace)?;
        match &place.kind {
            None => rows(&store, filters, |it: ContainerHeader| Row {
                id: it.id,
                what: it.image,
                created_at: it.created_at,
                labels: it.labels,
                damage: None,
            }),
            Some(kind) => rows(&store.records(kind)?, filters, |it: RecordHeader| Row {
                id: it.id,
                what: it.type_url,
                created_at: it.created_at,
                labels: it.labels,
                damage: None,
            }),
        }
    }

    /// One container or record as JSON, in lines.
    pub(super) fn whole(&self, place: &Place, id: &str) -> Result<String> {
        let snapshot = self.db.read()?;
        let store = snapshot.namespace(&place.namespace)?;
        let text = match &place.kind {
            None => {
                let container = store.get(id)?;
                edited::show(&json::of(&container)?, &container)
            }
            Some(kind) => {
                let record = store.records(kind)?.get(id)?;
                edited::show(&json::of(&record)?, &record)
            }
        };
        Ok(json::pretty(&text, 0))
    }
}

/// Opens the store if processes share it, otherwise a copy.
fn open(global: &Global, path: &Path) -> Result<(Db, Option<TempDir>)> {
    if !global.no_copy {
        let refused = Failure::new("the store cannot be copied");
        // A damaged file has no copy that is whole.
        if let Ok((db, directory)) = copy::open(&global.builder(), path, refused)
            && db.info().share == Share::Nobody
        {
            return Ok((db, Some(directory)));
        }
    }
    let db = global.open_to_read()?;
    if global.no_copy && db.info().share == Share::Nobody {
        return Err(Failure::new(
            "the store is for one process alone: kept open here, no host could start",
        )
        .because("leave --no-copy out, or share the store by `bayplan share readers`"));
    }
    Ok((db, None))
}

/// How many there are, or none if that cannot be told.
fn count<T: Stored>(store: &dyn ReadStore<T>) -> Option<u64> {
    store.query().count().ok()
}

fn rows<T: Stored>(
    store: &dyn ReadStore<T>,
    filters: &Filters,
    row: impl Fn(T::Header) -> Row,
) -> Result<Vec<Row>> {
    let mut selection = Selection::default();
    selection.filters = filters.clone();
    selection.detail = Detail::Header(Vec::new());
    selection.is_lenient = true;
    let mut rows = Vec::new();
    for found in store.traverse(&selection)? {
        match found? {
            Found::Header(header) => rows.push(row(header)),
            Found::Damaged(damaged) => rows.push(Row {
                id: damaged.id,
                what: String::new(),
                created_at: DateTime::<Utc>::UNIX_EPOCH,
                labels: bayplan::Labels::new(),
                damage: Some(Failure::from(damaged.error).message()),
            }),
            _ => {}
        }
    }
    Ok(rows)
}

/// Whether a failure is that of damage.
pub(super) fn is_damage(failure: &Failure) -> bool {
    failure.exit() == Exit::Damaged
}
