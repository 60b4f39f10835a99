//! Which figures are drawn of the results.

use plotters::style::RGBColor;

use crate::figure::{Figure, Line, Panel, Style};
use crate::op::Op;
use crate::results::{Results, Row};
use crate::table::{self, size};

/// The operations whose time is drawn against the size of the store.
const OVER_SIZE: [Op; 16] = [
    Op::Create,
    Op::Update,
    Op::Delete,
    Op::Get,
    Op::GetFile,
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
    Op::Verb,
];

/// Bayplan without group commit.
const APART: &str = "bayplan, one transaction each";

/// The style of each line, by its name.
const STYLES: [(&str, Style); 10] = [
    ("bayplan", stroke(0xd9480f, 3)),
    ("bayplan-log", stroke(0xf59f00, 3)),
    ("redb-put", dashed(0x868e96, 2, 4)),
    ("redb-blob", dashed(0x343a40, 6, 4)),
    ("sqlite", stroke(0x1971c2, 2)),
    ("lmdb", stroke(0x2f9e44, 2)),
    ("fjall", stroke(0x9c36b5, 2)),
    ("log-floor", dashed(0x74b816, 2, 4)),
    ("containerd", dashed(0x0c8599, 9, 4)),
    (APART, dashed(0xd9480f, 4, 4)),
];

const fn stroke(rgb: u32, width: u32) -> Style {
    let [_, red, green, blue] = rgb.to_be_bytes();
    Style {
        color: RGBColor(red, green, blue),
        width,
        dash: None,
    }
}

const fn dashed(rgb: u32, dash: u32, gap: u32) -> Style {
    Style {
        dash: Some((dash, gap)),
        ..stroke(rgb, 2)
    }
}

/// The style of this line.
pub(crate) fn style(name: &str) -> Style {
    let found = STYLES.iter().find(|(styled, _)| *styled == name);
    found.map_or(stroke(0, 1), |(_, style)| *style)
}

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
            name: APART.to_owned(),
            style: style(APART),
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

/// A line for each contestant that has points.
fn lines(results: &Results, points: impl Fn(&'static str, &mut Vec<(f64, f64)>)) -> Vec<Line> {
    let mut lines = Vec::new();
    // A contestant without a style would hide the others.
    let is_drawn = |name: &&str| STYLES.iter().any(|(styled, _)| styled == name);
    for name in results.contestants().into_iter().filter(is_drawn) {
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
