//! `bayplan completions`

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::failure::{Exit, Result};
use crate::run::Io;

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan completions bash > /etc/bash_completion.d/bayplan
  bayplan completions zsh > ~/.zfunc/_bayplan
  bayplan completions fish > ~/.config/fish/completions/bayplan.fish")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: Args, io: &mut Io<'_>) -> Result<Exit> {
    // The generator panics if it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "bayplan", &mut script);
    io.out.write_all(&script)?;
    Ok(Exit::Done)
}
