//! A disk in memory that records all calls, and fails on demand.
//!
//! It holds the file of a store, and the log beside it if there is one ([`Beside`]).

use std::fmt;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bayplan::{ErrorKind, Result};
use redb::{BackendError, StorageBackend};

use crate::redb_file::fault::OrIo;
use crate::redb_file::gate::Access;
use crate::session::log::place::{LogFile, LogPlace};

/// The locks of a backend without other users: all are free.
macro_rules! free_locks {
    () => {
        fn try_lock_range(
            &self,
            _: Bound<u64>,
            _: Bound<u64>,
        ) -> std::result::Result<bool, BackendError> {
            Ok(true)
        }

        fn try_lock_shared_range(
            &self,
            _: Bound<u64>,
            _: Bound<u64>,
        ) -> Result<bool, BackendError> {
            Ok(true)
        }

        fn lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
            Ok(())
        }

        fn lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
            Ok(())
        }

        fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
            Ok(())
        }

        fn query_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
            Ok(false)
        }
    };
}
pub(super) use free_locks;

/// What was done to the disk, apart from reading.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Event {
    Write(u64, Arc<[u8]>),
    SetLen(u64),
    Sync,
    /// What was done to the log.
    Log(LogEvent),
}

/// What was done to the log beside the file.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum LogEvent {
    /// It was created, durable with its name.
    Created(Arc<[u8]>),
    Write(u64, Arc<[u8]>),
    Sync,
    Removed,
}

/// What is on a disk: the file, and the log if there is one.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) file: Vec<u8>,
    pub(super) log: Option<Vec<u8>>,
}

/// What can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Read,
    Write,
    Sync,
    SetLen,
}

/// Fails the calls of one kind, from the `nth` on, this many times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) call: Call,
    pub(super) nth: usize,
    pub(super) times: usize,
    pub(super) how: How,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// The device reports an error; nothing is done.
    Device,
    /// There is no more space; nothing is done.
    Full,
    /// Half of it is done, then the device reports an error.
    Half,
}

impl How {
    pub(super) fn error(self) -> io::Error {
        io::Error::from_raw_os_error(match self {
            Self::Device | Self::Half => 5, // EIO
            Self::Full => 28,               // ENOSPC
        })
    }
}

/// A disk. Its clones share it.
#[derive(Clone, Default)]
pub(super) struct Disk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    beside: Option<Vec<u8>>,
    log: Vec<Event>,
    read_bytes: usize,
    fault: Option<Fault>,
    /// Whether the fault spares the log.
    spares_log: bool,
    /// The number of calls of the failing kind, and of those that failed.
    calls: usize,
    failed: usize,
}

impl Disk {
    pub(super) fn holding(bytes: Vec<u8>) -> Self {
        let disk = Self::default();
        disk.state().bytes = bytes;
        disk
    }

    pub(super) fn of(image: Image) -> Self {
        let disk = Self::holding(image.file);
        disk.state().beside = image.log;
        disk
    }

    pub(super) fn image(&self) -> Image {
        let state = self.state();
        Image {
            file: state.bytes.clone(),
            log: state.beside.clone(),
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.state().bytes.clone()
    }

    /// Changes the bytes of the file without notice to the process that has it open.
    pub(super) fn damage(&self, change: impl FnOnce(&mut [u8])) {
        change(&mut self.state().bytes);
    }

    pub(super) fn log(&self) -> Vec<Event> {
        self.state().log.clone()
    }

    /// The bytes of all reads so far.
    pub(super) fn read_bytes(&self) -> usize {
        self.state().read_bytes
    }

    pub(super) fn log_len(&self) -> usize {
        self.state().log.len()
    }

    /// Begins to count, and to fail.
    pub(super) fn fail(&self, fault: Fault) {
        let mut state = self.state();
        state.fault = Some(fault);
        state.spares_log = false;
        state.calls = 0;
        state.failed = 0;
    }

    /// Begins to count, and to fail, the calls of the file; the log works.
    pub(super) fn fail_file(&self, fault: Fault) {
        self.fail(fault);
        self.state().spares_log = true;
    }

    /// How many calls failed.
    pub(super) fn failed(&self) -> usize {
        self.state().failed
    }

    fn log_event(&self, event: LogEvent) {
        let mut state = self.state();
        apply_to_log(&mut state.beside, &event);
        state.log.push(Event::Log(event));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call of the log, and returns its fault if it is to fail.
    fn called_beside(&self, call: Call) -> Option<How> {
        let is_spared = self.state().spares_log;
        (!is_spared).then(|| self.called(call)).flatten()
    }

    /// Counts a call, and returns its fault if it is to fail.
    pub(super) fn called(&self, call: Call) -> Option<How> {
        let mut state = self.state();
        let fault = state.fault.filter(|fault| fault.call == call)?;
        let number = state.calls;
        state.calls += 1;
        let fails = number >= fault.nth && number - fault.nth < fault.times;
        state.failed += usize::from(fails);
        fails.then_some(fault.how)
    }
}

/// Changes bytes as an event says.
pub(super) fn apply(bytes: &mut Vec<u8>, event: &Event) {
    match event {
        Event::Write(offset, data) => {
            let start = usize::try_from(*offset).unwrap();
            // What was beyond the end was lost when the length changed.
            let end = bytes.len().min(start + data.len());
            if start < end {
                bytes[start..end].copy_from_slice(&data[..end - start]);
            }
        }
        Event::SetLen(len) => bytes.resize(usize::try_from(*len).unwrap(), 0),
        Event::Sync | Event::Log(_) => {}
    }
}

/// Changes the log beside the file as an event says.
pub(super) fn apply_to_log(log: &mut Option<Vec<u8>>, event: &LogEvent) {
    match event {
        LogEvent::Created(bytes) => *log = Some(bytes.to_vec()),
        LogEvent::Removed => *log = None,
        LogEvent::Write(offset, data) => {
            if let Some(log) = log {
                apply(log, &Event::Write(*offset, Arc::clone(data)));
            }
        }
        LogEvent::Sync => {}
    }
}

/// The place of the log on a disk.
#[derive(Debug)]
pub(super) struct Beside(pub(super) Disk);

impl LogPlace for Beside {
    fn shown(&self) -> String {
        "/disk/log".to_owned()
    }

    fn open(&self, _: Access) -> Result<Option<LogFile>> {
        let is_there = self.0.state().beside.is_some();
        let file = || LogFile::new(Box::new(BesideFile(self.0.clone())), None);
        Ok(is_there.then(file))
    }

    fn create(&self, bytes: &[u8]) -> Result<LogFile> {
        for call in [Call::SetLen, Call::Write, Call::Sync] {
            if let Some(how) = self.0.called_beside(call) {
                return Err(how.error()).or_io();
            }
        }
        if self.0.state().beside.is_some() {
            return Err(bayplan::Error::of_kind(
                ErrorKind::AlreadyExists,
                "it is there",
            ));
        }
        self.0.log_event(LogEvent::Created(bytes.into()));
        Ok(LogFile::new(Box::new(BesideFile(self.0.clone())), None))
    }

    fn remove(&self) -> Result<()> {
        self.0.log_event(LogEvent::Removed);
        Ok(())
    }
}

/// The log on a disk.
#[derive(Debug)]
struct BesideFile(Disk);

impl StorageBackend for BesideFile {
    fn len(&self) -> io::Result<u64> {
        let state = self.0.state();
        Ok(state.beside.as_ref().map_or(0, Vec::len) as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if let Some(how) = self.0.called_beside(Call::Read) {
            return Err(how.error());
        }
        let state = self.0.state();
        let start = usize::try_from(offset).unwrap();
        let bytes = state.beside.as_ref().and_then(|log| log.get(start..));
        let bytes = bytes.and_then(|rest| rest.get(..out.len()));
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        unreachable!("the length of a log never changes")
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.0.called_beside(Call::Sync) {
            Some(how) => Err(how.error()),
            None => {
                self.0.log_event(LogEvent::Sync);
                Ok(())
            }
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let failure = self.0.called_beside(Call::Write);
        let done = match failure {
            None => data.len(),
            Some(How::Half) => data.len() / 2,
            Some(_) => 0,
        };
        if done > 0 {
            assert!(
                offset + data.len() as u64 <= self.len()?,
                "a log never grows"
            );
            self.0
                .log_event(LogEvent::Write(offset, data[..done].into()));
        }
        failure.map_or(Ok(()), |how| Err(how.error()))
    }

    free_locks!();
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if let Some(how) = self.called(Call::Read) {
            return Err(how.error());
        }
        let mut state = self.state();
        let start = usize::try_from(offset).unwrap();
        let bytes = state
            .bytes
            .get(start..)
            .and_then(|rest| rest.get(..out.len()))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        state.read_bytes += out.len();
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if let Some(how) = self.called(Call::SetLen) {
            return Err(how.error());
        }
        let mut state = self.state();
        let event = Event::SetLen(len);
        apply(&mut state.bytes, &event);
        state.log.push(event);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if let Some(how) = self.called(Call::Sync) {
            return Err(how.error());
        }
        self.state().log.push(Event::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let failure = self.called(Call::Write);
        let done = match failure {
            None => data.len(),
            Some(How::Half) => data.len() / 2,
            Some(_) => 0,
        };
        let mut state = self.state();
        let event = Event::Write(offset, data[..done].into());
        let end = usize::try_from(offset).unwrap() + done;
        assert!(end <= state.bytes.len(), "redb writes behind the end");
        if done > 0 {
            apply(&mut state.bytes, &event);
            state.log.push(event);
        }
        match failure {
            Some(how) => Err(how.error()),
            None => Ok(()),
        }
    }

    free_locks!();
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(offset, data) => write!(f, "write {} at {offset}", data.len()),
            Self::SetLen(len) => write!(f, "set length {len}"),
            Self::Sync => f.write_str("sync"),
            Self::Log(event) => write!(f, "log: {event:?}"),
        }
    }
}

impl fmt::Debug for LogEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created(data) => write!(f, "create of {}", data.len()),
            Self::Write(offset, data) => write!(f, "write {} at {offset}", data.len()),
            Self::Sync => f.write_str("sync"),
            Self::Removed => f.write_str("remove"),
        }
    }
}
