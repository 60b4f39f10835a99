use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use bayplan::{Any, Container, Db, Runtime};

use crate::util::Place;

/// A store of more containers than a pipe takes at once, each with a label that stands nowhere else in the file.
fn with_many() -> Place {
    let place = Place::new();
    let db = Db::open(place.db()).unwrap();
    db.write(|txn| -> bayplan::Result<()> {
        let store = txn.namespace("default")?;
        for number in 0..2000 {
            let spec = Any::new("spec", b"{}");
            let id = format!("container-{number}");
            let container = Container::new(id, Runtime::new("runc"), spec);
            store.create(container.label("marker", format!("m{number}m")))?;
        }
        Ok(())
    })
    .unwrap();
    place
}

#[test]
fn a_closed_pipe_is_silent() {
    let place = with_many();
    let commands = [
        &["ls"][..],
        &["ls", "--format", "json"],
        &["completions", "bash"],
        &["--help"],
    ];
    for args in commands {
        let mut child = place
            .command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0; 1];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let run = place.told(child.wait_with_output().unwrap());
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{args:?}");
    }
}

#[test]
fn a_full_disk_is_told() {
    let place = Place::new();
    place.container("web", &[]);
    for args in [&["ls"][..], &["info", "web"], &["man"], &["--help"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = place.command(args).stdout(full).output().unwrap();
        let run = place.told(output);
        assert_eq!(run.code, 1);
        assert!(
            run.err
                .starts_with("bayplan: standard output cannot be written to: No space left"),
            "{}",
            run.err
        );
    }
}

#[test]
fn an_argument_that_is_not_utf_8_is_an_error() {
    let place = Place::new();
    let odd = OsStr::from_bytes(b"\xff");
    for args in [
        &[OsStr::new("info"), odd][..],
        &[OsStr::new("ls"), OsStr::new("-n"), odd],
        &[odd],
    ] {
        let run = place.told(place.command(args).output().unwrap());
        assert_eq!((run.code, run.out.as_str()), (1, ""));
        assert!(run.err.starts_with("bayplan: "), "{}", run.err);
        assert!(
            run.err.contains("UTF-8") || run.err.contains("unrecognized"),
            "{}",
            run.err
        );
    }
    let args = [OsStr::new("init"), OsStr::new("--db"), odd];
    let run = place.told(place.command(&args).output().unwrap());
    assert_eq!((run.code, run.err.as_str()), (0, ""));
}

#[test]
fn a_file_without_end_is_not_read_to_it() {
    let place = Place::new();
    place.fails(
        &["create", "web", "--spec", "/dev/zero"],
        1,
        "bayplan: /dev/zero is too large: more than 67108864 bytes\n",
    );
}

/// Where a command takes a file, `-` is a stream or refused, and never a file of that name.
#[test]
fn a_dash_is_never_a_file() {
    let place = Place::new();
    let told = |args: &[&str], text: &str| {
        let run = place.run(args);
        assert_eq!((run.code, run.out.as_str()), (1, ""), "{args:?}");
        assert!(run.err.starts_with(text), "{args:?}: {}", run.err);
    };
    let dash = "cannot be `-`, which stands for standard input or output\n  ";
    for (args, what) in [
        (&["backup", "-"][..], "the backup"),
        (&["restore", "-", "--db", "new"], "the backup"),
        (&["salvage", "-"], "the new file"),
        (&["salvage", "-", "new"], "the damaged file"),
        (&["salvage", "meta.redb", "-"], "the new file"),
        (&["create", "web", "--bundle", "-"], "the bundle"),
        (&["man", "--dir", "-"], "the directory"),
        (&["init", "--db", "-"], "the database"),
        (&["ls", "--db", "-"], "the database"),
        (&["load", "--db", "-"], "the database"),
        (&["restore", "meta.redb", "--db", "-"], "the database"),
    ] {
        told(args, &format!("bayplan: {what} {dash}"));
    }
    let run = place.run_with(&["ls"], "", &[("BAYPLAN_DB", "-")]);
    assert!(run.err.contains(dash), "{}", run.err);
    assert_eq!(place.files(), ["meta.redb"]);

    place.prints(&["backup", "./-"]);
    assert_eq!(place.files(), ["-", "meta.redb"]);
    place.ok(&["ls", "--db", "./-", "-q"], "");
}

#[test]
fn standard_input_is_read_for_one_file_only() {
    let place = Place::new();
    place.container("web", &[]);
    let text = "bayplan: `-` stands for standard input, which can be read only once\n  \
                name files for all but one\n";
    place.fails(
        &["create", "a", "--spec", "-", "--runtime-options", "-"],
        1,
        text,
    );
    place.fails(
        &["create", "a", "--spec", "-", "--extension", "x=-"],
        1,
        text,
    );
    place.fails(
        &["update", "web", "--spec", "-", "--extension", "x=-"],
        1,
        text,
    );
}

#[test]
fn what_was_saved_in_another_encoding_is_told() {
    let place = Place::new();
    place.container("web", &[]);
    let spec = crate::util::SPEC;
    let utf_16: Vec<u8> = spec.encode_utf16().flat_map(u16::to_le_bytes).collect();
    place.file("mark.json", format!("\u{feff}{spec}"));
    place.file("wide.json", utf_16);
    for args in [
        &["create", "a", "--spec"][..],
        &["update", "web", "--spec"],
        &["update", "web", "--from"],
    ] {
        let mark = [args, &["mark.json"]].concat();
        let text = "bayplan: mark.json begins with a UTF-8 byte order mark: save it without one\n";
        place.fails(&mark, 1, text);
        let wide = [args, &["wide.json"]].concat();
        place.fails(&wide, 1, "bayplan: wide.json is UTF-16: save it as UTF-8\n");
    }
    place.file(
        "mark.ndjson",
        format!("\u{feff}{}", place.prints(&["dump"])),
    );
    place.fails(
        &["load", "mark.ndjson", "--db", "new"],
        1,
        "bayplan: load a dump into new: line 1: it begins with a UTF-8 byte order mark: save the \
         dump without one\n",
    );
}

/// Too few files may be open: the error has the system's own words.
#[test]
fn what_the_system_says_is_told() {
    let place = Place::new();
    let program = env!("CARGO_BIN_EXE_bayplan");
    let mut refused = 0;
    // With fewer the program cannot even be started.
    for files in 4..12 {
        for args in ["dump new", "backup new", "ls", "info web", "init --db new"] {
            let script = format!("ulimit -n {files}; exec \"$0\" {args}");
            let output = Command::new("sh")
                .args(["-c", &script, program])
                .current_dir(place.path(""))
                .env("BAYPLAN_DB", place.db())
                .output()
                .unwrap();
            let run = place.told(output);
            let _ = std::fs::remove_file(place.path("new"));
            if run.code == 0 || run.err.contains("not found") {
                continue;
            }
            assert!(
                run.err.ends_with("\n  Too many open files (os error 24)\n"),
                "{files} {args}: {}",
                run.err
            );
            refused += 1;
        }
    }
    assert!(refused > 3, "{refused}");
}

#[test]
fn damage_is_told_by_the_exit_code_also_to_a_reader_that_stops() {
    let place = with_many();
    place.damage("m1234m");
    let mut child = place
        .command(&["ls"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let run = place.told(child.wait_with_output().unwrap());
    assert_eq!(run.code, 2, "{}", run.err);
}
