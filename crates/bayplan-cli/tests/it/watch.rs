use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use crate::util::Place;

const HEAD: &str = "REVISION   EVENT       CONTAINER                       IMAGE";

fn shared() -> Place {
    let place = Place::bare();
    place.ok(&["init", "--share", "processes"], "");
    place
}

/// A watching process, and the lines that it prints.
struct Watching {
    child: Child,
    lines: Receiver<String>,
}

impl Watching {
    fn start(place: &Place, args: &[&str]) -> Self {
        let args = [&["watch"], args].concat();
        let mut child = place.command(&args).stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (told, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if told.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    fn next(&self) -> String {
        self.lines.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    /// The next line without its revision.
    fn event(&self) -> String {
        let line = self.next();
        line.split_whitespace()
            .skip(1)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn changes_are_printed_as_they_happen() {
    let place = shared();
    place.container("before", &[]);
    let watching = Watching::start(&place, &[]);
    assert_eq!(watching.next(), HEAD);
    place.container("web", &["--image", "nginx"]);
    assert_eq!(watching.event(), "created default/web nginx");
    place.ok(&["label", "web", "a=b"], "a=b\n");
    assert_eq!(watching.event(), "updated default/web nginx");
    place.container("k8s.io/elsewhere", &[]);
    place.ok(&["rm", "web"], "");
    assert_eq!(watching.event(), "deleted default/web -");
}

#[test]
fn with_a_filter_what_no_longer_matches_is_told_too() {
    let place = shared();
    place.container("old", &["--label", "app=a"]);
    place.container("other", &[]);
    let watching = Watching::start(&place, &["labels.app==a"]);
    assert_eq!(watching.next(), HEAD);
    place.ok(&["rm", "other"], "");
    place.ok(&["label", "old", "app=b"], "app=b\n");
    assert_eq!(watching.event(), "unmatched default/old -");
    place.ok(&["rm", "old"], "");
    place.container("new", &["--label", "app=a"]);
    assert_eq!(watching.event(), "created default/new -");
    place.ok(&["rm", "new"], "");
    assert_eq!(watching.event(), "deleted default/new -");
}

#[test]
fn it_goes_on_where_it_was_and_tells_everything_that_it_is_asked_for() {
    let place = Place::new();
    place.container("a", &[]);
    place.ok(&["namespaces", "create", "k8s.io"], "");
    let all = ["watch", "-A", "--all-kinds", "--once", "--since"];
    let ndjson = [&all[..], &["0", "--format", "ndjson"]].concat();
    let lines = place.prints(&ndjson);
    let lines: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told: Vec<_> = lines
        .iter()
        .map(|line| (line["event"].as_str().unwrap(), line["id"].as_str()))
        .collect();
    assert_eq!(
        told,
        [("created", None), ("created", Some("a")), ("created", None)]
    );
    assert_eq!(lines[1]["container"]["id"], "a");
    let last = lines[2]["position"].as_str().unwrap();
    let revision = lines[2]["revision"].to_string();
    assert!(last.ends_with(&format!(":{revision}")), "{last}");
    place.ok(&["rm", "a"], "");
    let since = place.prints(&[&all[..], &[last]].concat());
    let words: Vec<_> = since
        .lines()
        .nth(1)
        .unwrap()
        .split_whitespace()
        .skip(1)
        .collect();
    assert_eq!(words, ["deleted", "default/a", "-"]);
    assert_eq!(since.lines().count(), 2);
    assert_eq!(place.prints(&[&all[..], &[&revision]].concat()), since);
}

#[test]
fn who_cannot_follow_is_told_what_to_do() {
    let place = Place::new();
    let run = place.run(&["watch"]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("`bayplan share readers`"), "{}", run.err);
    let run = place.run(&["watch", "--once", "--since", "123456"]);
    assert_eq!(run.code, 1);
    assert!(
        run.err
            .contains("this store has never had the position 123456"),
        "{}",
        run.err
    );
    assert!(run.err.contains("--since 0"), "{}", run.err);
    assert_eq!(run.out, "");
    let other = "00000000000000ab:1";
    let run = place.run(&["watch", "--once", "--since", other]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("of another history"), "{}", run.err);
    let run = place.run(&["watch", "--once", "--since", "yesterday"]);
    assert!(
        run.err.contains("\"yesterday\" is no position"),
        "{}",
        run.err
    );
    let run = place.run(&["watch", "-A", "-n", "x"]);
    assert!(run.err.contains("-A means all"), "{}", run.err);
}

/// A host still writes while a watcher does not read.
#[test]
fn a_watcher_that_is_blocked_holds_up_nobody() {
    let place = shared();
    let mut child = place
        .command(&["watch"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(300));
    for number in 0..20 {
        place.container(&format!("c{number}"), &[]);
    }
    place.prints(&["check"]);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What stopped to match while nobody watched must not stay where it was for a program that goes on.
#[test]
fn what_no_longer_matches_is_printed_after_a_restart_as_well() {
    let place = Place::new();
    place.container("a", &["--label", "app=x"]);
    place.container("b", &["--label", "app=x"]);
    let once = ["watch", "app", "--once", "--format", "ndjson", "--since"];
    let watch = |since: &str| {
        let mut args = once.to_vec();
        args[1] = "labels.app==x";
        args.push(since);
        let lines = place.prints(&args);
        let lines: Vec<serde_json::Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let text = |line: &serde_json::Value, key: &str| line[key].as_str().unwrap().to_owned();
        let told: Vec<_> = lines
            .iter()
            .map(|line| (text(line, "event"), text(line, "id")))
            .collect();
        (told, lines.last().map(|line| text(line, "position")))
    };
    let pairs = |expected: &[(&str, &str)]| -> Vec<(String, String)> {
        expected
            .iter()
            .map(|(event, id)| ((*event).into(), (*id).into()))
            .collect()
    };
    let (told, position) = watch("0");
    assert_eq!(told, pairs(&[("created", "a"), ("created", "b")]));
    place.prints(&["label", "b", "app=y"]);
    place.container("c", &["--label", "app=y"]);
    let (told, _) = watch(&position.unwrap());
    assert_eq!(told, pairs(&[("unmatched", "b")]));
}
