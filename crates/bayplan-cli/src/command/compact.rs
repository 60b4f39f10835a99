//! `bayplan compact`

use crate::cli::Global;
use crate::failure::{Exit, Result};
use crate::run::Io;
use crate::store::ADVICE;
use crate::summary::{self, size};

/// Give the free pages of the file back to the file system
///
/// Nobody else may have the file open. It is verified before; a damaged one is left as it is, and the
/// exit code is 2. A crash leaves a whole store, compacted or not. Pages are moved together, not merged: a
/// store that was restored from a backup can be smaller, as its pages are full.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan compact --dry-run
  bayplan compact --timeout 10")]
pub(crate) struct Args {
    /// Estimate what there is to gain, and change nothing
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
