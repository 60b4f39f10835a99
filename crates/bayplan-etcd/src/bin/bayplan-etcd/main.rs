//! The program `bayplan-etcd`: copies stores of hosts into etcd, and shows them.

#![forbid(unsafe_code)]

mod cli;
mod ending;
mod failure;
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
use clap::error::ErrorKind;

use cli::{Cli, Command};
use failure::{Exit, Failure, Result};

fn main() -> ExitCode {
    // On damaged files, the library turns panics of redb into errors. They are reported as errors, and not as panics as
    // well.
    std::panic::set_hook(Box::new(|_| {}));
    let mut err = std::io::stderr();
    let exit = std::panic::catch_unwind(whole)
        .unwrap_or_else(|panic| failure::panicked(&*panic, &mut err));
    exit.into()
}

/// Runs the command of the arguments, and reports its failure.
fn whole() -> Exit {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let done = match Cli::try_parse() {
        Ok(cli) => run(&cli, &mut out),
        Err(error) => usage(&error, &mut out),
    };
    // Output from before a failure is wanted as well.
    let flushed = out.flush().map_err(Failure::from);
    match done.and(flushed) {
        Ok(()) => Exit::Done,
        Err(failure) => {
            failure.report(&mut std::io::stderr());
            failure.exit()
        }
    }
}

/// Prints help, or fails with what is wrong with the arguments.
fn usage(error: &clap::Error, out: &mut impl Write) -> Result<()> {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(write!(out, "{text}")?),
        _ => Err(Failure::new(
            text.strip_prefix("error: ").unwrap_or(&text).trim_end(),
        )),
    }
}

fn run(cli: &Cli, out: &mut impl Write) -> Result<()> {
    let done = match &cli.command {
        Command::Mirror(args) => return mirror::run(args, &cli.etcd, out),
        Command::Hosts => mirror::hosts(&cli.etcd, out),
        Command::Forget { host } => Ok(Fleet::open_existing(&cli.etcd.options()?)?.forget(host)?),
        Command::Ls(args) => ls::run(args, &cli.etcd, out),
        Command::Info(args) => info::run(args, &cli.etcd, out),
        Command::Watch(args) => watch::run(args, &cli.etcd, out),
    };
    done.map_err(|failure| match failure.exit() {
        Exit::Damaged => failure.because("`mirror --replace`, on the host, makes its copy anew"),
        _ => failure,
    })
}
