//! `bayplan ls`

use std::ops::ControlFlow;
use std::time::{SystemTime, UNIX_EPOCH};

use bayplan::{ContainerHeader, Detail, Error, Filters, Found, ReadStore, Selection};
use serde::Serialize;

use crate::cli::{Format, Global};
use crate::failure::{Exit, Failure, Result, say};
use crate::run::{Io, kept_back};
use crate::table::{Table, age};
use crate::{filters, json, note, text};

/// List containers
///
/// Lists the containers that match any of the filters, in the order of their ids. Specifications and
/// extensions are not shown; see `info`. A damaged container is reported, and the others are listed anyway.
/// AGE is negative if the clock that created the container was ahead of this one.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Filters:
  A filter is one or more of these, joined by commas, all of which must hold:
    FIELD            the field is there
    FIELD==VALUE     it has this value
    FIELD!=VALUE     it has another value, or is not there
    FIELD~=REGEX     the regular expression matches somewhere in it, or in \"\" if it is not there
  Fields are id, image, runtime.name, labels.KEY, snapshotter, snapshotkey, sandboxid and
  extensions.NAME. Quote what holds other characters than letters, digits and _:
    'labels.\"example.com/tier\"==front'
  No container has any other field: == then finds none, and != all of them. A warning tells;
  --strict-filters makes an error of it.

Examples:
  bayplan ls
  bayplan ls 'labels.app==nginx,image~=1.29' 'id~=^db-'
  bayplan ls -A --labels
  bayplan ls -q --strict-filters 'labels.tier!=prod' | xargs bayplan info --exact
  bayplan ls --limit 100 --after web-41 --format json")]
pub(crate) struct Args {
    /// Only containers that match any of these filters
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,

    /// List the containers of all namespaces
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,

    /// Print ids only; with -A as NAMESPACE/ID
    #[arg(short, long, conflicts_with = "format")]
    quiet: bool,

    /// How to print the list
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,

    /// Add the labels to the table
    #[arg(long)]
    labels: bool,

    /// Refuse filters on fields that no container can have, instead of warning
    #[arg(long)]
    strict_filters: bool,

    /// Print at most this many containers
    #[arg(long, value_name = "N")]
    limit: Option<usize>,

    /// Begin after this id, which need not exist; with -A after NAMESPACE/ID
    #[arg(long, value_name = "ID")]
    after: Option<String>,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let filters = filters::told(&args.filters, args.strict_filters, io.err)?;
    let (namespace, after) = start(&args, global)?;
    kept_back(io, |io| {
        list(&args, global, &filters, &namespace, after, io)
    })
}

/// Lists the containers from `namespace` and `after` on.
fn list(
    args: &Args,
    global: &Global,
    filters: &Filters,
    namespace: &str,
    after: Option<String>,
    io: &mut Io<'_>,
) -> Result<Exit> {
    let snapshot = global.open_to_read()?.read()?;
    let mut list = List::new(args, io);
    if args.all_namespaces {
        for name in snapshot.list_namespaces()? {
            let after = match after.as_deref() {
                _ if name.as_str() < namespace => continue,
                after if name.as_str() == namespace => after,
                _ => None,
            };
            let store = snapshot.namespace(name.as_str())?;
            if list.visit(&store, after, filters)?.is_break() {
                break;
            }
        }
    } else {
        let store = snapshot.namespace(namespace)?;
        let _ = list.visit(&store, after.as_deref(), filters)?;
    }
    let is_table = matches!(list.printer, Printer::Table(_));
    let listed = list.listed;
    let exit = list.finish()?;
    if is_table && listed == 0 && !args.all_namespaces {
        io.out.flush()?;
        note::on_empty(&snapshot, namespace, io.err)?;
    }
    Ok(exit)
}

/// The namespace and the id to begin with. "" begins with the first namespace.
fn start(args: &Args, global: &Global) -> Result<(String, Option<String>)> {
    if !args.all_namespaces {
        return match &args.after {
            None => Ok((global.namespace()?, None)),
            Some(after) => global
                .target(after)
                .map(|target| (target.namespace, Some(target.id))),
        };
    }
    match &args.after {
        None => Ok((String::new(), None)),
        Some(after) => match after.split_once('/') {
            Some((namespace, id)) => Ok((namespace.to_owned(), Some(id.to_owned()))),
            None => Err(Failure::new(format!(
                "--after {after:?} does not name a namespace: with -A it is NAMESPACE/ID"
            ))),
        },
    }
}

/// A container in a JSON list.
#[derive(Serialize)]
struct Row<'a> {
    namespace: &'a str,
    #[serde(flatten)]
    header: &'a ContainerHeader,
}

enum Printer {
    Ids,
    Table(Table),
    Json(json::Array),
    Ndjson,
}

/// A list being printed.
struct List<'a, 'io> {
    printer: Printer,
    args: &'a Args,
    io: &'a mut Io<'io>,
    listed: usize,
    last: String,
    has_more: bool,
    exit: Exit,
    now: i64,
}

impl<'a, 'io> List<'a, 'io> {
    fn new(args: &'a Args, io: &'a mut Io<'io>) -> Self {
        let columns = [
            "NAMESPACE",
            "CONTAINER",
            "IMAGE",
            "RUNTIME",
            "AGE",
            "LABELS",
        ];
        let shown = shown(args, columns);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            printer: match args.format {
                _ if args.quiet => Printer::Ids,
                Format::Table => Printer::Table(Table::new(&shown)),
                Format::Json => Printer::Json(json::Array::default()),
                Format::Ndjson => Printer::Ndjson,
            },
            args,
            io,
            listed: 0,
            last: String::new(),
            has_more: false,
            exit: Exit::Done,
            now: now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX)),
        }
    }

    /// Prints the matching containers after `after`, and reports those that cannot be read. `Break` once the limit is
    /// reached.
    fn visit(
        &mut self,
        store: &dyn ReadStore,
        after: Option<&str>,
        filters: &Filters,
    ) -> Result<ControlFlow<()>> {
        let namespace = store.name().to_string();
        let mut selection = Selection::default();
        selection.filters = filters.clone();
        selection.after = after.map(str::to_owned);
        selection.detail = Detail::Header(Vec::new());
        selection.is_lenient = true;
        for found in store.traverse(&selection)? {
            match found? {
                Found::Header(header) => {
                    if self.args.limit.is_some_and(|limit| self.listed >= limit) {
                        self.has_more = true;
                        return Ok(ControlFlow::Break(()));
                    }
                    self.listed += 1;
                    self.print(&namespace, &header)?;
                }
                Found::Damaged(damaged) => self.report(damaged.error),
                _ => {}
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn report(&mut self, error: Error) {
        let failure = Failure::from(error);
        failure.report(self.io.err);
        self.exit = self.exit.max(failure.exit());
    }

    fn finish(self) -> Result<Exit> {
        let out = &mut *self.io.out;
        match self.printer {
            Printer::Table(table) => table.write(out)?,
            Printer::Json(array) => array.finish(out)?,
            Printer::Ids | Printer::Ndjson => {}
        }
        // With a limit of 0 there is no id to continue from.
        let has_next = self.has_more && self.listed > 0;
        if has_next && matches!(self.args.format, Format::Table) && !self.args.quiet {
            out.flush()?;
            say(
                self.io.err,
                &format!("there are more: --after {}", self.last),
            );
        }
        Ok(self.exit)
    }

    fn print(&mut self, namespace: &str, header: &ContainerHeader) -> Result<()> {
        self.last = match self.args.all_namespaces {
            true => format!("{namespace}/{}", header.id),
            false => header.id.clone(),
        };
        let out = &mut *self.io.out;
        match &mut self.printer {
            Printer::Ids => writeln!(out, "{}", self.last)?,
            Printer::Table(table) => {
                let age = age(self.now.saturating_sub(header.created_at.timestamp()));
                let labels = match self.args.labels {
                    true => text::labels(&header.labels),
                    false => String::new(),
                };
                let cells = [
                    namespace,
                    &header.id,
                    &header.image,
                    &header.runtime.name,
                    &age,
                    &labels,
                ];
                table.push(shown(self.args, cells));
            }
            Printer::Json(array) => array.push(out, &line(namespace, header)?)?,
            Printer::Ndjson => writeln!(out, "{}", json::line(&line(namespace, header)?))?,
        }
        Ok(())
    }
}

fn line(namespace: &str, header: &ContainerHeader) -> Result<String> {
    Ok(json::of(&Row { namespace, header })?)
}

/// The requested columns.
fn shown<'c>(args: &Args, columns: [&'c str; 6]) -> Vec<&'c str> {
    let last = columns.len() - 1;
    let columns = columns.into_iter().enumerate();
    columns
        .filter(|(at, _)| (*at > 0 || args.all_namespaces) && (*at < last || args.labels))
        .map(|(_, column)| column)
        .collect()
}
