//! `bayplan compact`

use crate::cli::Global;
use crate::failure::{Exit, Result};
use crate::run::Io;
use crate::store::ADVICE;
use crate::summary::{self, size};

/// Return the free pages of the file to the file system
///
/// No other process may have the file open, also where the store is shared; until this ends none can open it. It is
/// verified first. A damaged file is left alone, and the
/// exit code is 2. A crash leaves an intact store, compacted or not. Pages are moved together but not
/// merged, so a store restored from a backup can be smaller still.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan compact --dry-run
  bayplan compact --timeout 10")]
pub(crate) struct Args {
    /// Estimate the gain, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let report = global
        .with_file(|_, path| match args.dry_run {
            true => global.tools().estimate_compact(path),
            false => global.tools().compact(path),
        })
        .map_err(|failure| failure.if_damaged(ADVICE))?;
    let about = if report.is_estimate { "about " } else { "" };
    let freed = report.before_bytes.saturating_sub(report.after_bytes);
    let rows = [
        ("file", global.path()?.display().to_string()),
        ("before", size(report.before_bytes)),
        ("after", format!("{about}{}", size(report.after_bytes))),
        ("freed", format!("{about}{}", size(freed))),
    ];
    summary::write(&rows, io.out)?;
    Ok(Exit::Done)
}
