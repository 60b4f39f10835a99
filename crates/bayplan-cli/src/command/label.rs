//! `bayplan label`

use std::io::Write;

use bayplan::{Labels, Update};
use clap_complete::ArgValueCompleter;

use crate::cli::Global;
use crate::complete;
use crate::failure::{Exit, Result};
use crate::run::Io;
use crate::{input, text};

/// Set and remove labels of a container, and print all it has
///
/// KEY=VALUE sets a label, KEY= removes it. A key that contains `=` must be quoted: "a=b"=VALUE. Without
/// arguments, the labels are only printed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan label web
  bayplan label web tier=front app=
  bayplan label web '\"a=b\"='")]
pub(crate) struct Args {
    /// The container
    #[arg(add = ArgValueCompleter::new(complete::ids))]
    id: String,

    /// A label to set; without a value, to remove
    #[arg(value_name = "KEY=VALUE", value_parser = input::pair)]
    labels: Vec<(String, String)>,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let target = global.target(&args.id)?;
    let container = if args.labels.is_empty() {
        let snapshot = global.open_to_read()?.read()?;
        let store = snapshot.namespace(&target.namespace)?;
        let meant = global.meant(&store, target.id)?;
        store.get(&meant.id)?
    } else {
        let db = global.open_to_write()?;
        let txn = db.begin_write()?;
        let store = txn.namespace(&target.namespace)?;
        let meant = global.meant(&store, target.id)?;
        let labels = args.labels.into_iter();
        let update = labels.fold(Update::new(&meant.id), |update, (key, value)| {
            update.set_label(key, value)
        });
        let container = store.apply(update)?;
        txn.commit()?;
        meant.tell("changed", io.err);
        container
    };
    print(&container.labels, io.out)?;
    Ok(Exit::Done)
}

/// One label per line.
pub(crate) fn print(labels: &Labels, out: &mut dyn Write) -> std::io::Result<()> {
    for (key, value) in labels {
        writeln!(out, "{}", text::label(key, value))?;
    }
    Ok(())
}
