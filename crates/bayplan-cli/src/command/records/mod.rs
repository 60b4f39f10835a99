//! `bayplan records`

mod change;
mod list;
mod show;

use std::path::PathBuf;

use clap::Subcommand;
use clap_complete::ArgValueCompleter;

use crate::cli::Global;
use crate::complete;
use crate::failure::{Exit, Result};
use crate::input;
use crate::listing::{self, Format};
use crate::run::{Io, kept_back};

/// Look into records of other kinds than containers, and change them
///
/// Beside containers, a namespace holds records of any kind: images, sandboxes, leases, or what else a runtime
/// keeps. A record has an id, labels and one value. A kind is there as long as it has records. Ids are taken
/// literally.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_long_help = "\
Examples:
  bayplan records kinds
  bayplan records ls leases 'labels.\"containerd.io/gc.expire\"'
  bayplan records info images docker.io/library/nginx:1.29
  bayplan records create pods front --value pod.json --label app=nginx
  bayplan records rm leases old")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the kinds of records in the namespace, and how many there are of each
    Kinds {
        #[arg(long, value_name = "FORMAT", default_value = "table", help = listing::HELP, value_parser = listing::format)]
        format: Format,
    },
    #[command(visible_alias = "list")]
    Ls(Ls),
    /// Print records as JSON, with their values
    ///
    /// One id prints an object, several ids print an array.
    Info {
        /// The kind
        #[arg(add = ArgValueCompleter::new(complete::kinds))]
        kind: String,
        /// The records
        #[arg(value_name = "ID", required = true)]
        #[arg(add = ArgValueCompleter::new(complete::record_ids))]
        ids: Vec<String>,
    },
    /// Store a new record
    Create(New),
    /// Store a record, in place of the one that has this id, if there is one
    Put(New),
    /// Set and remove labels of a record, and print all it has
    ///
    /// KEY=VALUE sets a label, KEY= removes it. Without arguments, the labels are only printed.
    Label {
        /// The kind
        #[arg(add = ArgValueCompleter::new(complete::kinds))]
        kind: String,
        /// The record
        #[arg(add = ArgValueCompleter::new(complete::record_ids))]
        id: String,
        /// A label to set; without a value, to remove
        #[arg(value_name = "KEY=VALUE", value_parser = input::pair)]
        labels: Vec<(String, String)>,
    },
    /// Remove records
    ///
    /// All are removed in one step. One that does not exist is reported, and the others are removed anyway.
    #[command(visible_aliases = ["delete", "del", "remove"])]
    Rm {
        /// The kind
        #[arg(add = ArgValueCompleter::new(complete::kinds))]
        kind: String,
        /// The records
        #[arg(value_name = "ID", required = true)]
        #[arg(add = ArgValueCompleter::new(complete::record_ids))]
        ids: Vec<String>,
    },
}

/// List the records of a kind
///
/// Lists the records that match any of the filters, in the order of their ids. Fields of a filter are id and labels.KEY.
/// A damaged record is reported, and the others are listed anyway.
#[derive(Debug, clap::Args)]
struct Ls {
    /// The kind
    #[arg(add = ArgValueCompleter::new(complete::kinds))]
    kind: String,
    /// Only records that match any of these filters
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    /// Print ids only
    #[arg(short, long, conflicts_with = "format")]
    quiet: bool,
    #[arg(long, value_name = "FORMAT", default_value = "table", help = listing::HELP, value_parser = listing::format)]
    format: Format,
    /// Add a column to the table for the label with this key; may be repeated
    #[arg(short = 'L', long, value_name = "KEY", value_delimiter = ',')]
    label_columns: Vec<String>,
    /// Add the labels to the table
    #[arg(long)]
    labels: bool,
    /// Print at most this many records
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Begin after this id, which need not exist
    #[arg(long, value_name = "ID")]
    after: Option<String>,
}

/// A record to store.
#[derive(Debug, clap::Args)]
struct New {
    /// The kind
    #[arg(add = ArgValueCompleter::new(complete::kinds))]
    kind: String,
    /// The record's id, unique in its kind and namespace
    id: String,
    /// The value, in the form that `info` prints; - is standard input
    ///
    /// {"type_url": .., "json": ..} or {"type_url": .., "base64": ..}.
    #[arg(long, value_name = "FILE")]
    value: PathBuf,
    /// A label; may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = input::pair)]
    labels: Vec<(String, String)>,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    match args.command {
        Command::Kinds { format } => list::kinds(&format, global, io),
        Command::Ls(args) => kept_back(io, |io| list::records(&args, global, io)),
        Command::Info { kind, ids } => show::info(&kind, &ids, global, io),
        Command::Create(new) => change::store(new, true, global, io),
        Command::Put(new) => change::store(new, false, global, io),
        Command::Label { kind, id, labels } => change::label(&kind, &id, labels, global, io),
        Command::Rm { kind, ids } => change::remove(&kind, &ids, global, io),
    }
}
