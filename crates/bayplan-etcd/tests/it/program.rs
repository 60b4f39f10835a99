//! The program: what it prints of copies, and while they change.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use bayplan::{Db, Share};

use crate::server::{fresh_prefix, shared};
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

    fn run(&self, args: &[&str]) -> (bool, String, String) {
        let output = self.command(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.success(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    /// What the program prints, in words.
    #[track_caller]
    fn prints(&self, args: &[&str]) -> Vec<Vec<String>> {
        let (is_done, out, err) = self.run(args);
        assert!(is_done && err.is_empty(), "{args:?}: {err}");
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
    let fleet = Fleet {
        endpoint: server.endpoint().to_owned(),
        prefix: fresh_prefix(),
    };
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
    let (is_done, _, err) = fleet.run(&["ls", "--host", "node-1"]);
    assert!(!is_done && err.contains("node-1"), "{err}");
}
