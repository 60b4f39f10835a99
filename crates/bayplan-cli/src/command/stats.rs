//! `bayplan stats`

use bayplan::Stats;
use clap::ValueEnum;

use crate::cli::Global;
use crate::failure::{Exit, Failure, Result};
use crate::json;
use crate::run::Io;
use crate::store::ADVICE;
use crate::summary::{self, size};
use crate::table::Table;

/// Show how much is stored, and what takes space in the file
///
/// `stored` counts keys and values, `metadata` the structure to find them, `fragmented` unused space in
/// pages in use, which later writes fill. The rest of the file is `free`: new containers fill it, and
/// `compact` returns it to the file system.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan stats
  bayplan stats --format json | jq .free_bytes")]
pub(crate) struct Args {
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Lines for people
    Table,
    /// One object, sizes in bytes
    Json,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let db = global.open_to_read()?;
    let stats = db
        .stats()
        .map_err(|error| Failure::from(error).if_damaged(ADVICE))?;
    match args.format {
        Format::Json => writeln!(io.out, "{}", json::pretty(&json::of(&stats)?, 0))?,
        Format::Table => {
            let path = global.path()?.display().to_string();
            summary::write(&rows(&stats, path), io.out)?;
            writeln!(io.out)?;
            namespaces(&stats).write(io.out, io.terminals.style)?;
            writeln!(io.out)?;
            tables(&stats).write(io.out, io.terminals.style)?;
        }
    }
    Ok(Exit::Done)
}

fn rows(stats: &Stats, path: String) -> Vec<(&'static str, String)> {
    let known = |bytes: Option<u64>| bytes.map(size).unwrap_or_default();
    let mut rows = vec![
        ("file", path),
        ("store", stats.id.to_string()),
        ("format", stats.format_version.to_string()),
        ("namespaces", stats.namespaces.len().to_string()),
        ("containers", stats.containers_count.to_string()),
    ];
    rows.extend(summary::records(stats.records_count));
    rows.extend([
        ("size", known(stats.file_bytes)),
        ("stored", size(stats.stored_bytes)),
        ("metadata", size(stats.metadata_bytes)),
        ("fragmented", size(stats.fragmented_bytes)),
        ("free", known(stats.free_bytes)),
    ]);
    rows
}

fn namespaces(stats: &Stats) -> Table {
    let mut table = Table::new(&["NAMESPACE", "CONTAINERS"]);
    for namespace in &stats.namespaces {
        let count = namespace.containers_count.to_string();
        table.push([namespace.name.as_str(), &count]);
    }
    table
}

fn tables(stats: &Stats) -> Table {
    let mut table = Table::new(&["TABLE", "KEYS", "DEPTH", "STORED", "METADATA", "FRAGMENTED"]);
    for it in &stats.tables {
        table.push([
            it.name.as_str(),
            &it.keys_count.to_string(),
            &it.depth_pages.to_string(),
            &size(it.stored_bytes),
            &size(it.metadata_bytes),
            &size(it.fragmented_bytes),
        ]);
    }
    table
}
