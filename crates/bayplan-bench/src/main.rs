//! Compares Bayplan with its peers, on the same work in one run; see README.md.

mod args;
mod codec;
mod contestant;
mod contestants;
mod machine;
mod memory;
mod op;
#[path = "../../../benches/common/mod.rs"]
mod payload;
mod peer;
mod report;
mod results;
mod rounds;
mod table;
mod targets;

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::args::{Args, HELP};

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    if words.next().as_deref() == Some(memory::CHILD) {
        let name = words.next().context("no contestant")?;
        let directory = PathBuf::from(words.next().context("no directory")?);
        contestants::list_with_small_cache(&name, &directory)?;
        println!("{}", memory::peak_bytes()?);
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
