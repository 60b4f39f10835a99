//! `bayplan man`

use std::path::PathBuf;

use clap::CommandFactory;
use clap_mangen::Man;

use crate::cli::Cli;
use crate::failure::{Exit, Failure, Result};
use crate::input::must_be_file;
use crate::run::Io;

/// Print the man page
///
/// Or write it, and one for each command, into a directory.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan man | man -l -
  bayplan man --dir /usr/local/share/man/man1")]
pub(crate) struct Args {
    /// Write all pages into this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(args: Args, io: &mut Io<'_>) -> Result<Exit> {
    let command = Cli::command();
    match args.dir {
        Some(dir) => {
            let advice = "without --dir the page goes to standard output";
            must_be_file(&dir, "the directory", advice)?;
            clap_mangen::generate_to(command, &dir).map_err(|error| {
                Failure::new(format!("{} cannot be written to: {error}", dir.display()))
            })?;
        }
        None => Man::new(command).render(&mut io.out)?,
    }
    Ok(Exit::Done)
}
