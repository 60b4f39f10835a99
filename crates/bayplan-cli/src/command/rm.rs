//! `bayplan rm`

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use bayplan::WriteNamespace;
use clap_complete::ArgValueCompleter;

use crate::cli::Global;
use crate::complete;
use crate::failure::{Exit, Result};
use crate::prefix::Meant;
use crate::run::Io;

/// Remove containers
///
/// All are removed in one step. One that does not exist is reported, and the others are removed anyway; one
/// that is named twice is removed once. Nothing is stopped, and no image or snapshot is removed. If only
/// the beginning of an id is given, the whole id is printed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan rm web db
  bayplan ls -q --strict-filters 'labels.tier==test' | xargs bayplan rm --exact")]
pub(crate) struct Args {
    /// The containers
    #[arg(value_name = "ID", required = true)]
    #[arg(add = ArgValueCompleter::new(complete::ids))]
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
    let mut removed = BTreeMap::new();
    let mut exit = Exit::Done;
    for found in found {
        let mut remove = |(store, meant): (WriteNamespace<'_>, Meant)| {
            // The same container may be named twice, such as by two beginnings of its id.
            if let Entry::Vacant(entry) = removed.entry((store.name().clone(), meant.id.clone())) {
                store.delete(&meant.id)?;
                entry.insert(meant);
            }
            Ok(())
        };
        if let Err(failure) = found.and_then(&mut remove) {
            failure.report(io.err);
            exit = exit.max(failure.exit());
        }
    }
    txn.commit()?;
    for meant in removed.into_values() {
        meant.tell("removed", io.err);
    }
    Ok(exit)
}
