//! `bayplan-etcd mirror` and `bayplan-etcd hosts`

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use bayplan::{Db, ErrorKind, Share};
use bayplan_etcd::{Fleet, Mirror};

use crate::Failure;
use crate::cli::EtcdArgs;
use crate::ls::table;

/// How long to wait before a mirror that failed begins again.
const PAUSE: Duration = Duration::from_secs(2);

/// How long a mirror follows the store before it reports what it did.
const TURN: Duration = Duration::from_secs(60);

/// Keep a copy of a store in etcd, as that of a host
///
/// Runs until it is ended. It can be ended at any time and started again: it continues where it was. If etcd does not
/// answer, it tries again. Only one mirror of a host writes; a second one takes over from the first, which ends.
///
/// Specs, extensions and the values of records may hold secrets, and are copied only with --specs.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
To be read while another process writes it, the store must be shared: `bayplan share readers`.

Example:
  bayplan-etcd mirror --db /var/lib/runtime/meta.redb --to etcd-1:2379,etcd-2:2379 --host $(hostname)")]
pub(crate) struct Args {
    /// The file of the store
    #[arg(long, value_name = "FILE")]
    db: PathBuf,

    /// The name of the host: letters and digits, with single `.`, `_` or `-` between them
    #[arg(long, value_name = "NAME")]
    host: String,

    /// Copy specs, extensions and the values of records as well
    #[arg(long)]
    specs: bool,

    /// Bring the copy up to date, and end
    #[arg(long)]
    once: bool,
}

pub(crate) fn run(args: &Args, etcd: &EtcdArgs, out: &mut impl Write) -> Result<(), Failure> {
    let options = etcd.options()?;
    let db = Db::open_read_only(&args.db)?;
    let open = || Mirror::open(&db, &options, &args.host, args.specs);
    if args.once {
        let done = open()?.catch_up()?;
        let (changes, pruned) = (done.changes_count, done.pruned_count);
        writeln!(out, "{changes} changes, {pruned} removed")?;
        return Ok(());
    }
    if db.info().share == Share::Nobody {
        return Err(
            "the store is not shared: while it is followed, no process could write it; \
                    share it by `bayplan share readers`, or copy it by --once"
                .into(),
        );
    }
    loop {
        let mirrored = open().and_then(|mut mirror| {
            loop {
                mirror.follow(TURN)?;
            }
        });
        let Err::<std::convert::Infallible, _>(error) = mirrored;
        match error.kind() {
            ErrorKind::Io | ErrorKind::CommitUncertain => {
                writeln!(std::io::stderr(), "bayplan-etcd: {error:#}; trying again")?;
                std::thread::sleep(PAUSE);
            }
            _ => return Err(error.into()),
        }
    }
}

pub(crate) fn hosts(etcd: &EtcdArgs, out: &mut impl Write) -> Result<(), Failure> {
    let hosts = Fleet::open_existing(&etcd.options()?)?.hosts()?;
    let rows: Vec<_> = hosts
        .into_iter()
        .map(|host| {
            let state = match (host.is_alive, host.position) {
                (_, None) => "incomplete",
                (true, Some(_)) => "alive",
                (false, Some(_)) => "silent",
            };
            let specs = if host.has_specs { "yes" } else { "no" };
            let written_at = host.written_at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
            [
                host.name,
                state.to_owned(),
                specs.to_owned(),
                written_at,
                host.store_id,
            ]
        })
        .collect();
    table(["HOST", "STATE", "SPECS", "WRITTEN", "STORE"], &rows, out)
}
