//! The holder of a lock: the right process is named, or none.

use std::io::{BufRead, BufReader, Lines};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use bayplan::Db;

use super::{FORK_COUNT, FORK_FILE, FORK_ROLE};
use crate::machine::Tmpfs;

/// A process that holds a store until its input ends.
struct Holder {
    started: Child,
    /// Taken out of the child, which would close it to wait.
    input: Option<ChildStdin>,
    /// The holder: the process that was started, or a child of it.
    pid: String,
    _lines: Lines<BufReader<ChildStdout>>,
}

impl Holder {
    fn start(role: &str, path: &Path) -> Self {
        let mut started = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "fork::roles::is_played", "--nocapture"])
            .env(FORK_FILE, path)
            .env(FORK_ROLE, role)
            .env(FORK_COUNT, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(started.stdout.take().unwrap()).lines();
        let pid = lines.find_map(|line| {
            let line = line.unwrap();
            line.split_once("#holds ").map(|(_, pid)| pid.to_owned())
        });
        Self {
            input: started.stdin.take(),
            started,
            pid: pid.unwrap(),
            _lines: lines,
        }
    }

    /// Its input ends, and so does the process that waits for that.
    fn let_go(&mut self) {
        drop(self.input.take());
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.let_go();
        let _ = self.started.wait();
    }
}

#[track_caller]
fn assert_named(path: &Path, pid: &str) {
    for opened in [Db::open(path), Db::open_read_only(path)] {
        let error = opened.unwrap_err();
        assert!(error.is_locked(), "{error:#}");
        let named = format!("the file is in use by process {pid}");
        assert!(error.to_string().ends_with(&named), "{error}");
    }
}

#[test]
fn a_process_that_went_on_as_a_daemon_is_named_and_not_its_parent() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    drop(Db::create(&path).unwrap());
    let mut daemon = Holder::start("goes on as a daemon", &path);
    assert!(daemon.started.wait().unwrap().success());
    assert_ne!(daemon.pid, daemon.started.id().to_string());
    // A process that merely has the file open is not named.
    let _bystander = std::fs::File::open(&path).unwrap();
    assert_named(&path, &daemon.pid);
    daemon.let_go();
    let waiting = Db::builder().lock_timeout(Duration::from_secs(30));
    waiting.open(&path).unwrap();
}

#[test]
fn a_file_with_the_same_number_on_another_device_is_not_meant() {
    let mount = || Tmpfs::mount("holders", "16M");
    let (Some(one), Some(other)) = (mount(), mount()) else {
        return;
    };
    let [one, other] = [&one, &other].map(|disk| disk.path().join("meta.redb"));
    let held = Db::create(&one).unwrap();
    drop(Db::create(&other).unwrap());
    let [first, second] = [&one, &other].map(|path| path.metadata().unwrap());
    assert_eq!(first.ino(), second.ino(), "they are made in the same way");
    let holder = Holder::start("holds", &other);
    assert_named(&other, &holder.pid);
    assert_named(&one, &std::process::id().to_string());
    drop(held);
    assert_named(&other, &holder.pid);
    Db::open(&one).unwrap();
}
