//! `Maintenance::salvage`: what can be saved of a damaged file, in a new one.

mod holes;
mod intact;
mod live;
mod name;
mod names;
mod remains;
mod work;

use std::fs::File;
use std::path::Path;

use serde::Serialize;

use crate::maintenance::Maintenance;
use crate::maintenance::salvage::live::Live;
use crate::model::error::{Error, ErrorKind, Operation, Result};
use crate::model::info::StoreId;
use crate::model::progress::Progress;
use crate::redb_file::fault::OrIo;
use crate::session::file;
use crate::session::log::place::{Beside, LogPlace};
use work::Work;

/// What [`Maintenance::salvage`] saved, and what it did not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SalvageReport {
    /// Which store the new file is.
    pub id: StoreId,
    /// Whether that is the id of the damaged file; where it was lost, the store got a new one.
    pub is_id_kept: bool,
    /// Whether every container and namespace that was stored is in the new file, or among the lost
    /// ones by what can be read of its name. If not, the structure of the damaged file could not
    /// be followed everywhere, and there may have been some of which nothing was found.
    pub is_complete: bool,
    /// What is wrong with the log of the damaged file, if commits may be lost with it: those after the last
    /// checkpoint, or after the damage in the log. Containers that these changed are in the new file as they were before.
    pub log_damage: Option<String>,
    /// How many namespaces the new file has.
    pub namespaces_count: u64,
    /// How many containers the new file has, the uncertain ones included.
    pub containers_count: u64,
    /// How many records of other kinds the new file has, the uncertain ones included.
    pub records_count: u64,
    /// The containers and records that are in the new file, and may not be what was stored last.
    pub uncertain: Vec<UncertainRecord>,
    /// The containers and records of which something was found, and that are not in the new file.
    pub lost: Vec<LostRecord>,
    /// The namespaces whose labels may not be what was stored last.
    pub uncertain_namespaces: Vec<String>,
    /// The length of the new file.
    pub file_bytes: u64,
}

/// A container or record that was salvaged, and may not be what was stored last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UncertainRecord {
    /// Its namespace.
    pub namespace: String,
    /// Its kind; `containers` for a container.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Whether it may have been deleted before: it was found in the file, but not by its place.
    pub is_possibly_deleted: bool,
    /// Why it is uncertain.
    pub reason: String,
}

/// A container or record that could not be salvaged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LostRecord {
    /// Its namespace, as far as it can be read.
    pub namespace: String,
    /// Its kind; `containers` for a container.
    pub kind: String,
    /// Its id, as far as it can be read.
    pub id: String,
    /// Whether it may have been deleted before: then it is no loss.
    pub is_possibly_deleted: bool,
    /// Why it is lost.
    pub reason: String,
}

impl Maintenance {
    /// Saves what can be saved of a damaged file, as a new store.
    ///
    /// The damaged file is not written to; neither is it needed to be a file that
    /// [`Builder::open`](crate::Builder::open) accepts. Each value is taken only if its checksum holds under its key.
    ///
    /// 1. As far as the file's structure can be followed, containers are read as always. Those
    ///    that are whole are certain, if their pages are: another one may be older than it should be.
    /// 2. If the structure is damaged, or a container is, all places of the file are searched for
    ///    what is left, also of older versions. Of a damaged container, the newest version is
    ///    taken of which all rows are there. These are in [`SalvageReport::uncertain`]: there may
    ///    have been a newer version, and the container may have been deleted. Look at them before they are used.
    ///
    /// The same goes for records of other kinds. What is in the log beside the file
    /// ([`Builder::commit_log`](crate::Builder::commit_log)) is taken as well, up to its first damage; if the log is missing, or is
    /// not the one that the file means, [`SalvageReport::log_damage`] says so.
    ///
    /// What is not known to have existed cannot be named: a container of which nothing is left is
    /// in no list, and [`SalvageReport::is_complete`] is false where there may be any.
    ///
    /// Who could choose the content of the damaged file chooses what is found: checksums are not
    /// signatures.
    ///
    /// The new file can be read and written by its owner only, is verified before it gets its name
    /// and keeps the id, the rules, times and revisions, where they are left. If nothing is
    /// damaged, it is a copy. `progress` counts containers that were salvaged.
    ///
    /// # Errors
    ///
    /// In all cases nothing is left at `to` that was not there:
    ///
    /// - [`NotAStore`](crate::ErrorKind::NotAStore): nothing that a store writes is in the file.
    /// - [`Locked`](crate::ErrorKind::Locked): the file is in use.
    /// - [`IncompatibleFormat`](crate::ErrorKind::IncompatibleFormat): it is of a version that
    ///   this library does not read.
    /// - [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition): it is another store than
    ///   [`Maintenance::expect_id`] says.
    /// - [`AlreadyExists`](crate::ErrorKind::AlreadyExists): there is anything at `to`.
    /// - [`NotFound`](crate::ErrorKind::NotFound), [`Io`](crate::ErrorKind::Io). If only the sync of
    ///   the name fails, a whole store is there, and the error says so.
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{Any, Container, Db, Maintenance, Runtime};
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("meta.redb");
    /// # let saved = directory.path().join("saved.redb");
    /// let spec = Any::new("spec", b"{}");
    /// let web = Container::new("web", Runtime::new("runc"), spec);
    /// Db::create(&path)?.namespace("k8s.io")?.create(web)?;
    /// let mut bytes = std::fs::read(&path).unwrap();
    /// bytes[..4096].fill(0); // the header, without which redb opens nothing
    /// std::fs::write(&path, bytes).unwrap();
    ///
    /// let report = Maintenance::new().salvage(&path, &saved, |_| {})?;
    /// assert_eq!(report.uncertain[0].id, "web");
    /// assert!(!report.is_complete);
    /// assert!(Db::open(&saved)?.namespace("k8s.io")?.get("web").is_ok());
    /// # Ok(())
    /// # }
    /// ```
    pub fn salvage(
        self,
        from: impl AsRef<Path>,
        to: impl AsRef<Path>,
        mut progress: impl FnMut(Progress),
    ) -> Result<SalvageReport> {
        let (from, to) = (from.as_ref(), to.as_ref());
        let of_source = |error: Error| error.during(Operation::OpenStore).at(Some(from));
        let open = || {
            let live = Live::open(from, self.settings())?;
            Ok((locked(from)?, live))
        };
        let (file, live) = self.when_unlocked(from, open).map_err(of_source)?;
        let log_damage = match &live {
            Some(live) => live.shared.recovered.loss.as_ref().map(Error::to_string),
            None => log_that_nobody_can_read(from),
        };
        Work::new(file, live, log_damage, self.settings())
            .map_err(of_source)?
            .into_new_store(to, &mut progress)
            .map_err(|error| error.during(Operation::Salvage).at(Some(to)))
    }
}

/// The file, which nobody can open for writing while this is held.
fn locked(path: &Path) -> Result<File> {
    file::regular(path)?;
    let file = File::open(path).or_io()?;
    match file.try_lock_shared() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(Error::new(ErrorKind::Locked, "the file is in use"))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error).or_io(),
    }
}

/// What is told of the log of a file that does not say which log it has.
fn log_that_nobody_can_read(path: &Path) -> Option<String> {
    let beside = Beside::store(path).ok()?;
    let what = format!(
        "its log {} was not read: the file does not say how much of it it has",
        beside.shown()
    );
    beside.is_there().then_some(what)
}
