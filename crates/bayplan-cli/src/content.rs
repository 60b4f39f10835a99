//! What a store, a backup or a dump holds, to be hashed or compared.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use crate::cli::Global;
use crate::failure::{Failure, Result};
use crate::input::is_stream;
use crate::run::Io;
use bayplan::ReadTxn;

/// How a store begins; a dump does not.
const STORE: &[u8] = b"redb";

/// One snapshot of it all.
pub(crate) struct Content {
    pub(crate) snapshot: ReadTxn,
    /// The only namespace that a dump was made of.
    only: Option<String>,
}

impl Content {
    /// Reads this file, standard input, or the database file if none is named.
    pub(crate) fn read(file: Option<&Path>, global: &Global, io: &mut Io<'_>) -> Result<Self> {
        let Some(path) = file else {
            return Self::of_store(global.open_to_copy()?);
        };
        if is_stream(path) {
            return Self::load(&mut *io.input, global);
        }
        let cannot = |error| Failure::new(format!("{} cannot be read: {error}", path.display()));
        let mut file = File::open(path).map_err(cannot)?;
        let mut head = Vec::new();
        let read = file
            .by_ref()
            .take(STORE.len() as u64)
            .read_to_end(&mut head);
        read.map_err(cannot)?;
        if head == STORE {
            return Self::of_store(global.open_other_to_copy(path)?);
        }
        Self::load(head.chain(file), global)
    }

    fn of_store(db: bayplan::Db) -> Result<Self> {
        Ok(Self {
            snapshot: db.read()?,
            only: None,
        })
    }

    /// Loads a dump into a store that has no name any more once it is open.
    fn load(dump: impl Read, global: &Global) -> Result<Self> {
        let cannot = |error| Failure::new(format!("a temporary directory cannot be made: {error}"));
        let directory = tempfile::tempdir().map_err(cannot)?;
        // Removed as an unfinished file if a signal ends the program before.
        let path = directory.path().join(".bayplan-dump.new");
        let report = global.tools().load(&path, BufReader::new(dump), |_| {})?;
        let db = global
            .builder()
            .check_integrity(false)
            .open_read_only(&path)?;
        directory.close().map_err(|error| {
            Failure::new(format!(
                "the temporary directory cannot be removed: {error}"
            ))
        })?;
        Ok(Self {
            snapshot: db.read()?,
            only: report.only_namespace.map(|name| name.to_string()),
        })
    }

    /// The only namespace that is to be looked at: that of -n, or the only one that a dump was made of.
    pub(crate) fn only(&self, global: &Global) -> Result<Option<String>> {
        let named = global.named_namespace()?;
        match (named, &self.only) {
            (Some(named), Some(only)) if named != *only => Err(Failure::new(format!(
                "the dump holds nothing of namespace {named}: it was made of namespace {only} only"
            ))),
            (named, only) => Ok(named.or_else(|| only.clone())),
        }
    }

    /// The names of its namespaces, in order, or this one if there is such a one.
    pub(crate) fn namespaces(&self, only: Option<&str>) -> Result<Vec<String>> {
        let names = self.snapshot.list_namespaces()?;
        let names = names.into_iter().map(|name| name.to_string());
        Ok(names
            .filter(|name| only.is_none_or(|only| only == name))
            .collect())
    }
}
