//! `bayplan create`

use std::path::{Path, PathBuf};

use bayplan::{Container, Runtime};
use clap::ArgGroup;

use crate::cli::Global;
use crate::failure::{Exit, Result};
use crate::input;
use crate::run::Io;

/// Store a new container
///
/// The specification is that of an OCI bundle (config.json). It is stored without white space, under
/// containerd's type for it. Nothing is started, and images and snapshots are not checked.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan create web --bundle ./web
  bayplan create web --spec config.json --image docker.io/library/nginx:1.29 --label app=nginx
  bayplan info --spec web | bayplan create web-2 --spec -
  bayplan -n k8s.io create web --bundle ./web --snapshotter overlayfs --snapshot-key web-rootfs")]
#[command(group = ArgGroup::new("source").required(true).args(["bundle", "spec"]))]
pub(crate) struct Args {
    /// The container's id, unique in its namespace
    id: String,

    /// Take the specification from config.json in this directory
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,

    /// Take the specification from this file; - is standard input
    ///
    /// An OCI specification, or any other in the form that `info` prints: {"type_url": .., "json": ..} or
    /// {"type_url": .., "base64": ..}.
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,

    /// The reference of the image
    #[arg(
        long,
        value_name = "REF",
        default_value = "",
        hide_default_value = true
    )]
    image: String,

    /// A label; may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = input::pair)]
    labels: Vec<(String, String)>,

    /// The name of the runtime
    #[arg(long, value_name = "NAME", default_value = "io.containerd.runc.v2")]
    runtime: String,

    /// The runtime's options, in the form that `info` prints; - is standard input
    #[arg(long, value_name = "FILE")]
    runtime_options: Option<PathBuf>,

    /// The snapshotter that holds the root filesystem
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    snapshotter: String,

    /// The key of the root filesystem's snapshot; needs a snapshotter
    #[arg(
        long,
        value_name = "KEY",
        default_value = "",
        hide_default_value = true
    )]
    snapshot_key: String,

    /// The sandbox that the container belongs to
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    sandbox_id: String,

    /// An extension, in the form that `info` prints; may be repeated; - is standard input
    #[arg(long = "extension", value_name = "NAME=FILE", value_parser = input::pair)]
    extensions: Vec<(String, String)>,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let target = global.target(&args.id)?;
    if let Some(directory) = &args.bundle {
        input::must_be_file(directory, "the bundle", "for standard input: --spec -")?;
    }
    let options = [&args.spec, &args.runtime_options].into_iter().flatten();
    let extensions = args.extensions.iter().map(|(_, path)| Path::new(path));
    input::at_most_one_stream(options.map(PathBuf::as_path).chain(extensions))?;
    let spec = match (&args.bundle, &args.spec) {
        (Some(directory), _) => input::bundle(directory, io.input)?,
        (None, path) => {
            let path = path.clone().unwrap_or_default();
            input::read(&path, io.input)?.spec()?
        }
    };
    let mut runtime = Runtime::new(args.runtime);
    if let Some(path) = &args.runtime_options {
        runtime = runtime.options(input::read(path, io.input)?.value()?);
    }
    let mut container = Container::new(target.id, runtime, spec)
        .image(args.image)
        .snapshot(args.snapshotter, args.snapshot_key)
        .sandbox(args.sandbox_id);
    container.labels.extend(args.labels);
    for (name, path) in args.extensions {
        let value = input::read(path.as_ref(), io.input)?.value()?;
        container.extensions.insert(name, value);
    }
    global
        .open_to_write()?
        .namespace(&target.namespace)?
        .create(container)?;
    Ok(Exit::Done)
}
