//! The file of an open store, by how it may be used: written, followed while another process writes it, or only
//! inspected.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

pub(crate) use redb::Database;
use redb::{ReadOnlyDatabase, ReadTransaction, ReadableDatabase};

use crate::model::error::{Error, Result};
use crate::redb_file::expected::Changing;
use crate::redb_file::fault::{Closing, OrFault, OrIo, contained};
use crate::redb_file::gate::Gate;
use crate::redb_file::locks::Locks;
use crate::redb_file::trees::Extent;
use crate::session::log::Log;
use crate::session::log::checkpoint::Target;

/// How often to retry a snapshot if another process commits at that moment.
const FOLLOW_ATTEMPTS: usize = 64;

/// The file, by how it may be used.
pub(crate) enum File {
    ReadWrite(Opened),
    /// Read while another process may write it.
    ReadOnly(Followed),
    /// Repaired in memory, never written.
    Inspected(Opened),
}

impl File {
    pub(crate) fn begin_read(&self) -> Result<ReadTransaction> {
        contained(|| {
            match self {
                Self::ReadWrite(opened) | Self::Inspected(opened) => opened.db.begin_read(),
                Self::ReadOnly(followed) => followed.db.begin_read(),
            }
            .or_fault()
        })
    }

    /// Whether every page has been verified.
    pub(crate) fn are_pages_verified(&self) -> bool {
        match self {
            Self::ReadWrite(opened) | Self::Inspected(opened) => opened.are_pages_verified(),
            Self::ReadOnly(_) => false,
        }
    }

    /// Whether other processes may commit to it.
    pub(crate) fn is_written_by_others(&self) -> bool {
        match self {
            Self::ReadWrite(opened) | Self::Inspected(opened) => opened.others().is_some(),
            Self::ReadOnly(_) => true,
        }
    }

    /// Returns the file if other processes may commit to it; `None` if only this process does.
    pub(crate) fn beside_others(&self) -> Option<&Gate> {
        match self {
            Self::ReadWrite(opened) | Self::Inspected(opened) => {
                opened.others().and(opened.gate.as_ref())
            }
            Self::ReadOnly(followed) => Some(&followed.file),
        }
    }

    pub(crate) fn is_read_only(&self) -> bool {
        !matches!(self, Self::ReadWrite(_))
    }

    /// Whether it is read as if repaired, while the repair is not in the file, or not yet.
    pub(crate) fn is_repaired_in_memory(&self) -> bool {
        match self {
            Self::Inspected(_) => true,
            Self::ReadWrite(opened) => opened.is_held_back(),
            Self::ReadOnly(_) => false,
        }
    }

    /// Returns the first damage that was found in a file that no other process writes.
    pub(crate) fn damage(&self) -> Option<&Error> {
        self.alone()?.damage()
    }

    /// Whether the row under this key is in or below a damaged page, and so may be an older version.
    pub(crate) fn is_doubtful(&self, key: &[u8]) -> bool {
        self.alone().is_some_and(|gate| gate.is_doubtful(key))
    }

    /// Trusts every page, as if opening did not verify any.
    #[cfg(test)]
    pub(crate) fn trust_all_pages(&self) {
        self.alone().into_iter().for_each(Gate::all_are_verified);
    }

    /// Returns the gate before a file that no other process writes.
    fn alone(&self) -> Option<&Gate> {
        match self {
            Self::ReadWrite(opened) | Self::Inspected(opened) => opened.alone(),
            Self::ReadOnly(_) => None,
        }
    }

    /// Returns the log of a store that may be written.
    pub(crate) fn log(&self) -> Option<&Log> {
        match self {
            Self::ReadWrite(opened) => opened.log(),
            Self::ReadOnly(_) | Self::Inspected(_) => None,
        }
    }

    /// Returns the database of redb, if it may be written.
    pub(crate) fn into_database(self) -> Result<Option<Database>> {
        match self {
            Self::ReadWrite(opened) => opened.into_database(),
            Self::ReadOnly(_) | Self::Inspected(_) => Ok(None),
        }
    }

    /// Closes it.
    pub(crate) fn close(self) -> Result<()> {
        contained(move || {
            match self {
                Self::ReadWrite(opened) | Self::Inspected(opened) => {
                    opened.into_database()?.map_or(Ok(()), Database::close)
                }
                Self::ReadOnly(followed) => {
                    let db = followed.db.into_inner();
                    db.map_or(Ok(()), ReadOnlyDatabase::close)
                }
            }
            .or_fault()
        })
    }
}

/// A database of redb, and the gate before its file.
pub(crate) struct Opened {
    pub(crate) db: Arc<Closing<Database>>,
    /// The gate before the file; `None` before a new one.
    gate: Option<Gate>,
    /// For a file that other processes write: the result of verifying the pages, once known. Readers look here, and
    /// must not wait for a verification.
    pages: OnceLock<Result<()>>,
    /// Held while the pages are verified.
    verifying: Mutex<()>,
    log: OnceLock<Log>,
    /// For a file that other processes write: their common locks. `None` if this process has the file to itself.
    among: Option<Among>,
}

/// What is needed if other processes write the same file.
pub(crate) struct Among {
    pub(crate) locks: Arc<Locks>,
    /// How long to wait for the turn to write.
    pub(crate) wait: Duration,
}

impl Opened {
    /// Holds a database whose pages need no verification.
    pub(crate) fn new(db: Closing<Database>) -> Self {
        Self {
            db: Arc::new(db),
            gate: None,
            pages: OnceLock::new(),
            verifying: Mutex::default(),
            log: OnceLock::new(),
            among: None,
        }
    }

    /// Holds a database behind a gate.
    pub(crate) fn behind(db: Closing<Database>, gate: Gate) -> Self {
        Self {
            db: Arc::new(db),
            gate: Some(gate),
            pages: OnceLock::new(),
            verifying: Mutex::default(),
            log: OnceLock::new(),
            among: None,
        }
    }

    /// Holds a database that other processes also write, with a gate that lets everything pass.
    pub(crate) fn among(
        db: Closing<Database>,
        gate: Gate,
        among: Among,
        is_verified: bool,
    ) -> Self {
        Self {
            db: Arc::new(db),
            gate: Some(gate),
            pages: match is_verified {
                true => OnceLock::from(Ok(())),
                false => OnceLock::new(),
            },
            verifying: Mutex::default(),
            log: OnceLock::new(),
            among: Some(among),
        }
    }

    /// Returns what is needed if other processes also write the file; `None` if none does.
    pub(crate) fn others(&self) -> Option<&Among> {
        self.among.as_ref()
    }

    /// Returns the gate before a file that no other process writes; `None` before a new one.
    fn alone(&self) -> Option<&Gate> {
        match self.among {
            Some(_) => None,
            None => self.gate.as_ref(),
        }
    }

    pub(crate) fn are_pages_verified(&self) -> bool {
        match (self.alone(), &self.among) {
            (Some(gate), _) => gate.are_pages_verified(),
            (None, Some(_)) => matches!(self.pages.get(), Some(Ok(()))),
            (None, None) => true,
        }
    }

    /// Verifies all pages that are not verified yet. Damage that was found stays recorded.
    pub(crate) fn verify_pages(&self) -> Result<()> {
        match (&self.among, &self.gate) {
            (Some(_), Some(gate)) => self.verify_beside_others(gate),
            (None, Some(gate)) => gate.verify_rest(),
            (_, None) => Ok(()),
        }
    }

    fn verify_beside_others(&self, gate: &Gate) -> Result<()> {
        if let Some(known) = self.pages.get() {
            return known.clone();
        }
        let _turn = self.verifying.lock();
        if let Some(known) = self.pages.get() {
            return known.clone();
        }
        let take = || contained(|| self.db.begin_read().or_fault());
        let verified = verified(gate, take).map(drop);
        match &verified {
            // A read error may be gone the next time.
            Err(error) if !error.is_corrupt() => verified,
            _ => self.pages.get_or_init(|| verified).clone(),
        }
    }

    /// Takes a snapshot of a file that other processes write as well, and verifies its pages; `None` if none does. The
    /// second value is false if they cannot be verified.
    pub(crate) fn verified<T>(&self, take: impl Fn() -> Result<T>) -> Option<Result<(T, bool)>> {
        let gate = self.others().and(self.gate.as_ref())?;
        Some(verified(gate, take))
    }

    /// Begins a change of redb's trees, which lasts until the result is dropped.
    ///
    /// # Errors
    ///
    /// `Corrupt` if a damaged page was found.
    pub(crate) fn begin_change(&self) -> Result<Option<Changing<'_>>> {
        self.alone().map(Gate::begin_change).transpose()
    }

    /// Lets writes reach the file.
    pub(crate) fn open_gate(&self) -> Result<()> {
        self.gate
            .as_ref()
            .map_or(Ok(()), |gate| gate.open().or_io())
    }

    /// Whether redb's writes so far are kept from the file.
    pub(crate) fn is_held_back(&self) -> bool {
        self.gate.as_ref().is_some_and(|gate| !gate.is_open())
    }

    /// Returns the log of the store, once it is known.
    pub(crate) fn log(&self) -> Option<&Log> {
        self.log.get()
    }

    /// Sets the log of the store.
    pub(crate) fn set_log(&self, log: Log) {
        let _ = self.log.set(log);
    }

    /// Returns the database, including everything that was in the log.
    fn into_database(mut self) -> Result<Option<Database>> {
        self.retire_log()?;
        // No checkpoint runs any more.
        Ok(Arc::get_mut(&mut self.db).and_then(Closing::take))
    }

    /// Returns what a checkpoint writes into.
    pub(crate) fn target(&self) -> Target {
        Target {
            db: Arc::clone(&self.db),
            gate: self.alone().cloned(),
        }
    }

    fn retire_log(&self) -> Result<()> {
        match (self.db.get(), self.log()) {
            (Some(_), Some(log)) => log.retire(&self.target()),
            _ => Ok(()),
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Err(error) = self.retire_log() {
            tracing::error!(%error, "closing failed: what is in the log stays there");
        }
    }
}

/// A database that another process may write, and the file beneath it.
pub(crate) struct Followed {
    db: Closing<ReadOnlyDatabase>,
    file: Gate,
}

impl Followed {
    pub(crate) fn new(db: Closing<ReadOnlyDatabase>, file: Gate) -> Self {
        Self { db, file }
    }

    /// Takes a snapshot and verifies its pages. The second value is false if they cannot be verified.
    pub(crate) fn verified<T>(&self, take: impl Fn() -> Result<T>) -> Result<(T, bool)> {
        verified(&self.file, take)
    }
}

/// Takes a snapshot and verifies its pages, which no process overwrites while it lives. The second value is false if
/// other processes commit so often that it is unknown which commit the snapshot shows.
fn verified<T>(file: &Gate, take: impl Fn() -> Result<T>) -> Result<(T, bool)> {
    for _ in 0..FOLLOW_ATTEMPTS {
        let before = file.published()?;
        let snapshot = take()?;
        // Two commits with the same trees have the same content.
        let after = file.published()?;
        if let Some(commit) = before.filter(|_| before == after) {
            file.verify(&commit, Extent::AllPages)?;
            return Ok((snapshot, true));
        }
    }
    Ok((take()?, false))
}
