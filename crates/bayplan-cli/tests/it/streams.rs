use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use bayplan::{Any, Container, Db, Runtime, Store};

use crate::util::Place;

#[test]
fn a_closed_pipe_is_silent() {
    let place = Place::new();
    let db = Db::open(place.db()).unwrap();
    db.write(|txn| -> bayplan::Result<()> {
        let store = txn.namespace("default")?;
        for number in 0..2000 {
            let spec = Any::new("spec", b"{}");
            let id = format!("container-{number}");
            store.create(Container::new(id, Runtime::new("runc"), spec))?;
        }
        Ok(())
    })
    .unwrap();
    drop(db);
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
