//! The rules of the house, as far as a program can see them.

use std::fs;
use std::path::{Path, PathBuf};

/// No file has more lines than this, tests aside: there would be a second concept inside.
const FILE_MAX_LINES: usize = 700;

struct Source {
    /// The path below `src`, such as `engine/fault.rs`.
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

struct Module {
    name: String,
    redb: bool,
}

/// The list in the architecture document.
fn modules() -> Vec<Module> {
    let document = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let (_, rest) = document.split_once("## The modules, in order").unwrap();
    let (_, rest) = rest.split_once("```text\n").unwrap();
    let (list, _) = rest.split_once("```").unwrap();
    let module = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap().to_owned();
        Module {
            name,
            redb: words.next() == Some("redb"),
        }
    };
    list.lines().map(module).collect()
}

/// The place in the list of the module that a path such as `engine::fault::contained` leads into.
fn place(modules: &[Module], path: &str) -> Option<usize> {
    modules.iter().position(|module| {
        path.strip_prefix(module.name.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    })
}

fn module_path(source: &Source) -> String {
    let path = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
    path.replace('/', "::")
}

/// The modules that a line names, such as `engine::fault` in `use crate::engine::fault::OrFault`;
/// several for `use crate::engine::{check, namespaces}`.
fn named(line: &str) -> Vec<String> {
    line.match_indices("crate::")
        .flat_map(|(at, _)| {
            let rest = &line[at + "crate::".len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && !"_:".contains(c));
            let path = &rest[..end.unwrap_or(rest.len())];
            match rest[path.len()..].strip_prefix('{') {
                Some(group) if path == "engine::" => group
                    .split(['}', ';'])
                    .next()
                    .unwrap_or_default()
                    .split(',')
                    .map(|name| format!("engine::{}", name.trim()))
                    .collect(),
                _ => vec![path.trim_end_matches("::").to_owned()],
            }
        })
        .filter(|path| path.starts_with(|c: char| c.is_lowercase()))
        .collect()
}

#[test]
fn a_module_uses_only_modules_above_it() {
    let modules = modules();
    let mut wrong = Vec::new();
    for source in sources() {
        let path = module_path(&source);
        if path == "lib" || path == "engine" || source.is_test() {
            continue;
        }
        let own = place(&modules, &path)
            .unwrap_or_else(|| panic!("{path} is not in docs/ARCHITECTURE.md"));
        for line in source.code() {
            for named in named(line) {
                match place(&modules, &named) {
                    Some(place) if place <= own => {}
                    Some(_) => wrong.push(format!("{path} uses {named}, which stands below it")),
                    None => wrong.push(format!("{path} uses {named}, which is not in the list")),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn redb_is_named_in_the_engine_only() {
    let modules = modules();
    for source in sources() {
        let path = module_path(&source);
        let Some(own) = place(&modules, &path) else {
            continue;
        };
        let names_redb = source
            .code()
            .any(|line| line.contains("redb::") || line.contains("use redb"));
        assert!(!names_redb || modules[own].redb, "{path} names redb");
    }
}

#[test]
fn every_module_in_the_list_exists() {
    let sources = sources();
    for module in modules() {
        let is_there = sources.iter().any(|source| {
            let path = module_path(source);
            path == module.name || path.starts_with(&format!("{}::", module.name))
        });
        assert!(
            is_there,
            "{} is in docs/ARCHITECTURE.md and nowhere else",
            module.name
        );
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
    assert_eq!(
        named("use crate::engine::{check, namespaces};"),
        ["engine::check", "engine::namespaces"]
    );
    assert_eq!(named("    crate::record::Identity,"), ["record::Identity"]);
    let modules = modules();
    assert!(place(&modules, "record::Identity") > place(&modules, "error::Error"));
    assert_eq!(place(&modules, "erroneous"), None);
}
