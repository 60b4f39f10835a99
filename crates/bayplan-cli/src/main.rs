//! The program `bayplan`: reads and changes a container metadata store.

use std::io::{self, BufWriter, IsTerminal};
use std::process::ExitCode;

use crate::style::Style;

mod cli;
mod command;
mod complete;
mod content;
mod copy;
mod edited;
mod failure;
mod filters;
mod fits;
mod input;
mod json;
mod latest;
mod listing;
mod meter;
mod new_store;
mod note;
mod prefix;
mod run;
mod spool;
mod store;
mod style;
mod summary;
mod table;
mod template;
mod text;
mod unfinished;

/// Whether output goes to a file, which takes all of it at once.
#[cfg(unix)]
fn is_regular_file(out: &io::Stdout) -> bool {
    use std::os::fd::AsFd;
    let file = out.as_fd().try_clone_to_owned().map(std::fs::File::from);
    file.and_then(|file| file.metadata())
        .is_ok_and(|metadata| metadata.is_file())
}

#[cfg(not(unix))]
fn is_regular_file(_: &io::Stdout) -> bool {
    false
}

fn main() -> ExitCode {
    // On damaged files, the library turns panics of redb into errors. They are reported as errors, and not
    // as panics as well.
    std::panic::set_hook(Box::new(|_| {}));
    let result = std::panic::catch_unwind(|| {
        if complete::is_answered() {
            return failure::Exit::Done;
        }
        let mut out = BufWriter::new(io::stdout().lock());
        run::run(
            std::env::args_os(),
            &mut run::Io {
                input: &mut io::stdin().lock(),
                out: &mut out,
                err: &mut io::stderr().lock(),
                terminals: run::Terminals {
                    out: io::stdout().is_terminal(),
                    err: io::stderr().is_terminal(),
                    style: Style::of(io::stdout().is_terminal()),
                },
                may_wait: !is_regular_file(&io::stdout()),
            },
        )
    });
    result
        .unwrap_or_else(|panic| failure::panicked(&*panic, &mut io::stderr().lock()))
        .into()
}
