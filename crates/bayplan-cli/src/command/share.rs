//! `bayplan share`

use crate::cli::{Global, Share};
use crate::failure::{Exit, Result};
use crate::run::Io;

/// Show or change which processes may have the store open at the same time
///
/// The file keeps the choice, and every process that opens the file obeys it. It can be changed
/// while no other process has the file open.
///
///   nobody     the process that opens it has it to itself; the fastest
///   readers    one process writes, others read what it has committed
///   processes  any number of processes read and write
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[command(after_long_help = "\
Examples:
  bayplan share
  bayplan share processes --timeout 10")]
pub(crate) struct Args {
    /// Who may have the store open from now on; if omitted, shows the current choice
    #[arg(value_name = "SHARE")]
    share: Option<Share>,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    match args.share {
        Some(share) => {
            drop(global.with_file(|builder, path| builder.share(share.into()).open(path))?)
        }
        None => writeln!(io.out, "{}", global.open_to_read()?.info().share)?,
    }
    Ok(Exit::Done)
}
