//! `bayplan edit`

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use clap_complete::ArgValueCompleter;
use tempfile::NamedTempFile;

use super::update::Whole;

use crate::cli::Global;
use crate::complete;
use crate::failure::{Exit, Failure, Result, say};
use crate::run::Io;
use crate::{edited, input, json};

/// The editor, if the environment names none.
const EDITOR_DEFAULT: &str = "vi";

/// Change a container in an editor
///
/// Opens the container, in the form that `info` prints, in the editor that VISUAL or EDITOR names, or in vi. What is
/// saved is taken as by `update --from`: if the container has changed meanwhile, nothing is. If it cannot be taken,
/// the edited file is kept, and its name is printed. If nothing is edited, nothing is changed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan edit web
  EDITOR='code --wait' bayplan edit k8s.io/web
  bayplan edit web --rules containerd2")]
pub(crate) struct Args {
    /// The container
    #[arg(add = ArgValueCompleter::new(complete::ids))]
    id: String,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let target = global.target(&args.id)?;
    // The store is not held while somebody edits.
    let (meant, before) = {
        let snapshot = global.open_itself()?.read()?;
        let store = snapshot.namespace(&target.namespace)?;
        let meant = global.meant(&store, target.id)?;
        let container = store.get(&meant.id)?;
        let text = edited::show(&json::of(&container)?, &container);
        (meant, format!("{}\n", json::pretty(&text, 0)))
    };
    let file = written(&before)?;
    edit(file.path())?;
    let after = fs::read(file.path())
        .map_err(|error| Failure::new(format!("what was edited cannot be read: {error}")))?;
    if after == before.as_bytes() {
        say(io.err, "nothing was edited, and nothing is changed");
        return Ok(Exit::Done);
    }
    let stored = store(file.path(), &target.namespace, &meant.id, global, io);
    if let Err(failure) = stored {
        let Ok((_, kept)) = file.keep() else {
            return Err(failure);
        };
        let path = kept.display();
        let id = format!("{}/{}", target.namespace, meant.id);
        return Err(failure.because(format!(
            "what you wrote is in {path}; correct it, and then: bayplan update {id} --from {path}"
        )));
    }
    meant.tell("changed", io.err);
    Ok(Exit::Done)
}

/// A new file with this text, which only its owner can read.
fn written(text: &str) -> Result<NamedTempFile> {
    let cannot = |error| Failure::new(format!("a temporary file cannot be written: {error}"));
    let file = tempfile::Builder::new()
        .prefix("bayplan-")
        .suffix(".json")
        .tempfile();
    let mut file = file.map_err(cannot)?;
    file.write_all(text.as_bytes()).map_err(cannot)?;
    Ok(file)
}

/// Lets the user edit a file.
fn edit(path: &Path) -> Result<()> {
    let named = ["VISUAL", "EDITOR"].into_iter().filter_map(env::var_os);
    let editor = named
        .into_iter()
        .find(|editor| !editor.is_empty())
        .unwrap_or_else(|| EDITOR_DEFAULT.into());
    let mut script = editor.clone();
    script.push(" \"$1\"");
    // It may come with arguments.
    let ended = Command::new("sh")
        .arg("-c")
        .arg(script)
        .arg("bayplan")
        .arg(path)
        .status();
    let name = editor.display();
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::new(format!(
            "the editor {name:?} ended with {status}: nothing is changed"
        ))
        .because("VISUAL or EDITOR names another one")),
        Err(error) => Err(Failure::new(format!("no editor can be started: {error}"))),
    }
}

/// Takes what was edited.
fn store(path: &Path, namespace: &str, id: &str, global: &Global, io: &mut Io<'_>) -> Result<()> {
    let whole = Whole::of(input::read(path, io.input)?);
    let db = global.open_to_write()?;
    let txn = db.begin_write()?;
    whole.store(&txn.namespace(namespace)?, id)?;
    Ok(txn.commit()?)
}
