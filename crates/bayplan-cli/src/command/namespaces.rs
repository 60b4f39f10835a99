//! `bayplan namespaces`

use bayplan::{Labels, ReadNamespaces, WriteTxn};
use clap::Subcommand;
use serde::Serialize;

use super::label;

use clap_complete::ArgValueCompleter;

use crate::cli::Global;
use crate::complete;
use crate::failure::{Exit, Failure, Result};
use crate::listing::{self, Format, Listing};
use crate::run::Io;
use crate::{input, text};

/// Manage namespaces
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_long_help = "\
Examples:
  bayplan namespaces ls
  bayplan namespaces create k8s.io team=infra
  bayplan namespaces label k8s.io team=
  bayplan namespaces rm k8s.io")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List namespaces
    #[command(visible_alias = "list")]
    Ls {
        /// Print names only
        #[arg(short, long, conflicts_with = "format")]
        quiet: bool,
        #[arg(long, value_name = "FORMAT", default_value = "table", help = listing::HELP, value_parser = listing::format)]
        format: Format,
    },
    /// Create a namespace
    ///
    /// This is optional: a namespace is created implicitly with its first container.
    #[command(visible_alias = "c")]
    Create {
        /// The name
        name: String,
        /// A label
        #[arg(value_name = "KEY=VALUE", value_parser = input::pair)]
        labels: Vec<(String, String)>,
    },
    /// Set and remove labels of a namespace, and print all it has
    ///
    /// KEY=VALUE sets a label, KEY= removes it. A key that contains `=` must be quoted: "a=b"=VALUE.
    /// Without arguments, the labels are only printed.
    Label {
        /// The namespace, which must exist
        #[arg(add = ArgValueCompleter::new(complete::namespaces))]
        name: String,
        /// A label to set; without a value, to remove
        #[arg(value_name = "KEY=VALUE", value_parser = input::pair)]
        labels: Vec<(String, String)>,
    },
    /// Remove namespaces
    ///
    /// All are removed in one step. One that does not exist or is not empty is reported, and the others are
    /// removed anyway.
    #[command(visible_aliases = ["delete", "del", "remove"])]
    Rm {
        /// The namespaces
        #[arg(value_name = "NAME", required = true)]
        #[arg(add = ArgValueCompleter::new(complete::namespaces))]
        names: Vec<String>,
    },
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    match args.command {
        Command::Ls { quiet: true, .. } => list_names(global, io),
        Command::Ls { format, .. } => list(&format, global, io),
        Command::Create { name, labels } => {
            let labels = labels.into_iter().collect();
            global.open_to_write()?.create_namespace(&name, labels)?;
            Ok(Exit::Done)
        }
        Command::Label { name, labels } => set_labels(&name, &labels, global, io),
        Command::Rm { names } => remove(&names, global, io),
    }
}

fn list_names(global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    for name in global.open_to_read()?.list_namespaces()? {
        writeln!(io.out, "{name}")?;
    }
    Ok(Exit::Done)
}

/// A namespace in JSON.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Labels::is_empty")]
    labels: &'a Labels,
}

fn list(format: &Format, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let mut listing = Listing::new(format, &["NAME", "LABELS"], &["name", "labels"])?;
    let snapshot = global.open_to_read()?.read()?;
    for name in snapshot.list_namespaces()? {
        let name = name.as_str();
        let labels = snapshot.namespace_labels(name)?;
        let cells = || vec![name.to_owned(), text::labels(&labels)];
        let row = Row {
            name,
            labels: &labels,
        };
        listing.push(io.out, cells, &row)?;
    }
    listing.finish(io.out, io.terminals.style)?;
    Ok(Exit::Done)
}

fn set_labels(
    name: &str,
    labels: &[(String, String)],
    global: &Global,
    io: &mut Io<'_>,
) -> Result<Exit> {
    let all = if labels.is_empty() {
        let snapshot = global.open_to_read()?.read()?;
        must_exist(name, &snapshot)?;
        snapshot.namespace_labels(name)?
    } else {
        global.open_to_write()?.write(|txn| -> Result<Labels> {
            must_exist(name, txn)?;
            for (key, value) in labels {
                txn.set_namespace_label(name, key, value)?;
            }
            Ok(txn.namespace_labels(name)?)
        })?
    };
    label::print(&all, io.out)?;
    Ok(Exit::Done)
}

/// The store would create a namespace for a mistyped name.
fn must_exist(name: &str, namespaces: &dyn ReadNamespaces) -> Result<()> {
    if namespaces
        .list_namespaces()?
        .iter()
        .any(|known| known == name)
    {
        Ok(())
    } else {
        Err(Failure::new(format!("there is no namespace {name:?}")))
    }
}

fn remove(names: &[String], global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let db = global.open_to_write()?;
    let txn: WriteTxn = db.begin_write()?;
    let mut exit = Exit::Done;
    for name in names {
        if let Err(error) = txn.delete_namespace(name) {
            let failure = Failure::from(error);
            failure.report(io.err);
            exit = exit.max(failure.exit());
        }
    }
    txn.commit()?;
    Ok(exit)
}
