//! Debian's containerd: its own file comes in, and it starts on what goes out.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bayplan::Db;
use bayplan_metadb::{Error, MetaDb, export};
use boltfile::{Bucket, Item, Reader};
use tempfile::TempDir;

use crate::go::{self, left_out};
use crate::told::{content, import};

/// It takes a fraction of a second.
const START_MAX: Duration = Duration::from_secs(30);

const SUITE: &str = "containerd's daemon";

/// A daemon with everything of its own in one directory.
struct Daemon {
    directory: TempDir,
    child: Option<Child>,
}

impl Daemon {
    /// A directory for one. `None` if the machine lacks something.
    #[track_caller]
    fn new() -> Option<Self> {
        for tool in ["containerd", "ctr"] {
            let found = Command::new(tool).arg("--version").output();
            if !found.is_ok_and(|output| output.status.success()) {
                left_out(SUITE, &format!("{tool} is missing (Debian: containerd)"));
                return None;
            }
        }
        if fs::metadata("/proc/self").unwrap().uid() != 0 {
            left_out(SUITE, "it needs root");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let text = "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n";
        fs::write(directory.path().join("config.toml"), text).unwrap();
        fs::create_dir(directory.path().join("rootfs")).unwrap();
        Some(Self {
            directory,
            child: None,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Its metadata.
    fn meta_db(&self) -> PathBuf {
        self.path("root/io.containerd.metadata.v1.bolt/meta.db")
    }

    #[track_caller]
    fn start(&mut self) {
        let log = File::create(self.path("log")).unwrap();
        let child = Command::new("containerd")
            .arg("--config")
            .arg(self.path("config.toml"))
            .arg("--root")
            .arg(self.path("root"))
            .arg("--state")
            .arg(self.path("state"))
            .arg("--address")
            .arg(self.path("sock"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = Some(child.unwrap());
        let begun = Instant::now();
        while !self.run(&["version"]).status.success() {
            let log = || fs::read_to_string(self.path("log")).unwrap();
            assert!(begun.elapsed() < START_MAX, "{}", log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(self.path("sock"));
        command.args(args).output().unwrap()
    }

    /// What a client prints.
    #[track_caller]
    fn ctr(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn create(&self, namespace: &str, id: &str, args: &[&str]) {
        let rootfs = self.path("rootfs");
        let rootfs = rootfs.to_str().unwrap();
        let first = ["-n", namespace, "c", "create"];
        self.ctr(&[&first, args, &["--rootfs", rootfs, id, "sh"]].concat());
    }

    /// What a client sees of the namespaces and containers.
    fn seen(&self) -> String {
        let mut seen = self.ctr(&["ns", "ls"]);
        for namespace in self.ctr(&["ns", "ls", "-q"]).lines() {
            seen += &self.ctr(&["-n", namespace, "c", "ls"]);
            for id in self.ctr(&["-n", namespace, "c", "ls", "-q"]).lines() {
                seen += &self.ctr(&["-n", namespace, "c", "info", id]);
            }
        }
        seen
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Fills a new daemon.
fn filled() -> Option<Daemon> {
    let mut daemon = Daemon::new()?;
    daemon.start();
    daemon.ctr(&["ns", "create", "prod", "team=infra", "stage=live"]);
    daemon.ctr(&["ns", "create", "empty"]);
    daemon.create(
        "prod",
        "web",
        &["--label", "app=nginx", "--env", "A=\u{e9}"],
    );
    daemon.create("prod", "db", &[]);
    daemon.create("default", "one", &["--label", "odd key/x=a b"]);
    for number in 0..30 {
        daemon.create("many", &format!("c{number}"), &[]);
    }
    daemon.ctr(&["-n", "prod", "c", "label", "db", "later=yes"]);
    daemon.ctr(&["leases", "create", "--id", "kept"]);
    daemon.ctr(&[
        "-n",
        "prod",
        "snapshots",
        "--snapshotter",
        "native",
        "prepare",
        "layer",
    ]);
    Some(daemon)
}

#[test]
fn a_file_of_the_daemon_comes_in_and_it_starts_on_what_goes_out() {
    let Some(mut daemon) = filled() else { return };
    let seen = daemon.seen();
    assert!(seen.contains("\"app\": \"nginx\""), "{seen}");
    let error = MetaDb::open(daemon.meta_db()).unwrap_err();
    assert!(matches!(error, Error::Bolt(boltfile::Error::Locked { .. })));
    daemon.stop();

    let db = Db::in_memory().unwrap();
    let meta = MetaDb::open(daemon.meta_db()).unwrap();
    let told = import(&meta, &db).unwrap();
    drop(meta);
    assert!(
        told.refused.is_empty() && told.changed.is_empty(),
        "{told:?}"
    );
    assert_eq!(told.report.containers_count, 33);
    assert_eq!(told.report.namespaces_count, 4);
    assert_eq!(told.left_behind, ["default/leases: 1", "prod/snapshots: 1"]);

    let mut other = Daemon::new().unwrap();
    fs::create_dir_all(other.meta_db().parent().unwrap()).unwrap();
    export(&db.read().unwrap(), other.meta_db(), |_| {}).unwrap();
    go::check(&other.meta_db());
    assert_eq!(carried(&other.meta_db()), carried(&daemon.meta_db()));

    other.start();
    assert_eq!(other.seen(), seen);
    // It goes on with the file.
    other.ctr(&["-n", "prod", "c", "label", "web", "app="]);
    other.ctr(&["-n", "prod", "c", "rm", "db"]);
    other.create("new", "late", &[]);
    other.stop();
    go::check(&other.meta_db());
    let again = Db::in_memory().unwrap();
    let told = import(&MetaDb::open(other.meta_db()).unwrap(), &again).unwrap();
    assert!(told.refused.is_empty(), "{told:?}");
    let names: Vec<String> = content(&again).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["default", "empty", "many", "new", "prod"]);
    let prod = again.namespace("prod").unwrap();
    assert!(prod.find("db").unwrap().is_none());
    assert!(prod.get("web").unwrap().labels.is_empty());
}

/// The keys with their values that an import carries, and the version.
fn carried(path: &Path) -> Vec<String> {
    let reader = Reader::open(path).unwrap();
    let root = reader.root().bucket(b"v1").unwrap().unwrap();
    let mut lines = Vec::new();
    list(&root, "", &mut lines);
    let is_carried = |line: &String| {
        let mut keys = line.split('/');
        let kind = keys.nth(1);
        // Of a bucket without anything in it, nothing is lost.
        line.starts_with("version")
            || kind.is_some_and(|kind| kind.starts_with("containers") || kind.starts_with("labels"))
    };
    lines.retain(is_carried);
    lines
}

fn list(bucket: &Bucket<'_>, around: &str, lines: &mut Vec<String>) {
    for entry in bucket {
        let entry = entry.unwrap();
        let key = entry.key.escape_ascii();
        match entry.item {
            Item::Value(value) => {
                let value = value.read().unwrap();
                lines.push(format!("{around}{key} = {}", value.escape_ascii()));
            }
            Item::Bucket(bucket) => list(&bucket, &format!("{around}{key}/"), lines),
        }
    }
}
