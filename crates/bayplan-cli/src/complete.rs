//! Completions: of the command line, and of ids, namespaces and kinds that are in the store.
//!
//! The shell's script calls the program with the line so far, and the program answers with what may follow. It is silent
//! where it cannot: without a store, or with one that cannot be read.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::PathBuf;

use bayplan::{Db, ReadStore, Stored};
use clap::CommandFactory;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::{CompleteEnv, Shells};

use crate::cli::{Cli, Global};
use crate::failure::Result;

/// The variable by which a shell's script asks.
const VARIABLE: &str = "BAYPLAN_COMPLETE";

/// The most that is answered; a longer list helps nobody.
const CANDIDATES: usize = 200;

/// Answers a shell that asks for completions. Returns false if none does.
pub(crate) fn is_answered() -> bool {
    let answer = CompleteEnv::with_factory(Cli::command).var(VARIABLE);
    // The line on a terminal is not the place for an error.
    answer.try_complete(env::args_os(), None).unwrap_or(true)
}

/// Writes the script that makes this shell ask.
pub(crate) fn write_script(shell: &str, out: &mut dyn Write) -> io::Result<()> {
    match Shells::builtins().completer(shell) {
        Some(shell) => shell.write_registration(VARIABLE, "bayplan", "bayplan", "bayplan", out),
        None => Err(io::Error::other("the shell is not known")),
    }
}

/// Ids of containers, or NAMESPACE/ID.
pub(crate) fn ids(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else {
        return Vec::new();
    };
    let line = Line::read();
    let found = line.open().and_then(|db| {
        let snapshot = db.read()?;
        let (namespace, id) = match current.split_once('/') {
            Some((namespace, id)) => (namespace.to_owned(), id),
            None => (line.global.namespace()?, current),
        };
        let found = beginning_with(&snapshot.namespace(&namespace)?, id)?;
        Ok(match current.contains('/') {
            true => found.iter().map(|id| format!("{namespace}/{id}")).collect(),
            false => found,
        })
    });
    candidates(found)
}

/// Names of namespaces.
pub(crate) fn namespaces(current: &OsStr) -> Vec<CompletionCandidate> {
    let found = Line::read().open().and_then(|db| {
        let names = db.list_namespaces()?.into_iter();
        let names = names.map(|name| name.to_string());
        Ok(names.filter(|name| begins_with(name, current)).collect())
    });
    candidates(found)
}

/// Kinds of records in the namespace.
pub(crate) fn kinds(current: &OsStr) -> Vec<CompletionCandidate> {
    let line = Line::read();
    let found = line.open().and_then(|db| {
        let kinds = db.record_kinds(&line.global.namespace()?)?.into_iter();
        Ok(kinds.filter(|kind| begins_with(kind, current)).collect())
    });
    candidates(found)
}

/// Ids of records of the kind that the line names.
pub(crate) fn record_ids(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else {
        return Vec::new();
    };
    let line = Line::read();
    let found = line.open().and_then(|db| {
        let snapshot = db.read()?;
        let namespace = line.global.namespace()?;
        let mut found = Vec::new();
        for kind in snapshot.record_kinds(&namespace)? {
            // Only one of the words is the kind.
            if line.words.iter().any(|word| *word == *kind) {
                let store = snapshot.namespace(&namespace)?.records(&kind)?;
                found.extend(beginning_with(&store, current)?);
            }
        }
        Ok(found)
    });
    candidates(found)
}

fn begins_with(name: &str, beginning: &OsStr) -> bool {
    beginning.to_str().is_some_and(|it| name.starts_with(it))
}

fn candidates(found: Result<Vec<String>>) -> Vec<CompletionCandidate> {
    let found = found.unwrap_or_default().into_iter();
    let found = found.filter(|text| is_plain(text)).take(CANDIDATES);
    found.map(CompletionCandidate::new).collect()
}

/// Whether a text means itself in every shell. Scripts insert it as it is, and an id of a record may be anything: also a
/// command to be run.
fn is_plain(text: &str) -> bool {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "._/:@+-".contains(it);
    !text.starts_with('-') && text.chars().all(is_plain)
}

/// The first ids with this beginning.
fn beginning_with<T: Stored>(store: &dyn ReadStore<T>, beginning: &str) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    let query = store.query();
    let query = match beginning {
        "" => query,
        beginning => {
            if store.find(beginning).is_ok_and(|found| found.is_some()) {
                ids.push(beginning.to_owned());
            }
            query.after(beginning)
        }
    };
    for id in query.limit(CANDIDATES).iter_ids()? {
        let id = id?;
        if !id.starts_with(beginning) {
            break;
        }
        ids.push(id);
    }
    Ok(ids)
}

/// The line that is being completed.
struct Line {
    words: Vec<OsString>,
    global: Global,
}

impl Line {
    fn read() -> Self {
        // Before them stands how the shell calls the program.
        let words: Vec<_> = env::args_os()
            .skip_while(|word| word != "--")
            .skip(1)
            .collect();
        let global = Global {
            db: option(&words, &["--db"]).map(PathBuf::from),
            namespace: option(&words, &["--namespace", "-n"]),
            ..Global::default()
        };
        Self { words, global }
    }

    /// Opens the store without looking at all its pages: nobody waits for a completion.
    fn open(&self) -> Result<Db> {
        let opened = self
            .global
            .with_file(|builder, path| builder.check_integrity(false).open_read_only(path));
        opened.or_else(|_| self.global.open_to_read())
    }
}

/// The value of an option on an unfinished line.
fn option(words: &[OsString], names: &[&str]) -> Option<OsString> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        for name in names {
            let Some(rest) = text.strip_prefix(name) else {
                continue;
            };
            match rest.strip_prefix('=') {
                Some(value) => return Some(value.into()),
                None if rest.is_empty() => return words.next().cloned(),
                // The value of a short option may stand right behind it.
                None if name.len() == 2 => return Some(rest.into()),
                None => {}
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_means_itself_is_offered() {
        for text in [
            "web-1",
            "k8s.io/far",
            "docker.io/library/nginx:1.29@sha256:00",
        ] {
            assert!(is_plain(text), "{text}");
        }
        for text in [
            "$(touch x)",
            "a b",
            "a\nb",
            "a;b",
            "`x`",
            "\u{1b}[2J",
            "-rf",
            "~",
            "a*",
            "'",
        ] {
            assert!(!is_plain(text), "{text}");
        }
    }

    #[test]
    fn options_are_found_on_unfinished_lines() {
        let cases: [(&[&str], Option<&str>); 6] = [
            (&["bayplan", "info", "we"], None),
            (&["bayplan", "-n", "k8s.io", "info", ""], Some("k8s.io")),
            (&["bayplan", "info", "-nk8s.io"], Some("k8s.io")),
            (&["bayplan", "--namespace=k8s.io"], Some("k8s.io")),
            (&["bayplan", "--namespaces", "k8s.io"], None),
            (&["bayplan", "-n"], None),
        ];
        for (words, value) in cases {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            let found = option(&words, &["--namespace", "-n"]);
            assert_eq!(found.as_deref(), value.map(OsStr::new), "{words:?}");
        }
    }
}
