use std::fs::{self, File};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use bayplan::{Any, Container, Db, Runtime, Share};

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
        "bayplan: dump to there: already exists\n",
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
        "bayplan: dump to nowhere/meta.ndjson: there is no such directory\n",
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
    let newer = dump.replace("\"bayplan_dump\":2", "\"bayplan_dump\":3");
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

/// Pages are verified at opening, beside a writer as well.
#[test]
fn damage_beside_a_writer_leaves_no_half_dump() {
    let place = Place::new();
    let spec = r#"{"ociVersion":"1.0.2","hostname":"MARKER"}"#;
    place.run_with(&["create", "web", "--spec", "-"], spec, &[]);
    let _daemon = Db::builder()
        .share(Share::Readers)
        .open(place.db())
        .unwrap();
    place.damage("MARKER");
    for args in [
        &["dump"][..],
        &["dump", "meta.ndjson"],
        &["backup", "second.redb"],
    ] {
        let run = place.run(args);
        assert_eq!((run.code, run.out.as_str()), (2, ""));
        let text = "bayplan: open store DIR/meta.redb: the file is damaged: the page at byte ";
        assert!(run.err.starts_with(text), "{}", run.err);
        let advice = "\n  `bayplan check` tells what is damaged, `bayplan salvage` saves the rest \
                      in a new file\n";
        assert!(run.err.ends_with(advice), "{}", run.err);
        assert_eq!(place.files(), ["meta.redb"]);
    }
    let run = place.run(&["check"]);
    assert_eq!(run.code, 2);
    assert!(run.out.contains("pages       damaged"), "{}", run.out);
}

/// Containers whose dump is larger than any pipe.
fn large() -> Place {
    let place = Place::new();
    let db = Db::open(place.db()).unwrap();
    db.write(|txn| -> bayplan::Result<()> {
        let store = txn.namespace("default")?;
        for number in 0..500 {
            let spec = Any::new("spec", vec![b'x'; 20_000]);
            let id = format!("container-{number}");
            store.create(Container::new(id, Runtime::new("runc"), spec))?;
        }
        Ok(())
    })
    .unwrap();
    place
}

#[test]
fn a_dump_of_one_namespace_holds_that_one_and_says_so() {
    let place = filled();
    let dump = place.prints(&["dump", "-n", "k8s.io"]);
    let (head, rest) = dump.split_once('\n').unwrap();
    assert!(head.ends_with(",\"only_namespace\":\"k8s.io\"}"), "{head}");
    assert_eq!(rest.lines().count(), 3);
    assert!(!dump.contains("web"), "{dump}");
    let out = place.prints(&["-n", "k8s.io", "dump", "k8s.ndjson"]);
    assert_eq!(summary(&out, &["namespaces", "containers"]), ["1", "1"]);
    assert_eq!(fs::read_to_string(place.path("k8s.ndjson")).unwrap(), dump);

    let run = place.run(&["load", "k8s.ndjson", "--db", "new.redb"]);
    let note = "bayplan: the dump was made of namespace k8s.io only: what else its store held is not \
                in the new file\n";
    assert_eq!((run.code, run.err.as_str()), (0, note));
    place.ok(&["ls", "-Aq", "--db", "new.redb"], "k8s.io/pod\n");
    let again = place.prints(&["dump", "-n", "k8s.io", "--db", "new.redb"]);
    assert_eq!(again, dump);

    let run = place.run(&["dump", "-n", "k8s", "none.ndjson"]);
    let text = "bayplan: dump namespace \"k8s\" of DIR/meta.redb: not found\n";
    assert_eq!((run.code, run.err.as_str()), (1, text));
    place.fails(&["dump", "-n", "k8s"], 1, text);
    assert!(!place.path("none.ndjson").exists());
}

/// Whether the process has a file open in the directory that has no name, or not its own yet.
fn is_writing(pid: u32, directory: &str) -> bool {
    let Ok(handles) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    let targets = handles.filter_map(|handle| fs::read_link(handle.ok()?.path()).ok());
    targets
        .map(|target| target.display().to_string())
        .any(|target| {
            target.starts_with(directory)
                && (target.ends_with(" (deleted)") || target.ends_with(".new"))
        })
}

#[test]
fn a_dump_that_is_killed_leaves_no_file() {
    let place = large();
    let directory = fs::canonicalize(place.path("")).unwrap();
    let directory = directory.to_str().unwrap();
    for (name, number) in [("TERM", 15), ("KILL", 9)] {
        // It may be too late for some.
        let mut killed = 0;
        for _ in 0..50 {
            let mut child = place
                .command(&["dump", "meta.ndjson"])
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            while !is_writing(child.id(), directory) && child.try_wait().unwrap().is_none() {}
            let script = format!("kill -{name} {} 2> /dev/null", child.id());
            Command::new("sh").args(["-c", &script]).status().unwrap();
            let status = child.wait().unwrap();
            if status.signal() == Some(number) {
                killed += 1;
                let files = place.files();
                assert!(
                    files == ["meta.redb"] || files == ["meta.ndjson", "meta.redb"],
                    "{files:?}"
                );
            }
            let _ = fs::remove_file(place.path("meta.ndjson"));
            assert_eq!(place.files(), ["meta.redb"]);
        }
        assert!(killed > 0, "none was in time for SIG{name}");
    }
}

#[test]
fn a_dump_that_a_closed_pipe_or_a_full_disk_cuts_short_fails() {
    let place = large();
    let mut child = place
        .command(&["dump"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let run = place.told(child.wait_with_output().unwrap());
    let text = "bayplan: standard output was closed before the dump was complete\n";
    assert_eq!((run.code, run.err.as_str()), (1, text));

    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = place.command(&["dump"]).stdout(full).output().unwrap();
    let run = place.told(output);
    let text = "bayplan: standard output cannot be written to: No space left on device (os error \
                28)\n";
    assert_eq!((run.code, run.err.as_str()), (1, text));
}
