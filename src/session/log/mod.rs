//! The log: commits before they are in the store's file.
//!
//! A commit of redb writes pages in many places. With a log, the rows that a transaction wrote are appended to a file
//! beside the store's in one piece, and synced. That is the commit. Until the rows are in the file, they are kept in
//! memory on top of it ([`Layer`]). A checkpoint writes them into the file in one commit of redb, together with the
//! number of the last frame that the file has, while commits go on. After a crash, the frames after that number are
//! applied, row by row.
//!
//! - [`changes`]: the rows of a transaction.
//! - [`checkpoint`]: moving the rows into the file.
//! - [`frame`]: the bytes of a log.
//! - [`place`]: the file of the log.
//! - [`recover`]: what opening a store does with a log.
//! - [`behind`]: what salvage does with the frames behind a damaged one.
//!
//! These rules hold; `docs/FORMAT.md` says why:
//!
//! 1. The store's file durably says that a log is in use before the first frame is written.
//! 2. The head of an epoch is durable before the first frame of that epoch is written.
//! 3. An epoch begins in the place of the epoch two before it. The file durably has all frames of that one by then.
//! 4. A frame is written only after all before it were synced. After one failure, no more are written.
//! 5. The log is removed only after the file durably says that it is no longer in use.

pub(crate) mod behind;
pub(crate) mod changes;
pub(crate) mod checkpoint;
pub(crate) mod frame;
pub(crate) mod place;
pub(crate) mod recover;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::error::{Error, ErrorKind, Result};
use crate::query::Layer;
use crate::records::marker::Marker;
use crate::redb_file::fault::OrIo;
use crate::redb_file::gate::Access;
use crate::session::snapshot::Contents;
use changes::RowChanges;
use checkpoint::{Checkpoint, Prepared, Target};
use frame::{End, Owner};
use place::{LogFile, LogPlace};

/// The outcome of a commit that did not fail.
pub(crate) enum Outcome {
    Committed(Committed),
    /// Nothing of it is stored, since no log could be made. The next commit may succeed.
    Refused(Error),
    /// Nothing of it is stored, since a checkpoint failed. No commit can succeed any more.
    Broken(Error),
}

/// What the next transaction must know of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Next {
    /// The number of its commit; 0 if there is no log yet.
    pub(crate) commit: u64,
    /// The most bytes of a frame.
    pub(crate) room_bytes: usize,
}

/// What a store holds after a commit.
pub(crate) struct Committed {
    /// What the file holds, if that has changed.
    pub(crate) contents: Option<Contents>,
    /// What is on top of it.
    pub(crate) layer: Layer,
}

/// How the log of an open store is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// The length of a new log; `None` if commits do not go through a log.
    pub(crate) bytes: Option<u64>,
    /// Whether checkpoints run beside commits.
    pub(crate) is_beside: bool,
}

/// The log of an open store.
#[derive(Debug)]
pub(crate) struct Log {
    /// `None` for a store in memory.
    place: Option<Box<dyn LogPlace>>,
    store: [u8; 16],
    usage: Usage,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// No log is in use.
    Unused {
        /// The last log, if the file names one.
        last: Option<Marker>,
        /// Whether the store was written since it was opened.
        has_committed: bool,
    },
    /// The content of the log is in the file as soon as the gate before it opens.
    Recovered(Marker),
    InUse(Box<InUse>),
    /// Something failed: the log is left for the next opener.
    GivenUp,
}

struct InUse {
    file: LogFile,
    /// Its path, for messages.
    shown: String,
    owner: Owner,
    bytes: u64,
    /// What the file says about the log, as far as that is certain.
    named: Marker,
    end: End,
    /// What is in the log, and not in the file as far as that is certain.
    layer: Layer,
    /// The checkpoint that has begun last, until its end was noticed.
    checkpoint: Option<Checkpoint>,
}

impl InUse {
    /// What the file is to say once it has all frames.
    fn marker(&self) -> Marker {
        Marker {
            log: self.owner.log,
            epoch: self.end.epoch,
            frame: self.end.number,
            is_in_use: true,
        }
    }

    /// Appends one frame, and syncs it.
    fn append(&mut self, changes: RowChanges) -> Result<()> {
        let at = self.end.at as u64;
        let (frame, end) = self.end.frame(changes)?;
        let written = self.file.write(at, &frame).or_io();
        written.map_err(|error| error.of_log(&self.shown))?;
        self.end = end;
        Ok(())
    }

    /// Makes the head of the next epoch durable. The file has all frames of the epoch before this one.
    fn begin_epoch(&mut self) -> Result<()> {
        let next = self.end.next_epoch(&self.owner, self.bytes);
        let (head, end) =
            next.ok_or_else(|| Error::precondition("the log has used up its epochs"))?;
        let place = frame::head_place(end.epoch);
        let written = self.file.write(place, &head).or_io();
        written.map_err(|error| error.of_log(&self.shown))?;
        self.end = end;
        Ok(())
    }

    /// Waits for the checkpoint that has begun, if there is one. Returns what the file then holds, and removes from
    /// `layer` what is in it.
    fn end_checkpoint(&mut self, layer: &mut Layer) -> Result<Option<Contents>> {
        let Some(checkpoint) = self.checkpoint.take() else {
            return Ok(None);
        };
        let ended = checkpoint.end()?;
        self.named = ended.marker;
        self.layer = ended.rest_of(&self.layer);
        *layer = ended.rest_of(layer);
        Ok(Some(ended.contents))
    }

    /// Makes room for a frame of these rows: begins the next epoch, and writes what the log has into the file.
    fn make_room(
        &mut self,
        changes: &RowChanges,
        layer: &mut Layer,
        target: &Target,
        usage: Usage,
    ) -> Result<Option<Contents>> {
        let is_full = !self.end.fits(changes);
        let is_ended = self.checkpoint.as_ref().is_some_and(Checkpoint::is_done);
        let mut contents = match is_full || is_ended {
            true => self.end_checkpoint(layer)?,
            false => None,
        };
        if is_full {
            self.begin_epoch()?;
            let (layer_now, marker) = (self.layer.clone(), self.marker());
            let begun = Checkpoint::begin(target, layer_now, marker, usage.is_beside);
            let is_done = begun.is_done();
            self.checkpoint = Some(begun);
            if is_done {
                contents = self.end_checkpoint(layer)?.or(contents);
            }
        }
        Ok(contents)
    }

    /// Commits a transaction by appending its frame. `layer` is everything on top of the file with it.
    fn commit_frame(
        &mut self,
        target: &Target,
        changes: RowChanges,
        mut layer: Layer,
        usage: Usage,
    ) -> Result<Outcome> {
        let contents = match self.make_room(&changes, &mut layer, target, usage) {
            Ok(contents) => contents,
            Err(error) => return Ok(Outcome::Broken(error)),
        };
        self.append(changes)?;
        self.layer = layer.clone();
        Ok(Outcome::Committed(Committed { contents, layer }))
    }

    /// Commits a transaction by a checkpoint, without a frame. `layer` is everything on top of the file with it.
    fn commit_into_file(&mut self, target: &Target, mut layer: Layer) -> Result<Outcome> {
        let prepared = self
            .end_checkpoint(&mut layer)
            .and_then(|_| self.begin_epoch())
            .and_then(|()| checkpoint::prepare(target, &layer, Some(&self.marker())));
        match prepared {
            Ok(prepared) => self.checkpoint(target, prepared).map(Outcome::Committed),
            Err(error) => Ok(Outcome::Broken(error)),
        }
    }

    /// Writes a layer, which has everything that is in the log, into the file. The log is then in a new epoch, and empty.
    ///
    /// # Errors
    ///
    /// After an error, the file has everything or nothing of it.
    fn checkpoint(&mut self, target: &Target, prepared: Prepared) -> Result<Committed> {
        let contents = prepared.commit(target)?;
        self.named = self.marker();
        self.layer = Layer::empty(self.end.number);
        Ok(Committed {
            contents: Some(contents),
            layer: self.layer.clone(),
        })
    }
}

impl fmt::Debug for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InUse")
            .field("file", &self.file)
            .field("named", &self.named)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

impl Log {
    /// Makes the log of a store whose file names `last` as its last log. If the gate is closed, the file names it only
    /// behind the gate.
    pub(crate) fn new(
        place: Option<Box<dyn LogPlace>>,
        store: [u8; 16],
        usage: Usage,
        last: Option<Marker>,
        is_held_back: bool,
    ) -> Self {
        let log = Self {
            usage: Usage {
                bytes: usage.bytes.filter(|_| place.is_some()),
                ..usage
            },
            place,
            store,
            state: Mutex::new(match last {
                Some(marker) if is_held_back => State::Recovered(marker),
                last => State::Unused {
                    last,
                    has_committed: false,
                },
            }),
        };
        if !is_held_back {
            log.remove_leftover(last.as_ref());
        }
        log
    }

    /// Whether commits are to go through a log, except for the first.
    pub(crate) fn is_wanted(&self) -> bool {
        self.usage.bytes.is_some()
    }

    /// Notes a commit that did not go through the log.
    pub(crate) fn note_commit(&self) {
        if let State::Unused { has_committed, .. } = &mut *self.state() {
            *has_committed = true;
        }
    }

    /// Returns what the next transaction must know; `None` if it does not go through the log. The first commit after the
    /// store was opened does not, and the second one makes the log: that takes as long as some twenty commits, and many
    /// processes make one only.
    ///
    /// # Errors
    ///
    /// Why a checkpoint failed, if one has: no commit can succeed any more.
    pub(crate) fn next(&self) -> Result<Option<Next>> {
        let Some(wanted_bytes) = self.usage.bytes else {
            return Ok(None);
        };
        let state = self.state();
        let (commit, bytes) = match &*state {
            State::Recovered(_) => return Ok(None),
            State::Unused { has_committed, .. } if !has_committed => return Ok(None),
            State::InUse(in_use) => {
                let checkpoint = in_use.checkpoint.as_ref();
                if let Some(error) = checkpoint.and_then(Checkpoint::failure) {
                    return Err(error.clone());
                }
                (in_use.end.number.saturating_add(1), in_use.bytes)
            }
            State::Unused { .. } | State::GivenUp => (0, wanted_bytes),
        };
        Ok(Some(Next {
            commit,
            room_bytes: frame::frame_max_bytes(bytes),
        }))
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
            *state = State::Unused {
                last: Some(marker),
                has_committed: false,
            };
            self.remove_leftover(Some(&marker));
        }
    }

    /// Stops writing: the log is left for the next opener. Waits for a checkpoint.
    pub(crate) fn give_up(&self) {
        let before = std::mem::replace(&mut *self.state(), State::GivenUp);
        if let State::InUse(in_use) = before
            && let Some(checkpoint) = in_use.checkpoint
            && let Err(error) = checkpoint.end()
        {
            tracing::error!(%error, "a checkpoint failed: what is in the log stays there");
        }
    }

    /// Commits a transaction: its rows for the log, and everything on top of the file with them. A checkpoint leaves
    /// nothing in the log.
    ///
    /// # Errors
    ///
    /// After an error, everything or nothing of the transaction may be there when the store is opened again.
    pub(crate) fn commit(
        &self,
        target: &Target,
        changes: RowChanges,
        layer: Layer,
        is_checkpoint: bool,
    ) -> Result<Outcome> {
        let mut state = self.state();
        match &mut *state {
            State::Unused { .. } if is_checkpoint => {
                Ok(match checkpoint::prepare(target, &layer, None) {
                    Ok(prepared) => Outcome::Committed(Committed {
                        contents: Some(prepared.commit(target)?),
                        layer: Layer::default(),
                    }),
                    Err(error) => Outcome::Refused(error),
                })
            }
            State::Unused { last, .. } => {
                let begun = self.create(last.as_ref()).and_then(|new| {
                    let prepared = checkpoint::prepare(target, &layer, Some(&new.marker()))?;
                    Ok((new, prepared))
                });
                let (mut new, prepared) = match begun {
                    Ok(begun) => begun,
                    Err(error) => return Ok(Outcome::Refused(error)),
                };
                let committed = new.checkpoint(target, prepared);
                *state = State::InUse(Box::new(new));
                committed.map(Outcome::Committed)
            }
            State::InUse(in_use) if is_checkpoint || changes.frame_bytes().is_none() => {
                in_use.commit_into_file(target, layer)
            }
            State::InUse(in_use) => in_use.commit_frame(target, changes, layer, self.usage),
            State::Recovered(_) | State::GivenUp => {
                Err(Error::precondition("the log was given up"))
            }
        }
    }

    fn create(&self, last: Option<&Marker>) -> Result<InUse> {
        let (Some(place), Some(bytes)) = (&self.place, self.usage.bytes) else {
            return Err(Error::precondition("a store in memory has no log"));
        };
        let removed = self.try_remove_leftover(last);
        let marker = Marker::new(*uuid::Uuid::new_v4().as_bytes());
        let owner = Owner {
            store: self.store,
            log: marker.log,
        };
        let (first, end) = frame::first(&owner, marker.epoch, marker.frame, bytes);
        let file = place.create(&first).map_err(|error| {
            let shown = place.shown();
            if error.kind() != ErrorKind::AlreadyExists {
                return error.of_log(&shown);
            }
            let what =
                format!("its log cannot be made: something else is at {shown}, move it away");
            match removed {
                // It may well be the last log.
                Err(cause) if cause.kind() == ErrorKind::Io => {
                    Error::new(ErrorKind::Io, what).caused_by(cause)
                }
                _ => Error::precondition(what),
            }
        })?;
        Ok(InUse {
            file,
            shown: place.shown(),
            owner,
            bytes,
            named: marker,
            end,
            layer: Layer::default(),
            checkpoint: None,
        })
    }

    /// Removes a log that is no longer in use: the one that the file names last, or one without frames. Any other log
    /// may be needed by another file of this store.
    fn try_remove_leftover(&self, last: Option<&Marker>) -> Result<()> {
        let Some(place) = &self.place else {
            return Ok(());
        };
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
    }

    /// The same where nothing depends on it.
    fn remove_leftover(&self, last: Option<&Marker>) {
        if let Err(error) = self.try_remove_leftover(last) {
            let path = self.shown();
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
        let named = in_use.named;
        let bytes = in_use.file.bytes();
        let damage = match frame::scan(&bytes?, self.store, &named) {
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
        let count = in_use.end.number.saturating_sub(named.frame);
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
    pub(crate) fn retire(&self, target: &Target) -> Result<()> {
        let mut state = self.state();
        let before = std::mem::replace(&mut *state, State::GivenUp);
        let State::InUse(mut in_use) = before else {
            *state = before;
            return Ok(());
        };
        let marker = Marker {
            is_in_use: false,
            ..in_use.marker()
        };
        let is_at_its_place = in_use.file.check_place().is_ok();
        in_use
            .end_checkpoint(&mut Layer::default())
            .and_then(|_| checkpoint::write(target, &in_use.layer, &marker))
            .map_err(|error| {
                error.prefixed("what is in the log stays there: open the store again")
            })?;
        *state = State::Unused {
            last: Some(marker),
            has_committed: true,
        };
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
