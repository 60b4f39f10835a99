//! Compares Bayplan with its peers, on the same work in one run; see README.md.

mod args;
mod child;
mod codec;
mod contestant;
mod contestants;
mod figure;
mod instructions;
mod machine;
mod memory;
mod op;
#[path = "../../../benches/common/mod.rs"]
mod payload;
#[cfg(test)]
mod payload_tests;
mod peer;
mod plot;
mod report;
mod results;
mod rounds;
mod scale;
mod table;
mod targets;

use std::process::ExitCode;

use anyhow::Result;

use crate::args::{Args, HELP};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if child::work(&words)? {
        return Ok(());
    }
    let args = Args::parse()?;
    if args.help {
        print!("{HELP}");
        return Ok(());
    }
    measure(&args)
}

fn measure(args: &Args) -> Result<()> {
    let directory = tempfile::Builder::new()
        .prefix("bayplan-bench-")
        .tempdir_in(&args.dir)?;
    let machine = machine::describe(directory.path());
    if let Some(count) = args.scale {
        return scale::run(args, directory.path(), count, &machine);
    }
    if args.instructions {
        return instructions::run(args, directory.path());
    }
    let results = rounds::run(args, directory.path())?;
    if args.json {
        print!("{}", report::json(&results.0)?);
    } else {
        print!("{}", report::markdown(&machine, &results)?);
    }
    if let Some(out) = &args.out {
        report::write(out, &machine, &results)?;
    }
    Ok(())
}
