//! How one store holds up while it grows: what it takes in time, memory and on the disk.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use crate::args::Args;
use crate::contestant::{Contestant, Disk, Filter, Opening, Samples, Work};
use crate::contestants;
use crate::figure::{Figure, Line, Panel};
use crate::memory;
use crate::payload::dice::Dice;
use crate::plot;
use crate::results::quantile;
use crate::table::{self, round_time, short, size, time};

/// Containers in one transaction of the load.
const TRANSACTION_COUNT: usize = 1000;

/// What is looked at on the way.
const STAGES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// A store of some size.
#[derive(Debug, Serialize)]
struct Stage {
    contestant: &'static str,
    n: usize,
    /// The time of the load so far.
    load_s: f64,
    /// The most memory that the process held while it loaded, and while it did what follows.
    load_peak_mib: f64,
    work_peak_mib: f64,
    length_mib: f64,
    blocks_mib: f64,
    get_p50_us: f64,
    create_p50_us: f64,
    filter_label_p50_us: f64,
    reopen_p50_us: Option<f64>,
    reopen_unchecked_p50_us: Option<f64>,
}

/// Grows a store of each contestant to `count` containers, and prints what it was like.
pub(crate) fn run(args: &Args, directory: &Path, count: usize, machine: &[String]) -> Result<()> {
    let mut stages = Vec::new();
    for name in &args.contestants {
        ensure!(
            contestants::unshared_names().any(|peer| peer == name),
            "--scale measures stores that one process has to itself, and {name} is none"
        );
        let mut contestant = contestants::make(name, directory, None)?;
        grow(contestant.as_mut(), count, &mut stages)?;
        contestant.close()?;
        fs::remove_dir_all(contestant.directory())?;
    }
    let machine: String = machine.iter().map(|line| format!("- {line}\n")).collect();
    let text = format!("{machine}\n{}\n{}", table(&stages), growth(&stages));
    let json = crate::report::json(&stages)?;
    print!("{}", if args.json { &json } else { &text });
    if let Some(out) = &args.out {
        fs::create_dir_all(out)?;
        fs::write(out.join("scale.json"), json)?;
        let text = format!("# One growing store\n\n{text}");
        fs::write(out.join("scale.md"), text)?;
        fs::write(out.join("scale.svg"), figure(&stages).to_svg()?)?;
    }
    Ok(())
}

fn grow(contestant: &mut dyn Contestant, count: usize, stages: &mut Vec<Stage>) -> Result<()> {
    contestant.open()?;
    let mut targets: Vec<usize> = STAGES.into_iter().filter(|n| *n < count).collect();
    targets.push(count);
    let (mut loaded, mut load_s) = (0, 0.0);
    for n in targets {
        memory::forget_peak()?;
        let start = Instant::now();
        while loaded < n {
            let end = n.min(loaded + TRANSACTION_COUNT);
            contestant.run(&Work::Fill(loaded..end))?;
            loaded = end;
        }
        load_s += start.elapsed().as_secs_f64();
        let stage = look(contestant, n, load_s)?;
        eprintln!("{} containers in {load_s:.1} s", size(n));
        stages.push(stage);
    }
    Ok(())
}

/// Measures a store of this size, and leaves it as it was.
fn look(contestant: &mut dyn Contestant, n: usize, load_s: f64) -> Result<Stage> {
    const CREATE_COUNT: usize = 100;
    const GET_COUNT: usize = 1000;
    let mebibytes = |bytes: u64| bytes as f64 / MEBIBYTE;
    let load_peak_mib = mebibytes(memory::peak_bytes()?);
    let disk = Disk::of(contestant.directory())?;
    memory::forget_peak()?;
    let mut dice = Dice::new(n);
    // So that all is as in a store at work: listed before, and twice.
    contestant.run(&Work::List(2))?;
    contestant.run(&Work::Filter(&Filter::Label, 1))?;
    let gets = dice.numbers(GET_COUNT, n);
    contestant.run(&Work::Get(&gets))?;
    let gets = dice.numbers(GET_COUNT, n);
    let get = p50(contestant.run(&Work::Get(&gets))?);
    let new: Vec<usize> = (n..n + CREATE_COUNT).collect();
    let create = p50(contestant.run(&Work::Create(&new))?);
    contestant.run(&Work::Delete(&new))?;
    let listings = (100_000 / n).clamp(1, 5);
    let filter = p50(contestant.run(&Work::Filter(&Filter::Label, listings))?);
    let mut reopen = |opening| -> Result<Option<f64>> {
        let mut nanos = Vec::new();
        for _ in 0..listings {
            let samples = contestant.run(&Work::Reopen(dice.number(n), opening))?;
            nanos.extend(samples.unwrap_or_default().nanos);
        }
        Ok((!nanos.is_empty()).then(|| quantile(&nanos, 0.5) / 1e3))
    };
    let (reopen_p50_us, reopen_unchecked_p50_us) =
        (reopen(Opening::Usual)?, reopen(Opening::Unchecked)?);
    let missing = "it cannot do what is asked for";
    Ok(Stage {
        contestant: contestant.name(),
        n,
        load_s,
        load_peak_mib,
        work_peak_mib: mebibytes(memory::peak_bytes()?),
        length_mib: mebibytes(disk.length),
        blocks_mib: mebibytes(disk.blocks),
        get_p50_us: get.context(missing)?,
        create_p50_us: create.context(missing)?,
        filter_label_p50_us: filter.context(missing)?,
        reopen_p50_us,
        reopen_unchecked_p50_us,
    })
}

fn p50(samples: Option<Samples>) -> Option<f64> {
    samples.map(|samples| quantile(&samples.nanos, 0.5) / 1e3)
}

fn table(stages: &[Stage]) -> String {
    let head = [
        "store",
        "n",
        "load",
        "per second",
        "peak of load, MiB",
        "peak of work, MiB",
        "length, MiB",
        "blocks, MiB",
        "get",
        "create",
        "filter-label",
        "reopen",
        "reopen-unchecked",
    ];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    let maybe = |us: Option<f64>| us.map(time).unwrap_or_default();
    lines.extend(stages.iter().map(|stage| {
        vec![
            stage.contestant.to_owned(),
            size(stage.n),
            format!("{} s", short(stage.load_s)),
            size((stage.n as f64 / stage.load_s) as usize),
            short(stage.load_peak_mib),
            short(stage.work_peak_mib),
            short(stage.length_mib),
            short(stage.blocks_mib),
            time(stage.get_p50_us),
            time(stage.create_p50_us),
            time(stage.filter_label_p50_us),
            maybe(stage.reopen_p50_us),
            maybe(stage.reopen_unchecked_p50_us),
        ]
    }));
    table::markdown(&lines)
}

/// How much more an operation that lists nothing takes in the largest store than in the smallest.
fn growth(stages: &[Stage]) -> String {
    const MOST: f64 = 3.0;
    let head = [
        "store",
        "operation",
        "from",
        "to",
        "target",
        "grows",
        "verdict",
    ];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    for name in contestants::unshared_names() {
        let mut own = stages.iter().filter(|stage| stage.contestant == name);
        let Some((first, last)) = own.next().zip(own.next_back()) else {
            continue;
        };
        let unchecked = (first.reopen_unchecked_p50_us).zip(last.reopen_unchecked_p50_us);
        for (operation, figures) in [
            ("get", Some((first.get_p50_us, last.get_p50_us))),
            ("create", Some((first.create_p50_us, last.create_p50_us))),
            ("reopen-unchecked", unchecked),
        ] {
            let Some((before, after)) = figures else {
                continue;
            };
            let grown = after / before;
            lines.push(vec![
                name.to_owned(),
                operation.to_owned(),
                size(first.n),
                size(last.n),
                format!("≤ {MOST} ×"),
                short(grown),
                if grown <= MOST { "met" } else { "MISSED" }.to_owned(),
            ]);
        }
    }
    table::markdown(&lines)
}

fn figure(stages: &[Stage]) -> Figure {
    let panel = |title: &str, y_text, figure: fn(&Stage) -> Option<f64>| {
        let lines = contestants::names().map(|name| {
            let own = stages.iter().filter(|stage| stage.contestant == name);
            let points = own.filter_map(|stage| Some((stage.n as f64, figure(stage)?)));
            Line {
                name: name.to_owned(),
                style: plot::style(name),
                points: points.collect(),
            }
        });
        Panel {
            title: title.to_owned(),
            x_title: "containers in the store",
            x_text: |n| size(n as usize),
            y_text,
            lines: lines.filter(|line| !line.points.is_empty()).collect(),
        }
    };
    let mebibytes = |mebibytes: f64| format!("{} MiB", (mebibytes * 1e3).round() / 1e3);
    Figure {
        title: "One growing store".to_owned(),
        subtitle: format!("loaded {TRANSACTION_COUNT} containers a transaction; medians"),
        columns: 3,
        panels: vec![
            panel("get", round_time, |stage| Some(stage.get_p50_us)),
            panel("create", round_time, |stage| Some(stage.create_p50_us)),
            panel("filter-label, 1 % match", round_time, |stage| {
                Some(stage.filter_label_p50_us)
            }),
            panel("reopen", round_time, |stage| stage.reopen_p50_us),
            panel("peak memory of the work", mebibytes, |stage| {
                Some(stage.work_peak_mib)
            }),
            panel("allocated on the disk", mebibytes, |stage| {
                Some(stage.blocks_mib)
            }),
        ],
    }
}
