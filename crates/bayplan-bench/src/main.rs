//! Compares Bayplan with its peers, on the same work in one run; see README.md.

mod args;
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
mod peer;
mod plot;
mod report;
mod results;
mod rounds;
mod scale;
mod table;
mod targets;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};

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
    match words.split_first() {
        Some((word, rest)) if word == memory::CHILD => child_list(rest),
        Some((word, rest)) if word == instructions::CHILD => instructions::work(rest),
        _ => {
            let args = Args::parse()?;
            if args.help {
                print!("{HELP}");
                return Ok(());
            }
            measure(&args)
        }
    }
}

/// Lists a store, and prints the peak of this process.
fn child_list(words: &[String]) -> Result<()> {
    let [name, directory] = words else {
        bail!("{} takes two words", memory::CHILD);
    };
    contestants::list_with_small_cache(name, Path::new(directory))?;
    println!("{}", memory::peak_bytes()?);
    Ok(())
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
