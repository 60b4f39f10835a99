//! Checkpoints: what the log has is written into the file.
//!
//! A checkpoint runs on a thread of its own, while commits go on in the next epoch. The thread lives as long as the
//! checkpoint; there is at most one.

use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use redb::{Database, ReadableDatabase, WriteTransaction};

use crate::model::error::{Error, ErrorKind, Result};
use crate::query::Layer;
use crate::records::keys::{self, TableCode, meta};
use crate::records::marker::Marker;
use crate::redb_file::fault::{Closing, OrFault, contained};
use crate::redb_file::gate::Gate;
use crate::session::snapshot::Contents;

/// The file that checkpoints are written into.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) db: Arc<Closing<Database>>,
    /// The gate before it; `None` before a new one.
    pub(crate) gate: Option<Gate>,
}

/// The rows of a layer in a transaction of redb. Nothing of it is in the file yet.
pub(super) struct Prepared(WriteTransaction);

/// Puts the rows of a layer into a transaction, with what the file is to say about its log.
///
/// # Errors
///
/// `Corrupt` if a damaged page was found; what redb reports. Nothing is stored then.
pub(super) fn prepare(target: &Target, layer: &Layer, marker: Option<&Marker>) -> Result<Prepared> {
    contained(|| {
        let _change = target.gate.as_ref().map(Gate::begin_change).transpose()?;
        let mut txn = target.db.begin_write().or_fault()?;
        txn.set_quick_repair(true);
        for code in TableCode::ALL {
            let rows: Vec<_> = layer.table(code).rows().collect();
            if rows.is_empty() {
                continue;
            }
            let mut table = txn.open_table(code.table()).or_fault()?;
            // From last to first, which packs redb's pages best.
            for (key, value) in rows.into_iter().rev() {
                match value {
                    Some(value) => table.insert(key, value).or_fault()?,
                    None => table.remove(key).or_fault()?,
                };
            }
        }
        if let Some(marker) = marker {
            mark(&txn, marker)?;
        }
        Ok(Prepared(txn))
    })
}

impl Prepared {
    /// Makes it durable. Returns what the file then holds.
    ///
    /// # Errors
    ///
    /// After an error, the file has everything or nothing of it.
    pub(super) fn commit(self, target: &Target) -> Result<Contents> {
        contained(|| {
            self.0.commit().or_fault()?;
            let contents = Contents::of(target.db.begin_read().or_fault()?);
            // A snapshot is made of it, which must not fail.
            for code in TableCode::ALL {
                contents.stored(code)?;
            }
            Ok(contents)
        })
    }
}

/// Writes the rows of a layer into the file, durably, with what it is to say about its log. Returns what the file then
/// holds.
///
/// # Errors
///
/// After an error, the file has everything or nothing of it. The log still has it.
pub(super) fn write(target: &Target, layer: &Layer, marker: &Marker) -> Result<Contents> {
    prepare(target, layer, Some(marker))?.commit(target)
}

/// Records in the file which log it has.
pub(super) fn mark(txn: &WriteTransaction, marker: &Marker) -> Result<()> {
    txn.open_table(keys::META)
        .or_fault()?
        .insert(meta::LOG, marker.seal()?.as_slice())
        .or_fault()?;
    Ok(())
}

/// A checkpoint beside commits.
pub(super) struct Checkpoint {
    /// Everything that it writes.
    layer: Layer,
    /// What the file says about its log afterwards.
    marker: Marker,
    /// What came of it, once it has ended.
    result: Arc<OnceLock<Result<Contents>>>,
    thread: Option<JoinHandle<()>>,
}

/// A checkpoint that has ended well.
pub(super) struct Ended {
    /// What the file holds.
    pub(super) contents: Contents,
    layer: Layer,
    pub(super) marker: Marker,
}

impl Ended {
    /// Returns what a layer has that is not in the file.
    pub(super) fn rest_of(&self, layer: &Layer) -> Layer {
        layer.after(&self.layer)
    }
}

impl Checkpoint {
    /// Begins to write a layer into the file: on a thread, or, if `is_beside` is false or there is none to be had, right
    /// here.
    pub(super) fn begin(target: &Target, layer: Layer, marker: Marker, is_beside: bool) -> Self {
        let result = Arc::new(OnceLock::new());
        let work = {
            let (target, layer, result) = (target.clone(), layer.clone(), Arc::clone(&result));
            move || {
                let written = write(&target, &layer, &marker);
                if let Err(error) = &written {
                    tracing::error!(%error, "a checkpoint failed: what is in the log stays there");
                }
                let _ = result.set(written);
            }
        };
        let builder = thread::Builder::new().name("bayplan-checkpoint".to_owned());
        let thread = match is_beside {
            true => builder.spawn(work.clone()).ok(),
            false => None,
        };
        if thread.is_none() {
            work();
        }
        Self {
            layer,
            marker,
            result,
            thread,
        }
    }

    /// Whether it need not be waited for.
    pub(super) fn is_done(&self) -> bool {
        self.result.get().is_some()
    }

    /// Returns why it failed, if it has failed by now.
    pub(super) fn failure(&self) -> Option<&Error> {
        self.result.get()?.as_ref().err()
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// Why it failed.
    pub(super) fn end(self) -> Result<Ended> {
        let has_panicked = self.thread.is_some_and(|thread| thread.join().is_err());
        let ended = self.result.get().filter(|_| !has_panicked).cloned();
        let panicked = || Error::new(ErrorKind::Unavailable, "the checkpoint panicked");
        Ok(Ended {
            contents: ended.ok_or_else(panicked)??,
            layer: self.layer,
            marker: self.marker,
        })
    }
}
