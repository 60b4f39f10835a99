//! `bayplan update`

use std::path::{Path, PathBuf};

use bayplan::{Any, Container, FieldMask, FieldPath, Revision, WriteNamespace};
use clap::ArgGroup;

use crate::cli::Global;
use crate::failure::{Exit, Failure, Result};
use crate::input;
use crate::run::Io;

/// Change a container
///
/// All changes are made in one step, or none. Either name them one by one, or give a whole
/// container in the form that `info` prints: then all that may change is taken from it and the
/// rest must not differ, or with --field only what the paths name is taken.
///
/// A value that `info` prints as `json` and as `base64` is taken from `json` if you edit that, and
/// keeps its bytes if you do not.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan update web --spec config.json
  bayplan update web --label tier=front --extension example.com/net=net.json
  bayplan info web > web.json && $EDITOR web.json
  bayplan update web --from web.json --if-revision \"$(jq .revision web.json)\"
  bayplan update web --from web.json --field spec --field labels.tier
  bayplan update web --image docker.io/library/nginx:1.30 --rules containerd2")]
#[command(group = ArgGroup::new("change").required(true).multiple(true).args([
    "from",
    "spec",
    "image",
    "snapshot_key",
    "labels",
    "extensions",
]))]
pub(crate) struct Args {
    /// The container
    id: String,

    /// A specification, as for `create --spec`
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,

    /// The reference of the image; only under the rules `containerd2`
    #[arg(long, value_name = "REF")]
    image: Option<String>,

    /// The key of the snapshot; only under the rules `containerd2`
    #[arg(long, value_name = "KEY")]
    snapshot_key: Option<String>,

    /// A label to set, or with KEY= to remove; may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = input::pair)]
    labels: Vec<(String, String)>,

    /// An extension to set, or with NAME= to remove; may be repeated
    ///
    /// The file has the form that `info` prints: {"type_url": .., "json": ..} or
    /// {"type_url": .., "base64": ..}.
    #[arg(long = "extension", value_name = "NAME=FILE", value_parser = input::pair)]
    extensions: Vec<(String, String)>,

    /// A container as `info` prints it; - is standard input
    #[arg(long, value_name = "FILE")]
    #[arg(conflicts_with_all = ["spec", "image", "snapshot_key", "labels", "extensions"])]
    from: Option<PathBuf>,

    /// Take only this from the container given; may be repeated
    ///
    /// One of labels, labels.KEY, spec, extensions, extensions.NAME, and under the rules
    /// `containerd2` image and snapshotkey. KEY and NAME are all that follows the first dot,
    /// without the quotes that a filter needs.
    // Where another argument conflicts with what is required, nothing is: so this one must conflict.
    #[arg(long = "field", value_name = "PATH", requires = "from")]
    #[arg(conflicts_with_all = ["spec", "image", "snapshot_key", "labels", "extensions"])]
    fields: Vec<String>,

    /// Change it only if it still has this revision
    #[arg(long, value_name = "N")]
    if_revision: Option<u64>,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let target = global.target(&args.id)?;
    let revision = args.if_revision.map(Revision::new);
    let from = args.from.clone();
    let (input, mask) = match &from {
        Some(path) => {
            let mask = FieldMask::parse(&args.fields)
                .map_err(|error| Failure::new("invalid field path").because(error.to_string()))?;
            (Input::Whole(input::read(path, io.input)?), mask)
        }
        None => {
            let (change, mask) = single(args, io)?;
            (Input::Fields(Box::new(change)), mask)
        }
    };
    let db = global.open_to_write()?;
    let txn = db.begin_write()?;
    let store = txn.namespace(&target.namespace)?;
    let meant = global.meant(&store, target.id)?;
    let mut change = match input {
        Input::Fields(change) => *change,
        Input::Whole(text) => whole(&text, &store, &meant.id)?,
    };
    if let Some(path) = from
        && change.id != meant.id
    {
        return Err(Failure::new(format!(
            "{} holds the container {:?}, not {:?}",
            path.display(),
            change.id,
            meant.id
        )));
    }
    change.id.clone_from(&meant.id);
    match revision {
        Some(revision) => store.update_if(revision, change, &mask)?,
        None => store.update(change, &mask)?,
    };
    txn.commit()?;
    meant.tell("changed", io.err);
    Ok(Exit::Done)
}

/// What a container is to become.
enum Input {
    /// A whole container, as `info` prints it.
    Whole(input::Text),
    /// Single fields of it.
    Fields(Box<Container>),
}

/// A whole container.
fn whole(text: &input::Text, store: &WriteNamespace<'_>, id: &str) -> Result<Container> {
    match text.parse() {
        Ok(container) => Ok(container),
        // It may be that one of two forms of a value was edited: what is stored tells.
        Err(failure) => match store.get(id) {
            Ok(stored) => text.settled(&stored).parse(),
            Err(_) => Err(failure),
        },
    }
}

/// Single fields, and their paths.
fn single(args: Args, io: &mut Io<'_>) -> Result<(Container, FieldMask)> {
    let extensions = args.extensions.iter().map(|(_, path)| Path::new(path));
    input::at_most_one_stream(args.spec.as_deref().into_iter().chain(extensions))?;
    let mut change = Container::with_id(&args.id);
    let mut paths = Vec::new();
    if let Some(path) = &args.spec {
        change = change.spec(input::read(path, io.input)?.spec()?);
        paths.push(FieldPath::Spec);
    }
    if let Some(image) = args.image {
        change = change.image(image);
        paths.push(FieldPath::Image);
    }
    if let Some(key) = args.snapshot_key {
        change.snapshot_key = key;
        paths.push(FieldPath::SnapshotKey);
    }
    for (key, value) in args.labels {
        paths.push(FieldPath::Label(key.clone()));
        change = change.label(key, value);
    }
    for (name, path) in args.extensions {
        paths.push(FieldPath::Extension(name.clone()));
        if !path.is_empty() {
            let value = input::read(path.as_ref(), io.input)?.parse::<Any>()?;
            change = change.extension(name, value);
        }
    }
    Ok((change, FieldMask::of(paths)))
}
