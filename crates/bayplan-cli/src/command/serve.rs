//! `bayplan serve`

use std::fs;
use std::path::{Path, PathBuf};

use bayplan::{Db, Rules};
use bayplan_containerd::{Server, Socket};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Global;
use crate::failure::{Exit, Failure, Result, say};
use crate::input::must_be_file;
use crate::run::Io;

/// Serve the store to containerd's clients, such as ctr
///
/// Answers containerd's gRPC API for containers, sandboxes, namespaces, leases and events on a Unix socket, until it gets SIGTERM or
/// SIGINT; calls that are being answered then end, for ten seconds at most. The rules are containerd 2's, unless --rules
/// says otherwise: the image and the snapshot key may change.
///
/// It runs no containers, and has no images, snapshots or tasks: ctr run, the CRI plugin and nerdctl need these.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan serve --address /run/bayplan/bayplan.sock
  bayplan serve --address /run/bayplan/bayplan.sock --mode 660 --owner root:containers
  ctr --address /run/bayplan/bayplan.sock containers ls")]
pub(crate) struct Args {
    /// Where the socket is to be; one that is left by a server that was killed is replaced
    #[arg(long, value_name = "PATH")]
    address: PathBuf,

    /// The mode of the socket, in octal digits: who may connect
    #[arg(long, value_name = "MODE", default_value = "600", value_parser = mode)]
    mode: u32,

    /// The owner and the group of the socket, by name or number [default: those of this process]
    #[arg(long, value_name = "USER[:GROUP]", value_parser = Owner::parse)]
    owner: Option<Owner>,

    /// Append commits to a log beside the store while it is served: faster, but not for a store that is shared
    #[arg(long)]
    commit_log: bool,
}

fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("it is not three octal digits, such as 660".to_owned()),
    }
}

/// Numbers of a user and a group.
#[derive(Clone, Copy, Debug)]
struct Owner {
    user: Option<u32>,
    group: Option<u32>,
}

impl Owner {
    fn parse(text: &str) -> Result<Self, String> {
        let (user, group) = text.split_once(':').unwrap_or((text, ""));
        let number = |name: &str, file: &str| match (name, name.parse()) {
            ("", _) => Ok(None),
            (_, Ok(number)) => Ok(Some(number)),
            (name, Err(_)) => named(name, Path::new(file)).map(Some),
        };
        Ok(Self {
            user: number(user, "/etc/passwd")?,
            group: number(group, "/etc/group")?,
        })
    }
}

/// The number of a user or a group in a file such as /etc/passwd.
fn named(name: &str, file: &Path) -> Result<u32, String> {
    let lines = fs::read_to_string(file).unwrap_or_default();
    let number = lines.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    });
    number.ok_or_else(|| format!("{name:?} is not in {}; give its number", file.display()))
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    must_be_file(&args.address, "the socket", "name a file")?;
    let rules = global.rules.map_or(Rules::Containerd2, Into::into);
    let db = global.with_file(|_, path| {
        let mut builder = Db::builder().rules(rules).commit_log(args.commit_log);
        if let Some(timeout) = global.timeout {
            builder = builder.lock_timeout(std::time::Duration::from_secs(timeout));
        }
        builder.open(path)
    })?;
    let owner = args.owner.map(|owner| (owner.user, owner.group));
    let address = args.address.display();
    let socket = Socket::bind(&args.address, args.mode, owner)
        .map_err(|error| Failure::new(format!("the socket {address} cannot be made: {error}")))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("threads cannot be started: {error}")))?;
    runtime.block_on(async {
        let cannot = |error| Failure::new(format!("signals cannot be awaited: {error}"));
        let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let path = global.path()?;
        say(io.err, &format!("serving {} at {address}", path.display()));
        let _ = io.err.flush();
        let served = Server::new(db).serve(socket, stop).await;
        served.map_err(|error| match error {
            bayplan_containerd::Error::Store(error) => Failure::from(error),
            error => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                let failure = Failure::new(error.to_string());
                match cause {
                    Some(cause) => failure.because(cause),
                    None => failure,
                }
            }
        })
    })?;
    say(io.err, "stopped");
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_named_or_numbered() {
        let owner = Owner::parse("root:0").unwrap();
        assert_eq!((owner.user, owner.group), (Some(0), Some(0)));
        let owner = Owner::parse(":root").unwrap();
        assert_eq!((owner.user, owner.group), (None, Some(0)));
        assert!(
            Owner::parse("no-such-user")
                .unwrap_err()
                .contains("/etc/passwd")
        );
        assert_eq!(mode("660"), Ok(0o660));
        assert!(mode("1777").is_err() && mode("rw").is_err());
    }
}
