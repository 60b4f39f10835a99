//! `import` and `export`. The files of the real containerd are tested in the crate bayplan-metadb.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bayplan::{Any, Container, Db, Record, Runtime};
use boltfile::Writer;

use crate::util::{Place, assert_private, summary};

/// A place with a meta.db of the containers `default/web` and `k8s.io/pod`.
fn exported() -> Place {
    let place = Place::new();
    place.container("web", &["--label", "app=nginx", "--image", "nginx"]);
    place.container("k8s.io/pod", &[]);
    place.ok(
        &["namespaces", "label", "k8s.io", "team=infra"],
        "team=infra\n",
    );
    place.prints(&["export", "meta.db"]);
    place
}

/// Writes a file of containerd: containers of `default` with these specs, and 2 images.
fn write(place: &Place, containers: &[(&str, Option<&[u8]>)]) {
    let mut writer = Writer::create(place.path("meta.db")).unwrap();
    for name in [&b"v1"[..], b"default", b"containers"] {
        writer.open_bucket(name).unwrap();
    }
    for (id, spec) in containers {
        writer.open_bucket(id.as_bytes()).unwrap();
        writer.open_bucket(b"runtime").unwrap();
        writer.put(b"name", b"runc").unwrap();
        writer.close_bucket().unwrap();
        if let Some(spec) = spec {
            writer.put(b"spec", spec).unwrap();
        }
        writer.close_bucket().unwrap();
    }
    writer.close_bucket().unwrap();
    writer.open_bucket(b"images").unwrap();
    for name in [&b"nginx"[..], b"redis"] {
        writer.open_bucket(name).unwrap();
        writer.close_bucket().unwrap();
    }
    for _ in 0..3 {
        writer.close_bucket().unwrap();
    }
    writer.finish().unwrap();
}

const SPEC: Option<&[u8]> = Some(b"\x0a\x01t\x12\x02{}");

#[test]
fn what_was_exported_is_imported_into_a_new_private_file() {
    let place = exported();
    assert_private(&place.path("meta.db"));
    let out = place.prints(&["import", "meta.db", "--db", "new.redb"]);
    assert_eq!(
        summary(&out, &["file", "namespaces", "containers", "refused"]),
        ["new.redb", "2", "2", ""]
    );
    assert_private(&place.path("new.redb"));
    assert_eq!(place.files(), ["meta.db", "meta.redb", "new.redb"]);
    let info = |db: &str| {
        let text = place.prints(&["info", "web", "--db", db]);
        let (text, _) = text.split_once("\"revision\"").unwrap();
        text.to_owned()
    };
    assert_eq!(info("new.redb"), info("meta.redb"));
    let labels = ["namespaces", "ls", "--db", "new.redb"];
    assert!(place.prints(&labels).contains("team=infra"));
}

#[test]
fn the_new_store_has_the_rules_that_are_asked_for() {
    let place = exported();
    let args = ["import", "meta.db", "--db", "new.redb", "--rules"];
    place.prints(&[&args[..], &["containerd2"]].concat());
    let check = place.prints(&["check", "--db", "new.redb"]);
    assert_eq!(summary(&check, &["rules"]), ["containerd2"]);
}

#[test]
fn a_dry_run_lists_what_would_come_and_creates_nothing() {
    let place = Place::bare();
    write(&place, &[("a", SPEC), ("b", SPEC)]);
    let text =
        "namespaces  1\ncontainers  2\nleft behind default/images: 2\ndefault/a\ndefault/b\n";
    place.ok(&["import", "meta.db", "--dry-run"], text);
    assert_eq!(place.files(), ["meta.db"]);
    // A file that exists does not matter.
    place.ok(&["init"], "");
    place.ok(&["import", "meta.db", "--dry-run"], text);
}

#[test]
fn if_something_is_refused_nothing_is_made_unless_it_is_to_be_left_out() {
    let place = Place::bare();
    write(&place, &[("a", SPEC), ("b", None)]);
    let list = "left behind default/images: 2\n\
                refused default/b: import container \"b\" in namespace \"default\": `spec` is required\n";
    let nothing = "bayplan: nothing is imported, since one line of the list is refused\n  \
                   --skip-refused leaves them out\n";
    let run = place.run(&["import", "meta.db"]);
    assert_eq!(
        (run.out.as_str(), run.err.as_str(), run.code),
        (list, nothing, 1)
    );
    assert_eq!(place.files(), ["meta.db"]);
    let run = place.run(&["import", "meta.db", "--dry-run"]);
    assert_eq!((run.err.as_str(), run.code), (nothing, 1));
    assert!(
        run.out
            .ends_with(&list.replacen("refused", "default/a\nrefused", 1))
    );

    let run = place.run(&["import", "meta.db", "--skip-refused"]);
    assert_eq!((run.err.as_str(), run.code), ("", 1));
    assert_eq!(summary(&run.out, &["containers", "refused"]), ["1", "1"]);
    assert!(run.out.ends_with(list), "{}", run.out);
    place.ok(&["ls", "-q"], "a\n");
}

#[test]
fn a_damaged_container_is_refused_with_exit_code_2() {
    let place = Place::bare();
    write(&place, &[("a", SPEC), ("b", Some(b"\x0a\x09t"))]);
    let run = place.run(&["import", "meta.db"]);
    assert_eq!(run.code, 2);
    let line = "refused default/b: container \"b\" in namespace \"default\": the key spec: an Any \
                that is cut short\n";
    assert!(run.out.ends_with(line), "{}", run.out);
    assert_eq!(place.files(), ["meta.db"]);
    let run = place.run(&["import", "meta.db", "--skip-refused"]);
    assert_eq!((run.err.as_str(), run.code), ("", 2));
    place.ok(&["ls", "-q"], "a\n");
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_nothing_is_made() {
    let place = exported();
    fs::remove_file(place.db()).unwrap();
    let healthy = fs::read(place.path("meta.db")).unwrap();
    // The header of the last page.
    let mut damaged = healthy.clone();
    let at = damaged.len() - 4096;
    damaged[at] ^= 1;
    place.file("damaged.db", damaged);
    place.file("short.db", &healthy[..healthy.len() - 1]);
    place.file("other.db", "something else");
    for (name, code, text) in [
        ("damaged.db", 2, "bayplan: damaged.db is damaged: page "),
        ("short.db", 2, "bayplan: short.db is damaged: page "),
        ("other.db", 1, "bayplan: other.db is not a Bolt file: "),
        ("none.db", 1, "bayplan: cannot open none.db\n  No such file"),
        (
            "-",
            1,
            "bayplan: containerd's file cannot be `-`, which stands for standard input or output\n",
        ),
    ] {
        for args in [&["import", name][..], &["import", name, "--dry-run"]] {
            let run = place.run(args);
            assert_eq!((run.code, run.out.as_str()), (code, ""), "{args:?}");
            assert!(run.err.starts_with(text), "{}", run.err);
        }
    }
    assert!(!place.db().exists());
}

#[test]
fn a_file_that_containerd_holds_is_refused_with_a_word_on_how() {
    let place = exported();
    let held = fs::File::open(place.path("meta.db")).unwrap();
    held.lock().unwrap();
    place.fails(
        &["import", "meta.db", "--db", "new.redb"],
        3,
        "bayplan: meta.db is locked: another process has it open\n  containerd holds it while it \
         runs: stop it, or copy the file while nothing changes, and import the copy\n",
    );
    assert_eq!(place.files(), ["meta.db", "meta.redb"]);
}

#[test]
fn a_file_of_a_newer_containerd_is_refused() {
    let place = Place::bare();
    let mut writer = Writer::create(place.path("meta.db")).unwrap();
    writer.open_bucket(b"v1").unwrap();
    writer.put(b"version", b"\x0a").unwrap();
    writer.close_bucket().unwrap();
    writer.finish().unwrap();
    place.fails(
        &["import", "meta.db"],
        4,
        "bayplan: meta.db has version 5 of containerd's schema, expected at most 4\n",
    );
}

#[test]
fn nothing_is_overwritten() {
    let place = exported();
    let before = fs::read(place.db()).unwrap();
    let text = "bayplan: DIR/meta.redb exists already, and nothing is overwritten\n  \
                move it away, or name a new file by --db\n";
    place.fails(&["import", "meta.db"], 1, text);
    assert_eq!(fs::read(place.db()).unwrap(), before);
    place.fails(
        &["export", "meta.db"],
        1,
        "bayplan: meta.db exists already\n",
    );
    place.fails(
        &["import", "meta.db", "--db", "nowhere/new.redb"],
        1,
        "bayplan: nowhere: there is no such directory\n",
    );
    place.fails(
        &["export", "-"],
        1,
        "bayplan: the new file cannot be `-`, which stands for standard input or output\n  a file \
         of containerd is no stream: name a file\n",
    );
}

#[test]
fn what_containerd_cannot_hold_is_told_before_anything_is_written() {
    let place = Place::new();
    place.container("version/web", &[]);
    place.fails(
        &["export", "meta.db"],
        1,
        "bayplan: containerd cannot have a namespace named \"version\": its file has another key \
         there\n  nothing was written; move its containers to another\n",
    );
    assert_eq!(place.files(), ["meta.redb"]);
}

#[test]
fn records_of_other_kinds_are_counted_and_stay() {
    let place = Place::new();
    let db = Db::open(place.db()).unwrap();
    let leases = db.namespace("default").unwrap().records("leases").unwrap();
    leases.create(Record::new("a", Any::new("t", b""))).unwrap();
    drop((leases, db));
    let out = place.prints(&["export", "meta.db"]);
    assert_eq!(summary(&out, &["namespaces", "containers"]), ["1", "0"]);
    assert!(out.ends_with("\nleft behind default/leases: 1\n"), "{out}");
}

#[test]
fn of_a_damaged_store_there_is_no_export() {
    let place = Place::new();
    place.container("web", &["--image", "a-marked-image"]);
    place.damage("a-marked-image");
    let run = place.run(&["export", "meta.db"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(run.err.contains("bayplan salvage"), "{}", run.err);
    assert_eq!(place.files(), ["meta.redb"]);
}

/// A file that takes a while to import.
fn large() -> Place {
    let place = Place::bare();
    let db = Db::in_memory().unwrap();
    let filled = db.write(|txn| -> bayplan::Result<()> {
        let store = txn.namespace("default")?;
        for number in 0..5000 {
            let id = format!("c{number:05}");
            let runtime = Runtime::new("runc");
            store.create(Container::new(id, runtime, Any::new("t", vec![7; 2000])))?;
        }
        Ok(())
    });
    filled.unwrap();
    let snapshot = db.read().unwrap();
    bayplan_metadb::export(&snapshot, place.path("meta.db"), |_| {}).unwrap();
    place
}

/// Starts an import, and waits until it writes.
fn begun(place: &Place) -> Child {
    let mut command = place.command(&["import", "meta.db"]);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    let is_hidden = |name: &String| name.starts_with(".bayplan-");
    while !place.files().iter().any(is_hidden) {
        assert!(child.try_wait().unwrap().is_none(), "it is done already");
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
    thread::sleep(Duration::from_millis(10));
    child
}

#[test]
fn an_import_that_was_killed_leaves_no_store_and_can_be_run_again() {
    let place = large();
    let mut child = begun(&place);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert!(!place.db().exists());
    let out = place.prints(&["import", "meta.db"]);
    assert_eq!(summary(&out, &["containers"]), ["5000"]);
    assert_eq!(place.prints(&["ls", "-q"]).lines().count(), 5000);
}

#[test]
fn an_import_that_a_signal_ends_leaves_nothing() {
    let place = large();
    let mut child = begun(&place);
    let pid = child.id().to_string();
    let sent = std::process::Command::new("kill").arg(pid).status();
    assert!(sent.unwrap().success());
    assert_eq!(child.wait().unwrap().signal(), Some(15));
    assert_eq!(place.files(), ["meta.db"]);
}
