//! If any call fails while a new store is made on a real path, there is either nothing at that path, or a complete
//! store and no error. The source is unchanged.

use std::fs::{self, File};
use std::io;
use std::ops::Bound;

use bayplan::{BackupReport, Db, ErrorKind, Result};
use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::disk::{Call, Disk, Fault, How};
use super::sample::{Contents, populate};
use super::seed::{Seed, tell};
use super::work::settings;
use crate::maintenance::backup::copy;
use crate::maintenance::new_store::NewStore;
use crate::model::error::Operation;
use crate::redb_file::fault::OrFault;

/// A file whose calls fail when its disk says so; nothing is stored on that disk.
#[derive(Debug)]
struct Failing {
    file: FileBackend,
    disk: Disk,
}

impl Failing {
    fn call(&self, call: Call) -> io::Result<()> {
        self.disk
            .called(call)
            .map_or(Ok(()), |how| Err(how.error()))
    }
}

impl StorageBackend for Failing {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.call(Call::Read)?;
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.call(Call::SetLen)?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.call(Call::Sync)?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.call(Call::Write)?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(from, to)
    }

    fn try_lock_shared_range(
        &self,
        from: Bound<u64>,
        to: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(from, to)
    }

    fn lock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(from, to)
    }

    fn lock_shared_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(from, to)
    }

    fn unlock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(from, to)
    }

    fn query_lock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(from, to)
    }
}

/// A source, and a directory for its copies.
struct Bench {
    directory: tempfile::TempDir,
    db: Db,
    contents: Contents,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let db = Db::create(directory.path().join("source.redb")).unwrap();
        populate(&db, &mut Seed::new(1), 40).unwrap();
        let contents = Contents::of(&db).unwrap();
        Self {
            directory,
            db,
            contents,
        }
    }

    /// Copies the source while a call fails. The target is complete or absent, with no leftovers.
    fn copy(&self, disk: &Disk, fault: Fault) -> Result<BackupReport> {
        let target = self.directory.path().join("target.redb");
        disk.fail(fault);
        let under = disk.clone();
        let on_disk = move |file: File| {
            Ok(Failing {
                file: FileBackend::new(file).or_fault()?,
                disk: under.clone(),
            })
        };
        let mut settings = settings(true, false);
        settings.cache_bytes = 0; // Without a cache, reads reach the disk.
        let copied = NewStore::begin_on(&target, &settings, on_disk)
            .and_then(|new| copy(&self.db.read()?, Operation::BackupOf, new, |_| {}));
        assert_eq!(target.exists(), copied.is_ok(), "{fault:?}");
        if copied.is_ok() {
            let db = Db::open(&target).unwrap();
            assert!(db.check().unwrap().is_healthy());
            assert_eq!(Contents::of(&db).unwrap(), self.contents, "{fault:?}");
            drop(db);
            fs::remove_file(&target).unwrap();
        }
        let left = fs::read_dir(self.directory.path()).unwrap().count();
        assert_eq!(left, 1, "{fault:?}: only the source");
        copied
    }
}

#[test]
fn a_fault_in_any_call_while_a_store_is_copied_leaves_nothing_at_its_path() {
    let bench = Bench::new();
    let source = fs::read(bench.directory.path().join("source.redb")).unwrap();
    let (mut failed, mut retried) = (0, 0);
    for call in [Call::Sync, Call::SetLen, Call::Write, Call::Read] {
        for times in [1, usize::MAX] {
            let mut nth = 0;
            loop {
                let how = match nth % 2 {
                    0 => How::Device,
                    _ => How::Full,
                };
                let fault = Fault {
                    call,
                    nth,
                    times,
                    how,
                };
                let disk = Disk::default();
                let copied = bench.copy(&disk, fault);
                if disk.failed() == 0 {
                    copied.unwrap();
                    break;
                }
                match copied {
                    // redb writes pages early, and again if that fails. No sync is retried, not even while the file is
                    // closed: the system would not report the failure a second time.
                    Ok(_) => {
                        retried += 1;
                        assert!(call == Call::Write && times == 1, "{fault:?} was swallowed");
                    }
                    Err(error) => {
                        failed += 1;
                        assert_eq!(error.kind(), ErrorKind::Io, "{fault:?}: {error:#}");
                        assert_eq!(error.is_storage_full(), how == How::Full, "{fault:?}");
                    }
                }
                nth += if nth < 40 { 1 } else { 7 };
            }
        }
    }
    let now = fs::read(bench.directory.path().join("source.redb")).unwrap();
    assert!(now == source, "the source was written");
    tell(format_args!(
        "faults-while-copying={failed} retried={retried} lost=0 panics=0 silent=0"
    ));
    assert!(failed > 30);
}

/// The canary: the suite must be able to fail.
#[test]
#[should_panic(expected = "only the source")]
fn a_file_that_is_left_behind_is_noticed() {
    let bench = Bench::new();
    fs::write(bench.directory.path().join(".bayplan-1.new"), "").unwrap();
    let fault = Fault {
        call: Call::Sync,
        nth: 0,
        times: 1,
        how: How::Device,
    };
    let _ = bench.copy(&Disk::default(), fault);
}
