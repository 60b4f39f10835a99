//! `bayplan watch`

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bayplan::{
    Change, Container, ContainerHeader, Db, Detail, Event, Filters, Found, Labels, Position,
    Record, RecordHeader, Revision, Share, Stored, Subject,
};
use serde::Serialize;

use crate::cli::Global;
use crate::failure::{Exit, Failure, Result};
use crate::run::{Io, kept_back};
use crate::{filters, json, text};

/// How long a program waits for a line with the position, if nothing else is printed.
const BOOKMARK_PAUSE: Duration = Duration::from_secs(30);

/// Print changes as they happen
///
/// Prints a line for each container that is created, updated or deleted, once the change is durable. Several changes of
/// a container in quick succession are printed as one. Without --since, only later changes are printed.
///
/// With filters, it prints only containers that match. A container that no longer matches is `unmatched`; after --since,
/// so is one that was updated and does not match, and one that was deleted is printed whether it matched or not.
///
/// With --format ndjson, each line has a position. If nothing is printed for 30 seconds, and at the beginning, a line
/// `bookmark` has only that: keep it as well. `--since` with the position of the last line misses nothing, even
/// after a restart of this command or of the host. The store remembers the last 10,000 deletions; if more were missed,
/// the command fails and says so. A REVISION can be used as well, but does not reveal that the store was replaced by
/// another.
///
/// To be watched, the store must be shared, by `bayplan share readers` or `processes`. With --once it need not be.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Filters are those of `bayplan ls`; its help explains them.

Examples:
  bayplan watch
  bayplan watch -A 'labels.app==nginx'
  bayplan watch --since 0 --format ndjson
  bayplan watch --since 4711 --once")]
pub(crate) struct Args {
    /// Only containers that match any of these filters
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,

    /// Watch the containers of all namespaces
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,

    /// Also records of other kinds, and the namespaces themselves
    #[arg(long, conflicts_with = "filters")]
    all_kinds: bool,

    /// Begin with what changed after this position, or revision; with 0 with all that is stored now
    #[arg(long, value_name = "POSITION")]
    since: Option<Position>,

    /// Print what has changed so far, and end
    #[arg(long, requires = "since")]
    once: bool,

    /// How to print the changes
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,

    /// Refuse filters on fields that no container can have, instead of warning
    #[arg(long)]
    strict_filters: bool,
}

/// How to print changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Columns for people
    Table,
    /// One object per line
    Ndjson,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let filters = filters::told(&args.filters, args.strict_filters, io.err)?;
    let namespace = match args.all_namespaces {
        true => None,
        false => Some(global.namespace()?),
    };
    let db = global.open_to_read()?;
    let mut watch = Watch {
        namespace,
        all_kinds: args.all_kinds,
        filters,
        matched: BTreeSet::new(),
        is_all_seen: args.since.is_none_or(|since| since == Position::START),
        format: args.format,
        bookmark: None,
    };
    if args.once {
        return kept_back(io, |io| {
            let changes = db.changes_since(args.since.unwrap_or_default(), watch.detail());
            let changes = changes.map_err(missed)?;
            watch.begin(io)?;
            for change in changes {
                watch.tell(change.map_err(missed)?, io)?;
            }
            Ok(Exit::Done)
        });
    }
    if db.info().share == Share::Nobody {
        return Err(Failure::new(
            "the store is not shared: while this command watches it, no process could write it",
        )
        .because(
            "share it by `bayplan share readers`, or print what has changed so far by --once",
        ));
    }
    let from = match args.since {
        Some(since) => since,
        None => watch.now(&db)?,
    };
    let mut changes = db.subscribe(from, watch.detail()).map_err(missed)?;
    watch.begin(io)?;
    watch.bookmark(changes.position(), io)?;
    let mut printed = Instant::now();
    loop {
        if let Some(change) = changes.recv_timeout(BOOKMARK_PAUSE).map_err(missed)?
            && watch.tell(change, io)?
        {
            printed = Instant::now();
        }
        // What is not printed moves the position as well.
        if printed.elapsed() >= BOOKMARK_PAUSE {
            watch.bookmark(changes.position(), io)?;
            printed = Instant::now();
        }
        io.out.flush()?;
    }
}

/// A failure to follow.
fn missed(error: bayplan::Error) -> Failure {
    match error.is_lagged() {
        true => Failure::from(error)
            .because("--since 0 prints all containers again, and then what changes"),
        false => error.into(),
    }
}

/// What is watched.
struct Watch {
    /// All if there is none.
    namespace: Option<String>,
    all_kinds: bool,
    filters: Filters,
    /// The containers that matched when they were last seen: namespace and id.
    matched: BTreeSet<(String, String)>,
    /// Whether all containers that match were seen.
    is_all_seen: bool,
    format: Format,
    /// The position that was printed last.
    bookmark: Option<Position>,
}

/// A line without a change.
#[derive(Serialize)]
struct Bookmark {
    position: Position,
    event: &'static str,
}

impl Watch {
    fn detail(&self) -> Detail {
        match self.filters.is_all() {
            true => Detail::Header(Vec::new()),
            // Filters may ask for extensions.
            false => Detail::Whole,
        }
    }

    /// Returns the position from which only later changes are reported.
    fn now(&mut self, db: &Db) -> Result<Position> {
        let detail = match self.filters.is_all() {
            true => Detail::Id,
            false => self.detail(),
        };
        let mut changes = db.changes_since(Position::START, detail).map_err(missed)?;
        for change in &mut changes {
            self.event(&change.map_err(missed)?);
        }
        Ok(changes.position())
    }

    fn begin(&self, io: &mut Io<'_>) -> Result<()> {
        if self.format == Format::Table {
            let head = ["REVISION", "EVENT", "CONTAINER", "IMAGE"];
            writeln!(io.out, "{}", io.terminals.style.head(columns(head)))?;
            io.out.flush()?;
        }
        Ok(())
    }

    /// Prints where to go on, for a program: without a line for what was not printed it would fall behind.
    fn bookmark(&mut self, position: Position, io: &mut Io<'_>) -> Result<()> {
        if self.format == Format::Ndjson && self.bookmark != Some(position) {
            let line = json::of(&Bookmark {
                position,
                event: "bookmark",
            })?;
            writeln!(io.out, "{}", json::line(&line))?;
            io.out.flush()?;
        }
        self.bookmark = Some(position);
        Ok(())
    }

    /// Prints a change. Returns false if it is not to be printed.
    fn tell(&mut self, change: Change, io: &mut Io<'_>) -> Result<bool> {
        let Some(event) = self.event(&change) else {
            return Ok(false);
        };
        self.bookmark = Some(change.position);
        let line = Line::of(event, change);
        match self.format {
            Format::Table => {
                let (style, text) = (io.terminals.style, line.to_columns());
                let text = match event {
                    "created" => style.added(text),
                    "deleted" => style.removed(text),
                    _ => text,
                };
                writeln!(io.out, "{text}")?;
            }
            Format::Ndjson => writeln!(io.out, "{}", json::line(&json::of(&line)?))?,
        }
        Ok(true)
    }

    /// Returns the name of a change; `None` if it is not printed.
    fn event(&mut self, change: &Change) -> Option<&'static str> {
        let namespace = change.namespace.as_str();
        if self
            .namespace
            .as_ref()
            .is_some_and(|only| only != namespace)
        {
            return None;
        }
        match &change.subject {
            Subject::Container { id, event } => self.event_of_container(namespace, id, event),
            Subject::Record { event, .. } if self.all_kinds => Some(name(event)),
            Subject::Namespace(event) if self.all_kinds => Some(name(event)),
            _ => None,
        }
    }

    fn event_of_container(
        &mut self,
        namespace: &str,
        id: &str,
        event: &Event<Found<Container>>,
    ) -> Option<&'static str> {
        if self.filters.is_all() {
            return Some(name(event));
        }
        let key = || (namespace.to_owned(), id.to_owned());
        let found = event.item();
        let matches = found.is_some_and(|found| match found {
            Found::Whole(container) => container.matches(&self.filters),
            _ => false,
        });
        if matches {
            self.matched.insert(key());
            return Some(name(event));
        }
        let did_match = self.matched.remove(&key());
        match found {
            // It is unknown whether a container that was not seen matched.
            None => (did_match || !self.is_all_seen).then_some("deleted"),
            Some(_) if matches!(event, Event::Created(_)) => did_match.then_some("unmatched"),
            Some(_) => (did_match || !self.is_all_seen).then_some("unmatched"),
        }
    }
}

fn name<T>(event: &Event<T>) -> &'static str {
    match event {
        Event::Created(_) => "created",
        Event::Updated(_) => "updated",
        _ => "deleted",
    }
}

/// A change, as it is printed.
#[derive(Serialize)]
struct Line {
    position: Position,
    revision: Revision,
    event: &'static str,
    namespace: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<ContainerHeader>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<RecordHeader>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Labels>,
}

impl Line {
    fn of(event: &'static str, change: Change) -> Self {
        let mut line = Self {
            position: change.position,
            revision: change.revision,
            event,
            namespace: change.namespace.to_string(),
            kind: None,
            id: None,
            container: None,
            record: None,
            labels: None,
        };
        match change.subject {
            Subject::Container { id, event } => {
                line.id = Some(id);
                line.container = event.into_item().and_then(header::<Container>);
            }
            Subject::Record { kind, id, event } => {
                (line.kind, line.id) = (Some(kind), Some(id));
                line.record = event.into_item().and_then(header::<Record>);
            }
            Subject::Namespace(event) => line.labels = event.into_item(),
            _ => {}
        }
        line
    }

    fn to_columns(&self) -> String {
        let names = [Some(&self.namespace), self.kind.as_ref(), self.id.as_ref()];
        let mut names: Vec<&str> = names.into_iter().flatten().map(String::as_str).collect();
        if self.id.is_none() {
            names.push(""); // A namespace ends in a slash.
        }
        let image = self
            .container
            .as_ref()
            .map(|container| container.image.as_str());
        let image = match image {
            None | Some("") => "-",
            Some(image) => image,
        };
        let (revision, name) = (self.revision.to_string(), names.join("/"));
        columns([&revision, self.event, &name, image])
    }
}

/// A container or record without what is not printed.
fn header<T: Stored>(found: Found<T>) -> Option<T::Header> {
    match found {
        Found::Header(header) => Some(header),
        Found::Whole(whole) => Some(whole.into_header(&[])),
        _ => None,
    }
}

/// Cells below each other. What comes later can be wider than what is printed already.
fn columns(cells: [&str; 4]) -> String {
    let [revision, event, name, image] = cells.map(text::visible);
    format!("{revision:<10} {event:<11} {name:<31} {image}")
        .trim_end()
        .to_owned()
}
