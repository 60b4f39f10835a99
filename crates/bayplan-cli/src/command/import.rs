//! `bayplan import`

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bayplan::{Db, StoreId};
use bayplan_metadb::{Change, Event, ImportReport, MetaDb, dry_run, import};

use crate::cli::Global;
use crate::failure::{Exit, Failure, Result};
use crate::input::must_be_file;
use crate::meter::Meter;
use crate::new_store::NewStore;
use crate::run::Io;
use crate::spool::Spool;
use crate::summary::{self, Made};
use crate::text::visible;

/// Create the database file from containerd's meta.db
///
/// All namespaces come with their labels, and all containers with their times, labels, options, extensions and
/// sandbox ids. Objects of other kinds, such as images and snapshots, are counted and stay where they are.
/// containerd's file is not changed. It must not be in use: stop containerd, or copy the file while nothing
/// changes.
///
/// The file that --db or BAYPLAN_DB names must not exist. If anything cannot be imported, it is listed, and no
/// file is made, unless --skip-refused is given. Afterwards there is a complete store, or none: after a crash,
/// run it again.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan import /var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db --db new.redb
  bayplan import meta.db --dry-run
  bayplan import meta.db --db new.redb --rules containerd2 --skip-refused")]
pub(crate) struct Args {
    /// containerd's file
    meta_db: PathBuf,

    /// List what would come, and create nothing
    #[arg(long)]
    dry_run: bool,

    /// Leave out what cannot be imported; it is listed, and the exit code is not 0
    #[arg(long)]
    skip_refused: bool,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let advice = "containerd's file is read at many places: name it";
    must_be_file(&args.meta_db, "containerd's file", advice)?;
    if args.dry_run {
        return try_out(&args, io);
    }
    let path = global.new_path()?;
    let meta = open(&args.meta_db)?;
    let new = NewStore::create(&global.builder(), &path)?;
    let mut lines = Lines::default();
    let mut meter = Meter::new(io.err, io.terminals.err, "importing", "containers");
    let report = import(&meta, new.db(), |event| {
        lines.take(&event, &mut meter);
    })?;
    drop(meter);
    if report.refused_count > 0 && !args.skip_refused {
        drop(new);
        lines.spool.copy_to(io.out)?;
        return Err(refused(&report));
    }
    let id = new.db().info().id;
    new.finish()?;
    tell(&report, id, &path, io.out)?;
    lines.spool.copy_to(io.out)?;
    Ok(exit(&report))
}

/// Lists what an import would bring.
fn try_out(args: &Args, io: &mut Io<'_>) -> Result<Exit> {
    let meta = open(&args.meta_db)?;
    let db = Db::in_memory()?;
    let mut lines = Lines {
        names_all: true,
        ..Lines::default()
    };
    let mut meter = Meter::new(io.err, io.terminals.err, "reading", "containers");
    let report = dry_run(&meta, &db, |event| {
        lines.take(&event, &mut meter);
    })?;
    drop(meter);
    summary::write(&counts(&report), io.out)?;
    lines.spool.copy_to(io.out)?;
    match report.refused_count > 0 && !args.skip_refused {
        true => Err(refused(&report)),
        false => Ok(exit(&report)),
    }
}

fn open(path: &Path) -> Result<MetaDb> {
    MetaDb::open(path).map_err(|error| {
        let failure = Failure::from(error);
        match failure.exit() {
            Exit::Locked => failure.because(
                "containerd holds it while it runs: stop it, or copy the file while nothing changes, \
                 and import the copy",
            ),
            _ => failure,
        }
    })
}

/// Without anything else, there is no new store.
fn refused(report: &ImportReport) -> Failure {
    let text = match report.refused_count {
        1 => "nothing is imported, since one line of the list is refused".to_owned(),
        count => format!("nothing is imported, since {count} lines of the list are refused"),
    };
    Failure::new(text)
        .because("--skip-refused leaves them out")
        .with_exit(exit(report))
}

fn exit(report: &ImportReport) -> Exit {
    match (report.is_damaged, report.refused_count) {
        (true, _) => Exit::Damaged,
        (false, 0) => Exit::Done,
        (false, _) => Exit::Failed,
    }
}

fn tell(report: &ImportReport, id: StoreId, path: &Path, out: &mut dyn Write) -> io::Result<()> {
    let made = Made {
        path,
        id,
        namespaces: report.namespaces_count,
        containers: report.containers_count,
        records: 0,
        bytes: path.metadata().map_or(0, |metadata| metadata.len()),
    };
    let mut rows = made.rows();
    rows.extend(doubts(report));
    summary::write(&rows, out)
}

fn counts(report: &ImportReport) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("namespaces", report.namespaces_count.to_string()),
        ("containers", report.containers_count.to_string()),
    ];
    rows.extend(doubts(report));
    rows
}

fn doubts(report: &ImportReport) -> impl Iterator<Item = (&'static str, String)> {
    let rows = [
        ("changed", report.changed_count),
        ("refused", report.refused_count),
    ];
    let rows = rows.into_iter().filter(|(_, count)| *count > 0);
    rows.map(|(name, count)| (name, count.to_string()))
}

/// What is to be listed below the summary. There may be much of it.
struct Lines {
    spool: Spool,
    /// Also what comes as it is.
    names_all: bool,
    done: u64,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            spool: Spool::new(),
            names_all: false,
            done: 0,
        }
    }
}

impl Lines {
    fn take(&mut self, event: &Event<'_>, meter: &mut Meter<'_>) {
        if let Event::Imported { .. } = event {
            self.done += 1;
            meter.count(self.done, None);
        }
        if let Some(line) = line(event, self.names_all) {
            // A spool keeps its failure until it is copied.
            let _ = writeln!(self.spool, "{}", visible(&line));
        }
    }
}

fn line(event: &Event<'_>, names_all: bool) -> Option<String> {
    match event {
        Event::Imported { namespace, id } => names_all.then(|| format!("{namespace}/{id}")),
        Event::Changed {
            namespace,
            id,
            change,
        } => {
            let name = name(namespace, *id);
            let change = match change {
                Change::EmptyLabels(keys) => {
                    let keys: Vec<String> = keys.iter().map(|key| format!("{key:?}")).collect();
                    format!(
                        "without labels that have no value: {}",
                        crate::text::first_of(&keys)
                    )
                }
                Change::UpdatedAt => {
                    "it was updated before it was created: updated_at is created_at".to_owned()
                }
                _ => "it is not as it was".to_owned(),
            };
            Some(format!("changed {name}: {change}"))
        }
        Event::Refused {
            namespace,
            id,
            error,
        } => Some(format!("refused {}: {}", name(namespace, *id), told(error))),
        Event::LeftBehind {
            namespace,
            kind,
            count,
        } => Some(left_behind(namespace, kind, *count)),
        _ => None,
    }
}

/// The line for objects that stay.
pub(crate) fn left_behind(namespace: &str, kind: &str, count: u64) -> String {
    format!("left behind {namespace}/{kind}: {count}")
}

fn name(namespace: &str, id: Option<&str>) -> String {
    match id {
        Some(id) => format!("{namespace}/{id}"),
        None => format!("namespace {namespace}"),
    }
}

/// An error with its causes, on one line.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
