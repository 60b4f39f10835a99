//! `bayplan init`

use crate::cli::Global;
use crate::failure::{Exit, Result};

/// Create the database file
///
/// The file must not exist, but its directory must. Only its owner may read and write it, since
/// specifications may hold secrets. The store remembers the rules of --rules, by default `strict`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan --db /var/lib/runtime/meta.redb init
  bayplan --db /var/lib/runtime/meta.redb init --rules containerd2")]
pub(crate) struct Args {}

pub(crate) fn run(_: Args, global: &Global) -> Result<Exit> {
    global.builder().create(global.new_path()?)?;
    Ok(Exit::Done)
}
