//! `bayplan update`

use std::path::{Path, PathBuf};

use bayplan::{Any, ErrorKind, FieldMask, Revision, Update, WriteNamespace};
use clap::ArgGroup;
use clap_complete::ArgValueCompleter;

use crate::cli::Global;
use crate::complete;
use crate::failure::{Exit, Failure, Result};
use crate::input;
use crate::run::Io;

/// Change a container
///
/// Either all changes are made, in one step, or none. Name the changes one by one, or give a whole container in the
/// form that `info` prints. Then every field that may change is taken from it, and the others must not differ; with
/// --field, only the named fields are taken. If the container has changed since `info` printed it, nothing is taken.
///
/// A value that `info` prints as `json` and as `base64` is taken from `json` if you edit that, and
/// keeps its bytes if you do not.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan update web --spec config.json
  bayplan update web --label tier=front --extension example.com/net=net.json
  bayplan info web > web.json && $EDITOR web.json
  bayplan update web --from web.json
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
    #[arg(add = ArgValueCompleter::new(complete::ids))]
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

    /// Take only this field from the file; may be repeated
    ///
    /// One of labels, labels.KEY, spec, extensions, extensions.NAME, and under the rules `containerd2`
    /// image and snapshotkey. KEY and NAME are everything after the first dot, without the quotes that a
    /// filter needs.
    // clap drops a requirement that conflicts with another argument, so this one must conflict too.
    #[arg(long = "field", value_name = "PATH", requires = "from")]
    #[arg(conflicts_with_all = ["spec", "image", "snapshot_key", "labels", "extensions"])]
    fields: Vec<String>,

    /// Change it only if it still has this revision; with --from, the revision in the file
    #[arg(long, value_name = "N")]
    if_revision: Option<u64>,

    /// Change it whatever revision the file has
    #[arg(long, requires = "from", conflicts_with = "if_revision")]
    #[arg(conflicts_with_all = ["spec", "image", "snapshot_key", "labels", "extensions"])]
    any_revision: bool,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let target = global.target(&args.id)?;
    let change = match args.from {
        Some(_) => Change::Whole(Whole::read(args, io)?),
        None => Change::Fields(Fields::read(args, io)?),
    };
    // All input was read before: the file is not held while waiting for standard input.
    let db = global.open_to_write()?;
    let txn = db.begin_write()?;
    let store = txn.namespace(&target.namespace)?;
    let meant = global.meant(&store, target.id)?;
    match change {
        Change::Whole(whole) => whole.store(&store, &meant.id)?,
        Change::Fields(fields) => drop(store.apply(fields.into_update(&meant.id))?),
    }
    txn.commit()?;
    meant.tell("changed", io.err);
    Ok(Exit::Done)
}

/// What is to be changed.
enum Change {
    Whole(Whole),
    Fields(Fields),
}

/// A whole container, as `info` prints it.
pub(super) struct Whole {
    text: input::Text,
    mask: FieldMask,
    expected: Option<Revision>,
    is_any_revision: bool,
}

impl Whole {
    /// A container that is to have the revision in its text.
    pub(super) fn of(text: input::Text) -> Self {
        Self {
            text,
            mask: FieldMask::full(),
            expected: None,
            is_any_revision: false,
        }
    }

    fn read(args: Args, io: &mut Io<'_>) -> Result<Self> {
        let mask = FieldMask::parse(&args.fields)
            .map_err(|error| Failure::new("invalid field path").because(error.to_string()))?;
        let path = args.from.unwrap_or_default();
        Ok(Self {
            text: input::read(&path, io.input)?,
            mask,
            expected: args.if_revision.map(Revision::new),
            is_any_revision: args.any_revision,
        })
    }

    pub(super) fn store(self, store: &WriteNamespace<'_>, id: &str) -> Result<()> {
        let name = self.text.name();
        let container = self.text.container(store.get(id).ok().as_ref())?;
        if container.id != id {
            let text = format!("{name} holds the container {:?}, not {id:?}", container.id);
            return Err(Failure::new(text));
        }
        let read = Some(container.revision)
            .filter(|revision| *revision != Revision::NONE && !self.is_any_revision);
        let updated = match self.expected.or(read) {
            Some(expected) => store.update_if(expected, container, &self.mask),
            None => store.update(container, &self.mask),
        };
        updated.map(drop).map_err(|error| {
            let is_stale = error.kind() == ErrorKind::FailedPrecondition;
            let failure = Failure::from(error);
            match is_stale && self.expected.is_none() && read.is_some() {
                true => failure.because(format!(
                    "{name} was printed before that change; to take it all the same: --any-revision"
                )),
                false => failure,
            }
        })
    }
}

/// Single fields.
struct Fields {
    spec: Option<Any>,
    image: Option<String>,
    snapshot_key: Option<String>,
    labels: Vec<(String, String)>,
    /// `None` removes the extension.
    extensions: Vec<(String, Option<Any>)>,
    expected: Option<Revision>,
}

impl Fields {
    fn read(args: Args, io: &mut Io<'_>) -> Result<Self> {
        let extensions = args.extensions.iter().map(|(_, path)| Path::new(path));
        input::at_most_one_stream(args.spec.as_deref().into_iter().chain(extensions))?;
        let spec = args.spec.map(|path| input::read(&path, io.input)?.spec());
        let extensions = args.extensions.into_iter();
        let extensions = extensions.map(|(name, path)| match path.is_empty() {
            true => Ok((name, None)),
            false => Ok((name, Some(input::read(path.as_ref(), io.input)?.value()?))),
        });
        Ok(Self {
            spec: spec.transpose()?,
            image: args.image,
            snapshot_key: args.snapshot_key,
            labels: args.labels,
            extensions: extensions.collect::<Result<_>>()?,
            expected: args.if_revision.map(Revision::new),
        })
    }

    fn into_update(self, id: &str) -> Update {
        let mut update = Update::new(id);
        if let Some(revision) = self.expected {
            update = update.if_revision(revision);
        }
        if let Some(spec) = self.spec {
            update = update.spec(spec);
        }
        if let Some(image) = self.image {
            update = update.image(image);
        }
        if let Some(key) = self.snapshot_key {
            update = update.snapshot_key(key);
        }
        for (key, value) in self.labels {
            update = update.set_label(key, value);
        }
        for (name, value) in self.extensions {
            update = match value {
                Some(value) => update.set_extension(name, value),
                None => update.remove_extension(name),
            };
        }
        update
    }
}
