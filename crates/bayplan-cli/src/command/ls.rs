//! `bayplan ls`

use std::cmp::Ordering;
use std::mem;
use std::ops::ControlFlow;

use bayplan::{ContainerHeader, Detail, Error, Filters, Found, ReadStore, Selection};
use serde::Serialize;

use crate::cli::Global;
use crate::failure::{Exit, Failure, Result, say};
use crate::listing::{self, Format, Listing};
use crate::run::{Io, kept_back};
use crate::table::age_of;
use crate::{filters, note, text};

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
  bayplan ls -L app,tier --sort-by created --reverse
  bayplan ls -q --strict-filters 'labels.tier!=prod' | xargs bayplan info --exact
  bayplan ls --limit 100 --after web-41 --format json
  bayplan ls --format '{{ id }}\\t{{ labels.app }}\\t{{ created_at }}'

Templates:
  A template is in the language of Jinja: {{ FIELD }} stands for a field as ndjson names it, also
  {{ runtime.name }} and {{ labels['example.com/tier'] }}. What a container does not have is empty.
  \\t is a tab, \\n begins a new line.")]
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

    #[arg(long, value_name = "FORMAT", default_value = "table", help = listing::HELP, value_parser = listing::format)]
    format: Format,

    // What users of other programs are used to write: no table of this one is ever cut.
    #[arg(long, hide = true)]
    no_trunc: bool,

    /// Add the labels to the table
    #[arg(long)]
    labels: bool,

    /// Add a column to the table for the label with this key; may be repeated
    #[arg(short = 'L', long, value_name = "KEY", value_delimiter = ',')]
    label_columns: Vec<String>,

    /// Print in this order, the lowest first; by default in that of ids
    #[arg(long, value_name = "FIELD", conflicts_with_all = ["limit", "after"])]
    sort_by: Option<Order>,

    /// With --sort-by, the highest first
    #[arg(long, requires = "sort_by")]
    reverse: bool,

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

/// By what to sort.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Order {
    /// The id
    Id,
    /// The image
    Image,
    /// When it was created
    Created,
    /// When it was last updated
    Updated,
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
    let mut list = List::new(args, io)?;
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
    let is_table = args.format.is_table() && !args.quiet;
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

/// What a template can name.
const FIELDS: [&str; 11] = [
    "namespace",
    "id",
    "labels",
    "image",
    "runtime",
    "snapshotter",
    "snapshot_key",
    "sandbox_id",
    "created_at",
    "updated_at",
    "revision",
];

/// A list being printed.
struct List<'a, 'io> {
    listing: Listing<'a>,
    columns: Vec<Column>,
    args: &'a Args,
    io: &'a mut Io<'io>,
    /// What is to be printed once all is known, if it is to be sorted.
    kept: Vec<(String, ContainerHeader)>,
    listed: usize,
    last: String,
    has_more: bool,
    exit: Exit,
}

impl<'a, 'io> List<'a, 'io> {
    fn new(args: &'a Args, io: &'a mut Io<'io>) -> Result<Self> {
        let columns = Column::all(args);
        let names: Vec<_> = columns.iter().map(Column::name).collect();
        Ok(Self {
            listing: Listing::new(&args.format, &names, &FIELDS)?,
            columns,
            args,
            io,
            kept: Vec::new(),
            listed: 0,
            last: String::new(),
            has_more: false,
            exit: Exit::Done,
        })
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
                    match self.args.sort_by {
                        Some(_) => self.kept.push((namespace.clone(), header)),
                        None => self.print(&namespace, &header)?,
                    }
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

    fn finish(mut self) -> Result<Exit> {
        let mut kept = mem::take(&mut self.kept);
        if let Some(order) = self.args.sort_by {
            kept.sort_by(|(_, one), (_, other)| order.compare(one, other));
        }
        if self.args.reverse {
            kept.reverse();
        }
        for (namespace, header) in kept {
            self.print(&namespace, &header)?;
        }
        let out = &mut *self.io.out;
        if !self.args.quiet {
            self.listing.finish(out, self.io.terminals.style)?;
        }
        // With a limit of 0 there is no id to continue from.
        let has_next = self.has_more && self.listed > 0;
        if has_next && self.args.format.is_table() && !self.args.quiet {
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
        if self.args.quiet {
            writeln!(out, "{}", self.last)?;
            return Ok(());
        }
        let columns = &self.columns;
        let cells = || {
            let cells = columns.iter();
            let cells = cells.map(|column| column.cell(namespace, header));
            cells.collect()
        };
        self.listing.push(out, cells, &Row { namespace, header })
    }
}

impl Order {
    fn compare(self, one: &ContainerHeader, other: &ContainerHeader) -> Ordering {
        match self {
            Self::Id => one.id.cmp(&other.id),
            Self::Image => one.image.cmp(&other.image),
            Self::Created => one.created_at.cmp(&other.created_at),
            Self::Updated => one.updated_at.cmp(&other.updated_at),
        }
    }
}

/// A column of the table.
enum Column {
    Namespace,
    Container,
    Image,
    Runtime,
    Age,
    Snapshot,
    Sandbox,
    Created,
    Updated,
    Revision,
    Label(String),
    Labels,
}

impl Column {
    /// Those that are asked for.
    fn all(args: &Args) -> Vec<Self> {
        let mut columns = Vec::new();
        if args.all_namespaces {
            columns.push(Self::Namespace);
        }
        columns.extend([Self::Container, Self::Image, Self::Runtime]);
        match args.format {
            Format::Wide => columns.extend([
                Self::Snapshot,
                Self::Sandbox,
                Self::Created,
                Self::Updated,
                Self::Revision,
            ]),
            _ => columns.push(Self::Age),
        }
        columns.extend(args.label_columns.iter().cloned().map(Self::Label));
        if args.labels {
            columns.push(Self::Labels);
        }
        columns
    }

    fn name(&self) -> String {
        match self {
            Self::Namespace => "NAMESPACE",
            Self::Container => "CONTAINER",
            Self::Image => "IMAGE",
            Self::Runtime => "RUNTIME",
            Self::Age => "AGE",
            Self::Snapshot => "SNAPSHOT",
            Self::Sandbox => "SANDBOX",
            Self::Created => "CREATED",
            Self::Updated => "UPDATED",
            Self::Revision => "REVISION",
            Self::Labels => "LABELS",
            Self::Label(key) => return text::label_column(key),
        }
        .to_owned()
    }

    fn cell(&self, namespace: &str, header: &ContainerHeader) -> String {
        match self {
            Self::Namespace => namespace.to_owned(),
            Self::Container => header.id.clone(),
            Self::Image => header.image.clone(),
            Self::Runtime => header.runtime.name.clone(),
            Self::Age => age_of(header.created_at),
            Self::Snapshot if header.snapshot_key.is_empty() => header.snapshotter.clone(),
            Self::Snapshot => format!("{}/{}", header.snapshotter, header.snapshot_key),
            Self::Sandbox => header.sandbox_id.clone(),
            Self::Created => text::time(header.created_at),
            Self::Updated => text::time(header.updated_at),
            Self::Revision => header.revision.to_string(),
            Self::Label(key) => header.labels.get(key).cloned().unwrap_or_default(),
            Self::Labels => text::labels(&header.labels),
        }
    }
}
