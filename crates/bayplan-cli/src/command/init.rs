//! `bayplan init`

use crate::cli::{Global, Share};
use crate::failure::{Exit, Result};

/// Create the database file
///
/// The file must not exist, but its directory must. Only its owner may read and write it, since
/// specifications may hold secrets. The store remembers the rules of --rules, by default `strict`, and who may
/// have it open; see `share`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan --db /var/lib/runtime/meta.redb init
  bayplan --db /var/lib/runtime/meta.redb init --rules containerd2
  bayplan --db /var/lib/runtime/meta.redb init --share processes")]
pub(crate) struct Args {
    /// Which processes may have it open at the same time
    #[arg(long, value_name = "SHARE", default_value = "nobody")]
    share: Share,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Exit> {
    let builder = global.builder().share(args.share.into());
    builder.create(global.new_path()?)?;
    Ok(Exit::Done)
}
