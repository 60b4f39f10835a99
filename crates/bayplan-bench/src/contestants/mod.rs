//! Who takes part: one file each.

mod bayplan;
mod blob_filter;
mod containerd;
mod fjall;
mod lmdb;
mod redb;
mod sqlite;

use std::path::Path;

use anyhow::{Result, bail};

use crate::contestant::Contestant;
use crate::peer::{self, Peer, Timed};

use self::bayplan::Bayplan;
use self::containerd::Containerd;
use self::fjall::Fjall;
use self::lmdb::Lmdb;
use self::redb::{RedbBlob, RedbPut};
use self::sqlite::Sqlite;

/// All of them, in the order of the table.
pub(crate) const NAMES: [&str; 7] = [
    Bayplan::NAME,
    RedbPut::NAME,
    RedbBlob::NAME,
    Sqlite::NAME,
    Lmdb::NAME,
    Fjall::NAME,
    containerd::NAME,
];

/// The contestant of this name, with its files below `directory`, and containerd by this program if
/// it is built already; `Err` tells why it cannot run.
pub(crate) fn make(
    name: &str,
    directory: &Path,
    program: Option<&Path>,
) -> Result<Box<dyn Contestant>> {
    let directory = directory.join(name);
    Ok(match name {
        Bayplan::NAME => Box::new(Timed::<Bayplan>::new(&directory)),
        RedbPut::NAME => Box::new(Timed::<RedbPut>::new(&directory)),
        RedbBlob::NAME => Box::new(Timed::<RedbBlob>::new(&directory)),
        Sqlite::NAME => Box::new(Timed::<Sqlite>::new(&directory)),
        Lmdb::NAME => Box::new(Timed::<Lmdb>::new(&directory)),
        Fjall::NAME => Box::new(Timed::<Fjall>::new(&directory)),
        containerd::NAME => Box::new(Containerd::new(&directory, program)?),
        _ => bail!("there is no contestant {name:?}"),
    })
}

/// Lists all containers, in the process whose memory is measured.
pub(crate) fn list_with_small_cache(name: &str, directory: &Path) -> Result<usize> {
    match name {
        Bayplan::NAME => peer::list_with_small_cache::<Bayplan>(directory),
        RedbPut::NAME => peer::list_with_small_cache::<RedbPut>(directory),
        RedbBlob::NAME => peer::list_with_small_cache::<RedbBlob>(directory),
        Sqlite::NAME => peer::list_with_small_cache::<Sqlite>(directory),
        Lmdb::NAME => peer::list_with_small_cache::<Lmdb>(directory),
        Fjall::NAME => peer::list_with_small_cache::<Fjall>(directory),
        _ => bail!("there is no contestant {name:?} in this process"),
    }
}
