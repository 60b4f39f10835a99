//! `bayplan rm`

use bayplan::WriteNamespace;

use crate::cli::Global;
use crate::failure::{Exit, Result};
use crate::prefix::Meant;
use crate::run::Io;

/// Remove containers
///
/// Those that do not exist are reported, and the others removed all the same, all in one step.
/// Nothing is stopped, and no image or snapshot is removed. Where only the beginning of an id is
/// given, the id that was meant is told.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan rm web db
  bayplan ls -q --strict-filters 'labels.tier==test' | xargs bayplan rm --exact")]
pub(crate) struct Args {
    /// The containers
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let db = global.open_to_write()?;
    let txn = db.begin_write()?;
    // All are looked up before the first is removed: with `rm a a`, the second one must not become
    // the beginning of another id.
    let look_up = |id: &String| {
        let target = global.target(id)?;
        let store = txn.namespace(&target.namespace)?;
        let meant = global.meant(&store, target.id)?;
        Ok((store, meant))
    };
    let found: Vec<Result<_>> = args.ids.iter().map(look_up).collect();
    let mut removed = Vec::new();
    let mut exit = Exit::Done;
    for found in found {
        let remove = |(store, meant): (WriteNamespace<'_>, Meant)| {
            store.delete(&meant.id)?;
            Ok(meant)
        };
        match found.and_then(remove) {
            Ok(meant) => removed.push(meant),
            Err(failure) => {
                failure.report(io.err);
                exit = exit.max(failure.exit());
            }
        }
    }
    txn.commit()?;
    for meant in removed {
        meant.tell("removed", io.err);
    }
    Ok(exit)
}
