//! Checkpoints: what the log has is written into the file.
//!
//! A checkpoint runs on a thread of its own, while commits go on in the next epoch. The thread lives as long as the
//! checkpoint; there is at most one.

use std::sync::Arc;
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

/// Writes the rows of a layer into the file, durably, with what it is to say about its log. Returns what the file then
/// holds.
///
/// # Errors
///
/// After an error, the file has everything or nothing of it. The log still has it.
pub(super) fn write(target: &Target, layer: &Layer, marker: Option<&Marker>) -> Result<Contents> {
    contained(|| {
        let change = target.gate.as_ref().map(Gate::begin_change).transpose()?;
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
        txn.commit().or_fault()?;
        drop(change);
        let contents = Contents::of(target.db.begin_read().or_fault()?);
        // A snapshot is made of it, which must not fail.
        for code in TableCode::ALL {
            contents.stored(code)?;
        }
        Ok(contents)
    })
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
    pub(super) marker: Marker,
    work: Work,
}

enum Work {
    Running(JoinHandle<Result<Contents>>),
    Done(Result<Contents>),
}

/// A checkpoint that has ended.
pub(super) struct Ended {
    /// What the file holds.
    pub(super) contents: Contents,
    layer: Layer,
    pub(super) marker: Marker,
}

impl Ended {
    /// Returns what a layer has that is not in the file.
    pub(super) fn rest_of(&self, layer: &Layer) -> Layer {
        layer.after(self.marker.frame, &self.layer)
    }
}

impl Checkpoint {
    /// Begins to write a layer into the file: on a thread, or, if `is_beside` is false or there is none to be had, right
    /// here.
    pub(super) fn begin(target: &Target, layer: Layer, marker: Marker, is_beside: bool) -> Self {
        let thread = is_beside.then(|| {
            let (target, layer) = (target.clone(), layer.clone());
            thread::Builder::new()
                .name("bayplan-checkpoint".to_owned())
                .spawn(move || write(&target, &layer, Some(&marker)))
        });
        let work = match thread {
            Some(Ok(thread)) => Work::Running(thread),
            Some(Err(_)) | None => Work::Done(write(target, &layer, Some(&marker))),
        };
        Self {
            layer,
            marker,
            work,
        }
    }

    /// Whether it need not be waited for.
    pub(super) fn is_done(&self) -> bool {
        match &self.work {
            Work::Running(thread) => thread.is_finished(),
            Work::Done(_) => true,
        }
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// Why it failed.
    pub(super) fn end(self) -> Result<Ended> {
        let written = match self.work {
            Work::Done(written) => written,
            Work::Running(thread) => thread.join().unwrap_or_else(|_| {
                let what = "the checkpoint panicked";
                Err(Error::new(ErrorKind::Unavailable, what))
            }),
        };
        Ok(Ended {
            contents: written?,
            layer: self.layer,
            marker: self.marker,
        })
    }
}
