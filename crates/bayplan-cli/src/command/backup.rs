//! `bayplan backup`

use std::path::PathBuf;

use crate::cli::Global;
use crate::failure::{Exit, Failure, Result};
use crate::input::must_be_file;
use crate::meter::Meter;
use crate::run::Io;
use crate::store::ADVICE;
use crate::summary::Made;

/// Copy the store into a new file
///
/// The backup is a store like any other, with the same id: you can look into it directly, and `restore`
/// makes a working copy. The file must not exist. Only its owner may read it, and it is verified before it
/// gets its name. The store may be in use by a process that lets others read. A damaged store is not backed
/// up, and the exit code is 2.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan backup /var/backups/meta-$(date +%F).redb
  bayplan --db /var/backups/meta-2026-08-01.redb ls -A")]
pub(crate) struct Args {
    /// The new file
    file: PathBuf,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let advice = "a backup is verified where it is written: name a file; `bayplan dump` writes to \
                  standard output";
    must_be_file(&args.file, "the backup", advice)?;
    let db = global.open_itself()?;
    let mut meter = Meter::new(io.err, io.terminals.err, "backing up", "keys");
    let report = db
        .backup(&args.file, |progress| meter.show(progress))
        .map_err(|error| Failure::from(error).if_damaged(ADVICE))?;
    drop(meter);
    Made::by_backup(&args.file, &report).write(io.out)?;
    Ok(Exit::Done)
}
