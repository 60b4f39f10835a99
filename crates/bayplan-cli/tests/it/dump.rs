use std::fs::{self, File};
use std::io::Read;
use std::process::Stdio;

use bayplan::{Any, Container, Db, Runtime, Store};

use crate::util::{Place, SPEC, assert_private, summary};

/// A store with a bit of everything.
fn filled() -> Place {
    let place = Place::new();
    place.container("web", &["--label", "app=nginx", "--image", "nginx"]);
    place.container("k8s.io/pod", &[]);
    place.ok(
        &["namespaces", "label", "k8s.io", "team=infra"],
        "team=infra\n",
    );
    place.ok(&["namespaces", "create", "empty"], "");
    place
}

#[test]
fn a_dump_that_was_loaded_gives_the_same_dump() {
    let place = filled();
    let dump = place.prints(&["dump"]);
    assert_eq!(dump.lines().count(), 7);
    assert_eq!(place.prints(&["dump", "-"]), dump);
    for (name, args) in [("a", &["load"][..]), ("b", &["load", "-"])] {
        let args = [args, &["--db", name]].concat();
        let run = place.run_with(&args, &dump, &[]);
        assert_eq!((run.code, run.err.as_str()), (0, ""));
        assert_eq!(
            summary(&run.out, &["file", "namespaces", "containers"]),
            [name, "3", "2"]
        );
        assert_private(&place.path(name));
        assert_eq!(place.prints(&["dump", "--db", name]), dump);
    }
}

#[test]
fn a_dump_in_a_file_is_private_and_the_same() {
    let place = filled();
    let dump = place.prints(&["dump"]);
    let out = place.prints(&["dump", "meta.ndjson"]);
    assert_eq!(
        summary(&out, &["file", "namespaces", "containers"]),
        ["meta.ndjson", "3", "2"]
    );
    assert_private(&place.path("meta.ndjson"));
    assert_eq!(fs::read_to_string(place.path("meta.ndjson")).unwrap(), dump);
    assert_eq!(place.files(), ["meta.ndjson", "meta.redb"]);
    place.prints(&["load", "meta.ndjson", "--db", "new.redb"]);
    assert_eq!(place.prints(&["dump", "--db", "new.redb"]), dump);
}

#[test]
fn nothing_is_overwritten() {
    let place = filled();
    place.file("there", "text");
    place.fails(
        &["dump", "there"],
        1,
        "bayplan: there cannot be written: it exists already\n",
    );
    assert_eq!(fs::read(place.path("there")).unwrap(), b"text");
    let dump = place.prints(&["dump"]);
    let before = fs::read(place.db()).unwrap();
    let run = place.run_with(&["load"], &dump, &[]);
    let text = "bayplan: DIR/meta.redb exists already, and nothing is overwritten\n  \
                move it away, or name a new file by --db\n";
    assert_eq!((run.code, run.err.as_str()), (1, text));
    assert_eq!(fs::read(place.db()).unwrap(), before);
    place.fails(
        &["dump", "nowhere/meta.ndjson"],
        1,
        "bayplan: nowhere/meta.ndjson cannot be written: there is no directory nowhere\n",
    );
}

#[test]
fn a_dump_that_cannot_be_loaded_leaves_no_store() {
    let place = filled();
    let dump = place.prints(&["dump"]);
    fs::remove_file(place.db()).unwrap();
    let (cut, _) = dump.trim_end().rsplit_once('\n').unwrap();
    let cases = [
        (
            format!("{cut}\n"),
            "line 7: the dump ends after line 6, without its last line: it is cut short",
        ),
        (
            dump.replace("nginx", "apache"),
            "line 7: the lines before were changed: their checksum is",
        ),
        (
            SPEC.to_owned(),
            "line 1: it is cut short: there is no line feed at its end",
        ),
    ];
    for (input, text) in cases {
        let run = place.run_with(&["load"], &input, &[]);
        assert_eq!((run.code, run.out.as_str()), (1, ""));
        let text = format!("bayplan: load a dump into DIR/meta.redb: {text}");
        assert!(run.err.starts_with(&text), "{}", run.err);
        assert!(place.files().is_empty());
    }
    let newer = dump.replace("\"bayplan_dump\":1", "\"bayplan_dump\":2");
    assert_eq!(place.run_with(&["load"], &newer, &[]).code, 4);
    place.fails(
        &["load", "none"],
        1,
        "bayplan: none cannot be read: No such file or directory (os error 2)\n",
    );
}

#[test]
fn of_a_damaged_store_there_is_no_half_dump() {
    let place = Place::new();
    let spec = r#"{"ociVersion":"1.0.2","hostname":"MARKER"}"#;
    place.run_with(&["create", "web", "--spec", "-"], spec, &[]);
    place.damage("MARKER");
    for args in [&["dump"][..], &["dump", "meta.ndjson"]] {
        let run = place.run(args);
        assert_eq!((run.code, run.out.as_str()), (2, ""));
        let text = "bayplan: open store DIR/meta.redb: the file is damaged: ";
        assert!(run.err.starts_with(text), "{}", run.err);
        let advice = "\n  `bayplan check` tells what is damaged, `bayplan salvage` saves the rest \
                      in a new file\n";
        assert!(run.err.ends_with(advice), "{}", run.err);
        assert_eq!(place.files(), ["meta.redb"]);
    }
}

/// Where a writer has the file open its pages are not verified at opening, but before the dump.
#[test]
fn damage_beside_a_writer_leaves_no_half_dump() {
    let place = Place::new();
    let spec = r#"{"ociVersion":"1.0.2","hostname":"MARKER"}"#;
    place.run_with(&["create", "web", "--spec", "-"], spec, &[]);
    let _daemon = Db::builder().live_readers(true).open(place.db()).unwrap();
    place.damage("MARKER");
    for args in [
        &["dump"][..],
        &["dump", "meta.ndjson"],
        &["backup", "second.redb"],
    ] {
        let run = place.run(args);
        assert_eq!((run.code, run.out.as_str()), (2, ""));
        let what = match args[0] {
            "dump" => "dump store",
            _ => "back up store",
        };
        let text = format!("bayplan: {what} DIR/meta.redb: the file is damaged: the page at byte ");
        assert!(run.err.starts_with(&text), "{}", run.err);
        let advice = "\n  `bayplan check` tells what is damaged, `bayplan salvage` saves the rest \
                      in a new file\n";
        assert!(run.err.ends_with(advice), "{}", run.err);
        assert_eq!(place.files(), ["meta.redb"]);
    }
    let run = place.run(&["check"]);
    assert_eq!(run.code, 2);
    assert!(run.out.contains("pages       damaged"), "{}", run.out);
}

#[test]
fn a_closed_pipe_ends_a_dump_silently_and_a_full_disk_does_not() {
    let place = Place::new();
    let db = Db::open(place.db()).unwrap();
    db.write(|txn| -> bayplan::Result<()> {
        let store = txn.namespace("default")?;
        for number in 0..50 {
            let spec = Any::new("spec", vec![b'x'; 20_000]);
            let id = format!("container-{number}");
            store.create(Container::new(id, Runtime::new("runc"), spec))?;
        }
        Ok(())
    })
    .unwrap();
    drop(db);
    let mut child = place
        .command(&["dump"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let run = place.told(child.wait_with_output().unwrap());
    assert_eq!((run.code, run.err.as_str()), (0, ""));

    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = place.command(&["dump"]).stdout(full).output().unwrap();
    let run = place.told(output);
    let text = "bayplan: standard output cannot be written to: No space left on device (os error \
                28)\n";
    assert_eq!((run.code, run.err.as_str()), (1, text));
}
