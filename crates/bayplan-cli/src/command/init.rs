//! `bayplan init`

use crate::cli::Global;
use crate::failure::{Exit, Result};

/// Create the database file
///
/// The file must not exist, its directory must. Only its owner may read and write it, for
/// specifications hold secrets. The store remembers the rules that --rules names, `strict` without
/// it.
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
