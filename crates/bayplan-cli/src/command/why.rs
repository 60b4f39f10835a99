//! `bayplan why`

use bayplan::{Pin, PinSource, Resource};
use serde::Serialize;

use crate::cli::Global;
use crate::failure::{Exit, Failure, Result, say};
use crate::listing::{self, Format, Listing};
use crate::run::Io;
use crate::store::ADVICE;

/// Show which containers hold an image, a snapshot or a blob of content
///
/// A container holds its image and its snapshot. Containers and records of other kinds hold what their labels
/// `containerd.io/gc.ref.*` name; a label `containerd.io/gc.bref.*` says the same in the other direction. What nothing
/// holds may be removed by a garbage collector, unless something outside the store needs it.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan why image docker.io/library/nginx:1.29
  bayplan why snapshot web-rootfs -A
  bayplan why content sha256:6e9f67fa63b0323e9a1e587fd71c561ba48a034504fb804fd26fd8800039835d")]
pub(crate) struct Args {
    /// What it is
    what: What,

    /// The name of the image, the key of the snapshot, or the digest of the content
    name: String,

    /// Only the snapshot of this snapshotter
    #[arg(long, value_name = "NAME")]
    snapshotter: Option<String>,

    /// Look in all namespaces
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,

    #[arg(long, value_name = "FORMAT", default_value = "table", help = listing::HELP, value_parser = listing::format)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// An image, by its name
    Image,
    /// A snapshot, by its key
    Snapshot,
    /// A blob of content, by its digest
    Content,
}

/// One of those that hold it.
#[derive(Serialize)]
struct Holder {
    namespace: String,
    /// Its kind: `container`, that of a record, or the type that a label names.
    kind: String,
    id: String,
    /// The field or label that says so.
    by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshotter: Option<String>,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    if args.snapshotter.is_some() && args.what != What::Snapshot {
        return Err(Failure::new("only snapshots have a snapshotter").because("leave it out"));
    }
    let snapshot = global.open_to_read()?.read()?;
    let namespaces = match args.all_namespaces {
        true => snapshot.list_namespaces()?,
        false => vec![bayplan::NamespaceName::new(&global.namespace()?)?],
    };
    let mut holders = Vec::new();
    let mut exit = Exit::Done;
    for namespace in &namespaces {
        for pin in snapshot.namespace(namespace.as_str())?.pins()? {
            let pin = match pin {
                Ok(pin) => pin,
                Err(error) => {
                    // What comes after it is not known, in this namespace.
                    let failure = Failure::from(error).if_damaged(ADVICE);
                    failure.report(io.err);
                    exit = exit.max(failure.exit());
                    break;
                }
            };
            if let Some(holder) = holder(&args, namespace.as_str(), pin) {
                holders.push(holder);
            }
        }
    }
    let columns = ["NAMESPACE", "KIND", "ID", "BY"];
    let fields = ["namespace", "kind", "id", "by", "snapshotter"];
    let mut listing = Listing::new(&args.format, &columns, &fields)?;
    for it in &holders {
        let cells = || {
            [&it.namespace, &it.kind, &it.id, &it.by]
                .map(String::clone)
                .into()
        };
        listing.push(io.out, cells, it)?;
    }
    if !(args.format.is_table() && holders.is_empty()) {
        listing.finish(io.out, io.terminals.style)?;
    }
    if holders.is_empty() && exit == Exit::Done {
        let what = format!("{:?}", args.what).to_lowercase();
        let place = match args.all_namespaces {
            true => "any namespace",
            false => namespaces.first().map_or("it", |name| name.as_str()),
        };
        say(
            io.err,
            &format!("nothing in {place} holds {what} {:?}", args.name),
        );
    }
    Ok(exit)
}

/// The holder of a pin, if what it holds is what was asked for.
fn holder(args: &Args, namespace: &str, pin: Pin) -> Option<Holder> {
    let snapshotter = match (&pin.held, args.what) {
        (Resource::Image { name }, What::Image) if *name == args.name => None,
        (Resource::Content { digest }, What::Content) if *digest == args.name => None,
        (Resource::Snapshot { snapshotter, key }, What::Snapshot)
            if *key == args.name
                && args
                    .snapshotter
                    .as_ref()
                    .is_none_or(|only| only == snapshotter) =>
        {
            Some(snapshotter.clone())
        }
        _ => return None,
    };
    let (kind, id) = match pin.holder {
        Resource::Container { id } => ("container".to_owned(), id),
        Resource::Record { kind, id } => (kind, id),
        Resource::Image { name } => ("image".to_owned(), name),
        Resource::Snapshot { key, .. } => ("snapshot".to_owned(), key),
        Resource::Content { digest } => ("content".to_owned(), digest),
        Resource::Other { kind, name } => (kind, name),
        _ => return None,
    };
    let by = match pin.by {
        PinSource::Image => "image".to_owned(),
        PinSource::Snapshot => "snapshot_key".to_owned(),
        PinSource::Label(key) => format!("labels.{key}"),
        _ => String::new(),
    };
    Some(Holder {
        namespace: namespace.to_owned(),
        kind,
        id,
        by,
        snapshotter,
    })
}
