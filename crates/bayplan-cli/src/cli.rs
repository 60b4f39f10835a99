//! The command line and its help.

use std::cell::{OnceCell, RefCell};
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::ArgValueCompleter;
use tempfile::TempDir;

use crate::command::{
    backup, check, compact, completions, create, diff, dump, edit, export, hash, import, info,
    init, label, load, ls, man, namespaces, records, restore, rm, salvage, share, stats, update,
    watch, why,
};
use crate::complete;

const AFTER_HELP: &str = "\
Environment:
  BAYPLAN_DB             The database file, if --db does not name it
  CONTAINERD_NAMESPACE   The namespace of commands about containers, if -n does not name it;
                         what is done with a whole store, as by dump, is not narrowed by it

Exit codes:
  0  done
  1  an error, also in how the command was written; of diff, that something differs
  2  something in the file is damaged, or was not salvaged for certain
  3  the file is locked by another process
  4  the file, or the dump, is of a version that this program does not read

Examples:
  export BAYPLAN_DB=/var/lib/runtime/meta.redb
  bayplan init
  runc spec --bundle ./web
  bayplan create web --bundle ./web --label app=nginx
  bayplan ls 'labels.app==nginx'
  bayplan info web
  bayplan ls -A --format ndjson | jq -r .image
  bayplan label web tier=front app=
  bayplan rm web
  bayplan watch -A
  bayplan why image docker.io/library/nginx:1.29
  bayplan backup /var/backups/meta.redb
  bayplan diff /var/backups/meta.redb

Options may stand before or after the other arguments. An ID may also be written NAMESPACE/ID.
For info, label, update and rm the beginning of an id is enough if only one container's id begins
so and none is exactly that; --exact switches that off.
Commands that only read never write to the file, and need no permission to.";

/// Reads and changes a store of container metadata.
///
/// A store is one file, named by --db or BAYPLAN_DB; there is no default. `bayplan init` creates an empty
/// one, `load` and `restore` create one from a dump or a backup. It holds containers in namespaces, as
/// containerd does, and the commands have the names of ctr's.
///
/// A specification may hold secrets, such as environment variables: only `info` and `dump` print
/// them.
#[derive(Debug, Parser)]
#[command(name = "bayplan", version, after_long_help = AFTER_HELP)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The global options.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The database file [env: BAYPLAN_DB]
    #[arg(long, value_name = "PATH", global = true)]
    pub(crate) db: Option<PathBuf>,

    /// The namespace [env: CONTAINERD_NAMESPACE] [default: default]
    ///
    /// For commands about containers. `dump` writes only this namespace, or all if -n is not given; it
    /// ignores the variable. Commands about the whole store refuse -n.
    #[arg(short, long, value_name = "NAME", global = true)]
    #[arg(add = ArgValueCompleter::new(complete::namespaces))]
    pub(crate) namespace: Option<OsString>,

    /// How long to wait for a file that is in use [default: 0, or 5 if processes share it]
    ///
    /// Without it, commands that only read look into a copy of a file that a process has to itself.
    #[arg(long, value_name = "SECONDS", global = true)]
    pub(crate) timeout: Option<u64>,

    /// What an update may change [default: as the file was created]
    ///
    /// `init` and `import` store it in the new file. For `update`, `edit` and `label` it applies to that command only.
    /// `serve` follows it, by default containerd2.
    /// `salvage` uses it if the damaged file has lost its own. Other commands refuse it.
    #[arg(long, value_name = "RULES", global = true)]
    pub(crate) rules: Option<Rules>,

    /// Take each id literally, not as the beginning of one; for scripts
    #[arg(long, global = true)]
    pub(crate) exact: bool,

    /// Read no copy of a store that another process has to itself: fail instead
    ///
    /// Commands that only read make a private copy of such a file, and remove it. That process goes on meanwhile. With
    /// --timeout they wait for the file itself.
    #[arg(long, global = true)]
    pub(crate) no_copy: bool,

    /// The error of damaged pages, if there are any.
    #[arg(skip)]
    pub(crate) damage: OnceCell<String>,

    /// Why a copy is read, if one is.
    #[arg(skip)]
    pub(crate) copied: OnceCell<String>,

    /// Where copies are until the command ends.
    #[arg(skip)]
    pub(crate) copies: RefCell<Vec<TempDir>>,
}

/// The library's rules, with their names on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Rules {
    /// The image and the snapshot key never change
    Strict,
    /// The image and the snapshot key may change, as in containerd 2
    Containerd2,
}

impl From<Rules> for bayplan::Rules {
    fn from(rules: Rules) -> Self {
        match rules {
            Rules::Strict => Self::Strict,
            Rules::Containerd2 => Self::Containerd2,
        }
    }
}

/// Which processes may have a store open at the same time.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Share {
    /// The process that opens it has it to itself; the fastest
    Nobody,
    /// One process writes, others read
    Readers,
    /// Any number of processes read and write
    Processes,
}

impl From<Share> for bayplan::Share {
    fn from(share: Share) -> Self {
        match share {
            Share::Nobody => Self::Nobody,
            Share::Readers => Self::Readers,
            Share::Processes => Self::Processes,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(init::Args),
    #[command(flatten)]
    Container(ContainerCommand),
    /// The same commands, as in ctr
    #[command(name = "containers", aliases = ["container", "c"], hide = true)]
    #[command(subcommand)]
    Containers(ContainerCommand),
    #[command(visible_aliases = ["namespace", "ns", "n"])]
    Namespaces(namespaces::Args),
    #[command(visible_alias = "record")]
    Records(records::Args),
    Check(check::Args),
    #[command(flatten)]
    Tool(ToolCommand),
    Completions(completions::Args),
    Man(man::Args),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ContainerCommand {
    Create(create::Args),
    #[command(visible_alias = "list")]
    Ls(ls::Args),
    Info(info::Args),
    Label(label::Args),
    Update(update::Args),
    Edit(edit::Args),
    #[command(visible_aliases = ["delete", "del", "remove"])]
    Rm(rm::Args),
    Watch(watch::Args),
    Why(why::Args),
    #[cfg(feature = "browse")]
    Browse(crate::command::browse::Args),
}

/// The commands for a whole store.
#[derive(Debug, Subcommand)]
pub(crate) enum ToolCommand {
    Stats(stats::Args),
    Share(share::Args),
    Compact(compact::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    Dump(dump::Args),
    Load(load::Args),
    Diff(diff::Args),
    Hash(hash::Args),
    Import(import::Args),
    Export(export::Args),
    Salvage(salvage::Args),
    #[cfg(feature = "serve")]
    Serve(crate::command::serve::Args),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
