//! `Maintenance::salvage`: saves what it can of a damaged file in a new one.

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
use crate::session::log::recover::Recovered;
use work::Work;

/// The result of [`Maintenance::salvage`]: what was saved, and what was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SalvageReport {
    /// The id of the new store.
    pub id: StoreId,
    /// Whether this is the id of the damaged file. If that id was lost, the new store has a new one.
    pub is_id_kept: bool,
    /// Whether every container and namespace that was stored is in the new file or listed as lost. If false, the
    /// structure of the damaged file could not be followed everywhere, and others may have left no trace.
    pub is_complete: bool,
    /// What is wrong with the log of the damaged file, if that may have lost commits, and how many commits after the
    /// damage were still applied. Containers changed by lost commits may be in the new file as they were before.
    pub log_damage: Option<String>,
    /// How many namespaces the new file has.
    pub namespaces_count: u64,
    /// How many containers the new file has, the uncertain ones included.
    pub containers_count: u64,
    /// How many records of other kinds the new file has, the uncertain ones included.
    pub records_count: u64,
    /// The containers and records in the new file that may not be what was stored last.
    pub uncertain: Vec<UncertainRecord>,
    /// The containers and records that were found in part, but are not in the new file.
    pub lost: Vec<LostRecord>,
    /// The namespaces whose labels may not be what was stored last.
    pub uncertain_namespaces: Vec<String>,
    /// The length of the new file.
    pub file_bytes: u64,
}

/// A container or record that was salvaged, but may not be what was stored last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UncertainRecord {
    /// Its namespace.
    pub namespace: String,
    /// Its kind; `containers` for a container.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Whether it may have been deleted: it was found in the file, but not through the tree.
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
    /// Whether it may have been deleted, in which case it is no loss.
    pub is_possibly_deleted: bool,
    /// Why it is lost.
    pub reason: String,
}

impl Maintenance {
    /// Saves what it can of a damaged file in a new store.
    ///
    /// The damaged file is not written to, and need not be one that [`Builder::open`](crate::Builder::open)
    /// accepts. A value is taken only if its checksum is valid under its key.
    ///
    /// 1. As far as the file's structure can be followed, containers are read normally. An intact container
    ///    is certain if its page is intact too; otherwise it may be an older version.
    /// 2. If the structure or a container is damaged, the whole file is searched for remains, even of older
    ///    versions. Of a damaged container, the newest version with all its rows is taken. These are in
    ///    [`SalvageReport::uncertain`]: there may have been a newer version, and the container may have
    ///    been deleted. Review them before you use them.
    ///
    /// The same applies to records of other kinds. Commits in the log beside the file
    /// ([`Builder::commit_log`](crate::Builder::commit_log)) are taken as well. If the log is damaged, a commit after
    /// the damage is applied as far as it does not need what was lost. [`SalvageReport::log_damage`] reports this, and
    /// a log that is missing or is not the one of this file.
    ///
    /// A container that left no trace cannot be listed. If there may be any, [`SalvageReport::is_complete`] is false.
    ///
    /// Whoever controls the content of the damaged file controls the result: checksums are not signatures.
    ///
    /// Only its owner can read and write the new file. It is verified before it gets its name, and keeps the id, the
    /// rules, times and revisions as far as they can be read. If nothing is damaged, it is a copy. `progress` counts
    /// salvaged containers.
    ///
    /// # Errors
    ///
    /// In all cases, nothing new is left at `to`:
    ///
    /// - [`NotAStore`](crate::ErrorKind::NotAStore): nothing that a store writes is in the file.
    /// - [`Locked`](crate::ErrorKind::Locked): the file is in use.
    /// - [`IncompatibleFormat`](crate::ErrorKind::IncompatibleFormat): it is of a version that
    ///   this library does not read.
    /// - [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition): it is another store than
    ///   [`Maintenance::expect_id`] says.
    /// - [`AlreadyExists`](crate::ErrorKind::AlreadyExists): something exists at `to`.
    /// - [`NotFound`](crate::ErrorKind::NotFound), [`Io`](crate::ErrorKind::Io). If only the sync of the name fails, a
    ///   complete store is at `to`, and the error says so.
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
            Some(live) => damage_of_log(&live.shared.recovered),
            None => log_that_nobody_can_read(from),
        };
        Work::new(file, live, log_damage, self.settings())
            .map_err(of_source)?
            .into_new_store(to, &mut progress)
            .map_err(|error| error.during(Operation::Salvage).at(Some(to)))
    }
}

/// Opens the file. While it is held, no process can open it for writing.
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

/// Returns the report about a log that could not be applied completely.
fn damage_of_log(recovered: &Recovered) -> Option<String> {
    let damage = recovered.loss.as_ref()?;
    Some(match recovered.behind.commits {
        0 => damage.to_string(),
        1 => format!("{damage}. 1 commit behind the damage was applied"),
        count => format!("{damage}. {count} commits behind the damage were applied"),
    })
}

/// Returns the report about the log of a file that does not say which log it has.
fn log_that_nobody_can_read(path: &Path) -> Option<String> {
    let beside = Beside::store(path).ok()?;
    let what = format!(
        "its log {} was not read: the file does not say how much of it it has",
        beside.shown()
    );
    beside.is_there().then_some(what)
}
