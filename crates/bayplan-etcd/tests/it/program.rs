//! The program: what it prints of copies, and while they change; its failures, and how it ends.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bayplan::{Db, Share};

use crate::server::{Server, fresh_prefix, shared};
use crate::stores::container;

/// The program, asked for one fleet.
struct Fleet {
    endpoint: String,
    prefix: String,
}

impl Fleet {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bayplan-etcd"));
        command.args(args);
        command.args(["--etcd", &self.endpoint, "--prefix", &self.prefix]);
        command
    }

    fn new(server: &Server) -> Self {
        Self {
            endpoint: server.endpoint().to_owned(),
            prefix: fresh_prefix(),
        }
    }

    /// Returns the exit code, and what is printed as output and as errors.
    fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let output = self.command(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    /// What the program reports when it fails with this exit code.
    #[track_caller]
    fn fails(&self, args: &[&str], code: i32) -> String {
        let (exit, out, err) = self.run(args);
        assert_eq!((exit, out.as_str()), (Some(code), ""), "{args:?}: {err}");
        assert!(err.starts_with("bayplan-etcd: "), "{err}");
        err
    }

    /// Waits until the only host has this state, and returns its line.
    #[track_caller]
    fn becomes(&self, state: &str) -> Vec<String> {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let (_, out, _) = self.run(&["hosts"]);
            let words = out.lines().nth(1).unwrap_or_default().split_whitespace();
            let words: Vec<String> = words.map(str::to_owned).collect();
            if words.get(1).is_some_and(|known| known == state) {
                return words;
            }
            assert!(Instant::now() < end, "it does not become {state}: {out}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What the program prints, in words.
    #[track_caller]
    fn prints(&self, args: &[&str]) -> Vec<Vec<String>> {
        let (exit, out, err) = self.run(args);
        assert!(exit == Some(0) && err.is_empty(), "{args:?}: {err}");
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
        out.lines().map(words).collect()
    }

    fn mirror(&self, db: &Path, host: &str) {
        self.prints(&[
            "mirror",
            "--once",
            "--host",
            host,
            "--db",
            db.to_str().unwrap(),
        ]);
    }
}

#[test]
fn the_program_shows_all_hosts_and_what_changes_on_them() {
    let server = shared();
    let fleet = Fleet::new(&server);
    let folder = tempfile::tempdir().unwrap();
    let path = |host: &str| folder.path().join(host);
    let mut stores = Vec::new();
    for (host, app) in [("node-1", "nginx"), ("node-2", "redis")] {
        let db = Db::builder()
            .share(Share::Readers)
            .create(path(host))
            .unwrap();
        let store = db.namespace("default").unwrap();
        store.create(container("web").label("app", app)).unwrap();
        fleet.mirror(&path(host), host);
        stores.push(store);
    }

    let hosts = fleet.prints(&["hosts"]);
    let names: Vec<&str> = hosts.iter().skip(1).map(|line| line[0].as_str()).collect();
    assert_eq!(names, ["node-1", "node-2"]);
    let all = fleet.prints(&["ls", "-A", "--all-hosts"]);
    assert_eq!(all[0][..3], ["HOST", "NAMESPACE", "CONTAINER"]);
    assert_eq!(all[2][..3], ["node-2", "default", "web"]);
    assert_eq!(all.len(), 3);
    let filtered = fleet.prints(&["ls", "-A", "--all-hosts", "labels.app==redis"]);
    assert_eq!((filtered.len(), filtered[1][0].as_str()), (2, "node-2"));
    let one = fleet.prints(&["ls", "--host", "node-1"]);
    assert_eq!((one.len(), one[1][0].as_str()), (2, "node-1"));
    let (_, info, _) = fleet.run(&["info", "web", "--host", "node-1"]);
    assert!(
        info.contains("\"nginx\"") && !info.contains("\"spec\":{"),
        "{info}"
    );

    let mut watch = fleet
        .command(&["watch", "--all-hosts", "--all"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut lines = lines.map(|line| line.unwrap().split_once(' ').unwrap().1.to_owned());
    let mut begin: Vec<String> = lines.by_ref().take(2).collect();
    begin.sort();
    assert_eq!(
        begin,
        ["node-1 created default/web", "node-2 created default/web"]
    );
    stores[1].set_label("web", "tier", "back").unwrap();
    fleet.mirror(&path("node-2"), "node-2");
    assert_eq!(lines.next().unwrap(), "node-2 updated default/web");
    stores[0].delete("web").unwrap();
    fleet.mirror(&path("node-1"), "node-1");
    assert_eq!(lines.next().unwrap(), "node-1 deleted default/web");
    watch.kill().unwrap();
    watch.wait().unwrap();

    fleet.prints(&["forget", "node-1"]);
    assert_eq!(fleet.prints(&["hosts"]).len(), 2);
    let (endpoint, prefix) = (&fleet.endpoint, &fleet.prefix);
    assert_eq!(
        fleet.fails(&["ls", "--host", "node-1"], 1),
        format!(
            "bayplan-etcd: the prefix {prefix:?} in etcd at {endpoint} has no copy of a host \"node-1\"\n  \
             `bayplan-etcd hosts` lists the hosts that have one\n"
        )
    );
}

#[test]
fn an_etcd_that_cannot_be_reached_is_named_and_its_cause_is_told_once() {
    let fleet = Fleet {
        endpoint: "127.0.0.1:1,127.0.0.1:2".to_owned(),
        prefix: fresh_prefix(),
    };
    assert_eq!(
        fleet.fails(&["hosts", "--timeout", "1"], 1),
        "bayplan-etcd: open store: etcd at 127.0.0.1:1, 127.0.0.1:2 cannot be reached\n  \
           tcp connect error: Connection refused (os error 111)\n  \
           `etcdctl endpoint health` asks as well; --etcd names other endpoints\n"
    );
}

#[test]
fn a_user_that_etcd_refuses_is_told_without_the_password() {
    let server = Server::start();
    for arguments in [
        &["user", "add", "root:secret"][..],
        &["user", "grant-role", "root", "root"],
        &["auth", "enable"],
    ] {
        server.etcdctl(arguments);
    }
    let fleet = Fleet::new(&server);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "wrong-password").unwrap();
    let path = file.path().to_str().unwrap();
    let err = fleet.fails(&["hosts", "--user", "root", "--password-file", path], 1);
    assert_eq!(
        err,
        format!(
            "bayplan-etcd: open store: etcd at {} does not accept the user\n  \
             etcdserver: authentication failed, invalid user ID or password\n",
            server.endpoint()
        )
    );
}

#[test]
fn arguments_that_are_wrong_are_an_error_as_any_other() {
    let (server, wrong) = (
        shared(),
        [
            &["hosts", "--verbose"][..],
            &["host"],
            &["hosts", "--timeout", "soon"],
            &["hosts", "--timeout", "0"],
            &["hosts", "--etcd", ","],
            &["hosts", "--user", "root"],
            &["ls", "--host", "a", "--all-hosts"],
            &["ls", "labels.app=x"],
        ],
    );
    let fleet = Fleet::new(&server);
    for args in wrong {
        fleet.fails(args, 1);
    }
    assert_eq!(fleet.run(&["--help"]).0, Some(0));
}

#[test]
fn exit_codes_are_those_of_bayplan() {
    let server = shared();
    let fleet = Fleet::new(&server);
    let (endpoint, prefix) = (&fleet.endpoint, &fleet.prefix);
    let err = fleet.fails(&["hosts"], 1);
    let place = format!("the prefix {prefix:?} in etcd at {endpoint} holds nothing of Bayplan");
    assert!(err.contains(&place), "{err}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let db = Db::create(&path).unwrap();
    let path = path.to_str().unwrap();
    let mirror = ["mirror", "--once", "--host", "node-1", "--db", path];
    let err = fleet.fails(&mirror, 3);
    assert!(
        err.contains(path) && err.contains("bayplan share readers"),
        "{err}"
    );
    db.close().unwrap();
    fleet.prints(&mirror);

    server.put(&format!("{prefix}hosts/node-1"), b"damaged");
    for args in [&["hosts"][..], &mirror] {
        let err = fleet.fails(args, 2);
        assert!(err.contains("node-1") && err.contains("--replace"), "{err}");
    }
    fleet.prints(&[&mirror[..], &["--replace"]].concat());
    fleet.becomes("ended");
}

#[test]
fn a_host_of_another_store_is_refused_by_name_and_ids_until_it_is_replaced() {
    let server = shared();
    let fleet = Fleet::new(&server);
    let folder = tempfile::tempdir().unwrap();
    let stores = ["a", "b"].map(|name| folder.path().join(name));
    let ids = stores.each_ref().map(|path| {
        let db = Db::create(path).unwrap();
        let store = db.namespace("default").unwrap();
        store.create(container("web")).unwrap();
        drop(store);
        let id = db.info().id.to_string();
        db.close().unwrap();
        id
    });
    fleet.mirror(&stores[0], "node-1");
    assert_eq!(fleet.becomes("ended")[4], ids[0]);
    let path = stores[1].to_str().unwrap();
    let mirror = ["mirror", "--once", "--host", "node-1", "--db", path];
    assert_eq!(
        fleet.fails(&mirror, 1),
        format!(
            "bayplan-etcd: the host \"node-1\" has the copy of another store\n  \
             it is of the store {}, and this one is {}\n  \
             choose another --host; or remove the copy by `bayplan-etcd forget`, or replace it by --replace\n",
            ids[0], ids[1]
        )
    );
    assert_eq!(fleet.becomes("ended")[4], ids[0]);
    fleet.prints(&[&mirror[..], &["--replace"]].concat());
    assert_eq!(fleet.becomes("ended")[4], ids[1]);
}

#[test]
fn a_mirror_that_is_told_to_end_is_not_alive_any_more() {
    let server = shared();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let builder = Db::builder().share(Share::Readers);
    let db = builder.create(&path).unwrap();
    for signal in ["TERM", "INT"] {
        let fleet = Fleet::new(&server);
        let args = ["mirror", "--host", "node-1", "--db", path.to_str().unwrap()];
        let mut running = fleet.command(&args).spawn().unwrap();
        let line = fleet.becomes("alive");
        assert_eq!(line[2], "now");
        let begun = Instant::now();
        let kill = Command::new("kill")
            .args(["-s", signal, &running.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
        assert_eq!(running.wait().unwrap().code(), Some(0), "{signal}");
        let (_, hosts, _) = fleet.run(&["hosts"]);
        let line: Vec<&str> = hosts.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(line[1], "ended", "{hosts}");
        assert!(line[2].ends_with('Z') && begun.elapsed() < Duration::from_secs(10));
    }
    drop(db);
}
