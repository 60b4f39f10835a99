//! `bayplan-etcd info`

use std::io::Write;

use crate::cli::{EtcdArgs, HostArgs};
use crate::failure::{Failure, Result};
use crate::{places, text};

/// Print containers with this id as JSON
///
/// With --all-hosts, a line for each host that has one.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    hosts: HostArgs,

    /// The container
    #[arg(value_name = "CONTAINER")]
    id: String,

    /// The namespace
    #[arg(short, long, default_value = "default")]
    namespace: String,
}

/// One line of JSON.
#[derive(serde::Serialize)]
struct Line<'a> {
    host: Option<&'a str>,
    namespace: &'a str,
    #[serde(flatten)]
    container: &'a bayplan::Container,
}

pub(crate) fn run(args: &Args, etcd: &EtcdArgs, out: &mut impl Write) -> Result<()> {
    let mut is_found = false;
    for place in places::named(&args.hosts, etcd)? {
        let Some(container) = place.containers(&args.namespace)?.find(&args.id)? else {
            continue;
        };
        is_found = true;
        let host = Some(place.host()).filter(|host| *host != "-");
        let line = Line {
            host,
            namespace: &args.namespace,
            container: &container,
        };
        writeln!(out, "{}", text::json(&line)?)?;
    }
    match is_found {
        true => Ok(()),
        false => {
            let (id, namespace) = (&args.id, &args.namespace);
            let message = format!("container {id:?} in namespace {namespace:?}: not found");
            Err(Failure::new(message).because("`bayplan-etcd ls -A` lists the containers"))
        }
    }
}
