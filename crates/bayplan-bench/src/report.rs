//! Where the results go: the terminal and files.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::results::Results;
use crate::{codec, payload, plot, table, targets};

/// What a reader must know to read the table.
const LEGEND: &str = "\
Times are medians: of the rounds, of the median of each round. Lists and filters are of the whole
call. Lines of several threads are operations a second of all of them, with the 99th percentile
of a call over all rounds. `redb-put` and `log-floor` are no stores, but floors: what redb and the disk take
at least.
";

/// What a reader must know to read the verdicts.
const VERDICTS: &str = "\
Ratios are of the figures above; in rows of threads, of creates a second. `not measured`: the contestant or
the row was not part of this run.
";

/// One object a line.
pub(crate) fn json<T: Serialize>(rows: &[T]) -> Result<String> {
    let mut text = String::new();
    for row in rows {
        writeln!(text, "{}", serde_json::to_string(row)?)?;
    }
    Ok(text)
}

/// The machine, the table and how to read it.
pub(crate) fn markdown(machine: &[String], results: &Results) -> Result<String> {
    let payload = payload_bytes()?;
    let mut text = String::new();
    for line in machine {
        writeln!(text, "- {line}")?;
    }
    writeln!(text, "- payload {payload:.0} bytes per container\n")?;
    writeln!(text, "{}", table::table(results))?;
    text.push_str(LEGEND);
    writeln!(text, "\n{}", targets::table(results, payload))?;
    text.push_str(VERDICTS);
    Ok(text)
}

/// Writes everything to files.
pub(crate) fn write(directory: &Path, machine: &[String], results: &Results) -> Result<()> {
    fs::create_dir_all(directory)?;
    fs::write(directory.join("results.json"), json(&results.0)?)?;
    let text = format!("# Results\n\n{}", markdown(machine, results)?);
    fs::write(directory.join("results.md"), text)?;
    let subtitle = machine.first().map(String::as_str).unwrap_or_default();
    let latency = plot::latency(results, subtitle).to_svg()?;
    fs::write(directory.join("latency.svg"), latency)?;
    let throughput = plot::throughput(results, subtitle).to_svg()?;
    fs::write(directory.join("throughput.svg"), throughput)?;
    Ok(())
}

/// The bytes of a container in the leanest form.
fn payload_bytes() -> Result<f64> {
    const COUNT: usize = 100;
    let mut bytes = 0;
    for number in 0..COUNT {
        bytes += codec::encode(&payload::container(number))?.len() + payload::id(number).len();
    }
    Ok(bytes as f64 / COUNT as f64)
}
