//! `bayplan completions`

use clap_complete::Shell;

use crate::complete;
use crate::failure::{Exit, Result};
use crate::run::Io;

/// Print completions for a shell
///
/// The script asks the program what may follow, which must be found on the PATH: also for the ids, namespaces and kinds in
/// the store that the line or BAYPLAN_DB names. Load it when a shell starts, so that it fits the program.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan completions bash > /etc/bash_completion.d/bayplan
  echo 'source <(bayplan completions bash)' >> ~/.bashrc
  echo 'source <(bayplan completions zsh)' >> ~/.zshrc
  echo 'bayplan completions fish | source' > ~/.config/fish/completions/bayplan.fish")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: Args, io: &mut Io<'_>) -> Result<Exit> {
    complete::write_script(&args.shell.to_string(), io.out)?;
    Ok(Exit::Done)
}
