//! `bayplan info`

use bayplan::{Container, ReadTxn};
use clap_complete::ArgValueCompleter;

use crate::cli::Global;
use crate::complete;
use crate::failure::{Exit, Failure, Result};
use crate::run::Io;
use crate::{edited, json};

/// Print containers as JSON, with their specifications
///
/// One id prints an object, several ids print an array. Containers that cannot be read are reported, and
/// the others printed. Values that are JSON are printed as JSON, others in base64.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan info web
  bayplan info web db | jq '.[].image'
  bayplan info --spec web > config.json
  bayplan info $(bayplan ls -Aq)")]
pub(crate) struct Args {
    /// The containers
    #[arg(value_name = "ID", required = true)]
    #[arg(add = ArgValueCompleter::new(complete::ids))]
    ids: Vec<String>,

    /// Print the specification only
    #[arg(long)]
    spec: bool,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let snapshot = global.open_to_read()?.read()?;
    let show = |id: &String| {
        let container = look_up(id, global, &snapshot)?;
        if args.spec {
            spec_of(&container)
        } else {
            Ok(edited::show(&json::of(&container)?, &container))
        }
    };
    print_each(&args.ids, show, io)
}

/// Prints one as an object, several as an array. Those that cannot be shown are reported, and the others printed.
pub(crate) fn print_each(
    ids: &[String],
    show: impl Fn(&String) -> Result<String>,
    io: &mut Io<'_>,
) -> Result<Exit> {
    if let [id] = ids {
        writeln!(io.out, "{}", json::pretty(&show(id)?, 0))?;
        return Ok(Exit::Done);
    }
    let mut exit = Exit::Done;
    let mut array = json::Array::default();
    for id in ids {
        match show(id) {
            Ok(text) => array.push(io.out, &text)?,
            Err(failure) => {
                failure.report(io.err);
                exit = exit.max(failure.exit());
            }
        }
    }
    array.finish(io.out)?;
    Ok(exit)
}

fn look_up(id: &str, global: &Global, snapshot: &ReadTxn) -> Result<Container> {
    let target = global.target(id)?;
    let store = snapshot.namespace(&target.namespace)?;
    let meant = global.meant(&store, target.id)?;
    Ok(store.get(&meant.id)?)
}

/// The spec as stored, if it is JSON.
fn spec_of(container: &Container) -> Result<String> {
    let spec = container.spec.clone().unwrap_or_default();
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&spec.value).is_ok();
    match String::from_utf8(spec.value.to_vec()) {
        Ok(text) if is_json => Ok(text),
        _ => Err(Failure::new(format!(
            "the spec of {:?} is not JSON but of type {:?}",
            container.id, spec.type_url
        ))
        .because("without --spec it is printed in base64")),
    }
}
