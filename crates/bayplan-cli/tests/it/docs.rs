use std::fs;
use std::path::Path;
use std::process::Command;

use bayplan::ErrorKind;

use crate::util::Place;

#[test]
fn the_documents_show_what_the_program_prints() {
    shows_what_is_printed("CLI.md", 20);
    shows_what_is_printed("OPERATIONS.md", 5);
}

/// The kinds of errors are the library's, each with what to do.
#[test]
fn the_operators_page_has_every_kind_of_error() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/OPERATIONS.md");
    let document = fs::read_to_string(document).unwrap();
    let kinds = [
        ErrorKind::NotFound,
        ErrorKind::AlreadyExists,
        ErrorKind::InvalidArgument,
        ErrorKind::FailedPrecondition,
        ErrorKind::Corrupt,
        ErrorKind::Locked,
        ErrorKind::IncompatibleFormat,
        ErrorKind::NotAStore,
        ErrorKind::Io,
        ErrorKind::CommitUncertain,
        ErrorKind::Unavailable,
        ErrorKind::Forked,
        ErrorKind::Gone,
        ErrorKind::Cancelled,
        ErrorKind::Lagged,
    ];
    for kind in kinds {
        let row = format!("\n| {kind} | ");
        assert!(document.contains(&row), "{kind}");
    }
}

/// Runs what a document shows, line by line in one shell, and compares what comes out.
fn shows_what_is_printed(name: &str, at_least: usize) {
    let document = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    let document = fs::read_to_string(document).unwrap();
    let sessions = document.split("```console\n").skip(1);
    let session: String = sessions
        .map(|text| text.split_once("```").unwrap().0)
        .collect();
    let commands: Vec<&str> = session
        .lines()
        .filter_map(|line| line.strip_prefix("$ "))
        .collect();
    assert!(commands.len() >= at_least, "{name}");

    let mut script = String::from("exec 2>&1\n");
    for command in commands {
        script.push_str(&format!("cat <<'END'\n$ {command}\nEND\n{command}\n"));
    }
    let program = Path::new(env!("CARGO_BIN_EXE_bayplan"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let place = Place::bare();
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(place.path(""))
        .env("PATH", path)
        .env_remove("CONTAINERD_NAMESPACE")
        .output()
        .unwrap();
    let printed = place.told(output).out;
    assert_eq!(alike(&printed), alike(&session), "{name}");
}

/// The text without what differs from run to run: numbers, the store's id, hashes, the width of columns.
fn alike(text: &str) -> String {
    let word = |word: &str| {
        if word.len() == 36 && word.matches('-').count() == 4 {
            return "ID".to_owned();
        }
        if word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return "HASH".to_owned();
        }
        let mut digits = false;
        let mut alike = String::new();
        for character in word.chars() {
            if !character.is_ascii_digit() {
                alike.push(character);
            } else if !digits {
                alike.push('#');
            }
            digits = character.is_ascii_digit();
        }
        alike
    };
    let line = |line: &str| {
        line.split_whitespace()
            .map(word)
            .collect::<Vec<_>>()
            .join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}
