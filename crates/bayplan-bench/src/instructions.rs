//! Instructions in place of time, where the machine is too noisy for time: valgrind counts those within
//! the clock, in a process that does some work, and in one that does more of it; the difference is
//! what the work takes when everything is warm.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Serialize;

use crate::args::Args;
use crate::contestant::{Contestant, Filter, Work, copy_live};
use crate::contestants;
use crate::op::Op;
use crate::payload::dice::Dice;
use crate::report;
use crate::rounds::{FILL_COUNT, fill};
use crate::table;

/// The word by which this program knows that it is the child of itself.
pub(crate) const CHILD: &str = "--child-work";

const FEW: usize = 2;
const MANY: usize = 12;

const OPS: [Op; 6] = [
    Op::Create,
    Op::Update,
    Op::Delete,
    Op::Get,
    Op::List,
    Op::FilterLabel,
];

#[derive(Debug, Serialize)]
struct Count {
    op: Op,
    n: usize,
    contestant: &'static str,
    instructions: f64,
}

/// Counts for every contestant whose store is in this process and not shared, and prints a table.
pub(crate) fn run(args: &Args, directory: &Path) -> Result<()> {
    let mut counts = Vec::new();
    for n in &args.sizes {
        let asked = |name: &&str| args.contestants.iter().any(|asked| asked == name);
        for name in contestants::unshared_names().filter(asked) {
            let mut contestant = contestants::make(name, directory, None)?;
            fill(contestant.as_mut(), 0..*n, FILL_COUNT)?;
            contestant.close()?;
            for op in OPS.into_iter().filter(|op| args.ops.contains(op)) {
                eprintln!("{n} containers: {name}, {}", op.name());
                match count(op, *n, contestant.as_ref(), directory) {
                    Ok(instructions) => counts.push(Count {
                        op,
                        n: *n,
                        contestant: contestant.name(),
                        instructions,
                    }),
                    Err(error) => eprintln!("{name} is left out of {}: {error:#}", op.name()),
                }
            }
            std::fs::remove_dir_all(contestant.directory())?;
        }
    }
    if args.json {
        print!("{}", report::json(&counts)?);
    } else {
        print!("{}", table(&counts));
    }
    Ok(())
}

fn count(op: Op, n: usize, contestant: &dyn Contestant, directory: &Path) -> Result<f64> {
    let (name, from) = (contestant.name(), contestant.directory());
    let total = |times: usize| -> Result<f64> {
        let copy = directory.join("copy").join(name);
        copy_live(from, &copy)?;
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .args([
                "--collect-atstart=no",
                "--toggle-collect=*within_the_clock*",
            ])
            .arg(std::env::current_exe()?)
            .args([CHILD, name, op.name()])
            .args([n.to_string(), times.to_string()])
            .arg(directory.join("copy"))
            .output()
            .context("there is no valgrind")?;
        let text = String::from_utf8_lossy(&output.stderr);
        let errors = text.lines().filter(|line| !line.starts_with("=="));
        ensure!(
            output.status.success(),
            "the counted process failed: {}",
            errors.collect::<Vec<_>>().join(" ")
        );
        let (_, collected) = text.split_once("Collected : ").context("no count")?;
        let number = collected.split_whitespace().next().context("no count")?;
        Ok(number.parse()?)
    };
    Ok((total(MANY)? - total(FEW)?) / (MANY - FEW) as f64)
}

/// The work of the process that is counted.
pub(crate) fn work(words: &[String]) -> Result<()> {
    let [name, op, n, times, directory] = words else {
        bail!("{CHILD} takes five words");
    };
    let (op, n, times): (Op, usize, usize) = (op.parse()?, n.parse()?, times.parse()?);
    let mut contestant = contestants::make(name, Path::new(directory), None)?;
    contestant.open()?;
    let new: Vec<usize> = (n..n + times).collect();
    let old = Dice::new(0).numbers(times, n);
    let first: Vec<usize> = (0..times).collect();
    let work = match op {
        Op::Create => Work::Create(&new),
        Op::Update => Work::Update(&old, "1"),
        Op::Delete => Work::Delete(&first),
        Op::Get => Work::Get(&old),
        Op::List => Work::List(times),
        Op::FilterLabel => Work::Filter(&Filter::Label, times),
        other => bail!("{} is not counted", other.name()),
    };
    // So that everything is warm; the difference of the two processes has no part of it.
    contestant.run(&Work::List(2))?;
    let samples = contestant.run(&work)?;
    samples.context("it cannot do that").map(drop)
}

fn table(counts: &[Count]) -> String {
    let names: Vec<_> = contestants::unshared_names()
        .filter(|name| counts.iter().any(|count| count.contestant == *name))
        .collect();
    let mut lines: Vec<(Op, usize)> = Vec::new();
    for count in counts {
        if !lines.contains(&(count.op, count.n)) {
            lines.push((count.op, count.n));
        }
    }
    let mut head = vec!["instructions of".to_owned(), "n".to_owned()];
    head.extend(names.iter().map(|name| (*name).to_owned()));
    let mut cells = vec![head];
    for (op, n) in lines {
        let mut line = vec![op.name().to_owned(), table::size(n)];
        line.extend(names.iter().map(|name| {
            let count = counts
                .iter()
                .find(|count| (count.op, count.n, count.contestant) == (op, n, *name));
            count.map_or_else(String::new, |count| {
                table::size(count.instructions as usize)
            })
        }));
        cells.push(line);
    }
    table::markdown(&cells)
}
