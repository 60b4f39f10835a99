//! `bayplan-etcd ls`

use std::io::Write;

use bayplan::Filters;

use crate::cli::{EtcdArgs, HostArgs};
use crate::failure::Result;
use crate::{places, text};

/// List containers
///
/// Filters are those of `bayplan ls`. What matches any of them is listed. In a copy without specs, no container has
/// extensions.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan-etcd ls -A --all-hosts
  bayplan-etcd ls -A --all-hosts 'labels.app==nginx,image~=1.29'
  bayplan-etcd ls -n k8s.io --host node-1")]
pub(crate) struct Args {
    #[command(flatten)]
    hosts: HostArgs,

    /// Only containers that match any of these filters
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,

    /// The namespace
    #[arg(
        short,
        long,
        default_value = "default",
        conflicts_with = "all_namespaces"
    )]
    namespace: String,

    /// The containers of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,

    /// Print one object of JSON per line
    #[arg(long)]
    ndjson: bool,
}

/// One line of JSON.
#[derive(serde::Serialize)]
struct Line<'a> {
    host: Option<&'a str>,
    namespace: &'a str,
    #[serde(flatten)]
    container: &'a bayplan::ContainerHeader,
}

pub(crate) fn run(args: &Args, etcd: &EtcdArgs, out: &mut impl Write) -> Result<()> {
    let filters = Filters::parse(&args.filters).map_err(bayplan::Error::from)?;
    let places = places::named(&args.hosts, etcd)?;
    let mut rows = Vec::new();
    for place in &places {
        let namespaces = match args.all_namespaces {
            true => place
                .namespaces()?
                .iter()
                .map(ToString::to_string)
                .collect(),
            false => vec![args.namespace.clone()],
        };
        for namespace in &namespaces {
            let store = place.containers(namespace)?;
            for container in store.query().filter(&filters).iter_headers()? {
                let container = container?;
                if args.ndjson {
                    let host = Some(place.host()).filter(|host| *host != "-");
                    let line = Line {
                        host,
                        namespace,
                        container: &container,
                    };
                    writeln!(out, "{}", text::json(&line)?)?;
                    continue;
                }
                rows.push([
                    place.host().to_owned(),
                    namespace.clone(),
                    container.id,
                    container.image,
                    container.runtime.name,
                    container
                        .updated_at
                        .format("%Y-%m-%dT%H:%M:%SZ")
                        .to_string(),
                ]);
            }
        }
    }
    match args.ndjson {
        true => Ok(()),
        false => table(
            [
                "HOST",
                "NAMESPACE",
                "CONTAINER",
                "IMAGE",
                "RUNTIME",
                "UPDATED",
            ],
            &rows,
            out,
        ),
    }
}

/// Prints a table with columns that are as wide as they need to be.
pub(crate) fn table<const N: usize>(
    head: [&str; N],
    rows: &[[String; N]],
    out: &mut impl Write,
) -> Result<()> {
    let rows: Vec<[String; N]> = rows
        .iter()
        .map(|row| row.each_ref().map(|cell| text::visible(cell)))
        .collect();
    let mut widths = head.map(|name| name.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut line = |cells: [&str; N]| -> Result<()> {
        let cells = cells.iter().zip(widths);
        let text: String = cells
            .map(|(cell, width)| format!("{cell:<width$}  "))
            .collect();
        writeln!(out, "{}", text.trim_end())?;
        Ok(())
    };
    line(head)?;
    rows.iter()
        .try_for_each(|row| line(row.each_ref().map(String::as_str)))
}
