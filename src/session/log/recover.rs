//! What opening a store does with its log.

use redb::{Database, ReadTransaction, ReadableDatabase};

use crate::model::error::{Error, Result};
use crate::records::keys::{self, TableCode, meta};
use crate::records::marker::Marker;
use crate::redb_file::fault::{OrFault, contained};
use crate::redb_file::gate::Access;
use crate::session::file::identity;
use crate::session::log::behind::{self, Behind};
use crate::session::log::checkpoint::mark;
use crate::session::log::frame::{self, Scanned};
use crate::session::log::place::{LogPlace, missing};

/// What was found in a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recovered {
    /// The file's record of its last log, once everything is applied.
    pub(crate) marker: Option<Marker>,
    /// How many commits were applied; `None` if no log was in use.
    pub(crate) commits: Option<u64>,
    /// The damage that was passed over, if allowed: commits are lost.
    pub(crate) loss: Option<Error>,
    /// What the commits after the damage did.
    pub(crate) behind: Behind,
}

/// What to do with a log that cannot be read completely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnLoss {
    Refuse,
    /// Apply the commits before the damage, and those after it as far as they fit, and report the loss.
    PassOver,
}

/// Returns the file's record of its log; `None` if it never had one.
pub(crate) fn marker(snapshot: &ReadTransaction) -> Result<Option<Marker>> {
    contained(|| {
        let table = snapshot.open_table(keys::META).or_fault()?;
        let value = table.get(meta::LOG).or_fault()?;
        value.map(|value| Marker::decode(value.value())).transpose()
    })
}

/// Applies what is in the log and not in the file, and says in the file that the log is no longer in use. That is
/// durable if the gate is open, or kept behind it.
///
/// # Errors
///
/// `Corrupt` if the log is missing, another one, or damaged before its last frame. Nothing is changed then.
pub(crate) fn recover(
    db: &Database,
    place: Option<&dyn LogPlace>,
    access: Access,
    on_loss: OnLoss,
) -> Result<Recovered> {
    // Kept until the end, so that pages that are not verified yet stay unchanged.
    let before = contained(|| db.begin_read().or_fault())?;
    let marker = marker(&before)?;
    let Some(marker) = marker.filter(|marker| marker.is_in_use) else {
        return Ok(Recovered {
            marker,
            ..Recovered::default()
        });
    };
    let store = contained(|| identity(&before))?.uuid;
    let shown = place.map_or_else(String::new, LogPlace::shown);
    let bytes = read(place, access).map_err(|error| error.of_log(&shown));
    let scanned = match &bytes {
        Ok(bytes) => frame::scan(bytes, store, &marker).map_err(|error| error.of_log(&shown)),
        Err(error) => Err(error.clone()),
    };
    let (scanned, loss) = match scanned {
        Ok(mut scanned) => {
            let damage = scanned.damage.take();
            (Some(scanned), damage.map(|error| error.of_log(&shown)))
        }
        Err(error) => (None, Some(error)),
    };
    if let (Some(error), OnLoss::Refuse) = (&loss, on_loss) {
        return Err(error.clone());
    }
    let done = Marker {
        epoch: scanned.as_ref().map_or(marker.epoch, |log| log.epoch),
        frame: scanned.as_ref().map_or(marker.frame, |log| log.number),
        is_in_use: false,
        ..marker
    };
    let behind = contained(|| apply(db, scanned.as_ref(), &done))?;
    drop(before);
    let commits = scanned.map_or(0, |log| log.count());
    tracing::info!(log = shown, commits, "applied what was in the log");
    Ok(Recovered {
        marker: Some(done),
        commits: Some(commits),
        loss,
        behind,
    })
}

fn read(place: Option<&dyn LogPlace>, access: Access) -> Result<Vec<u8>> {
    let log = place.map(|place| place.open(access)).transpose()?;
    log.flatten()
        .ok_or_else(|| missing("it is not there"))?
        .bytes()
}

fn apply(db: &Database, scanned: Option<&Scanned<'_>>, done: &Marker) -> Result<Behind> {
    let mut txn = db.begin_write().or_fault()?;
    txn.set_quick_repair(true);
    let mut behind = Behind::default();
    if let Some(scanned) = scanned {
        let mut records = txn.open_table(keys::RECORDS).or_fault()?;
        let mut namespaces = txn.open_table(keys::NAMESPACES).or_fault()?;
        let mut meta = txn.open_table(keys::META).or_fault()?;
        let mut tombstones = txn.open_table(keys::TOMBSTONES).or_fault()?;
        for row in scanned.rows() {
            let row = row?;
            let table = match row.table {
                TableCode::Records => &mut records,
                TableCode::Namespaces => &mut namespaces,
                TableCode::Meta => &mut meta,
                TableCode::Tombstones => &mut tombstones,
            };
            match row.value {
                Some(value) => table.insert(row.key, value).or_fault()?,
                None => table.remove(row.key).or_fault()?,
            };
        }
        // There are none unless damage is passed over.
        behind.commits = scanned.count_behind();
        let mut tables = behind::Tables {
            records: &mut records,
            namespaces: &mut namespaces,
            meta: &mut meta,
        };
        behind.left = behind::apply(scanned.rows_behind(), &mut tables)?;
    }
    mark(&txn, done)?;
    txn.commit().or_fault()?;
    Ok(behind)
}
