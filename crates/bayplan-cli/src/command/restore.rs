//! `bayplan restore`

use std::path::PathBuf;

use crate::cli::Global;
use crate::failure::{Exit, Failure, Result};
use crate::input::must_be_file;
use crate::meter::Meter;
use crate::run::Io;
use crate::store::ADVICE;
use crate::summary::Made;

/// Create the database file from a backup
///
/// The file that --db or BAYPLAN_DB names must not exist: move a damaged one away first. Every page and
/// every value of the backup is verified; the backup is not changed. The new store has the same id as the
/// one that was backed up: do not use both.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan restore /var/backups/meta-2026-08-01.redb --db new.redb
  mv meta.redb damaged.redb && bayplan restore backup.redb --db meta.redb")]
pub(crate) struct Args {
    /// The backup
    backup: PathBuf,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let advice = "a backup is verified where it lies: name the file; `bayplan load` reads a dump from \
                  standard input";
    must_be_file(&args.backup, "the backup", advice)?;
    let path = global.new_path()?;
    let mut meter = Meter::new(io.err, io.terminals.err, "restoring", "keys");
    let report = global
        .tools()
        .restore(&args.backup, &path, |progress| meter.show(progress))
        .map_err(|error| Failure::from(error).if_damaged(ADVICE))?;
    drop(meter);
    Made::by_backup(&path, &report).write(io.out)?;
    Ok(Exit::Done)
}
