//! Which figures are drawn of the results.

use crate::contestants;
use crate::op::Op;
use crate::results::{Results, Row};
use crate::svg::{Figure, Line, Panel};
use crate::table::{self, size};

/// The operations whose time is drawn against the size of the store.
const OVER_SIZE: [Op; 14] = [
    Op::Create,
    Op::Update,
    Op::Delete,
    Op::Get,
    Op::List,
    Op::Headers,
    Op::FilterFirst,
    Op::FilterLabel,
    Op::FilterId,
    Op::FilterRegex,
    Op::Reopen,
    Op::ReopenUnchecked,
    Op::ReopenKilled,
    Op::ReopenIdle,
];

/// The style of Bayplan without group commit.
const APART_STYLE: usize = 7;

/// The time of each operation against the size of the store.
pub(crate) fn latency(results: &Results, subtitle: &str) -> Figure {
    let panels = OVER_SIZE
        .into_iter()
        .filter(|op| results.0.iter().any(|row| row.op == *op))
        .map(|op| Panel {
            title: format!("{}, median", op.name()),
            x_title: "containers in the store",
            x_text: |n| size(n as usize),
            y_text: table::round_time,
            lines: lines(results, |name, line| {
                let rows = rows(results, op, name);
                line.extend(rows.filter_map(|row| Some((row.n as f64, row.p50_us?))));
            }),
        });
    Figure {
        title: "Time of an operation against the size of the store".to_owned(),
        subtitle: subtitle.to_owned(),
        columns: 3,
        panels: panels.collect(),
    }
}

/// What several threads get done against their number, in the largest store.
pub(crate) fn throughput(results: &Results, subtitle: &str) -> Figure {
    let of_threads = results.0.iter().filter(|row| row.op == Op::Threads);
    let n = of_threads.map(|row| row.n).max().unwrap_or_default();
    let panel = |title: &str, y_text, figure: fn(&Row) -> Option<f64>| {
        let points = |op, name| {
            let rows = rows(results, op, name).filter(move |row| row.n == n);
            rows.filter_map(move |row| Some((row.threads as f64, figure(row)?)))
                .collect::<Vec<_>>()
        };
        let mut lines = lines(results, |name, line| {
            line.extend(points(Op::Threads, name));
        });
        lines.push(Line {
            name: "bayplan, one transaction each".to_owned(),
            style: APART_STYLE,
            points: points(Op::ThreadsApart, "bayplan"),
        });
        lines.retain(|line| !line.points.is_empty());
        Panel {
            title: title.to_owned(),
            x_title: "threads",
            x_text: |threads| format!("{threads:.0}"),
            y_text,
            lines,
        }
    };
    Figure {
        title: format!(
            "Durable creates from several threads, {} containers",
            size(n)
        ),
        subtitle: subtitle.to_owned(),
        columns: 2,
        panels: vec![
            panel("creates a second, by all threads", per_second, |row| {
                row.ops_per_s
            }),
            panel("99th percentile of a create", table::round_time, |row| {
                row.p99_us
            }),
        ],
    }
}

fn per_second(rate: f64) -> String {
    format!("{}/s", size(rate as usize))
}

/// A line for everyone who has points.
fn lines(results: &Results, points: impl Fn(&'static str, &mut Vec<(f64, f64)>)) -> Vec<Line> {
    let mut lines = Vec::new();
    for name in results.contestants() {
        let mut found = Vec::new();
        points(name, &mut found);
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        if !found.is_empty() {
            lines.push(Line {
                name: name.to_owned(),
                style: style(name),
                points: found,
            });
        }
    }
    lines
}

fn rows<'a>(
    results: &'a Results,
    op: Op,
    contestant: &'static str,
) -> impl Iterator<Item = &'a Row> {
    results
        .0
        .iter()
        .filter(move |row| (row.op, row.contestant) == (op, contestant))
}

/// Everyone has the same colour in all figures.
fn style(contestant: &str) -> usize {
    let place = contestants::NAMES
        .iter()
        .position(|name| *name == contestant);
    place.unwrap_or_default()
}
