use std::fs;
use std::path::Path;
use std::process::Command;

use crate::util::Place;

/// Runs what docs/CLI.md shows, line by line in one shell, and compares what comes out.
#[test]
fn the_document_shows_what_the_program_prints() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/CLI.md");
    let document = fs::read_to_string(document).unwrap();
    let sessions = document.split("```console\n").skip(1);
    let session: String = sessions
        .map(|text| text.split_once("```").unwrap().0)
        .collect();
    let commands: Vec<&str> = session
        .lines()
        .filter_map(|line| line.strip_prefix("$ "))
        .collect();
    assert!(commands.len() > 20);

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
    assert_eq!(alike(&printed), alike(&session));
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
