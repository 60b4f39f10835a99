//! The log: commits before they are in the store's file.
//!
//! A commit of redb writes pages in many places. With a log, the rows that a transaction wrote are appended to a file
//! beside the store's in one piece, and synced; redb commits in memory only. At a checkpoint redb commits durably,
//! together with the number of the last frame in the file, and the log begins anew. After a crash, the frames after
//! that number are applied, row by row.
//!
//! - [`changes`]: the rows of a transaction.
//! - [`frame`]: the bytes of a log.
//! - [`place`]: the file of the log.
//! - [`recover`]: what opening a store does with a log.
//! - [`behind`]: what salvage does with the frames behind a damaged one.
//!
//! These rules hold; `docs/FORMAT.md` says why:
//!
//! 1. The store's file durably says that a log is in use before the first frame is written.
//! 2. The head of an epoch is durable before the file names that epoch. Frames of the epoch are written after that.
//! 3. A frame is written only after all before it were synced. After one failure, nothing more is written.
//! 4. The log is removed only after the file durably says that it is no longer in use.

pub(crate) mod behind;
pub(crate) mod changes;
pub(crate) mod frame;
pub(crate) mod place;
pub(crate) mod recover;

use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{CommitError, Database, Durability, WriteTransaction};

use crate::model::error::{Error, ErrorKind, Result};
use crate::records::keys::{self, meta};
use crate::records::marker::Marker;
use crate::redb_file::fault::{OrFault, OrIo, contained};
use crate::redb_file::gate::Access;
use changes::RowChanges;
use frame::{End, Owner};
use place::{LogFile, LogPlace};

/// The outcome of a commit that did not fail.
#[derive(Debug)]
pub(crate) enum Outcome {
    Committed,
    /// redb had aborted the transaction: nothing of it is stored.
    Poisoned,
    /// Nothing of it is stored, since the log could not be created. The next commit may succeed.
    Refused(Error),
}

/// The log of an open store.
#[derive(Debug)]
pub(crate) struct Log {
    /// `None` for a store in memory.
    place: Option<Box<dyn LogPlace>>,
    store: [u8; 16],
    /// The length of a new log; `None` if commits do not go through a log.
    bytes: Option<u64>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// No log is in use. The file may name the last one.
    Unused(Option<Marker>),
    /// The content of the log is in the file as soon as the gate before it opens.
    Recovered(Marker),
    InUse(InUse),
    /// Something failed: the log is left for the next opener.
    GivenUp,
}

#[derive(Debug)]
struct InUse {
    file: LogFile,
    owner: Owner,
    bytes: u64,
    epoch: u64,
    /// The number of the last frame before this epoch.
    before: u64,
    end: End,
}

impl InUse {
    fn marker(&self) -> Marker {
        Marker {
            log: self.owner.log,
            epoch: self.epoch,
            frame: self.end.number,
            is_in_use: true,
        }
    }

    /// Appends one frame, and syncs it.
    fn append(&mut self, changes: RowChanges) -> Result<()> {
        let at = self.end.at as u64;
        let (frame, end) = self.end.frame(changes)?;
        self.file.write(at, &frame).or_io()?;
        self.end = end;
        Ok(())
    }

    /// Makes the head of the next epoch durable. Frames of it are written once the file names it.
    fn begin_epoch(&mut self) -> Result<()> {
        let spent = || Error::precondition("the log has used up its epochs");
        let epoch = self.epoch.checked_add(1).ok_or_else(spent)?;
        let (head, checksum) = frame::head(&self.owner, epoch, self.bytes);
        self.file.write(frame::head_place(epoch), &head).or_io()?;
        self.epoch = epoch;
        self.before = self.end.number;
        self.end = End::of_epoch(&self.owner, epoch, self.end.number, checksum);
        Ok(())
    }
}

/// How a transaction is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// By redb alone.
    Plain,
    /// As a frame.
    Frame,
    /// By redb, durably, with everything in the log; the log was just created if `is_new`.
    Checkpoint { is_new: bool },
}

impl Log {
    /// Makes the log of a store whose file names `last` as its last log. If the gate is closed, the file names it only
    /// behind the gate.
    pub(crate) fn new(
        place: Option<Box<dyn LogPlace>>,
        store: [u8; 16],
        bytes: Option<u64>,
        last: Option<Marker>,
        is_held_back: bool,
    ) -> Self {
        let log = Self {
            bytes: bytes.filter(|_| place.is_some()),
            place,
            store,
            state: Mutex::new(match last {
                Some(marker) if is_held_back => State::Recovered(marker),
                last => State::Unused(last),
            }),
        };
        if !is_held_back {
            log.remove_leftover(last.as_ref());
        }
        log
    }

    /// Whether the log needs to know what transactions write.
    pub(crate) fn is_wanted(&self) -> bool {
        self.bytes.is_some()
    }

    /// Checks that the log is where it was, if that matters.
    pub(crate) fn check_place(&self) -> Result<()> {
        match &*self.state() {
            State::InUse(in_use) => in_use.file.check_place(),
            _ => Ok(()),
        }
    }

    /// Notes that the gate before the file is open, so that the file has the content of the log.
    pub(crate) fn gate_is_open(&self) {
        let mut state = self.state();
        if let State::Recovered(marker) = *state {
            *state = State::Unused(Some(marker));
            self.remove_leftover(Some(&marker));
        }
    }

    /// Stops writing: the log is left for the next opener.
    pub(crate) fn give_up(&self) {
        *self.state() = State::GivenUp;
    }

    /// Commits a transaction, with the rows that it wrote.
    ///
    /// # Errors
    ///
    /// After an error, everything or nothing of the transaction may be there when the store is opened again.
    pub(crate) fn commit(
        &self,
        mut txn: WriteTransaction,
        changes: RowChanges,
        is_checkpoint: bool,
    ) -> Result<Outcome> {
        let mut state = self.state();
        let way = match self.prepare(&mut state, &changes, is_checkpoint) {
            Ok(way) => way,
            Err(error) => {
                txn.abort().or_fault()?;
                return Ok(Outcome::Refused(error));
            }
        };
        if is_checkpoint || matches!(way, Way::Checkpoint { .. }) {
            txn.set_quick_repair(true);
        }
        let written = match (&mut *state, way) {
            (State::InUse(in_use), Way::Frame) => in_use
                .append(changes)
                .and_then(|()| txn.set_durability(Durability::None).map_err(not_in_memory)),
            (State::InUse(in_use), Way::Checkpoint { is_new }) => match is_new {
                true => Ok(()),
                false => in_use.begin_epoch(),
            }
            .and_then(|()| mark(&txn, &in_use.marker())),
            _ => Ok(()),
        };
        if let Err(error) = written {
            // What redb has is what was acknowledged.
            txn.abort().or_fault()?;
            return Err(error.of_log(&self.shown()));
        }
        match txn.commit() {
            Err(CommitError::TransactionPoisoned) if way == Way::Plain => Ok(Outcome::Poisoned),
            other => other.or_fault().map(|()| Outcome::Committed),
        }
    }

    /// Decides how to commit. The first commit creates the log.
    fn prepare(&self, state: &mut State, changes: &RowChanges, is_checkpoint: bool) -> Result<Way> {
        match state {
            State::InUse(in_use) if !is_checkpoint && in_use.end.fits(changes, in_use.bytes) => {
                Ok(Way::Frame)
            }
            State::InUse(_) => Ok(Way::Checkpoint { is_new: false }),
            State::Unused(last) if self.is_wanted() && !is_checkpoint => {
                *state = State::InUse(self.create(last.as_ref())?);
                Ok(Way::Checkpoint { is_new: true })
            }
            _ => Ok(Way::Plain),
        }
    }

    fn create(&self, last: Option<&Marker>) -> Result<InUse> {
        let (Some(place), Some(bytes)) = (&self.place, self.bytes) else {
            return Err(Error::precondition("a store in memory has no log"));
        };
        self.remove_leftover(last);
        let marker = Marker::new(*uuid::Uuid::new_v4().as_bytes());
        let owner = Owner {
            store: self.store,
            log: marker.log,
        };
        let (first, checksum) = frame::first(&owner, marker.epoch, bytes);
        let file = place.create(&first).map_err(|error| {
            let shown = place.shown();
            match error.kind() {
                ErrorKind::AlreadyExists => Error::precondition(format!(
                    "its log cannot be made: something else is at {shown}, move it away"
                )),
                _ => error.of_log(&shown),
            }
        })?;
        Ok(InUse {
            file,
            owner,
            bytes,
            epoch: marker.epoch,
            before: marker.frame,
            end: End::of_epoch(&owner, marker.epoch, marker.frame, checksum),
        })
    }

    /// Removes a log that is no longer in use: the one that the file names last, or one without frames. Any other log
    /// may be needed by another file of this store.
    fn remove_leftover(&self, last: Option<&Marker>) {
        let Some(place) = &self.place else {
            return;
        };
        let removed = || -> Result<()> {
            let Some(file) = place.open(Access::Inspect)? else {
                return Ok(());
            };
            let bytes = file.heads()?;
            let heads: Vec<_> = frame::heads(&bytes).collect();
            if heads.is_empty() || heads.iter().any(|head| head.owner.store != self.store) {
                return Ok(()); // It belongs to another store.
            }
            let is_last = last.is_some_and(|last| {
                let mut logs = heads.iter().map(|head| head.owner.log);
                logs.all(|log| log == last.log)
            });
            match is_last || frame::is_unused(&file.bytes()?) {
                true => place.remove(),
                false => Ok(()),
            }
        };
        if let Err(error) = removed() {
            let path = place.shown();
            tracing::warn!(%error, path, "a log that is done with was not removed");
        }
    }

    /// Returns how many commits are in the log and not in the file, and the damage among them; `None` if no log is in
    /// use. No commit happens meanwhile.
    pub(crate) fn verify(&self) -> Result<Option<(u64, Option<Error>)>> {
        let state = self.state();
        let State::InUse(in_use) = &*state else {
            return Ok(None);
        };
        let marker = Marker {
            frame: in_use.before,
            ..in_use.marker()
        };
        let bytes = in_use.file.bytes();
        let damage = match frame::scan(&bytes?, self.store, &marker) {
            Ok(scanned) if scanned.damage.is_some() => scanned.damage,
            Ok(scanned) if scanned.number != in_use.end.number => {
                let what = format!(
                    "the log is damaged: frame {} does not hold",
                    scanned.number.saturating_add(1)
                );
                Some(Error::corrupt(what))
            }
            Ok(_) => None,
            Err(error) => Some(error),
        };
        let count = in_use.end.number.saturating_sub(in_use.before);
        Ok(Some((
            count,
            damage.map(|error| error.of_log(&self.shown())),
        )))
    }

    /// Moves everything in the log into the file, and removes the log, before the store is closed.
    ///
    /// # Errors
    ///
    /// What redb reports. The log is then kept.
    pub(crate) fn retire(&self, db: &Database) -> Result<()> {
        let mut state = self.state();
        let State::InUse(in_use) = &*state else {
            return Ok(());
        };
        let marker = Marker {
            is_in_use: false,
            ..in_use.marker()
        };
        let is_at_its_place = in_use.file.check_place().is_ok();
        *state = State::GivenUp;
        contained(|| {
            let mut txn = db.begin_write().or_fault()?;
            txn.set_quick_repair(true);
            mark(&txn, &marker)?;
            txn.commit().or_fault()
        })?;
        *state = State::Unused(Some(marker));
        if let (true, Some(place)) = (is_at_its_place, &self.place)
            && let Err(error) = place.remove()
        {
            let path = place.shown();
            tracing::warn!(%error, path, "a log that is done with was not removed");
        }
        Ok(())
    }

    fn shown(&self) -> String {
        self.place
            .as_ref()
            .map_or_else(String::new, |place| place.shown())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records in the file which log it has.
fn mark(txn: &WriteTransaction, marker: &Marker) -> Result<()> {
    txn.open_table(keys::META)
        .or_fault()?
        .insert(meta::LOG, marker.seal()?.as_slice())
        .or_fault()?;
    Ok(())
}

fn not_in_memory(error: redb::SetDurabilityError) -> Error {
    Error::precondition("the file does not allow commits in memory").caused_by(error)
}
