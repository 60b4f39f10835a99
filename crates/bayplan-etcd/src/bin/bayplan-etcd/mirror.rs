//! `bayplan-etcd mirror` and `bayplan-etcd hosts`

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use bayplan::{Db, ErrorKind, Share};
use bayplan_etcd::{Fleet, Mirror};

use crate::cli::EtcdArgs;
use crate::ending;
use crate::failure::{Failure, Result};
use crate::ls::table;

/// How long to wait before a mirror that failed begins again.
const PAUSE: Duration = Duration::from_secs(2);

/// Keep a copy of a store in etcd, as that of a host
///
/// Runs until it is ended, by SIGTERM or Ctrl-C. It can be ended at any time and started again: it continues where it
/// was. If etcd does not answer, it tries again.
///
/// Only one mirror of a host writes. A second one of the same store takes over, and the first fails within five minutes.
/// A mirror of another store is refused, unless --replace is given.
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

    /// Make the copy anew, even if it is of another store. Not for a service: two hosts with one name would take turns
    #[arg(long)]
    replace: bool,

    /// Bring the copy up to date, and end
    #[arg(long)]
    once: bool,
}

pub(crate) fn run(args: &Args, etcd: &EtcdArgs, out: &mut impl Write) -> Result<()> {
    let options = etcd.options()?;
    let db = Db::open_read_only(&args.db).map_err(|error| of_file(error, &args.db))?;
    let open = |may_replace: bool| match may_replace {
        true => Mirror::replace(&db, &options, &args.host, args.specs),
        false => Mirror::open(&db, &options, &args.host, args.specs),
    };
    if args.once {
        let done = open(args.replace).and_then(|mut mirror| {
            let done = mirror.catch_up()?;
            mirror.end().map(|()| done)
        });
        let done = done.map_err(|error| of_file(error, &args.db))?;
        let (changes, pruned) = (done.changes_count, done.pruned_count);
        writeln!(out, "{changes} changes, {pruned} removed")?;
        return Ok(());
    }
    if db.info().share == Share::Nobody {
        return Err(Failure::new(
            "the store is not shared: while it is followed, no process could write it",
        )
        .because("share it by `bayplan share readers`, or copy it by --once"));
    }
    let is_ended = ending::asked_for();
    let mut may_replace = args.replace;
    loop {
        let mirrored = open(may_replace).and_then(|mut mirror| {
            // Once: afterwards it is ours, or somebody else has replaced it.
            may_replace = false;
            mirror.follow_until(&is_ended)?;
            mirror.end()
        });
        let Err(error) = mirrored else { return Ok(()) };
        let may_succeed_later = matches!(error.kind(), ErrorKind::Io | ErrorKind::CommitUncertain);
        let failure = of_file(error, &args.db);
        if !may_succeed_later || is_ended.load(Ordering::Relaxed) {
            return Err(failure);
        }
        failure
            .because("trying again")
            .report(&mut std::io::stderr());
        std::thread::sleep(PAUSE);
    }
}

/// Says what to do if the file of the store is damaged.
fn of_file(error: bayplan::Error, path: &Path) -> Failure {
    let is_damaged = error.is_corrupt();
    let failure = Failure::from(error);
    match is_damaged {
        true => failure.because(format!(
            "`bayplan check --db {}` tells whether the store is damaged; if it is not, its copy in etcd is, and --replace makes it anew",
            path.display()
        )),
        false => failure,
    }
}

pub(crate) fn hosts(etcd: &EtcdArgs, out: &mut impl Write) -> Result<()> {
    let hosts = Fleet::open_existing(&etcd.options()?)?.hosts()?;
    let rows: Vec<_> = hosts
        .into_iter()
        .map(|host| {
            let state = match (host.position, host.is_alive, host.has_ended) {
                (None, ..) => "incomplete",
                (Some(_), true, _) => "alive",
                (Some(_), false, true) => "ended",
                (Some(_), false, false) => "silent",
            };
            let seen = match host.is_alive {
                true => "now".to_owned(),
                false => host.written_at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            };
            let specs = if host.has_specs { "yes" } else { "no" };
            let (state, specs) = (state.to_owned(), specs.to_owned());
            [host.name, state, seen, specs, host.store_id]
        })
        .collect();
    table(["HOST", "STATE", "SEEN", "SPECS", "STORE"], &rows, out)
}
