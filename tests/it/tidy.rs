//! The house rules, as far as a program can check them.

use std::fs;
use std::path::{Path, PathBuf};

/// No file has more lines than this, tests aside: there would be a second concept inside.
const FILE_MAX_LINES: usize = 700;

struct Source {
    /// The path below `src`, such as `session/file.rs`.
    path: String,
    text: String,
}

impl Source {
    /// The lines of code, without comments and unit tests.
    fn code(&self) -> impl Iterator<Item = &str> {
        self.text
            .lines()
            .take_while(|line| line.trim() != "#[cfg(test)]" && !line.starts_with("#[cfg(all(test"))
            .filter(|line| !line.trim_start().starts_with("//"))
    }

    fn is_test(&self) -> bool {
        self.path.contains("tests")
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    fn walk(directory: &Path, below: &str, sources: &mut Vec<Source>) {
        let mut entries: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        for path in entries {
            let name = path.file_name().unwrap().to_str().unwrap();
            let path_below = format!("{below}{name}");
            if path.is_dir() {
                walk(&path, &format!("{path_below}/"), sources);
            } else if name.ends_with(".rs") {
                sources.push(Source {
                    path: path_below,
                    text: fs::read_to_string(&path).unwrap(),
                });
            }
        }
    }
    let mut sources = Vec::new();
    walk(&root().join("src"), "", &mut sources);
    assert!(sources.len() > 20);
    sources
}

struct Room {
    name: String,
    redb: bool,
}

/// The list in the architecture document.
fn rooms() -> Vec<Room> {
    let document = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let (_, rest) = document.split_once("## The rooms, in order").unwrap();
    let (_, rest) = rest.split_once("```text\n").unwrap();
    let (list, _) = rest.split_once("```").unwrap();
    let room = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap().trim_end_matches('/').to_owned();
        Room {
            name,
            redb: words.next() == Some("redb"),
        }
    };
    list.lines()
        .filter(|line| !line.starts_with(' '))
        .map(room)
        .collect()
}

/// The place in the list of the room that a path such as `session/file.rs` or `session::file` is in.
fn place(rooms: &[Room], path: &str) -> Option<usize> {
    let name = path.split(['/', ':']).next()?;
    rooms.iter().position(|room| room.name == name)
}

/// The rooms that a line names, such as `session` in `use crate::session::file;`.
fn named(line: &str) -> Vec<&str> {
    line.match_indices("crate::")
        .filter_map(|(at, found)| {
            let rest = &line[at + found.len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            let name = &rest[..end.unwrap_or(rest.len())];
            name.starts_with(|c: char| c.is_lowercase()).then_some(name)
        })
        .collect()
}

#[test]
fn a_room_uses_only_rooms_above_it() {
    let rooms = rooms();
    let mut wrong = Vec::new();
    for source in sources() {
        let path = &source.path;
        if path == "lib.rs" || source.is_test() {
            continue;
        }
        let own = place(&rooms, path)
            .unwrap_or_else(|| panic!("{path} is in no room of docs/ARCHITECTURE.md"));
        for line in source.code() {
            // What is named by a group would escape.
            assert!(!line.contains("crate::{"), "{path}: name each room: {line}");
            for named in named(line) {
                match place(&rooms, named) {
                    Some(place) if place <= own => {}
                    Some(_) => wrong.push(format!("{path} uses {named}, which stands below it")),
                    None => wrong.push(format!("{path} uses {named}, which is no room")),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn redb_is_named_in_marked_rooms_only() {
    let rooms = rooms();
    for source in sources() {
        let path = &source.path;
        let Some(own) = place(&rooms, path) else {
            continue;
        };
        let names_redb = source
            .code()
            .any(|line| line.contains("redb::") || line.contains("use redb"));
        assert!(!names_redb || rooms[own].redb, "{path} names redb");
    }
}

#[test]
fn every_room_exists_and_says_what_it_is_for() {
    let sources = sources();
    for room in rooms() {
        let head = format!("{}/mod.rs", room.name);
        let source = sources.iter().find(|source| source.path == head);
        let source = source.unwrap_or_else(|| panic!("there is no {head}"));
        let lines = source.text.lines();
        let head_lines = lines.take_while(|line| line.starts_with("//!")).count();
        assert!((1..=10).contains(&head_lines), "{head}: {head_lines} lines");
    }
}

#[test]
fn no_file_makes_one_scroll_for_its_point() {
    for source in sources() {
        let lines = source.code().count();
        assert!(
            lines <= FILE_MAX_LINES,
            "{} has {lines} lines of code",
            source.path
        );
    }
}

#[test]
fn every_file_begins_with_what_it_is_for() {
    for source in sources() {
        assert!(
            source.text.starts_with("//! "),
            "{} has no head comment",
            source.path
        );
    }
}

#[test]
fn the_changelog_knows_the_version() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        changelog.contains(&format!("## {version}")),
        "no entry for {version}"
    );
}

#[test]
fn the_layering_test_can_fail() {
    assert_eq!(named("use crate::session::{file, txn};"), ["session"]);
    assert_eq!(named("    crate::records::meta::Identity,"), ["records"]);
    assert_eq!(named("pub(crate) use crate::Db;"), [""; 0]);
    let rooms = rooms();
    assert!(place(&rooms, "records::meta") > place(&rooms, "model::error"));
    assert!(place(&rooms, "maintenance/check.rs") > place(&rooms, "session/file.rs"));
    assert_eq!(place(&rooms, "modelling"), None);
}
