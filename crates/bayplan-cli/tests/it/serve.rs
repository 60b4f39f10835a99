//! `bayplan serve`, as the stock `ctr` meets it: what that prints of both servers is compared.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::util::Place;

const SOON: Duration = Duration::from_secs(30);

/// A server in a child process, and where it is.
struct Server {
    child: Child,
    socket: PathBuf,
}

impl Server {
    fn start(command: &mut Command, socket: PathBuf) -> Self {
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        let server = Self { child, socket };
        let begun = Instant::now();
        while !server.ctr(&["version"]).0 {
            assert!(begun.elapsed() < SOON, "it does not answer");
            thread::sleep(Duration::from_millis(50));
        }
        server
    }

    fn of_bayplan(place: &Place) -> Self {
        let socket = place.path("s.sock");
        let mut command = place.command(&["serve", "--address", socket.to_str().unwrap()]);
        command.stderr(File::create(place.path("serve.log")).unwrap());
        Self::start(&mut command, socket)
    }

    fn of_containerd(directory: &Path) -> Self {
        let text = "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n";
        fs::write(directory.join("config.toml"), text).unwrap();
        let socket = directory.join("s.sock");
        let mut command = Command::new("containerd");
        for name in ["config.toml", "root", "state"] {
            let flag = name.split('.').next().unwrap();
            command.arg(format!("--{flag}")).arg(directory.join(name));
        }
        let log = File::create(directory.join("log")).unwrap();
        command.arg("--address").arg(&socket);
        command.stdout(log.try_clone().unwrap()).stderr(log);
        Self::start(&mut command, socket)
    }

    /// Whether a command of ctr succeeds, and what it prints.
    fn ctr(&self, args: &[&str]) -> (bool, String) {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(&self.socket).args(args);
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    }

    fn stop(&mut self) -> Option<i32> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether the machine has what these tests need. In CI it must.
fn has_containerd() -> bool {
    let found = |tool| Command::new(tool).arg("--version").output().is_ok();
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if found("ctr") && found("containerd") && is_root {
        return true;
    }
    let is_ci = std::env::var_os("CI").is_some_and(|ci| !ci.is_empty());
    assert!(
        !is_ci,
        "containerd and ctr (Debian: containerd), and root, are needed"
    );
    #[allow(clippy::print_stderr, reason = "what is left out is said")]
    {
        eprintln!("left out: containerd, ctr or root is missing");
    }
    false
}

/// The text without what differs from run to run: times, and the order of labels.
fn alike(text: &str) -> String {
    let word = |word: &str| match word.contains("T") && word.contains(":") && word.contains("-") {
        true => "TIME".to_owned(),
        false => {
            let mut parts: Vec<_> = word.split(',').collect();
            parts.sort_unstable();
            parts.join(",")
        }
    };
    let line = |line: &str| {
        line.split_whitespace()
            .map(word)
            .collect::<Vec<_>>()
            .join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn ctr_prints_what_it_prints_of_containerd() {
    if !has_containerd() {
        return;
    }
    let place = Place::new();
    let theirs_at = tempfile::tempdir().unwrap();
    let ours = Server::of_bayplan(&place);
    let theirs = Server::of_containerd(theirs_at.path());
    let rootfs = place.path("rootfs");
    fs::create_dir(&rootfs).unwrap();
    let rootfs = rootfs.to_str().unwrap();
    let config = place.path("config.json");
    fs::write(
        &config,
        r#"{"ociVersion":"1.0.2","process":{"args":["sh"],"cwd":"/"}}"#,
    )
    .unwrap();
    let config = config.to_str().unwrap();
    for args in [
        &["namespaces", "ls"][..],
        &["namespaces", "create", "t", "a=b", "c=d"],
        &["namespaces", "create", "t"],
        &["namespaces", "create", "not valid"],
        &["namespaces", "ls"],
        &["namespaces", "label", "t", "a=", "e=f"],
        &["namespaces", "ls"],
        &["-n", "t", "containers", "ls"],
        &[
            "-n",
            "t",
            "c",
            "create",
            "--config",
            config,
            "--label",
            "app=x",
            "--label",
            "tier=back",
            "web",
        ],
        &["-n", "t", "c", "create", "--rootfs", rootfs, "db"],
        &["-n", "t", "c", "create", "--rootfs", rootfs, "db"],
        &["-n", "t", "c", "create", "--rootfs", rootfs, "not..valid"],
        &["-n", "t", "c", "ls"],
        &["-n", "t", "c", "ls", "-q"],
        &["-n", "t", "c", "ls", "labels.app==x"],
        &["-n", "t", "c", "ls", "labels.app==y", "id==db"],
        &["-n", "t", "c", "ls", "labels.app!=x"],
        &["-n", "t", "c", "ls", "id~=^w"],
        &["-n", "t", "c", "info", "web"],
        &["-n", "t", "c", "info", "db"],
        &["-n", "t", "c", "info", "none"],
        &["-n", "t", "c", "label", "web", "app=y", "tier=", "new=1"],
        &["-n", "t", "c", "ls", "labels.new"],
        &["-n", "t", "c", "label", "none", "a=b"],
        &["-n", "t", "c", "rm", "none"],
        &["-n", "t", "leases", "ls"],
        &["-n", "t", "leases", "create", "--id", "l1", "x=y"],
        &["-n", "t", "leases", "create", "--id", "l1"],
        &["-n", "t", "leases", "ls"],
        &["-n", "t", "leases", "ls", "labels.x==y"],
        &["-n", "t", "leases", "ls", "labels.x==z"],
        &["-n", "t", "leases", "rm", "l1"],
        &["-n", "t", "leases", "rm", "l1"],
        &["-n", "t", "leases", "ls"],
        &["namespaces", "rm", "t"],
        &["-n", "t", "c", "rm", "web", "db"],
        &["-n", "t", "c", "ls"],
        &["namespaces", "rm", "t"],
        &["namespaces", "rm", "t"],
        &["namespaces", "ls"],
    ] {
        let (expected, answered) = (theirs.ctr(args), ours.ctr(args));
        assert_eq!(
            answered.0, expected.0,
            "{args:?}: {} {}",
            answered.1, expected.1
        );
        match answered.0 {
            true => assert_eq!(alike(&answered.1), alike(&expected.1), "{args:?}"),
            // Texts say the same in other words; how they end is what clients look at.
            false => {
                let end = |text: &str| text.trim().rsplit(": ").next().unwrap().to_owned();
                assert_eq!(
                    end(&answered.1),
                    end(&expected.1),
                    "{args:?}: {} {}",
                    answered.1,
                    expected.1
                );
            }
        }
    }
    let (has_version, version) = ours.ctr(&["version"]);
    assert!(has_version && version.contains("bayplan "), "{version}");
    let (has_images, images) = ours.ctr(&["images", "ls"]);
    assert!(
        !has_images && images.contains("not implemented"),
        "{images}"
    );
}

#[test]
fn events_are_those_of_containerd() {
    if !has_containerd() {
        return;
    }
    let place = Place::new();
    let theirs_at = tempfile::tempdir().unwrap();
    let servers = [
        Server::of_bayplan(&place),
        Server::of_containerd(theirs_at.path()),
    ];
    let told = servers.map(|server| {
        let log = server.socket.with_extension("events");
        let mut events = Command::new("ctr")
            .arg("--address")
            .arg(&server.socket)
            .args([
                "events",
                "topic~=^/containers/,namespace==t",
                "topic==\"/namespaces/delete\"",
            ])
            .stdout(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(500));
        for args in [
            &["namespaces", "create", "t", "a=b"][..],
            &["-n", "other", "c", "create", "--rootfs", "/", "unseen"],
            &["-n", "t", "c", "create", "--rootfs", "/", "web"],
            &["-n", "t", "c", "label", "web", "x=y"],
            &["-n", "t", "c", "rm", "web"],
            &["namespaces", "rm", "t"],
        ] {
            let (done, text) = server.ctr(args);
            assert!(done, "{args:?}: {text}");
            // Close together they are one.
            thread::sleep(Duration::from_millis(200));
        }
        thread::sleep(Duration::from_millis(300));
        events.kill().unwrap();
        events.wait().unwrap();
        let text = fs::read_to_string(log).unwrap();
        // The first four words are the time.
        let line = |line: &str| {
            line.split_whitespace()
                .skip(4)
                .collect::<Vec<_>>()
                .join(" ")
        };
        text.lines().map(line).collect::<Vec<_>>()
    });
    let [ours, theirs] = told;
    assert_eq!(ours, theirs);
    assert_eq!(ours.len(), 4);
}

#[test]
fn it_stops_when_it_is_told_to_and_keeps_what_it_acknowledged() {
    if !has_containerd() {
        return;
    }
    let place = Place::new();
    let mut server = Server::of_bayplan(&place);
    let mode = fs::metadata(&server.socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (done, text) = server.ctr(&["-n", "t", "c", "create", "--rootfs", "/", "web"]);
    assert!(done, "{text}");
    // Somebody who listens does not keep it.
    let mut events = Command::new("ctr")
        .arg("--address")
        .arg(&server.socket)
        .arg("events")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(300));
    // The store is its own meanwhile, and can be looked into.
    let run = place.run(&["ls", "-q", "-n", "t"]);
    assert_eq!((run.code, run.out.as_str()), (0, "web\n"), "{}", run.err);
    let second = place.run(&["serve", "--address", "s.sock"]);
    assert_eq!(second.code, 3, "{}", second.err);
    let begun = Instant::now();
    assert_eq!(server.stop(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(9));
    assert!(!server.socket.exists());
    events.kill().unwrap();
    events.wait().unwrap();
    let log = fs::read_to_string(place.path("serve.log")).unwrap();
    assert!(
        log.starts_with("bayplan: serving ") && log.ends_with("bayplan: stopped\n"),
        "{log}"
    );
    place.ok(&["ls", "-q", "-n", "t"], "web\n");
    let check = place.prints(&["check"]);
    assert!(check.contains("whole"), "{check}");
}

#[test]
fn a_socket_that_cannot_be_made_is_told() {
    let place = Place::new();
    place.file("file", "data");
    let run = place.run(&["serve", "--address", "file"]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("exists and is no socket"), "{}", run.err);
    let run = place.run(&["serve", "--address", "none/s.sock"]);
    assert_eq!(run.code, 1);
    assert!(
        run.err.contains("the socket none/s.sock cannot be made"),
        "{}",
        run.err
    );
    let run = place.run(&["serve", "--address", "s.sock", "--mode", "rw"]);
    assert!(run.err.contains("octal"), "{}", run.err);
}
