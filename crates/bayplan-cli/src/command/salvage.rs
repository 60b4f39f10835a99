//! `bayplan salvage`

use std::io::Write;
use std::path::{Path, PathBuf};

use bayplan::SalvageReport;

use crate::cli::Global;
use crate::failure::{Exit, Failure, Result, printed};
use crate::input::must_be_file;
use crate::meter::Meter;
use crate::run::Io;
use crate::summary::{self, Made};
use crate::text::visible;

/// Save the rest of a damaged file in a new one
///
/// The old file may be damaged in any way, and is not changed. The new file must not exist. It is a healthy
/// store, with the id of the old one if that can be read.
///
/// Each container that was lost, or may not be what was stored last, has a line after the summary. The exit
/// code is 2 if there are any, or if containers may be missing that cannot be named. It is 0 only if
/// everything was saved.
#[derive(Debug, clap::Args)]
#[command(allow_missing_positional = true)]
#[command(after_long_help = "\
Examples:
  bayplan salvage meta.redb saved.redb
  bayplan --db saved.redb check
  bayplan --db saved.redb ls -A")]
pub(crate) struct Args {
    /// The damaged file; by default the one that --db or BAYPLAN_DB names
    old: Option<PathBuf>,

    /// The new file
    new: PathBuf,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let old = match args.old {
        Some(_) if global.db.is_some() => {
            return Err(Failure::new("the damaged file is named twice")
                .because("give it by --db or as the first of two files"));
        }
        Some(old) => old,
        None => global.path()?,
    };
    must_be_file(
        &old,
        "the damaged file",
        "name the file: it is read at many places",
    )?;
    must_be_file(
        &args.new,
        "the new file",
        "a store is no stream: name a file",
    )?;
    let mut meter = Meter::new(io.err, io.terminals.err, "salvaging", "containers");
    let report = global
        .tools()
        .salvage(&old, &args.new, |progress| meter.show(progress))?;
    drop(meter);
    tell(&report, &args.new, io)
}

fn tell(report: &SalvageReport, new: &Path, io: &mut Io<'_>) -> Result<Exit> {
    let made = Made {
        path: new,
        id: report.id,
        namespaces: report.namespaces_count,
        containers: report.containers_count,
        records: report.records_count,
        bytes: report.file_bytes,
    };
    let mut rows = made.rows();
    rows.push(("uncertain", report.uncertain.len().to_string()));
    rows.push(("lost", report.lost.len().to_string()));
    let lines = lines(report);
    let exit = match lines.is_empty() {
        true => Exit::Done,
        false => Exit::Damaged,
    };
    printed(print(&rows, &lines, io.out), exit)
}

fn print(rows: &[(&'static str, String)], lines: &[String], out: &mut dyn Write) -> Result<()> {
    summary::write(rows, out)?;
    for line in lines {
        writeln!(out, "{}", visible(line))?;
    }
    Ok(())
}

/// The losses and doubts, one per line.
fn lines(report: &SalvageReport) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(damage) = &report.log_damage {
        lines.push(format!(
            "{damage}. Commits that were acknowledged may be missing"
        ));
    } else if !report.is_complete {
        let text = "the structure of the file is damaged: something may be missing that cannot \
                    be named";
        lines.push(text.to_owned());
    }
    if !report.is_id_kept {
        lines.push("the id was lost: the new store has another one".to_owned());
    }
    for name in &report.uncertain_namespaces {
        lines.push(format!(
            "uncertain namespace {name}: its labels may not be what was stored last"
        ));
    }
    for it in &report.uncertain {
        let deleted = deleted(it.is_possibly_deleted);
        lines.push(format!(
            "uncertain {}{deleted}: {}",
            name(&it.namespace, &it.kind, &it.id),
            it.reason
        ));
    }
    for it in &report.lost {
        let deleted = deleted(it.is_possibly_deleted);
        lines.push(format!(
            "lost {}{deleted}: {}",
            name(&it.namespace, &it.kind, &it.id),
            it.reason
        ));
    }
    lines
}

/// A container as in all other commands, a record with its kind.
fn name(namespace: &str, kind: &str, id: &str) -> String {
    match kind {
        "containers" => format!("{namespace}/{id}"),
        kind => format!("{namespace}/{kind}/{id}"),
    }
}

fn deleted(is_possible: bool) -> &'static str {
    match is_possible {
        true => ", if it was not deleted",
        false => "",
    }
}
