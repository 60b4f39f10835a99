//! The program `bayplan-etcd`: copies stores of hosts into etcd, and shows them.

#![forbid(unsafe_code)]

mod cli;
mod info;
mod ls;
mod mirror;
mod places;
mod text;
mod watch;

use std::io::{BufWriter, Write};
use std::process::ExitCode;

use bayplan_etcd::Fleet;
use clap::Parser;

use cli::{Cli, Command};

/// Why a command failed.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = BufWriter::new(std::io::stdout().lock());
    let done = run(&cli, &mut out).and_then(|()| out.flush().map_err(Failure::from));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads has seen enough.
        Err(failure) if is_closed_pipe(failure.as_ref()) => ExitCode::SUCCESS,
        Err(failure) => {
            // An error of the library tells its causes in this form.
            let _ = match failure.downcast_ref::<bayplan::Error>() {
                Some(error) => writeln!(std::io::stderr(), "bayplan-etcd: {error:#}"),
                None => writeln!(std::io::stderr(), "bayplan-etcd: {failure}"),
            };
            ExitCode::FAILURE
        }
    }
}

fn is_closed_pipe(failure: &(dyn std::error::Error + 'static)) -> bool {
    let error = failure.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn run(cli: &Cli, out: &mut impl Write) -> Result<(), Failure> {
    match &cli.command {
        Command::Mirror(args) => mirror::run(args, &cli.etcd, out),
        Command::Hosts => mirror::hosts(&cli.etcd, out),
        Command::Forget { host } => Ok(Fleet::open_existing(&cli.etcd.options()?)?.forget(host)?),
        Command::Ls(args) => ls::run(args, &cli.etcd, out),
        Command::Info(args) => info::run(args, &cli.etcd, out),
        Command::Watch(args) => watch::run(args, &cli.etcd, out),
    }
}
