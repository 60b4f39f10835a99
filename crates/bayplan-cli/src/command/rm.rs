//! `bayplan rm`

use bayplan::{Store, WriteTxn};

use crate::cli::Global;
use crate::failure::{Exit, Result};
use crate::run::Io;

/// Remove containers
///
/// Those that do not exist are reported, and the others removed all the same, all in one step.
/// Nothing is stopped, and no image or snapshot is removed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan rm web db
  bayplan ls -q 'labels.tier==test' | xargs bayplan rm")]
pub(crate) struct Args {
    /// The containers
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let db = global.open_to_write()?;
    let txn = db.begin_write()?;
    let mut exit = Exit::Done;
    for id in &args.ids {
        if let Err(failure) = remove(id, global, &txn) {
            failure.report(io.err);
            exit = exit.max(failure.exit());
        }
    }
    txn.commit()?;
    Ok(exit)
}

fn remove(id: &str, global: &Global, txn: &WriteTxn) -> Result<()> {
    let target = global.target(id)?;
    Ok(txn.namespace(&target.namespace)?.delete(&target.id)?)
}
