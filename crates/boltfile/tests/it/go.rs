//! The real bbolt: it reads, checks and changes what the writer wrote, and writes files for the reader.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{env, fs};

use boltfile::{Error, Reader, WriteOptions};
use proptest::test_runner::TestRunner;

use crate::fixtures::{self, databases, reads_as_bbolt_listed_it};
use crate::listing::list;
use crate::model::{Model, cases, page_sizes, roots};
use crate::round_trip::wide;

/// Where Debian puts the sources of Go packages.
const GOPATH: &str = "/usr/share/gocode";

/// So many files are checked by bbolt, unless `PROPTEST_CASES` says so.
const CASES: u32 = 40;

/// Builds the program once. `None` if the machine lacks something.
///
/// # Panics
///
/// In CI, where the variable `CI` is set and not empty: there, nobody would notice that a suite was skipped.
#[track_caller]
fn program() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match PROGRAM.get_or_init(build) {
        Ok(program) => Some(program),
        Err(why) => {
            let is_ci = env::var_os("CI").is_some_and(|ci| !ci.is_empty());
            assert!(!is_ci, "bbolt: {why}; CI must not leave it out");
            eprintln!("bbolt: left out: {why}");
            None
        }
    }
}

fn build() -> Result<PathBuf, String> {
    if !Path::new(GOPATH).join("src/go.etcd.io/bbolt").exists() {
        return Err("its sources are missing (Debian: golang-github-coreos-bbolt-dev)".into());
    }
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("boltfile-bbolt");
    let output = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg("main.go")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go"))
        .env("GO111MODULE", "off")
        .env("GOPATH", GOPATH)
        .output()
        .map_err(|error| format!("go does not run (Debian: golang-go): {error}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    // A program that does not build is a fault, wherever Go is.
    assert!(output.status.success(), "{errors}");
    Ok(program)
}

/// Runs one verb, and returns its output.
#[track_caller]
fn run(program: &Path, verb: &str, path: &Path) -> String {
    let output = Command::new(program).arg(verb).arg(path).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{verb} {}: {errors}",
        path.display()
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn files_of_bbolt_read_as_it_lists_them() {
    let Some(program) = program() else { return };
    let directory = tempfile::tempdir().unwrap();
    run(program, "fixtures", directory.path());
    let made = databases(directory.path());
    assert!(made.len() > 8);
    for path in &made {
        reads_as_bbolt_listed_it(path);
    }
    if env::var_os("BOLTFILE_WRITE_FIXTURES").is_some() {
        for path in made {
            let name = path.file_name().unwrap().to_str().unwrap();
            if !name.starts_with("large-") {
                let text = path.with_extension("txt");
                let kept = fixtures::directory().join(name);
                fs::copy(text, kept.with_extension("txt")).unwrap();
                fs::copy(&path, kept).unwrap();
            }
        }
    }
}

/// bbolt checks the file, lists it, deletes from it and adds to it, and checks it each time.
#[track_caller]
fn bbolt_takes(program: &Path, model: &Model, path: &Path, page_bytes: u32) {
    model.write(path, page_bytes).unwrap();
    let listed = run(program, "check", path);
    assert!(listed == model.list(0), "{}", path.display());
    // And what it has made of it is read.
    let reader = Reader::open(path).unwrap();
    assert_eq!(reader.check().unwrap().lost_pages, 0);
    assert_eq!(list(&reader).unwrap(), run(program, "list", path));
}

#[test]
fn bbolt_takes_what_the_writer_writes() {
    let Some(program) = program() else { return };
    let mut runner = TestRunner::new(cases(CASES));
    let done = runner.run(&(roots(), page_sizes()), |(model, page_bytes)| {
        let directory = tempfile::tempdir().unwrap();
        bbolt_takes(
            program,
            &model,
            &directory.path().join("file.db"),
            page_bytes,
        );
        Ok(())
    });
    done.unwrap();
}

#[test]
fn bbolt_takes_trees_of_every_height() {
    let Some(program) = program() else { return };
    let directory = tempfile::tempdir().unwrap();
    let sizes = [
        (0, 8, 0),
        (1, 8, 2000),
        (5, 8, 2_000_000),
        (20_000, 8, 3),
        (34, 32_768, 2),
        (300, 700, 20),
    ];
    for (number, (count, key_bytes, value_bytes)) in sizes.into_iter().enumerate() {
        let path = directory.path().join(format!("{number}.db"));
        bbolt_takes(program, &wide(count, key_bytes, value_bytes), &path, 1024);
    }
}

#[test]
fn a_file_that_bbolt_has_open_is_locked() {
    let Some(program) = program() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file.db");
    wide(3, 8, 8).write(&path, 4096).unwrap();
    let mut child = Command::new(program)
        .arg("hold")
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let output = child.stdout.take().unwrap();
    BufReader::new(output).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");

    assert!(matches!(Reader::open(&path), Err(Error::Locked { .. })));
    let mut options = WriteOptions::new();
    let writer = options.may_overwrite(true).create(&path).unwrap();
    assert!(matches!(writer.finish(), Err(Error::Locked { .. })));

    // The end of its input ends it.
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert!(Reader::open(&path).is_ok());
}
