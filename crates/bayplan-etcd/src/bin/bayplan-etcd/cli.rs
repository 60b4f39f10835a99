//! The arguments.

use std::path::PathBuf;
use std::time::Duration;

use bayplan_etcd::{DEFAULT_FLEET_PREFIX, Options};
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand};

use crate::failure::{Failure, Result};
use crate::{info, ls, mirror, watch};

/// Copies the stores of hosts into etcd, and shows what is there
///
/// Each host runs `mirror`, which keeps a copy of its store in etcd. The other commands ask all hosts at once. Without
/// --host and --all-hosts, they ask a store that is kept in etcd itself.
#[derive(Debug, Parser)]
#[command(version, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) etcd: EtcdArgs,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Mirror(mirror::Args),
    /// List the hosts whose copies are in etcd
    ///
    /// A mirror is `alive`; or it has `ended` by itself; or it is `silent`, for at least 15 seconds: it was killed, or
    /// cannot reach etcd. The copy is `incomplete` until a mirror has copied everything. SEEN is when it last wrote, which
    /// it does every five minutes at least.
    Hosts,
    /// Remove the copy of a host from etcd
    Forget {
        /// The host
        #[arg(value_name = "NAME")]
        host: String,
    },
    Ls(ls::Args),
    Info(info::Args),
    Watch(watch::Args),
}

/// How to reach etcd.
#[derive(Debug, Args)]
pub(crate) struct EtcdArgs {
    /// The endpoints of etcd, separated by commas
    #[arg(
        long = "etcd",
        visible_alias = "to",
        global = true,
        value_name = "ENDPOINTS",
        value_delimiter = ',',
        value_parser = NonEmptyStringValueParser::new(),
        default_value = "127.0.0.1:2379"
    )]
    endpoints: Vec<String>,

    /// Where in etcd the keys begin [default: /bayplan/fleet/ for hosts, /bayplan/store/ for a store]
    #[arg(long, global = true)]
    prefix: Option<String>,

    /// The name of a user of etcd
    #[arg(long, global = true, requires = "password_file")]
    user: Option<String>,

    /// A file with the password of the user
    #[arg(long, global = true, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,

    /// A file with the certificates to trust, in PEM
    #[arg(long, global = true, value_name = "FILE")]
    cacert: Option<PathBuf>,

    /// A file with the certificate to show, in PEM
    #[arg(long, global = true, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,

    /// A file with the key of that certificate, in PEM
    #[arg(long, global = true, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,

    /// How long to wait for an answer
    #[arg(long, global = true, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    timeout: Duration,
}

impl EtcdArgs {
    pub(crate) fn options(&self) -> Result<Options> {
        let unread = |path: &PathBuf, why: String| {
            Failure::new(format!("read {}", path.display())).because(why)
        };
        let read =
            |path: &PathBuf| std::fs::read(path).map_err(|error| unread(path, error.to_string()));
        let mut options = Options::new(self.endpoints.iter().map(String::as_str));
        options = options.timeout(self.timeout);
        if let Some(prefix) = &self.prefix {
            options = options.prefix(prefix);
        }
        if let (Some(user), Some(path)) = (&self.user, &self.password_file) {
            let password = String::from_utf8(read(path)?)
                .map_err(|_| unread(path, "a password is UTF-8".to_owned()))?;
            options = options.user(user, password.trim_end_matches(['\r', '\n']));
        }
        if let Some(path) = &self.cacert {
            options = options.ca_certificate(read(path)?);
        }
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            options = options.client_certificate(read(cert)?, read(key)?);
        }
        Ok(options)
    }

    /// Which etcd, and where in it the hosts are, for messages.
    pub(crate) fn place(&self) -> String {
        let prefix = self.prefix.as_deref().unwrap_or(DEFAULT_FLEET_PREFIX);
        let endpoints = self.endpoints.join(", ");
        format!("the prefix {prefix:?} in etcd at {endpoints}")
    }
}

/// Reads a time in seconds.
fn seconds(text: &str) -> std::result::Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if !time.is_zero() => Ok(time),
        Ok(_) => Err("a time is longer than 0".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Which copies, or the store, to ask.
#[derive(Debug, Args)]
pub(crate) struct HostArgs {
    /// The copy of this host
    #[arg(long, value_name = "NAME", conflicts_with = "all_hosts")]
    pub(crate) host: Option<String>,

    /// The copies of all hosts
    #[arg(long)]
    pub(crate) all_hosts: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        super::Cli::command().debug_assert();
    }
}
