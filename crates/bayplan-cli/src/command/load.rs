//! `bayplan load`

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::PathBuf;

use crate::cli::Global;
use crate::failure::{Exit, Failure, Result, say};
use crate::input::is_stream;
use crate::meter::Meter;
use crate::run::Io;
use crate::summary::Made;

/// Create the database file from a dump
///
/// The file that --db or BAYPLAN_DB names must not exist. It becomes the store that was dumped, with its id, times and
/// revisions: do not use both stores. Afterwards there is a complete store, or none. To load a dump that was edited,
/// remove `crc32` from its last line, and correct the counts there.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan load meta.ndjson --db new.redb
  zstd -dc meta.ndjson.zst | bayplan load --db new.redb")]
pub(crate) struct Args {
    /// The dump; by default, or if `-`, standard input
    #[arg(default_value = "-", hide_default_value = true)]
    file: PathBuf,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let path = global.new_path()?;
    let mut file;
    let input: &mut dyn Read = if is_stream(&args.file) {
        io.input
    } else {
        file = File::open(&args.file).map_err(|error| {
            Failure::new(format!("{} cannot be read: {error}", args.file.display()))
        })?;
        &mut file
    };
    let mut meter = Meter::new(io.err, io.terminals.err, "loading", "containers");
    let report = global
        .tools()
        .load(&path, BufReader::new(input), |progress| {
            meter.show(progress);
        })?;
    drop(meter);
    let made = Made {
        path: &path,
        id: report.id,
        namespaces: report.namespaces_count,
        containers: report.containers_count,
        records: report.records_count,
        bytes: report.file_bytes,
    };
    made.write(io.out)?;
    if let Some(name) = report.only_namespace {
        io.out.flush()?;
        let text = format!(
            "the dump was made of namespace {name} only: what else its store held is not in the \
             new file"
        );
        say(io.err, &text);
    }
    Ok(Exit::Done)
}
