//! The program `bayplan`: reads and changes a container metadata store.

use std::io::{self, BufWriter, IsTerminal};
use std::process::ExitCode;

mod cli;
mod command;
mod edited;
mod failure;
mod fits;
mod input;
mod json;
mod meter;
mod note;
mod prefix;
mod run;
mod store;
mod summary;
mod table;
mod text;
mod unfinished;

fn main() -> ExitCode {
    // On damaged files, the library turns panics of redb into errors. They are reported as errors, and not
    // as panics as well.
    std::panic::set_hook(Box::new(|_| {}));
    let result = std::panic::catch_unwind(|| {
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
                },
            },
        )
    });
    result
        .unwrap_or_else(|panic| failure::panicked(&*panic, &mut io::stderr().lock()))
        .into()
}
