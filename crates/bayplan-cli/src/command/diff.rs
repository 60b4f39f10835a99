//! `bayplan diff`

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::path::PathBuf;

use bayplan::{Container, Record};

use crate::cli::Global;
use crate::content::Content;
use crate::failure::{Exit, Failure, Result};
use crate::input::at_most_one_stream;
use crate::run::{Io, kept_back};
use crate::text::visible;

/// Compare what two stores hold
///
/// Each of them is a store, a backup or a dump. Prints a line for each namespace, container and record that is not the
/// same: `-` if only the first has it, `+` if only the second has it, `~` with the names of the fields that differ.
/// Revisions are not compared. A container is NAMESPACE/ID, a record NAMESPACE/KIND/ID, a namespace NAMESPACE/.
///
/// As with diff, the exit code is 0 if both hold the same, and 1 if not; 2 or more says that they were not compared.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan diff /var/backups/meta.redb
  bayplan diff old.redb new.redb
  bayplan dump | bayplan diff --quiet - copy.redb && echo same
  bayplan diff -n k8s.io old.redb new.redb")]
pub(crate) struct Args {
    /// A store, a backup or a dump; standard input if `-`
    first: PathBuf,

    /// The other one [default: FIRST is compared with the database file]
    second: Option<PathBuf>,

    /// Print nothing: the exit code says whether they are the same
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let done = kept_back(io, |io| compare(&args, global, io));
    done.map_err(|failure| match failure.exit() {
        Exit::Failed => failure.with_exit(Exit::Damaged),
        _ => failure,
    })
}

fn compare(args: &Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let named = [Some(&args.first), args.second.as_ref()];
    at_most_one_stream(named.into_iter().flatten().map(PathBuf::as_path))?;
    let first = Content::read(Some(&args.first), global, io)?;
    let second = Content::read(args.second.as_deref(), global, io)?;
    let only = match (first.only(global)?, second.only(global)?) {
        (Some(first), Some(second)) if first != second => {
            return Err(Failure::new(format!(
                "one dump was made of namespace {first} only, the other of namespace {second} only"
            )));
        }
        (first, second) => first.or(second),
    };
    let mut names = BTreeSet::from_iter(first.namespaces(only.as_deref())?);
    names.extend(second.namespaces(only.as_deref())?);
    let mut differences = Differences {
        io,
        quiet: args.quiet,
        count: 0,
    };
    for name in names {
        differences.in_namespace(&first, &second, &name)?;
    }
    match differences.count {
        0 => Ok(Exit::Done),
        _ => Ok(Exit::Failed),
    }
}

struct Differences<'i, 'io> {
    io: &'i mut Io<'io>,
    quiet: bool,
    count: u64,
}

impl Differences<'_, '_> {
    fn in_namespace(&mut self, first: &Content, second: &Content, name: &str) -> Result<()> {
        let known = |content: &Content| -> Result<Option<BTreeMap<String, String>>> {
            Ok(match content.namespaces(Some(name))?.is_empty() {
                true => None,
                false => Some(content.snapshot.namespace_labels(name)?),
            })
        };
        let own = format!("{name}/");
        match (known(first)?, known(second)?) {
            (Some(_), None) => self.print('-', &own, &[])?,
            (None, Some(_)) => self.print('+', &own, &[])?,
            (first, second) => {
                let (first, second) = (first.unwrap_or_default(), second.unwrap_or_default());
                let mut fields = Vec::new();
                keys(&mut fields, "labels", &first, &second);
                if !fields.is_empty() {
                    self.print('~', &own, &fields)?;
                }
            }
        }
        let spaces = [first, second].map(|content| content.snapshot.namespace(name));
        let [first_space, second_space] = spaces;
        let (first_space, second_space) = (first_space?, second_space?);
        let containers = [&first_space, &second_space].map(|space| space.query().iter());
        let [ours, theirs] = containers;
        self.merge(&own, ours?, theirs?, |it| &it.id, container)?;
        let mut kinds = BTreeSet::from_iter(first.snapshot.record_kinds(name)?);
        kinds.extend(second.snapshot.record_kinds(name)?);
        for kind in kinds {
            let (ours, theirs) = (first_space.records(&kind)?, second_space.records(&kind)?);
            let (ours, theirs) = (ours.query().iter()?, theirs.query().iter()?);
            self.merge(&format!("{own}{kind}/"), ours, theirs, |it| &it.id, record)?;
        }
        Ok(())
    }

    /// Compares two lists in the order of ids.
    fn merge<T>(
        &mut self,
        prefix: &str,
        first: impl Iterator<Item = bayplan::Result<T>>,
        second: impl Iterator<Item = bayplan::Result<T>>,
        id: fn(&T) -> &String,
        differing: fn(&T, &T) -> Vec<String>,
    ) -> Result<()> {
        let (mut first, mut second) = (first.peekable(), second.peekable());
        loop {
            let order = match (next_id(&mut first, id)?, next_id(&mut second, id)?) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(first), Some(second)) => first.cmp(second),
            };
            let ours = match order {
                Ordering::Greater => None,
                _ => first.next().transpose()?,
            };
            let theirs = match order {
                Ordering::Less => None,
                _ => second.next().transpose()?,
            };
            match (ours, theirs) {
                (Some(ours), None) => self.print('-', &format!("{prefix}{}", id(&ours)), &[])?,
                (None, Some(theirs)) => {
                    self.print('+', &format!("{prefix}{}", id(&theirs)), &[])?;
                }
                (Some(ours), Some(theirs)) => {
                    let fields = differing(&ours, &theirs);
                    if !fields.is_empty() {
                        self.print('~', &format!("{prefix}{}", id(&ours)), &fields)?;
                    }
                }
                (None, None) => {}
            }
        }
    }

    fn print(&mut self, sign: char, name: &str, fields: &[String]) -> Result<()> {
        self.count += 1;
        if self.quiet {
            return Ok(());
        }
        let what = match fields {
            [] => String::new(),
            fields => format!(": {}", fields.join(", ")),
        };
        let line = format!("{sign} {}", visible(&format!("{name}{what}")));
        let style = self.io.terminals.style;
        let line = match sign {
            '+' => style.added(line),
            '-' => style.removed(line),
            _ => style.changed(line),
        };
        writeln!(self.io.out, "{line}")?;
        Ok(())
    }
}

/// The id of what comes next.
fn next_id<'i, T: 'i>(
    items: &'i mut Peekable<impl Iterator<Item = bayplan::Result<T>>>,
    id: fn(&T) -> &String,
) -> Result<Option<&'i String>> {
    match items.peek() {
        None => Ok(None),
        Some(Ok(item)) => Ok(Some(id(item))),
        Some(Err(error)) => Err(error.clone().into()),
    }
}

/// The fields by which two containers differ, by the names that `info` gives them.
fn container(first: &Container, second: &Container) -> Vec<String> {
    let mut fields = Vec::new();
    keys(&mut fields, "labels", &first.labels, &second.labels);
    let same = [
        ("image", first.image == second.image),
        ("runtime.name", first.runtime.name == second.runtime.name),
        (
            "runtime.options",
            first.runtime.options == second.runtime.options,
        ),
        ("spec", first.spec == second.spec),
        ("snapshotter", first.snapshotter == second.snapshotter),
        ("snapshot_key", first.snapshot_key == second.snapshot_key),
        ("sandbox_id", first.sandbox_id == second.sandbox_id),
        ("created_at", first.created_at == second.created_at),
        ("updated_at", first.updated_at == second.updated_at),
    ];
    names(&mut fields, &same);
    keys(
        &mut fields,
        "extensions",
        &first.extensions,
        &second.extensions,
    );
    fields
}

/// The same of two records.
fn record(first: &Record, second: &Record) -> Vec<String> {
    let mut fields = Vec::new();
    keys(&mut fields, "labels", &first.labels, &second.labels);
    let same = [
        ("value", first.value == second.value),
        ("created_at", first.created_at == second.created_at),
        ("updated_at", first.updated_at == second.updated_at),
    ];
    names(&mut fields, &same);
    fields
}

/// Adds the names of what is not the same.
fn names(fields: &mut Vec<String>, same: &[(&str, bool)]) {
    let different = same.iter().filter(|(_, is_same)| !is_same);
    fields.extend(different.map(|(name, _)| (*name).to_owned()));
}

/// Adds the keys by which two maps differ, as field paths.
fn keys<V: PartialEq>(
    fields: &mut Vec<String>,
    field: &str,
    first: &BTreeMap<String, V>,
    second: &BTreeMap<String, V>,
) {
    let all: BTreeSet<_> = first.keys().chain(second.keys()).collect();
    let different = all
        .into_iter()
        .filter(|key| first.get(*key) != second.get(*key));
    fields.extend(different.map(|key| format!("{field}.{key}")));
}
