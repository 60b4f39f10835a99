//! `bayplan export`

use std::path::PathBuf;

use bayplan_metadb::{Error, ExportEvent, export};

use crate::cli::Global;
use crate::command::import::left_behind;
use crate::failure::{Exit, Failure, Result};
use crate::input::must_be_file;
use crate::meter::Meter;
use crate::run::Io;
use crate::store::ADVICE;
use crate::summary::{self, size};
use crate::text::visible;

/// Write a meta.db for containerd
///
/// The new file has all namespaces with their labels, and all containers. containerd of version 1.4 or later
/// starts on it, at io.containerd.metadata.v1.bolt/meta.db below its root directory. Only its owner may
/// read it. Records of other kinds cannot go, and are counted.
///
/// The file must not exist. Of a damaged store none is made, and the exit code is 2. The store may be in use by
/// a process that lets others read.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan export meta.db
  bayplan export /var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db")]
pub(crate) struct Args {
    /// The new file
    meta_db: PathBuf,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let advice = "a file of containerd is no stream: name a file";
    must_be_file(&args.meta_db, "the new file", advice)?;
    let db = global.open_to_copy()?;
    let snapshot = db.read()?;
    let mut lines = Vec::new();
    let mut meter = Meter::new(io.err, io.terminals.err, "exporting", "containers");
    let mut done = 0;
    let report = export(&snapshot, &args.meta_db, |event| match event {
        ExportEvent::Exported { .. } => {
            done += 1;
            meter.count(done, None);
        }
        ExportEvent::LeftBehind {
            namespace,
            kind,
            count,
        } => lines.push(left_behind(namespace, kind, count)),
        _ => {}
    });
    drop(meter);
    let report = report.map_err(failure)?;
    let bytes = args.meta_db.metadata().map_or(0, |metadata| metadata.len());
    let rows = [
        ("file", args.meta_db.display().to_string()),
        ("namespaces", report.namespaces_count.to_string()),
        ("containers", report.containers_count.to_string()),
        ("size", size(bytes)),
    ];
    summary::write(&rows, io.out)?;
    for line in lines {
        writeln!(io.out, "{}", visible(&line))?;
    }
    Ok(Exit::Done)
}

fn failure(error: Error) -> Failure {
    let advice = match &error {
        Error::NamespaceName { .. } => Some("nothing was written; move its containers to another"),
        Error::Store(error) if error.is_corrupt() => Some(ADVICE),
        _ => None,
    };
    let failure = Failure::from(error);
    match advice {
        Some(advice) => failure.because(advice),
        None => failure,
    }
}
